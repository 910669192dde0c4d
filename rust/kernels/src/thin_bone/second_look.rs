//! A second look where sheets go on but no wall was measured.
//!
//! The direction across a wall that a voxel's neighbours tell is wrong where the wall bends or something else is near,
//! and the wall then seems to lie in another voxel. The sheet around knows better: where planes of it pass through such
//! a voxel, the wall is measured across their direction. It counts if it is about as thick as they are, so that the
//! rims of holes stay where they are.

use super::candidates::Candidate;
use super::directions;
use super::linalg::{Vec3, extent_mm, unit};
use super::scan::Scan;
use super::sheets::{Index, Node, THICK_RIM_MM};
use super::survey::survey;
use crate::grid::{ravel, step_in_block, unravel};
use crate::{Grid, Job, Result, Voxel};
use ndarray::ArrayRef3;
use rayon::prelude::*;

/// As many neighbours' planes pass through a voxel beside the straight edge of a sheet.
const LEAST_PLANES: usize = 3;
/// A wall has at least this share of its neighbours' thickness.
const LEAST_SHARE: f32 = 0.85;

/// Adds to the `nodes`, which are in order of their voxels, those found where the sheets that are `bone` go on.
pub(super) fn add<T: Voxel>(scan: &Scan<'_, T>, nodes: &mut Vec<Node>, bone: &[bool], job: &Job) -> Result<()> {
    let places = places(nodes, bone, scan.base, scan.grid);
    let candidates = places.iter().map(|place| place.candidate).collect();
    let mut found = survey(scan, candidates, job)?;
    let mut places = places.into_iter();
    found.retain(|node| {
        // both are in order of their voxels
        let place = places.find(|place| place.candidate.voxel == node.voxel);
        place.is_some_and(|place| node.wall.thickness_mm >= LEAST_SHARE * place.around_mm)
    });
    nodes.extend(found);
    nodes.par_sort_by_key(|node| node.voxel);
    Ok(())
}

/// Where to look again, and how thick the wall is around.
struct Place {
    candidate: Candidate,
    around_mm: f32,
}

/// Voxels that have no node and are not in the base, but that planes of enough neighbours pass through; in order.
fn places(nodes: &[Node], bone: &[bool], base: &ArrayRef3<u8>, grid: &Grid) -> Vec<Place> {
    let mut passes = passes(nodes, bone, base, grid);
    // those of a voxel stay in order of their nodes
    passes.par_sort_by_key(|pass| pass.voxel);
    passes.chunk_by(|a, b| a.voxel == b.voxel).filter_map(place).collect()
}

/// The plane of a node through a neighbour of its voxel.
struct Pass {
    voxel: u32,
    n: Vec3,
    thickness_mm: f32,
}

/// The planes of nodes that are `bone` through neighbours that have no node and are not in the base.
fn passes(nodes: &[Node], bone: &[bool], base: &ArrayRef3<u8>, grid: &Grid) -> Vec<Pass> {
    let (size, spacing) = (grid.size(), grid.spacing_mm());
    let index = Index::new(nodes.iter().map(|n| n.voxel).collect(), size);
    let through = |node: &Node| {
        let (at, n, wall) = (unravel(node.voxel as usize, size), node.n(), node.wall);
        let support_mm = 0.5 * extent_mm(n, spacing);
        let index = &index;
        (0..27).filter_map(move |k| {
            let step = step_in_block(k);
            let to = |a: usize| at[a].checked_add_signed(step[a]).filter(|&i| i < size[a]);
            let [x, y, z] = [to(0)?, to(1)?, to(2)?];
            let height_mm: f64 = (0..3).map(|a| step[a] as f64 * spacing[a] * n[a]).sum();
            let passes = (height_mm - f64::from(wall.shift_mm)).abs() <= support_mm;
            let is_asked = passes && base[[z, y, x]] == 0 && !index.holds([x, y, z]);
            let voxel = ravel([x, y, z], size) as u32;
            is_asked.then_some(Pass { voxel, n, thickness_mm: wall.thickness_mm })
        })
    };
    nodes.par_iter().zip(bone).filter(|(_, is_bone)| **is_bone).flat_map_iter(|(node, _)| through(node)).collect()
}

