//! What all commands have in common that make a mask of an image.

use crate::cli::{ImageArgs, RunArgs, mask_path, picture_path};
use crate::picture::{self, Part};
use crate::preview::Colour;
use crate::report::{Input, Report};
use crate::session::{Phase, Session};
use crate::volume_io::{Volume, is_gzip_name, write_voxels};
use anyhow::Result;
use clap::Args;
use ndarray::{Array3, ArrayRef3};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The files such a command writes.
#[derive(Debug, Args)]
pub struct MaskFiles {
    /// The mask to write: .nii or .nii.gz, uint8, on the image's grid.
    #[arg(short, long, value_name = "FILE", value_parser = mask_path)]
    output: PathBuf,
    /// Draw slices with the mask's outline, and its surface (PNG).
    #[arg(long, value_name = "FILE", value_parser = picture_path)]
    preview: Option<PathBuf>,
    /// Write what was found, with parameters and times, as JSON; - is stdout.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

/// What such a command found, beside the mask itself.
#[derive(Debug)]
pub struct Finding {
    /// What the mask shows, for the preview.
    pub name: &'static str,
    /// Colours of its outline and of its surface.
    pub colours: [Colour; 2],
    /// How it was asked to work, for the report.
    pub parameters: Value,
    /// What it found, for the report.
    pub result: Value,
    /// The same in short phrases, for people.
    pub phrases: Vec<String>,
    /// What the user should know about it.
    pub warnings: Vec<String>,
}

/// The fraction of such a command that is done when the image is there.
pub const LOADED: f64 = 0.3;
/// The fraction that is done when the mask is found.
pub const COMPUTED: f64 = 0.8;
const WRITTEN: f64 = 0.85;

/// Reads the image, makes the mask of it that `make` sets, and writes all files or none.
///
/// # Errors
/// Where the image cannot be read or a file not be written, and those of `make`.
pub fn make_mask(
    command: &'static str,
    image: &ImageArgs,
    other_inputs: &[&Path],
    files: &MaskFiles,
    run: &RunArgs,
    make: impl FnOnce(&Volume, &mut ArrayRef3<u8>, &mut Session) -> Result<Finding>,
) -> Result<()> {
    let mut session = Session::new(run)?;
    let mut outputs = session.outputs();
    let inputs = [&[&*image.image], other_inputs].concat();
    let output = outputs.stage(&files.output, &inputs)?;
    let preview_file = outputs.stage_if(files.preview.as_deref(), &inputs)?;
    let report_file = outputs.stage_if(files.report.as_deref(), &inputs)?;

    let volume = session.run(Phase::Load, "load", LOADED, |job| image.read(job))?;
    volume.header.doubts(&volume.grid).into_iter().for_each(|doubt| session.warn(doubt));
    let mut mask = Array3::zeros(volume.grid.shape());
    let found = make(&volume, &mut mask, &mut session)?;
    found.warnings.iter().for_each(|warning| session.warn(warning));
    session.run(Phase::Write, "write", WRITTEN, |job| {
        outputs.write(output, |out| write_voxels(out, is_gzip_name(&files.output), &volume.header, &mask, job))
    })?;
    if let Some(preview_file) = preview_file {
        session.run(Phase::Draw, "draw", 1.0, |job| {
            let mesh = &picture::surface_or_none(&mask, &volume.grid, job)?;
            let [outline, material] = found.colours;
            let part = Part { name: found.name, mask: &mask, mesh, outline, material };
            let figures = &found.phrases;
            outputs.write(preview_file, |out| picture::write(out, &image.image, figures, &volume, &[part]))
        })?;
    }

    let input = Input::new(&image.image, &volume.header, &volume.grid);
    let report = Report::new(command, input, found.parameters, found.result, &session, &outputs);
    outputs.write_if(report_file, |out| report.write(out))?;
    outputs.commit()?;
    session.say_times();
    session.say(&found.phrases.join(", "))
}
