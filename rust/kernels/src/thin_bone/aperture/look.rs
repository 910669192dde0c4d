//! The wall around an opening: its surface, the voxels on it, and which of them are the opening's.

use crate::Grid;
use crate::thin_bone::directions;
use crate::thin_bone::linalg::{Vec3, dot, extent_mm, median};
use crate::thin_bone::openings::Throat;
use crate::thin_bone::scan::Walls;
use crate::thin_bone::wall_surface::{Columns, Surface};
use ndarray::ArrayRef3;
use std::f64::consts::TAU;

/// Walls whose normals differ less than about 40 degrees from the opening's axis are those it is in.
const LEAST_COSINE: f64 = 0.77;
/// The wall around is looked at this far from the opening, beyond the reach of its blur.
const RIM_MM: std::ops::Range<f64> = 0.8..3.0;
/// So much of what lies there must be wall, in so many of eight sectors, and so many voxels of it.
const RIM_SHARE: f64 = 0.5;
const LEAST_SECTORS: usize = 6;
const LEAST_RIM: usize = 12;
/// Thicker walls have edges of their own.
const THICK_MM: f32 = 2.5;
/// No plate is modelled thinner than this.
const LEAST_PLATE_MM: f64 = 0.3;

/// A voxel on the wall's surface.
#[derive(Clone, Copy)]
pub(super) struct Seen {
    pub(super) voxel: [usize; 3],
    /// On the plane across the axis, from the opening's middle, mm.
    pub(super) at: [f64; 2],
    /// Of the voxel over the surface, mm.
    pub(super) above: f64,
    /// mm from the opening; infinite beyond the rim.
    pub(super) distance_mm: f64,
}

/// What surrounds one throat of the `full` bone.
pub(super) struct Look<'a> {
    full: &'a ArrayRef3<u8>,
    walls: &'a Walls,
    pub(super) grid: &'a Grid,
    pub(super) surface: Surface,
    /// The direction nearest to the surface's normal.
    pub(super) direction: u16,
    /// Thickness of the walls around.
    pub(super) plate_mm: f64,
    /// Voxels no farther from the surface than half their height across it, and those of the rim that hold a wall.
    pub(super) seen: Vec<Seen>,
    pub(super) rim: Vec<Seen>,
    support_mm: f64,
}

impl<'a> Look<'a> {
    /// `None` where no thin wall surrounds the throat.
    pub(super) fn new(full: &'a ArrayRef3<u8>, walls: &'a Walls, throat: &Throat, grid: &'a Grid) -> Option<Self> {
        let Walls { pieces, index } = walls;
        let spacing = grid.spacing_mm();
        let reach_mm = reach_mm(throat, grid);
        let reach = spacing.map(|s| (reach_mm / s).ceil() as usize);
        let mut near = Vec::new();
        index.around(grid.nearest_voxel(throat.middle_mm), reach, |j| {
            let piece = &pieces[j];
            let is_parallel = || dot(piece.n(), throat.axis).abs() >= LEAST_COSINE;
            let height = || dot(from_middle(piece.middle(grid), throat), throat.axis).abs();
            if piece.is_bone && piece.thickness_mm < THICK_MM && is_parallel() && height() < 0.5 * reach_mm {
                near.push(piece);
            }
        });
        if near.len() < LEAST_RIM {
            return None;
        }
        let mut thickness: Vec<f64> = near.iter().map(|w| f64::from(w.thickness_mm)).collect();
        let plate_mm = median(&mut thickness).max(LEAST_PLATE_MM);
        let surface = Surface::new(throat, &near, grid)?;
        let direction = directions::nearest(surface.n);
        let support_mm = 0.5 * extent_mm(directions::vector(direction), spacing);
        let (seen, rim) = (Vec::new(), Vec::new());
        let mut look = Self { full, walls, grid, surface, direction, plate_mm, seen, rim, support_mm };
        look.seen = look.on_surface(throat, reach_mm);
        look.rim = look.rim()?;
        Some(look)
    }

    /// The voxels on the surface, with their distance from the opening.
    fn on_surface(&self, throat: &Throat, reach_mm: f64) -> Vec<Seen> {
        let Self { ref surface, grid, .. } = *self;
        let spacing = grid.spacing_mm();
        let mut seen = Vec::new();
        surface.voxels(reach_mm, self.support_mm, grid, |voxel, at, above| {
            seen.push(Seen { voxel, at, above, distance_mm: f64::INFINITY });
        });
        let mm = |i: [usize; 3]| [0, 1, 2].map(|a| i[a] as f64 * spacing[a]);
        let throat_at = Footprint::new(throat.voxels.iter().map(|&i| surface.project(mm(i)).0).collect());
        let diagonal_mm = self.grid.diagonal_mm();
        let is_gap = |p: &&Seen| throat_at.nearest_mm(p.at, diagonal_mm).is_finite() && !self.is_bone(p.at);
        let gap: Vec<[f64; 2]> = seen.iter().filter(is_gap).map(|p| p.at).collect();
        let gap = if gap.is_empty() { throat_at } else { Footprint::new(gap) };
        seen.iter_mut().for_each(|p| p.distance_mm = gap.nearest_mm(p.at, RIM_MM.end));
        seen
    }

