//! `skull info`: what an image is, before anything is done with it.

use crate::cli::{ImageArgs, RunArgs};
use crate::nifti_header::{Header, Orientation, Version};
use crate::report::orientation;
use crate::session::{Phase, Session};
use crate::volume_io::Volume;
use crate::with_voxels;
use anyhow::Result;
use clap::Args;
use ndarray::{ArrayRef3, Axis};
use rayon::prelude::*;
use serde::Serialize;
use skull_kernels::{Grid, Job, Voxel};
use std::io::Write;
use std::path::PathBuf;

/// Show an image's size, spacing, orientation, voxel type and intensities.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  skull info head.nii.gz\n  skull info head.nii.gz --json | jq .spacing_mm")]
pub struct Info {
    #[command(flatten)]
    image: ImageArgs,
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    run: RunArgs,
}

impl Info {
    /// Runs the command.
    ///
    /// # Errors
    /// Where the image cannot be read.
    pub fn run(&self) -> Result<()> {
        let mut session = Session::new(&self.run)?;
        let volume = session.run(Phase::Load, "load", 0.9, |job| self.image.read(job))?;
        volume.header.doubts(&volume.grid).into_iter().for_each(|doubt| session.warn(doubt));
        let intensities = session.run(
            Phase::Compute,
            "intensities",
            1.0,
            |job| with_voxels!(&volume.voxels, image => Intensities::of(image, job)),
        )?;
        let summary = Summary::new(&self.image.image, &volume, intensities)?;
        session.say_times();
        let mut out = std::io::stdout().lock();
        if self.json {
            serde_json::to_writer_pretty(&mut out, &summary)?;
            writeln!(out)?;
        } else {
            summary.print(&mut out)?;
        }
        Ok(())
    }
}

/// What an image is.
#[derive(Debug, Serialize)]
struct Summary {
    path: PathBuf,
    format: &'static str,
    size: [usize; 3],
    volumes: usize,
    spacing_mm: [f64; 3],
    extent_mm: [f64; 3],
    orientation: String,
    /// Greatest angle between an axis of the image and the patient axis it is named for.
    oblique_deg: f64,
    placed_by: &'static str,
    /// Voxel indices (x, y, z, 1) to RAS mm.
    affine: [[f64; 4]; 3],
    voxel_type: String,
    slope: f64,
    intercept: f64,
    intensities: Intensities,
}

impl Summary {
    fn new(path: &std::path::Path, volume: &Volume, intensities: Intensities) -> Result<Self> {
        let (header, grid) = (&volume.header, &volume.grid);
        let (slope, intercept) = header.scaling()?.unwrap_or((1.0, 0.0));
        Ok(Self {
            path: path.to_path_buf(),
            format: format_name(header),
            size: grid.size(),
            volumes: header.size()?.1,
            spacing_mm: grid.spacing_mm(),
            extent_mm: extent_mm(grid),
            orientation: orientation(grid),
            oblique_deg: oblique_deg(grid),
            placed_by: match header.orientation() {
                Orientation::Sform => "sform",
                Orientation::Qform => "qform",
                Orientation::Unknown => "not stated",
            },
            affine: affine(grid),
            voxel_type: format!("{:?}", header.voxel_type()?).to_lowercase(),
            slope,
            intercept,
            intensities,
        })
    }

    fn print(&self, out: &mut impl Write) -> Result<()> {
        let times = |values: [String; 3]| values.join(" x ");
        let mm = |values: [f64; 3]| times(values.map(short));
        writeln!(out, "file         {}", self.path.display())?;
        writeln!(out, "format       {}", self.format)?;
        writeln!(out, "size         {} voxels (x, y, z)", times(self.size.map(|s| s.to_string())))?;
        if self.volumes > 1 {
            writeln!(out, "volumes      {}", self.volumes)?;
        }
        writeln!(out, "spacing      {} mm", mm(self.spacing_mm))?;
        writeln!(out, "extent       {} mm", mm(self.extent_mm))?;
        writeln!(
            out,
            "orientation  {} ({}), {} degrees oblique",
            self.orientation,
            self.placed_by,
            short(self.oblique_deg)
        )?;
        writeln!(out, "voxels       {}, slope {}, intercept {}", self.voxel_type, self.slope, self.intercept)?;
        self.intensities.print(out)
    }
}

/// Statistics of the finite intensities, in image units.
#[derive(Debug, Serialize)]
struct Intensities {
    voxels: usize,
    not_finite: usize,
    minimum: f64,
    maximum: f64,
    mean: f64,
    standard_deviation: f64,
    /// The 1st, 50th and 99th percentile of evenly spread samples; `None` where none is finite.
    percentiles: Option<[f64; 3]>,
}

