//! Every scan of a folder with its solid head, on one sheet to look over.

use crate::workspace::Workspace;
use anyhow::{Context, Result, ensure};
use image::imageops::{FilterType, replace, resize};
use image::{ImageFormat, Rgb, RgbImage};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

/// Which scans, and where the pictures go.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The folder of scans (.nii, .nii.gz).
    folder: PathBuf,
    /// Where masks, pictures, sheet.png and index.md go [default: `gallery` in the target folder].
    #[arg(short, long, value_name = "FOLDER")]
    output: Option<PathBuf>,
}

/// Finds the skin on each scan, puts all previews on a sheet and a line of figures about each in an index.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<ExitCode> {
    let scans = scans(&arguments.folder)?;
    let skull = workspace.skull()?;
    let output = arguments.output.clone().unwrap_or_else(|| workspace.target.join("gallery"));
    fs::create_dir_all(&output).with_context(|| format!("cannot make {}", output.display()))?;
    let entries: Vec<Entry> = scans.iter().map(|scan| Entry::new(&skull, scan, &output)).collect::<Result<_>>()?;

    fs::write(output.join("index.md"), index(&entries))?;
    let previews = entries.iter().filter_map(|entry| entry.preview.as_deref());
    let pictures: Vec<RgbImage> = previews.map(open).collect::<Result<_>>()?;
    let whole = entries.iter().all(|entry| entry.preview.is_some());
    if !pictures.is_empty() {
        let path = output.join("sheet.png");
        sheet(&pictures).save_with_format(&path, ImageFormat::Png)?;
        println!("{} of {} on {}", pictures.len(), entries.len(), path.display());
    }
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The scans in a folder, by name.
fn scans(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut scans: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    scans.retain(|path| path.is_file() && stem(path).is_some());
    scans.sort();
    ensure!(!scans.is_empty(), "no .nii or .nii.gz in {}", folder.display());
    Ok(scans)
}

/// A NIfTI file's name without its ending.
fn stem(path: &Path) -> Option<&str> {
    let name = path.file_name()?.to_str()?;
    name.strip_suffix(".nii.gz").or_else(|| name.strip_suffix(".nii"))
}

/// One scan on the sheet.
struct Entry {
    name: String,
    /// What was found, or why nothing was.
    line: String,
    seconds: f64,
    /// None where it failed.
    preview: Option<PathBuf>,
}

impl Entry {
    fn new(skull: &Path, scan: &Path, output: &Path) -> Result<Self> {
        let name = stem(scan).context("not a NIfTI file")?.to_owned();
        let preview = output.join(&name).with_extension("png");
        let start = Instant::now();
        let done = Command::new(skull)
            .arg("skin")
            .arg(scan)
            .arg("-o")
            .arg(output.join(format!("{name}.nii.gz")))
            .arg("--preview")
            .arg(&preview)
            .output()
            .context("skull does not start")?;
        let seconds = start.elapsed().as_secs_f64();
        let said = [&done.stdout, &done.stderr].map(|bytes| String::from_utf8_lossy(bytes).trim().to_owned());
        let line = said.join("\n").lines().filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ");
        println!("{name}: {line} ({seconds:.1} s)");
        Ok(Self { name, line, seconds, preview: done.status.success().then_some(preview) })
    }
}

fn index(entries: &[Entry]) -> String {
    let rows = entries
        .iter()
        .map(|Entry { name, line, seconds, .. }| format!("| {name} | {} | {seconds:.1} |\n", line.replace('|', "\\|")));
    format!("| scan | found | s |\n|---|---|---|\n{}", rows.collect::<String>())
}

fn open(path: &Path) -> Result<RgbImage> {
    Ok(image::open(path).with_context(|| format!("cannot read {}", path.display()))?.into_rgb8())
}

const COLUMNS: usize = 2;
const TILE: u32 = 1200;
const GAP: u32 = 12;

/// The pictures, made as wide as a tile, in columns of about equal height.
fn sheet(pictures: &[RgbImage]) -> RgbImage {
    let mut bottoms = [GAP; COLUMNS];
    let mut tiles = Vec::new();
    for picture in pictures {
        let height = (u64::from(picture.height()) * u64::from(TILE) / u64::from(picture.width())).max(1) as u32;
        // The first of the shortest columns: reads in rows as far as the heights allow.
        let column = (0..COLUMNS).min_by_key(|&c| bottoms[c]).expect("there are columns");
        tiles.push((column, bottoms[column], height, picture));
        bottoms[column] += height + GAP;
    }
    let width = GAP + COLUMNS.min(pictures.len()) as u32 * (TILE + GAP);
    let height = bottoms.into_iter().max().expect("there are columns");
    let mut sheet = RgbImage::from_pixel(width, height, Rgb([0; 3]));
    for (column, top, height, picture) in tiles {
        let tile = resize(picture, TILE, height, FilterType::CatmullRom);
        let left = GAP + column as u32 * (TILE + GAP);
        replace(&mut sheet, &tile, left.into(), top.into());
    }
    sheet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_picture_is_whole_on_the_sheet() {
        let picture = |height, colour| RgbImage::from_pixel(600, height, Rgb(colour));
        let pictures = [picture(400, [255, 0, 0]), picture(100, [0, 255, 0]), picture(100, [0, 0, 255])];
        let sheet = sheet(&pictures);
        assert_eq!(sheet.dimensions(), (GAP + 2 * (TILE + GAP), GAP + 800 + GAP));
        for (picture, area) in pictures.iter().zip([1200 * 800, 1200 * 200, 1200 * 200]) {
            let colour = picture.get_pixel(0, 0);
            assert_eq!(sheet.pixels().filter(|p| *p == colour).count(), area);
        }
    }

    #[test]
    fn names_lose_their_whole_ending() {
        assert_eq!(stem(Path::new("a/t1.v2.nii.gz")), Some("t1.v2"));
        assert_eq!(stem(Path::new("t1.nii")), Some("t1"));
        assert_eq!(stem(Path::new("README.md")), None);
    }
}
