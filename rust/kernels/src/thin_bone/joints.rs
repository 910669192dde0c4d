//! Where walls run into bone of the base.
//!
//! What thick bone spills beside it hides a wall that joins it there: the sheet ends a voxel or two before. Nothing
//! makes the scan darker between both than the wall itself would, unless there is an opening, so where it is as bright as
//! that all the way, the wall goes on as it is in the sheet. Openings of the list stay as they are.

use super::Opening;
use super::directions;
use super::linalg::{Vec3, dot, unit};
use super::openings::PROBABLY;
use super::psf::{FWHM_PER_SIGMA, normal_cdf};
use super::scan::Scan;
use super::sheets::{Index, Linked, Node};
use crate::grid::{ravel, step_in_block, unravel};
use crate::{Grid, Voxel};
use ndarray::ArrayRef3;
use rayon::prelude::*;
use std::f64::consts::TAU;

/// Bone that a wall joins is no farther from its sheet than this, in widths of the blur.
const REACH_BLURS: f64 = 2.5;
/// A place that is darker than the wall by this share of its height, and by the noise, is an opening.
const DARK_SHARE: f64 = 0.35;
/// The plane of a sheet passes a neighbour that lies less than 30 degrees off it.
const MOST_SINE: f64 = 0.5;
/// The edge of a sheet is so many voxels wide.
const EDGE: isize = 2;
/// No wall goes on so near beside an opening, and so far before and behind it.
const BESIDE_MM: f64 = 0.5;
const ALONG_MM: f64 = 3.0;

/// A voxel that a sheet goes on through.
pub(super) struct Joint {
    /// The wall, as it is where the sheet ends.
    pub(super) node: Node,
    /// 0 where the sheet's was not asked for.
    pub(super) thickness_mm: f32,
    away_mm: f64,
}

/// The voxels between the sheets that were `added` and the base that walls may go on through, in their order, each once.
pub(super) fn find<T: Voxel>(scan: &Scan<'_, T>, nodes: &[Node], linked: &Linked, added: &ArrayRef3<u8>) -> Vec<Joint> {
    let ways: Vec<Vec<Way>> = directions::all().map(|direction| Way::across(direction, scan.grid)).collect();
    let from = |k: usize| {
        let mut found = Vec::new();
        let edge = Edge::new(scan, nodes, linked, added, k);
        ways[usize::from(nodes[k].direction)].iter().for_each(|way| edge.go_on(way, &mut found));
        found
    };
    let on_sheets = (0..nodes.len()).into_par_iter().filter(|&k| linked.bone[k]);
    let mut found: Vec<Joint> = on_sheets.flat_map_iter(from).collect();
    // of several sheets the nearest, of as near places the first
    found.par_sort_by(|a, b| a.node.voxel.cmp(&b.node.voxel).then(a.away_mm.total_cmp(&b.away_mm)));
    found.dedup_by_key(|joint| joint.node.voxel);
    found
}

/// Leaves out the joints that lie in an opening of the list, whose verdict alone says what becomes of it.
pub(super) fn keep_openings(joints: &mut Vec<Joint>, openings: &[Opening], grid: &Grid) {
    let index = Index::new(joints.iter().map(|joint| joint.node.voxel).collect(), grid.size());
    let mut is_open = vec![false; joints.len()];
    for opening in openings {
        let radius_mm = 0.5 * opening.diameter_mm + BESIDE_MM;
        let reach = grid.spacing_mm().map(|s| (radius_mm.hypot(ALONG_MM) / s).ceil() as usize);
        let middle = grid.index(opening.center_ras_mm).map(|i| i.round().max(0.0) as usize);
        index.around(middle, reach, |j| {
            let at = unravel(joints[j].node.voxel as usize, grid.size()).map(|i| i as f64);
            let to = grid.ras_mm(at);
            let p = [0, 1, 2].map(|r| to[r] - opening.center_ras_mm[r]);
            let along = dot(p, opening.axis_ras);
            is_open[j] |= along.abs() <= ALONG_MM && dot(p, p) - along * along <= radius_mm * radius_mm;
        });
        // a slit is longer than a circle of its area
        for &voxel in &opening.voxels {
            index.around(voxel, [1; 3], |j| is_open[j] = true);
        }
    }
    let mut is_open = is_open.into_iter();
    joints.retain(|_| is_open.next() != Some(true));
}

/// A way in a sheet's plane towards a neighbour of a voxel.
struct Way {
    step: [isize; 3],
    /// Unit vector along it.
    along: Vec3,
}

