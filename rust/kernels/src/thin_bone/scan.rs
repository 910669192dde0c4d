//! What every step of a repair has before it.

use super::calibration::local_noise::LocalNoise;
use super::directions;
use super::linalg::Vec3;
use super::measure::Scale;
use super::outside::Outside;
use super::sheets::{Index, Linked, Node, SURE, may_hide_hole};
use crate::grid::unravel;
use crate::{Grid, Voxel};
use ndarray::ArrayRef3;
use rayon::prelude::*;

/// A scan, its bone, and how fine and bright it shows what it shows.
pub(super) struct Scan<'a, T: Voxel> {
    pub(super) ct: &'a ArrayRef3<T>,
    /// Bone that is not to be changed.
    pub(super) base: &'a ArrayRef3<u8>,
    pub(super) grid: &'a Grid,
    pub(super) outside: Outside,
    pub(super) scale: Scale,
    pub(super) noise: LocalNoise,
}

/// The walls that were measured, as far as openings ask for them.
pub(super) struct Walls {
    /// In order of their voxels.
    pub(super) pieces: Vec<Piece>,
    pub(super) index: Index,
}

/// What is known of a wall through one voxel.
pub(super) struct Piece {
    pub(super) voxel: u32,
    direction: u16,
    pub(super) is_bone: bool,
    /// Whether it is bone, but of a kind that may hide a hole.
    pub(super) is_doubtful: bool,
    /// Whether it needs no neighbours to say so.
    pub(super) is_sure: bool,
    shift_mm: f32,
    pub(super) thickness_mm: f32,
    /// The medium on its darker side.
    pub(super) dark_hu: f32,
}

impl Piece {
    /// Unit vector across the wall.
    pub(super) fn n(&self) -> Vec3 {
        directions::vector(self.direction)
    }

    /// The wall's middle nearest to the voxel's centre, mm along the grid's axes.
    pub(super) fn middle(&self, grid: &Grid) -> Vec3 {
        middle(self.voxel, self.n(), self.shift_mm, grid)
    }
}

impl Walls {
    pub(super) fn new(nodes: &[Node], linked: &Linked, noise_hu: f32, grid: &Grid) -> Self {
        let index = Index::new(nodes.iter().map(|n| n.voxel).collect(), grid.size());
        let piece = |(k, node): (usize, &Node)| Piece {
            voxel: node.voxel,
            direction: node.direction,
            is_bone: linked.bone[k],
            is_doubtful: linked.bone[k] && may_hide_hole(&node.wall, linked.rim_mm[k], noise_hu),
            is_sure: node.wall.evidence >= SURE,
            shift_mm: node.wall.shift_mm,
            thickness_mm: node.wall.thickness_mm,
            dark_hu: node.wall.media[1],
        };
        Self { pieces: nodes.par_iter().enumerate().map(piece).collect(), index }
    }
}

/// The middle of a wall `shift_mm` along its normal from a voxel, mm along the grid's axes.
pub(super) fn middle(voxel: u32, n: Vec3, shift_mm: f32, grid: &Grid) -> Vec3 {
    let at = unravel(voxel as usize, grid.size());
    [0, 1, 2].map(|a| at[a] as f64 * grid.spacing_mm()[a] + n[a] * f64::from(shift_mm))
}
