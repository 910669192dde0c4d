//! The threshold that best parts an image's intensities in two, by any of twelve methods.

use crate::histogram::Histogram;
use crate::{Error, Result};

/// The intensity at which `method` parts the histogram: what is at or below it is one class, what is above the
/// other.
///
/// Agrees within a bin with ITK's calculator of the same name, which 3D Slicer's Threshold effect uses, whatever
/// the number of bins (64 in Slicer, 256 in ITK). Time is at most the square of that number.
///
/// ```
/// use skull_kernels::{Job, auto_threshold::{Method, auto_threshold}, histogram::histogram};
/// let image = ndarray::array![[[1.0, 2.0, 3.0, 1.0, 2.0, 41.0, 42.0, 43.0, 42.0]]];
/// let threshold = auto_threshold(&histogram(&image, None, 256, &Job::new())?, Method::Otsu)?;
/// assert!(3.0 < threshold && threshold < 41.0);
/// # Ok::<(), skull_kernels::Error>(())
/// ```
///
/// # Errors
/// [`Error::NoThreshold`] where the method finds none: Intermodes without two peaks, Kittler-Illingworth where a
/// class has a single intensity, Moments that no two intensities can have.
pub fn auto_threshold(histogram: &Histogram, method: Method) -> Result<f64> {
    let counts = Counts::new(histogram.counts());
    let bin = match method {
        Method::Otsu => Some(counts.otsu()),
        Method::Huang => Some(counts.huang(histogram)),
        Method::IsoData => Some(counts.iso_data()),
        Method::Intermodes => counts.intermodes(),
        Method::KittlerIllingworth => counts.kittler_illingworth(),
        Method::Li => Some(counts.li(histogram)),
        Method::MaximumEntropy => Some(counts.maximum_entropy()),
        Method::Moments => counts.moments(),
        Method::RenyiEntropy => Some(counts.renyi_entropy()),
        Method::Shanbhag => Some(counts.shanbhag()),
        Method::Triangle => Some(counts.triangle()),
        Method::Yen => Some(counts.yen()),
    };
    let bin = bin.ok_or(Error::NoThreshold { method: method.name() })? as f64;
    // Otsu's is the upper edge of the last bin of the lower class, the others' that bin's centre, as in ITK.
    Ok(histogram.intensity(if method == Method::Otsu { bin + 1.0 } else { bin + 0.5 }))
}

