//! Every opening of the bone: where it is, how large, and whether it may be one that only blur makes.
//!
//! Flooding the space around the bone from its widest places down (a watershed of the distance to bone) divides
//! it into chambers that meet in throats: where bone leaves a narrow way through, there is a throat's surface.
//! Wide open space is divided into blocks, so that a hole is found even where one can walk around the bone.
//! The surface's oriented voxel faces add up to a vector whose length is the opening's area seen along its axis,
//! however jagged the surface is, because that sum depends on its rim alone.
//!
//! Gostick: Versatile and efficient pore network extraction method using marker-based watershed segmentation.
//! Phys. Rev. E 96 (2017), doi 10.1103/PhysRevE.96.023307.

use super::chambers::{LEVELS, SLAB_VOXELS, Space, UNSEEN, WIDE_MM, basin, level};
use super::linalg::{Vec3, dot, unit};
use super::whole::{self, Scratch};
use crate::components::{join, root};
use crate::grid::unravel;
use crate::{Grid, Job, Result};
use multiversion::multiversion;
use ndarray::ArrayRef3;
use rayon::prelude::*;

/// A throat of the space around the bone.
pub(super) struct Throat {
    /// Its middle, mm along the grid's axes.
    pub(super) middle_mm: Vec3,
    /// Unit vector through it.
    pub(super) axis: Vec3,
    pub(super) area_mm2: f64,
    /// Voxels that close it.
    pub(super) voxels: Vec<[usize; 3]>,
    /// What its fit says about the wall in it, if it was fitted.
    pub(super) share: Option<Share>,
}

/// How much of the wall around shows in the middle of an opening.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share {
    pub(super) mean: f64,
    /// Standard error.
    pub(super) error: f64,
    /// What an empty hole of its area would show, or of its shape where it is a slit.
    pub(super) if_empty: f64,
    /// Whether no place of it lacks more than a wall may.
    pub(super) is_wall: bool,
    /// The same from the sheet's own measurements in it, which tell linings from bone, if there are any.
    pub(super) of_sheet: Option<f64>,
}

impl Share {
    /// Whether a hole so large can be told from a wall, and shows no more than an empty one.
    pub(super) fn is_empty(&self) -> bool {
        self.may_be_empty() && self.if_empty < TELLING
    }

    /// Whether it clearly shows no more than an empty hole of its area, and surely less than a wall.
    pub(super) fn is_hole(&self) -> bool {
        let is_lining = self.of_sheet.is_some_and(|share| share >= WHOLE);
        self.may_be_empty() && self.is_clear() && 1.0 - self.mean >= SURELY * self.error && !is_lining
    }

    /// Whether it shows about as little as an empty hole of its area, where that tells a hole from a wall: what lacks
    /// half of the wall over the area of a hole that would lack nearly all is noise, or thin bone.
    pub(super) fn is_clear(&self) -> bool {
        self.if_empty >= TELLING || self.mean <= self.if_empty + AREA_SHARE + AREA_NOISE * self.error
    }

    fn may_be_empty(&self) -> bool {
        self.mean - PROBABLY * self.error <= self.if_empty
    }
}

/// What is probable, and what is sure, in standard errors.
pub(super) const PROBABLY: f64 = 1.64;
pub(super) const SURELY: f64 = 4.0;
/// Where the sheet itself shows this share, what lacks is the lining that the wall has around.
const WHOLE: f64 = 0.9;
/// Where an empty hole would show less than this share of its rim, it can be told from a wall.
pub(super) const TELLING: f64 = 0.4;

/// A clear hole may show so much more than an empty one, since its area is but measured, and so much of the noise.
const AREA_SHARE: f64 = 0.1;
const AREA_NOISE: f64 = 0.5;

/// On both sides of an opening space widens to at least this multiple of it.
pub(super) const WIDENS: f64 = 1.2;
/// And it does so no farther from it than its width and this: most bone that a canal leads through is no thicker.
const CANAL_MM: f64 = 3.0;

/// Finds the throats of the space outside `bone` up to an area of `largest_mm2`.
pub(super) fn throats(bone: &ArrayRef3<u8>, grid: &Grid, largest_mm2: f64, job: &Job) -> Result<Vec<Throat>> {
    throats_by_slabs(bone, grid, grid.voxels() / SLAB_VOXELS, largest_mm2, job)
}

