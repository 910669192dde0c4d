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
use crate::components::{join, root};
use crate::grid::unravel;
use crate::{Grid, Job, Result, distance};
use ndarray::{Array3, ArrayRef3};
use rayon::prelude::*;
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
    /// The same from the sheet's own measurements in it, which tell linings from bone, if there are any.
    pub(super) of_sheet: Option<f64>,
}

impl Share {
    /// Whether a hole so large can be told from a wall, and shows no more than an empty one.
    pub(super) fn is_empty(&self) -> bool {
        self.may_be_empty() && self.if_empty < TELLING
    }

    /// Whether it shows no more than an empty hole of its area, and surely less than a wall.
    pub(super) fn is_hole(&self) -> bool {
        let is_lining = self.of_sheet.is_some_and(|share| share >= WHOLE);
        self.may_be_empty() && 1.0 - self.mean >= SURELY * self.error && !is_lining
    }

    fn may_be_empty(&self) -> bool {
        self.mean - 1.64 * self.error <= self.if_empty
    }
}

/// What a wall lacks by this many standard errors is not there.
const SURELY: f64 = 4.0;
/// Where the sheet itself shows this share, what lacks is the lining that the wall has around.
const WHOLE: f64 = 0.8;
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
    throats_by_slabs(bone, grid, grid.voxels() / SLAB_VOXELS, largest_mm2, job)
}

/// Slabs of at least so many voxels are flooded side by side.
const SLAB_VOXELS: usize = 1 << 23;

fn throats_by_slabs(
    bone: &ArrayRef3<u8>,
    grid: &Grid,
    slabs: usize,
    largest_mm2: f64,
    job: &Job,
) -> Result<Vec<Throat>> {
    let mut cells = cells(bone, grid, &job.part(0.0, 0.3))?;
    let open = open_chambers(&mut cells, grid);
    let mut chambers = flood(&mut cells, open, slabs, grid, &job.part(0.3, 0.8))?;
    let root: Vec<u32> = (0..chambers.parent.len() as u32).map(|c| root(&mut chambers.parent, c)).collect();
    cells.par_iter_mut().for_each(|c| *c = cell(level(*c), root[chamber(*c) as usize]));
    Ok(collect(&cells, grid, largest_mm2))
}

/// A voxel's level, 0 in bone, and the chamber that it belongs to: both in one number.
const CHAMBER_BITS: u32 = 24;
const MOST_CHAMBERS: usize = 1 << CHAMBER_BITS;

fn cell(level: u8, chamber: u32) -> u32 {
    u32::from(level) << CHAMBER_BITS | chamber
}

fn level(cell: u32) -> u8 {
    (cell >> CHAMBER_BITS) as u8
}

fn chamber(cell: u32) -> u32 {
    cell & (MOST_CHAMBERS as u32 - 1)
}

/// The distance of each voxel to bone as a level, without chambers yet.
fn cells(bone: &ArrayRef3<u8>, grid: &Grid, job: &Job) -> Result<Vec<u32>> {
    let mut mm = Array3::<f32>::zeros(grid.shape());
    distance::distance_mm_up_to(bone, WIDE_MM, grid, &mut mm, job)?;
    // a voxel beside bone is not bone, however small voxels are
    let level = |mm: f32| if mm > 0.0 { ((f64::from(mm) / STEP_MM) as usize).clamp(1, LEVELS) as u8 } else { 0 };
    // in the memory of the distances
    Ok(mm.into_raw_vec_and_offset().0.into_iter().map(|mm| cell(level(mm), UNSEEN)).collect())
}

/// Numbers wide open space, block by block; gives the first number that is free then.
fn open_chambers(cells: &mut [u32], grid: &Grid) -> u32 {
    let size = grid.size();
    let edge = grid.spacing_mm().map(|s| ((OPEN_BLOCK_MM / s) as usize).max(1));
    let blocks = [0, 1, 2].map(|a| size[a].div_ceil(edge[a]));
    cells.par_chunks_mut(size[0]).enumerate().for_each(|(row, cells)| {
        let block = (row / size[1] / edge[2] * blocks[1] + row % size[1] / edge[1]) * blocks[0];
        for (x, c) in cells.iter_mut().enumerate().filter(|(_, c)| level(**c) as usize == LEVELS) {
            *c = cell(LEVELS as u8, (1 + block + x / edge[0]) as u32);
        }
    });
    1 + blocks.iter().product::<usize>() as u32
}