/// How a threshold is found from a histogram; the names are those of 3D Slicer's Threshold effect.
///
/// A survey of most of them: M. Sezgin and B. Sankur, *J. Electron. Imaging* 13, 146 (2004),
/// [doi:10.1117/1.1631315](https://doi.org/10.1117/1.1631315).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Method {
    /// Greatest variance between the classes. N. Otsu, *IEEE Trans. Syst. Man Cybern.* 9, 62 (1979),
    /// [doi:10.1109/TSMC.1979.4310076](https://doi.org/10.1109/TSMC.1979.4310076).
    #[default]
    Otsu,
    /// Least fuzziness of the membership in the classes. L.-K. Huang and M.-J. J. Wang, *Pattern Recognit.* 28,
    /// 41 (1995), [doi:10.1016/0031-3203(94)E0043-K](https://doi.org/10.1016/0031-3203(94)E0043-K).
    Huang,
    /// Midway between the classes' means. T. W. Ridler and S. Calvard, *IEEE Trans. Syst. Man Cybern.* 8, 630
    /// (1978), [doi:10.1109/TSMC.1978.4310039](https://doi.org/10.1109/TSMC.1978.4310039).
    IsoData,
    /// Midway between the two peaks of the smoothed histogram. J. M. S. Prewitt and M. L. Mendelsohn,
    /// *Ann. N. Y. Acad. Sci.* 128, 1035 (1966),
    /// [doi:10.1111/j.1749-6632.1965.tb11715.x](https://doi.org/10.1111/j.1749-6632.1965.tb11715.x).
    Intermodes,
    /// Least classification error of two normal distributions. J. Kittler and J. Illingworth, *Pattern Recognit.*
    /// 19, 41 (1986), [doi:10.1016/0031-3203(86)90030-0](https://doi.org/10.1016/0031-3203(86)90030-0).
    KittlerIllingworth,
    /// Least cross entropy between the image and its two classes. C. H. Li and P. K. S. Tam, *Pattern Recognit.
    /// Lett.* 19, 771 (1998), [doi:10.1016/S0167-8655(98)00057-9](https://doi.org/10.1016/S0167-8655(98)00057-9).
    Li,
    /// Greatest sum of the classes' entropies. J. N. Kapur, P. K. Sahoo and A. K. C. Wong, *Comput. Vis. Graph.
    /// Image Process.* 29, 273 (1985),
    /// [doi:10.1016/0734-189X(85)90125-2](https://doi.org/10.1016/0734-189X(85)90125-2).
    MaximumEntropy,
    /// Two intensities that have the image's first three moments. W.-H. Tsai, *Comput. Vis. Graph. Image Process.*
    /// 29, 377 (1985), [doi:10.1016/0734-189X(85)90133-1](https://doi.org/10.1016/0734-189X(85)90133-1).
    Moments,
    /// Weighted mean of three thresholds of greatest Rényi entropy. P. Sahoo, C. Wilkins and J. Yeager, *Pattern
    /// Recognit.* 30, 71 (1997), [doi:10.1016/S0031-3203(96)00065-9](https://doi.org/10.1016/S0031-3203(96)00065-9).
    RenyiEntropy,
    /// Equal information in both fuzzy classes. A. G. Shanbhag, *CVGIP: Graph. Models Image Process.* 56, 414
    /// (1994), [doi:10.1006/cgip.1994.1037](https://doi.org/10.1006/cgip.1994.1037).
    Shanbhag,
    /// Farthest below the line from the peak to the histogram's longer tail. G. W. Zack, W. E. Rogers and
    /// S. A. Latt, *J. Histochem. Cytochem.* 25, 741 (1977),
    /// [doi:10.1177/25.7.70454](https://doi.org/10.1177/25.7.70454).
    Triangle,
    /// Greatest sum of the classes' correlations. J.-C. Yen, F.-J. Chang and S. Chang, *IEEE Trans. Image
    /// Process.* 4, 370 (1995), [doi:10.1109/83.366472](https://doi.org/10.1109/83.366472).
    Yen,
}

impl Method {
    /// Every method, in the order of 3D Slicer's menu.
    pub const ALL: [Self; 12] = [
        Self::Otsu,
        Self::Huang,
        Self::IsoData,
        Self::Intermodes,
        Self::KittlerIllingworth,
        Self::Li,
        Self::MaximumEntropy,
        Self::Moments,
        Self::RenyiEntropy,
        Self::Shanbhag,
        Self::Triangle,
        Self::Yen,
    ];

    /// The name a person reads.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Otsu => "Otsu",
            Self::Huang => "Huang",
            Self::IsoData => "IsoData",
            Self::Intermodes => "Intermodes",
            Self::KittlerIllingworth => "Kittler-Illingworth",
            Self::Li => "Li",
            Self::MaximumEntropy => "Maximum entropy",
            Self::Moments => "Moments",
            Self::RenyiEntropy => "Renyi entropy",
            Self::Shanbhag => "Shanbhag",
            Self::Triangle => "Triangle",
            Self::Yen => "Yen",
        }
    }

    /// The name that scripts and files keep: the value of 3D Slicer's `AutoThresholdMethod` parameter.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Otsu => "OTSU",
            Self::Huang => "HUANG",
            Self::IsoData => "ISO_DATA",
            Self::Intermodes => "INTERMODES",
            Self::KittlerIllingworth => "KITTLER_ILLINGWORTH",
            Self::Li => "LI",
            Self::MaximumEntropy => "MAXIMUM_ENTROPY",
            Self::Moments => "MOMENTS",
            Self::RenyiEntropy => "RENYI_ENTROPY",
            Self::Shanbhag => "SHANBHAG",
            Self::Triangle => "TRIANGLE",
            Self::Yen => "YEN",
        }
    }

    /// The method of this [`id`](Self::id).
    #[must_use]
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.id() == id)
    }
}

/// Below this range (image units) Huang's and Li's methods no longer round means to whole numbers as ITK does:
/// the rounding would be coarser than Slicer's own bins.
const WHOLE_NUMBERS: f64 = 64.0;

