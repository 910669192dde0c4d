//! What lies between brighter bone: sutures and other gaps, and canals.

use super::measure::Scale;
use super::psf::FWHM_PER_SIGMA;
use crate::Voxel;
use crate::grid::{ravel, step_in_block};
use ndarray::ArrayRef3;

/// HU of soft tissue, at most.
pub(super) const SOFT_HU: f64 = 50.0;
/// The walls of a canal that blur closes are no farther from its middle than this, in widths of the blur.
const CANAL_BLURS: f64 = 1.3;
/// Bone is no brighter than this, in densities of thin bone.
const BRIGHTEST: f64 = 1.3;

/// The ways from a voxel to its 26 neighbours and on, each with the opposite one.
pub(super) struct Gaps {
    ways: [Way; 13],
    /// The ways across each of them that has four; a corner's has three, which an oblique layer may all leave.
    across: Vec<Vec<usize>>,
    bone_hu: f64,
}

struct Way {
    offset: [isize; 3],
    /// How many of it are as long as the blur is wide.
    per_blur: f64,
}

impl Gaps {
    /// For a blur, and walls of a density.
    pub(super) fn new(scale: &Scale) -> Self {
        let ways: [Way; 13] = std::array::from_fn(|k| {
            let offset = step_in_block(k);
            let mm = [0, 1, 2].map(|a| offset[a] as f64 * scale.spacing_mm[a]);
            let square: f64 = mm.iter().map(|c| c * c).sum();
            let sigma = scale.psf.along(mm[2] * mm[2] / square).sigma;
            Way { offset, per_blur: FWHM_PER_SIGMA * sigma / square.sqrt() }
        });
        let across = (0..13).map(|k| {
            let product = |j: usize| (0..3).map(|a| ways[k].offset[a] * ways[j].offset[a]).sum::<isize>();
            (0..13).filter(|&j| product(j) == 0).collect::<Vec<_>>()
        });
        let across = across.filter(|across| across.len() == 4).collect();
        Self { ways, across, bone_hu: scale.bone_hu }
    }

    /// Whether a voxel has less than half the height of what lies on both of its sides within the blur, and that is bone
    /// brighter than at its edges.
    pub(super) fn is_gap<T: Voxel>(&self, ct: &ArrayRef3<T>, at: [usize; 3]) -> bool {
        let limit_hu = self.limit_hu(ct, at);
        self.ways.iter().any(|way| is_between(ct, at, way, (way.per_blur as isize).max(1), limit_hu))
    }

    /// Whether it has less than half the height of the bone on all sides across a way: blur closes a canal there.
    pub(super) fn is_canal<T: Voxel>(&self, ct: &ArrayRef3<T>, at: [usize; 3]) -> bool {
        let limit_hu = self.limit_hu(ct, at);
        let mut known = [None; 13];
        let mut is_between = |k: usize| {
            let way = &self.ways[k];
            let reach = (CANAL_BLURS * way.per_blur).ceil() as isize;
            *known[k].get_or_insert_with(|| is_between(ct, at, way, reach, limit_hu))
        };
        limit_hu <= BRIGHTEST * self.bone_hu && self.across.iter().any(|ways| ways.iter().all(|&k| is_between(k)))
    }

    /// Twice the height of a voxel, but not less than bone has at its edges.
    fn limit_hu<T: Voxel>(&self, ct: &ArrayRef3<T>, [x, y, z]: [usize; 3]) -> f64 {
        (SOFT_HU + 2.0 * (ct[[z, y, x]].to_f64() - SOFT_HU)).max(0.5 * self.bone_hu)
    }
}

/// Whether so many voxels along a way or less, on both sides, there is something brighter than a limit.
fn is_between<T: Voxel>(ct: &ArrayRef3<T>, at: [usize; 3], way: &Way, reach: isize, limit_hu: f64) -> bool {
    let (nz, ny, nx) = ct.dim();
    let size = [nx, ny, nz];
    let is_inside = (0..3).all(|a| at[a] >= reach as usize && at[a] + (reach as usize) < size[a]);
    if let (true, Some(ct)) = (is_inside, ct.as_slice()) {
        let [x, y, z] = way.offset;
        let step = x + nx as isize * (y + ny as isize * z);
        let here = ravel(at, size);
        return on_both_sides(reach, |steps| ct[here.wrapping_add_signed(steps * step)].to_f64() > limit_hu);
    }
    on_both_sides(reach, |steps| {
        let to = |a: usize| at[a].saturating_add_signed(steps * way.offset[a]).min(size[a] - 1);
        ct[[to(2), to(1), to(0)]].to_f64() > limit_hu
    })
}

fn on_both_sides(reach: isize, is_there: impl Fn(isize) -> bool) -> bool {
    (1..=reach).any(&is_there) && (1..=reach).any(|steps| is_there(-steps))
}

#[cfg(test)]
mod tests {
    use super::super::psf::Psf;
    use super::*;
    use ndarray::Array3;

    const BONE_HU: i16 = 1100;

    fn gaps() -> Gaps {
        let scale = Scale::usual(Psf::gaussian(0.8, 0.8), [0.5, 0.5, 0.6]);
        Gaps::new(&Scale { bone_hu: f64::from(BONE_HU), ..scale })
    }

    /// Bone with a medium of some HU where that is.
    fn bone_around(hu: i16, is_medium: impl Fn([usize; 3]) -> bool) -> Array3<i16> {
        Array3::from_shape_fn((11, 11, 11), |(z, y, x)| if is_medium([x, y, z]) { hu } else { BONE_HU })
    }

    #[test]
    fn a_canal_is_dark_on_all_sides_across_it_and_a_gap_on_two() {
        let middle = [5, 5, 5];
        let canals: [fn([usize; 3]) -> bool; 3] =
            [|[_, y, z]| y == 5 && z == 5, |[x, y, z]| x == y && z == 5, |[x, y, z]| x == y && y == z];
        for is_canal in canals {
            assert!(gaps().is_canal(&bone_around(400, is_canal), middle));
            assert!(!gaps().is_canal(&bone_around(700, is_canal), middle), "not half as bright");
        }
        let layers: [fn([usize; 3]) -> bool; 3] = [|[x, _, _]| x == 5, |[x, y, _]| x == y, |[.., z]| z == 5];
        for is_layer in layers {
            let layer = bone_around(400, is_layer);
            assert!(gaps().is_gap(&layer, middle) && !gaps().is_canal(&layer, middle));
        }
        let edge = bone_around(40, |[x, ..]| x > 5);
        assert!(!gaps().is_gap(&edge, [6, 5, 5]) && !gaps().is_canal(&edge, [6, 5, 5]));
    }
}
