//! How often each intensity occurs.

use crate::{Error, Job, Result, Voxel};
use ndarray::{ArrayRef3, ArrayView2, Axis, Zip};
use rayon::prelude::*;

/// Counts the finite voxels of `image`, only those where `mask` is set if there is one, in `bins` equal bins.
///
/// Two parallel passes over image and mask; the memory is a few counters per bin and thread, none per voxel.
///
/// ```
/// use skull_kernels::{Job, histogram::histogram};
/// let image = ndarray::array![[[0.0, 1.2, 1.5, f32::NAN, 4.0]]];
/// assert_eq!(histogram(&image, None, 4, &Job::new())?.counts(), [1, 2, 0, 1]);
/// # Ok::<(), skull_kernels::Error>(())
/// ```
///
/// # Errors
/// [`Error::SizeMismatch`] where the mask is of another shape, [`Error::Parameter`] for fewer than 2 or more
/// than 65 536 bins, [`Error::Empty`] where the mask is, [`Error::NotFinite`], [`Error::Constant`],
/// [`Error::Cancelled`].
pub fn histogram<T: Voxel>(
    image: &ArrayRef3<T>,
    mask: Option<&ArrayRef3<u8>>,
    bins: usize,
    job: &Job,
) -> Result<Histogram> {
    if !(2..=1 << 16).contains(&bins) {
        return Err(Error::Parameter { name: "the number of bins", value: bins as f64, allowed: "2 to 65536" });
    }
    if let Some(mask) = mask.filter(|mask| mask.dim() != image.dim()) {
        let [expected, got] = [image.dim(), mask.dim()].map(|(z, y, x)| [x, y, z]);
        return Err(Error::SizeMismatch { what: "mask", got, expected });
    }
    let of = if mask.is_some() { "in the mask" } else { "of the image" };
    let (lowest, highest) = extremes(image, mask, &job.part(0.0, 0.5))?.ok_or_else(|| match mask {
        Some(mask) if mask.iter().all(|&m| m == 0) => Error::Empty { what: "mask" },
        _ => Error::NotFinite { of },
    })?;
    if lowest == highest {
        return Err(Error::Constant { of, value: lowest });
    }
    // Halves, because the range itself may exceed the largest number.
    let half_width = (highest * 0.5 - lowest * 0.5) * ((1.0 + MARGIN / bins as f64) / bins as f64);
    let counts = count(image, mask, bins, lowest * 0.5, half_width, &job.part(0.5, 1.0))?;
    Ok(Histogram { counts, lower: lowest, width: 2.0 * half_width })
}

/// Counts in equal bins from the lowest intensity to the highest.
///
/// As in ITK's `ImageToHistogramFilter` the range is widened by a hundredth of a bin, so that the highest
/// intensity lies below the upper edge of the last bin, and thresholds compare bin for bin.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    counts: Vec<u64>,
    lower: f64,
    width: f64,
}

impl Histogram {
    /// Voxels in each bin.
    #[must_use]
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Number of voxels counted.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Width of a bin, in image units.
    #[must_use]
    pub fn width(&self) -> f64 {
        self.width
    }

    /// Centre of the bin that holds the median.
    #[must_use]
    pub fn median(&self) -> f64 {
        self.intensity(self.quantile_bin(0.5) as f64 + 0.5)
    }

    /// The bin in which the running sum of the counts reaches this part (0 to 1) of their total.
    #[must_use]
    pub fn quantile_bin(&self, part: f64) -> usize {
        let target = part * self.total() as f64;
        let mut sum = 0;
        let reached = |&count: &u64| {
            sum += count;
            sum as f64 >= target
        };
        self.counts.iter().position(reached).unwrap_or(self.counts.len() - 1)
    }

    /// The bins up to the one that holds the median, as a histogram of its own.
    #[must_use]
    pub fn darker_half(&self) -> Self {
        Self { counts: self.counts[..=self.quantile_bin(0.5)].to_vec(), ..*self }
    }

    /// Intensity at a place measured in bins from the lower end: bin `i` reaches from `i` to `i + 1`.
    #[must_use]
    pub fn intensity(&self, bins: f64) -> f64 {
        self.lower + bins * self.width
    }

