//! Added bone that is none: specks, alone or around specks of noise in the base.

use super::sheets::LEAST_SHEET_MM2;
use crate::bits::Bits;
use crate::components::{Connectivity, Labelled};
use crate::{Grid, Job, Result};
use ndarray::ArrayRef3;

/// Clears what was added in parts of all bone, `full`, that are smaller than a sheet; a speck of the `base` stays, but
/// holds nothing.
pub(super) fn clear(full: &mut ArrayRef3<u8>, base: &ArrayRef3<u8>, grid: &Grid, job: &Job) -> Result<()> {
    let parts = Labelled::new(&Bits::from_mask(full), grid, Connectivity::TwentySix, job)?;
    // as much of a sheet as a voxel covers
    let voxel_mm2 = grid.voxel_mm3().powf(2.0 / 3.0);
    let is_sheet = |k: usize| parts.components[k].voxels as f64 * voxel_mm2 >= LEAST_SHEET_MM2;
    parts.select(is_sheet).or(&Bits::from_mask(base)).write_to(full);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array3;

    #[test]
    fn sheets_and_the_base_stay_and_specks_go() {
        let grid = Grid::axis_aligned([40, 40, 20], [0.5, 0.5, 0.5]).unwrap();
        let is_base = |z: usize, y: usize, x: usize| (z < 3 && y < 9 && x > 30) || [z, y, x] == [9, 30, 30];
        let base = Array3::from_shape_fn(grid.shape(), |(z, y, x)| u8::from(is_base(z, y, x)));
        let mut expected = base.clone();
        (0..144).for_each(|k| expected[[15, k / 12, k % 12]] = 1);
        expected[[3, 5, 35]] = 1;
        let mut full = expected.clone();
        full[[10, 30, 30]] = 1;
        (20..24).for_each(|y| full[[8, y, 20]] = 1);
        clear(&mut full, &base, &grid, &Job::new()).unwrap();
        assert_eq!(full, expected);
    }
}
