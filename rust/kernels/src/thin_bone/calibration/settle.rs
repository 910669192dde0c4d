//! Where exactly a patch's edge lies, and what lies under its skin.

use super::air::Censor;
use super::patch::Patch;
use crate::thin_bone::linalg::solve;
use crate::thin_bone::psf::{EdgeTable, Psf};
use multiversion::multiversion;

/// How thick skin may be, and how much what lies under it may differ.
pub(super) const DEEP_MM: [f64; 4] = [1.0, 1.4, 1.8, 2.4];
const DEEP_SD_HU: f64 = 60.0;

/// Moves a patch to where the edge fits best and finds its tissue and what lies under it; gives its mean
/// squared residual. Without depths to try, what lies under it stays where it was.
pub(super) fn settle(
    patch: &mut Patch,
    psf: &Psf,
    air_hu: f64,
    censor: Censor,
    depths_mm: Option<&[f64]>,
    layered: bool,
) -> f64 {
    let spread = EdgeTable::new(&psf.along(patch.nz2));
    let mut rows = Vec::with_capacity(patch.samples.len());
    let mut fit = |deep_mm: f64| {
        let (mut tissue, mut offset, mut deep) = (patch.tissue_hu, patch.offset, patch.deep_hu);
        let mut misfit = 0.0;
        for _ in 0..3 {
            let height = tissue - air_hu;
            rows.clear();
            rows.extend(patch.samples.iter().map(|sample| {
                let d = patch.depth_mm(sample, &offset);
                let (edge, under) = (spread.at(d), spread.at(d - deep_mm));
                let slope = (spread.at(d + 0.01) - spread.at(d - 0.01)) / 0.02;
                let r = f64::from(sample.hu) - censor.mean(air_hu + height * edge + deep * under);
                let fall = -height * slope;
                let [a, b] = sample.aside_mm.map(f64::from);
                (r, [edge, under, fall, fall * a, fall * b, fall * a * a, fall * a * b, fall * b * b])
            }));
            misfit = rows.iter().map(|(r, _)| r * r).sum();
            let (mut normal, mut right) = normal_equations(&rows);
            // Under the skin lies fat or more of the same: without that bound the deep step would stand in for
            // the kernel's own overshoot.
            let sd = if layered { DEEP_SD_HU } else { 0.1 };
            let softly = (censor.noise / sd).powi(2);
            normal[1][1] += softly;
            right[1] -= softly * deep;
            let Some(step) = solve(normal, right) else { break };
            tissue += step[0];
            deep = (deep + step[1]).clamp(-250.0, 100.0);
            for (o, s) in offset.iter_mut().zip(&step[2..]) {
                *o = (*o + s).clamp(-0.5, 0.5);
            }
        }
        (misfit / patch.samples.len() as f64, tissue, offset, deep, deep_mm)
    };
    let depths_mm = depths_mm.unwrap_or(std::slice::from_ref(&patch.deep_mm));
    let best = depths_mm.iter().map(|&mm| fit(mm)).min_by(|a, b| a.0.total_cmp(&b.0));
    let (misfit, tissue, offset, deep, deep_mm) = best.expect("depths to try");
    (patch.tissue_hu, patch.offset, patch.deep_hu, patch.deep_mm) = (tissue, offset, deep, deep_mm);
    misfit
}

/// The normal equations of residuals and their rows.
#[multiversion(targets("x86_64+avx2"))]
fn normal_equations(rows: &[(f64, [f64; 8])]) -> ([[f64; 8]; 8], [f64; 8]) {
    let (mut normal, mut right) = ([[0.0; 8]; 8], [0.0; 8]);
    for (r, row) in rows {
        // whole rows, though half of them is read: several at a time take less
        for i in 0..8 {
            right[i] += row[i] * r;
            normal[i].iter_mut().zip(row).for_each(|(sum, v)| *sum += row[i] * v);
        }
    }
    (normal, right)
}
