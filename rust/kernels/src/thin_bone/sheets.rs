//! Which measured walls belong together, and which of them are bone.
//!
//! Evidence of one place is weak where a wall is thin; neighbours on the same sheet share it. A sheet is grown
//! from places where the shared evidence is strong over places where it still speaks for a wall, as far as its
//! mass does not fall below a share of what the sheet around it has: half the mass is where a hole's rim is.
//!
//! The thinnest walls next to air leave evidence near zero, because mucosa without a wall looks alike. There anatomy
//! decides: between fat and air there is bone, between other tissue and air, and within air, there seldom is.

use super::directions;
use super::linalg::{Vec3, dot, extent_mm};
use super::measure::Wall;
use super::scan::middle;
use crate::grid::{ravel, step_in_block, unravel};
use crate::{Grid, Job, Result};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

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
        middle(self.voxel, self.n(), self.wall.shift_mm, grid)
    }
}

/// Neighbours on one sheet differ by less than about 40 degrees.
const LEAST_COSINE: f64 = 0.77;
/// And lie at most this far from each other's plane: mm, and per mm aside.
const OFF_PLANE_MM: f64 = 0.35;
const OFF_PLANE_SLOPE: f64 = 0.25;
/// Evidence is shared over this standard deviation along the sheet.
const SHARE_MM: f64 = 1.5;
/// Over blocks of at most this edge, of as many voxels as fit.
const BLOCK_MM: f64 = 0.7;
/// No place speaks louder than this where a sheet may start, and where it grows: a sure wall is no evidence for what
/// lies beside it.
const LOUDEST: [f32; 2] = [6.0, 1.0];
/// Log odds of a wall before anything is measured: between fat and air, other tissue and air, air and air.
const BESIDE_FAT: f32 = 0.65;
const BESIDE_TISSUE: f32 = -0.3;
const IN_AIR: f32 = -0.4;
/// Air is darker than this, and what is brighter than the second is tissue; fat ends where other tissue begins, HU.
const AIR_HU: f32 = -400.0;
const TISSUE_HU: f32 = -250.0;
const FAT_HU: Range<f32> = -80.0..-20.0;
/// Shared evidence from which a sheet starts, over which it grows, and what a place itself must show at least.
const START: f32 = 2.0;
const GROW: f32 = 0.3;
const OWN: f32 = -0.3;
/// Evidence from which a place needs no neighbours to say that there is a wall, if it has this share of theirs.
pub(super) const SURE: f32 = 1.5;
const SURE_SHARE: f32 = 0.2;
/// Otherwise, where the mass falls below this share of the sheet's around it, there is a hole; thicker walls do not
/// say how thick a thin one beside them should be.
const RIM_SHARE: f32 = 0.5;
pub(super) const THICK_RIM_MM: f32 = 0.8;
/// And where what the wall does not explain exceeds this share of its height, something else is there.
const MISFIT: f32 = 0.2;
/// Beside tissue that may be a second wall that joins the first, which then has most of its mass nevertheless.
const MISFIT_AT_JOINT: f32 = 0.6;
const JOINT_SHARE: f32 = 0.75;
/// Below this share of the sheet's around it, bone may hide a hole that blur fills.
const THIN_SHARE: f32 = 0.65;
/// Media brighter than this are bone: the place is the surface of thick bone, which is not for sheets, HU.
pub(super) const BESIDE_BONE_HU: f32 = 500.0;
/// Smaller sheets are left out.
pub(super) const LEAST_SHEET_MM2: f64 = 25.0;

/// Measures the thickness in mm of all nodes, of which those that are bone are given.
pub(super) type Thickness<'a> = &'a dyn Fn(&[bool], &Job) -> Result<Vec<f32>>;

/// What linking found for each node.
pub(super) struct Linked {
    /// Whether the node is bone.
    pub(super) bone: Vec<bool>,
    /// Thickness of the sheet around it, 0 where there is none.
    pub(super) rim_mm: Vec<f32>,
    /// Thickness pooled along the sheet, where it was given.
    pub(super) thickness_mm: Vec<f32>,
    /// How many sheets there are.
    pub(super) sheets: usize,
}

