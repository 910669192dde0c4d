//! A profile across a wall, sampled finer than the voxels by voxels of slightly different distance.
//!
//! The voxels around a voxel, sorted by their distance along a direction and weighted by their distance from the
//! line sideways: nothing is interpolated, so the blur is the scanner's alone. Which voxels, how far and how heavy
//! depends on the direction only.

use super::directions;
use super::linalg::{Vec3, dot, extent_mm};
use super::measure::Scale;
use super::psf::LineSpread;
use crate::Voxel;
use crate::grid::unravel;
use ndarray::ArrayRef3;

/// Greatest number of bins.
pub(super) const MOST_BINS: usize = 32;
/// Bins per standard deviation of the spread.
const BINS_PER_SIGMA: f64 = 2.5;
/// Half length of the profile: so many standard deviations, and so much more to see what a lining lies on.
const REACH_SIGMAS: f64 = 3.0;
const REACH_MM: f64 = 1.0;
/// Sideways standard deviation of the weights: well below the blur, so that holes stay holes; in mm, and voxels.
pub(super) const POOL_MM: f64 = 0.4;
const POOL_VOXELS: f64 = 0.45;

/// The profiles of one direction.
pub(super) struct Profile {
    pub(super) spread: LineSpread,
    /// Half the voxel's extent along the direction.
    pub(super) support_mm: f64,
    pub(super) bins: usize,
    /// Mean distance and total weight of each bin's samples.
    pub(super) distance_mm: [f64; MOST_BINS],
    pub(super) weight: [f64; MOST_BINS],
    /// In order of their bins.
    samples: Vec<Sample>,
    /// Where each bin's samples end, and one over the root of its weight.
    ends: [usize; MOST_BINS],
    inverse_root: [f32; MOST_BINS],
    /// What the media at both ends are told from.
    media: [Medium; 2],
    /// Greatest offset of a sample along each axis.
    extent: [usize; 3],
}

/// The bins that lie in a medium, with the roots of their weights, and the sum of these weights.
#[derive(Default)]
struct Medium {
    bins: Vec<(usize, f64)>,
    weight: f64,
}

/// A voxel of the profile: where it is, and with which weight.
struct Sample {
    offset: [i32; 3],
    weight: f32,
}

impl Profile {
    pub(super) fn new(direction: u16, scale: &Scale) -> Self {
        let n = directions::vector(direction);
        let spacing = scale.spacing_mm;
        let spread = scale.psf.along(n[2] * n[2]);
        let reach_mm = REACH_SIGMAS * spread.sigma + REACH_MM;
        let bin_mm = (spread.sigma / BINS_PER_SIGMA).max(2.0 * reach_mm / (MOST_BINS as f64 - 0.5));
        let bins = ((2.0 * reach_mm / bin_mm).ceil() as usize).min(MOST_BINS);
        let pool_mm = POOL_MM.max(POOL_VOXELS * spacing.iter().product::<f64>().cbrt());
        let radius_mm = 2.0 * pool_mm;
        let extent = [0, 1, 2]
            .map(|a| ((reach_mm * n[a].abs() + radius_mm * (1.0 - n[a] * n[a]).max(0.0).sqrt()) / spacing[a]) as usize);
        let mut profile = Self {
            spread,
            support_mm: 0.5 * extent_mm(n, spacing),
            bins,
            distance_mm: [0.0; MOST_BINS],
            weight: [0.0; MOST_BINS],
            samples: Vec::new(),
            ends: [0; MOST_BINS],
            inverse_root: [0.0; MOST_BINS],
            media: Default::default(),
            extent,
        };
        let range = |a: usize| -(extent[a] as i32)..=extent[a] as i32;
        let mut of_bin = [const { Vec::new() }; MOST_BINS];
        for offset in range(2).flat_map(|z| range(1).flat_map(move |y| range(0).map(move |x| [x, y, z]))) {
            let r: Vec3 = [0, 1, 2].map(|a| f64::from(offset[a]) * spacing[a]);
            let along = dot(r, n);
            let aside = (dot(r, r) - along * along).max(0.0);
            if along.abs() < reach_mm && aside <= radius_mm * radius_mm {
                let weight = (-0.5 * aside / (pool_mm * pool_mm)).exp();
                let bin = (((along + reach_mm) / bin_mm) as usize).min(bins - 1);
                profile.distance_mm[bin] += weight * along;
                profile.weight[bin] += weight;
                of_bin[bin].push(Sample { offset, weight: weight as f32 });
            }
        }
        for b in (0..bins).filter(|&b| profile.weight[b] > 0.0) {
            profile.distance_mm[b] /= profile.weight[b];
            profile.inverse_root[b] = (1.0 / profile.weight[b].sqrt()) as f32;
        }
        for (samples, end) in of_bin.into_iter().zip(&mut profile.ends) {
            profile.samples.extend(samples);
            *end = profile.samples.len();
        }
        let from = 2.0 * profile.spread.sigma;
        profile.media = [-1.0, 1.0].map(|side| {
            let is_in = |&b: &usize| (from..from + 1.0).contains(&(side * profile.distance_mm[b]));
            let bins: Vec<usize> = (0..bins).filter(is_in).collect();
            let weight = bins.iter().map(|&b| profile.weight[b]).sum();
            Medium { bins: bins.into_iter().map(|b| (b, profile.weight[b].sqrt())).collect(), weight }
        });
        profile
    }