/// The counts with sums up to and including each bin. Here a bin's intensity is its index, so that thresholds
/// move and scale with the image; only ITK's versions of Huang's and Li's methods depend on where zero lies.
struct Counts {
    count: Vec<f64>,
    sum: Vec<f64>,
    first: usize,
    last: usize,
}

impl Counts {
    fn new(counts: &[u64]) -> Self {
        let count: Vec<f64> = counts.iter().map(|&n| n as f64).collect();
        let first = count.iter().position(|&n| n > 0.0).unwrap_or(0);
        let last = count.iter().rposition(|&n| n > 0.0).unwrap_or(0);
        Self { sum: running_sum(count.iter().copied()), count, first, last }
    }

    fn total(&self) -> f64 {
        self.sum[self.last]
    }

    /// Counts × indexⁿ, summed up to and including each bin.
    fn moment(&self, power: i32) -> Vec<f64> {
        running_sum(self.count.iter().enumerate().map(|(i, n)| n * (i as f64).powi(power)))
    }

    /// Mean bin of both classes where bin `t` is the last of the lower one.
    fn means(&self, moment: &[f64], t: usize) -> (f64, f64) {
        (moment[t] / self.sum[t], (moment[self.last] - moment[t]) / (self.total() - self.sum[t]))
    }

    /// The bins after which the histogram can be cut in two classes, neither empty.
    fn cuts(&self) -> std::ops::Range<usize> {
        self.first..self.last
    }

    /// Where `criterion` is greatest; the lowest bin if it is so at several.
    fn greatest(&self, criterion: impl Fn(usize) -> f64) -> usize {
        let mut best = (self.first, f64::NEG_INFINITY);
        for t in self.cuts() {
            let value = criterion(t);
            if value > best.1 {
                best = (t, value);
            }
        }
        best.0
    }

    fn otsu(&self) -> usize {
        let moment = self.moment(1);
        self.greatest(|t| {
            let (low, high) = self.means(&moment, t);
            self.sum[t] * (self.total() - self.sum[t]) * (high - low).powi(2)
        })
    }

    fn huang(&self, histogram: &Histogram) -> usize {
        let whole = self.rounds_to_whole_numbers(histogram);
        // ITK takes the lowest bin's intensity for 0 in the means.
        let level = |i: usize| if whole && i == 0 { 0.0 } else { histogram.intensity(i as f64 + 0.5) };
        let moment = running_sum(self.count.iter().enumerate().map(|(i, n)| n * level(i)));
        let bin_of = |mean: f64| {
            let bin = histogram.bin(if whole { (mean + 0.5).floor() } else { mean });
            (0.0..self.count.len() as f64).contains(&bin).then_some(bin as usize)
        };
        let range = (self.last - self.first) as f64;
        let fuzziness = |distance: usize| {
            let member = 1.0 / (1.0 + distance as f64 / range);
            if distance == 0 { 0.0 } else { -member * member.ln() - (1.0 - member) * (1.0 - member).ln() }
        };
        let fuzziness: Vec<f64> = (0..self.count.len()).map(fuzziness).collect();
        self.greatest(|t| {
            let (low, high) = self.means(&moment, t);
            let (Some(low), Some(high)) = (bin_of(low), bin_of(high)) else { return f64::NEG_INFINITY };
            let below: f64 = (self.first..=t).map(|i| self.count[i] * fuzziness[i.abs_diff(low)]).sum();
            let above: f64 = (t + 1..=self.last).map(|i| self.count[i] * fuzziness[i.abs_diff(high)]).sum();
            -(below + above)
        })
    }

    fn rounds_to_whole_numbers(&self, histogram: &Histogram) -> bool {
        (self.last - self.first) as f64 * histogram.width() >= WHOLE_NUMBERS
    }

    fn iso_data(&self) -> usize {
        let moment = self.moment(1);
        let midway = |&t: &usize| {
            let (low, high) = self.means(&moment, t);
            self.count[t] > 0.0 && t as f64 >= (low + high) / 2.0
        };
        self.cuts().find(midway).unwrap_or(self.last)
    }

