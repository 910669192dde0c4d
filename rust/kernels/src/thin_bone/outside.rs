//! The wide air around the head, and the folds and openings that it reaches into.

use crate::bits::Bits;
use crate::components::{Connectivity, Labelled};
use crate::morphology::boxed;
use crate::{Grid, Job, Result, Voxel};
use ndarray::{Array3, ArrayRef3, Axis};
use rayon::prelude::*;
use std::borrow::Cow;

/// HU half-way between air and soft tissue.
pub(super) const HALF_HEIGHT_HU: f32 = -480.0;
/// No skin is brighter, HU.
const SKIN_HU: f32 = 350.0;
/// Edge of the blocks that are air or not.
const BLOCK_MM: f64 = 1.5;
/// Air narrower than about twice this (nostrils, mouth, sinuses) is not the outside.
const NARROW_MM: f64 = 3.0;
/// How far into folds and openings the outside reaches.
const FOLDS_MM: f64 = 9.0;
/// What a block holds: the sum of these.
const AIR: u8 = 1;
const TISSUE: u8 = 2;

/// The wide air around the head, block by block.
pub(super) struct Outside {
    /// Voxels along each edge of a block.
    edge: [usize; 3],
    /// Blocks that hold a surface between air and tissue.
    surfaces: Bits,
    wide: Bits,
    /// And the folds and openings that it reaches into.
    folds: Bits,
    /// The voxel of the scan that is asked for as (0, 0, 0).
    first: [usize; 3],
}

impl Outside {
    /// Finds it from the volume's edges; its faces may cut sinuses, too.
    pub(super) fn new<T: Voxel>(ct: &ArrayRef3<T>, grid: &Grid, job: &Job) -> Result<Self> {
        let spacing = grid.spacing_mm();
        let edge = spacing.map(|s| ((BLOCK_MM / s) as usize).max(2));
        let held = held(ct, edge);
        let air = Bits::from_voxels(&held, |held| held == AIR);
        let surfaces = Bits::from_voxels(&held, |held| held == AIR + TISSUE);
        let narrow = [0, 1, 2].map(|a| ((NARROW_MM / (edge[a] as f64 * spacing[a])).round() as usize).max(1));
        let middles = boxed(&air.clone().not(), narrow, job)?.not();
        let wide = boxed(&at_edges(&middles, job)?, narrow, job)?;
        // through whole blocks of air only: a thin cheek must not let it into a sinus
        let mut folds = wide.clone();
        for _ in 0..(FOLDS_MM / BLOCK_MM) as usize {
            folds = boxed(&folds, [1; 3], job)?.and(&air).or(&folds);
        }
        folds = boxed(&folds, [1; 3], job)?.and(&air.or(&surfaces)).or(&folds);
        Ok(Self { edge, surfaces, wide, folds, first: [0; 3] })
    }

    /// From here on, voxels are counted from `first`.
    pub(super) fn counted_from(self, first: [usize; 3]) -> Self {
        Self { first, ..self }
    }

    /// Whether a voxel (x, y, z) lies in it, or in a fold or opening that it reaches into.
    pub(super) fn reaches(&self, i: [usize; 3]) -> bool {
        self.folds.contains([0, 1, 2].map(|a| (i[a] + self.first[a]) / self.edge[a]))
    }

    /// Whether a voxel (x, y, z) lies in it.
    pub(super) fn contains(&self, i: [usize; 3]) -> bool {
        self.wide.contains([0, 1, 2].map(|a| (i[a] + self.first[a]) / self.edge[a]))
    }

    /// Voxels along each edge of a block.
    pub(super) fn edge(&self) -> [usize; 3] {
        self.edge
    }

    /// First voxels of the blocks that hold the head's surface.
    pub(super) fn surface(&self, job: &Job) -> Result<Vec<[usize; 3]>> {
        let skin = boxed(&self.wide, [2; 3], job)?.and(&self.surfaces);
        let [nx, ny, nz] = skin.size();
        let blocks = (0..nz).flat_map(|z| (0..ny).flat_map(move |y| (0..nx).map(move |x| [x, y, z])));
        Ok(blocks.filter(|&b| skin.contains(b)).map(|b| [0, 1, 2].map(|a| b[a] * self.edge[a])).collect())
    }
}

/// What each block holds; nothing that counts where it holds bone or no numbers.
fn held<T: Voxel>(ct: &ArrayRef3<T>, edge: [usize; 3]) -> Array3<u8> {
    let (nz, ny, nx) = ct.dim();
    let mut held = Array3::zeros((nz.div_ceil(edge[2]), ny.div_ceil(edge[1]), nx.div_ceil(edge[0])));
    (held.outer_iter_mut(), ct.axis_chunks_iter(Axis(0), edge[2])).into_par_iter().for_each(|(mut held, slab)| {
        for (mut held, rows) in held.outer_iter_mut().zip(slab.axis_chunks_iter(Axis(1), edge[1])) {
            let mut bounds = vec![[f32::INFINITY, f32::NEG_INFINITY]; held.len()];
            for row in rows.lanes(Axis(2)) {
                let row = row.to_slice().map_or_else(|| Cow::Owned(row.to_vec()), Cow::Borrowed);
                for ([low, high], voxels) in bounds.iter_mut().zip(row.chunks(edge[0])) {
                    for v in voxels {
                        let v = v.to_f32();
                        // what is no number is neither
                        *low = if v < *low { v } else { *low };
                        *high = if v > *high { v } else { *high };
                    }
                }
            }
            for (held, [low, high]) in held.iter_mut().zip(bounds) {
                let [air, tissue] = [low < HALF_HEIGHT_HU, high >= HALF_HEIGHT_HU];
                *held = if high > SKIN_HU { 0 } else { AIR * u8::from(air) + TISSUE * u8::from(tissue) };
            }
        }
    });
    held
}

/// The parts of a mask that reach an edge of the volume, where two of its faces meet.
fn at_edges(mask: &Bits, job: &Job) -> Result<Bits> {
    let size = mask.size();
    let is_end = |i: usize, a: usize| i == 0 || i + 1 == size[a];
    let mut edges = Bits::empty(size);
    for z in 0..size[2] {
        for y in 0..size[1] {
            let ends = usize::from(is_end(y, 1)) + usize::from(is_end(z, 2));
            for x in (0..size[0]).filter(|&x| ends + usize::from(is_end(x, 0)) >= 2) {
                edges.row_mut(z, y)[x / 64] |= 1 << (x % 64);
            }
        }
    }
    let parts = Labelled::new(mask, &Grid::axis_aligned(size, [1.0; 3])?, Connectivity::Six, job)?;
    let shared = parts.shared_with(&edges);
    Ok(parts.select(|part| shared[part] > 0))
}
