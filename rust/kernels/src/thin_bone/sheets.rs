//! Which measured walls belong together, and which of them are bone.
//!
//! Evidence of one place is weak where a wall is thin; neighbours on the same sheet share it. A sheet is grown
//! from places where the shared evidence is strong over places where it still speaks for a wall, as far as its
//! mass does not fall below a share of what the sheet around it has: half the mass is where a hole's rim is.

use super::directions;
use super::linalg::{Vec3, dot};
use super::measure::Wall;
use crate::{Grid, Job, Result};
use rayon::prelude::*;

/// A wall measured through one voxel.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    pub(super) voxel: u32,
    pub(super) direction: u16,
    pub(super) wall: Wall,
}

impl Node {
    pub(super) fn n(&self) -> Vec3 {
        directions::vector(self.direction)
    }

    /// The wall's middle nearest to the voxel's centre, mm along the grid's axes.
    pub(super) fn middle(&self, grid: &Grid) -> Vec3 {
        let [nx, ny, _] = grid.size();
        let v = self.voxel as usize;
        let at = [v % nx, v / nx % ny, v / (nx * ny)];
        let (n, shift) = (self.n(), f64::from(self.wall.shift_mm));
        [0, 1, 2].map(|a| at[a] as f64 * grid.spacing_mm()[a] + n[a] * shift)
    }
}

/// Neighbours on one sheet differ by less than about 40 degrees.
const LEAST_COSINE: f64 = 0.77;
/// And lie at most this far from each other's plane: mm, and per mm aside.
const OFF_PLANE_MM: f64 = 0.35;
const OFF_PLANE_SLOPE: f64 = 0.25;
/// Evidence is shared over this standard deviation along the sheet.
const SHARE_MM: f64 = 1.5;
/// No place speaks louder than this.
const LOUDEST: f32 = 6.0;
/// Shared evidence from which a sheet starts, over which it grows, and what a place itself must show at least.
const START: f32 = 2.0;
const GROW: f32 = 0.15;
const OWN: f32 = -0.5;
/// Evidence from which a place needs no neighbours to say that there is a wall, if it has this share of theirs.
const SURE: f32 = 1.5;
const SURE_SHARE: f32 = 0.2;
/// Otherwise, where the mass falls below this share of the sheet's around it, there is a hole; thicker walls do not
/// say how thick a thin one beside them should be.
const RIM_SHARE: f32 = 0.5;
const THICK_RIM_MM: f32 = 0.8;
/// And where what the wall does not explain exceeds this share of its height, something else is there.
const MISFIT: f32 = 0.2;
/// Media brighter than this are bone: the place is the surface of thick bone, which is not for sheets, HU.
const BESIDE_BONE_HU: f32 = 500.0;
/// Smaller sheets are left out.
const LEAST_SHEET_MM2: f64 = 25.0;

/// What linking found for each node.
pub(super) struct Linked {
    /// Whether the node is bone.
    pub(super) bone: Vec<bool>,
    /// Thickness pooled along the sheet.
    pub(super) thickness_mm: Vec<f32>,
    /// How many sheets there are.
    pub(super) sheets: usize,
}

/// Links the nodes, which are in order of their voxels, into sheets.
pub(super) fn link(nodes: &[Node], noise_hu: f32, grid: &Grid, job: &Job) -> Result<Linked> {
    let graph = Graph::new(nodes, grid);
    job.check()?;
    let evidence = nodes.iter().map(|n| [n.wall.evidence.clamp(-LOUDEST, LOUDEST), 1.0]).collect();
    let shared = graph.diffuse(evidence, SHARE_MM, &job.part(0.1, 0.5))?;
    let shared: Vec<f32> = shared.into_iter().map(|[e, w]| e / w).collect();
    // what the wall around has
    let around = nodes
        .iter()
        .zip(&shared)
        .map(|(n, &e)| {
            let t = n.wall.thickness_mm.min(THICK_RIM_MM);
            if n.wall.evidence > OWN && e > GROW { [t, 1.0] } else { [0.0; 2] }
        })
        .collect();
    let around = graph.diffuse(around, SHARE_MM, &job.part(0.5, 0.8))?;
    let pooled = nodes
        .iter()
        .map(|n| {
            let contrast = n.wall.thickness_mm / n.wall.mass.abs().max(1e-3);
            let trust = if n.wall.evidence > 0.0 { (n.wall.mass_se * contrast.abs() + 0.02).powi(-2) } else { 0.0 };
            [trust * n.wall.thickness_mm, trust]
        })
        .collect();
    let pooled = graph.diffuse(pooled, 0.8 * SHARE_MM, &job.part(0.8, 0.9))?;
    let whole: Vec<bool> = nodes
        .iter()
        .enumerate()
        .map(|(k, n)| {
            let [thickness, weight] = around[k];
            let rim = if weight > 0.0 { thickness / weight } else { 0.0 };
            shared[k] >= GROW && is_whole(&n.wall, rim, noise_hu)
        })
        .collect();
    let (bone, sheets) = graph.grow(&whole, |k| shared[k] >= START);
    let thickness_mm =
        pooled.iter().zip(nodes).map(|([t, w], n)| if *w > 0.0 { t / w } else { n.wall.thickness_mm.max(0.0) });
    Ok(Linked { bone, thickness_mm: thickness_mm.collect(), sheets })
}