/// Floods all space from its widest places and the `open` chambers down: slab by slab, then across their faces. What
/// becomes of a chamber that its slab cuts is decided then, so that it hardly matters how many slabs there are.
fn flood(cells: &mut [u32], open: u32, slabs: usize, grid: &Grid, job: &Job) -> Result<Chambers> {
    let [nx, ny, nz] = grid.size();
    let count = slabs.clamp(1, nz);
    let slab = nz.div_ceil(count) * nx * ny;
    let most = open as usize + (MOST_CHAMBERS - open as usize) / count;
    let steps = job.steps(count);
    let last = cells.len().div_ceil(slab) - 1;
    let flood = |(k, cells): (usize, &mut [u32])| {
        let mut chambers = Chambers::new(open, grid);
        for band in bands(cells) {
            let order = in_falling_order(cells, band);
            chambers.flood(cells, &order, [k > 0, k < last], most, grid);
            job.check()?;
        }
        steps.step()?;
        Ok(chambers)
    };
    let slabs: Vec<Chambers> = cells.par_chunks_mut(slab).enumerate().map(flood).collect::<Result<_>>()?;
    let mut all = Chambers::new(open, grid);
    let before: Vec<u32> = slabs.iter().map(|chambers| all.append(chambers, open)).collect();
    cells.par_chunks_mut(slab).zip(before).for_each(|(cells, before)| {
        for c in cells.iter_mut().filter(|c| chamber(**c) >= open) {
            *c += before;
        }
    });
    let faces = (slab..cells.len()).step_by(slab).flat_map(|start| start..start + nx * ny);
    let across = faces
        .map(|i| [cells[i - nx * ny], cells[i]])
        .filter(|pair| pair.iter().all(|&c| chamber(c) != UNSEEN))
        .map(|[c, d]| Meeting { depth: LEVELS as u8 - level(c).min(level(d)), pair: [chamber(c), chamber(d)] });
    let mut meetings = std::mem::take(&mut all.deferred);
    meetings.extend(across);
    meetings.par_sort_unstable();
    meetings.dedup();
    for Meeting { depth, pair } in meetings {
        let [one, other] = pair.map(|c| root(&mut all.parent, c));
        if one != other {
            all.meet(one, other, LEVELS as u8 - depth);
        }
    }
    Ok(all)
}

/// Levels below the widest, highest first, in bands that hold a share of all voxels, so that their order needs little
/// room.
fn bands(cells: &[u32]) -> Vec<Range<u8>> {
    const LEAST_BANDS: usize = 16;
    let none = || [0_usize; 256];
    let counts = cells.par_chunks(TOGETHER).fold(none, |mut counts, cells| {
        cells.iter().for_each(|&c| counts[level(c) as usize] += 1);
        counts
    });
    let counts = counts.reduce(none, |a, b| std::array::from_fn(|l| a[l] + b[l]));
    let mut bands: Vec<Range<u8>> = Vec::new();
    let mut held = usize::MAX;
    for l in (1..LEVELS as u8).rev() {
        held = held.saturating_add(counts[l as usize]);
        match bands.last_mut() {
            Some(band) if held <= cells.len() / LEAST_BANDS => band.start = l,
            _ => {
                bands.push(l..l + 1);
                held = counts[l as usize];
            }
        }
    }
    bands
}

/// Voxels that are looked through together.
const TOGETHER: usize = 1 << 20;

/// The voxels of each level of a band, highest first, in pieces.
fn in_falling_order(cells: &[u32], band: Range<u8>) -> Vec<Vec<u32>> {
    let parts: Vec<Vec<Vec<u32>>> = cells
        .par_chunks(TOGETHER)
        .enumerate()
        .map(|(part, cells)| {
            let mut of_level = vec![Vec::new(); band.len()];
            for (k, l) in cells.iter().map(|&c| level(c)).enumerate().filter(|(_, l)| band.contains(l)) {
                of_level[usize::from(band.end - 1 - l)].push((part * TOGETHER + k) as u32);
            }
            of_level
        })
        .collect();
    let mut parts: Vec<_> = parts.into_iter().map(Vec::into_iter).collect();
    (0..band.len()).flat_map(|_| parts.iter_mut().filter_map(Iterator::next).collect::<Vec<_>>()).collect()
}

struct Chambers {
    parent: Vec<u32>,
    /// Level of the widest place.
    top: Vec<u8>,
    /// Whether it goes on in the next slab, where it may be wider.
    is_cut: Vec<bool>,
    /// What is decided only when both chambers are whole.
    deferred: Vec<Meeting>,
    diagonal_mm: f64,
}