/// Links the nodes, which are in order of their voxels, into sheets; pools their thickness along them.
pub(super) fn link(
    nodes: &[Node],
    thickness_mm: Option<Thickness<'_>>,
    noise_hu: f32,
    grid: &Grid,
    job: &Job,
) -> Result<Linked> {
    let graph = Graph::new(nodes, grid);
    job.check()?;
    let evidence = nodes.par_iter().map(|n| LOUDEST.map(|loudest| odds(&n.wall).clamp(-loudest, loudest))).collect();
    let shared = graph.diffuse(evidence, SHARE_MM, &job.part(0.1, 0.25))?;
    // what the wall around has
    let around = nodes
        .par_iter()
        .zip(&shared)
        .map(|(n, &[_, e])| {
            let t = n.wall.thickness_mm.min(THICK_RIM_MM);
            if odds(&n.wall) > OWN && e > GROW { [t, 1.0] } else { [0.0; 2] }
        })
        .collect();
    let around = graph.diffuse(around, SHARE_MM, &job.part(0.25, 0.4))?;
    let rim_mm: Vec<f32> =
        around.into_par_iter().map(|[mm, weight]| if weight > 0.0 { mm / weight } else { 0.0 }).collect();
    let is_whole = |(k, n): (usize, &Node)| shared[k][1] >= GROW && is_whole(&n.wall, rim_mm[k], noise_hu);
    let whole: Vec<bool> = nodes.par_iter().enumerate().map(is_whole).collect();
    let (bone, sheets) = graph.grow(&whole, |k| shared[k][0] >= START);
    let thickness_mm = match thickness_mm {
        Some(measure) => graph.pool(&measure(&bone, &job.part(0.4, 0.95))?, &bone, &job.part(0.95, 1.0))?,
        None => Vec::new(),
    };
    Ok(Linked { bone, rim_mm, thickness_mm, sheets })
}

/// Log odds that a place holds a wall, as far as the place itself and what lies on both sides say.
fn odds(wall: &Wall) -> f32 {
    let [dark, bright] = [wall.media[0].min(wall.media[1]), wall.media[0].max(wall.media[1])];
    let before = if dark > AIR_HU {
        0.0
    } else if bright < TISSUE_HU {
        IN_AIR
    } else {
        let beyond_fat = ((bright - FAT_HU.start) / (FAT_HU.end - FAT_HU.start)).clamp(0.0, 1.0);
        BESIDE_FAT + (BESIDE_TISSUE - BESIDE_FAT) * beyond_fat
    };
    wall.evidence + before
}

/// Whether a place holds a wall as far as the place itself and the thickness `rim_mm` around it say.
pub(super) fn is_whole(wall: &Wall, rim_mm: f32, noise_hu: f32) -> bool {
    let misfit = misfit(wall, noise_hu);
    let is_sure = wall.evidence > SURE && wall.thickness_mm >= SURE_SHARE * rim_mm;
    let bright = wall.media[0].max(wall.media[1]);
    let is_even = misfit < MISFIT && wall.thickness_mm >= RIM_SHARE * rim_mm;
    let is_joint = bright >= TISSUE_HU && misfit < MISFIT_AT_JOINT && wall.thickness_mm >= JOINT_SHARE * rim_mm;
    bright <= BESIDE_BONE_HU && odds(wall) >= OWN && (is_sure || is_even || is_joint)
}

/// Whether bone is so much thinner than the sheet around, or so much else shows where it is thinner, that blur may fill a
/// hole there.
pub(super) fn may_hide_hole(wall: &Wall, rim_mm: f32, noise_hu: f32) -> bool {
    let thin_share = if misfit(wall, noise_hu) < MISFIT { THIN_SHARE } else { 1.0 };
    wall.thickness_mm < thin_share * rim_mm
}

/// What a wall does not explain, beyond the noise, as a share of its height.
fn misfit(wall: &Wall, noise_hu: f32) -> f32 {
    let height_hu = wall.mass / (2.5 * wall.sigma_mm);
    let misfit_hu = (wall.residual_hu.powi(2) - noise_hu.powi(2)).max(0.0).sqrt();
    misfit_hu / height_hu.max(f32::MIN_POSITIVE)
}

/// Which of each node's 26 neighbours lie on its sheet.
struct Graph<'a> {
    nodes: &'a [Node],
    spacing: Vec3,
    edges: Edges,
    /// Evidence is shared between blocks of a few voxels where these are small.
    blocks: Option<Blocks>,
}