/// Whether a place holds a wall as far as the place itself and the thickness `rim_mm` around it say.
fn is_whole(wall: &Wall, rim_mm: f32, noise_hu: f32) -> bool {
    let height_hu = wall.mass / (2.5 * wall.sigma_mm);
    let misfit_hu = (wall.residual_hu.powi(2) - noise_hu.powi(2)).max(0.0).sqrt();
    let is_sure = wall.evidence > SURE && wall.thickness_mm >= SURE_SHARE * rim_mm;
    let is_even = misfit_hu < MISFIT * height_hu && wall.thickness_mm >= RIM_SHARE * rim_mm;
    wall.media[0].max(wall.media[1]) <= BESIDE_BONE_HU && wall.evidence >= OWN && (is_sure || is_even)
}

/// Which of each node's 26 neighbours lie on its sheet.
struct Graph<'a> {
    nodes: &'a [Node],
    spacing: Vec3,
    index: Index,
    /// Bit k: the neighbour at offset k of a 3x3x3 block.
    linked: Vec<u32>,
    /// How far in memory each neighbour is.
    strides: [isize; BLOCK],
}

const BLOCK: usize = 27;

fn offset(k: usize) -> [isize; 3] {
    [k % 3, k / 3 % 3, k / 9].map(|i| i as isize - 1)
}

impl<'a> Graph<'a> {
    fn new(nodes: &'a [Node], grid: &Grid) -> Self {
        let spacing = grid.spacing_mm();
        let index = Index::new(nodes, grid);
        let linked = nodes
            .par_iter()
            .map(|node| {
                let n = node.n();
                let shift = f64::from(node.wall.shift_mm);
                let mut bits = 0;
                for k in (0..BLOCK).filter(|&k| k != BLOCK / 2) {
                    let Some(j) = index.neighbour(node.voxel, offset(k)) else { continue };
                    let m = nodes[j].n();
                    if dot(m, n).abs() < LEAST_COSINE {
                        continue;
                    }
                    let step = offset(k);
                    let to = f64::from(nodes[j].wall.shift_mm);
                    let p = [0, 1, 2].map(|a| step[a] as f64 * spacing[a] + to * m[a] - shift * n[a]);
                    let height = dot(p, n);
                    let aside = (dot(p, p) - height * height).max(0.0).sqrt();
                    if height.abs() <= OFF_PLANE_MM + OFF_PLANE_SLOPE * aside {
                        bits |= 1 << k;
                    }
                }
                bits
            })
            .collect();
        let [nx, ny, _] = grid.size().map(|n| n as isize);
        let strides = std::array::from_fn(|k| {
            let [x, y, z] = offset(k);
            (z * ny + y) * nx + x
        });
        Self { nodes, spacing, index, linked, strides }
    }

    fn neighbours(&self, k: usize) -> impl Iterator<Item = (usize, usize)> {
        let (mut bits, voxel) = (self.linked[k], self.nodes[k].voxel as usize);
        std::iter::from_fn(move || {
            let b = bits.trailing_zeros() as usize;
            bits &= bits.wrapping_sub(1);
            (b < BLOCK).then(|| (b, self.index.node[voxel.wrapping_add_signed(self.strides[b])] as usize))
        })
    }

