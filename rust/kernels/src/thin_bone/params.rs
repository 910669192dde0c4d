//! What the user may ask for.

use super::Verdict;
use crate::{Error, Grid, Result};
use std::ops::RangeInclusive;

/// How thin bone is found. The defaults need no touch.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Params {
    /// The scanner's full widths at half maximum, in-plane and through-plane; measured on the skin where `None`.
    pub fwhm_mm: Option<[f64; 2]>,
    /// The thinnest wall that is looked for, at the density of the scan's own bone.
    pub thinnest_mm: f64,
    /// Openings up to the area of a circle of this diameter are listed.
    pub largest_opening_mm: f64,
    /// What the user decided about openings, against the verdict.
    pub decisions: Vec<Decision>,
    /// Only this box is worked on: from and to along R, A and S; the whole scan where `None`. The scanner's blur
    /// is still measured on the whole.
    pub roi_mm: Option<[[f64; 2]; 3]>,
}

impl Default for Params {
    fn default() -> Self {
        Self { fwhm_mm: None, thinnest_mm: 0.15, largest_opening_mm: 40.0, decisions: Vec::new(), roi_mm: None }
    }
}

/// A user's verdict on the opening nearest to a place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decision {
    /// Where, RAS.
    pub center_ras_mm: [f64; 3],
    /// Filled or open.
    pub verdict: Verdict,
}

/// Edges of voxels and blurs that a CT may have, mm: beyond them the unit is mistaken, and no time or memory enough.
const SPACING_MM: RangeInclusive<f64> = 0.05..=10.0;
const FWHM_MM: RangeInclusive<f64> = 0.1..=10.0;

impl Params {
    /// Whether a scan can be worked on that way.
    pub(super) fn check(&self, grid: &Grid) -> Result<()> {
        if let Some(value) = grid.spacing_mm().into_iter().find(|s| !SPACING_MM.contains(s)) {
            return Err(Error::Parameter {
                name: "the voxel spacing in mm",
                value,
                allowed: "0.05 to 10: check the image's unit",
            });
        }
        if let Some(value) = self.fwhm_mm.into_iter().flatten().find(|fwhm| !FWHM_MM.contains(fwhm)) {
            return Err(Error::Parameter { name: "fwhm_mm", value, allowed: "0.1 to 10" });
        }
        let positive = |name, value: f64| {
            if value.is_finite() && value > 0.0 {
                Ok(())
            } else {
                Err(Error::Parameter { name, value, allowed: "positive and finite" })
            }
        };
        for end in self.roi_mm.into_iter().flatten().flatten() {
            if !end.is_finite() {
                return Err(Error::Parameter { name: "roi_mm", value: end, allowed: "finite" });
            }
        }
        positive("thinnest_mm", self.thinnest_mm)?;
        positive("largest_opening_mm", self.largest_opening_mm)
    }
}
