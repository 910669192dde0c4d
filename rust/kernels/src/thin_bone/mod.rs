//! Bone thinner than a voxel, put back where the scan shows its mass, with every opening listed.
//!
//! A wall of thickness t between media of A and B HU, seen through a blur much wider than t, is a blurred step
//! plus a blurred plate of mass m = t (bone − (A + B)/2), in HU·mm. The blur spreads that mass but keeps it, so
//! walls that no threshold finds can still be weighed, once the blur is known: it is measured on the scan's own
//! skin ([`calibration`]).
//!
//! Treece, Gee, Mayhew, Poole: High resolution cortical bone thickness measurement from clinical CT data. Med.
//! Image Anal. 14 (2010), doi 10.1016/j.media.2010.01.003, fits a blur of its own to each profile; here the blur
//! is known beforehand and the mass is a linear least squares estimate.

mod aperture;
pub mod calibration;
mod canals;
mod candidates;
mod chambers;
mod decide;
mod density;
mod directions;
mod gaps;
mod joints;
mod linalg;
mod measure;
mod openings;
mod outputs;
mod outside;
mod params;
mod partial;
pub mod printable;
mod profile;
pub mod psf;
mod refine;
mod region;
mod report;
mod scan;
mod second_look;
mod sheets;
mod specks;
mod spots;
mod survey;
mod tensor;
mod verdict;
mod wall_surface;
mod ways;
mod whole;
mod wide;

pub use outputs::{Outputs, Wall};
pub use params::{Decision, Params};
pub use report::{Opening, Report, Verdict};

use crate::{Error, Grid, Job, Result, Voxel};
use calibration::local_noise::LocalNoise;
use measure::Scale;
use ndarray::ArrayRef3;
use outside::Outside;
use scan::{Scan, Walls};
use sheets::Thickness;

/// Adds to the `base` bone of a CT (HU) the walls too thin for any threshold, as far as their mass shows.
///
/// The base is never changed: all bone is `base` and `added` together. The result is the same for any number of
/// threads. Needs up to 8 bytes per voxel beyond the inputs and outputs, where walls pass one voxel in forty.
///
/// # Errors
/// [`Error::SizeMismatch`], [`Error::Sheared`], [`Error::Parameter`], [`Error::Empty`] without base bone,
/// [`Error::Cancelled`].
pub fn thin_bone<T: Voxel>(
    ct: &ArrayRef3<T>,
    base: &ArrayRef3<u8>,
    grid: &Grid,
    params: &Params,
    mut outputs: Outputs<'_>,
    job: &Job,
) -> Result<Report> {
    grid.check_shape("scan", ct.dim())?;
    grid.check_shape("bone", base.dim())?;
    outputs.check(grid)?;
    grid.check_orthogonal()?;
    params.check(grid)?;
    if base.iter().all(|&b| b == 0) {
        return Err(Error::Empty { what: "base bone" });
    }
    let stage = job.stage("calibration", 0.0, 0.05);
    let outside = Outside::new(ct, grid, &stage)?;
    let soft = calibration::noise(ct);
    // the blur is found in steps of which each needs the last
    let (calibration, (thick_hu, noise)) = rayon::join(
        || calibration::calibrate(ct, grid, &outside, soft, params.fwhm_mm, &stage),
        || (density::thick_bone(ct, base, grid, soft.hu), LocalNoise::new(ct, grid, soft.hu)),
    );
    let calibration = calibration?;
    let scale = Scale::new(&calibration, thick_hu, params.thinnest_mm, grid.spacing_mm());
    let scan = Scan { ct, base, grid, outside, scale, noise };
    let found = match params.roi_mm {
        None => repair(scan, params, &mut outputs, &job.part(0.05, 1.0))?,
        Some(roi) => region::repair(scan, roi, params, &mut outputs, &job.part(0.05, 1.0))?,
    };
    Ok(found.report(calibration, thick_hu, outputs.added, grid))
}

/// What a repair found beside the maps.
struct Found {
    openings: Vec<Opening>,
    sheets: usize,
    /// With the density of thin bone.
    scale: Scale,
}

/// Repairs all of a scan of known blur.
fn repair<T: Voxel>(mut scan: Scan<'_, T>, params: &Params, outputs: &mut Outputs<'_>, job: &Job) -> Result<Found> {
    let candidates = candidates::find(&scan, &job.stage("candidates", 0.0, 0.25))?;
    let mut nodes = survey::survey(&scan, candidates, &job.stage("measurement", 0.25, 0.6))?;
    scan.scale.bone_hu = density::thin_bone(scan.ct, &nodes, &scan.scale);
    let stage = job.stage("sheets", 0.6, 0.75);
    let mut linked = {
        let thickness_mm = |bone: &[bool], job: &Job| refine::thickness(scan.ct, &nodes, bone, &scan.scale, job);
        let asked: Option<Thickness<'_>> = if outputs.ask_for_thickness() { Some(&thickness_mm) } else { None };
        sheets::link(&nodes, asked, scan.scale.noise_hu as f32, scan.grid, &stage.part(0.0, 0.8))?
    };
    second_look::add(&scan, &mut nodes, &mut linked, &stage.part(0.8, 1.0))?;

    job.stage("partial voxels", 0.75, 0.75).check()?;
    outputs.write(&scan, &nodes, &linked);
    let mut joints = joints::find(&scan, &nodes, &linked, outputs.added);
    let sheets = linked.sheets;
    let walls = Walls::new(&nodes, &linked, scan.scale.noise_hu as f32, scan.grid);
    drop((nodes, linked));
    partial::add(&scan, outputs.added);
    let openings = decide::decide(&scan, &walls, params, outputs.added, &job.part(0.75, 1.0))?;
    joints::keep_openings(&mut joints, &openings, scan.grid);
    outputs.add(&joints, scan.grid);
    Ok(Found { openings, sheets, scale: scan.scale })
}
