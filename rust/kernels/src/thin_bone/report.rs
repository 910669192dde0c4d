//! What was found, for the user.

use super::calibration::{Calibration, Source};
use super::measure::Scale;
use super::{Found, profile};
use crate::Grid;
use ndarray::{ArrayRef3, Axis};
use rayon::prelude::*;

/// What was found on the way.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// The scanner's blur and noise.
    pub calibration: Calibration,
    /// HU of the patient's thick bone, and of walls about a millimetre thick, whose thickness still shows.
    pub bone_hu: [f64; 2],
    /// The thinnest wall next to air, and between soft tissues, that this scan shows at one place.
    pub thinnest_seen_mm: [f64; 2],
    /// The smallest hole that this scan shows to be empty.
    pub smallest_hole_mm: f64,
    /// How many walls (sheets) were found.
    pub sheets: usize,
    /// Volume of the added bone's voxels.
    pub added_mm3: f64,
    /// Every opening, largest first.
    pub openings: Vec<Opening>,
    /// What the user should know about the result.
    pub warnings: Vec<String>,
}

/// An opening of the bone.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Opening {
    /// Its number in the list, from 1, largest first.
    pub id: usize,
    /// Its middle, RAS.
    pub center_ras_mm: [f64; 3],
    /// Unit vector through it, RAS.
    pub axis_ras: [f64; 3],
    /// Diameter of the circle of equal area.
    pub diameter_mm: f64,
    /// Area seen along its axis.
    pub area_mm2: f64,
    /// What becomes of it.
    pub verdict: Verdict,
    /// Whether the verdict is the user's.
    pub decided: bool,
    /// Wall that its middle shows, as a share of its rim's; `None` where that cannot be measured.
    pub residual: Option<f64>,
    /// Standard error of the residual.
    pub residual_se: f64,
    /// The residual that a hole of this size in a wall shows when it is empty: exp(−d²/8σ²), and for a slit as much more
    /// as its shape shows.
    pub residual_if_empty: f64,
    /// Thickness of the wall around it; 0 where its rim is thick bone.
    pub rim_mm: f64,
    /// HU on both sides, against and along the axis.
    pub media_hu: [f64; 2],
    /// The voxels (x, y, z), none of the base, that are bone where it is filled.
    pub voxels: Vec<[usize; 3]>,
}

/// What becomes of an opening.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Its mass says that there is a wall: closed.
    Filled,
    /// It is empty, as far as this blur lets one see.
    Open,
    /// The scan cannot tell; it stays open.
    Undecided,
}

impl Found {
    /// All that a user may want to know, with the density of thick bone.
    pub(super) fn report(self, calibration: Calibration, thick_hu: f64, added: &ArrayRef3<u8>, grid: &Grid) -> Report {
        let added: usize =
            added.axis_iter(Axis(0)).into_par_iter().map(|s| s.iter().filter(|a| **a != 0).count()).sum();
        Report {
            bone_hu: [thick_hu, self.scale.bone_hu],
            thinnest_seen_mm: thinnest_seen(&self.scale),
            smallest_hole_mm: smallest_hole(&self.scale),
            sheets: self.sheets,
            added_mm3: added as f64 * grid.voxel_mm3(),
            openings: self.openings,
            warnings: warnings(&calibration),
            calibration,
        }
    }
}

/// The thinnest wall whose mass stands out from the noise at one place: next to air and between soft tissues.
fn thinnest_seen(scale: &Scale) -> [f64; 2] {
    let sigma = scale.psf.sigma_xy_mm;
    let voxel_mm3: f64 = scale.spacing_mm.iter().product();
    // independent profiles in the pooled area, and samples along each, per mm
    let per_mm = 4.0 * std::f64::consts::PI * profile::POOL_MM.powi(2) / (voxel_mm3 * scale.noise_voxels);
    let detectable = 3.0 * scale.noise_hu;
    let root_pi = std::f64::consts::PI.sqrt();
    let soft_mass = detectable * (2.0 * root_pi * sigma / per_mm).sqrt();
    // against a step a plate shows in second order only, as m²/2H
    let step = 900.0;
    let second = detectable * (4.0 * root_pi * sigma.powi(3) / per_mm).sqrt();
    let air_mass = (2.0 * step * second).sqrt();
    [air_mass / (scale.bone_hu + 550.0), soft_mass / (scale.bone_hu - 20.0)]
}

/// The diameter from which an empty hole shows less than a third of its rim.
fn smallest_hole(scale: &Scale) -> f64 {
    let sigma = scale.psf.sigma_xy_mm.max(scale.psf.sigma_z_mm);
    sigma * (8.0 * 3.0_f64.ln()).sqrt()
}

/// What makes the result less certain than it might be.
fn warnings(calibration: &Calibration) -> Vec<String> {
    let mut warnings = Vec::new();
    let [xy, z] = calibration.psf.fwhm_mm();
    match calibration.source {
        Source::Spacing => warnings.push(format!(
            "no clean skin to measure the scanner's blur on: taken from the voxel's size ({xy:.2} mm in-plane, \
             {z:.2} mm through-plane); walls thinner than half a millimetre are uncertain, give the widths if known"
        )),
        Source::Skin if calibration.relative_error.iter().any(|&e| e > 0.1) => warnings.push(format!(
            "the scanner's blur ({xy:.2} mm in-plane, {z:.2} mm through-plane) is known to {:.0} % only",
            100.0 * calibration.relative_error[0].max(calibration.relative_error[1])
        )),
        Source::Skin | Source::User => {}
    }
    warnings
}
