//! The whole of an opening of which a surface between two chambers may show only a piece.
//!
//! The basins that are wide on both sides of the piece are markers; all others around go to that side from which they
//! are reached by the widest way. What lies between both sides is the whole.

use super::chambers::{STEP_MM, Space, UNSEEN, basin, level};
use super::linalg::dot;
use super::openings::{Face, Throat, WIDENS, narrows, parts, throat};
use crate::grid::unravel;

/// Pieces of slits are at least this large: specks of noise are not looked at twice.
const LEAST_SLIT_MM2: f64 = 1.0;
/// A piece of a throat is looked at within this, at most.
const MOST_REACH_MM: f64 = 10.0;
/// And a second time, if that shows so many times as far.
const FARTHER: f64 = 1.15;

/// What a voxel is: a side (1 or 2), space that no way within reach leads to, or bone.
const BEYOND: u8 = 0;
const BONE: u8 = 4;

/// Room for what is looked at one after the other.
#[derive(Default)]
pub(super) struct Scratch {
    /// Of each basin.
    sides: Vec<u8>,
    /// What each voxel of a box is.
    voxels: Vec<u8>,
}

/// The whole throat between the widest places on both sides of a piece of it.
pub(super) fn whole(space: &Space, piece: &Throat, largest_mm2: f64, scratch: &mut Scratch) -> Option<Throat> {
    let near_mm = (3.0 * (piece.area_mm2 / std::f64::consts::PI).sqrt() + 3.0).min(MOST_REACH_MM);
    let (whole, goes_on) = within(space, piece, near_mm, largest_mm2, scratch);
    // a slit is much longer than a piece of it shows
    let is_worth = piece.area_mm2 >= LEAST_SLIT_MM2 && FARTHER * near_mm <= MOST_REACH_MM;
    if whole.is_none() && goes_on && is_worth {
        return within(space, piece, MOST_REACH_MM, largest_mm2, scratch).0;
    }
    whole
}

/// The same, looking no farther than `reach_mm`, and whether the throat goes on there.
fn within(
    space: &Space,
    piece: &Throat,
    reach_mm: f64,
    largest_mm2: f64,
    scratch: &mut Scratch,
) -> (Option<Throat>, bool) {
    let Space { ref cells, size, spacing, .. } = *space;
    let low = [0, 1, 2].map(|a| ((piece.middle_mm[a] - reach_mm) / spacing[a]).ceil().max(0.0) as usize);
    let high = [0, 1, 2].map(|a| (((piece.middle_mm[a] + reach_mm) / spacing[a]) as usize + 1).min(size[a]));
    let Some(mut reached) = markers(space, piece, reach_mm, [low, high], scratch) else { return (None, false) };
    let is_inside = |at: [usize; 3]| (0..3).all(|a| (low[a]..high[a]).contains(&at[a]));
    space.ways.divide(&mut scratch.sides, &mut reached, |voxel| is_inside(unravel(voxel as usize, size)));

    // a layer of bone around the box spares the question where it ends
    let box_size = [0, 1, 2].map(|a| high[a] - low[a] + 2);
    let strides = [1, box_size[0], box_size[0] * box_size[1]];
    let at = |i: [usize; 3]| (0..3).map(|a| (i[a] + 1 - low[a]) * strides[a]).sum::<usize>();
    let Scratch { sides, voxels } = scratch;
    voxels.clear();
    voxels.resize(box_size.iter().product(), BONE);
    let rows = || (low[2]..high[2]).flat_map(|z| (low[1]..high[1]).map(move |y| [low[0], y, z]));
    for first in rows() {
        let row = &cells[space.index(first)..][..high[0] - low[0]];
        voxels[at(first)..].iter_mut().zip(row).for_each(|(v, &c)| *v = sides[basin(c) as usize]);
    }
    reached.iter().for_each(|&b| sides[b as usize] = BEYOND);

    let mut faces = Vec::new();
    for first in rows() {
        let mine = &voxels[at(first)..][..high[0] - low[0]];
        for a in 0..3 {
            let others = &voxels[at(first) + strides[a]..][..mine.len()];
            // sides are 1 and 2
            let is_face = |m: &u8, o: &u8| m ^ o == 3;
            if mine.iter().zip(others).fold(false, |any, (m, o)| any | is_face(m, o)) {
                for (k, (m, _)) in mine.iter().zip(others).enumerate().filter(|(_, (m, o))| is_face(m, o)) {
                    let mut i = first;
                    i[0] += k;
                    i[a] += usize::from(*m == 2);
                    faces.push(Face { pair: (1, 2), voxel: space.index(i) as u32, axis: a as u8, forward: *m == 1 });
                }
            }
        }
    }
    faces.sort_by_key(|f| (f.voxel, f.axis));
    let mut best: Option<(f64, Throat)> = None;
    let mut goes_on = false;
    parts(&faces, size, |part| {
        let from_middle = |f: &&Face| {
            let i = unravel(f.voxel as usize, size);
            let p = [0, 1, 2].map(|a| i[a] as f64 * spacing[a] - piece.middle_mm[a]);
            dot(p, p)
        };
        let distance = part.iter().map(from_middle).fold(f64::INFINITY, f64::min);
        // a surface that reaches the end of what was looked at has no rim of bone
        let is_end = |f: &&Face| {
            let i = unravel(f.voxel as usize, size);
            (0..3).any(|a| {
                (i[a] <= low[a] + 1 && low[a] > 0)
                    || (i[a] + 2 >= high[a] && high[a] < size[a])
                    || i[a] == 0
                    || i[a] + 1 == size[a]
            })
        };
        let touching = |what: u8| {
            let is_beside = |k: usize| strides.iter().any(|step| voxels[k - step] == what || voxels[k + step] == what);
            part.iter().filter(|f| f.sides(size).iter().any(|&v| is_beside(at(unravel(v, size))))).count()
        };
        let ends = part.iter().any(is_end) || touching(BEYOND) > touching(BONE);
        goes_on |= ends;
        if !ends
            && best.as_ref().is_none_or(|b| distance < b.0)
            && let Some(t) = throat(part, size, spacing, largest_mm2)
        {
            best = Some((distance, t));
        }
    });
    (best.map(|(_, t)| t).filter(|t| narrows(t, space)), goes_on)
}

