//! Places where a sheet holds less than around, or something else shows: there, blur may fill a hole.

use super::linalg::{dot, extent_mm, unit};
use super::openings::Throat;
use super::scan::{Piece, Walls};
use crate::Grid;

/// All such places, those that touch as one.
pub(super) fn find(walls: &Walls, grid: &Grid) -> Vec<Throat> {
    let Walls { pieces, index } = walls;
    let mut is_left: Vec<bool> = pieces.iter().map(|p| p.is_doubtful).collect();
    let mut found = Vec::new();
    for first in 0..pieces.len() {
        if !std::mem::take(&mut is_left[first]) {
            continue;
        }
        let mut spot = vec![first];
        let mut next = 0;
        while let Some(&here) = spot.get(next) {
            next += 1;
            index.around(index.at(pieces[here].voxel), [1; 3], |j| {
                if std::mem::take(&mut is_left[j]) {
                    spot.push(j);
                }
            });
        }
        found.extend(throat(&spot.iter().map(|&k| &pieces[k]).collect::<Vec<_>>(), walls, grid));
    }
    found
}

fn throat(spot: &[&Piece], walls: &Walls, grid: &Grid) -> Option<Throat> {
    let (mut axis, mut middle_mm, mut area_mm2) = ([0.0; 3], [0.0; 3], 0.0);
    for piece in spot {
        let n = piece.n();
        let sign = dot(n, spot[0].n()).signum();
        let middle = piece.middle(grid);
        axis = [0, 1, 2].map(|a| axis[a] + sign * n[a]);
        middle_mm = [0, 1, 2].map(|a| middle_mm[a] + middle[a] / spot.len() as f64);
        // a voxel of a plane covers as much of it as its volume over its height along the normal
        area_mm2 += grid.voxel_mm3() / extent_mm(n, grid.spacing_mm());
    }
    let voxels = spot.iter().map(|piece| walls.index.at(piece.voxel)).collect();
    Some(Throat { middle_mm, axis: unit(axis)?, area_mm2, voxels, share: None })
}
