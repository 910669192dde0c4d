//! Which intensities are black and which white.

use ndarray::ArrayRef3;
use skull_kernels::Voxel;

/// A display window: intensities from `low` (black) to `high` (white).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window {
    /// Shown black, as is all below.
    pub low: f64,
    /// Shown white, as is all above.
    pub high: f64,
}

/// How many voxels are looked at to choose a window.
const SAMPLES: usize = 200_000;

impl Window {
    /// CT in Hounsfield units: air black, soft tissues told apart from fat, cortical bone white, and bone
    /// thinned by partial volume still bright.
    pub const CT: Self = Self { low: -500.0, high: 1000.0 };

    /// A window for an image: [`CT`](Self::CT) if it looks like Hounsfield units, else from the darkest
    /// percent of all voxels to the brightest half percent of those in the region.
    #[must_use]
    pub fn of<T: Voxel>(image: &ArrayRef3<T>, region: Option<&ArrayRef3<u8>>) -> Self {
        let all = sample(image, None);
        let at = |values: &[f64], share: f64| {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
            let place = (share * (values.len().max(1) - 1) as f64).round() as usize;
            values.get(place).copied().unwrap_or(0.0)
        };
        if is_hounsfield(&all) {
            return Self::CT;
        }
        let inside = region.map(|mask| sample(image, Some(mask))).filter(|values| !values.is_empty());
        let low = at(&all, 0.01);
        let high = at(inside.as_ref().unwrap_or(&all), 0.995);
        if high > low { Self { low, high } } else { Self { low: low - 0.5, high: low + 0.5 } }
    }

    /// Brightness of an intensity, 0 to 1; NaN is black.
    pub(crate) fn grey(&self, value: f64) -> f32 {
        let share = (value - self.low) / (self.high - self.low);
        if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) as f32 }
    }
}

/// Air near -1000 and soft tissue near 0: no other kind of image has both.
fn is_hounsfield(sorted: &[f64]) -> bool {
    let share = |from: f64, to: f64| {
        let below = |bound: f64| sorted.partition_point(|&v| v < bound);
        (below(to) - below(from)) as f64 / sorted.len().max(1) as f64
    };
    share(-3100.0, -700.0) > 0.03 && share(-200.0, 300.0) > 0.03
}

/// The finite intensities of an even choice of voxels, in order.
fn sample<T: Voxel>(image: &ArrayRef3<T>, region: Option<&ArrayRef3<u8>>) -> Vec<f64> {
    // A stride that is prime to the usual row lengths visits all columns.
    let stride = (image.len() / SAMPLES).max(1) | 1;
    let chosen = |value: &T| Some(value.to_f64()).filter(|v| v.is_finite());
    let mut values: Vec<f64> = match (image.as_slice(), region.and_then(|mask| mask.as_slice())) {
        (Some(voxels), None) => voxels.iter().step_by(stride).filter_map(chosen).collect(),
        (Some(voxels), Some(mask)) => {
            let pairs = voxels.iter().zip(mask).step_by(stride);
            pairs.filter(|(_, m)| **m != 0).filter_map(|(v, _)| chosen(v)).collect()
        }
        (None, _) => image.iter().step_by(stride).filter_map(chosen).collect(),
    };
    values.sort_unstable_by(f64::total_cmp);
    values
}
