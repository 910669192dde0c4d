//! The cells of a mask, cubes between eight voxel centres, and the numbers of the vertices in them.

use super::cases::{self, CASES, Case, Patch, edge_beyond};
use crate::bits::Bits;
use crate::{Error, Grid, Job, Result};
use ndarray::ArrayRef3;
use rayon::prelude::*;
use std::ops::Range;

/// A mask as bits, and which of its cells the surface crosses.
///
/// Cell (x, y, z) has voxel (x, y, z) at its high corner and voxel (x − 1, y − 1, z − 1) at its low one. Voxels
/// beyond the volume are outside. Vertices are numbered cell by cell in memory order, those of a layer (one z)
/// without gap.
pub(super) struct Cells {
    /// Number of cells along x, y and z: one more than voxels.
    pub(super) size: [usize; 3],
    /// Words of 64 cells, or voxels, per row.
    words: usize,
    mask: Bits,
    /// Cells that the surface crosses.
    crossed: Vec<u64>,
    /// Those of them that hold more than one vertex.
    complex: Vec<u64>,
    /// Number of vertices of the layer in the words before.
    before: Vec<u32>,
    /// Number of vertices in the layers before; the last is the number of all.
    layer_start: Vec<u32>,
    /// For each layer, the number of grid edges at its cells' low corners that the surface cuts.
    layer_cuts: Vec<usize>,
}

/// More vertices than this cannot be numbered (a quarter of what 32 bits hold, which leaves room for marks).
const MOST_VERTICES: u64 = 1 << 30;

/// A cell that the surface crosses.
#[derive(Clone, Copy)]
pub(super) struct Cell {
    /// Its place among the cells.
    pub(super) at: [usize; 3],
    /// Bits of its inside corners.
    pub(super) inside: usize,
    /// Number of its first vertex.
    pub(super) first: u32,
}

impl Cell {
    pub(super) fn case(&self) -> &'static Case {
        &CASES[self.inside]
    }

    pub(super) fn patches(&self) -> &'static [Patch] {
        cases::patches(self.inside)
    }

    /// The vertex of the patch that cuts an edge.
    pub(super) fn vertex_on(&self, edge: usize) -> u32 {
        self.first + u32::from(self.case().edge_patch[edge])
    }

    /// The vertex beyond a face on the line that leaves through `edge` of that face.
    pub(super) fn neighbour(&self, cells: &Cells, face: usize, edge: u8) -> u32 {
        let mut at = self.at;
        at[face / 2] = at[face / 2] + 2 * (face % 2) - 1;
        cells.vertex(at, edge_beyond(usize::from(edge), face))
    }

    /// The extra vertex on the low face across `axis` of the line that ends at the edge of `outside_corner`, where
    /// two lines cross that face.
    pub(super) fn pin(&self, axis: usize, outside_corner: usize) -> Option<u32> {
        let case = self.case();
        let which = outside_corner >> ((axis + 1) % 3) & 1;
        (case.ambiguous >> (2 * axis) & 1 == 1)
            .then(|| self.first + u32::from(case.patches) + 2 * case.pairs_before(axis) + which as u32)
    }
}

impl Cells {
    pub(super) fn new(mask: &ArrayRef3<u8>, grid: &Grid, job: &Job) -> Result<Self> {
        let size = grid.size().map(|n| n + 1);
        let steps = job.steps(size[2]);
        let words = size[0].div_ceil(64);
        let mut crossed = vec![0; words * size[1] * size[2]];
        let mut complex = vec![0; crossed.len()];
        let mut before = vec![0; crossed.len()];
        let mut cells = Self {
            size,
            words,
            mask: Bits::from_mask(mask),
            crossed: vec![],
            complex: vec![],
            before: vec![],
            layer_start: vec![],
            layer_cuts: vec![],
        };
        let layer = words * size[1];
        let (vertices, cuts): (Vec<u64>, Vec<usize>) = crossed
            .par_chunks_mut(layer)
            .zip(complex.par_chunks_mut(layer))
            .zip(before.par_chunks_mut(layer))
            .enumerate()
            .map(|(z, ((crossed, complex), before))| {
                steps.step()?;
                Ok(cells.count_layer(z, crossed, complex, before))
            })
            .collect::<Result<Vec<_>>>()?
            .into_iter()
            .unzip();
        let total: u64 = vertices.iter().sum();
        if total > MOST_VERTICES {
            return Err(Error::GridSize { size: grid.size() });
        }
        cells.layer_start = std::iter::once(0)
            .chain(vertices.iter().scan(0, |sum, n| {
                *sum += *n as u32;
                Some(*sum)
            }))
            .collect();
        (cells.crossed, cells.complex, cells.before, cells.layer_cuts) = (crossed, complex, before, cuts);
        Ok(cells)
    }

    /// Number of vertices.
    pub(super) fn vertices(&self) -> usize {
        self.layer_start[self.size[2]] as usize
    }

    /// The numbers of the vertices in a layer.
    pub(super) fn layer(&self, z: usize) -> Range<usize> {
        self.layer_start[z] as usize..self.layer_start[z + 1] as usize
    }

