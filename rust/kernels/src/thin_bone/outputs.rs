//! Where the results go.

use super::joints::Joint;
use super::partial;
use super::scan::Scan;
use super::sheets::{Linked, Node};
use crate::grid::unravel;
use crate::{Grid, Result, Voxel};
use ndarray::{ArrayRef3, Axis};
use rayon::prelude::*;

/// Where the results go; all on the scan's grid.
#[derive(Debug)]
pub struct Outputs<'a> {
    /// Bone that is not in the base: 1, elsewhere 0.
    pub added: &'a mut ArrayRef3<u8>,
    /// Thickness of walls (mm), 0 where there is none.
    pub thickness_mm: Option<&'a mut ArrayRef3<f32>>,
    /// Mass of walls (HU·mm), 0 where there is none.
    pub mass_hu_mm: Option<&'a mut ArrayRef3<f32>>,
    /// Every piece of a wall, with its place between the voxels, in the order of its voxels.
    pub walls: Option<&'a mut Vec<Wall>>,
}

/// A piece of a wall, measured through one voxel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wall {
    /// The voxel's index (x, y, z).
    pub voxel: [u32; 3],
    /// The wall's middle nearest to the voxel's centre, as an index (x, y, z) that is not whole.
    pub middle: [f32; 3],
    /// Unit vector across it, along the grid's axes.
    pub normal: [f32; 3],
    /// How thick it is.
    pub thickness_mm: f32,
}

impl Outputs<'_> {
    pub(super) fn check(&self, grid: &Grid) -> Result<()> {
        grid.check_shape("output", self.added.dim())?;
        for map in [&self.thickness_mm, &self.mass_hu_mm].into_iter().flatten() {
            grid.check_shape("output", map.dim())?;
        }
        Ok(())
    }

    pub(super) fn ask_for_thickness(&self) -> bool {
        self.thickness_mm.is_some() || self.walls.is_some()
    }

    /// Writes the walls that are bone.
    pub(super) fn write<T: Voxel>(&mut self, scan: &Scan<'_, T>, nodes: &[Node], linked: &Linked) {
        let bone = || nodes.iter().enumerate().filter(|(k, _)| linked.bone[*k]);
        let place = |node: &Node| {
            let [x, y, z] = unravel(node.voxel as usize, scan.grid.size());
            [z, y, x]
        };
        let slice_voxels = scan.grid.voxels() / scan.grid.size()[2];
        self.added.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(z, mut slice)| {
            slice.fill(0);
            let [first, end] = [z, z + 1].map(|z| nodes.partition_point(|n| (n.voxel as usize) < z * slice_voxels));
            for k in (first..end).filter(|&k| linked.bone[k]) {
                let [z, y, x] = place(&nodes[k]);
                if scan.base[[z, y, x]] == 0 && !partial::is_hollow(scan.ct, [x, y, z]) {
                    slice[[y, x]] = 1;
                }
            }
        });
        if let Some(map) = &mut self.thickness_mm {
            map.fill(0.0);
            bone().for_each(|(k, node)| map[place(node)] = linked.thickness_mm[k]);
        }
        if let Some(map) = &mut self.mass_hu_mm {
            map.fill(0.0);
            bone().for_each(|(_, node)| map[place(node)] = node.wall.mass);
        }
        if let Some(walls) = &mut self.walls {
            walls.clear();
            walls.extend(bone().map(|(k, node)| Wall::new(node, linked.thickness_mm[k], scan.grid)));
        }
    }

    /// Adds the walls between sheets and the base, where no bone was added yet.
    pub(super) fn add(&mut self, joints: &[Joint], grid: &Grid) {
        for Joint { node, thickness_mm, .. } in joints {
            let [x, y, z] = unravel(node.voxel as usize, grid.size());
            if std::mem::replace(&mut self.added[[z, y, x]], 1) != 0 {
                continue;
            }
            if let Some(map) = &mut self.thickness_mm {
                map[[z, y, x]] = *thickness_mm;
            }
            if let Some(map) = &mut self.mass_hu_mm {
                map[[z, y, x]] = node.wall.mass;
            }
            if let Some(walls) = &mut self.walls {
                walls.push(Wall::new(node, *thickness_mm, grid));
            }
        }
        if let Some(walls) = &mut self.walls {
            walls.sort_by_key(|wall| [2, 1, 0].map(|a| wall.voxel[a]));
        }
    }
}

impl Wall {
    fn new(node: &Node, thickness_mm: f32, grid: &Grid) -> Self {
        let middle = node.middle(grid);
        Self {
            voxel: unravel(node.voxel as usize, grid.size()).map(|i| i as u32),
            middle: [0, 1, 2].map(|a| (middle[a] / grid.spacing_mm()[a]) as f32),
            normal: node.n().map(|c| c as f32),
            thickness_mm,
        }
    }
}