/// The place that enough planes pass through.
fn place(passes: &[Pass]) -> Option<Place> {
    if passes.len() < LEAST_PLANES {
        return None;
    }
    let sum = passes.iter().fold([0.0; 3], |sum, pass| [0, 1, 2].map(|a| sum[a] + pass.n[a]));
    let candidate = Candidate { voxel: passes[0].voxel, direction: directions::nearest(unit(sum)?) };
    let mean_mm = passes.iter().map(|pass| pass.thickness_mm).sum::<f32>() / passes.len() as f32;
    // thicker walls do not say how thick a thin one beside them should be
    Some(Place { candidate, around_mm: mean_mm.min(THICK_RIM_MM) })
}

#[cfg(test)]
mod tests {
    use super::super::linalg::dot;
    use super::super::measure::Wall;
    use super::*;
    use ndarray::Array3;

    #[test]
    fn a_gap_and_the_edge_of_a_sheet_are_looked_at_again_across_it() {
        let (size, spacing) = ([12, 12, 8], [0.5, 0.5, 0.6]);
        let grid = Grid::axis_aligned(size, spacing).unwrap();
        let direction = directions::nearest(unit([0.1, 0.2, 1.0]).unwrap());
        let n = directions::vector(direction);
        let height_mm = |[x, y, z]: [usize; 3]| {
            (0..3).map(|a| ([x, y, z][a] as f64 - [6.0, 6.0, 4.0][a]) * spacing[a] * n[a]).sum::<f64>()
        };
        let is_on = |at: [usize; 3]| height_mm(at).abs() <= 0.5 * extent_mm(n, spacing);
        // the sheet ends at x = 2 and at x = 9, where the base goes on, and has gaps of one voxel and of three
        let has_node = |at: [usize; 3]| {
            let [x, y, _] = at;
            is_on(at) && (3..9).contains(&x) && [x, y] != [5, 3] && !((4..7).contains(&x) && (6..9).contains(&y))
        };
        let voxels: Vec<[usize; 3]> = (0..size.iter().product()).map(|v| unravel(v, size)).collect();
        let node = |&at: &[usize; 3]| Node {
            voxel: ravel(at, size) as u32,
            direction,
            wall: Wall {
                shift_mm: -height_mm(at) as f32,
                mass: 0.0,
                mass_se: 0.0,
                thickness_mm: 0.5,
                media: [0.0; 2],
                evidence: 0.0,
                residual_hu: 0.0,
                sigma_mm: 0.4,
            },
        };
        let nodes: Vec<Node> = voxels.iter().filter(|&&at| has_node(at)).map(node).collect();
        let base = Array3::from_shape_fn(grid.shape(), |(_, _, x)| u8::from(x >= 9));
        let found = places(&nodes, &vec![true; nodes.len()], &base, &grid);
        let is_found = |at: [usize; 3]| found.iter().any(|place| place.candidate.voxel as usize == ravel(at, size));
        for &at in voxels.iter().filter(|&&at| is_on(at) && !has_node(at)) {
            match at {
                [5, 3, _] => assert!(is_found(at), "{at:?} in a gap"),
                [5, 7, _] => assert!(!is_found(at), "{at:?} far within a hole"),
                [2, 1..11, _] => assert!(is_found(at), "{at:?} at the edge"),
                [..2 | 9.., ..] => assert!(!is_found(at), "{at:?} beyond"),
                _ => (),
            }
        }
        for place in &found {
            assert!(is_on(unravel(place.candidate.voxel as usize, size)), "on the sheet");
            assert!(dot(directions::vector(place.candidate.direction), n) > 0.999 && place.around_mm == 0.5);
        }
        assert!(places(&nodes, &vec![false; nodes.len()], &base, &grid).is_empty(), "beside bone only");
    }
}
