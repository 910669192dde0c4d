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

use super::linalg::{Vec3, dot, unit};
use crate::{Grid, Job, Result, distance};
use ndarray::{Array3, ArrayRef3};
use rayon::prelude::*;
use std::collections::VecDeque;
use std::ops::Range;

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
    /// What an empty hole of its area would show.
    pub(super) if_empty: f64,
    /// Whether no place of it lacks more than a wall may.
    pub(super) is_wall: bool,
}

impl Share {
    /// Whether a hole so large can be told from a wall, and shows no more than an empty one.
    pub(super) fn is_empty(&self) -> bool {
        self.mean - 1.64 * self.error <= self.if_empty && self.if_empty < TELLING
    }
}

/// Where an empty hole would show less than this share of its rim, it can be told from a wall.
pub(super) const TELLING: f64 = 0.4;

/// Distances are kept in steps of this many mm, up to where space counts as wide open.
const STEP_MM: f64 = 0.05;
const WIDE_MM: f64 = 7.5;
const LEVELS: usize = (WIDE_MM / STEP_MM) as usize;
const UNSEEN: u32 = 0;
/// Wide open space on both sides of a wall is at least twice [`WIDE_MM`] apart, so never in one block.
const OPEN_BLOCK_MM: f64 = 8.0;
/// On both sides of an opening space widens to at least this multiple of it.
const WIDENS: f64 = 1.2;

/// Finds the throats of the space outside `bone` up to an area of `largest_mm2`.
pub(super) fn throats(bone: &ArrayRef3<u8>, grid: &Grid, largest_mm2: f64, job: &Job) -> Result<Vec<Throat>> {
    let size = grid.size();
    let spacing = grid.spacing_mm();
    let strides = [1, size[0], size[0] * size[1]];
    let level: Vec<u8> = {
        // distance of each background voxel to bone
        let mut mm = Array3::<f32>::zeros(grid.shape());
        distance::distance_mm(bone, grid, &mut mm, &job.part(0.0, 0.3))?;
        let level = |(&d, &b): (&f32, &u8)| {
            if b != 0 { 0 } else { ((f64::from(d) / STEP_MM) as usize).clamp(1, LEVELS) as u8 }
        };
        mm.as_slice_memory_order().zip(bone.as_slice_memory_order()).map_or_else(
            || mm.iter().zip(bone).map(level).collect(),
            |(mm, bone)| mm.par_iter().zip(bone).map(level).collect(),
        )
    };
    job.check()?;
    let edge = [0, 1, 2].map(|a| ((OPEN_BLOCK_MM / spacing[a]) as usize).max(1));
    let blocks = [0, 1, 2].map(|a| size[a].div_ceil(edge[a]));
    let mut chamber = vec![UNSEEN; level.len()];
    chamber.par_chunks_mut(size[0]).zip(level.par_chunks(size[0])).enumerate().for_each(|(row, (chamber, level))| {
        let block = (row / size[1] / edge[2] * blocks[1] + row % size[1] / edge[1]) * blocks[0];
        for (x, (c, _)) in chamber.iter_mut().zip(level).enumerate().filter(|(_, (_, l))| **l as usize == LEVELS) {
            *c = (1 + block + x / edge[0]) as u32;
        }
    });
    let open = 1 + blocks.iter().product::<usize>() as u32;
    let mut chambers = Chambers { parent: (0..open).collect(), top: vec![LEVELS as u8; open as usize] };
    let diagonal = spacing.iter().map(|s| s * s).sum::<f64>().sqrt();
    let bands = bands(&level);
    let steps = job.part(0.4, 0.9).steps(bands.len());
    for band in bands {
        for i in in_falling_order(&level, band) {
            let i = i as usize;
            let (x, y, here) = (i as u32 % size[0] as u32, i as u32 / size[0] as u32 % size[1] as u32, level[i]);
            let inside = [
                x > 0,
                x as usize + 1 < size[0],
                y > 0,
                y as usize + 1 < size[1],
                i >= strides[2],
                i + strides[2] < level.len(),
            ];
            let (mut mine, mut seen) = (UNSEEN, UNSEEN);
            for (k, _) in inside.into_iter().enumerate().filter(|(_, inside)| *inside) {
                let j = if k % 2 == 0 { i - strides[k / 2] } else { i + strides[k / 2] };
                if chamber[j] == UNSEEN || chamber[j] == seen {
                    continue;
                }
                seen = chamber[j];
                let other = chambers.root(seen);
                if mine == UNSEEN {
                    mine = other;
                } else if mine != other {
                    let (low, high) = if chambers.top[mine as usize] < chambers.top[other as usize] {
                        (mine, other)
                    } else {
                        (other, mine)
                    };
                    let rise = f64::from(chambers.top[low as usize] - here) * STEP_MM;
                    let is_open = chambers.top[low as usize] as usize == LEVELS;
                    // a chamber hardly wider than its throat is a bulge
                    if !is_open && rise < 0.5 * diagonal + 0.25 * f64::from(here) * STEP_MM {
                        chambers.parent[low as usize] = high;
                        mine = high;
                    }
                }
            }
            if mine == UNSEEN {
                mine = chambers.parent.len() as u32;
                chambers.parent.push(mine);
                chambers.top.push(here);
            }
            chamber[i] = mine;
        }
        steps.step()?;
    }
    let root: Vec<u32> = (0..chambers.parent.len() as u32).map(|c| chambers.root(c)).collect();
    chamber.par_iter_mut().for_each(|c| *c = root[*c as usize]);
    Ok(collect(&chamber, &level, grid, largest_mm2))
}

