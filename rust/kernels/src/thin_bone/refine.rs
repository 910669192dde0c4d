//! How thick walls are, once the density of thin bone is known.
//!
//! A linear fit of a plate of fixed width tells whether there is a wall. How thick it is depends on what else the
//! blur hides: the mucosa that lines it, and its own width. With the blur and the bone's density known, the two
//! surfaces of the wall, the surface of its lining and the media are fitted together, by Gauss and Newton with
//! Marquardt's damping.

use super::linalg::solve;
use super::measure::{AIR_HU, LINING_HU, Scale};
use super::profile::{MOST_BINS, Profile};
use super::psf::EdgeTable;
use super::sheets::Node;
use crate::{Job, Result, Voxel};
use ndarray::ArrayRef3;
use rayon::prelude::*;

/// A lining's thickness to start from, and how thick linings usually are: its standard deviation, mm.
const START_LINING_MM: [f64; 2] = [0.1, 0.7];
const LINING_MM: f64 = 1.0;
const ROUNDS: usize = 12;

/// Parameters: the wall's middle, its thickness, the lining's thickness, HU of both media and of the lining.
const N: usize = 6;
const LEAST: [f64; N] = [-1.5, 0.0, 0.0, -1100.0, -1100.0, -100.0];
const MOST: [f64; N] = [1.5, 3.0, 3.0, 300.0, 300.0, 200.0];

/// The thickness in mm of each node that is `bone` and shows it, of the others as it was measured; `scale` has the
/// density of thin bone.
pub(super) fn thickness<T: Voxel>(
    ct: &ArrayRef3<T>,
    nodes: &[Node],
    bone: &[bool],
    scale: &Scale,
    job: &Job,
) -> Result<Vec<f32>> {
    let is_asked = |&k: &u32| bone[k as usize] && nodes[k as usize].wall.evidence > 0.0;
    let mut order: Vec<u32> = (0..nodes.len() as u32).filter(is_asked).collect();
    order.par_sort_unstable_by_key(|&k| (nodes[k as usize].direction, k));
    let groups: Vec<&[u32]> =
        order.chunk_by(|&a, &b| nodes[a as usize].direction == nodes[b as usize].direction).collect();
    let steps = job.steps(groups.len());
    let found: Vec<Vec<(u32, f32)>> = groups
        .into_par_iter()
        .with_max_len(1)
        .map(|group| {
            steps.step()?;
            let profile = Profile::new(nodes[group[0] as usize].direction, scale);
            let edge = EdgeTable::new(&profile.spread);
            Ok(group
                .iter()
                .map(|&k| {
                    let node = &nodes[k as usize];
                    let (values, _) = profile.values(ct, node.voxel);
                    let fit = Fit { profile: &profile, edge: &edge, values: &values, scale };
                    (k, fit.thickness_mm(node) as f32)
                })
                .collect())
        })
        .collect::<Result<_>>()?;
    let mut thickness: Vec<f32> = nodes.iter().map(|n| n.wall.thickness_mm).collect();
    found.into_iter().flatten().for_each(|(k, mm)| thickness[k as usize] = mm);
    Ok(thickness)
}

/// One profile to be explained.
struct Fit<'a> {
    profile: &'a Profile,
    edge: &'a EdgeTable,
    values: &'a [f32; MOST_BINS],
    scale: &'a Scale,
}