    /// Weighted means over linked neighbours, repeated until they reach a standard deviation of `sigma_mm`.
    fn diffuse(&self, mut now: Vec<[f32; 2]>, sigma_mm: f64, job: &Job) -> Result<Vec<[f32; 2]>> {
        let widest = self.spacing.into_iter().fold(0.0, f64::max);
        let weights: [f32; BLOCK] = std::array::from_fn(|k| {
            let d2: f64 = (0..3).map(|a| (offset(k)[a] as f64 * self.spacing[a]).powi(2)).sum();
            (-0.5 * d2 / (widest * widest)).exp() as f32
        });
        // of a plane across z, per round
        let (mut spread, mut sum) = (0.0, 0.0);
        for (k, &w) in weights.iter().enumerate().filter(|(k, _)| offset(*k)[2] == 0) {
            let [x, y, _] = offset(k).map(|o| o as f64);
            spread += f64::from(w) * 0.5 * ((x * self.spacing[0]).powi(2) + (y * self.spacing[1]).powi(2));
            sum += f64::from(w);
        }
        let rounds = (sigma_mm * sigma_mm * sum / spread).round().max(1.0) as usize;
        let steps = job.steps(rounds);
        for _ in 0..rounds {
            now = (0..now.len())
                .into_par_iter()
                .map(|k| {
                    let (mut weight, [mut a, mut b]) = (1.0, now[k]);
                    for (at, j) in self.neighbours(k) {
                        weight += weights[at];
                        a += weights[at] * now[j][0];
                        b += weights[at] * now[j][1];
                    }
                    [a / weight, b / weight]
                })
                .collect();
            steps.step()?;
        }
        Ok(now)
    }

    /// The nodes of all connected sheets of `whole` nodes that hold a start and are large enough, and their count.
    fn grow(&self, whole: &[bool], is_start: impl Fn(usize) -> bool) -> (Vec<bool>, usize) {
        let voxel_mm3: f64 = self.spacing.iter().product();
        let mut bone = vec![false; whole.len()];
        let mut seen = vec![false; whole.len()];
        let mut sheets = 0;
        for seed in 0..whole.len() {
            if seen[seed] || !whole[seed] || !is_start(seed) {
                continue;
            }
            seen[seed] = true;
            let mut part = vec![seed];
            let mut next = 0;
            while next < part.len() {
                for (_, j) in self.neighbours(part[next]) {
                    if !seen[j] && whole[j] {
                        seen[j] = true;
                        part.push(j);
                    }
                }
                next += 1;
            }
            // a voxel of a plane covers as much of it as its volume over its height along the normal
            let area = |k: &usize| {
                let n = self.nodes[*k].n();
                voxel_mm3 / (0..3).map(|a| n[a].abs() * self.spacing[a]).sum::<f64>()
            };
            if part.iter().map(area).sum::<f64>() >= LEAST_SHEET_MM2 {
                sheets += 1;
                part.iter().for_each(|&k| bone[k] = true);
            }
        }
        (bone, sheets)
    }
}

/// For each voxel its node, or none.
pub(super) struct Index {
    size: [usize; 3],
    node: Vec<u32>,
}

const NONE: u32 = u32::MAX;

impl Index {
    pub(super) fn new(nodes: &[Node], grid: &Grid) -> Self {
        let mut index = Self { size: grid.size(), node: vec![NONE; grid.voxels()] };
        for (k, node) in nodes.iter().enumerate() {
            index.node[node.voxel as usize] = k as u32;
        }
        index
    }

    pub(super) fn at(&self, voxel: u32) -> [usize; 3] {
        let v = voxel as usize;
        [v % self.size[0], v / self.size[0] % self.size[1], v / (self.size[0] * self.size[1])]
    }

    fn neighbour(&self, voxel: u32, offset: [isize; 3]) -> Option<usize> {
        let at = self.at(voxel);
        let mut to = [0; 3];
        for a in 0..3 {
            to[a] = at[a].checked_add_signed(offset[a]).filter(|&i| i < self.size[a])?;
        }
        let k = self.node[(to[2] * self.size[1] + to[1]) * self.size[0] + to[0]];
        (k != NONE).then_some(k as usize)
    }

    /// Calls `visit` with every node of a voxel within `reach` voxels (a box).
    pub(super) fn around(&self, at: [usize; 3], reach: [usize; 3], mut visit: impl FnMut(usize)) {
        let range = [0, 1, 2].map(|a| at[a].saturating_sub(reach[a])..(at[a] + reach[a] + 1).min(self.size[a]));
        for z in range[2].clone() {
            for y in range[1].clone() {
                let row = (z * self.size[1] + y) * self.size[0];
                for &k in &self.node[row + range[0].start..row + range[0].end] {
                    if k != NONE {
                        visit(k as usize);
                    }
                }
            }
        }
    }
}