/// Levels below the widest, highest first, in bands that hold a share of all voxels, so that their order needs little
/// room.
fn bands(level: &[u8]) -> Vec<Range<u8>> {
    const LEAST_BANDS: usize = 8;
    let mut counts = [0_usize; 256];
    level.iter().for_each(|&l| counts[l as usize] += 1);
    let mut bands: Vec<Range<u8>> = Vec::new();
    let mut held = usize::MAX;
    for l in (1..LEVELS as u8).rev() {
        held = held.saturating_add(counts[l as usize]);
        match bands.last_mut() {
            Some(band) if held <= level.len() / LEAST_BANDS => band.start = l,
            _ => {
                bands.push(l..l + 1);
                held = counts[l as usize];
            }
        }
    }
    bands
}

/// The voxels of a band of levels, highest first.
fn in_falling_order(level: &[u8], band: Range<u8>) -> Vec<u32> {
    const TOGETHER: usize = 1 << 20;
    let parts: Vec<Vec<Vec<u32>>> = level
        .par_chunks(TOGETHER)
        .enumerate()
        .map(|(part, levels)| {
            let mut of_level = vec![Vec::new(); band.len()];
            for (k, l) in levels.iter().enumerate().filter(|(_, l)| band.contains(l)) {
                of_level[usize::from(band.end - 1 - l)].push((part * TOGETHER + k) as u32);
            }
            of_level
        })
        .collect();
    (0..band.len()).flat_map(|l| parts.iter().flat_map(move |part| &part[l])).copied().collect()
}

struct Chambers {
    parent: Vec<u32>,
    /// Level of the widest place.
    top: Vec<u8>,
}

impl Chambers {
    fn root(&mut self, mut c: u32) -> u32 {
        while self.parent[c as usize] != c {
            let up = self.parent[self.parent[c as usize] as usize];
            self.parent[c as usize] = up;
            c = up;
        }
        c
    }
}

/// A face between two chambers: the voxel on the side of the lower number, its pair of chambers, its axis.
struct Face {
    pair: (u32, u32),
    voxel: u32,
    axis: u8,
    /// Whether the axis points from the lower chamber to the higher one.
    forward: bool,
}