    /// Where an intensity lies, in bins from the lower end; the inverse of [`intensity`](Self::intensity).
    #[must_use]
    pub fn bin(&self, intensity: f64) -> f64 {
        (intensity - self.lower) / self.width
    }
}

/// Part of a bin by which the range is widened.
const MARGIN: f64 = 0.01;

/// Neighbouring voxels are alike, and raising one counter twice in a row waits for the first to be written:
/// this many copies of each, taken in turns, keep the memory pipeline full.
const LANES: usize = 4;

/// The lowest and the highest finite intensity.
fn extremes<T: Voxel>(image: &ArrayRef3<T>, mask: Option<&ArrayRef3<u8>>, job: &Job) -> Result<Option<(f64, f64)>> {
    let steps = job.steps(image.len_of(Axis(0)));
    let Some((least, greatest)) = T::range_within(f64::NEG_INFINITY, f64::INFINITY) else { return Ok(None) };
    let of_slice = |z: usize| {
        let (mut lowest, mut highest) = (greatest, least);
        for_each(image, mask, z, |value, set| {
            let counts = set & value.is_finite();
            lowest = if counts & (value < lowest) { value } else { lowest };
            highest = if counts & (value > highest) { value } else { highest };
        });
        steps.step()?;
        Ok((lowest, highest))
    };
    let wider = |a: (T, T), b: (T, T)| (if b.0 < a.0 { b.0 } else { a.0 }, if b.1 > a.1 { b.1 } else { a.1 });
    let (lowest, highest) = (0..image.len_of(Axis(0)))
        .into_par_iter()
        .map(of_slice)
        .try_reduce(|| (greatest, least), |a, b| Ok(wider(a, b)))?;
    Ok((lowest <= highest).then_some((lowest.to_f64(), highest.to_f64())))
}

fn count<T: Voxel>(
    image: &ArrayRef3<T>,
    mask: Option<&ArrayRef3<u8>>,
    bins: usize,
    half_lowest: f64,
    half_width: f64,
    job: &Job,
) -> Result<Vec<u64>> {
    let steps = job.steps(image.len_of(Axis(0)));
    let bins_per_half = 1.0 / half_width;
    // One counter more than bins: a place for what is not counted costs less than a branch. By way of `i32`,
    // because converting to that is a single instruction everywhere.
    let of_slice = |mut counts: Vec<[u64; LANES]>, z: usize| {
        let mut lane = 0;
        for_each(image, mask, z, |value, set| {
            let bin = ((value.to_f64() * 0.5 - half_lowest) * bins_per_half) as i32 as usize;
            let bin = if set & value.is_finite() { bin.min(bins - 1) } else { bins };
            counts[bin][lane] += 1;
            lane = (lane + 1) % LANES;
        });
        steps.step()?;
        Ok(counts)
    };
    let counts =
        (0..image.len_of(Axis(0))).into_par_iter().try_fold(|| vec![[0; LANES]; bins + 1], of_slice).try_reduce(
            || vec![[0; LANES]; bins + 1],
            |mut a, b| {
                a.iter_mut().flatten().zip(b.iter().flatten()).for_each(|(a, b)| *a += b);
                Ok(a)
            },
        )?;
    Ok(counts[..bins].iter().map(|lanes| lanes.iter().sum()).collect())
}