fn throats_by_slabs(
    bone: &ArrayRef3<u8>,
    grid: &Grid,
    slabs: usize,
    largest_mm2: f64,
    job: &Job,
) -> Result<Vec<Throat>> {
    let space = Space::new(bone, grid, slabs, &job.part(0.0, 0.8))?;
    Ok(collect(&space, largest_mm2))
}

/// A face between two chambers: the voxel on the side of the lower number, its pair of chambers, its axis.
pub(super) struct Face {
    pub(super) pair: (u32, u32),
    pub(super) voxel: u32,
    pub(super) axis: u8,
    /// Whether the axis points from the lower chamber to the higher one.
    pub(super) forward: bool,
}

impl Face {
    /// By pair, voxel, axis and whether it is forward, as one number that is compared without branches.
    fn rank(&self) -> u128 {
        let pair = u128::from(self.pair.0) << 32 | u128::from(self.pair.1);
        let place = u64::from(self.voxel) << 8 | u64::from(self.axis) << 1 | u64::from(self.forward);
        pair << 64 | u128::from(place)
    }

    /// The voxels on both sides of it.
    pub(super) fn sides(&self, size: [usize; 3]) -> [usize; 2] {
        let voxel = self.voxel as usize;
        let step = [1, size[0], size[0] * size[1]][self.axis as usize];
        [voxel, if self.forward { voxel + step } else { voxel - step }]
    }
}

/// The throats between chambers, whole and each once.
fn collect(space: &Space, largest_mm2: f64) -> Vec<Throat> {
    let faces = faces(space);
    let groups: Vec<&[Face]> = faces.chunk_by(|a, b| a.pair == b.pair).collect();
    let pieces = |group: &[Face]| {
        let mut found = Vec::new();
        parts(group, space.size, |part| {
            let throat = throat(part, space.size, space.spacing, largest_mm2);
            found.extend(throat.filter(|t| narrows(t, space)));
        });
        found
    };
    // some pairs of chambers, and some pieces, take much longer than others
    let groups = groups.into_par_iter().with_max_len(64);
    let pieces: Vec<Throat> = groups.flat_map_iter(pieces).collect();
    // a hole where more than two chambers meet shows in pieces
    let whole = |scratch: &mut Scratch, piece| whole::whole(space, &piece, largest_mm2, scratch);
    let pieces = pieces.into_par_iter().with_max_len(4);
    let mut whole: Vec<Throat> = pieces.map_init(Scratch::default, whole).flatten_iter().collect();
    whole.sort_by(|a, b| b.area_mm2.total_cmp(&a.area_mm2));
    without_repeats(whole)
}

/// The faces between narrow places of different chambers, in order of their pairs and voxels.
fn faces(space: &Space) -> Vec<Face> {
    const TOGETHER: usize = 16;
    let Space { ref cells, ref chambers, size, .. } = *space;
    let strides = [1, size[0], size[0] * size[1]];
    let of_slice = |z: usize| {
        let (mut faces, mut places) = (Vec::new(), Vec::new());
        for (y, a) in (0..size[1]).flat_map(|y| [0, 1, 2].map(|a| (y, a))) {
            if a == 1 && y + 1 == size[1] || a == 2 && z + 1 == size[2] {
                continue;
            }
            let first = z * strides[2] + y * strides[1];
            let count = if a == 0 { size[0] - 1 } else { size[0] };
            places.clear();
            narrow_borders(&cells[first..][..count], &cells[first + strides[a]..][..count], &mut places);
            for &place in &places {
                let i = first + place;
                let pair = [cells[i], cells[i + strides[a]]];
                let [c, d] = pair.map(|c| chambers[basin(c) as usize]);
                if c != d {
                    let forward = c < d;
                    let voxel = if forward { i } else { i + strides[a] } as u32;
                    faces.push(Face { pair: (c.min(d), c.max(d)), voxel, axis: a as u8, forward });
                }
            }
        }
        faces
    };
    // what slices leave behind is used again
    let mut faces = Vec::new();
    for z in (0..size[2]).step_by(TOGETHER) {
        let found: Vec<Vec<Face>> =
            (z..(z + TOGETHER).min(size[2])).into_par_iter().with_max_len(1).map(of_slice).collect();
        faces.extend(found.into_iter().flatten());
    }
    faces.par_sort_unstable_by_key(Face::rank);
    faces
}

