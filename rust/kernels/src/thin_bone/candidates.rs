//! Where walls may be: places of contrast near bone, and the direction across them.

use super::directions;
use super::linalg::frame;
use super::outside::Outside;
use super::psf::Psf;
use super::scan::Scan;
use super::sheets::BESIDE_BONE_HU;
use super::tensor::{self, Seen, Tensor};
use crate::bits::{Bits, for_each_run, is_set};
use crate::grid::ravel;
use crate::morphology::boxed;
use crate::{Grid, Job, Result, Voxel};
use ndarray::ArrayRef3;
use rayon::prelude::*;
use std::ops::Range;

/// Walls are looked for this near to the base bone.
const NEAR_MM: f64 = 10.0;
/// As blocks of this edge tell.
const BLOCK_MM: f64 = 2.0;
/// Contrast among neighbours below which nothing is measured: in units of noise, and HU.
const CONTRAST_NOISE: f32 = 5.0;
const CONTRAST_HU: f32 = 150.0;
/// Skin is this thick at least: what lies nearer to the outside is no bone.
const SKIN_MM: f64 = 1.5;
/// How far sideways a wall's media are looked at.
const ASIDE_MM: f64 = 0.5;
/// Volumes are looked through in tiles of about this many rows and slices.
const TILE: [usize; 2] = [32, 16];
/// So many at a time.
const TOGETHER: usize = 64;

/// A voxel that a wall may pass, and the direction across the wall, towards its darker side.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Candidate {
    pub(super) voxel: u32,
    pub(super) direction: u16,
}

/// Finds all candidates, in order of their voxels within each tile.
pub(super) fn find<T: Voxel>(scan: &Scan<'_, T>, job: &Job) -> Result<Vec<Candidate>> {
    let Scan { ct, base, grid, .. } = *scan;
    let noise_hu = scan.scale.noise_hu as f32;
    let [_, ny, nz] = grid.size();
    let near = Near::new(base, grid, job)?;
    let block = tensor::block(grid.spacing_mm());
    let [rows, slices] = [0, 1].map(|a| TILE[a].next_multiple_of(block[a + 1]));
    let tiles: Vec<[Range<usize>; 2]> = (0..nz)
        .step_by(slices)
        .flat_map(|z| (0..ny).step_by(rows).map(move |y| [y..(y + rows).min(ny), z..(z + slices).min(nz)]))
        .collect();
    let search = Search {
        ct,
        grid,
        block,
        outside: &scan.outside,
        near: &near,
        ways: &Way::all(&scan.scale.psf, grid),
        limit_hu: (CONTRAST_NOISE * noise_hu).max(CONTRAST_HU),
        bone_hu: BESIDE_BONE_HU + noise_hu,
    };
    let steps = job.steps(tiles.len());
    let look = |tile: &[Range<usize>; 2]| {
        steps.step()?;
        Ok(search.tile(tile))
    };
    // what tiles leave behind is used again; some take much longer than others, so threads take them one by one
    let mut candidates = Vec::new();
    for tiles in tiles.chunks(TOGETHER) {
        let found: Vec<Vec<Candidate>> = tiles.par_iter().with_max_len(1).map(look).collect::<Result<_>>()?;
        candidates.extend(found.into_iter().flatten());
    }
    Ok(candidates)
}

/// Blocks near the base bone.
struct Near {
    edge: [usize; 3],
    blocks: Bits,
}

impl Near {
    fn new(base: &ArrayRef3<u8>, grid: &Grid, job: &Job) -> Result<Self> {
        let spacing = grid.spacing_mm();
        let edge = spacing.map(|s| ((BLOCK_MM / s) as usize).max(1));
        let reach = [0, 1, 2].map(|a| (NEAR_MM / (edge[a] as f64 * spacing[a])).round() as usize);
        let blocks = boxed(&Bits::from_mask(base).coarsened(edge), reach, job)?;
        Ok(Self { edge, blocks })
    }

    /// Whether the voxels of a row lie in them.
    fn along_row(&self, y: usize, z: usize) -> impl Fn(usize) -> bool {
        let row = self.blocks.row(z / self.edge[2], y / self.edge[1]);
        move |x| is_set(row, x / self.edge[0])
    }

