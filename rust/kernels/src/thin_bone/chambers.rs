//! The space around bone, divided into basins and chambers.
//!
//! Flooded from its widest places down (a watershed of the distance to bone), space falls into a basin for each of
//! them. Basins of which one is hardly wider than where they meet are one chamber.

use super::ways::Ways;
use crate::components::root;
use crate::grid::ravel;
use crate::{Grid, Job, Result, distance};
use ndarray::{Array3, ArrayRef3};
use rayon::prelude::*;
use std::ops::Range;

/// Distances are kept in steps of this many mm, up to where space counts as wide open.
pub(super) const STEP_MM: f64 = 0.05;
pub(super) const WIDE_MM: f64 = 7.5;
pub(super) const LEVELS: usize = (WIDE_MM / STEP_MM) as usize;
pub(super) const UNSEEN: u32 = 0;
/// Wide open space on both sides of a wall is at least twice [`WIDE_MM`] apart, so never in one block.
const OPEN_BLOCK_MM: f64 = 8.0;
/// Looks from a place to the end of what is looked at around it.
const LOOKS: f64 = 8.0;
/// Slabs of at least so many voxels are flooded side by side.
pub(super) const SLAB_VOXELS: usize = 1 << 23;

/// The space around bone.
pub(super) struct Space {
    /// The level and the basin of each voxel.
    pub(super) cells: Vec<u32>,
    /// The chamber that each basin belongs to.
    pub(super) chambers: Vec<u32>,
    pub(super) ways: Ways,
    pub(super) size: [usize; 3],
    pub(super) spacing: [f64; 3],
}

impl Space {
    /// Divides the space outside `bone`, flooding so many `slabs` side by side.
    pub(super) fn new(bone: &ArrayRef3<u8>, grid: &Grid, slabs: usize, job: &Job) -> Result<Self> {
        let mut cells = cells(bone, grid, &job.part(0.0, 0.4))?;
        let open = open_basins(&mut cells, grid);
        let mut basins = flood(&mut cells, open, slabs, grid, &job.part(0.4, 1.0))?;
        let chambers: Vec<u32> = (0..basins.parent.len() as u32).map(|b| root(&mut basins.parent, b)).collect();
        let ways = Ways::new(&basins.saddles, chambers.len());
        Ok(Self { cells, chambers, ways, size: grid.size(), spacing: grid.spacing_mm() })
    }

    pub(super) fn index(&self, voxel: [usize; 3]) -> usize {
        ravel(voxel, self.size)
    }

    /// Voxels from one look to the next along each axis, where so far around a place few looks are enough.
    pub(super) fn steps(&self, reach_mm: f64) -> [usize; 3] {
        self.spacing.map(|s| (reach_mm / (LOOKS * s)).floor().max(1.0) as usize)
    }

    /// Radius of the largest ball in this space around the middle of a voxel, mm, up to [`WIDE_MM`].
    pub(super) fn radius_mm(&self, voxel: [usize; 3]) -> f64 {
        f64::from(level(self.cells[self.index(voxel)])) * STEP_MM
    }
}

/// A voxel's level, 0 in bone, and the basin that it belongs to: both in one number.
const BASIN_BITS: u32 = 24;
const MOST_BASINS: usize = 1 << BASIN_BITS;

fn cell(level: u8, basin: u32) -> u32 {
    u32::from(level) << BASIN_BITS | basin
}

pub(super) fn level(cell: u32) -> u8 {
    (cell >> BASIN_BITS) as u8
}

pub(super) fn basin(cell: u32) -> u32 {
    cell & (MOST_BASINS as u32 - 1)
}

/// The basin of cells, if those that have one share it; found without branches, which nothing predicts.
fn only_basin(cells: [[u32; 2]; 3]) -> Option<u32> {
    let basins = cells.as_flattened().iter().map(|&c| basin(c));
    let any = basins.clone().fold(UNSEEN, u32::max);
    let is_one = basins.fold(true, |is_one, b| is_one & ((b == UNSEEN) | (b == any)));
    (is_one & (any != UNSEEN)).then_some(any)
}

/// The distance of each voxel to bone as a level, without basins yet.
fn cells(bone: &ArrayRef3<u8>, grid: &Grid, job: &Job) -> Result<Vec<u32>> {
    let mut cells = Array3::zeros(grid.shape());
    // a voxel beside bone is not bone, however small voxels are
    let per_mm = (1.0 / STEP_MM) as f32;
    let level = |mm: f32| if mm > 0.0 { (mm * per_mm).clamp(1.0, LEVELS as f32) as u8 } else { 0 };
    // in the memory of the distances
    let cell = |mm: f32| f32::from_bits(cell(level(mm), UNSEEN));
    distance::distance_up_to(bone, WIDE_MM, grid, &mut cells, cell, job)?;
    Ok(cells.into_raw_vec_and_offset().0.into_iter().map(f32::to_bits).collect())
}