/// Finds the places in two rows where narrow cells of different basins lie beside each other.
#[multiversion(targets("x86_64+avx2"))]
fn narrow_borders(row: &[u32], beside: &[u32], places: &mut Vec<usize>) {
    const TOGETHER: usize = 32;
    let is_narrow = |c: u32| (basin(c) != UNSEEN) & ((level(c) as usize) < LEVELS);
    let differ = |(&c, &d): (&u32, &u32)| (basin(c) != basin(d)) & is_narrow(c) & is_narrow(d);
    for (k, (row, beside)) in row.chunks(TOGETHER).zip(beside.chunks(TOGETHER)).enumerate() {
        // most are of one basin: several are compared at a time
        if row.iter().zip(beside).fold(false, |any, pair| any | differ(pair)) {
            let found = row.iter().zip(beside).enumerate().filter(|(_, pair)| differ(*pair));
            places.extend(found.map(|(i, _)| k * TOGETHER + i));
        }
    }
}

/// Throats whose axes differ by more than 60 degrees are two, such as a hole in a wall and the cell beside it.
const LEAST_COSINE: f64 = 0.5;

/// Leaves out throats whose middle lies in a larger one before them, along about the same axis.
pub(super) fn without_repeats(throats: Vec<Throat>) -> Vec<Throat> {
    let mut kept: Vec<Throat> = Vec::new();
    for t in throats {
        let same = kept.iter().any(|k| {
            let p = [0, 1, 2].map(|a| k.middle_mm[a] - t.middle_mm[a]);
            dot(p, p) < k.area_mm2 / std::f64::consts::PI && dot(k.axis, t.axis).abs() >= LEAST_COSINE
        });
        if !same {
            kept.push(t);
        }
    }
    kept
}

/// Smaller throats are gaps of the raster, in faces of a voxel.
const LEAST_FACES: f64 = 0.9;
/// Splits the faces between two chambers, in order of their voxels, into connected surfaces.
pub(super) fn parts(faces: &[Face], size: [usize; 3], mut found: impl FnMut(&[&Face])) {
    let [nx, ny, _] = size;
    let row = |f: &Face| f.voxel as usize / nx;
    let runs: Vec<&[Face]> = faces.chunk_by(|a, b| b.voxel - a.voxel <= 1 && row(a) == row(b)).collect();
    let ends = |run: &[Face]| [run[0].voxel, run[run.len() - 1].voxel];
    let mut forest: Vec<u32> = (0..runs.len() as u32).collect();
    // each is joined to those before it: of the row behind, and of the three below
    for (below, behind) in [(0, 1), (1, -1), (1, 0), (1, 1)] {
        let mut first = 0;
        for (k, run) in runs.iter().enumerate() {
            let [from, to] = ends(run).map(|voxel| unravel(voxel as usize, size));
            let Some(z) = from[2].checked_sub(below) else { continue };
            let Some(y) = from[1].checked_add_signed(-behind).filter(|&y| y < ny) else { continue };
            let row = (z * ny + y) * nx;
            let (low, high) = ((row + from[0].saturating_sub(1)) as u32, (row + (to[0] + 1).min(nx - 1)) as u32);
            while ends(runs[first])[1] < low {
                first += 1;
            }
            for j in (first..k).take_while(|&j| ends(runs[j])[0] <= high) {
                join(&mut forest, j as u32, k as u32);
            }
        }
    }
    let mut order: Vec<(u32, u32)> = (0..runs.len() as u32).map(|k| (root(&mut forest, k), k)).collect();
    order.sort_unstable();
    for part in order.chunk_by(|a, b| a.0 == b.0) {
        found(&part.iter().flat_map(|&(_, k)| runs[k as usize]).collect::<Vec<_>>());
    }
}

