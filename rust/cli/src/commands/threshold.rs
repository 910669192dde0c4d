//! `skull threshold`: what lies between two intensities inside a mask.

use crate::cli::{ImageArgs, RunArgs, usage_error};
use crate::commands::mask::{COMPUTED, Finding, LOADED, MaskFiles, make_mask};
use crate::placement::check_same_grid;
use crate::preview::palette;
use crate::session::Phase;
use crate::volume_io::{Mask, NiftiFile};
use crate::with_voxels;
use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use skull_kernels::auto_threshold::Method;
use skull_kernels::threshold::{self, Bound, Params};
use skull_kernels::{Grid, Job};
use std::path::{Path, PathBuf};

const MASK_LOADED: f64 = LOADED + 0.1;

/// Select what lies between two intensities, inside a mask.
#[derive(Debug, Args)]
#[command(
    // One way to say what is wanted is needed.
    group(clap::ArgGroup::new("bounds").args(["lower", "upper", "method", "preset"]).required(true).multiple(true)),
    override_usage = "skull threshold [OPTIONS] -o <FILE> <IMAGE>",
    after_help = "\
Examples:
  skull threshold ct.nii.gz --mask skin.nii.gz --lower 226 -o bone.nii.gz
  skull threshold t1.nii.gz --mask skin.nii.gz --preset mr-skull -o skull_candidate.nii.gz"
)]
pub struct Threshold {
    #[command(flatten)]
    image: ImageArgs,
    #[command(flatten)]
    files: MaskFiles,
    /// Select, and find bounds, only in this mask.
    #[arg(long, value_name = "FILE")]
    mask: Option<PathBuf>,
    #[command(flatten)]
    how: ThresholdArgs,
    #[command(flatten)]
    run: RunArgs,
}