    fn intermodes(&self) -> Option<usize> {
        let mut smooth = self.count.clone();
        for _ in 0..=10_000 {
            let peaks: Vec<usize> =
                (1..smooth.len() - 1).filter(|&i| smooth[i - 1] < smooth[i] && smooth[i + 1] < smooth[i]).collect();
            if let [low, high] = peaks[..] {
                return Some((low + high) / 2);
            }
            let at = |i: usize| smooth.get(i).copied().unwrap_or(0.0);
            smooth = (0..smooth.len()).map(|i| (at(i.wrapping_sub(1)) + at(i) + at(i + 1)) / 3.0).collect();
        }
        None
    }

    fn kittler_illingworth(&self) -> Option<usize> {
        let (moment, second) = (self.moment(1), self.moment(2));
        let all = self.total();
        let mut t = (moment[self.last] / all).round() as usize;
        // Each step solves for where the two normal distributions cross. A step may lead back to a bin seen
        // before without settling there, so their number is limited.
        for _ in 0..self.count.len() {
            if !self.cuts().contains(&t) {
                break;
            }
            let (low, high) = self.means(&moment, t);
            let low_share = self.sum[t] / all;
            let low_variance = second[t] / self.sum[t] - low * low;
            let high_variance = (second[self.last] - second[t]) / (all - self.sum[t]) - high * high;
            if low_variance.min(high_variance) < 1e-9 {
                return None;
            }
            let a = 1.0 / low_variance - 1.0 / high_variance;
            let b = low / low_variance - high / high_variance;
            // The paper has a natural logarithm; ITK and the programs before it take this one.
            let c = low * low / low_variance - high * high / high_variance
                + (low_variance * (1.0 - low_share).powi(2) / (high_variance * low_share.powi(2))).log10();
            let crossing = if a.abs() < 1e-12 { c / (2.0 * b) } else { (b + (b * b - a * c).sqrt()) / a };
            let next = crossing.round();
            if !(next >= self.first as f64 && next <= self.last as f64) || next as usize == t {
                break;
            }
            t = next as usize;
        }
        Some(t)
    }

    fn li(&self, histogram: &Histogram) -> usize {
        let moment = self.moment(1);
        let mean = |bin: f64| histogram.intensity(bin + 0.5);
        // Logarithms need positive intensities: where there are negative ones, all are raised.
        let zero = histogram.intensity(0.0).min(0.0);
        let unit = if self.rounds_to_whole_numbers(histogram) { 1.0 } else { histogram.width() };
        let mut threshold = mean(moment[self.last] / self.total());
        let mut t = self.first;
        for _ in 0..self.count.len() {
            t = histogram.bin((threshold / unit + 0.5).trunc() * unit) as usize;
            if !self.cuts().contains(&t) {
                break;
            }
            let (low, high) = self.means(&moment, t);
            let (low, high) = (mean(low) - zero, mean(high) - zero);
            let next = ((high - low) / (high.ln() - low.ln()) / unit).round() * unit + zero;
            if (next - threshold).abs() <= 0.5 * unit {
                break;
            }
            threshold = next;
        }
        t.clamp(self.first, self.last)
    }

    fn maximum_entropy(&self) -> usize {
        let information = running_sum(self.shares().map(|p| if p > 0.0 { p * p.ln() } else { 0.0 }));
        self.greatest(|t| {
            let (low, high) = self.class_shares(t);
            low.ln() - information[t] / low + high.ln() - (information[self.last] - information[t]) / high
        })
    }

    fn renyi_entropy(&self) -> usize {
        // Orders 1/2, 1 (Shannon's) and 2.
        let roots = running_sum(self.shares().map(f64::sqrt));
        let squares = running_sum(self.shares().map(|p| p * p));
        let half = self.greatest(|t| {
            let (low, high) = self.class_shares(t);
            (roots[t] / low.sqrt() * (roots[self.last] - roots[t]) / high.sqrt()).ln()
        });
        let two = self.greatest(|t| {
            let (low, high) = self.class_shares(t);
            -(squares[t] / low.powi(2) * (squares[self.last] - squares[t]) / high.powi(2)).ln()
        });
        let mut bins = [half, self.maximum_entropy(), two];
        bins.sort_unstable();
        let weights = match (bins[1] - bins[0] <= 5, bins[2] - bins[1] <= 5) {
            (true, false) => [0.0, 1.0, 3.0],
            (false, true) => [3.0, 1.0, 0.0],
            _ => [1.0, 2.0, 1.0],
        };
        let below = self.sum[bins[0]] / self.total();
        let within = self.sum[bins[2]] / self.total() - below;
        let share = |i: usize| within * weights[i] / 4.0;
        let [first, second, third] = bins.map(|bin| bin as f64);
        (first * (below + share(0)) + second * share(1) + third * (1.0 - below - within + share(2))) as usize
    }

