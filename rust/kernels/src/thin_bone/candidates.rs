//! Where walls may be: places of contrast near bone, and the direction across them.

use super::directions;
use super::linalg::{Vec3, eigenvalues, eigenvector, frame};
use super::outside::Outside;
use super::psf::Psf;
use super::scan::Scan;
use super::sheets::BESIDE_BONE_HU;
use crate::bits::{Bits, for_each_run};
use crate::morphology::boxed;
use crate::{Grid, Job, Result, Voxel};
use ndarray::ArrayRef3;
use rayon::prelude::*;
use std::ops::Range;

/// Walls are looked for this near to the base bone.
const NEAR_MM: f64 = 10.0;
/// As blocks of this edge tell.
const BLOCK_MM: f64 = 2.0;
/// The direction is that of the gradients within this standard deviation, or so many voxels.
const TENSOR_MM: f64 = 0.8;
const TENSOR_VOXELS: f64 = 0.6;
/// Where the gradients' second direction holds more than this share of the first, there is no plane.
const LEAST_PLANE: f64 = 0.6;
/// Contrast among neighbours below which nothing is measured: in units of noise, and HU.
const CONTRAST_NOISE: f32 = 5.0;
const CONTRAST_HU: f32 = 150.0;
/// Skin is this thick at least: what lies nearer to the outside is no bone.
const SKIN_MM: f64 = 1.5;
/// How far sideways a wall's media are looked at.
const ASIDE_MM: f64 = 0.5;
/// Volumes are looked through in tiles of this many rows and slices.
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
    let tiles: Vec<[Range<usize>; 2]> = (0..nz)
        .step_by(TILE[1])
        .flat_map(|z| (0..ny).step_by(TILE[0]).map(move |y| [y..(y + TILE[0]).min(ny), z..(z + TILE[1]).min(nz)]))
        .collect();
    let search = Search {
        ct,
        grid,
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
    // what tiles leave behind is used again
    let mut candidates = Vec::new();
    for tiles in tiles.chunks(TOGETHER) {
        let found: Vec<Vec<Candidate>> = tiles.par_iter().map(look).collect::<Result<_>>()?;
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

    fn contains(&self, i: [usize; 3]) -> bool {
        self.blocks.contains([0, 1, 2].map(|a| i[a] / self.edge[a]))
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
    outside: &'a Outside,
    near: &'a Near,
    ways: &'a [Way],
    limit_hu: f32,
    bone_hu: f32,
}

impl<T: Voxel> Search<'_, T> {
    fn tile(&self, [rows, slices]: &[Range<usize>; 2]) -> Vec<Candidate> {
        let size = self.grid.size();
        let Some(columns) = self.near.stretch(rows, slices, size[0]) else { return Vec::new() };
        let inner = [columns, rows.clone(), slices.clone()];
        let spacing = self.grid.spacing_mm();
        let kernels = spacing.map(half_kernel);
        let halo = [0, 1, 2].map(|a| {
            let reach = kernels[a].len() - 1;
            inner[a].start.saturating_sub(reach)..(inner[a].end + reach).min(size[a])
        });
        let seen = Seen::new(self.ct, &halo);
        let tensor = Tensor::new(&seen, &kernels, spacing);
        let mut found = Vec::new();
        let mut has_contrast = vec![false; inner[0].len()];
        for z in inner[2].clone() {
            for y in inner[1].clone() {
                self.contrast(&seen, [0, 1, 2].map(|a| [inner[0].start, y, z][a] - halo[a].start), &mut has_contrast);
                for (x, _) in inner[0].clone().zip(&has_contrast).filter(|(_, has)| **has) {
                    let at = [x, y, z];
                    if !self.near.contains(at) {
                        continue;
                    }
                    let Some(n) = plane([0, 1, 2].map(|a| at[a] - halo[a].start), &tensor) else { continue };
                    let way = self.towards_dark(at, &self.ways[usize::from(directions::nearest(n))]);
                    if !self.is_skin(at, way) && !self.is_beside_bone(at, way) {
                        let voxel = ((z * size[1] + y) * size[0] + x) as u32;
                        found.push(Candidate { voxel, direction: way.direction });
                    }
                }
            }
        }
        found
    }

    /// Which voxels of a row have neighbours whose contrast a wall may cause; the first is given by its place in the box.
    fn contrast(&self, seen: &Seen, [x, y, z]: [usize; 3], has: &mut [bool]) {
        let rows: [&[f32]; 9] = std::array::from_fn(|k| &seen.row(y + k % 3, z + k / 3)[x..][..has.len() + 2]);
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
        let here = (at[2] * size[1] + at[1]) * size[0] + at[0];
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
            opposite: directions::nearest(n.map(|c| -c)),
            skin: sides(SKIN_MM + from),
            media: sides(from),
            steps: beside.map(|side| side.map(step)),
            reach: [0, 1, 2]
                .map(|a| beside.iter().flatten().map(|by| usize::from(by[a].unsigned_abs())).max().unwrap_or(0)),
            beside,
        }
    }
}

/// The direction across the surface or sheet in one place of a tensor; `None` where there is no plane.
fn plane(at: [usize; 3], tensor: &Tensor) -> Option<Vec3> {
    let matrix = tensor.at(at);
    let [first, second, _] = eigenvalues(matrix);
    if first > 0.0 && second <= LEAST_PLANE * first { eigenvector(matrix, first) } else { None }
}