fn collect(chamber: &[u32], level: &[u8], grid: &Grid, largest_mm2: f64) -> Vec<Throat> {
    let size = grid.size();
    let spacing = grid.spacing_mm();
    let strides = [1, size[0], size[0] * size[1]];
    let is_wide = |i: usize| level[i] as usize == LEVELS;
    let mut faces: Vec<Face> = (0..size[2])
        .into_par_iter()
        .flat_map_iter(|z| {
            let mut faces = Vec::new();
            let slice = z * strides[2]..(z + 1) * strides[2];
            for i in slice.filter(|&i| chamber[i] != UNSEEN && !is_wide(i)) {
                let ends = [i % size[0] + 1 == size[0], i / size[0] % size[1] + 1 == size[1], z + 1 == size[2]];
                for a in (0..3).filter(|&a| !ends[a]) {
                    let (j, c) = (i + strides[a], chamber[i]);
                    let d = chamber[j];
                    if d != UNSEEN && d != c && !is_wide(j) {
                        let forward = c < d;
                        let voxel = if forward { i } else { j } as u32;
                        faces.push(Face { pair: (c.min(d), c.max(d)), voxel, axis: a as u8, forward });
                    }
                }
            }
            faces
        })
        .collect();
    faces.par_sort_unstable_by_key(|f| (f.pair, f.voxel, f.axis));
    let groups: Vec<&[Face]> = faces.chunk_by(|a, b| a.pair == b.pair).collect();
    let throats: Vec<Throat> = groups
        .into_par_iter()
        .flat_map_iter(|group| {
            let mut found = Vec::new();
            parts(group, size, |part| {
                found.extend(throat(part, size, spacing, largest_mm2).filter(|t| narrows(t, level, size, spacing)));
            });
            found
        })
        .collect();
    // A hole where more than two blocks meet shows in pieces: each is flooded again from just its two sides.
    let space = Space { level, size, spacing };
    let mut whole: Vec<Throat> = throats
        .par_iter()
        .map_init(Scratch::default, |scratch, t| space.between_sides(t, largest_mm2, scratch))
        .flatten_iter()
        .collect();
    whole.sort_by(|a, b| b.area_mm2.total_cmp(&a.area_mm2));
    without_repeats(whole)
}

/// Leaves out throats whose middle lies in a larger one before them.
pub(super) fn without_repeats(throats: Vec<Throat>) -> Vec<Throat> {
    let mut kept: Vec<Throat> = Vec::new();
    for t in throats {
        let same = kept.iter().any(|k| {
            let p = [0, 1, 2].map(|a| k.middle_mm[a] - t.middle_mm[a]);
            dot(p, p) < k.area_mm2 / std::f64::consts::PI
        });
        if !same {
            kept.push(t);
        }
    }
    kept
}

/// Smaller throats are gaps of the raster, in faces of a voxel.
const LEAST_FACES: f64 = 0.9;
/// Pieces of slits are at least this large: specks of noise are not looked at twice.
const LEAST_SLIT_MM2: f64 = 1.0;
/// A piece of a throat is looked at within this, at most.
const MOST_REACH_MM: f64 = 10.0;

/// The space around the bone.
struct Space<'a> {
    level: &'a [u8],
    size: [usize; 3],
    spacing: Vec3,
}

/// Room for the boxes that are flooded one after the other.
#[derive(Default)]
struct Scratch {
    level: Vec<u8>,
    side: Vec<u8>,
    /// What waits at each level.
    waiting: Vec<VecDeque<u32>>,
}

impl Scratch {
    /// Floods from the voxels that have a side, widest places first; what is not yet reached waits for its level.
    fn flood(&mut self, strides: [usize; 3]) {
        self.waiting.resize_with(LEVELS + 1, VecDeque::new);
        for (k, &side) in self.side.iter().enumerate().filter(|(_, side)| **side != 0) {
            debug_assert!(side < 3);
            self.waiting[self.level[k] as usize].push_back(k as u32);
        }
        let mut now = LEVELS;
        while now > 0 {
            let Some(k) = self.waiting[now].pop_front() else {
                now -= 1;
                continue;
            };
            let k = k as usize;
            for step in strides {
                for j in [k - step, k + step] {
                    if self.level[j] > 0 && self.side[j] == 0 {
                        self.side[j] = self.side[k];
                        let level = self.level[j] as usize;
                        self.waiting[level].push_back(j as u32);
                        now = now.max(level);
                    }
                }
            }
        }
    }
}