/// The neighbours of each node in one list.
struct Edges {
    /// Where each node's neighbours end.
    ends: Vec<u32>,
    /// A neighbour's number, and in the upper bits at which offset of a 3x3x3 block it is.
    to: Vec<u32>,
}

const BLOCK: usize = 27;
const OFFSET_SHIFT: u32 = 27;

impl Edges {
    /// All pairs of neighbours of an index that are `linked`: by a node's number, an offset and the other's number.
    fn new(index: &Index, linked: impl Fn(usize, usize, usize) -> bool + Sync) -> Self {
        const PART: usize = 1 << 13;
        const TOGETHER: usize = 64;
        let count = index.voxels.len();
        let of_part = |part: usize| {
            let (mut ends, mut to) = (Vec::with_capacity(PART), Vec::new());
            let mut before = [0; 9];
            for k in part * PART..((part + 1) * PART).min(count) {
                index.neighbours(k, &mut before, |at, j| {
                    if linked(k, at, j) {
                        to.push((at as u32) << OFFSET_SHIFT | j as u32);
                    }
                });
                ends.push(to.len() as u32);
            }
            (ends, to)
        };
        let mut edges = Self { ends: Vec::with_capacity(count), to: Vec::new() };
        // what parts leave behind is used again
        let parts = count.div_ceil(PART);
        for first in (0..parts).step_by(TOGETHER) {
            let together = (first..(first + TOGETHER).min(parts)).into_par_iter().with_max_len(1);
            for (ends, to) in together.map(of_part).collect::<Vec<(Vec<u32>, Vec<u32>)>>() {
                let before = edges.to.len() as u32;
                edges.ends.extend(ends.into_iter().map(|end| before + end));
                edges.to.extend(to);
            }
        }
        edges
    }

    /// Offset and number of each neighbour.
    fn of(&self, k: usize) -> impl Iterator<Item = (usize, usize)> {
        let start = if k == 0 { 0 } else { self.ends[k - 1] };
        let to = &self.to[start as usize..self.ends[k] as usize];
        to.iter().map(|&e| ((e >> OFFSET_SHIFT) as usize, (e & ((1 << OFFSET_SHIFT) - 1)) as usize))
    }
}

/// Blocks of voxels that hold nodes, linked where their nodes are.
struct Blocks {
    /// The block of each node.
    of: Vec<u32>,
    edges: Edges,
    edge: [usize; 3],
}

impl Blocks {
    /// `None` where blocks would be voxels.
    fn new(nodes: &[Node], index: &Index, edges: &Edges, spacing: Vec3) -> Option<Self> {
        let edge = spacing.map(|s| ((BLOCK_MM / s) as usize).max(1));
        if edge == [1; 3] {
            return None;
        }
        let size = [0, 1, 2].map(|a| index.size[a].div_ceil(edge[a]));
        let block = |node: &Node| {
            let b = index.at(node.voxel);
            [0, 1, 2].map(|a| b[a] / edge[a])
        };
        let number = |node| ravel(block(node), size) as u32;
        let mut blocks: Vec<u32> = nodes.par_iter().map(number).collect();
        blocks.par_sort_unstable();
        blocks.dedup();
        let coarse = Index::new(blocks, size);
        let of: Vec<u32> = nodes
            .par_iter()
            .map(|n| {
                let [x, y, z] = block(n);
                coarse.row([y, z], x..x + 1).start as u32
            })
            .collect();
        let linked: Vec<AtomicU32> = coarse.voxels.iter().map(|_| AtomicU32::new(0)).collect();
        nodes.par_iter().enumerate().for_each(|(k, node)| {
            let at = index.at(node.voxel);
            // along each axis, where the block of what is a voxel before, beside or behind lies
            let to =
                [0, 1, 2].map(|a| [0, 1, 2].map(|i| (at[a] + i).saturating_sub(1) / edge[a] + 1 - at[a] / edge[a]));
            let block_at = |k: usize| (to[2][k / 9] * 3 + to[1][k / 3 % 3]) * 3 + to[0][k % 3];
            let offsets = edges.of(k).fold(0, |offsets, (at, _)| offsets | 1 << block_at(at));
            linked[of[k] as usize].fetch_or(offsets, Relaxed);
        });
        let edges = Edges::new(&coarse, |k, at, _| linked[k].load(Relaxed) >> at & 1 != 0);
        Some(Self { of, edges, edge })
    }
}