    /// The voxels of walls around the opening; `None` if too little of it is one.
    fn rim(&self) -> Option<Vec<Seen>> {
        let pieces = &self.walls.pieces;
        let is_wall = |j: usize| pieces[j].is_bone && self.is_parallel(j) && pieces[j].thickness_mm < THICK_MM;
        let ring = || self.seen.iter().filter(|p| RIM_MM.contains(&p.distance_mm));
        let rim: Vec<Seen> = ring().filter(|p| self.wall_through(p.voxel).is_some_and(is_wall)).copied().collect();
        let mut sectors = [false; 8];
        for [u, v] in rim.iter().map(|p| p.at) {
            sectors[((v.atan2(u) / TAU + 0.5) * 8.0) as usize % 8] = true;
        }
        let is_around = rim.len() as f64 >= RIM_SHARE * ring().count() as f64;
        let is_enough = rim.len() >= LEAST_RIM && sectors.iter().filter(|s| **s).count() >= LEAST_SECTORS;
        (is_around && is_enough).then_some(rim)
    }

    /// The area of the surface that each voxel on it stands for: its volume over its height across it.
    pub(super) fn place_mm2(&self) -> f64 {
        self.grid.voxel_mm3() / (2.0 * self.support_mm)
    }

    /// How far from the surface a voxel may be bone because of the wall.
    pub(super) fn half_wall_mm(&self) -> f64 {
        self.support_mm + 0.5 * self.plate_mm
    }

    /// What lies across the wall.
    pub(super) fn columns(&self) -> Columns<'_> {
        Columns { surface: &self.surface, reach_mm: self.half_wall_mm(), grid: self.grid }
    }

    /// Whether there is bone; the wall may have been put on the next voxel to either side.
    pub(super) fn is_bone(&self, at: [f64; 2]) -> bool {
        let voxel_mm = self.grid.finest_mm();
        [-voxel_mm, 0.0, voxel_mm].iter().any(|&above| {
            let [x, y, z] = self.grid.nearest_voxel(self.surface.point(at, above));
            self.full[[z, y, x]] != 0
        })
    }

    /// Whether what was measured in a voxel is the surface of something else, such as of what passes.
    pub(super) fn is_other_surface(&self, voxel: [usize; 3]) -> bool {
        self.wall_through(voxel).is_some_and(|j| !self.is_parallel(j) || !self.walls.pieces[j].is_sure)
    }

    /// How thick the sheet itself is through some voxels, by the median, if it passes any.
    pub(super) fn sheet_mm(&self, voxels: impl Iterator<Item = [usize; 3]>) -> Option<f64> {
        let through = voxels.filter_map(|voxel| self.wall_through(voxel)).filter(|&j| self.is_parallel(j));
        let mut mm: Vec<f64> = through.map(|j| f64::from(self.walls.pieces[j].thickness_mm)).collect();
        (!mm.is_empty()).then(|| median(&mut mm))
    }

    fn wall_through(&self, voxel: [usize; 3]) -> Option<usize> {
        let mut found = None;
        self.walls.index.around(voxel, [0; 3], |j| found = Some(j));
        found
    }

    fn is_parallel(&self, piece: usize) -> bool {
        dot(self.walls.pieces[piece].n(), self.surface.n).abs() >= LEAST_COSINE
    }
}

/// Whether a look at a throat sees one of some voxels.
pub(in super::super) fn looks_at(throat: &Throat, voxels: &[[usize; 3]], grid: &Grid) -> bool {
    let reach_mm = reach_mm(throat, grid);
    // and to the next voxel on either side of the wall, as far as both are rounded
    let reach = grid.spacing_mm().map(|s| (reach_mm / s).ceil() as usize + 2);
    let middle = grid.nearest_voxel(throat.middle_mm);
    voxels.iter().any(|v| (0..3).all(|a| v[a].abs_diff(middle[a]) <= reach[a]))
}

/// How far around its middle a throat's wall is looked at.
fn reach_mm(throat: &Throat, grid: &Grid) -> f64 {
    let spacing = grid.spacing_mm();
    let to = |i: &[usize; 3]| from_middle([0, 1, 2].map(|a| i[a] as f64 * spacing[a]), throat);
    throat.voxels.iter().map(|i| dot(to(i), to(i)).sqrt()).fold(0.0, f64::max) + RIM_MM.end
}

fn from_middle(p: Vec3, throat: &Throat) -> Vec3 {
    [0, 1, 2].map(|a| p[a] - throat.middle_mm[a])
}

/// Places on the plane across the axis, mm.
pub(super) struct Footprint {
    places: Vec<[f64; 2]>,
    /// They lie between these.
    low: [f64; 2],
    high: [f64; 2],
}

impl Footprint {
    pub(super) fn new(places: Vec<[f64; 2]>) -> Self {
        let low = [0, 1].map(|a| places.iter().map(|p| p[a]).fold(f64::INFINITY, f64::min));
        let high = [0, 1].map(|a| places.iter().map(|p| p[a]).fold(f64::NEG_INFINITY, f64::max));
        Self { places, low, high }
    }

    /// How far the nearest of them is, infinitely if farther than `most_mm`.
    pub(super) fn nearest_mm(&self, at: [f64; 2], most_mm: f64) -> f64 {
        if [0, 1].iter().any(|&a| at[a] < self.low[a] - most_mm || at[a] > self.high[a] + most_mm) {
            return f64::INFINITY;
        }
        let nearest = self.places.iter().map(|&p| square_apart(at, p)).fold(f64::INFINITY, f64::min).sqrt();
        if nearest <= most_mm { nearest } else { f64::INFINITY }
    }
}

pub(super) fn apart_mm(a: [f64; 2], b: [f64; 2]) -> f64 {
    square_apart(a, b).sqrt()
}

pub(super) fn square_apart(a: [f64; 2], b: [f64; 2]) -> f64 {
    (a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2)
}