impl Space<'_> {
    fn index(&self, [x, y, z]: [usize; 3]) -> usize {
        (z * self.size[1] + y) * self.size[0] + x
    }

    /// The whole throat between the widest places on both sides of a piece of it.
    fn between_sides(&self, piece: &Throat, largest_mm2: f64, scratch: &mut Scratch) -> Option<Throat> {
        let near_mm = (3.0 * (piece.area_mm2 / std::f64::consts::PI).sqrt() + 3.0).min(MOST_REACH_MM);
        let (whole, goes_on) = self.between_sides_within(piece, near_mm, largest_mm2, scratch);
        // a slit is much longer than a piece of it shows
        if whole.is_none() && goes_on && piece.area_mm2 >= LEAST_SLIT_MM2 {
            return self.between_sides_within(piece, MOST_REACH_MM, largest_mm2, scratch).0;
        }
        whole
    }

    /// The same, looking no farther than `reach_mm`, and whether the throat goes on there.
    fn between_sides_within(
        &self,
        piece: &Throat,
        reach_mm: f64,
        largest_mm2: f64,
        scratch: &mut Scratch,
    ) -> (Option<Throat>, bool) {
        let low = [0, 1, 2].map(|a| ((piece.middle_mm[a] - reach_mm) / self.spacing[a]).ceil().max(0.0) as usize);
        let high =
            [0, 1, 2].map(|a| (((piece.middle_mm[a] + reach_mm) / self.spacing[a]) as usize + 1).min(self.size[a]));
        // a layer of bone around the box spares the question where it ends
        let box_size = [0, 1, 2].map(|a| high[a] - low[a] + 2);
        let strides = [1, box_size[0], box_size[0] * box_size[1]];
        let at = |i: [usize; 3]| (0..3).map(|a| (i[a] + 1 - low[a]) * strides[a]).sum::<usize>();
        scratch.level.clear();
        scratch.level.resize(box_size.iter().product(), 0);
        scratch.side.clear();
        scratch.side.resize(box_size.iter().product(), 0);
        let radius_mm =
            piece.voxels.iter().map(|v| f64::from(self.level[self.index(*v)]) * STEP_MM).fold(0.0, f64::max);
        // the sides: what lies in a cone along the axis
        let least = ((WIDENS * radius_mm / STEP_MM).ceil() as u8).max(1);
        let mut sides = [false; 2];
        for z in low[2]..high[2] {
            for y in low[1]..high[1] {
                let from = self.index([low[0], y, z]);
                let levels = &self.level[from..from + high[0] - low[0]];
                let to = at([low[0], y, z]);
                scratch.level[to..to + levels.len()].copy_from_slice(levels);
                for (k, _) in levels.iter().enumerate().filter(|(_, level)| **level >= least) {
                    let i = [low[0] + k, y, z];
                    let p = [0, 1, 2].map(|a| i[a] as f64 * self.spacing[a] - piece.middle_mm[a]);
                    let along = dot(p, piece.axis);
                    let aside2 = (dot(p, p) - along * along).max(0.0);
                    if along.abs() > 0.5 * radius_mm + 1.0 && aside2 <= 0.49 * along * along {
                        let side = usize::from(along > 0.0);
                        scratch.side[to + k] = 1 + side as u8;
                        sides[side] = true;
                    }
                }
            }
        }
        if sides != [true; 2] {
            return (None, false);
        }
        scratch.flood(strides);
        let mut faces = Vec::new();
        for z in low[2]..high[2] {
            for y in low[1]..high[1] {
                let row = at([low[0], y, z]);
                let mine = &scratch.side[row..row + high[0] - low[0]];
                for a in 0..3 {
                    let others = &scratch.side[row + strides[a]..][..mine.len()];
                    // sides are 1 and 2, bone is 0
                    if mine.iter().zip(others).fold(false, |any, (m, o)| any | (m ^ o == 3)) {
                        for (k, (m, _)) in mine.iter().zip(others).enumerate().filter(|(_, (m, o))| *m ^ *o == 3) {
                            let mut i = [low[0] + k, y, z];
                            i[a] += usize::from(*m == 2);
                            faces.push(Face {
                                pair: (1, 2),
                                voxel: self.index(i) as u32,
                                axis: a as u8,
                                forward: *m == 1,
                            });
                        }
                    }
                }
            }
        }
        faces.sort_by_key(|f| (f.voxel, f.axis));
        let mut best: Option<(f64, Throat)> = None;
        let mut goes_on = false;
        parts(&faces, self.size, |part| {
            let v = |f: &Face| {
                let v = f.voxel as usize;
                [v % self.size[0], v / self.size[0] % self.size[1], v / (self.size[0] * self.size[1])]
            };
            let distance = part
                .iter()
                .map(|f| {
                    let i = v(f);
                    let p = [0, 1, 2].map(|a| i[a] as f64 * self.spacing[a] - piece.middle_mm[a]);
                    dot(p, p)
                })
                .fold(f64::INFINITY, f64::min);
            // a surface that reaches the end of what was looked at has no rim of bone
            let ends = part.iter().any(|f| {
                let i = v(f);
                (0..3).any(|a| {
                    (i[a] <= low[a] + 1 && low[a] > 0)
                        || (i[a] + 2 >= high[a] && high[a] < self.size[a])
                        || i[a] == 0
                        || i[a] + 1 == self.size[a]
                })
            });
            goes_on |= ends;
            if !ends
                && best.as_ref().is_none_or(|b| distance < b.0)
                && let Some(t) = throat(part, self.size, self.spacing, largest_mm2)
            {
                best = Some((distance, t));
            }
        });
        (best.map(|(_, t)| t).filter(|t| narrows(t, self.level, self.size, self.spacing)), goes_on)
    }
}