    /// The profiles of the opposite direction.
    pub(super) fn turned(mut self) -> Self {
        self.samples.iter_mut().for_each(|s| s.offset = s.offset.map(|o| -o));
        self
    }

    /// Each bin's mean times the root of its weight, and the weighted sum of all squares.
    pub(super) fn values<T: Voxel>(&self, ct: &ArrayRef3<T>, voxel: u32) -> ([f32; MOST_BINS], f32) {
        let (values, [square]) = self.values_of(ct, [voxel]);
        (values.map(|[value]| value), square)
    }

    /// The same of several voxels at once.
    pub(super) fn values_of<T: Voxel, const N: usize>(
        &self,
        ct: &ArrayRef3<T>,
        voxels: [u32; N],
    ) -> ([[f32; N]; MOST_BINS], [f32; N]) {
        let (nz, ny, nx) = ct.dim();
        let size = [nx, ny, nz];
        match ct.as_slice() {
            Some(ct) if voxels.iter().all(|&v| self.lies_within(size, v)) => {
                let step = |[x, y, z]: [usize; 3]| (z * ny + y) * nx + x;
                let first = step(self.extent);
                // each from the first to the last voxel that a sample may be: as all are as long, one check is enough
                let around = voxels.map(|v| &ct[v as usize - first..][..2 * first + 1]);
                self.bin(|offset| {
                    let place = step([0, 1, 2].map(|a| (offset[a] + self.extent[a] as i32) as usize));
                    // all of them before any becomes a number, so that one instruction does that for several
                    around.map(|around| around[place]).map(T::to_f32)
                })
            }
            _ => {
                let places = voxels.map(|v| unravel(v as usize, size));
                self.bin(|offset| {
                    places.map(|at| {
                        let to = |a: usize| (at[a] as i32 + offset[a]).clamp(0, size[a] as i32 - 1) as usize;
                        ct[[to(2), to(1), to(0)]].to_f32()
                    })
                })
            }
        }
    }

    /// Whether no sample of a voxel's profile lies beyond the volume's faces.
    pub(super) fn lies_within(&self, size: [usize; 3], voxel: u32) -> bool {
        let at = unravel(voxel as usize, size);
        (0..3).all(|a| at[a] >= self.extent[a] && at[a] + self.extent[a] < size[a])
    }

    /// Each bin's sums are its own, so that none waits for another's.
    fn bin<const N: usize>(&self, values_at: impl Fn([i32; 3]) -> [f32; N]) -> ([[f32; N]; MOST_BINS], [f32; N]) {
        let (mut values, mut square) = ([[0.0; N]; MOST_BINS], [0.0; N]);
        let mut start = 0;
        for (b, &end) in self.ends[..self.bins].iter().enumerate() {
            let (mut sum, mut squares) = ([0.0; N], [0.0; N]);
            for s in &self.samples[start..end] {
                let values = values_at(s.offset);
                for n in 0..N {
                    let weighted = s.weight * values[n];
                    sum[n] += weighted;
                    squares[n] += weighted * values[n];
                }
            }
            values[b] = sum.map(|sum| sum * self.inverse_root[b]);
            for n in 0..N {
                square[n] += squares[n];
            }
            start = end;
        }
        (values, square)
    }

    /// Mean HU of the media at both ends of the `n`th of some profiles.
    pub(super) fn ends<const N: usize>(&self, values: &[[f32; N]; MOST_BINS], n: usize) -> [f64; 2] {
        self.media.each_ref().map(|Medium { bins, weight }| {
            let sum: f64 = bins.iter().map(|&(b, root)| f64::from(values[b][n]) * root).sum();
            if *weight > 0.0 { sum / weight } else { 0.0 }
        })
    }
}