    /// The first vertex of each layer, and the number of all.
    pub(super) fn layer_starts(&self) -> Vec<usize> {
        self.layer_start.iter().map(|&v| v as usize).collect()
    }

    /// Number of vertices in each layer.
    pub(super) fn layer_counts(&self) -> Vec<usize> {
        (0..self.size[2]).map(|z| self.layer(z).len()).collect()
    }

    /// For each layer, the number of grid edges at its cells' low corners that the surface cuts.
    pub(super) fn layer_cuts(&self) -> &[usize] {
        &self.layer_cuts
    }

    /// Number of voxels of the mask.
    pub(super) fn voxels(&self) -> usize {
        self.mask.count()
    }

    /// Calls `visit` for each cell of a layer that the surface crosses, in order.
    pub(super) fn for_each(&self, z: usize, mut visit: impl FnMut(Cell)) {
        let mut first = self.layer_start[z];
        for y in 0..self.size[1] {
            let row = self.words * (z * self.size[1] + y);
            for word in 0..self.words {
                let mut left = self.crossed[row + word];
                if left == 0 {
                    continue;
                }
                let corners = self.corners(word, y, z);
                while left != 0 {
                    let bit = left.trailing_zeros();
                    left &= left - 1;
                    let cell = Cell { at: [64 * word + bit as usize, y, z], inside: inside(&corners, bit), first };
                    first += u32::from(cell.case().vertices);
                    visit(cell);
                }
            }
        }
    }

    /// The cell at a place, which the surface must cross.
    pub(super) fn cell(&self, at: [usize; 3]) -> Cell {
        let corners = self.corners(at[0] / 64, at[1], at[2]);
        Cell { at, inside: inside(&corners, at[0] as u32 % 64), first: self.first_vertex(at) }
    }

    /// The vertex of the patch that cuts an edge of the cell at a place.
    pub(super) fn vertex(&self, at: [usize; 3], edge: usize) -> u32 {
        let i = self.words * (at[2] * self.size[1] + at[1]) + at[0] / 64;
        if self.complex[i] >> (at[0] % 64) & 1 == 0 { self.first_vertex(at) } else { self.cell(at).vertex_on(edge) }
    }

    fn first_vertex(&self, at: [usize; 3]) -> u32 {
        let [x, y, z] = at;
        let (word, bit) = (x / 64, x % 64);
        let i = self.words * (z * self.size[1] + y) + word;
        let lower = (1_u64 << bit) - 1;
        let mut first = self.layer_start[z] + self.before[i] + (self.crossed[i] & lower).count_ones();
        let mut complex = self.complex[i] & lower;
        if complex != 0 {
            let corners = self.corners(word, y, z);
            while complex != 0 {
                first += u32::from(CASES[inside(&corners, complex.trailing_zeros())].vertices) - 1;
                complex &= complex - 1;
            }
        }
        first
    }

    /// Finds the crossed and the complex cells of a layer; counts its vertices and the cut edges at low corners.
    fn count_layer(&self, z: usize, crossed: &mut [u64], complex: &mut [u64], before: &mut [u32]) -> (u64, usize) {
        let (mut vertices, mut cuts) = (0, 0);
        for y in 0..self.size[1] {
            for word in 0..self.words {
                let corners = self.corners(word, y, z);
                let any = corners.iter().fold(0, |any, c| any | c);
                let all = corners.iter().fold(!0, |all, c| all & c);
                let i = y * self.words + word;
                before[i] = vertices as u32;
                crossed[i] = any & !all;
                cuts += [1, 2, 4].map(|c| (corners[0] ^ corners[c]).count_ones() as usize).iter().sum::<usize>();
                let mut left = crossed[i];
                while left != 0 {
                    let bit = left.trailing_zeros();
                    left &= left - 1;
                    let case = &CASES[inside(&corners, bit)];
                    complex[i] |= u64::from(case.is_complex()) << bit;
                    vertices += u64::from(case.vertices);
                }
            }
        }
        (vertices, cuts)
    }

    /// Which of 64 cells have each corner inside.
    fn corners(&self, word: usize, y: usize, z: usize) -> [u64; 8] {
        let mut corners = [0; 8];
        let [_, ny, nz] = self.mask.size();
        for pair in 0..4 {
            // The row before the cell's own on the low side; that wraps round below 0.
            let (y, z) = ((y + (pair & 1)).wrapping_sub(1), (z + (pair >> 1)).wrapping_sub(1));
            if y < ny && z < nz {
                let row = self.mask.row(z, y);
                let high = row.get(word).copied().unwrap_or(0);
                let carry = if word == 0 { 0 } else { row[word - 1] >> 63 };
                corners[2 * pair] = high << 1 | carry;
                corners[2 * pair + 1] = high;
            }
        }
        corners
    }
}

/// The inside corners of one cell out of 64.
fn inside(corners: &[u64; 8], bit: u32) -> usize {
    (0..8).fold(0, |inside, c| inside | ((corners[c] >> bit & 1) as usize) << c)
}