/// Numbers wide open space, block by block; gives the first number that is free then.
fn open_basins(cells: &mut [u32], grid: &Grid) -> u32 {
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

/// Floods all space from its widest places and the `open` basins down: slab by slab, then across their faces. What
/// becomes of a chamber that its slab cuts is decided then, so that it hardly matters how many slabs there are.
fn flood(cells: &mut [u32], open: u32, slabs: usize, grid: &Grid, job: &Job) -> Result<Basins> {
    let [nx, ny, nz] = grid.size();
    let count = slabs.clamp(1, nz);
    let slab = nz.div_ceil(count) * nx * ny;
    let most = open as usize + (MOST_BASINS - open as usize) / count;
    let steps = job.steps(count);
    let last = cells.len().div_ceil(slab) - 1;
    let flood = |(k, cells): (usize, &mut [u32])| {
        let mut basins = Basins::new(open, grid);
        for band in bands(cells) {
            let order = in_falling_order(cells, band);
            basins.flood(cells, &order, [k > 0, k < last], most, grid);
            job.check()?;
        }
        steps.step()?;
        Ok(basins)
    };
    let slabs: Vec<Basins> =
        cells.par_chunks_mut(slab).with_max_len(1).enumerate().map(flood).collect::<Result<_>>()?;
    let mut all = Basins::new(open, grid);
    let before: Vec<u32> = slabs.iter().map(|basins| all.append(basins, open)).collect();
    cells.par_chunks_mut(slab).zip(before).for_each(|(cells, before)| {
        for c in cells.iter_mut().filter(|c| basin(**c) >= open) {
            *c += before;
        }
    });
    let cells = &*cells;
    // of each stretch of one pair the widest place
    let across_row = |start: usize| {
        let mut found: Vec<Meeting> = Vec::new();
        for i in start..start + nx {
            let beside = [cells[i - nx * ny], cells[i]];
            let meeting = Meeting {
                depth: depth(level(beside[0]).min(level(beside[1]))),
                pair: beside.map(basin),
                voxel: i as u32,
            };
            match found.last_mut() {
                _ if meeting.pair.contains(&UNSEEN) => (),
                Some(last) if last.pair == meeting.pair => *last = meeting.min(*last),
                _ => found.push(meeting),
            }
        }
        found
    };
    let faces = (slab..cells.len()).step_by(slab);
    let rows: Vec<usize> = faces.flat_map(|face| (face..face + nx * ny).step_by(nx)).collect();
    let mut across: Vec<Meeting> = rows.into_par_iter().flat_map_iter(across_row).collect();
    across.par_sort_unstable_by_key(|m| (m.pair, m.depth, m.voxel));
    across.dedup_by_key(|m| m.pair);
    let mut saddles = std::mem::take(&mut all.saddles);
    saddles.extend(&across);
    saddles.par_sort_unstable();
    all.joined = (0..all.parent.len() as u32).collect();
    saddles.into_iter().for_each(|saddle| all.join(saddle));
    let mut meetings = std::mem::take(&mut all.deferred);
    meetings.extend(across);
    meetings.par_sort_unstable();
    for meeting in meetings {
        let [one, other] = meeting.pair.map(|b| root(&mut all.parent, b));
        if one != other {
            all.meet(one, other, meeting);
        }
    }
    Ok(all)
}

/// Levels below the widest, highest first, in bands that hold a share of all voxels, so that their order needs little
/// room.
fn bands(cells: &[u32]) -> Vec<Range<u8>> {
    const LEAST_BANDS: usize = 6;
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

/// The basins of a slab, or of all space.
struct Basins {
    /// Which are one chamber.
    parent: Vec<u32>,
    /// Level of a chamber's widest place.
    top: Vec<u8>,
    /// Whether a chamber goes on in the next slab, where it may be wider.
    is_cut: Vec<bool>,
    /// What is decided only when both chambers are whole.
    deferred: Vec<Meeting>,
    /// Which are joined by the widest ways found so far, and these.
    joined: Vec<u32>,
    saddles: Vec<Meeting>,
    diagonal_mm: f64,
}

/// Where two basins meet: so many levels below the widest, highest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Meeting {
    pub(super) depth: u8,
    pub(super) pair: [u32; 2],
    pub(super) voxel: u32,
}

fn depth(level: u8) -> u8 {
    LEVELS as u8 - level
}

impl Basins {
    fn new(open: u32, grid: &Grid) -> Self {
        let diagonal_mm = grid.diagonal_mm();
        let (top, is_cut) = (vec![LEVELS as u8; open as usize], vec![false; open as usize]);
        let own: Vec<u32> = (0..open).collect();
        Self { parent: own.clone(), top, is_cut, deferred: Vec::new(), joined: own, saddles: Vec::new(), diagonal_mm }
    }

    /// Adds all but the `open` basins of another slab; gives by how much their numbers rise.
    fn append(&mut self, slab: &Self, open: u32) -> u32 {
        let before = self.parent.len() as u32 - open;
        let number = |basin: u32| if basin < open { basin } else { basin + before };
        let renumbered = |m: &Meeting| Meeting { pair: m.pair.map(number), ..*m };
        self.parent.extend(slab.parent[open as usize..].iter().map(|&b| number(b)));
        self.top.extend(&slab.top[open as usize..]);
        self.is_cut.resize(self.top.len(), false);
        self.deferred.extend(slab.deferred.iter().map(renumbered));
        self.saddles.extend(slab.saddles.iter().map(renumbered));
        before
    }

    /// Keeps a meeting as a saddle if nothing wider joins both basins.
    fn join(&mut self, meeting: Meeting) {
        let [one, other] = meeting.pair.map(|b| root(&mut self.joined, b));
        if one != other {
            self.joined[one as usize] = other;
            self.saddles.push(meeting);
        }
    }

    /// Makes one of two chambers that meet if one is hardly wider than where: a bulge. Gives the chamber that is left, or
    /// the first.
    fn meet(&mut self, mine: u32, other: u32, meeting: Meeting) -> u32 {
        let is_lower = self.top[mine as usize] < self.top[other as usize];
        let (low, high) = if is_lower { (mine, other) } else { (other, mine) };
        let here = LEVELS as u8 - meeting.depth;
        let rise = f64::from(self.top[low as usize] - here) * STEP_MM;
        let is_open = self.top[low as usize] as usize == LEVELS;
        if !is_open && rise < 0.5 * self.diagonal_mm + 0.25 * f64::from(here) * STEP_MM {
            if self.is_cut[low as usize] {
                self.deferred.push(Meeting { pair: [low, high], ..meeting });
                return mine;
            }
            self.parent[low as usize] = high;
            high
        } else {
            mine
        }
    }

    /// Gives voxels of a slab, widest first, to the basins beside them, or to new ones where there are none, up to the
    /// `most`. The slab may go on below and above.
    fn flood(&mut self, cells: &mut [u32], order: &[Vec<u32>], goes_on: [bool; 2], most: usize, grid: &Grid) {
        let [nx, ny, _] = grid.size();
        let strides = [1, nx, nx * ny];
        for i in order.iter().flatten().map(|&i| i as usize) {
            let (x, y, here) = (i as u32 % nx as u32, i as u32 / nx as u32 % ny as u32, level(cells[i]));
            let inside =
                [x > 0, x as usize + 1 < nx, y > 0, y as usize + 1 < ny, i >= strides[2], i + strides[2] < cells.len()];
            if inside == [true; 6]
                && let Some(only) = only_basin([0, 1, 2].map(|a| [cells[i - strides[a]], cells[i + strides[a]]]))
            {
                cells[i] = cell(here, only);
                continue;
            }
            let (mut mine, mut seen, mut widest) = (UNSEEN, UNSEEN, 0);
            for (k, _) in inside.into_iter().enumerate().filter(|(_, inside)| *inside) {
                let beside = cells[if k % 2 == 0 { i - strides[k / 2] } else { i + strides[k / 2] }];
                if basin(beside) == UNSEEN {
                    continue;
                }
                if level(beside) > level(widest) {
                    widest = beside;
                }
                if basin(beside) == seen {
                    continue;
                }
                let other = root(&mut self.parent, basin(beside));
                if mine == UNSEEN {
                    mine = other;
                } else {
                    let meeting = Meeting { depth: depth(here), pair: [seen, basin(beside)], voxel: i as u32 };
                    self.join(meeting);
                    if mine != other {
                        mine = self.meet(mine, other, meeting);
                    }
                }
                seen = basin(beside);
            }
            let mut own = basin(widest);
            // when numbers run out, what is left are the smallest hollows of all
            if mine == UNSEEN && self.parent.len() < most {
                mine = self.parent.len() as u32;
                own = mine;
                self.parent.push(mine);
                self.joined.push(mine);
                self.top.push(here);
                self.is_cut.push(false);
            }
            cells[i] = cell(here, own);
            if goes_on[0] && !inside[4] || goes_on[1] && !inside[5] {
                self.is_cut[mine as usize] = true;
            }
        }
        // that at the highest level counts
        self.deferred.sort_unstable_by_key(|m| (m.pair, m.depth, m.voxel));
        self.deferred.dedup_by_key(|m| m.pair);
    }
}