impl Fit<'_> {
    fn thickness_mm(&self, node: &Node) -> f64 {
        let wall = &node.wall;
        let [behind, ahead] = wall.media.map(f64::from);
        let is_lined = behind.min(ahead) < AIR_HU;
        let start =
            |lining_mm| [f64::from(wall.shift_mm), f64::from(wall.thickness_mm), lining_mm, behind, ahead, LINING_HU.0];
        let starts = if is_lined { &START_LINING_MM[..] } else { &[0.0] };
        let fits = starts.iter().map(|&mm| self.descend(start(mm), is_lined));
        fits.min_by(|a, b| a.1.total_cmp(&b.1)).map_or(0.0, |(p, _)| p[1])
    }

    /// The best parameters near some, and their cost; without a lining its two stay as they are.
    fn descend(&self, start: [f64; N], is_lined: bool) -> ([f64; N], f64) {
        let within = |p: [f64; N]| std::array::from_fn(|k| p[k].clamp(LEAST[k], MOST[k]));
        let mut p: [f64; N] = within(start);
        let (mut cost, mut normal, mut right) = self.normal(&p);
        let mut damping = 1e-2;
        for _ in 0..ROUNDS {
            let mut damped = normal;
            for (k, row) in damped.iter_mut().enumerate() {
                row[k] = row[k] * (1.0 + damping) + 1e-9;
            }
            let mut pull = right;
            if !is_lined {
                for k in [2, 5] {
                    damped[k] = [0.0; N];
                    damped.iter_mut().for_each(|row| row[k] = 0.0);
                    damped[k][k] = 1.0;
                    pull[k] = 0.0;
                }
            }
            let Some(step) = solve(damped, pull) else { break };
            let trial = within(std::array::from_fn(|k| p[k] + step[k]));
            let (trial_cost, trial_normal, trial_right) = self.normal(&trial);
            if trial_cost < cost {
                let gain = (cost - trial_cost) / cost;
                (p, cost, normal, right) = (trial, trial_cost, trial_normal, trial_right);
                damping *= 0.3;
                if gain < 1e-4 {
                    break;
                }
            } else {
                damping *= 8.0;
            }
        }
        (p, cost)
    }

    /// Squared misfit, and the normal equations of the step that lessens it.
    fn normal(&self, p: &[f64; N]) -> (f64, [[f64; N]; N], [f64; N]) {
        let [middle, thickness, lining, behind, ahead, lining_hu] = *p;
        let bone = self.scale.bone_hu;
        let (mut normal, mut right, mut cost) = ([[0.0; N]; N], [0.0; N], 0.0);
        let mut add = |row: [f64; N], off: f64| {
            cost += off * off;
            for i in 0..N {
                right[i] += row[i] * off;
                for j in 0..=i {
                    normal[i][j] += row[i] * row[j];
                }
            }
        };
        let edges = [middle - 0.5 * thickness, middle + 0.5 * thickness, middle + 0.5 * thickness + lining];
        let heights = [bone - behind, lining_hu - bone, ahead - lining_hu];
        for b in (0..self.profile.bins).filter(|&b| self.profile.weight[b] > 0.0) {
            let root = self.profile.weight[b].sqrt();
            let s = self.profile.distance_mm[b];
            let images = edges.map(|e| self.edge.with_slope(s - e));
            let seen = images.map(|(image, _)| image);
            let fall = [0, 1, 2].map(|k| -heights[k] * images[k].1);
            let model = behind + (0..3).map(|k| heights[k] * seen[k]).sum::<f64>();
            let row = [
                fall[0] + fall[1] + fall[2],
                0.5 * (fall[1] + fall[2] - fall[0]),
                fall[2],
                1.0 - seen[0],
                seen[2],
                seen[1] - seen[2],
            ];
            add(row.map(|c| c * root), f64::from(self.values[b]) - root * model);
        }
        let noise = self.scale.noise_hu * self.scale.noise_voxels.sqrt();
        let mut known = |k: usize, mean: f64, sd: f64| {
            let mut row = [0.0; N];
            row[k] = noise / sd;
            add(row, noise / sd * (mean - p[k]));
        };
        known(2, 0.0, LINING_MM);
        known(5, LINING_HU.0, LINING_HU.1);
        (cost, normal, right)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::thin_bone::directions;
    use crate::thin_bone::linalg::dot;
    use crate::thin_bone::measure;
    use crate::thin_bone::psf::Psf;
    use ndarray::Array3;

    #[test]
    fn a_lining_does_not_count_as_bone() {
        let spacing = [0.45, 0.45, 0.6];
        let psf = Psf::gaussian(1.0, 0.7);
        let scale = Scale { bone_hu: 1050.0, noise_hu: 10.0, ..Scale::usual(psf, spacing) };
        let direction = directions::nearest([0.8, 0.5, 0.33]);
        let n = directions::vector(direction);
        let spread = psf.along(n[2] * n[2]);
        for (wall_mm, lining_mm) in [(0.25, 0.0), (0.25, 0.35), (0.25, 0.7), (0.5, 0.0), (0.5, 0.5), (0.7, 0.8)] {
            let ct = Array3::from_shape_fn((15, 21, 21), |(z, y, x)| {
                let r = [0, 1, 2].map(|a| ([x, y, z][a] as f64 - [10.0, 10.0, 7.0][a]) * spacing[a]);
                let s = dot(r, n) - 0.07;
                let faces = [-0.5 * wall_mm, 0.5 * wall_mm, 0.5 * wall_mm + lining_mm];
                let steps = [1050.0 + 100.0, 40.0 - 1050.0, -1000.0 - 40.0];
                (-100.0 + (0..3).map(|k| steps[k] * spread.edge(s - faces[k])).sum::<f64>()) as f32
            });
            let voxel = (7 * 21 + 10) * 21 + 10;
            let nodes = [Node { voxel, direction, wall: measure::one(&ct, voxel, n, &scale).unwrap() }];
            let linear = nodes[0].wall.thickness_mm;
            let found = thickness(&ct, &nodes, &[true], &scale, &Job::new()).unwrap()[0];
            println!("{wall_mm} mm under {lining_mm} mm: {found:.3} mm; linear {linear:.3} mm");
            assert!((f64::from(found) - wall_mm).abs() < 0.05, "{found} of {wall_mm} mm under {lining_mm} mm");
        }
    }
}
