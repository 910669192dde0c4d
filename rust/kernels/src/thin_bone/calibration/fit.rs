//! The point spread function that explains many patches of skin, each with its own tissue and exact place, by turns:
//! where the patches lie, given the blur, and the blur, given where they lie.

use super::air::Censor;
use super::edge_spread::{self, EdgeSpread};
use super::patch::Patch;
use super::settle;
use crate::thin_bone::psf::Psf;
use rayon::prelude::*;

/// How deep what lies under the skin is, is settled in so many rounds.
const DEEP_ROUNDS: usize = 2;
const LEAST_PATCHES: usize = 40;
const MOST_ROUNDS: usize = 15;
/// Where the search for the overshoot starts, until the patches have settled for the first time: of a smooth kernel, and
/// of one that enhances edges.
const OVERSHOOTS: [f64; 2] = [0.02, 0.25];
/// The error is that of so many interleaved parts.
const PARTS: usize = 8;

/// What explains the patches.
pub(super) struct Fit {
    pub(super) psf: Psf,
    pub(super) air_hu: f64,
    pub(super) relative_error: [f64; 2],
    pub(super) patches: usize,
}

/// The point spread function that explains the patches, each with its own tissue and exact place; patches
/// that it explains badly (hair, cloth, creases) are left out.
pub(super) fn fit(mut patches: Vec<Patch>, guess: Psf, mut air_hu: f64, censor: Censor) -> Option<Fit> {
    if patches.len() < LEAST_PATCHES {
        return None;
    }
    let mut psf = guess;
    // First the skin is taken for homogeneous: from a poor guess, what lies under it would soak up the blur.
    for layered in [false, true] {
        for round in 0..MOST_ROUNDS {
            let depths = match (layered, round < DEEP_ROUNDS) {
                (false, _) => Some(&settle::DEEP_MM[..1]),
                (true, true) => Some(&settle::DEEP_MM[..]),
                (true, false) => None,
            };
            let misfit: Vec<f64> =
                patches.par_iter_mut().map(|p| settle::settle(p, &psf, air_hu, censor, depths, layered)).collect();
            if round > 0 {
                let mut sorted = misfit.clone();
                sorted.sort_by(f64::total_cmp);
                let bound = 1.5 * sorted[sorted.len() / 2];
                let mut keep = misfit.iter().map(|&m| m <= bound);
                patches.retain(|_| keep.next().unwrap_or(false));
                if patches.len() < LEAST_PATCHES {
                    return None;
                }
            }
            let before = psf;
            let overshoots = if round < DEEP_ROUNDS { &OVERSHOOTS[..] } else { &[psf.overshoot] };
            (psf, air_hu) = edge_spread::fit(&EdgeSpread::new(patches.iter(), &psf), psf, overshoots, air_hu, censor)?;
            let change = |now: f64, before: f64| (now / before - 1.0).abs();
            let settled = change(psf.sigma_xy_mm, before.sigma_xy_mm) < 1e-3
                && change(psf.sigma_z_mm, before.sigma_z_mm) < 2e-3
                && (psf.overshoot - before.overshoot).abs() < 3e-3;
            if round > 1 && settled {
                break;
            }
        }
    }
    let relative_error = jackknife(&patches, psf, air_hu, censor);
    Some(Fit { psf, relative_error, patches: patches.len(), air_hu })
}

/// Relative standard errors of the in-plane and the through-plane width: how they scatter when each of interleaved
/// parts of the patches is left out.
fn jackknife(patches: &[Patch], psf: Psf, air_hu: f64, censor: Censor) -> [f64; 2] {
    let parts: Vec<Psf> = (0..PARTS)
        .into_par_iter()
        .filter_map(|leave| {
            let rest = patches.iter().enumerate().filter(|(i, _)| i % PARTS != leave).map(|(_, p)| p);
            edge_spread::fit(&EdgeSpread::new(rest, &psf), psf, &[psf.overshoot], air_hu, censor).map(|(psf, _)| psf)
        })
        .collect();
    let spread = |of: &dyn Fn(&Psf) -> f64| {
        let n = parts.len() as f64;
        let mean = parts.iter().map(of).sum::<f64>() / n;
        ((n - 1.0) / n * parts.iter().map(|p| (of(p) - mean).powi(2)).sum::<f64>()).sqrt() / mean
    };
    [spread(&|p| p.sigma_xy_mm), spread(&|p| p.sigma_z_mm)]
}