impl Intensities {
    /// Two passes, because squares of large values would swamp a small deviation. The sums go slice by slice,
    /// so that they do not depend on the number of threads.
    fn of<T: Voxel>(image: &ArrayRef3<T>, job: &Job) -> Result<Self> {
        let slices = image.shape()[0];
        let steps = job.steps(2 * slices);
        let per_slice = |summarise: &(dyn Fn(&mut dyn Iterator<Item = f64>) -> Part + Sync)| {
            let parts = image.axis_iter(Axis(0)).into_par_iter().map(|slice| {
                steps.step()?;
                Ok(summarise(&mut slice.iter().map(|v| v.to_f64()).filter(|v| v.is_finite())))
            });
            parts.collect::<Result<Vec<Part>>>().map(|parts| parts.into_iter().fold(Part::NONE, Part::join))
        };
        let whole = per_slice(&|values| {
            values.fold(Part::NONE, |part, v| part.join(Part { count: 1, sum: v, minimum: v, maximum: v }))
        })?;
        #[allow(clippy::cast_precision_loss, reason = "a mean of fewer than 2^53 voxels")]
        let count = whole.count as f64;
        let mean = whole.sum / count;
        let squares = per_slice(&|values| Part { sum: values.map(|v| (v - mean).powi(2)).sum(), ..Part::NONE })?;
        Ok(Self {
            voxels: image.len(),
            not_finite: image.len() - whole.count,
            minimum: whole.minimum,
            maximum: whole.maximum,
            mean,
            standard_deviation: (squares.sum / count).sqrt(),
            percentiles: percentiles(image),
        })
    }

    fn print(&self, out: &mut impl Write) -> Result<()> {
        if self.not_finite == self.voxels {
            writeln!(out, "intensities  none is finite")?;
            return Ok(());
        }
        let [low, high, mean, deviation] = [self.minimum, self.maximum, self.mean, self.standard_deviation].map(short);
        writeln!(out, "intensities  {low} to {high}, mean {mean}, standard deviation {deviation}")?;
        if self.not_finite > 0 {
            writeln!(out, "             {} of {} voxels are NaN or infinite", self.not_finite, self.voxels)?;
        }
        Ok(())
    }
}

/// Of at most about this many samples, which lie within a few tenths of a percent of the true ones.
const SAMPLES: usize = 1 << 18;

fn percentiles<T: Voxel>(image: &ArrayRef3<T>) -> Option<[f64; 3]> {
    let every = image.len().div_ceil(SAMPLES);
    let mut samples: Vec<f64> = image.iter().step_by(every).map(|v| v.to_f64()).filter(|v| v.is_finite()).collect();
    samples.sort_unstable_by(f64::total_cmp);
    let last = samples.len().checked_sub(1)?;
    Some([1, 50, 99].map(|percent| samples[(last * percent + 50) / 100]))
}

#[derive(Clone, Copy)]
struct Part {
    count: usize,
    sum: f64,
    minimum: f64,
    maximum: f64,
}

impl Part {
    const NONE: Self = Self { count: 0, sum: 0.0, minimum: f64::INFINITY, maximum: f64::NEG_INFINITY };

    fn join(self, other: Self) -> Self {
        Self {
            count: self.count + other.count,
            sum: self.sum + other.sum,
            minimum: self.minimum.min(other.minimum),
            maximum: self.maximum.max(other.maximum),
        }
    }
}

fn format_name(header: &Header) -> &'static str {
    match (header.version(), header.is_single_file()) {
        (Version::One, true) => "NIfTI-1",
        (Version::One, false) => "NIfTI-1 (header and image file)",
        (Version::Two, true) => "NIfTI-2",
        (Version::Two, false) => "NIfTI-2 (header and image file)",
    }
}

fn extent_mm(grid: &Grid) -> [f64; 3] {
    #[allow(clippy::cast_precision_loss, reason = "sides are far below 2^53")]
    std::array::from_fn(|axis| grid.size()[axis] as f64 * grid.spacing_mm()[axis])
}

fn oblique_deg(grid: &Grid) -> f64 {
    let angle = |axis: [f64; 3]| axis.iter().fold(0.0, |most: f64, c| most.max(c.abs())).min(1.0).acos().to_degrees();
    grid.axes().map(angle).into_iter().fold(0.0, f64::max)
}

fn affine(grid: &Grid) -> [[f64; 4]; 3] {
    std::array::from_fn(|row| {
        std::array::from_fn(|column| match column {
            3 => grid.origin_mm()[row],
            axis => grid.axes()[axis][row] * grid.spacing_mm()[axis],
        })
    })
}

/// At most three decimals, none that say nothing.
fn short(value: f64) -> String {
    let rounded = format!("{value:.3}");
    rounded.trim_end_matches('0').trim_end_matches('.').to_owned()
}