    /// The stretch of x that holds all blocks near bone of a range of rows and slices.
    fn stretch(&self, rows: &Range<usize>, slices: &Range<usize>, size_x: usize) -> Option<Range<usize>> {
        let blocks = |r: &Range<usize>, a: usize| r.start / self.edge[a]..(r.end - 1) / self.edge[a] + 1;
        let rows = blocks(slices, 2).flat_map(|z| blocks(rows, 1).map(move |y| self.blocks.row(z, y)));
        let (mut first, mut last) = (usize::MAX, 0);
        rows.for_each(|row| {
            for_each_run(row, |start, end| (first, last) = (first.min(start), last.max(end)));
        });
        (first < last).then(|| first * self.edge[0]..(last * self.edge[0]).min(size_x))
    }
}

struct Search<'a, T: Voxel> {
    ct: &'a ArrayRef3<T>,
    grid: &'a Grid,
    /// Voxels of one direction along each axis.
    block: [usize; 3],
    outside: &'a Outside,
    near: &'a Near,
    ways: &'a [Way],
    limit_hu: f32,
    bone_hu: f32,
}

impl<T: Voxel> Search<'_, T> {
    fn tile(&self, [rows, slices]: &[Range<usize>; 2]) -> Vec<Candidate> {
        let (size, block) = (self.grid.size(), self.block);
        let Some(columns) = self.near.stretch(rows, slices, size[0]) else { return Vec::new() };
        let inner = [columns.start / block[0] * block[0]..columns.end, rows.clone(), slices.clone()];
        let seen = Seen::new(self.ct, &tensor::around(&inner, self.grid));
        let tensor = Tensor::new(&seen, self.grid.spacing_mm());
        let mut found = Vec::new();
        let length = inner[0].len();
        let mut has_contrast = vec![false; length * block[1] * block[2]];
        let mut voxels = Vec::new();
        for z in inner[2].clone().step_by(block[2]) {
            for y in inner[1].clone().step_by(block[1]) {
                let within = |a: usize, i: usize| i..(i + block[a]).min(inner[a].end);
                let rows: Vec<[usize; 2]> = within(2, z).flat_map(|z| within(1, y).map(move |y| [y, z])).collect();
                for (&[y, z], has) in rows.iter().zip(has_contrast.chunks_exact_mut(length)) {
                    self.contrast(&seen, [inner[0].start, y, z], has);
                    let is_near = self.near.along_row(y, z);
                    inner[0].clone().zip(has).filter(|(_, has)| **has).for_each(|(x, has)| *has = is_near(x));
                }
                for x in inner[0].clone().step_by(block[0]) {
                    voxels.clear();
                    for (&[y, z], has) in rows.iter().zip(has_contrast.chunks_exact(length)) {
                        voxels.extend(within(0, x).filter(|x| has[x - inner[0].start]).map(|x| [x, y, z]));
                    }
                    if voxels.is_empty() {
                        continue;
                    }
                    let Some(n) = tensor.plane([x, y, z]) else { continue };
                    let way = &self.ways[usize::from(directions::nearest(n))];
                    found.extend(voxels.iter().filter_map(|&at| self.candidate(at, way)));
                }
            }
        }
        found
    }

    /// The candidate in a place of contrast with this way across the wall, or the opposite one.
    fn candidate(&self, at: [usize; 3], way: &Way) -> Option<Candidate> {
        let way = self.towards_dark(at, way);
        let [nx, ny, _] = self.grid.size();
        let voxel = ((at[2] * ny + at[1]) * nx + at[0]) as u32;
        // bone lies beside more of them than air
        let is_candidate = !self.is_beside_bone(at, way) && !self.is_skin(at, way);
        is_candidate.then_some(Candidate { voxel, direction: way.direction })
    }

    /// Which voxels of a row have neighbours whose contrast a wall may cause; the first is given.
    fn contrast(&self, seen: &Seen, first: [usize; 3], has: &mut [bool]) {
        let rows: [&[f32]; 9] = std::array::from_fn(|k| seen.beside(first, [k % 3, k / 3], has.len()));
        let blocks = (has.len() + 2).div_ceil(BLOCK);
        let (mut low, mut high) = (vec![[0.0; BLOCK]; blocks], vec![[0.0; BLOCK]; blocks]);
        for (block, (low, high)) in low.iter_mut().zip(&mut high).enumerate() {
            let (mut least, mut most) = ([f32::INFINITY; BLOCK], [f32::NEG_INFINITY; BLOCK]);
            for row in rows {
                let row = &row[block * BLOCK..];
                for ((least, most), &v) in least.iter_mut().zip(&mut most).zip(row) {
                    // what is no number is neither
                    *least = if v < *least { v } else { *least };
                    *most = if v > *most { v } else { *most };
                }
            }
            (*low, *high) = (least, most);
        }
        let (low, high) = (low.as_flattened(), high.as_flattened());
        for ((low, high), has) in low.windows(3).zip(high.windows(3)).zip(has) {
            let low = low.iter().fold(f32::INFINITY, |a, &b| if b < a { b } else { a });
            let high = high.iter().fold(f32::NEG_INFINITY, |a, &b| if b > a { b } else { a });
            *has = high - low >= self.limit_hu && high >= -300.0;
        }
    }

    /// The voxel so many voxels from another, within the volume.
    fn beside(&self, at: [usize; 3], by: [i16; 3]) -> [usize; 3] {
        let size = self.grid.size();
        [0, 1, 2].map(|a| at[a].saturating_add_signed(by[a].into()).min(size[a] - 1))
    }

    fn hu(&self, at: [usize; 3], by: [i16; 3]) -> f32 {
        let [x, y, z] = self.beside(at, by);
        self.ct[[z, y, x]].to_f32()
    }

    /// The way across a wall that ends on its darker side.
    fn towards_dark<'a>(&'a self, at: [usize; 3], way: &'a Way) -> &'a Way {
        let [behind, ahead] = way.media.map(|by| self.hu(at, by));
        if ahead > behind { &self.ways[usize::from(way.opposite)] } else { way }
    }

    /// Whether a surface through a voxel is the head's own, next to the air outside.
    fn is_skin(&self, at: [usize; 3], way: &Way) -> bool {
        way.skin.iter().any(|&by| self.outside.reaches(self.beside(at, by)))
    }

    /// Whether one side is bone as far as a wall's medium is looked at: the surface of thick bone is no wall.
    fn is_beside_bone(&self, at: [usize; 3], way: &Way) -> bool {
        let size = self.grid.size();
        let is_inside = (0..3).all(|a| at[a] >= way.reach[a] && at[a] + way.reach[a] < size[a]);
        let here = ravel(at, size);
        way.beside.iter().zip(&way.steps).any(|(side, steps)| {
            let sum: f32 = match self.ct.as_slice() {
                Some(ct) if is_inside => steps.iter().map(|&by| ct[here.wrapping_add_signed(by)].to_f32()).sum(),
                _ => side.iter().map(|&by| self.hu(at, by)).sum(),
            };
            sum > self.bone_hu * side.len() as f32
        })
    }
}

