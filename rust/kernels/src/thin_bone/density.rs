//! How dense the scan's bone is: thick bone, and walls about a millimetre thick whose thickness still shows.

use super::linalg::solve;
use super::measure::{AIR_HU, Scale};
use super::profile::Profile;
use super::psf::EdgeTable;
use super::sheets::Node;
use crate::{Grid, Voxel};
use ndarray::{ArrayRef3, s};
use rayon::prelude::*;

/// HU of thick bone where the scan has none.
const DEFAULT_BONE_HU: f64 = 1300.0;
/// Thin walls are less dense than thick cortex by about this.
const THIN_SHARE: f64 = 0.85;
const LEAST_SHARE: f64 = 0.75;
/// Walls that are looked at, at most, and at least.
const MOST_WALLS: usize = 2000;
const LEAST_WALLS: usize = 30;
/// Walls of this thickness are looked at, by their mass and the density of thick bone; thicknesses are tried in
/// steps.
const WALLS_MM: std::ops::Range<f32> = 0.6..1.1;
const STEP_MM: f64 = 0.08;
const STEPS: usize = 24;

/// HU of bone that is bone all around for a millimetre: of its denser half.
pub(super) fn thick_bone<T: Voxel>(ct: &ArrayRef3<T>, base: &ArrayRef3<u8>, grid: &Grid, noise_hu: f64) -> f64 {
    let size = grid.size();
    let reach = grid.spacing_mm().map(|s| (1.0 / s).ceil() as usize);
    if (0..3).any(|a| size[a] <= 2 * reach[a]) {
        return DEFAULT_BONE_HU;
    }
    let mut values: Vec<f32> = (reach[2]..size[2] - reach[2])
        .into_par_iter()
        .flat_map_iter(|z| {
            (reach[1]..size[1] - reach[1]).flat_map(move |y| {
                let is_deep = move |x: usize| {
                    [(0, 0, 1), (0, 1, 0), (1, 0, 0)].into_iter().all(|(a, b, c)| {
                        base[[z + a * reach[2], y + b * reach[1], x + c * reach[0]]] != 0
                            && base[[z - a * reach[2], y - b * reach[1], x - c * reach[0]]] != 0
                    })
                };
                let inner = base.slice(s![z, y, reach[0]..size[0] - reach[0]]);
                let bone = inner.into_iter().zip(reach[0]..).filter(|(b, _)| **b != 0).map(|(_, x)| x);
                bone.filter(move |&x| is_deep(x)).map(move |x| ct[[z, y, x]].to_f32())
            })
        })
        .filter(|v| v.is_finite())
        .collect();
    if values.len() < 200 {
        return DEFAULT_BONE_HU;
    }
    // marrow and diploe are softer: the denser half is cortex; noise alone lifts its middle by 0.67 of itself
    let rank = values.len() * 3 / 4;
    let upper = f64::from(*values.select_nth_unstable_by(rank, f32::total_cmp).1);
    (upper - 0.67 * noise_hu).clamp(700.0, 2200.0)
}

/// HU of walls about a millimetre thick, at most that of thick bone, which `scale` has; a typical share of that where too few show it.
pub(super) fn thin_bone<T: Voxel>(ct: &ArrayRef3<T>, nodes: &[Node], scale: &Scale) -> f64 {
    let thick_hu = scale.bone_hu;
    let fit: Vec<&Node> = nodes
        .iter()
        .filter(|n| {
            WALLS_MM.contains(&n.wall.thickness_mm)
                && n.wall.thickness_mm > 1.6 * n.wall.sigma_mm
                && n.wall.evidence > 10.0
                // mucosa lines walls next to air, and would count as theirs
                && f64::from(n.wall.media[0].min(n.wall.media[1])) > AIR_HU
        })
        .collect();
    let stride = fit.len().div_ceil(MOST_WALLS).max(1);
    let mut found: Vec<f64> = fit
        .par_iter()
        .step_by(stride)
        .filter_map(|n| wall(ct, n, scale))
        .filter(|hu| (500.0..2500.0).contains(hu))
        .collect();
    if found.len() < LEAST_WALLS {
        return THIN_SHARE * thick_hu;
    }
    found.sort_by(f64::total_cmp);
    let shown = found[found.len() / 2].clamp(LEAST_SHARE * thick_hu, thick_hu);
    // walls hardly wider than the blur show too little: the typical share counts as much as what they show
    0.5 * (shown + THIN_SHARE * thick_hu)
}

/// HU of one wall: its mass over the thickness that explains its profile best.
fn wall<T: Voxel>(ct: &ArrayRef3<T>, node: &Node, scale: &Scale) -> Option<f64> {
    let profile = Profile::new(node.direction, scale);
    let edge = EdgeTable::new(&profile.spread);
    let (values, _) = profile.values(ct, node.voxel);
    let occupied = (0..profile.bins).filter(|&b| profile.weight[b] > 0.0);
    let samples: Vec<(f64, f64, f64)> =
        occupied.map(|b| (profile.distance_mm[b], profile.weight[b].sqrt(), f64::from(values[b]))).collect();
    if samples.len() * 10 < profile.bins * 9 {
        return None;
    }
    let square: f64 = samples.iter().map(|(.., v)| v * v).sum();
    let mut costs = [f64::INFINITY; STEPS];
    let mut best = (f64::INFINITY, 0, [0.0; 3]);
    for (k, cost) in costs.iter_mut().enumerate().skip(1) {
        let thickness_mm = k as f64 * STEP_MM;
        for shift in -2..=2 {
            let middle = f64::from(node.wall.shift_mm) + f64::from(shift) * STEP_MM;
            let (mut normal, mut right) = ([[0.0; 3]; 3], [0.0; 3]);
            for &(mm, root, v) in &samples {
                let s = mm - middle;
                let near = edge.at(s + 0.5 * thickness_mm);
                let far = edge.at(s - 0.5 * thickness_mm);
                let row = [root, root * 0.5 * (near + far), root * (near - far) / thickness_mm];
                for i in 0..3 {
                    right[i] += row[i] * v;
                    for j in 0..=i {
                        normal[i][j] += row[i] * row[j];
                    }
                }
            }
            let Some(x) = solve(normal, right) else { continue };
            let left = square - (0..3).map(|i| x[i] * right[i]).sum::<f64>();
            *cost = cost.min(left);
            if left < best.0 {
                best = (left, k, x);
            }
        }
    }
    let (cost, k, x) = best;
    if k < 3 || k + 1 >= STEPS {
        return None;
    }
    let (left, right) = (costs[k - 1], costs[k + 1]);
    let bend = left + right - 2.0 * cost;
    let fraction = if bend > 0.0 { 0.5 * (left - right) / bend } else { 0.0 };
    let thickness_mm = (k as f64 + fraction) * STEP_MM;
    Some(x[0] + 0.5 * x[1] + x[2] / thickness_mm)
}
