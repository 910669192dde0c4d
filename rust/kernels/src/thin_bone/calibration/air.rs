//! What is recorded where there is air.

use crate::Voxel;
use crate::thin_bone::psf::normal_cdf;
use ndarray::ArrayRef3;

/// About so many voxels are looked at.
const SAMPLES: usize = 2_000_000;

/// HU of air and the value below which nothing is recorded.
pub(super) fn air<T: Voxel>(ct: &ArrayRef3<T>) -> (f64, f64) {
    let stride = (ct.len() / SAMPLES).max(1);
    let mut low: Vec<f32> =
        ct.iter().step_by(stride).map(|v| v.to_f32()).filter(|v| (-1100.0..-850.0).contains(v)).collect();
    if low.len() < 500 {
        return (-1000.0, f64::NEG_INFINITY);
    }
    let middle = low.len() / 2;
    let median = f64::from(*low.select_nth_unstable_by(middle, f32::total_cmp).1);
    let least = low.iter().copied().fold(f32::INFINITY, f32::min);
    let cut = low.iter().filter(|&&v| v <= least + 0.5).count();
    let is_cut = cut * 200 > low.len() && median > f64::from(least);
    (median, if is_cut { f64::from(least) } else { f64::NEG_INFINITY })
}

/// Values below `floor` were cut off.
#[derive(Debug, Clone, Copy)]
pub(super) struct Censor {
    pub(super) floor: f64,
    pub(super) noise: f64,
}

impl Censor {
    /// The mean of a value around `mean` once it has been cut off at the floor.
    pub(super) fn mean(self, mean: f64) -> f64 {
        let sd = self.noise.max(1.0);
        let z = (mean - self.floor) / sd;
        if z > 6.0 {
            return mean;
        }
        let density = (-0.5 * z * z).exp() / (std::f64::consts::TAU).sqrt();
        self.floor + (mean - self.floor) * normal_cdf(z) + sd * density
    }
}
