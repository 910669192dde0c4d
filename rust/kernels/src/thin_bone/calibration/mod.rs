//! How much the scanner blurs, found from the scan's own edge between air and skin.
//!
//! Skin against air is the one edge that every head CT holds, of known shape (smooth) and contrast (1000 HU
//! and more). The signed distances of the voxels of a small patch to a surface fitted through the patch's
//! half-height crossings sample the edge spread function much finer than the voxels do (the slanted-edge
//! method), without any interpolation. Patches of all directions together tell in-plane from through-plane.
//!
//! Sanders, Hurwitz, Samei: Patient-specific quantification of image quality: an automated method for
//! measuring spatial resolution in clinical CT images. Med. Phys. 43 (2016), doi 10.1118/1.4961984.

mod air;
mod edge_spread;
mod fit;
pub(super) mod local_noise;
mod noise;
mod patch;
mod quadric;
mod settle;

use super::outside::Outside;
use super::psf::Psf;
use crate::{Grid, Job, Result, Voxel};
use air::Censor;
use ndarray::ArrayRef3;
use noise::Noise;
pub(super) use noise::noise;
use patch::Clean;

/// What the calibration found.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    /// The point spread function.
    pub psf: Psf,
    /// Where it comes from.
    pub source: Source,
    /// Relative standard errors of the in-plane and the through-plane width.
    pub relative_error: [f64; 2],
    /// How many patches of skin were used.
    pub patches: usize,
    /// Standard deviation of the noise in soft tissue.
    pub noise_hu: f64,
    /// How many voxels' noise is worth one independent voxel's.
    pub noise_voxels: f64,
    /// HU of air.
    pub air_hu: f64,
    /// Values at and below this were cut off by the scanner or the file.
    pub floor_hu: f64,
}

/// Where a point spread function comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Measured on the edge between air and skin.
    Skin,
    /// Guessed from the voxel's size: there was no clean skin.
    Spacing,
    /// Given by the user.
    User,
}

/// Measures the point spread function unless it is given as full widths at half maximum, in-plane and through-plane;
/// falls back to the voxel's size where there is no clean skin.
pub(super) fn calibrate<T: Voxel>(
    ct: &ArrayRef3<T>,
    grid: &Grid,
    outside: &Outside,
    noise: Noise,
    fwhm_mm: Option<[f64; 2]>,
    job: &Job,
) -> Result<Calibration> {
    let (air_hu, floor_hu) = air::air(ct);
    let [sx, sy, sz] = grid.spacing_mm();
    let in_plane = (sx * sy).sqrt();
    let guess = Psf::gaussian((1.2 * in_plane).max(0.6), sz.max(0.6));
    let mut found = Calibration {
        psf: guess,
        source: Source::Spacing,
        relative_error: [0.3, 0.3],
        patches: 0,
        noise_hu: noise.hu,
        noise_voxels: noise.voxels,
        air_hu,
        floor_hu,
    };
    job.check()?;
    let patches = patch::patches(ct, grid, outside, &Clean { air_hu, noise_hu: noise.hu }, job)?;
    job.check()?;
    let censor = Censor { floor: floor_hu, noise: noise.hu };
    if let Some(fit) = fit::fit(patches, guess, air_hu, censor) {
        found.psf = fit.psf;
        found.relative_error = fit.relative_error;
        found.patches = fit.patches;
        found.air_hu = fit.air_hu;
        found.source = Source::Skin;
    }
    if let Some([xy, z]) = fwhm_mm {
        found.psf = Psf { overshoot: found.psf.overshoot, ..Psf::gaussian(xy, z) };
        found.psf.sigma_wide_mm = 2.2 * found.psf.sigma_xy_mm;
        found.source = Source::User;
        found.relative_error = [0.0; 2];
    }
    Ok(found)
}