/// Where two chambers meet: so many levels below the widest, highest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Meeting {
    depth: u8,
    pair: [u32; 2],
}

impl Chambers {
    /// None but those of open space.
    fn new(open: u32, grid: &Grid) -> Self {
        let diagonal_mm = grid.spacing_mm().iter().map(|s| s * s).sum::<f64>().sqrt();
        let (top, is_cut) = (vec![LEVELS as u8; open as usize], vec![false; open as usize]);
        Self { parent: (0..open).collect(), top, is_cut, deferred: Vec::new(), diagonal_mm }
    }

    /// Adds all but the `open` chambers of another slab; gives by how much their numbers rise.
    fn append(&mut self, slab: &Self, open: u32) -> u32 {
        let before = self.parent.len() as u32 - open;
        let number = |chamber: u32| if chamber < open { chamber } else { chamber + before };
        self.parent.extend(slab.parent[open as usize..].iter().map(|&c| number(c)));
        self.top.extend(&slab.top[open as usize..]);
        self.is_cut.resize(self.top.len(), false);
        self.deferred.extend(slab.deferred.iter().map(|m| Meeting { pair: m.pair.map(number), ..*m }));
        before
    }

    /// Makes one of two chambers that meet at a level if one is hardly wider than that: a bulge. Gives the chamber that
    /// is left, or the first.
    fn meet(&mut self, mine: u32, other: u32, here: u8) -> u32 {
        let is_lower = self.top[mine as usize] < self.top[other as usize];
        let (low, high) = if is_lower { (mine, other) } else { (other, mine) };
        let rise = f64::from(self.top[low as usize] - here) * STEP_MM;
        let is_open = self.top[low as usize] as usize == LEVELS;
        if !is_open && rise < 0.5 * self.diagonal_mm + 0.25 * f64::from(here) * STEP_MM {
            if self.is_cut[low as usize] {
                self.deferred.push(Meeting { depth: LEVELS as u8 - here, pair: [low, high] });
                return mine;
            }
            self.parent[low as usize] = high;
            high
        } else {
            mine
        }
    }

