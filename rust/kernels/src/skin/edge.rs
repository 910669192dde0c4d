//! Put the skin where the image rises to half of the skin's own brightness.
//!
//! A threshold low enough to find all tissue in MR lies at the foot of the edge between air and skin, up to a voxel too
//! far out.

use super::background::{Background, LIGHT};
use super::seal;
use crate::bits::Bits;
use crate::grid::SLACK;
use crate::{Grid, Job, Result, Voxel};
use ndarray::ArrayRef3;

/// The foot of the edge is at most this wide, in edges of a voxel: across slices, their thickness blurs it.
const FOOT: f64 = 1.5;

/// The solid head less the faint tissue on its surface.
pub(super) fn refined<T: Voxel>(
    solid: &Bits,
    tissue: &Bits,
    image: &ArrayRef3<T>,
    grid: &Grid,
    background: &Background,
    job: &Job,
) -> Result<Bits> {
    let mut outside = solid.clone().not();
    let first = outside.widened();
    let second = first.widened().and_not(&first).and(tissue);
    let Some(skin) = background.median_in(&second, LIGHT, image, grid)? else {
        return Ok(solid.clone());
    };
    let half = 0.5 * (background.mean + skin);
    let faint = tissue.clone().and_not(&background.at_least(half, LIGHT, image, grid, &job.part(0.2, 0.8))?);
    let (thin, thick) = grid.spacing_mm().into_iter().fold((f64::INFINITY, 0.0_f64), |(a, b), s| (a.min(s), b.max(s)));
    for _ in 0..((FOOT * thick / thin * (1.0 - SLACK)).ceil() as usize) {
        job.check()?;
        let wider = outside.widened().and(&faint).or(&outside);
        if wider == outside {
            break; // Voxels that are needles or plates would go on for long.
        }
        outside = wider;
    }
    seal::one_part(&outside.not(), grid, &job.part(0.8, 1.0))
}