pub(super) fn throat(part: &[&Face], size: [usize; 3], spacing: Vec3, largest_mm2: f64) -> Option<Throat> {
    let mut sum = [0.0; 3];
    let mut middle = [0.0; 3];
    let mut total = 0.0;
    let mut voxels = Vec::new();
    for f in part {
        let at = unravel(f.voxel as usize, size);
        let a = f.axis as usize;
        let area = spacing[(a + 1) % 3] * spacing[(a + 2) % 3];
        sum[a] += if f.forward { area } else { -area };
        let mut centre = [0, 1, 2].map(|b| at[b] as f64 * spacing[b]);
        centre[a] += if f.forward { 0.5 } else { -0.5 } * spacing[a];
        middle = [0, 1, 2].map(|b| middle[b] + area * centre[b]);
        total += area;
        if voxels.last() != Some(&at) {
            voxels.push(at);
        }
    }
    let area_mm2 = dot(sum, sum).sqrt();
    if area_mm2 > largest_mm2 || area_mm2 < LEAST_FACES * spacing.iter().product::<f64>().powf(2.0 / 3.0) {
        return None;
    }
    Some(Throat { middle_mm: middle.map(|m| m / total), axis: unit(sum)?, area_mm2, voxels, share: None })
}

/// Whether space is wider on both sides of a throat than in it: a cut through a passage of even width is no opening.
pub(super) fn narrows(throat: &Throat, space: &Space) -> bool {
    let Space { size, spacing, .. } = *space;
    let radius_mm = throat.voxels.iter().map(|&v| space.radius_mm(v)).fold(0.0, f64::max);
    if radius_mm >= WIDE_MM - 1.0 {
        return false;
    }
    let reach_mm = 2.0 * radius_mm + CANAL_MM;
    let range = [0, 1, 2].map(|a| {
        let (low, high) =
            ((throat.middle_mm[a] - reach_mm) / spacing[a], (throat.middle_mm[a] + reach_mm) / spacing[a]);
        low.ceil().max(0.0) as usize..(high.floor().max(0.0) as usize + 1).min(size[a])
    });
    // wide space is looked at in steps
    let step = space.steps(reach_mm);
    let mut is_wide = [false; 2];
    for z in range[2].clone().step_by(step[2]) {
        for y in range[1].clone().step_by(step[1]) {
            for x in range[0].clone().step_by(step[0]) {
                let p = [0, 1, 2].map(|a| [x, y, z][a] as f64 * spacing[a] - throat.middle_mm[a]);
                let along = dot(p, throat.axis);
                let is_in_cone = dot(p, p) <= 2.0 * along * along;
                if is_in_cone && space.radius_mm([x, y, z]) >= WIDENS * radius_mm {
                    is_wide[usize::from(along > 0.0)] = true;
                    if is_wide == [true; 2] {
                        return true;
                    }
                }
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array3;
    use proptest::prelude::*;
    use std::ops::Range;

    #[test]
    fn slabs_cut_no_chamber_and_hide_no_throat() {
        // chambers of 6 mm and 5 mm radius, a canal between them, and one from the upper to a third
        let grid = Grid::axis_aligned([40, 36, 96], [0.5, 0.5, 0.5]).unwrap();
        let is_space = |p: [f64; 3]| {
            let off = |z: f64| ((p[0] - 10.0).powi(2) + (p[1] - 9.0).powi(2), (p[2] - z).powi(2));
            let ball = |z: f64, radius: f64| off(z).0 + off(z).1 < radius * radius;
            let canal = |radius: f64, z: Range<f64>| off(0.0).0 < radius * radius && z.contains(&p[2]);
            ball(9.0, 6.0) || ball(22.5, 5.0) || ball(36.0, 6.0) || canal(1.8, 9.0..22.5) || canal(1.2, 22.5..36.0)
        };
        let bone = Array3::from_shape_fn(grid.shape(), |(z, y, x)| {
            u8::from(!is_space([x, y, z].map(|i| i as f64 * 0.5 + 0.01)))
        });
        let found = |slabs: usize| {
            let throats = throats_by_slabs(&bone, &grid, slabs, 100.0, &Job::new()).unwrap();
            throats.iter().map(|t| (t.middle_mm[2], t.area_mm2)).collect::<Vec<_>>()
        };
        let whole = found(1);
        assert_eq!(whole.len(), 2);
        for slabs in [2, 3, 5, 8, 13] {
            let parts = found(slabs);
            let is_same = |(a, b): (&(f64, f64), &(f64, f64))| (a.0 - b.0).abs() < 2.0 && (a.1 / b.1 - 1.0).abs() < 0.1;
            assert!(parts.len() == 2 && whole.iter().zip(&parts).all(is_same), "{whole:?} {slabs} {parts:?}");
        }
    }

    #[test]
    fn a_hole_over_a_septum_is_one_and_the_slit_below_it_none() {
        let grid = Grid::axis_aligned([44, 44, 44], [0.5, 0.5, 0.5]).unwrap();
        let bone = Array3::from_shape_fn(grid.shape(), |(z, y, x)| {
            let [x, y, z] = [x, y, z].map(|i| i as f64 * 0.5 - 10.75);
            let is_outside = [x, y, z].iter().any(|c| c.abs() > 9.0);
            let is_plate = z.abs() < 0.5 && x.hypot(y) > 2.0;
            let is_septum = x.abs() < 0.5 && z < -4.0;
            u8::from(is_outside || is_plate || is_septum)
        });
        let found = throats(&bone, &grid, 100.0, &Job::new()).unwrap();
        let found: Vec<_> = found.iter().map(|t| (t.axis[2].abs(), t.area_mm2)).collect();
        let circle_mm2 = 4.0 * std::f64::consts::PI;
        assert!(
            matches!(found[..], [(along, mm2)] if along > 0.9 && (mm2 / circle_mm2 - 1.0).abs() < 0.1),
            "{found:?}"
        );
    }

    #[test]
    fn a_throat_in_a_larger_one_is_a_repeat_unless_it_leads_across_it() {
        let throat = |axis: Vec3, area_mm2: f64, middle_mm: Vec3| Throat {
            middle_mm,
            axis,
            area_mm2,
            voxels: Vec::new(),
            share: None,
        };
        let (along, across, against) = ([0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 0.6, -0.8]);
        let all = [
            throat(along, 12.0, [0.0; 3]),
            throat(against, 3.0, [1.0, 0.0, 0.5]),
            throat(across, 2.0, [1.0, 0.0, 0.5]),
            throat(along, 1.0, [2.1, 0.0, 0.0]),
        ];
        let kept: Vec<f64> = without_repeats(all.into()).iter().map(|t| t.area_mm2).collect();
        assert_eq!(kept, [12.0, 2.0, 1.0]);
    }

    proptest! {
        #[test]
        fn surfaces_hang_together_and_not_with_each_other(
            size in [1_usize..7, 1_usize..6, 1_usize..5],
            axes in proptest::collection::vec(0_u8..32, 6 * 5 * 4),
        ) {
            let count = size.iter().product::<usize>();
            let is_face = |v: usize, axis: u8| axes[v] < 8 && axes[v] >> axis & 1 == 1;
            let mut faces = Vec::new();
            for v in 0..count {
                let here = (0..3).filter(|&axis| is_face(v, axis));
                faces.extend(here.map(|axis| Face { pair: (1, 2), voxel: v as u32, axis, forward: true }));
            }
            let at = |f: &Face| [0, 1, 2].map(|a| f.voxel as usize / size[..a].iter().product::<usize>() % size[a]);
            let touch = |f: &Face, g: &Face| at(f).into_iter().zip(at(g)).all(|(a, b)| a.abs_diff(b) <= 1);
            let mut seen = 0;
            parts(&faces, size, |part| {
                seen += part.len();
                let is_in = |f: &Face| part.iter().any(|g| std::ptr::eq(f, *g));
                assert!(faces.iter().filter(|f| !is_in(f)).all(|f| part.iter().all(|g| !touch(f, g))));
                let mut reached = vec![part[0]];
                let mut next = 0;
                while next < reached.len() {
                    let here = reached[next];
                    next += 1;
                    for f in part {
                        if touch(here, f) && !reached.iter().any(|r| std::ptr::eq(*r, *f)) {
                            reached.push(f);
                        }
                    }
                }
                assert_eq!(reached.len(), part.len());
            });
            prop_assert_eq!(seen, faces.len());
        }
    }
}
