//! The solid head from any MR or CT.

use crate::{Grid, Job, Result, Voxel};
use ndarray::ArrayRef3;

/// What is measured in, unless told otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Modality {
    /// Found from the intensities.
    #[default]
    Auto,
    /// Computed tomography: air near −1000 HU (or the same with another offset).
    Ct,
    /// Magnetic resonance: air near zero.
    Mr,
}

/// How the head is found. The default needs no touch.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Params {
    /// What kind of image it is.
    pub modality: Modality,
    /// Lowest intensity of tissue, in image units; found from the image where `None`.
    pub threshold: Option<f64>,
    /// Openings (nostrils, ear canals, mouth) up to this diameter are sealed.
    pub opening_mm: f64,
    /// Keep the air spaces that reach the outside open instead of filling them.
    pub keep_airways: bool,
}

impl Default for Params {
    fn default() -> Self {
        Self { modality: Modality::Auto, threshold: None, opening_mm: 8.0, keep_airways: false }
    }
}

/// What was found on the way.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Report {
    /// What kind of image it was taken for.
    pub modality: Modality,
    /// Lowest intensity of tissue, in image units.
    pub threshold: f64,
    /// Standard deviation of the background's noise, in image units.
    pub noise: f64,
    /// Volume of the head.
    pub volume_ml: f64,
    /// Volume of what was cut off: table, holder, tubes.
    pub cut_off_ml: f64,
    /// Faces of the volume that the head touches: R, L, A, P, S, I.
    pub touched_faces: Vec<char>,
    /// What the user should know about the result.
    pub warnings: Vec<String>,
}

/// Sets `out` to 1 in the solid head and to 0 elsewhere.
///
/// # Errors
/// [`crate::Error::SizeMismatch`], [`crate::Error::Sheared`], [`crate::Error::NotFinite`],
/// [`crate::Error::Constant`], [`crate::Error::Parameter`], [`crate::Error::Cancelled`].
pub fn skin<T: Voxel>(
    image: &ArrayRef3<T>,
    grid: &Grid,
    params: &Params,
    out: &mut ArrayRef3<u8>,
    job: &Job,
) -> Result<Report> {
    let _ = (image, grid, params, out, job);
    todo!("the next commits")
}