impl<'a> Graph<'a> {
    fn new(nodes: &'a [Node], grid: &Grid) -> Self {
        let spacing = grid.spacing_mm();
        let index = Index::new(nodes.iter().map(|n| n.voxel).collect(), grid.size());
        let edges = Edges::new(&index, |k, at, j| {
            let (n, m) = (nodes[k].n(), nodes[j].n());
            if dot(m, n).abs() < LEAST_COSINE {
                return false;
            }
            let step = step_in_block(at);
            let (from, to) = (f64::from(nodes[k].wall.shift_mm), f64::from(nodes[j].wall.shift_mm));
            let p = [0, 1, 2].map(|a| step[a] as f64 * spacing[a] + to * m[a] - from * n[a]);
            let height = dot(p, n);
            let aside = || (dot(p, p) - height * height).max(0.0).sqrt();
            height.abs() <= OFF_PLANE_MM || height.abs() <= OFF_PLANE_MM + OFF_PLANE_SLOPE * aside()
        });
        let blocks = Blocks::new(nodes, &index, &edges, spacing);
        Self { nodes, spacing, edges, blocks }
    }

    /// Thicknesses pooled along the sheets, the surer the more.
    fn pool(&self, thickness_mm: &[f32], bone: &[bool], job: &Job) -> Result<Vec<f32>> {
        let values = self.nodes.iter().zip(thickness_mm).zip(bone).map(|((n, mm), &is_bone)| {
            let contrast = n.wall.thickness_mm / n.wall.mass.abs().max(1e-3);
            let shows = is_bone && n.wall.evidence > 0.0;
            let trust = if shows { (n.wall.mass_se * contrast.abs() + 0.02).powi(-2) } else { 0.0 };
            [trust * mm, trust]
        });
        let pooled = self.diffuse(values.collect(), 0.8 * SHARE_MM, job)?;
        let mean = |([t, w], mm): (&[f32; 2], &f32)| if *w > 0.0 { t / w } else { mm.max(0.0) };
        Ok(pooled.iter().zip(thickness_mm).map(mean).collect())
    }

    /// Weighted means over linked neighbours, repeated until they reach a standard deviation of `sigma_mm`.
    fn diffuse(&self, values: Vec<[f32; 2]>, sigma_mm: f64, job: &Job) -> Result<Vec<[f32; 2]>> {
        let Some(blocks) = &self.blocks else { return diffuse(&self.edges, self.spacing, values, sigma_mm, job) };
        let mut sums = vec![[0.0_f32; 3]; blocks.edges.ends.len()];
        for (&b, v) in blocks.of.iter().zip(&values) {
            let sum = &mut sums[b as usize];
            *sum = [sum[0] + v[0], sum[1] + v[1], sum[2] + 1.0];
        }
        drop(values);
        let means = sums.into_iter().map(|[a, b, n]| [a / n, b / n]).collect();
        let spacing = [0, 1, 2].map(|a| blocks.edge[a] as f64 * self.spacing[a]);
        let spread = diffuse(&blocks.edges, spacing, means, sigma_mm, job)?;
        Ok(blocks.of.par_iter().map(|&b| spread[b as usize]).collect())
    }

    /// The nodes of all connected sheets of `whole` nodes that hold a start and are large enough, and their count.
    fn grow(&self, whole: &[bool], is_start: impl Fn(usize) -> bool) -> (Vec<bool>, usize) {
        let voxel_mm3: f64 = self.spacing.iter().product();
        let mut bone = vec![false; whole.len()];
        let mut is_left = whole.to_vec();
        let mut sheets = 0;
        for seed in 0..whole.len() {
            if !is_left[seed] || !is_start(seed) {
                continue;
            }
            is_left[seed] = false;
            let mut part = vec![seed];
            let mut next = 0;
            while next < part.len() {
                for (_, j) in self.edges.of(part[next]) {
                    if std::mem::take(&mut is_left[j]) {
                        part.push(j);
                    }
                }
                next += 1;
            }
            // a voxel of a plane covers as much of it as its volume over its height along the normal
            let area = |k: &usize| voxel_mm3 / extent_mm(self.nodes[*k].n(), self.spacing);
            if part.iter().map(area).sum::<f64>() >= LEAST_SHEET_MM2 {
                sheets += 1;
                part.iter().for_each(|&k| bone[k] = true);
            }
        }
        (bone, sheets)
    }
}

