//! Noise by place: the middle of a head, seen through more bone, is noisier than its rim.

use super::noise::SOFT_HU;
use crate::grid::unravel;
use crate::{Grid, Voxel};
use ndarray::ArrayRef3;
use rayon::prelude::*;
use std::ops::Range;

/// Noise is looked at in blocks of about this edge.
const BLOCK_MM: f64 = 10.0;
/// A voxel is compared with the mean of those so many voxels before, behind and beside it in its slice: what changes
/// slowly does not count, and what neighbours share does.
const APART: usize = 2;
/// Soft tissue has this mean, HU: the blurred edges of bone and air have not.
const MEAN_HU: Range<f32> = -150.0..200.0;
/// About so many voxels of a block say all, every second of some rows; fewer than the least say nothing.
const SAMPLES: usize = 1000;
const LEAST_SAMPLES: usize = 50;
/// Structure makes differences larger; so large are those of noise, as a share of all, and of all blocks.
const SHARE: usize = 3;
const CALM_SHARE: usize = 4;
/// Nowhere is the noise thought to differ by more than this factor from the scan's.
const FARTHEST: f32 = 2.5;

/// A scan's noise in blocks, even in between.
pub(in crate::thin_bone) struct LocalNoise {
    /// Voxels along each edge of a block.
    edge: [usize; 3],
    blocks: [usize; 3],
    hu: Vec<f32>,
    /// The voxel of the scan that is asked for as (0, 0, 0).
    first: [usize; 3],
}

impl LocalNoise {
    /// How the noise varies about `noise_hu`, that of the scan's calm soft tissue.
    pub(in crate::thin_bone) fn new<T: Voxel>(ct: &ArrayRef3<T>, grid: &Grid, noise_hu: f64) -> Self {
        let size = grid.size();
        let edge = grid.spacing_mm().map(|s| ((BLOCK_MM / s).round() as usize).max(1));
        let blocks = [0, 1, 2].map(|a| size[a].div_ceil(edge[a]));
        let difference = |k| {
            let block = unravel(k, blocks);
            difference(ct, [0, 1, 2].map(|a| block[a] * edge[a]..((block[a] + 1) * edge[a]).min(size[a])))
        };
        let mut seen: Vec<Option<f32>> = (0..blocks.iter().product()).into_par_iter().map(difference).collect();
        let mut calm: Vec<f32> = seen.iter().copied().flatten().filter(|d| *d > 0.0).collect();
        calm.sort_unstable_by(f32::total_cmp);
        let noise_hu = noise_hu as f32;
        let usual = calm.get(calm.len() / CALM_SHARE).copied();
        for s in &mut seen {
            *s = s.zip(usual).map(|(s, usual)| noise_hu * (s / usual).clamp(1.0 / FARTHEST, FARTHEST));
        }
        Self { edge, blocks, hu: spread(seen, blocks, noise_hu), first: [0; 3] }
    }

    /// The same for the part of the scan that starts at a voxel.
    pub(in crate::thin_bone) fn counted_from(self, first: [usize; 3]) -> Self {
        Self { first, ..self }
    }

    /// Standard deviation at a voxel (x, y, z), HU.
    pub(in crate::thin_bone) fn at(&self, voxel: [usize; 3]) -> f32 {
        let (mut low, mut above) = (0, [0.0; 3]);
        let stride = [1, self.blocks[0], self.blocks[0] * self.blocks[1]];
        for a in 0..3 {
            let place = ((self.first[a] + voxel[a]) as f32 + 0.5) / self.edge[a] as f32 - 0.5;
            let place = place.clamp(0.0, (self.blocks[a] - 1) as f32);
            let block = (place as usize).min(self.blocks[a].saturating_sub(2));
            above[a] = place - block as f32;
            low += block * stride[a];
        }
        let corner = |corner: usize| {
            let is_above = |a: usize| corner >> a & 1 == 1;
            let weight: f32 = (0..3).map(|a| if is_above(a) { above[a] } else { 1.0 - above[a] }).product();
            let k = low + (0..3).filter(|&a| is_above(a)).map(|a| stride[a]).sum::<usize>();
            if weight > 0.0 { weight * self.hu[k] } else { 0.0 }
        };
        (0..8).map(corner).sum()
    }

    /// Where it is least, HU.
    pub(in crate::thin_bone) fn least(&self) -> f32 {
        self.hu.iter().copied().fold(f32::INFINITY, f32::min)
    }
}

