//! The peaks of an image's histogram that tell CT from MR, and air from soft tissue in CT.

use crate::{Error, Result, Voxel};
use ndarray::{ArrayRef3, Axis};
use rayon::prelude::*;

const BINS: usize = 4096;
/// Offsets under which scanners store Hounsfield units as positive numbers.
const OFFSETS_HU: [f64; 2] = [1000.0, 1024.0];

/// Counts of the finite voxels of every other row and column.
pub(super) struct Histogram {
    low: f64,
    width: f64,
    counts: Vec<u64>,
    total: u64,
}

/// What CT looks like, in image units.
pub(super) struct Ct {
    pub(super) air: f64,
    pub(super) soft: f64,
    pub(super) noise: f64,
    pub(super) is_mostly_bone: bool,
}

impl Histogram {
    pub(super) fn of<T: Voxel>(image: &ArrayRef3<T>) -> Result<Self> {
        let sampled = |slice: ndarray::ArrayView2<'_, T>, take: &mut dyn FnMut(f64)| {
            for row in slice.outer_iter().step_by(2) {
                row.iter().step_by(2).map(|v| v.to_f64()).filter(|v| v.is_finite()).for_each(&mut *take);
            }
        };
        let range = image.axis_iter(Axis(0)).into_par_iter().map(|slice| {
            let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
            sampled(slice, &mut |v| (low, high) = (low.min(v), high.max(v)));
            (low, high)
        });
        let (low, high) = range.reduce(|| (f64::INFINITY, f64::NEG_INFINITY), |a, b| (a.0.min(b.0), a.1.max(b.1)));
        if low > high {
            return Err(Error::NotFinite { of: "of the image" });
        }
        if low == high {
            return Err(Error::Constant { of: "of the image", value: low });
        }
        let width = high / BINS as f64 - low / BINS as f64;
        let bin = |v: f64| ((v / width - low / width) as usize).min(BINS - 1);
        let counts = image.axis_iter(Axis(0)).into_par_iter().fold(
            || vec![0_u64; BINS],
            |mut counts, slice| {
                sampled(slice, &mut |v| counts[bin(v)] += 1);
                counts
            },
        );
        let counts = counts.reduce(
            || vec![0; BINS],
            |mut a, b| {
                a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
                a
            },
        );
        let total = counts.iter().sum();
        Ok(Self { low, width, counts, total })
    }

    /// The lowest value.
    pub(super) fn low(&self) -> f64 {
        self.low
    }

    /// The image's look as CT, where it is one: in Hounsfield units, or with an offset.
    pub(super) fn ct(&self) -> Option<Ct> {
        if self.share(f64::NEG_INFINITY, -300.0) > 0.02 {
            return Some(self.ct_with_offset(0.0));
        }
        OFFSETS_HU.into_iter().map(|offset| (offset, self.ct_with_offset(offset))).find_map(|(offset, ct)| {
            // No MR sequence gives most tissue one brightness, and air a thousand units below it.
            let all = self.share(offset - 500.0, f64::INFINITY);
            let soft = self.share(ct.soft - 60.0, ct.soft + 60.0);
            let air = self.share(ct.air - 60.0, ct.air + 60.0);
            (self.low >= -50.0 && air > 0.05 && soft > 0.4 * all && all > 0.05).then_some(ct)
        })
    }

    /// The image's look if its units are Hounsfield's.
    pub(super) fn ct_in_hu(&self) -> Ct {
        self.ct_with_offset(0.0)
    }

    fn ct_with_offset(&self, offset: f64) -> Ct {
        let (air, soft) = (self.mode(offset - 1020.0, offset - 700.0), self.mode(offset - 200.0, offset + 200.0));
        let bone = self.share(offset + 250.0, f64::INFINITY);
        Ct { air, soft, noise: self.spread(air), is_mostly_bone: bone > self.share(offset - 250.0, offset + 250.0) }
    }

    fn at(&self, bin: usize) -> f64 {
        self.low + (bin as f64 + 0.5) * self.width
    }

    fn between(&self, from: f64, to: f64) -> impl Iterator<Item = usize> + '_ {
        (0..BINS).filter(move |&bin| (from..to).contains(&self.at(bin)))
    }

    fn share(&self, from: f64, to: f64) -> f64 {
        self.between(from, to).map(|bin| self.counts[bin]).sum::<u64>() as f64 / self.total as f64
    }

    /// The most frequent value between two bounds, over windows of about 20 units.
    fn mode(&self, from: f64, to: f64) -> f64 {
        let half = ((10.0 / self.width) as usize).clamp(1, BINS);
        let around = |bin: usize| self.counts[bin.saturating_sub(half)..(bin + half + 1).min(BINS)].iter().sum::<u64>();
        self.between(from, to).max_by_key(|&bin| around(bin)).map_or(0.5 * (from + to), |bin| self.at(bin))
    }

    /// Standard deviation of the values around a peak.
    fn spread(&self, peak: f64) -> f64 {
        let near = self.between(peak - 200.0, peak + 200.0).map(|bin| (self.counts[bin] as f64, self.at(bin) - peak));
        let (count, squares) = near.fold((0.0, 0.0), |(n, s), (count, d)| (n + count, s + count * d * d));
        if count > 0.0 { (squares / count).sqrt() } else { 0.0 }
    }
}