    fn shanbhag(&self) -> usize {
        let p: Vec<f64> = self.shares().collect();
        let up_to = |i: usize| self.sum[i] / self.total();
        self.greatest(|t| {
            let (low, high) = self.class_shares(t);
            let below: f64 = (1..=t).map(|i| p[i] * (1.0 - 0.5 * up_to(i - 1) / low).ln()).sum();
            let above: f64 = (t + 1..p.len()).map(|i| p[i] * (1.0 - 0.5 * (1.0 - up_to(i)) / high).ln()).sum();
            -(below / low - above / high).abs()
        })
    }

    fn triangle(&self) -> usize {
        let quantile = |q: f64| self.sum.iter().position(|&n| n >= q * self.total()).unwrap_or(self.last);
        let (low, high) = (quantile(0.01), quantile(0.99));
        let peak = (0..self.count.len()).fold(0, |best, i| if self.count[i] > self.count[best] { i } else { best });
        let (tail, bins) = if peak.abs_diff(low) > peak.abs_diff(high) { (low, low..peak) } else { (high, peak..high) };
        let mut best = (bins.start, f64::NEG_INFINITY);
        for i in bins {
            let line = self.count[peak] * tail.abs_diff(i) as f64 / tail.abs_diff(peak) as f64;
            if line - self.count[i] > best.1 {
                best = (i, line - self.count[i]);
            }
        }
        best.0 + 1
    }

    fn yen(&self) -> usize {
        let squares = running_sum(self.shares().map(|p| p * p));
        self.greatest(|t| {
            let (low, high) = self.class_shares(t);
            2.0 * (low * high).ln() - (squares[t] * (squares[self.last] - squares[t])).ln()
        })
    }

    fn moments(&self) -> Option<usize> {
        let [m1, m2, m3] = [1, 2, 3].map(|power| self.moment(power)[self.last] / self.total());
        let variance = m2 - m1 * m1;
        let c0 = (m1 * m3 - m2 * m2) / variance;
        let c1 = (m1 * m2 - m3) / variance;
        let root = (c1 * c1 - 4.0 * c0).sqrt();
        let (low, high) = (0.5 * (-c1 - root), 0.5 * (-c1 + root));
        let low_share = (high - m1) / (high - low);
        self.cuts().find(|&t| self.sum[t] > low_share * self.total())
    }

    /// Part of the voxels in each bin.
    fn shares(&self) -> impl Iterator<Item = f64> {
        self.count.iter().map(|n| n / self.total())
    }

    /// Part of the voxels in the lower and in the upper class.
    fn class_shares(&self, t: usize) -> (f64, f64) {
        (self.sum[t] / self.total(), (self.total() - self.sum[t]) / self.total())
    }
}

