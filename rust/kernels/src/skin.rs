//! The solid head from any MR or CT: no noise, ghost, table or inner holes; ears and nose kept.
//!
//! 1. Tissue is what is brighter than the background can be (`background`).
//! 2. What only touches the head is cut off (`cut`).
//! 3. Openings are sealed and all that the skin encloses is filled (`seal`).
//! 4. In MR the surface is put at half of the skin's own brightness (`edge`).
//!
//! Steps 2 and 3 work on blocks of about a millimetre, the others on the image's own voxels.

mod background;
mod cut;
mod edge;
mod histogram;
mod seal;
mod tubes;
mod vertex;

use crate::bits::Bits;
use crate::components::{Connectivity, Labelled};
use crate::grid::SLACK;
use crate::{Error, Grid, Job, Result, Voxel};
use background::STRONG;
use ndarray::ArrayRef3;

/// What kind of image it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Modality {
    /// Found from the intensities.
    #[default]
    Auto,
    /// Computed tomography: air near −1000 HU, or the same with another offset.
    Ct,
    /// Magnetic resonance: air near zero.
    Mr,
}

/// How the head is found. The default needs no touch.
#[derive(Debug, Clone, PartialEq)]
pub struct Params {
    /// What kind of image it is.
    pub modality: Modality,
    /// Lowest intensity of tissue, in image units; found from the image where `None`.
    pub threshold: Option<f64>,
    /// Openings (nostrils, ear canals, mouth) up to this diameter are sealed.
    pub opening_mm: f64,
    /// Leave the air spaces that reach the outside open instead of filling them.
    pub keep_airways: bool,
}

impl Default for Params {
    fn default() -> Self {
        Self { modality: Modality::Auto, threshold: None, opening_mm: 8.0, keep_airways: false }
    }
}

/// What was found on the way.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// What kind of image it was taken for.
    pub modality: Modality,
    /// Lowest intensity of tissue, in image units.
    pub threshold: f64,
    /// Standard deviation of the background's noise, in image units.
    pub noise: f64,
    /// Volume of the head.
    pub volume_ml: f64,
    /// Volume of what was cut off: table, holder, tubes, ghosts.
    pub cut_off_ml: f64,
    /// Faces of the volume that the head touches, as the nearest of R, L, A, P, S and I.
    pub touched_faces: Vec<char>,
    /// What the user should know about the result.
    pub warnings: Vec<String>,
}

/// Blocks of voxels that stay below this edge are worked on as one where only shape matters.
const BLOCK_MM: f64 = 1.2;
/// How deep the outside reaches into gaps narrower than the opening, so that folds around the ears stay open.
const CREVICE_MM: f64 = 2.0;
/// A head as a whole is larger, but a newborn's.
const WHOLE_HEAD_ML: f64 = 2000.0;
/// Hardly a part of a head.
const SCRAP_ML: f64 = 200.0;