/// Voxels of a row that are compared in registers.
const BLOCK: usize = 16;

/// One half of a Gaussian's weights, centre first.
fn half_kernel(spacing_mm: f64) -> Vec<f32> {
    let sigma = TENSOR_MM.max(TENSOR_VOXELS * spacing_mm) / spacing_mm;
    let reach = (2.0 * sigma).floor() as usize;
    (0..=reach).map(|k| (-0.5 * (k as f64 / sigma).powi(2)).exp() as f32).collect()
}

/// The values in a box, and one voxel around it on each side, at the volume's faces as within.
struct Seen {
    /// Of the box.
    size: [usize; 3],
    hu: Vec<f32>,
}

impl Seen {
    fn new<T: Voxel>(ct: &ArrayRef3<T>, range: &[Range<usize>; 3]) -> Self {
        let (nz, ny, nx) = ct.dim();
        let around = |a: usize, n: usize| {
            let Range { start, end } = range[a];
            (start..end + 2).map(move |i| i.saturating_sub(1).min(n - 1))
        };
        let size = [0, 1, 2].map(|a| range[a].len());
        let mut hu = Vec::with_capacity(size.iter().map(|n| n + 2).product());
        for (z, y) in around(2, nz).flat_map(|z| around(1, ny).map(move |y| (z, y))) {
            let row = ct.slice(ndarray::s![z, y, ..]);
            let value = |x: usize| row[x].to_f32();
            hu.push(value(range[0].start.saturating_sub(1)));
            hu.extend(row.slice(ndarray::s![range[0].clone()]).iter().map(|v| v.to_f32()));
            hu.push(value(range[0].end.min(nx - 1)));
        }
        Self { size, hu }
    }

    /// A row, counted from the one before the box.
    fn row(&self, y: usize, z: usize) -> &[f32] {
        let length = self.size[0] + 2;
        &self.hu[(z * (self.size[1] + 2) + y) * length..][..length]
    }
}

/// The structure tensor of a box: smoothed products of the gradient's components.
struct Tensor {
    size: [usize; 3],
    products: [Vec<f32>; 6],
}

impl Tensor {
    fn new(seen: &Seen, kernels: &[Vec<f32>; 3], spacing: Vec3) -> Self {
        let size = seen.size;
        let [nx, ny, nz] = size;
        let mut products = [(); 6].map(|()| vec![0.0; nx * ny * nz]);
        let per_mm = spacing.map(|s| 0.5 / s as f32);
        let mut gradient = [(); 3].map(|()| vec![0.0; nx]);
        let mut smooth = vec![0.0; nx * ny];
        for z in 0..nz {
            for y in 0..ny {
                let here = seen.row(y + 1, z + 1);
                let along = |low: &[f32], high: &[f32], per_mm: f32, to: &mut [f32]| {
                    to.iter_mut().zip(low.iter().zip(high)).for_each(|(to, (low, high))| *to = (high - low) * per_mm);
                };
                let [gx, gy, gz] = &mut gradient;
                along(here, &here[2..], per_mm[0], gx);
                along(&seen.row(y, z + 1)[1..], &seen.row(y + 2, z + 1)[1..], per_mm[1], gy);
                along(&seen.row(y + 1, z)[1..], &seen.row(y + 1, z + 2)[1..], per_mm[2], gz);
                for (product, (i, j)) in products.iter_mut().zip([(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)]) {
                    let row = &mut product[(z * ny + y) * nx..][..nx];
                    let pairs = gradient[i].iter().zip(&gradient[j]);
                    row.iter_mut().zip(pairs).for_each(|(p, (a, b))| *p = a * b);
                }
            }
            // while the slice is at hand
            for product in &mut products {
                let slice = &mut product[z * nx * ny..][..nx * ny];
                convolve(slice, &mut smooth, [nx, ny, 1], 0, &kernels[0]);
                convolve(&smooth, slice, [nx, ny, 1], 1, &kernels[1]);
            }
        }
        let mut smooth = vec![0.0; nx * ny * nz];
        for product in &mut products {
            convolve(product, &mut smooth, size, 2, &kernels[2]);
            std::mem::swap(product, &mut smooth);
        }
        Self { size, products }
    }

    fn at(&self, i: [usize; 3]) -> [f64; 6] {
        let k = (i[2] * self.size[1] + i[1]) * self.size[0] + i[0];
        [0, 1, 2, 3, 4, 5].map(|c| f64::from(self.products[c][k]))
    }
}

/// Weighted sums along one axis; nothing is added from beyond the faces.
fn convolve(from: &[f32], to: &mut [f32], size: [usize; 3], axis: usize, kernel: &[f32]) {
    let stride: usize = size[..axis].iter().product();
    let line = stride * size[axis];
    for (from, to) in from.chunks_exact(line).zip(to.chunks_exact_mut(line)) {
        for (t, f) in to.iter_mut().zip(from) {
            *t = kernel[0] * f;
        }
        for (k, &w) in kernel.iter().enumerate().skip(1).filter(|(k, _)| k * stride < line) {
            let (near, far) = (&from[..line - k * stride], &from[k * stride..]);
            for (t, f) in to.iter_mut().zip(far) {
                *t += w * f;
            }
            for (t, f) in to[k * stride..].iter_mut().zip(near) {
                *t += w * f;
            }
        }
    }
}
