//! Added bone that is none: specks that touch neither the base nor a sheet of some size.

use super::sheets::LEAST_SHEET_MM2;
use crate::bits::Bits;
use crate::components::{Connectivity, Labelled};
use crate::{Grid, Job, Result};
use ndarray::ArrayRef3;

/// Clears the parts of all bone, `full`, that hold no voxel of the `base` and are smaller than a sheet.
pub(super) fn clear(full: &mut ArrayRef3<u8>, base: &ArrayRef3<u8>, grid: &Grid, job: &Job) -> Result<()> {
    let parts = Labelled::new(&Bits::from_mask(full), grid, Connectivity::TwentySix, job)?;
    let of_base = parts.shared_with(&Bits::from_mask(base));
    // as much of a sheet as a voxel covers
    let voxel_mm2 = grid.voxel_mm3().powf(2.0 / 3.0);
    let is_sheet = |k: usize| parts.components[k].voxels as f64 * voxel_mm2 >= LEAST_SHEET_MM2;
    parts.select(|k| of_base[k] > 0 || is_sheet(k)).write_to(full);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array3;

    #[test]
    fn what_touches_the_base_or_is_a_sheet_stays() {
        let grid = Grid::axis_aligned([40, 40, 20], [0.5, 0.5, 0.5]).unwrap();
        let mut base = Array3::zeros(grid.shape());
        base[[2, 2, 2]] = 1;
        let sheet = |z: usize, y: usize, x: usize| z == 15 && y < 12 && x < 12;
        let mut full = Array3::from_shape_fn(grid.shape(), |(z, y, x)| u8::from(sheet(z, y, x)));
        full[[2, 2, 2]] = 1;
        full[[3, 3, 3]] = 1;
        (20..24).for_each(|y| full[[8, y, 20]] = 1);
        let mut expected = full.clone();
        (20..24).for_each(|y| expected[[8, y, 20]] = 0);
        clear(&mut full, &base, &grid, &Job::new()).unwrap();
        assert_eq!(full, expected);
    }
}