/// Calls `f` with each voxel of a slice and whether the mask holds it.
fn for_each<T: Voxel>(image: &ArrayRef3<T>, mask: Option<&ArrayRef3<u8>>, z: usize, mut f: impl FnMut(T, bool)) {
    let image: ArrayView2<'_, T> = image.index_axis(Axis(0), z);
    match mask {
        Some(mask) => Zip::from(image).and(mask.index_axis(Axis(0), z)).for_each(|&v, &m| f(v, m != 0)),
        None => Zip::from(image).for_each(|&v| f(v, true)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array3, array};
    use proptest::prelude::*;

    /// Of a volume of one voxel a slice, so that several threads count.
    fn of<T: Voxel>(values: &[T], mask: Option<&[u8]>, bins: usize) -> Result<Histogram> {
        let image = Array3::from_shape_vec((values.len(), 1, 1), values.to_vec()).unwrap();
        let mask = mask.map(|mask| Array3::from_shape_vec(image.dim(), mask.to_vec()).unwrap());
        histogram(&image, mask.as_deref(), bins, &Job::new())
    }

    #[test]
    fn bins_start_at_the_lowest_intensity_and_end_just_above_the_highest() {
        let histogram = of(&[-1024_i16, 0, 0, 1000, 3071], None, 5).unwrap();
        assert_eq!(histogram.counts(), [1, 2, 1, 0, 1]);
        assert!((histogram.width() - 4095.0 * 1.002 / 5.0).abs() < 1e-9, "{}", histogram.width());
        assert!((histogram.intensity(0.0) + 1024.0).abs() < 1e-9);
        assert!(histogram.intensity(5.0) > 3071.0);
        assert!((histogram.bin(histogram.intensity(2.5)) - 2.5).abs() < 1e-9);
    }

    #[test]
    fn the_darker_half_ends_with_the_medians_bin() {
        let histogram = of(&[0_u8, 0, 10, 10, 10, 30, 40], None, 4).unwrap();
        assert_eq!(histogram.counts(), [5, 0, 1, 1]);
        let histogram = of(&[0_u8, 0, 12, 12, 12, 30, 40], None, 4).unwrap();
        assert_eq!(histogram.counts(), [2, 3, 1, 1]);
        assert_eq!(histogram.darker_half().counts(), [2, 3]);
        assert!((10.0..20.1).contains(&histogram.median()), "{}", histogram.median());
    }

    #[test]
    fn the_widest_range_of_numbers_does_not_overflow() {
        let histogram = of(&[f64::MIN, -1e300, 0.0, f64::MAX, f64::INFINITY, f64::NAN], None, 4).unwrap();
        assert_eq!(histogram.counts(), [1, 2, 0, 1]);
    }

    #[test]
    fn what_cannot_be_counted_is_said() {
        assert_eq!(of(&[1_u8, 2], Some(&[0, 0]), 4), Err(Error::Empty { what: "mask" }));
        assert_eq!(of(&[f32::NAN, f32::INFINITY], None, 4), Err(Error::NotFinite { of: "of the image" }));
        assert_eq!(of(&[f32::NAN, 1.0], Some(&[1, 0]), 4), Err(Error::NotFinite { of: "in the mask" }));
        assert_eq!(of(&[1_u8, 2], Some(&[0, 1]), 4), Err(Error::Constant { of: "in the mask", value: 2.0 }));
        assert!(matches!(of(&[1_u8, 2], None, 1), Err(Error::Parameter { .. })));
        let (image, mask) = (array![[[1.0, 2.0]]], array![[[1_u8]]]);
        assert!(matches!(histogram(&image, Some(&mask), 4, &Job::new()), Err(Error::SizeMismatch { .. })));
        let job = Job::new();
        job.cancel();
        assert_eq!(histogram(&image, None, 4, &job), Err(Error::Cancelled));
    }

    proptest! {
        #[test]
        fn equals_counting_one_by_one_for_any_type_and_number_of_threads(
            (values, mask) in (1_usize..80).prop_flat_map(|n| (
                proptest::collection::vec(0_u8..100, n), proptest::collection::vec(0_u8..2, n))),
            bins in 2_usize..40,
        ) {
            let inside: Vec<f64> = values.iter().zip(&mask).filter(|(_, m)| **m != 0).map(|(v, _)| f64::from(*v)).collect();
            let (low, high) = inside.iter().fold((f64::MAX, f64::MIN), |(l, h), &v| (l.min(v), h.max(v)));
            prop_assume!(low < high);
            let width = (high - low) * (1.0 + 0.01 / bins as f64) / bins as f64;
            let mut expected = vec![0; bins];
            inside.iter().for_each(|v| expected[((v - low) / width) as usize] += 1);

            for threads in [1, 3] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let got = pool.install(|| of(&values, Some(&mask), bins)).unwrap();
                prop_assert_eq!(got.counts(), &expected[..]);
                prop_assert_eq!(got.total() as usize, inside.len());
            }
            macro_rules! same { ($($scalar:ty)*) => { $(
                let typed: Vec<$scalar> = values.iter().map(|&v| v as $scalar).collect();
                let got = of(&typed, Some(&mask), bins).unwrap();
                prop_assert_eq!(got.counts(), &expected[..]);
            )* } }
            same!(i8 i16 u16 i32 u32 i64 u64 f32 f64);
        }
    }
}
