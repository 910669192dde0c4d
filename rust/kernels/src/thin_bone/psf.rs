//! How a scanner blurs: its point spread function, and what a profile along one direction sees of it.

/// FWHM of a Gaussian of unit standard deviation.
pub const FWHM_PER_SIGMA: f64 = 2.354_820_045;

/// A scanner's point spread function: a Gaussian in-plane and through-plane, and for edge-enhancing kernels
/// a wider in-plane Gaussian that is subtracted: (1 + overshoot) G(sigma) − overshoot G(wide).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Psf {
    /// Standard deviation within a slice.
    pub sigma_xy_mm: f64,
    /// Standard deviation across slices.
    pub sigma_z_mm: f64,
    /// How much of the wider Gaussian is subtracted; 0 for a smooth kernel.
    pub overshoot: f64,
    /// In-plane standard deviation of what is subtracted.
    pub sigma_wide_mm: f64,
}

impl Psf {
    /// The point spread function of a smooth kernel with the given full widths at half maximum.
    #[must_use]
    pub fn gaussian(fwhm_xy_mm: f64, fwhm_z_mm: f64) -> Self {
        let sigma_xy_mm = fwhm_xy_mm / FWHM_PER_SIGMA;
        Self { sigma_xy_mm, sigma_z_mm: fwhm_z_mm / FWHM_PER_SIGMA, overshoot: 0.0, sigma_wide_mm: 2.0 * sigma_xy_mm }
    }

    /// Full widths at half maximum of the main Gaussian, in-plane and through-plane.
    #[must_use]
    pub fn fwhm_mm(&self) -> [f64; 2] {
        [self.sigma_xy_mm * FWHM_PER_SIGMA, self.sigma_z_mm * FWHM_PER_SIGMA]
    }

    /// The spread along a unit normal whose through-plane component squared is `nz2`.
    pub(super) fn along(&self, nz2: f64) -> LineSpread {
        let across = self.sigma_z_mm.powi(2) * nz2;
        let sigma = |in_plane: f64| (in_plane * in_plane * (1.0 - nz2) + across).sqrt();
        LineSpread { sigma: sigma(self.sigma_xy_mm), wide: sigma(self.sigma_wide_mm), overshoot: self.overshoot }
    }
}

/// The point spread function integrated over planes: what a profile along one direction sees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct LineSpread {
    pub(super) sigma: f64,
    wide: f64,
    overshoot: f64,
}

impl LineSpread {
    /// The image of a unit step at 0, at distance `s` mm on its bright side.
    pub(super) fn edge(&self, s: f64) -> f64 {
        let main = normal_cdf(s / self.sigma);
        if self.overshoot == 0.0 { main } else { self.mix([main, normal_cdf(s / self.wide)]) }
    }

    /// The same, and the images in both Gaussians that it is mixed of; those of a `known` spread there are used again.
    pub(super) fn edge_and_parts(&self, s: f64, known: Option<(Self, [f64; 2])>) -> (f64, [f64; 2]) {
        let sigmas = |spread: &Self| [spread.sigma, spread.wide];
        let part = |k: usize| match known {
            Some((spread, parts)) if sigmas(&spread)[k] == sigmas(self)[k] => parts[k],
            _ => normal_cdf(s / sigmas(self)[k]),
        };
        let parts = [part(0), part(1)];
        (if self.overshoot == 0.0 { parts[0] } else { self.mix(parts) }, parts)
    }

    fn mix(&self, [main, wide]: [f64; 2]) -> f64 {
        (1.0 + self.overshoot) * main - self.overshoot * wide
    }
}

/// The image of a unit step in a table, for where it is asked for often.
pub(super) struct EdgeTable {
    values: Vec<f64>,
    per_mm: f64,
    reach_mm: f64,
}

impl EdgeTable {
    /// Entries per standard deviation: what is linear between them is right to 5e-5.
    const PER_SIGMA: f64 = 25.0;
    /// Beyond so many standard deviations the step is over.
    const SIGMAS: f64 = 4.5;

    pub(super) fn new(spread: &LineSpread) -> Self {
        let widest = if spread.overshoot == 0.0 { spread.sigma } else { spread.sigma.max(spread.wide) };
        let (reach_mm, per_mm) = (Self::SIGMAS * widest, Self::PER_SIGMA / spread.sigma);
        let count = (2.0 * reach_mm * per_mm) as usize;
        Self { values: (0..=count + 1).map(|k| spread.edge(k as f64 / per_mm - reach_mm)).collect(), per_mm, reach_mm }
    }

    pub(super) fn at(&self, s: f64) -> f64 {
        self.with_slope(s).0
    }

    /// The image and its slope, per mm.
    pub(super) fn with_slope(&self, s: f64) -> (f64, f64) {
        let place = ((s + self.reach_mm) * self.per_mm).clamp(0.0, (self.values.len() - 2) as f64);
        // as 32 bits, which one instruction makes
        let k = place as u32 as usize;
        let rise = self.values[k + 1] - self.values[k];
        (self.values[k] + (place - k as f64) * rise, rise * self.per_mm)
    }
}

/// The standard normal distribution function, to 1e-7 (Abramowitz and Stegun 7.1.26).
pub(super) fn normal_cdf(x: f64) -> f64 {
    let z = x.abs() * std::f64::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let poly =
        t * (0.254_829_592 + t * (-0.284_496_736 + t * (1.421_413_741 + t * (-1.453_152_027 + t * 1.061_405_429))));
    let tail = 0.5 * poly * (-z * z).exp();
    if x >= 0.0 { 1.0 - tail } else { tail }
}
