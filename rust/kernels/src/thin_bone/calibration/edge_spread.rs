//! The edge spread of many patches of skin together, and the point spread function that explains it.

use super::air::Censor;
use super::patch::{AIR_MM, Patch, TISSUE_MM};
use crate::thin_bone::linalg::solve;
use crate::thin_bone::psf::Psf;
use rayon::prelude::*;

/// One standard deviation off a prior costs as much as this many samples off by the noise.
const PRIOR_SAMPLES: f64 = 20.0;
/// Distances are averaged in bins of this width.
const BIN_MM: f64 = 0.1;
const BINS: usize = ((AIR_MM + TISSUE_MM) / BIN_MM) as usize;
/// Directions are averaged in this many bins of the squared through-plane component of the normal.
const TILTS: usize = 10;

/// The patches' samples averaged by distance and tilt, as a share of the step from air to tissue.
pub(super) struct EdgeSpread {
    /// Sums of weight, value and distance, tilt.
    bins: Vec<[f64; 5]>,
}

impl EdgeSpread {
    pub(super) fn new<'a>(patches: impl Iterator<Item = &'a Patch>, psf: &Psf) -> Self {
        let mut bins = vec![[0.0; 5]; TILTS * BINS];
        for p in patches {
            let tilt = ((p.nz2 * TILTS as f64) as usize).min(TILTS - 1);
            let spread = psf.along(p.nz2);
            for sample in &p.samples {
                let d = p.depth_mm(sample, &p.offset);
                let at = (d + AIR_MM) / BIN_MM;
                if at >= 0.0 && at < BINS as f64 {
                    let bin = &mut bins[tilt * BINS + at as usize];
                    let skin = f64::from(sample.hu) - p.deep_hu * spread.edge(d - p.deep_mm);
                    for (sum, v) in bin.iter_mut().zip([1.0, skin, d, p.nz2, p.tissue_hu]) {
                        *sum += v;
                    }
                }
            }
        }
        bins.retain(|b| b[0] >= 4.0);
        for b in &mut bins {
            for k in 1..5 {
                b[k] /= b[0];
            }
        }
        Self { bins }
    }
}

/// Levenberg and Marquardt over the widths, the overshoot and the value of air.
///
/// How wide the subtracted Gaussian is barely shows beside how much of it there is, so the parameters are held
/// softly to what kernels have. Starts from the widths of `start`, and from each of some `overshoots`.
pub(super) fn fit(
    seen: &EdgeSpread,
    start: Psf,
    overshoots: &[f64],
    air_hu: f64,
    censor: Censor,
) -> Option<(Psf, f64)> {
    const N: usize = 5;
    const PRIOR: [(f64, f64); N] = [(0.0, f64::INFINITY), (0.0, f64::INFINITY), (0.0, 0.3), (2.2, 0.15), (0.0, 10.0)];
    let psf = |p: [f64; N]| Psf {
        sigma_xy_mm: p[0].exp(),
        sigma_z_mm: p[1].exp(),
        overshoot: p[2],
        sigma_wide_mm: p[0].exp() * p[3],
    };
    let clamp = |p: [f64; N]| {
        [
            p[0].clamp(-2.5, 1.2),
            p[1].clamp(-2.5, 1.6),
            p[2].clamp(0.0, 0.6),
            p[3].clamp(1.5, 4.0),
            p[4].clamp(-30.0, 30.0),
        ]
    };
    let value = |edge: f64, shift: f64, tissue: f64| {
        let air = air_hu + shift;
        censor.mean(air + (tissue - air) * edge)
    };
    let weight_of_prior = censor.noise.powi(2) * PRIOR_SAMPLES;
    let misfit = |p: [f64; N]| {
        let f = psf(p);
        let data: f64 = seen
            .bins
            .iter()
            .map(|&[weight, hu, d, nz2, tissue]| weight * (hu - value(f.along(nz2).edge(d), p[4], tissue)).powi(2))
            .sum();
        let prior: f64 = (0..N).map(|k| ((p[k] - PRIOR[k].0) / PRIOR[k].1).powi(2)).sum();
        data + weight_of_prior * prior
    };
    let descend = |overshoot: f64| {
        let mut p = clamp([start.sigma_xy_mm.ln(), start.sigma_z_mm.ln(), overshoot, PRIOR[3].0, 0.0]);
        let mut cost = misfit(p);
        let mut damping = 1e-2;
        for _ in 0..40 {
            let mut normal = [[0.0; N]; N];
            let mut right = [0.0; N];
            let now = psf(p);
            let steps: [(Psf, f64); N] = std::array::from_fn(|k| {
                let mut q = p;
                q[k] += 1e-4;
                (psf(q), q[4])
            });
            for &[weight, hu, d, nz2, tissue] in &seen.bins {
                let spread = now.along(nz2);
                let (edge, parts) = spread.edge_and_parts(d, None);
                let m = value(edge, p[4], tissue);
                let row: [f64; N] = std::array::from_fn(|k| {
                    let (step, shift) = &steps[k];
                    // most steps leave one of both Gaussians as it is
                    let (edge, _) = step.along(nz2).edge_and_parts(d, Some((spread, parts)));
                    (value(edge, *shift, tissue) - m) / 1e-4
                });
                for i in 0..N {
                    right[i] += weight * row[i] * (hu - m);
                    for j in 0..=i {
                        normal[i][j] += weight * row[i] * row[j];
                    }
                }
            }
            for k in 0..N {
                let w = weight_of_prior / PRIOR[k].1.powi(2);
                normal[k][k] += w;
                right[k] -= w * (p[k] - PRIOR[k].0);
            }
            let mut improved = false;
            for _ in 0..8 {
                let mut damped = normal;
                for (i, row) in damped.iter_mut().enumerate() {
                    row[i] = row[i] * (1.0 + damping) + 1e-9;
                }
                let Some(step) = solve(damped, right) else {
                    damping *= 10.0;
                    continue;
                };
                let trial = clamp(std::array::from_fn(|k| p[k] + step[k]));
                let trial_cost = misfit(trial);
                if trial_cost < cost {
                    let gain = (cost - trial_cost) / cost;
                    (p, cost) = (trial, trial_cost);
                    damping = (damping * 0.3).max(1e-9);
                    improved = gain > 1e-7;
                    break;
                }
                damping *= 5.0;
            }
            if !improved {
                break;
            }
        }
        (p, cost)
    };
    let found: Vec<([f64; N], f64)> = overshoots.par_iter().map(|&overshoot| descend(overshoot)).collect();
    let (p, cost) = found.into_iter().min_by(|a, b| a.1.total_cmp(&b.1))?;
    cost.is_finite().then(|| (psf(p), air_hu + p[4]))
}
