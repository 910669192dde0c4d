//! What every step of a repair has before it.

use super::measure::Scale;
use super::outside::Outside;
use super::sheets::{Index, Linked, Node};
use crate::{Grid, Voxel};
use ndarray::ArrayRef3;

/// A scan, its bone, and how fine and bright it shows what it shows.
pub(super) struct Scan<'a, T: Voxel> {
    pub(super) ct: &'a ArrayRef3<T>,
    /// Bone that is not to be changed.
    pub(super) base: &'a ArrayRef3<u8>,
    pub(super) grid: &'a Grid,
    pub(super) outside: Outside,
    pub(super) scale: Scale,
}

/// The walls that were measured, and which of them are bone.
pub(super) struct Walls {
    /// In order of their voxels.
    pub(super) nodes: Vec<Node>,
    pub(super) index: Index,
    pub(super) linked: Linked,
}

impl Walls {
    pub(super) fn new(nodes: Vec<Node>, linked: Linked, grid: &Grid) -> Self {
        let index = Index::new(nodes.iter().map(|n| n.voxel).collect(), grid.size());
        Self { nodes, index, linked }
    }

    /// Those that are bone, with their numbers.
    pub(super) fn bone(&self) -> impl Iterator<Item = (usize, &Node)> {
        self.nodes.iter().enumerate().filter(|(k, _)| self.linked.bone[*k])
    }

    /// The voxel (x, y, z) of a wall.
    pub(super) fn voxel(&self, node: &Node) -> [usize; 3] {
        self.index.at(node.voxel)
    }
}