/// Weighted means over neighbours, repeated until they reach a standard deviation of `sigma_mm` in a plane across z.
fn diffuse(edges: &Edges, spacing: Vec3, mut now: Vec<[f32; 2]>, sigma_mm: f64, job: &Job) -> Result<Vec<[f32; 2]>> {
    let widest = spacing.into_iter().fold(0.0, f64::max);
    let weights: [f32; BLOCK] = std::array::from_fn(|k| {
        let d2: f64 = (0..3).map(|a| (step_in_block(k)[a] as f64 * spacing[a]).powi(2)).sum();
        (-0.5 * d2 / (widest * widest)).exp() as f32
    });
    let (mut spread, mut sum) = (0.0, 0.0);
    for (k, &w) in weights.iter().enumerate().filter(|(k, _)| step_in_block(*k)[2] == 0) {
        let [x, y, _] = step_in_block(k).map(|o| o as f64);
        spread += f64::from(w) * 0.5 * ((x * spacing[0]).powi(2) + (y * spacing[1]).powi(2));
        sum += f64::from(w);
    }
    let rounds = (sigma_mm * sigma_mm * sum / spread).round().max(1.0) as usize;
    let steps = job.steps(rounds);
    for _ in 0..rounds {
        now = (0..now.len())
            .into_par_iter()
            .map(|k| {
                let (mut weight, [mut a, mut b]) = (1.0, now[k]);
                for (at, j) in edges.of(k) {
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

/// Nodes by place.
pub(super) struct Index {
    size: [usize; 3],
    /// The voxel of each node, in order.
    voxels: Vec<u32>,
    /// The first node of each row of voxels, and the end.
    rows: Vec<u32>,
}

impl Index {
    /// From the nodes' voxels in order.
    pub(super) fn new(voxels: Vec<u32>, size: [usize; 3]) -> Self {
        let mut rows = vec![0; size[1] * size[2] + 1];
        for &v in &voxels {
            rows[v as usize / size[0] + 1] += 1;
        }
        for k in 1..rows.len() {
            rows[k] += rows[k - 1];
        }
        Self { size, voxels, rows }
    }

    pub(super) fn at(&self, voxel: u32) -> [usize; 3] {
        unravel(voxel as usize, self.size)
    }

    /// The nodes of a stretch of a row.
    fn row(&self, [y, z]: [usize; 2], x: Range<usize>) -> Range<usize> {
        let row = z * self.size[1] + y;
        let nodes = self.rows[row] as usize..self.rows[row + 1] as usize;
        let voxels = &self.voxels[nodes.clone()];
        let [first, end] = [x.start, x.end].map(|x| row * self.size[0] + x);
        let before = voxels.partition_point(|&v| (v as usize) < first);
        // a step or two where stretches are short
        let within = voxels[before..].iter().take_while(|&&v| (v as usize) < end).count();
        nodes.start + before..nodes.start + before + within
    }

    /// Whether a voxel has a node.
    pub(super) fn holds(&self, [x, y, z]: [usize; 3]) -> bool {
        !self.row([y, z], x..x + 1).is_empty()
    }

    /// Calls `visit` with the offset and the number of every neighbour of a node. In each of the nine rows around, as
    /// many nodes as are known to lie `before` its neighbours lie before those of the nodes that follow it, too.
    fn neighbours(&self, k: usize, before: &mut [usize; 9], mut visit: impl FnMut(usize, usize)) {
        let [x, y, z] = self.at(self.voxels[k]);
        let [nx, ny, nz] = self.size;
        for (row, before) in before.iter_mut().enumerate() {
            let Some(y) = (y + row % 3).checked_sub(1).filter(|&y| y < ny) else { continue };
            let Some(z) = (z + row / 3).checked_sub(1).filter(|&z| z < nz) else { continue };
            let first = (z * ny + y) * nx;
            let [low, middle, high] = [x.saturating_sub(1), x, (x + 1).min(nx - 1)].map(|x| (first + x) as u32);
            *before = self.rows[z * ny + y].max(*before as u32) as usize;
            while self.voxels.get(*before).is_some_and(|&v| v < low) {
                *before += 1;
            }
            for (&v, j) in self.voxels[*before..].iter().zip(*before..).take_while(|(v, _)| **v <= high) {
                if j != k {
                    visit(row * 3 + (v + 1 - middle) as usize, j);
                }
            }
        }
    }

    /// Calls `visit` with every node of a voxel within `reach` voxels (a box).
    pub(super) fn around(&self, at: [usize; 3], reach: [usize; 3], visit: impl FnMut(usize)) {
        let range = [0, 1, 2].map(|a| at[a].saturating_sub(reach[a])..(at[a] + reach[a] + 1).min(self.size[a]));
        let rows = range[2].clone().flat_map(|z| range[1].clone().map(move |y| [y, z]));
        rows.flat_map(|row| self.row(row, range[0].clone())).for_each(visit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_found_on_all_sides_and_not_across_faces() {
        let size = [4, 3, 3];
        // the middle of a block, all around it, and a voxel at the far end of a row beside
        let at = |x: u32, y: u32, z: u32| (z * 3 + y) * 4 + x;
        let mut voxels: Vec<u32> = (0..27).map(|k| at(k % 3, k / 3 % 3, k / 9)).collect();
        voxels.push(at(3, 1, 0));
        voxels.sort_unstable();
        let index = Index::new(voxels.clone(), size);
        let middle = voxels.iter().position(|&v| v == at(1, 1, 1)).unwrap();
        let mut found = Vec::new();
        index.neighbours(middle, &mut [0; 9], |k, j| {
            let to = [0, 1, 2].map(|a| (1 + step_in_block(k)[a]) as u32);
            assert_eq!(voxels[j], at(to[0], to[1], to[2]));
            found.push(k);
        });
        assert_eq!(found, (0..BLOCK).filter(|&k| k != BLOCK / 2).collect::<Vec<_>>());
        let corner = voxels.iter().position(|&v| v == at(0, 2, 0)).unwrap();
        let mut count = 0;
        index.neighbours(corner, &mut [0; 9], |_, _| count += 1);
        assert_eq!(count, 7, "the row before ends at another face");
    }

    #[test]
    fn values_spread_as_far_as_asked_along_a_sheet_of_fine_or_coarse_voxels() {
        for spacing in [[0.3, 0.3, 0.7], [0.6, 0.6, 1.0]] {
            let size = [120, 120, 3];
            let grid = Grid::axis_aligned(size, spacing).unwrap();
            let wall = Wall {
                shift_mm: 0.0,
                mass: 0.0,
                mass_se: 0.0,
                thickness_mm: 0.0,
                media: [0.0; 2],
                evidence: 0.0,
                residual_hu: 0.0,
                sigma_mm: 0.4,
            };
            let direction = directions::nearest([0.0, 0.0, 1.0]);
            let first = (size[0] * size[1]) as u32;
            let nodes: Vec<Node> = (first..2 * first).map(|voxel| Node { voxel, direction, wall }).collect();
            let graph = Graph::new(&nodes, &grid);
            let place = |k: usize| [k % size[0], k / size[0]].map(|i| (i as f64 - 60.0) * spacing[0]);
            let mut start = vec![[0.0, 1.0]; nodes.len()];
            start[60 * size[0] + 60][0] = 1.0;
            let spread = graph.diffuse(start, SHARE_MM, &Job::new()).unwrap();
            let sum: f64 = spread.iter().map(|v| f64::from(v[0])).sum();
            let square: f64 = spread
                .iter()
                .enumerate()
                .map(|(k, v)| f64::from(v[0]) * place(k).iter().map(|c| c * c).sum::<f64>() / 2.0)
                .sum();
            let sigma_mm = (square / sum).sqrt();
            assert!((sigma_mm / SHARE_MM - 1.0).abs() < 0.06, "{sigma_mm} mm at {spacing:?}");
            assert!(spread.iter().all(|v| (v[1] - 1.0).abs() < 1e-5), "what is even stays even");
        }
    }
}
