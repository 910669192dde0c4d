//! `skull skin`: the solid head.

use crate::cli::{ImageArgs, RunArgs};
use crate::commands::mask::{COMPUTED, Finding, MaskFiles, make_mask};
use crate::preview::palette;
use crate::session::Phase;
use crate::with_voxels;
use anyhow::Result;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use skull_kernels::skin::{self, Modality};

/// Find the solid head in an MR or CT: one part without holes, no table, tubes or noise.
#[derive(Debug, Args)]
#[command(after_help = "\
The image's kind and threshold are found from its intensities unless they are given.

Example:
  skull skin head.nii.gz -o skin.nii.gz --preview skin.png --report skin.json")]
pub struct Skin {
    #[command(flatten)]
    image: ImageArgs,
    #[command(flatten)]
    files: MaskFiles,
    #[command(flatten)]
    how: SkinArgs,
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
    /// Where the image cannot be read, has nothing that can be told from air, or a file cannot be written.
    pub fn run(&self) -> Result<()> {
        make_mask("skin", &self.image, &[], &self.files, &self.run, |volume, mask, session| {
            let params = self.how.params();
            let found = session.run(Phase::Compute, "skin", COMPUTED, |job| {
                let grid = &volume.grid;
                self.image.named(with_voxels!(&volume.voxels, image => skin::skin(image, grid, &params, mask, job)))
            })?;
            Ok(Finding {
                name: "Skin",
                colours: [palette::ORANGE, palette::SKIN],
                parameters: parameters(&params),
                result: result(&found),
                phrases: describe(&found),
                warnings: found.warnings,
            })
        })
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

/// What was found, in short phrases.
#[must_use]
pub fn describe(found: &skin::Report) -> Vec<String> {
    let kind = format!("{:?}", found.modality).to_uppercase();
    let faces: Vec<_> = found.touched_faces.iter().map(char::to_string).collect();
    let mut phrases = vec![
        format!("head {:.0} mL", found.volume_ml),
        format!("{kind}, threshold {:.0}, noise {:.1}", found.threshold, found.noise),
        format!("{:.0} mL cut off", found.cut_off_ml),
    ];
    if !faces.is_empty() {
        phrases.push(format!("image ends at {}", faces.join(", ")));
    }
    phrases
}