/// Gives a side to each basin that is wide in a cone along the piece's axis, most of it on that side, and returns them;
/// none if one side has none.
fn markers(
    space: &Space,
    piece: &Throat,
    reach_mm: f64,
    [low, high]: [[usize; 3]; 2],
    scratch: &mut Scratch,
) -> Option<Vec<u32>> {
    let radius_mm = piece.voxels.iter().map(|&v| space.radius_mm(v)).fold(0.0, f64::max);
    let least = ((WIDENS * radius_mm / STEP_MM).ceil() as u8).max(1);
    let step = space.steps(reach_mm);
    let mut seen: Vec<(u32, bool)> = Vec::new();
    for z in (low[2]..high[2]).step_by(step[2]) {
        for y in (low[1]..high[1]).step_by(step[1]) {
            for x in (low[0]..high[0]).step_by(step[0]) {
                let c = space.cells[space.index([x, y, z])];
                if level(c) >= least {
                    let p = [0, 1, 2].map(|a| [x, y, z][a] as f64 * space.spacing[a] - piece.middle_mm[a]);
                    let along = dot(p, piece.axis);
                    if along.abs() > 0.5 * radius_mm + 1.0 && dot(p, p) <= 1.49 * along * along {
                        seen.push((basin(c), along > 0.0));
                    }
                }
            }
        }
    }
    seen.sort_unstable();
    let mut markers: Vec<(u32, u8)> = Vec::new();
    for of_basin in seen.chunk_by(|a, b| a.0 == b.0) {
        let ahead = of_basin.iter().filter(|s| s.1).count();
        let behind = of_basin.len() - ahead;
        if ahead != behind {
            markers.push((of_basin[0].0, if ahead > behind { 2 } else { 1 }));
        }
    }
    if ![1, 2].iter().all(|&side| markers.iter().any(|m| m.1 == side)) {
        return None;
    }
    scratch.sides.resize(space.ways.basins(), BEYOND);
    scratch.sides[UNSEEN as usize] = BONE;
    markers.iter().for_each(|&(b, side)| scratch.sides[b as usize] = side);
    Some(markers.into_iter().map(|(b, _)| b).collect())
}