/// What is looked at around a candidate across a wall of one direction: voxels behind and ahead of it.
struct Way {
    direction: u16,
    opposite: u16,
    /// The outside, if the surface is the skin.
    skin: [[i16; 3]; 2],
    /// The middle of the media.
    media: [[i16; 3]; 2],
    /// All of the media next to the wall.
    beside: [[[i16; 3]; 10]; 2],
    /// The same as steps from voxel to voxel of the volume, and how far they reach along each axis.
    steps: [[isize; 10]; 2],
    reach: [usize; 3],
}

impl Way {
    /// For each direction.
    fn all(psf: &Psf, grid: &Grid) -> Vec<Self> {
        directions::all().map(|direction| Self::new(direction, psf, grid)).collect()
    }

    fn new(direction: u16, psf: &Psf, grid: &Grid) -> Self {
        let spacing = grid.spacing_mm();
        let n = directions::vector(direction);
        let (u, v) = frame(n);
        let from = 2.0 * psf.along(n[2] * n[2]).sigma;
        let by = |along: f64, [a, b]: [f64; 2]| {
            [0, 1, 2].map(|k| ((along * n[k] + a * u[k] + b * v[k]) / spacing[k]).round() as i16)
        };
        let aside = [[0.0, 0.0], [ASIDE_MM, 0.0], [-ASIDE_MM, 0.0], [0.0, ASIDE_MM], [0.0, -ASIDE_MM]];
        let sides = |mm: f64| [-mm, mm].map(|mm| by(mm, aside[0]));
        let beside = |side: f64| {
            std::array::from_fn(|k| by(side * (from + [0.25, 0.75][k / aside.len()]), aside[k % aside.len()]))
        };
        let beside = [beside(-1.0), beside(1.0)];
        let [nx, ny, _] = grid.size();
        let step = |[x, y, z]: [i16; 3]| isize::from(x) + nx as isize * (isize::from(y) + ny as isize * isize::from(z));
        Self {
            direction,
            opposite: directions::opposite(direction),
            skin: sides(SKIN_MM + from),
            media: sides(from),
            steps: beside.map(|side| side.map(step)),
            reach: [0, 1, 2]
                .map(|a| beside.iter().flatten().map(|by| usize::from(by[a].unsigned_abs())).max().unwrap_or(0)),
            beside,
        }
    }
}

/// Voxels of a row that are compared in registers.
const BLOCK: usize = 16;