/// Sets `out` to 1 in the solid head and to 0 elsewhere.
///
/// Where the image shows no whole head, the result is the outline of what there is, and the report's warnings say so.
/// Needs three bytes a voxel, of which `out` is one.
///
/// # Errors
/// [`Error::SizeMismatch`], [`Error::Sheared`], [`Error::NotFinite`], [`Error::Constant`], [`Error::Parameter`],
/// [`Error::Empty`] where nothing reaches the given threshold, [`Error::Cancelled`].
pub fn skin<T: Voxel>(
    image: &ArrayRef3<T>,
    grid: &Grid,
    params: &Params,
    out: &mut ArrayRef3<u8>,
    job: &Job,
) -> Result<Report> {
    grid.check_shape("image", image.dim())?;
    grid.check_shape("output", out.dim())?;
    grid.check_orthogonal()?;
    let opening_mm = params.opening_mm;
    if !(0.0..=100.0).contains(&opening_mm) {
        return Err(Error::Parameter { name: "opening_mm", value: opening_mm, allowed: "0 to 100" });
    }
    if let Some(value) = params.threshold.filter(|t| !t.is_finite()) {
        return Err(Error::Parameter { name: "threshold", value, allowed: "finite" });
    }

    let background = background::measure(image, grid, params, &job.part(0.0, 0.15))?;
    let tissue = background.at_least(background.tissue, STRONG, image, grid, &job.part(0.15, 0.25))?;
    if !tissue.any() {
        return Err(Error::Empty { what: "tissue at or above the threshold" });
    }

    let factor = grid.spacing_mm().map(|s| whole_times(BLOCK_MM, s).max(1));
    // Where voxels were taken together, the image decides on the outermost blocks.
    let blocks = factor.map(|n| n > 1);
    let coarse = coarser(grid, factor)?;
    let coarse_tissue = tissue.shrunk(factor);
    let at_least = |level| Ok(background.at_least(level, STRONG, image, grid, &job.part(0.25, 0.3))?.shrunk(factor));
    let firm = at_least(background.firm)?;
    let dense = background.dense.map(at_least).transpose()?;
    let head =
        cut::cut(&coarse_tissue, firm, dense.as_ref(), &coarse, background.modality, opening_mm, &job.part(0.3, 0.7))?;
    let cut_off = coarse_tissue.and_not(&head).widened_along(blocks).and_not(&head);
    let kept = tissue.clone().and_not(&cut_off.grown(factor, grid.size()));
    let crevice = [0, 1, 2].map(|a| {
        let voxels = whole_times(CREVICE_MM, coarse.spacing_mm()[a]);
        voxels.saturating_sub(usize::from(blocks[a]))
    });
    let sealed = seal::sealed(&head, &coarse, opening_mm, crevice, &job.part(0.7, 0.85))?;
    let inside = sealed.not().widened_along(blocks).not().grown(factor, grid.size());
    let mut solid = seal::one_part(&inside.or(&kept), grid, &job.part(0.85, 0.9))?;
    if background.modality == Modality::Mr && params.threshold.is_none() {
        solid = edge::refined(&solid, &kept, image, grid, &background, &job.part(0.9, 0.98))?;
    }
    let ml = |bits: &Bits| voxels_ml(bits, grid);
    let cut_off_ml = ml(&tissue) - ml(&kept);
    if params.keep_airways {
        solid = without_airways(&solid, &kept, grid, &job.part(0.98, 1.0))?;
    }
    solid.write_to(out);
    job.steps(1).step()?;

    let (volume_ml, touched_faces) = (ml(&solid), touched_faces(&solid, grid));
    let mut warnings = background.warnings.clone();
    if volume_ml < SCRAP_ML {
        warnings.push(format!("only {volume_ml:.0} mL were found: is there a head in the image?"));
    } else if volume_ml < WHOLE_HEAD_ML && touched_faces.is_empty() {
        warnings.push(format!(
            "{volume_ml:.0} mL is less than a head: a newborn's, or one stripped of its skin? \
             The outline is that of what the image shows"
        ));
    }
    if volume_ml > 0.98 * grid.voxels() as f64 * grid.voxel_mm3() / 1000.0 {
        warnings.push("the head fills the image: no background was found, and so no skin".to_owned());
    }
    Ok(Report {
        modality: background.modality,
        threshold: background.tissue,
        noise: background.noise,
        volume_ml,
        cut_off_ml,
        touched_faces,
        warnings,
    })
}

/// How many times a spacing fits into a length; as often if it has been rounded to single precision.
fn whole_times(length_mm: f64, spacing_mm: f64) -> usize {
    (length_mm / spacing_mm * (1.0 + SLACK)) as usize
}

fn coarser(grid: &Grid, factor: [usize; 3]) -> Result<Grid> {
    let size = [0, 1, 2].map(|a| grid.size()[a].div_ceil(factor[a]));
    let spacing_mm = [0, 1, 2].map(|a| grid.spacing_mm()[a] * factor[a] as f64);
    Grid::new(size, spacing_mm, grid.axes(), grid.origin_mm())
}

fn voxels_ml(bits: &Bits, grid: &Grid) -> f64 {
    bits.count() as f64 * grid.voxel_mm3() / 1000.0
}

/// The head less the air that a path without tissue joins to the outside.
fn without_airways(solid: &Bits, tissue: &Bits, grid: &Grid, job: &Job) -> Result<Bits> {
    let air = Labelled::new(&tissue.clone().not(), grid, Connectivity::Six, &job.part(0.0, 0.5))?;
    let outside = air.shared_with(&solid.clone().not());
    let open = air.select(|i| outside[i] > 0);
    seal::largest(&solid.clone().and_not(&open), grid, &job.part(0.5, 1.0))
}

fn touched_faces(solid: &Bits, grid: &Grid) -> Vec<char> {
    let mut faces = Vec::new();
    for (axis, direction) in grid.axes().into_iter().enumerate() {
        let counts = solid.counts_along(axis);
        let nearest = (0..3).max_by(|&a, &b| direction[a].abs().total_cmp(&direction[b].abs())).expect("three axes");
        let [mut low, mut high] = [['L', 'R'], ['P', 'A'], ['I', 'S']][nearest];
        if direction[nearest] < 0.0 {
            std::mem::swap(&mut low, &mut high);
        }
        let ends = [(low, counts[0]), (high, counts[counts.len() - 1])];
        faces.extend(ends.into_iter().filter_map(|(face, voxels)| (voxels > 0).then_some(face)));
    }
    faces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spacing_in_single_precision_fits_as_often() {
        for (spacing_mm, times) in [(0.6, 2), (0.4, 3), (0.3, 4), (0.7, 1), (1.2, 1), (1.3, 0)] {
            assert_eq!(whole_times(1.2, spacing_mm), times);
            assert_eq!(whole_times(1.2, f64::from(spacing_mm as f32)), times);
        }
    }
}
