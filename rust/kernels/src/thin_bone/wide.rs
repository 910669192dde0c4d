//! Openings as wide as a defect, an orbit's entrance or the foramen magnum.
//!
//! What narrows space for the eye of a voxel is looked for within a few millimetres only; here the same search is made
//! on voxels taken together, as if seen from farther away. Small holes close by that and do not disturb.

use super::openings::{self, Throat};
use crate::bits::Bits;
use crate::{Grid, Job, Result};
use ndarray::{Array3, ArrayRef3};

/// How much farther away.
const FARTHER: f64 = 4.0;
/// Voxels are taken together up to about this.
const BLOCK_MM: f64 = 1.5;

/// Finds the throats of the space outside `bone` with an area from `least_mm2` to `largest_mm2`.
pub(super) fn throats(
    bone: &ArrayRef3<u8>,
    grid: &Grid,
    least_mm2: f64,
    largest_mm2: f64,
    job: &Job,
) -> Result<Vec<Throat>> {
    let spacing = grid.spacing_mm();
    let block = spacing.map(|s| ((BLOCK_MM / s) as usize).max(1));
    let size = [0, 1, 2].map(|a| grid.size()[a].div_ceil(block[a]));
    let mut blocks = Array3::zeros((size[2], size[1], size[0]));
    Bits::from_mask(bone).coarsened(block).write_to(&mut blocks);
    let from_afar = [0, 1, 2].map(|a| spacing[a] * block[a] as f64 / FARTHER);
    let square = FARTHER * FARTHER;
    let mut found = openings::throats(&blocks, &Grid::axis_aligned(size, from_afar)?, largest_mm2 / square, job)?;
    found.retain(|throat| throat.area_mm2 * square >= least_mm2);
    for throat in &mut found {
        throat.area_mm2 *= square;
        // the middle of a block is not its first voxel
        throat.middle_mm =
            [0, 1, 2].map(|a| FARTHER * throat.middle_mm[a] + 0.5 * spacing[a] * (block[a] as f64 - 1.0));
        throat.voxels = throat
            .voxels
            .iter()
            .flat_map(|at| {
                let range = |a: usize| at[a] * block[a]..((at[a] + 1) * block[a]).min(grid.size()[a]);
                let (xs, ys) = (range(0), range(1));
                range(2).flat_map(move |z| {
                    let xs = xs.clone();
                    ys.clone().flat_map(move |y| xs.clone().map(move |x| [x, y, z]))
                })
            })
            .filter(|&[x, y, z]| bone[[z, y, x]] == 0)
            .collect();
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wide_window_in_a_plate_is_found_where_and_as_large_as_it_is() {
        let grid = Grid::axis_aligned([110, 90, 36], [0.9, 1.1, 1.5]).unwrap();
        let plate = Array3::from_shape_fn(grid.shape(), |(z, y, x)| {
            let (a, b) = ((x as f64 * 0.9 - 48.0).abs(), (y as f64 * 1.1 - 50.0).abs());
            u8::from((16..19).contains(&z) && !(a < 8.0 && b < 14.0))
        });
        let circle_mm2 = |mm: f64| std::f64::consts::PI * 0.25 * mm * mm;
        let found = throats(&plate, &grid, circle_mm2(15.0), circle_mm2(40.0), &Job::new()).unwrap();
        assert_eq!(found.len(), 1);
        let throat = &found[0];
        assert!((throat.area_mm2 / (16.0 * 28.0) - 1.0).abs() < 0.2, "{} mm2", throat.area_mm2);
        let off = [48.0, 50.0, 17.0 * 1.5].iter().zip(throat.middle_mm).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
        assert!(off.sqrt() < 3.0, "{:?}", throat.middle_mm);
        assert!(throat.axis[2].abs() > 0.95);
    }
}