/// Splits the faces between two chambers into connected surfaces.
fn parts(faces: &[Face], size: [usize; 3], mut found: impl FnMut(&[&Face])) {
    let mut taken = vec![false; faces.len()];
    let of = |v: u32| [v as usize % size[0], v as usize / size[0] % size[1], v as usize / (size[0] * size[1])];
    for seed in 0..faces.len() {
        if taken[seed] {
            continue;
        }
        taken[seed] = true;
        let mut part = vec![seed];
        let mut next = 0;
        while next < part.len() {
            let at = of(faces[part[next]].voxel);
            next += 1;
            for z in at[2].saturating_sub(1)..=(at[2] + 1).min(size[2] - 1) {
                for y in at[1].saturating_sub(1)..=(at[1] + 1).min(size[1] - 1) {
                    let row = (z * size[1] + y) * size[0];
                    let (low, high) =
                        ((row + at[0].saturating_sub(1)) as u32, (row + (at[0] + 1).min(size[0] - 1)) as u32);
                    let first = faces.partition_point(|f| f.voxel < low);
                    for (k, _) in faces[first..].iter().enumerate().take_while(|(_, f)| f.voxel <= high) {
                        if !taken[first + k] {
                            taken[first + k] = true;
                            part.push(first + k);
                        }
                    }
                }
            }
        }
        part.sort_unstable();
        let part: Vec<&Face> = part.into_iter().map(|k| &faces[k]).collect();
        found(&part);
    }
}

fn throat(part: &[&Face], size: [usize; 3], spacing: Vec3, largest_mm2: f64) -> Option<Throat> {
    let mut sum = [0.0; 3];
    let mut middle = [0.0; 3];
    let mut total = 0.0;
    let mut voxels = Vec::new();
    for f in part {
        let v = f.voxel as usize;
        let at = [v % size[0], v / size[0] % size[1], v / (size[0] * size[1])];
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

/// Steps from a throat's middle to the end of what is looked at.
const LOOKS: f64 = 8.0;

/// Whether space is wider on both sides of a throat than in it: a cut through a passage of even width is no opening.
fn narrows(throat: &Throat, level: &[u8], size: [usize; 3], spacing: Vec3) -> bool {
    let at = |i: [usize; 3]| f64::from(level[(i[2] * size[1] + i[1]) * size[0] + i[0]]) * STEP_MM;
    let radius_mm = throat.voxels.iter().map(|&v| at(v)).fold(0.0, f64::max);
    let reach_mm = 2.0 * radius_mm + 1.5;
    let range = [0, 1, 2].map(|a| {
        let (low, high) =
            ((throat.middle_mm[a] - reach_mm) / spacing[a], (throat.middle_mm[a] + reach_mm) / spacing[a]);
        low.ceil().max(0.0) as usize..(high.floor().max(0.0) as usize + 1).min(size[a])
    });
    // wide space is looked at in steps
    let step = [0, 1, 2].map(|a| (reach_mm / (LOOKS * spacing[a])).floor().max(1.0) as usize);
    let mut widest = [0.0_f64; 2];
    for z in range[2].clone().step_by(step[2]) {
        for y in range[1].clone().step_by(step[1]) {
            for x in range[0].clone().step_by(step[0]) {
                let p = [0, 1, 2].map(|a| [x, y, z][a] as f64 * spacing[a] - throat.middle_mm[a]);
                let along = dot(p, throat.axis);
                let aside = (dot(p, p) - along * along).max(0.0).sqrt();
                if aside <= along.abs() {
                    let side = &mut widest[usize::from(along > 0.0)];
                    *side = side.max(at([x, y, z]));
                }
            }
        }
    }
    widest.iter().all(|&w| w >= WIDENS * radius_mm) && radius_mm < WIDE_MM - 1.0
}
