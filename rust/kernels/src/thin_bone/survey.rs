//! The walls through all voxels that may hold one.

use super::candidates::Candidate;
use super::directions;
use super::measure::Bank;
use super::scan::Scan;
use super::sheets::Node;
use crate::{Job, Result, Voxel};
use rayon::prelude::*;

/// Added bone reaches over a voxel that a wall only touches with its thickness, up to this.
const OVERLAP_MM: f64 = 0.35;
/// Directions that are looked at together.
const TOGETHER: usize = 64;

/// Measures a wall through every voxel that may hold one; the nodes are in order of their voxels.
pub(super) fn survey<T: Voxel>(scan: &Scan<'_, T>, candidates: Vec<Candidate>, job: &Job) -> Result<Vec<Node>> {
    let Scan { ct, scale, .. } = scan;
    let candidates = by_direction(candidates);
    let is_same = |a: &Candidate, b: &Candidate| a.direction == b.direction;
    let is_along = |a: &Candidate, b: &Candidate| is_same(a, b) || a.direction == directions::opposite(b.direction);
    let groups: Vec<&[Candidate]> = candidates.chunk_by(is_along).collect();
    let steps = job.steps(groups.len());
    let measure = |group: &&[Candidate]| {
        steps.step()?;
        let mut bank = Bank::new(group[0].direction, scale);
        let support_mm = bank.support_mm();
        let mut nodes = Vec::new();
        for (k, group) in group.chunk_by(is_same).enumerate() {
            if k > 0 {
                bank = bank.turned();
            }
            bank.measure(ct, group, scale, support_mm + OVERLAP_MM, |candidate, wall| {
                let beyond = (0.5 * f64::from(wall.thickness_mm)).clamp(0.0, OVERLAP_MM);
                if f64::from(wall.shift_mm).abs() <= support_mm + beyond {
                    nodes.push(Node { voxel: candidate.voxel, direction: candidate.direction, wall });
                }
            });
        }
        Ok(nodes)
    };
    // room that is not used takes no memory, and what groups leave behind is used again
    let mut nodes = Vec::with_capacity(candidates.len());
    for groups in groups.chunks(TOGETHER) {
        let found: Vec<Vec<Node>> = groups.par_iter().with_max_len(1).map(measure).collect::<Result<_>>()?;
        nodes.extend(found.into_iter().flatten());
    }
    nodes.shrink_to_fit();
    nodes.par_sort_unstable_by_key(|n| n.voxel);
    Ok(nodes)
}

/// In order of their directions, opposite ones one after the other, those of each in the order they have.
fn by_direction(candidates: Vec<Candidate>) -> Vec<Candidate> {
    let rank = |d: u16| {
        let opposite = directions::opposite(d);
        2 * usize::from(d.min(opposite)) + usize::from(d > opposite)
    };
    let ranks: Vec<usize> = directions::all().map(rank).collect();
    let mut next = vec![0_usize; 2 * ranks.len() + 1];
    for c in &candidates {
        next[ranks[usize::from(c.direction)] + 1] += 1;
    }
    for k in 1..next.len() {
        next[k] += next[k - 1];
    }
    let mut ordered = vec![Candidate::default(); candidates.len()];
    for c in candidates {
        let place = &mut next[ranks[usize::from(c.direction)]];
        ordered[*place] = c;
        *place += 1;
    }
    ordered
}