    /// Gives voxels of a slab, widest first, to the chambers beside them, or to new ones where there are none, up to the
    /// `most`. The slab may go on below and above.
    fn flood(&mut self, cells: &mut [u32], order: &[Vec<u32>], goes_on: [bool; 2], most: usize, grid: &Grid) {
        let [nx, ny, _] = grid.size();
        let strides = [1, nx, nx * ny];
        for i in order.iter().flatten().map(|&i| i as usize) {
            let (x, y, here) = (i as u32 % nx as u32, i as u32 / nx as u32 % ny as u32, level(cells[i]));
            let inside =
                [x > 0, x as usize + 1 < nx, y > 0, y as usize + 1 < ny, i >= strides[2], i + strides[2] < cells.len()];
            let (mut mine, mut seen) = (UNSEEN, UNSEEN);
            for (k, _) in inside.into_iter().enumerate().filter(|(_, inside)| *inside) {
                let beside = chamber(cells[if k % 2 == 0 { i - strides[k / 2] } else { i + strides[k / 2] }]);
                if beside == UNSEEN || beside == seen {
                    continue;
                }
                seen = beside;
                let other = root(&mut self.parent, seen);
                if mine == UNSEEN {
                    mine = other;
                } else if mine != other {
                    mine = self.meet(mine, other, here);
                }
            }
            // when numbers run out, what is left are the smallest hollows of all
            if mine == UNSEEN && self.parent.len() < most {
                mine = self.parent.len() as u32;
                self.parent.push(mine);
                self.top.push(here);
                self.is_cut.push(false);
            }
            cells[i] = cell(here, mine);
            if goes_on[0] && !inside[4] || goes_on[1] && !inside[5] {
                self.is_cut[mine as usize] = true;
            }
        }
        // that at the highest level counts
        self.deferred.sort_unstable_by_key(|m| (m.pair, m.depth));
        self.deferred.dedup_by_key(|m| m.pair);
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

/// The throats between chambers, whole and each once.
fn collect(cells: &[u32], grid: &Grid, largest_mm2: f64) -> Vec<Throat> {
    let (size, spacing) = (grid.size(), grid.spacing_mm());
    let mut throats = Vec::new();
    for share in 0..SHARES {
        let faces = faces(cells, size, share);
        let groups: Vec<&[Face]> = faces.chunk_by(|a, b| a.pair == b.pair).collect();
        throats.par_extend(groups.into_par_iter().flat_map_iter(|group| {
            let mut found = Vec::new();
            parts(group, size, |part| {
                let throat = throat(part, size, spacing, largest_mm2);
                found.extend(throat.filter(|t| narrows(t, cells, size, spacing)).map(|t| (group[0].pair, t)));
            });
            found
        }));
    }
    throats.sort_by_key(|(pair, _)| *pair);
    // A hole where more than two blocks meet shows in pieces: each is flooded again from just its two sides.
    let space = Space { cells, size, spacing };
    let mut whole: Vec<Throat> = throats
        .par_iter()
        .map_init(Scratch::default, |scratch, (_, t)| space.between_sides(t, largest_mm2, scratch))
        .flatten_iter()
        .collect();
    whole.sort_by(|a, b| b.area_mm2.total_cmp(&a.area_mm2));
    without_repeats(whole)
}

/// Faces are gathered in so many shares, which need that much less room.
const SHARES: u32 = 3;

/// The faces between narrow places of different chambers, in order of their pairs and voxels; those of a share of the
/// pairs.
fn faces(cells: &[u32], size: [usize; 3], share: u32) -> Vec<Face> {
    const TOGETHER: usize = 16;
    let strides = [1, size[0], size[0] * size[1]];
    let is_narrow = |c: u32| chamber(c) != UNSEEN && (level(c) as usize) < LEVELS;
    let of_slice = |z: usize| {
        let mut faces = Vec::new();
        for i in (z * strides[2]..(z + 1) * strides[2]).filter(|&i| is_narrow(cells[i])) {
            let ends = [i % size[0] + 1 == size[0], i / size[0] % size[1] + 1 == size[1], z + 1 == size[2]];
            for a in (0..3).filter(|&a| !ends[a]) {
                let j = i + strides[a];
                let (c, d) = (chamber(cells[i]), chamber(cells[j]));
                if d != c && c.min(d) % SHARES == share && is_narrow(cells[j]) {
                    let forward = c < d;
                    let voxel = if forward { i } else { j } as u32;
                    faces.push(Face { pair: (c.min(d), c.max(d)), voxel, axis: a as u8, forward });
                }
            }
        }
        faces
    };
    // what slices leave behind is used again
    let mut faces = Vec::new();
    for z in (0..size[2]).step_by(TOGETHER) {
        let found: Vec<Vec<Face>> = (z..(z + TOGETHER).min(size[2])).into_par_iter().map(of_slice).collect();
        faces.extend(found.into_iter().flatten());
    }
    faces.par_sort_unstable_by_key(|f| (f.pair, f.voxel, f.axis));
    faces
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

/// And a second time, if that shows so many times as far.
const FARTHER: f64 = 1.15;

/// The space around the bone.
struct Space<'a> {
    cells: &'a [u32],
    size: [usize; 3],
    spacing: Vec3,
}

/// Room for the boxes that are flooded one after the other.
#[derive(Default)]
struct Scratch {
    /// Of what has no side yet.
    level: Vec<u8>,
    side: Vec<u8>,
    /// What waits at each level.
    waiting: Vec<Queue>,
}

/// First in, first out.
#[derive(Default)]
struct Queue {
    items: Vec<u32>,
    taken: usize,
}

impl Queue {
    fn next(&mut self) -> Option<u32> {
        let item = self.items.get(self.taken).copied();
        if item.is_some() {
            self.taken += 1;
        } else {
            self.items.clear();
            self.taken = 0;
        }
        item
    }
}

impl Scratch {
    /// Floods from the voxels that have a side, widest places first; what is not yet reached waits for its level.
    fn flood(&mut self, strides: [usize; 3]) {
        let Self { level, side, waiting } = self;
        waiting.resize_with(LEVELS + 1, Queue::default);
        // amid its own side a voxel has nothing to give away
        let is_amid = |k: usize| strides.iter().all(|&step| side[k - step] == side[k] && side[k + step] == side[k]);
        for (k, l) in level.iter_mut().enumerate().filter(|(k, _)| side[*k] != 0) {
            let level = std::mem::take(l);
            if !is_amid(k) {
                waiting[level as usize].items.push(k as u32);
            }
        }
        let mut now = LEVELS;
        while now > 0 {
            let Some(k) = waiting[now].next() else {
                now -= 1;
                continue;
            };
            let k = k as usize;
            let mine = side[k];
            for step in strides {
                for j in [k - step, k + step] {
                    let l = level[j] as usize;
                    if l > 0 {
                        level[j] = 0;
                        side[j] = mine;
                        waiting[l].items.push(j as u32);
                        now = now.max(l);
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
        let is_worth = piece.area_mm2 >= LEAST_SLIT_MM2 && FARTHER * near_mm <= MOST_REACH_MM;
        if whole.is_none() && goes_on && is_worth {
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
            piece.voxels.iter().map(|v| f64::from(level(self.cells[self.index(*v)])) * STEP_MM).fold(0.0, f64::max);
        // the sides: what lies in a cone along the axis
        let least = ((WIDENS * radius_mm / STEP_MM).ceil() as u8).max(1);
        let mut sides = [false; 2];
        let [x, y, z] = [0, 1, 2].map(|a| low[a] as f64 * self.spacing[a] - piece.middle_mm[a]);
        for (dz, dy) in (0..high[2] - low[2]).flat_map(|z| (0..high[1] - low[1]).map(move |y| (z, y))) {
            let first = [low[0], low[1] + dy, low[2] + dz];
            let cells = &self.cells[self.index(first)..][..high[0] - low[0]];
            let row = at(first)..at(first) + cells.len();
            let (levels, marks) = (&mut scratch.level[row.clone()], &mut scratch.side[row]);
            levels.iter_mut().zip(cells).for_each(|(l, &c)| *l = level(c));
            let (y, z) = (y + dy as f64 * self.spacing[1], z + dz as f64 * self.spacing[2]);
            let (aside2, along) = (y * y + z * z, y * piece.axis[1] + z * piece.axis[2]);
            for (k, (mark, _)) in marks.iter_mut().zip(&*levels).enumerate().filter(|(_, (_, l))| **l >= least) {
                let x = x + k as f64 * self.spacing[0];
                let along = along + x * piece.axis[0];
                if along.abs() > 0.5 * radius_mm + 1.0 && aside2 + x * x <= 1.49 * along * along {
                    let side = usize::from(along > 0.0);
                    *mark = 1 + side as u8;
                    sides[side] = true;
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
            let v = |f: &Face| unravel(f.voxel as usize, self.size);
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
        (best.map(|(_, t)| t).filter(|t| narrows(t, self.cells, self.size, self.spacing)), goes_on)
    }
}

/// Splits the faces between two chambers, in order of their voxels, into connected surfaces.
fn parts(faces: &[Face], size: [usize; 3], mut found: impl FnMut(&[&Face])) {
    let [nx, ny, _] = size;
    let mut forest: Vec<u32> = (0..faces.len() as u32).collect();
    // each is joined to those before it: of its row, the row behind, and the three below
    for (below, behind) in [(0, 0), (0, 1), (1, -1), (1, 0), (1, 1)] {
        let mut first = 0;
        for (k, face) in faces.iter().enumerate() {
            let [x, y, z] = unravel(face.voxel as usize, size);
            let Some(z) = z.checked_sub(below) else { continue };
            let Some(y) = y.checked_add_signed(-behind).filter(|&y| y < ny) else { continue };
            let row = (z * ny + y) * nx;
            let (low, high) = ((row + x.saturating_sub(1)) as u32, (row + (x + 1).min(nx - 1)) as u32);
            while faces[first].voxel < low {
                first += 1;
            }
            for j in (first..k).take_while(|&j| faces[j].voxel <= high) {
                join(&mut forest, j as u32, k as u32);
            }
        }
    }
    let mut order: Vec<(u32, u32)> = (0..faces.len() as u32).map(|k| (root(&mut forest, k), k)).collect();
    order.sort_unstable();
    for part in order.chunk_by(|a, b| a.0 == b.0) {
        found(&part.iter().map(|&(_, k)| &faces[k as usize]).collect::<Vec<_>>());
    }
}

fn throat(part: &[&Face], size: [usize; 3], spacing: Vec3, largest_mm2: f64) -> Option<Throat> {
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

/// Steps from a throat's middle to the end of what is looked at.
const LOOKS: f64 = 8.0;

/// Whether space is wider on both sides of a throat than in it: a cut through a passage of even width is no opening.
fn narrows(throat: &Throat, cells: &[u32], size: [usize; 3], spacing: Vec3) -> bool {
    let at = |i: [usize; 3]| f64::from(level(cells[(i[2] * size[1] + i[1]) * size[0] + i[0]])) * STEP_MM;
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
