//! Whether two images lie in the same place.

use crate::report::orientation;
use anyhow::{Result, ensure};
use skull_kernels::Grid;

/// How far apart two grids' corners may be, in voxels: headers round, and programs convert a quaternion to a
/// matrix and back.
const TOLERANCE: f64 = 0.1;

/// Fails where a mask is not on the image's grid.
///
/// # Errors
/// With what differs, and what to do.
pub fn check_same_grid(mask: &Grid, image: &Grid) -> Result<()> {
    let size = |grid: &Grid| grid.size().map(|n| n.to_string()).join(" x ");
    ensure!(
        mask.size() == image.size(),
        "the mask has {} voxels, the image {}: resample the mask onto the image's grid",
        size(mask),
        size(image)
    );
    let apart_mm = corners(mask).zip(corners(image)).map(|(a, b)| distance(a, b)).fold(0.0, f64::max);
    let voxel_mm = image.spacing_mm().into_iter().fold(f64::INFINITY, f64::min);
    ensure!(
        apart_mm <= TOLERANCE * voxel_mm,
        "the mask lies elsewhere than the image, its corners are up to {apart_mm:.2} mm away (orientation {} and {}): \
         resample the mask onto the image's grid",
        orientation(mask),
        orientation(image)
    );
    Ok(())
}

fn corners(grid: &Grid) -> impl Iterator<Item = [f64; 3]> + '_ {
    #[allow(clippy::cast_precision_loss, reason = "sides are far below 2^53")]
    let last = grid.size().map(|n| (n - 1) as f64);
    (0..8).map(move |corner| grid.ras_mm([0, 1, 2].map(|axis| if corner >> axis & 1 == 1 { last[axis] } else { 0.0 })))
}

fn distance(a: [f64; 3], b: [f64; 3]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}