/// What is selected.
#[derive(Debug, Args)]
pub struct ThresholdArgs {
    /// Select outside the mask instead.
    #[arg(long, requires = "mask")]
    invert_mask: bool,
    /// Lowest intensity.
    #[arg(long, value_name = "VALUE", allow_negative_numbers = true)]
    lower: Option<f64>,
    /// Highest intensity.
    #[arg(long, value_name = "VALUE", allow_negative_numbers = true)]
    upper: Option<f64>,
    /// Find a bound: otsu, huang, isodata, intermodes, kittler-illingworth, li, maximum-entropy, moments,
    /// renyi-entropy, shanbhag, triangle, yen.
    #[arg(long, value_name = "NAME", value_parser = method)]
    method: Option<Method>,
    /// Which side of the bound that --method finds is selected: high, or low with the preset.
    #[arg(long, value_enum, requires = "method", hide_possible_values = true, value_name = "low|high")]
    side: Option<Side>,
    /// Bins of the histogram in which --method looks.
    #[arg(long, value_name = "N")]
    bins: Option<usize>,
    /// Select only deeper than this below the mask's surface.
    #[arg(long, value_name = "MM", requires = "mask")]
    depth_min: Option<f64>,
    /// Select only down to this depth.
    #[arg(long, value_name = "MM", requires = "mask")]
    depth_max: Option<f64>,
    /// Even out brightness on this scale first; 0 does not.
    #[arg(long, value_name = "MM")]
    bias_sigma: Option<f64>,
    /// Remove connected parts smaller than this.
    #[arg(long, value_name = "ML")]
    min_island_ml: Option<f64>,
    /// Fill enclosed cavities smaller than this.
    #[arg(long, value_name = "ML")]
    fill_holes_ml: Option<f64>,
    /// Settings to start from: mr-skull selects what may be skull in MR (needs the skin as --mask).
    #[arg(long, value_enum, requires = "mask", hide_possible_values = true, value_name = "mr-skull")]
    preset: Option<Preset>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Side {
    /// What is darker.
    Low,
    /// What is brighter.
    High,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Preset {
    MrSkull,
}

impl ThresholdArgs {
    fn params(&self) -> Result<Params> {
        let mut params = match self.preset {
            Some(Preset::MrSkull) => Params::mr_skull(),
            None => Params::default(),
        };
        if let Some(method) = self.method {
            let usual = if self.preset == Some(Preset::MrSkull) { Side::Low } else { Side::High };
            let (found, other) = match self.side.unwrap_or(usual) {
                Side::Low => (&mut params.upper, &mut params.lower),
                Side::High => (&mut params.lower, &mut params.upper),
            };
            *found = Bound::Auto(method);
            if matches!(other, Bound::Auto(_)) {
                *other = Bound::Open;
            }
        }
        for (bound, given, name) in
            [(&mut params.lower, self.lower, "--lower"), (&mut params.upper, self.upper, "--upper")]
        {
            let Some(value) = given else { continue };
            if self.method.is_some() && matches!(bound, Bound::Auto(_)) {
                return Err(usage_error(&format!(
                    "{name} and --method set the same bound: leave one out, or turn --side"
                )));
            }
            *bound = Bound::At(value);
        }
        let set = |to: &mut f64, given: Option<f64>| *to = given.unwrap_or(*to);
        set(&mut params.min_depth_mm, self.depth_min);
        set(&mut params.max_depth_mm, self.depth_max);
        set(&mut params.bias_sigma_mm, self.bias_sigma);
        set(&mut params.min_island_ml, self.min_island_ml);
        set(&mut params.max_hole_ml, self.fill_holes_ml);
        params.bins = self.bins.unwrap_or(params.bins);
        params.invert_mask = self.invert_mask;
        Ok(params)
    }
}

impl Threshold {
    /// Runs the command.
    ///
    /// # Errors
    /// Where the image or the mask cannot be read, the mask is not on the image's grid, there is nothing to
    /// find a bound in, or a file cannot be written.
    pub fn run(&self) -> Result<()> {
        let params = self.how.params()?;
        let inputs: Vec<&Path> = self.mask.iter().map(|path| &**path).collect();
        make_mask("threshold", &self.image, &inputs, &self.files, &self.run, |volume, selected, session| {
            let grid = &volume.grid;
            let mask = session.run(Phase::Load, "load mask", MASK_LOADED, |job| self.read_mask(grid, job))?;
            let mask = mask.as_ref().map(|mask| &*mask.voxels);
            let found = session.run(Phase::Compute, "threshold", COMPUTED, |job| {
                let found = with_voxels!(&volume.voxels, image => {
                    threshold::threshold(image, mask, grid, &params, selected, job)
                });
                self.image.named(found)
            })?;
            Ok(Finding {
                name: "Selected",
                colours: [palette::SKY_BLUE, palette::BONE],
                parameters: parameters(&params, self.mask.as_deref()),
                result: result(&found),
                phrases: describe(&found),
                warnings: found.warnings,
            })
        })
    }

    fn read_mask(&self, grid: &Grid, job: &Job) -> Result<Option<Mask>> {
        let Some(path) = &self.mask else { return Ok(None) };
        let mask = NiftiFile::open(path)?.read_mask(None, job)?;
        check_same_grid(&mask.grid, grid).with_context(|| path.display().to_string())?;
        Ok(Some(mask))
    }
}

/// The parameters as the report names them.
#[must_use]
pub fn parameters(params: &Params, mask: Option<&Path>) -> Value {
    let bound = |bound| match bound {
        Bound::Open => Value::Null,
        Bound::At(value) => json!(value),
        Bound::Auto(method) => json!(method.name()),
    };
    json!({
        "mask": mask,
        "invert_mask": params.invert_mask,
        "lower": bound(params.lower),
        "upper": bound(params.upper),
        "bins": params.bins,
        "darker_half": params.darker_half,
        "depth_min_mm": params.min_depth_mm,
        "depth_max_mm": Some(params.max_depth_mm).filter(|depth| depth.is_finite()),
        "bias_sigma_mm": params.bias_sigma_mm,
        "min_island_ml": params.min_island_ml,
        "fill_holes_ml": params.max_hole_ml,
    })
}

/// What was found as the report names it.
#[must_use]
pub fn result(found: &threshold::Report) -> Value {
    json!({
        "lower": found.lower,
        "upper": found.upper,
        "lower_method": found.lower_method.map(Method::name),
        "upper_method": found.upper_method.map(Method::name),
        "voxels": found.voxels,
        "volume_ml": found.volume_ml,
        "islands_removed": found.islands_removed,
        "islands_removed_ml": found.islands_removed_ml,
        "holes_filled": found.holes_filled,
        "holes_filled_ml": found.holes_filled_ml,
    })
}

/// What was found, in short phrases.
#[must_use]
pub fn describe(found: &threshold::Report) -> Vec<String> {
    let bounds = match (found.lower, found.upper) {
        (None, None) => "any intensity".to_owned(),
        (Some(lower), None) => format!("{lower:.1} and above"),
        (None, Some(upper)) => format!("{upper:.1} and below"),
        (Some(lower), Some(upper)) => format!("{lower:.1} to {upper:.1}"),
    };
    let mut phrases = vec![format!("{:.1} mL of {bounds}", found.volume_ml)];
    if found.islands_removed > 0 {
        phrases.push(format!("{} islands removed ({:.1} mL)", found.islands_removed, found.islands_removed_ml));
    }
    if found.holes_filled > 0 {
        phrases.push(format!("{} holes filled ({:.1} mL)", found.holes_filled, found.holes_filled_ml));
    }
    phrases
}

/// The method of this name, written as Slicer does or in one word or with hyphens.
fn method(name: &str) -> Result<Method, String> {
    let plain = |name: &str| name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    Method::ALL.into_iter().find(|method| plain(method.name()) == plain(name)).ok_or_else(|| {
        let names: Vec<_> = Method::ALL.iter().map(|m| m.name().to_lowercase().replace(' ', "-")).collect();
        format!("choose one of {}", names.join(", "))
    })
}
