//! `skull skin`: the solid head.

use crate::cli::{ImageArgs, RunArgs, mask_path};
use crate::report::{Input, Report};
use crate::session::{Phase, Session};
use crate::volume_io::{is_gzip_name, write_voxels};
use crate::with_voxels;
use anyhow::Result;
use clap::{Args, ValueEnum};
use ndarray::Array3;
use serde_json::{Value, json};
use skull_kernels::skin::{self, Modality};
use std::path::PathBuf;

/// Find the solid head in an MR or CT: one part without holes, no table, tubes or noise.
#[derive(Debug, Args)]
#[command(after_help = "\
The image's kind and threshold are found from its intensities unless they are given.

Example:
  skull skin head.nii.gz -o skin.nii.gz --report skin.json")]
pub struct Skin {
    #[command(flatten)]
    image: ImageArgs,
    /// The mask to write: .nii or .nii.gz, uint8, on the image's grid.
    #[arg(short, long, value_name = "FILE", value_parser = mask_path)]
    output: PathBuf,
    #[command(flatten)]
    how: SkinArgs,
    /// Write what was found, with parameters and times, as JSON.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    #[command(flatten)]
    run: RunArgs,
}

/// How the head is found.
#[derive(Debug, Args)]
pub struct SkinArgs {
    /// What kind of image it is.
    #[arg(long, value_enum, default_value_t)]
    modality: Kind,
    /// Lowest intensity of tissue, in image units (CT: HU).
    #[arg(long, value_name = "VALUE", allow_negative_numbers = true)]
    threshold: Option<f64>,
    /// Seal nostrils, ear canals and mouth up to this diameter.
    #[arg(long, value_name = "MM", default_value_t = skin::Params::default().opening_mm)]
    opening_mm: f64,
    /// Keep air spaces that reach the outside open.
    #[arg(long)]
    keep_airways: bool,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Kind {
    #[default]
    Auto,
    Ct,
    Mr,
}

impl SkinArgs {
    /// As the kernel takes them.
    #[must_use]
    pub fn params(&self) -> skin::Params {
        skin::Params {
            modality: match self.modality {
                Kind::Auto => Modality::Auto,
                Kind::Ct => Modality::Ct,
                Kind::Mr => Modality::Mr,
            },
            threshold: self.threshold,
            opening_mm: self.opening_mm,
            keep_airways: self.keep_airways,
        }
    }
}

impl Skin {
    /// Runs the command.
    ///
    /// # Errors
    /// Where the image cannot be read, has no head that can be told from air, or a file cannot be written.
    pub fn run(&self) -> Result<()> {
        let mut session = Session::new(&self.run)?;
        let mut outputs = session.outputs();
        let output = outputs.stage(&self.output, &[&self.image.image])?;
        let report_file = outputs.stage_if(self.report.as_deref(), &[&self.image.image])?;

        let volume = session.run(Phase::Load, "load", 0.3, |job| self.image.read(job))?;
        let params = self.how.params();
        let mut mask = Array3::zeros(volume.grid.shape());
        let found = session.run(Phase::Compute, "skin", 0.9, |job| {
            let found = with_voxels!(&volume.voxels, image => {
                skin::skin(image, &volume.grid, &params, &mut mask, job)
            });
            self.image.named(found)
        })?;
        found.warnings.iter().for_each(|warning| session.warn(warning));
        session.run(Phase::Write, "write", 1.0, |job| {
            outputs.write(output, |out| write_voxels(out, is_gzip_name(&self.output), &volume.header, &mask, job))
        })?;

        let input = Input::new(&self.image.image, &volume.header, &volume.grid);
        let report = Report::new("skin", input, parameters(&params), result(&found), &session, &outputs);
        outputs.write_if(report_file, |out| report.write(out))?;
        outputs.commit()?;
        session.say_times();
        session.say(&describe(&found))
    }
}

/// The parameters as the report names them.
#[must_use]
pub fn parameters(params: &skin::Params) -> Value {
    json!({
        "modality": format!("{:?}", params.modality).to_lowercase(),
        "threshold": params.threshold,
        "opening_mm": params.opening_mm,
        "keep_airways": params.keep_airways,
    })
}

/// What was found as the report names it.
#[must_use]
pub fn result(found: &skin::Report) -> Value {
    json!({
        "modality": format!("{:?}", found.modality).to_lowercase(),
        "threshold": found.threshold,
        "noise": found.noise,
        "volume_ml": found.volume_ml,
        "cut_off_ml": found.cut_off_ml,
        "touched_faces": found.touched_faces,
    })
}

/// What was found, in one line.
#[must_use]
pub fn describe(found: &skin::Report) -> String {
    let faces = match found.touched_faces.as_slice() {
        [] => "reaches no face of the image".to_owned(),
        faces => {
            format!("reaches the image's {} face", faces.iter().map(char::to_string).collect::<Vec<_>>().join(", "))
        }
    };
    format!(
        "head {:.0} mL ({:?}, threshold {:.1}, noise {:.1}), {:.0} mL cut off, {faces}",
        found.volume_ml, found.modality, found.threshold, found.noise, found.cut_off_ml
    )
}
