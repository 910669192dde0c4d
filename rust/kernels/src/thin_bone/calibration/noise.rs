//! Noise in soft tissue.

use crate::Voxel;
use ndarray::ArrayRef3;
use rayon::prelude::*;

/// Noise is looked at in blocks that reach so many voxels along x, y and z from their middle.
const REACH: [usize; 3] = [4, 4, 2];
const SIZE: [usize; 3] = [2 * REACH[0] + 1, 2 * REACH[1] + 1, 2 * REACH[2] + 1];
/// All of them soft tissue, HU.
pub(super) const SOFT_HU: std::ops::Range<f64> = -350.0..350.0;
/// About so many blocks.
const BLOCKS: usize = 20_000;
/// What is taken where hardly any block is soft tissue.
const DEFAULT: Noise = Noise { hu: 30.0, voxels: 2.0 };

/// Noise in homogeneous soft tissue.
#[derive(Debug, Clone, Copy)]
pub(in crate::thin_bone) struct Noise {
    /// Standard deviation.
    pub(in crate::thin_bone) hu: f64,
    /// Voxels that share one independent value: product of the sums of the autocorrelation along the three axes.
    pub(in crate::thin_bone) voxels: f64,
}

/// The noise of a scan's homogeneous soft tissue.
pub(in crate::thin_bone) fn noise<T: Voxel>(ct: &ArrayRef3<T>) -> Noise {
    let (nz, ny, nx) = ct.dim();
    let starts = |n: usize, a: usize| (0..n.saturating_sub(SIZE[a])).step_by(SIZE[a]);
    let blocks: Vec<[usize; 3]> =
        starts(nz, 2).flat_map(|z| starts(ny, 1).flat_map(move |y| starts(nx, 0).map(move |x| [x, y, z]))).collect();
    let stride = (blocks.len() / BLOCKS).max(1);
    let mut found: Vec<[f64; 4]> =
        blocks.par_iter().step_by(stride).filter_map(|&low| correlation(&detrended(ct, low)?)).collect();
    if found.len() < 8 {
        return DEFAULT;
    }
    // Structure only adds variance: the calmer blocks are the noise.
    found.sort_by(|a, b| a[0].total_cmp(&b[0]));
    let calm = &found[..found.len().div_ceil(2)];
    let middle = |i: usize| {
        let mut v: Vec<f64> = calm.iter().map(|b| b[i]).collect();
        v.sort_by(f64::total_cmp);
        v[v.len() / 2]
    };
    Noise { hu: middle(0).sqrt().max(1.0), voxels: middle(1) * middle(2) * middle(3) }
}

/// Places in a block, x fastest.
fn places() -> impl Iterator<Item = [usize; 3]> {
    (0..SIZE[2]).flat_map(|z| (0..SIZE[1]).flat_map(move |y| (0..SIZE[0]).map(move |x| [x, y, z])))
}

fn index([x, y, z]: [usize; 3]) -> usize {
    (z * SIZE[1] + y) * SIZE[0] + x
}

/// The values of a block of soft tissue without their mean and slope, so that gradients are not noise.
fn detrended<T: Voxel>(ct: &ArrayRef3<T>, low: [usize; 3]) -> Option<Vec<f64>> {
    let mut values = Vec::with_capacity(SIZE.iter().product());
    for i in places() {
        let [x, y, z] = [0, 1, 2].map(|a| low[a] + i[a]);
        values.push(Some(ct[[z, y, x]].to_f64()).filter(|v| SOFT_HU.contains(v))?);
    }
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let centred = |i: [usize; 3]| [0, 1, 2].map(|a| i[a] as f64 - REACH[a] as f64);
    let (mut slope, mut spread) = ([0.0; 3], [0.0; 3]);
    for (i, v) in places().zip(&values) {
        for (a, c) in centred(i).into_iter().enumerate() {
            slope[a] += c * (v - mean);
            spread[a] += c * c;
        }
    }
    for (i, v) in places().zip(&mut values) {
        let c = centred(i);
        *v -= mean + (0..3).map(|a| c[a] * slope[a] / spread[a]).sum::<f64>();
    }
    Some(values)
}

/// Variance of a block, and how many voxels along each axis share one independent value.
fn correlation(values: &[f64]) -> Option<[f64; 4]> {
    let n = values.len() as f64;
    let variance = values.iter().map(|v| v * v).sum::<f64>() / (n - 4.0);
    let length = [0, 1, 2].map(|a| {
        let share = |lag: usize| {
            let pairs = n * (SIZE[a] - lag) as f64 / SIZE[a] as f64;
            let mut to = [0; 3];
            to[a] = lag;
            let rows = (to[2]..SIZE[2]).flat_map(|z| (to[1]..SIZE[1]).map(move |y| [z, y]));
            let product = |[z, y]: [usize; 2]| -> f64 {
                let ahead = &values[index([0, y, z])..][to[0]..SIZE[0]];
                let near = &values[index([0, y - to[1], z - to[2]])..];
                ahead.iter().zip(near).map(|(v, w)| v * w).sum()
            };
            (rows.map(product).sum::<f64>() / pairs / variance).clamp(0.0, 1.0)
        };
        1.0 + 2.0 * (share(1) + share(2))
    });
    (variance > 0.0).then(|| [variance, length[0], length[1], length[2]])
}