impl Way {
    /// All that planes across a direction have.
    fn across(direction: u16, grid: &Grid) -> Vec<Self> {
        let (n, spacing) = (directions::vector(direction), grid.spacing_mm());
        let way = |step: [isize; 3]| {
            let to = [0, 1, 2].map(|a| step[a] as f64 * spacing[a]);
            let up = dot(to, n);
            let is_in_plane = up * up <= MOST_SINE * MOST_SINE * dot(to, to);
            let along = unit([0, 1, 2].map(|a| to[a] - up * n[a])).filter(|_| is_in_plane)?;
            Some(Self { step, along })
        };
        (0..27).filter_map(|block| way(step_in_block(block))).collect()
    }
}

/// A place of a sheet, which may be its edge.
struct Edge<'a, T: Voxel> {
    scan: &'a Scan<'a, T>,
    added: &'a ArrayRef3<u8>,
    node: &'a Node,
    thickness_mm: f32,
    /// HU by which the wall rises above its media.
    height_hu: f64,
}

impl<'a, T: Voxel> Edge<'a, T> {
    fn new(scan: &'a Scan<'a, T>, nodes: &'a [Node], linked: &Linked, added: &'a ArrayRef3<u8>, k: usize) -> Self {
        let wall = &nodes[k].wall;
        // the rim of a hole is no measure of what is missing
        let share = f64::from(linked.rim_mm[k] / wall.thickness_mm).max(1.0);
        Self {
            scan,
            added,
            node: &nodes[k],
            thickness_mm: linked.thickness_mm.get(k).copied().unwrap_or_default(),
            height_hu: share * f64::from(wall.mass) / (TAU.sqrt() * f64::from(wall.sigma_mm)),
        }
    }

    /// Goes on from the sheet, and adds what it passes if that ends at the base.
    fn go_on(&self, way: &Way, found: &mut Vec<Joint>) {
        let Scan { ct, base, grid, .. } = *self.scan;
        let (size, spacing) = (grid.size(), grid.spacing_mm());
        let here = unravel(self.node.voxel as usize, size);
        let at = |steps: isize| [0, 1, 2].map(|a| here[a].saturating_add_signed(steps * way.step[a]).min(size[a] - 1));
        // most places lie within the sheet; one behind its edge tells the direction across it better than the edge
        if (1..=EDGE).all(|steps| !self.is_free(at(steps))) {
            return;
        }
        let n = self.node.n();
        let (middle, before) = (self.node.middle(grid), found.len());
        let mut last = self.node.voxel as usize;
        let step_mm = 0.5 * grid.finest_mm();
        let reach_mm = REACH_BLURS * FWHM_PER_SIGMA * f64::from(self.node.wall.sigma_mm);
        for away_mm in (1..=(reach_mm / step_mm) as usize).map(|k| k as f64 * step_mm) {
            let p = [0, 1, 2].map(|a| middle[a] + away_mm * way.along[a]);
            if (0..3).any(|a| p[a] < 0.0 || p[a] > (size[a] - 1) as f64 * spacing[a]) {
                break;
            }
            let at @ [x, y, z] = grid.nearest_voxel(p);
            let voxel = ravel(at, size);
            if std::mem::replace(&mut last, voxel) == voxel {
                continue;
            }
            if base[[z, y, x]] != 0 {
                return;
            }
            let is_sheet = self.added[[z, y, x]] != 0;
            if is_sheet && away_mm <= grid.diagonal_mm() {
                continue;
            }
            let above_mm = dot([0, 1, 2].map(|a| at[a] as f64 * spacing[a] - p[a]), n);
            if is_sheet || ct[[z, y, x]].to_f64() < self.least_hu(above_mm) {
                break;
            }
            let mut node = Node { voxel: voxel as u32, ..*self.node };
            node.wall.shift_mm = -above_mm as f32;
            found.push(Joint { node, thickness_mm: self.thickness_mm, away_mm });
        }
        found.truncate(before);
    }

    fn is_free(&self, [x, y, z]: [usize; 3]) -> bool {
        self.added[[z, y, x]] == 0 && self.scan.base[[z, y, x]] == 0
    }

    /// What a place shows so far above the wall's middle if the wall passes there, at least.
    fn least_hu(&self, above_mm: f64) -> f64 {
        let wall = &self.node.wall;
        let [before_hu, behind_hu] = wall.media.map(f64::from);
        let sigmas = above_mm / f64::from(wall.sigma_mm);
        let seen = (-0.5 * sigmas * sigmas).exp() - DARK_SHARE;
        before_hu + (behind_hu - before_hu) * normal_cdf(sigmas) + seen * self.height_hu
            - PROBABLY * self.scan.scale.noise_hu
    }
}
