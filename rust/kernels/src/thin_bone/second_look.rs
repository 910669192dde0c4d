//! A second look where sheets go on but no wall was measured.
//!
//! The direction across a wall that a voxel's neighbours tell is wrong where the wall bends or something else is near,
//! and the wall then seems to lie in another voxel. The sheet around knows better: where planes of it pass through such
//! a voxel, the wall is measured across their direction. It counts if it is as thick as the sheet around, so that the rims
//! of holes stay where they are.

use super::candidates::Candidate;
use super::directions;
use super::linalg::{extent_mm, unit};
use super::scan::Scan;
use super::sheets::{Index, Linked, Node, is_whole};
use super::survey::survey;
use crate::grid::{ravel, step_in_block, unravel};
use crate::{Grid, Job, Result, Voxel};
use ndarray::ArrayRef3;
use rayon::prelude::*;

/// As many neighbours' planes pass through a voxel beside the straight edge of a sheet.
const LEAST_PLANES: usize = 3;

/// Adds to the `nodes`, which are in order of their voxels, those found where their sheets go on, as bone.
pub(super) fn add<T: Voxel>(scan: &Scan<'_, T>, nodes: &mut Vec<Node>, linked: &mut Linked, job: &Job) -> Result<()> {
    let noise_hu = scan.scale.noise_hu as f32;
    let places = places(nodes, linked, scan.base, scan.grid);
    let candidates = places.iter().map(|place| place.candidate).collect();
    let found = survey(scan, candidates, job)?;
    // both are in order of their voxels
    let mut places = places.into_iter();
    let with_place = found.into_iter().filter_map(|n| Some((n, places.find(|p| p.candidate.voxel == n.voxel)?)));
    let is_bone = |(Node { wall, .. }, Place { rim_mm, .. }): &(Node, Place)| {
        wall.thickness_mm >= *rim_mm && is_whole(wall, *rim_mm, noise_hu)
    };
    let (found, places): (Vec<Node>, Vec<Place>) = with_place.filter(is_bone).unzip();
    let at: Vec<usize> = found.iter().map(|new| nodes.partition_point(|node| node.voxel < new.voxel)).collect();
    insert(&mut linked.bone, &at, vec![true; found.len()]);
    insert(&mut linked.rim_mm, &at, places.iter().map(|place| place.rim_mm).collect());
    if !linked.thickness_mm.is_empty() {
        insert(&mut linked.thickness_mm, &at, places.iter().map(|place| place.thickness_mm).collect());
    }
    insert(nodes, &at, found);
    Ok(())
}

/// Puts each of some values before that which now has the place it is given `at`, in order.
fn insert<V: Copy>(into: &mut Vec<V>, at: &[usize], values: Vec<V>) {
    let mut end = into.len();
    into.extend_from_slice(&values);
    for (before, (value, &at)) in values.into_iter().zip(at).enumerate().rev() {
        into.copy_within(at..end, at + before + 1);
        into[at + before] = value;
        end = at;
    }
}

/// Where to look again, and how thick the sheet is there and around.
struct Place {
    candidate: Candidate,
    rim_mm: f32,
    /// 0 where the sheet's was not asked for.
    thickness_mm: f32,
}

/// Voxels that have no node and are not in the base, but that planes of enough neighbours pass through; in order.
fn places(nodes: &[Node], linked: &Linked, base: &ArrayRef3<u8>, grid: &Grid) -> Vec<Place> {
    let mut passes = passes(nodes, &linked.bone, base, grid);
    // those of a voxel stay in order of their nodes
    passes.par_sort_by_key(|pass| pass.voxel);
    passes.par_chunk_by(|a, b| a.voxel == b.voxel).filter_map(|passes| place(passes, nodes, linked)).collect()
}

/// The plane of a node through a neighbour of its voxel.
struct Pass {
    voxel: u32,
    node: u32,
}

/// The planes of nodes that are `bone` through neighbours that have no node and are not in the base.
fn passes(nodes: &[Node], bone: &[bool], base: &ArrayRef3<u8>, grid: &Grid) -> Vec<Pass> {
    let (size, spacing) = (grid.size(), grid.spacing_mm());
    let index = Index::new(nodes.iter().map(|n| n.voxel).collect(), size);
    let through = |k: usize| {
        let node = &nodes[k];
        let (at, n) = (unravel(node.voxel as usize, size), node.n());
        let (shift_mm, support_mm) = (f64::from(node.wall.shift_mm), 0.5 * extent_mm(n, spacing));
        let index = &index;
        (0..27).filter_map(move |block| {
            let step = step_in_block(block);
            let height_mm: f64 = (0..3).map(|a| step[a] as f64 * spacing[a] * n[a]).sum();
            let passes = (height_mm - shift_mm).abs() <= support_mm;
            if !passes {
                return None;
            }
            let to = |a: usize| at[a].checked_add_signed(step[a]).filter(|&i| i < size[a]);
            let [x, y, z] = [to(0)?, to(1)?, to(2)?];
            let is_asked = base[[z, y, x]] == 0 && !index.holds([x, y, z]);
            is_asked.then_some(Pass { voxel: ravel([x, y, z], size) as u32, node: k as u32 })
        })
    };
    (0..nodes.len()).into_par_iter().filter(|&k| bone[k]).flat_map_iter(through).collect()
}

/// The place that enough planes pass through.
fn place(passes: &[Pass], nodes: &[Node], linked: &Linked) -> Option<Place> {
    if passes.len() < LEAST_PLANES {
        return None;
    }
    let around = || passes.iter().map(|pass| pass.node as usize);
    let sum = around().map(|k| nodes[k].n()).fold([0.0; 3], |sum, n| [0, 1, 2].map(|a| sum[a] + n[a]));
    let mean = |mm: &[f32]| around().filter_map(|k| mm.get(k)).sum::<f32>() / passes.len() as f32;
    Some(Place {
        candidate: Candidate { voxel: passes[0].voxel, direction: directions::nearest(unit(sum)?) },
        rim_mm: mean(&linked.rim_mm),
        thickness_mm: mean(&linked.thickness_mm),
    })
}

#[cfg(test)]
mod tests {
    use super::super::linalg::dot;
    use super::super::measure::Wall;
    use super::*;
    use ndarray::Array3;

    #[test]
    fn values_are_put_where_they_belong() {
        let mut numbers = vec![1, 2, 5, 7];
        insert(&mut numbers, &[0, 2, 2, 4], vec![0, 3, 4, 9]);
        assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 7, 9]);
        insert(&mut numbers, &[], Vec::new());
        assert_eq!(numbers.len(), 8);
    }

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
        let linked = |is_bone| {
            let (bone, rim_mm) = (vec![is_bone; nodes.len()], vec![0.4; nodes.len()]);
            Linked { bone, rim_mm, thickness_mm: vec![0.5; nodes.len()], sheets: 1 }
        };
        let found = places(&nodes, &linked(true), &base, &grid);
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
            assert!(dot(directions::vector(place.candidate.direction), n) > 0.999);
            assert!((place.rim_mm - 0.4).abs() < 1e-6 && (place.thickness_mm - 0.5).abs() < 1e-6);
        }
        assert!(places(&nodes, &linked(false), &base, &grid).is_empty(), "beside bone only");
    }
}