/// How much the voxels of a box's soft tissue differ from those around them; `None` where there is hardly any.
fn difference<T: Voxel>(ct: &ArrayRef3<T>, [xs, ys, zs]: [Range<usize>; 3]) -> Option<f32> {
    let (_, ny, nx) = ct.dim();
    let within = |range: Range<usize>, n: usize| range.start.max(APART)..range.end.min(n.saturating_sub(APART));
    let (xs, ys) = (within(xs, nx), within(ys, ny));
    let every = (xs.len() * ys.len() * zs.len() / (2 * SAMPLES)).max(1);
    let soft = SOFT_HU.start as f32..SOFT_HU.end as f32;
    let mut found = Vec::new();
    for (y, z) in zs.flat_map(|z| ys.clone().map(move |y| (y, z))).step_by(every) {
        for x in xs.clone().step_by(2) {
            let around = [[x - APART, y], [x + APART, y], [x, y - APART], [x, y + APART]];
            let [here, a, b, c, d] =
                [[x, y], around[0], around[1], around[2], around[3]].map(|[x, y]| ct[[z, y, x]].to_f32());
            let mean = 0.25 * (a + b + c + d);
            if [here, a, b, c, d].iter().all(|v| soft.contains(v)) && MEAN_HU.contains(&mean) {
                found.push((here - mean).abs());
            }
        }
    }
    let rank = found.len() / SHARE;
    (found.len() >= LEAST_SAMPLES).then(|| *found.select_nth_unstable_by(rank, f32::total_cmp).1)
}

/// Evens the blocks out a little, and gives those that say nothing what those around them say, layer by layer.
fn spread(mut seen: Vec<Option<f32>>, blocks: [usize; 3], otherwise: f32) -> Vec<f32> {
    let mean = |of: &[Option<f32>], k: usize| {
        let at = unravel(k, blocks);
        let [xs, ys, zs] = [0, 1, 2].map(|a| at[a].saturating_sub(1)..(at[a] + 2).min(blocks[a]));
        let rows = zs.flat_map(|z| ys.clone().map(move |y| (z * blocks[1] + y) * blocks[0]));
        let around = rows.flat_map(|row| xs.clone().filter_map(move |x| of[row + x]));
        let (sum, count) = around.fold((0.0, 0.0), |(sum, count), v| (sum + v, count + 1.0));
        (count > 0.0).then(|| sum / count)
    };
    seen = (0..seen.len()).map(|k| seen[k].and_then(|_| mean(&seen, k))).collect();
    while seen.iter().any(Option::is_none) && seen.iter().any(Option::is_some) {
        seen = (0..seen.len()).map(|k| seen[k].or_else(|| mean(&seen, k))).collect();
    }
    seen.into_iter().map(|v| v.unwrap_or(otherwise)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array3;

    /// Soft tissue whose noise doubles from one face to the other, a plate of bone through it, and air around.
    fn scan(noise_hu: impl Fn([usize; 3]) -> f64) -> (Array3<i16>, Grid) {
        let grid = Grid::axis_aligned([120, 100, 50], [0.5, 0.6, 1.0]).unwrap();
        let mut state = 5_u64;
        let mut uniform = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
        };
        let ct = Array3::from_shape_fn(grid.shape(), |(z, y, x)| {
            let normal = (-2.0 * uniform().ln()).sqrt() * (std::f64::consts::TAU * uniform()).cos();
            let hu = match y {
                0..30 => -1000.0,
                60..64 => 1200.0,
                _ => 40.0,
            };
            (hu + noise_hu([x, y, z]) * normal).round() as i16
        });
        (ct, grid)
    }

    #[test]
    fn noise_is_known_where_it_is_beside_bone_and_in_the_air() {
        let noise_hu = |[x, ..]: [usize; 3]| 30.0 * (1.0 + x as f64 / 119.0);
        let (ct, grid) = scan(noise_hu);
        // a quarter of the blocks are calmer
        let local = LocalNoise::new(&ct, &grid, 37.5);
        for at in [[10, 50, 5], [60, 45, 25], [110, 90, 45], [100, 62, 30], [20, 10, 30]] {
            let (found, true_hu) = (f64::from(local.at(at)), noise_hu(at));
            assert!((found / true_hu - 1.0).abs() < 0.15, "{found} of {true_hu} at {at:?}");
        }
        let first = [40, 20, 10];
        let found = local.at([100, 62, 30]);
        assert_eq!(local.counted_from(first).at([60, 42, 20]).to_bits(), found.to_bits());
    }

    #[test]
    fn without_soft_tissue_it_is_the_scans() {
        let (mut ct, grid) = scan(|_| 10.0);
        ct.fill(-1000);
        let local = LocalNoise::new(&ct, &grid, 25.0);
        assert!((local.at([60, 60, 20]) - 25.0).abs() < 1e-4 && (local.least() - 25.0).abs() < 1e-4);
    }
}