fn running_sum(values: impl Iterator<Item = f64>) -> Vec<f64> {
    values
        .scan(0.0, |sum, value| {
            *sum += value;
            Some(*sum)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Job;
    use crate::histogram::histogram;
    use ndarray::Array3;
    use proptest::prelude::*;

    const BINS: usize = 64;

    fn of(values: &[f64]) -> Histogram {
        let image = Array3::from_shape_vec((values.len(), 1, 1), values.to_vec()).unwrap();
        histogram(&image, None, BINS, &Job::new()).unwrap()
    }

    /// Two triangular peaks around `low` and `high`, 61 and 41 intensities wide.
    fn two_peaks(low: f64, high: f64) -> Vec<f64> {
        let peak = |centre: f64, half: i32| {
            (-half..=half).flat_map(move |d| vec![centre + f64::from(d); (half + 1 - d.abs()) as usize])
        };
        peak(low, 30).chain(peak(high, 20)).collect()
    }

    #[test]
    fn methods_that_seek_two_classes_part_two_peaks() {
        use Method::{Huang, Intermodes, IsoData, KittlerIllingworth, Li, MaximumEntropy, Moments, Otsu};
        let histogram = of(&two_peaks(100.0, 160.0));
        for method in [Otsu, Huang, IsoData, Intermodes, KittlerIllingworth, Li, MaximumEntropy, Moments] {
            let threshold = auto_threshold(&histogram, method).unwrap();
            assert!((115.0..=148.0).contains(&threshold), "{method:?}: {threshold}");
        }
        let midway = auto_threshold(&histogram, Intermodes).unwrap();
        assert!((midway - 130.0).abs() < 1.5, "{midway}");
    }

    #[test]
    fn the_triangle_ends_at_the_longer_tail() {
        // A peak at 10 and a tail that falls to 60: the corner is where it leaves the peak.
        let mut values = vec![10.0; 1000];
        values.extend((11..=60).flat_map(|v| vec![f64::from(v); 20]));
        let threshold = auto_threshold(&of(&values), Method::Triangle).unwrap();
        assert!((11.0..14.0).contains(&threshold), "{threshold}");
    }

    #[test]
    fn huang_and_li_work_on_small_ranges_too() {
        let large: Vec<f64> = two_peaks(100.0, 400.0);
        let small: Vec<f64> = large.iter().map(|v| v / 1024.0).collect();
        for method in [Method::Huang, Method::Li] {
            let (large, small) = [&large, &small].map(|v| auto_threshold(&of(v), method).unwrap()).into();
            let bins = (large - small * 1024.0) / of(&two_peaks(100.0, 400.0)).width();
            assert!(bins.abs() <= 2.0, "{method:?}: {large} and {small}");
        }
    }

    #[test]
    fn no_threshold_is_an_error_that_names_the_method() {
        let one_peak: Vec<f64> =
            (0..64).flat_map(|i| vec![f64::from(i); 200 - (i - 30_i32).pow(2) as usize / 6]).collect();
        let error = auto_threshold(&of(&one_peak), Method::Intermodes).unwrap_err();
        assert!(error.to_string().contains("Intermodes"), "{error}");
        assert!(auto_threshold(&of(&[0.0, 1.0]), Method::KittlerIllingworth).is_err());
    }

    #[test]
    fn ids_name_one_method_each() {
        for method in Method::ALL {
            assert_eq!(Method::from_id(method.id()), Some(method));
        }
        assert_eq!(Method::from_id("otsu"), None);
    }

    proptest! {
        #[test]
        fn thresholds_lie_among_the_intensities(
            values in proptest::collection::vec(prop_oneof![-50_i32..50, 900_i32..1000, Just(-1000)], 2..200)
        ) {
            let values: Vec<f64> = values.into_iter().map(f64::from).collect();
            prop_assume!(values.iter().any(|v| *v != values[0]));
            let histogram = of(&values);
            for method in Method::ALL {
                if let Ok(threshold) = auto_threshold(&histogram, method) {
                    prop_assert!(
                        histogram.intensity(0.0) <= threshold && threshold <= histogram.intensity(BINS as f64),
                        "{method:?}: {threshold}"
                    );
                }
            }
        }

        /// Powers of two, so that the bins fall on the same voxels to the last bit.
        #[test]
        fn thresholds_move_and_scale_with_the_image(
            values in proptest::collection::vec(0_i32..1000, 20..200), shift in -8_i32..8, power in -3_i32..4
        ) {
            let values: Vec<f64> = values.into_iter().map(f64::from).collect();
            prop_assume!(values.iter().any(|v| *v != values[0]));
            let (shift, scale) = (f64::from(shift) * 1024.0, 2_f64.powi(power));
            let other: Vec<f64> = values.iter().map(|v| v * scale + shift).collect();
            let (one, two) = (of(&values), of(&other));
            prop_assume!(one.counts() == two.counts());
            for method in Method::ALL {
                if [Method::Huang, Method::Li].contains(&method) {
                    continue; // As in ITK, these depend on where zero lies.
                }
                let moved = auto_threshold(&one, method).map(|t| t * scale + shift);
                match (moved, auto_threshold(&two, method)) {
                    (Ok(moved), Ok(threshold)) => prop_assert!((moved - threshold).abs() < 1e-6 * two.width()),
                    (moved, threshold) => prop_assert_eq!(moved, threshold),
                }
            }
        }
    }
}
