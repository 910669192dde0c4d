//! Exact Euclidean distance to a mask, in mm.
//!
//! Axis by axis: distances along rows first, then for each column the lower envelope of the parabolas that its
//! voxels span (Felzenszwalb and Huttenlocher, "Distance Transforms of Sampled Functions", Theory of Computing
//! 2012, <https://doi.org/10.4086/toc.2012.v008a019>). Up to a small limit, few parabolas reach a voxel: these are
//! compared one by one, several columns at a time, which takes less.

use crate::grid::SLACK;
use crate::{Grid, Job, Result};
use multiversion::multiversion;
use ndarray::{ArrayRef3, ArrayView1, ArrayViewMut1, ArrayViewMut2, Axis, s};
use rayon::prelude::*;

/// Columns taken through the cache at a time.
const TILE: usize = 32;

/// Sets `out` to the distance (mm) from each voxel's centre to the nearest centre of a set voxel; 0 in the mask,
/// infinity everywhere where the mask is empty.
///
/// ```
/// # use ndarray::{array, Array3}; use skull_kernels::{distance, Grid, Job};
/// let mask = array![[[0_u8, 0, 1], [0, 0, 0]]];
/// let mut mm = Array3::zeros(mask.dim());
/// let grid = Grid::axis_aligned([3, 2, 1], [1.0, 0.75, 1.0]).unwrap();
/// distance::distance_mm(&mask, &grid, &mut mm, &Job::new()).unwrap();
/// assert_eq!(mm, array![[[2.0_f32, 1.0, 0.0], [2.1360009, 1.25, 0.75]]]);
/// ```
///
/// Exact to single precision, linear in the number of voxels; needs no memory beyond `out` and one column a thread.
///
/// # Errors
/// [`Error::SizeMismatch`](crate::Error::SizeMismatch), [`Error::Sheared`](crate::Error::Sheared),
/// [`Error::Cancelled`](crate::Error::Cancelled).
pub fn distance_mm(mask: &ArrayRef3<u8>, grid: &Grid, out: &mut ArrayRef3<f32>, job: &Job) -> Result<()> {
    distance_up_to(mask, f64::INFINITY, grid, out, |mm| mm, job)
}

/// What `finish` makes of the same, as far as it matters: what is farther than `limit_mm` is only known to be.
pub(crate) fn distance_up_to(
    mask: &ArrayRef3<u8>,
    limit_mm: f64,
    grid: &Grid,
    out: &mut ArrayRef3<f32>,
    finish: impl Fn(f32) -> f32 + Copy + Sync,
    job: &Job,
) -> Result<()> {
    grid.check_shape("mask", mask.dim())?;
    grid.check_shape("output", out.dim())?;
    grid.check_orthogonal()?;
    let [x, y, z] = [0, 1, 2].map(|a| Parabola::new(grid.spacing_mm()[a], grid.size()[a], limit_mm));
    let steps = job.part(0.0, 0.6).steps(grid.size()[2]);
    let slices = (out.axis_iter_mut(Axis(0)), mask.axis_iter(Axis(0))).into_par_iter();
    // what is near the mask takes longer, so threads take slices and planes one by one
    slices.with_max_len(1).try_for_each(|(mut out, mask)| {
        for (out, mask) in out.outer_iter_mut().zip(mask.outer_iter()) {
            square_along_row(mask, out, &x);
        }
        lower_columns(&mut out, &y, |square| square);
        steps.step()
    })?;
    let steps = job.part(0.6, 1.0).steps(grid.size()[1]);
    out.axis_iter_mut(Axis(1)).into_par_iter().with_max_len(1).try_for_each(|mut plane| {
        lower_columns(&mut plane, &z, |square| finish(square.sqrt()));
        steps.step()
    })
}

/// The parabola over each voxel of a row or column.
struct Parabola {
    spacing_mm: f64,
    /// So many voxels from its apex (mm²), as far as the limit.
    squares: Vec<f32>,
    is_limited: bool,
}

impl Parabola {
    fn new(spacing_mm: f64, voxels: usize, limit_mm: f64) -> Self {
        let limit = limit_mm * limit_mm * (1.0 + SLACK);
        let squares = (0..=voxels).map(|n| (n as f64 * spacing_mm).powi(2)).take_while(|&square| square <= limit);
        Self { spacing_mm, squares: squares.map(|square| square as f32).collect(), is_limited: limit.is_finite() }
    }
}

/// Squared distance to the nearest set voxel of the same row.
fn square_along_row(mask: ArrayView1<'_, u8>, mut out: ArrayViewMut1<'_, f32>, parabola: &Parabola) {
    let ahead = |at: usize, set: bool| mask.slice(s![at..]).iter().position(|&v| (v != 0) == set).map(|n| at + n);
    let squares = &parabola.squares[1..];
    let mut start = 0;
    while start < mask.len() {
        let first = ahead(start, false).unwrap_or(mask.len());
        out.slice_mut(s![start..first]).fill(0.0);
        let end = ahead(first, true).unwrap_or(mask.len());
        let mut run = out.slice_mut(s![first..end]);
        run.fill(f32::INFINITY);
        if first > 0 {
            run.iter_mut().zip(squares).for_each(|(out, &square)| *out = square);
        }
        if end < mask.len() {
            run.iter_mut().rev().zip(squares).for_each(|(out, &square)| *out = out.min(square));
        }
        start = end;
    }
}

/// Replaces each column (axis 0) by `finish` of the lower envelope of the parabolas over it.
fn lower_columns(plane: &mut ArrayViewMut2<'_, f32>, parabola: &Parabola, finish: impl Fn(f32) -> f32 + Copy) {
    let (rows, columns) = plane.dim();
    let mut tile = vec![[0.0_f32; TILE]; rows];
    let mut envelope = Envelope::new(rows, parabola.spacing_mm);
    let mut column = vec![0.0; rows];
    for first in (0..columns).step_by(TILE) {
        let mut block = plane.slice_mut(s![.., first..columns.min(first + TILE)]);
        let width = block.ncols();
        for (row, tile) in block.outer_iter().zip(&mut tile) {
            ArrayViewMut1::from(&mut tile[..width]).assign(&row);
        }
        if !parabola.is_limited {
            for c in 0..width {
                column.iter_mut().zip(&tile).for_each(|(value, row)| *value = row[c]);
                envelope.lower(&mut column);
                tile.iter_mut().zip(&column).for_each(|(row, &value)| row[c] = value);
            }
        }
        for (r, mut row) in block.outer_iter_mut().enumerate() {
            let lowest = if parabola.is_limited { lowest(&tile, r, &parabola.squares) } else { tile[r] };
            row.assign(&ArrayView1::from(&lowest.map(finish)[..width]));
        }
    }
}

/// The lowest of the parabolas over each column of a tile at a row.
#[multiversion(targets("x86_64+avx2"))]
fn lowest(tile: &[[f32; TILE]], row: usize, squares: &[f32]) -> [f32; TILE] {
    let beyond = [f32::INFINITY; TILE];
    let mut lowest = tile[row];
    for (apart, &square) in squares.iter().enumerate().skip(1) {
        // none of those farther away reaches lower
        if !lowest.iter().fold(false, |any, &l| any | (l > square)) {
            break;
        }
        let above = row.checked_sub(apart).map_or(&beyond, |r| &tile[r]);
        let below = tile.get(row + apart).unwrap_or(&beyond);
        for ((lowest, &above), &below) in lowest.iter_mut().zip(above).zip(below) {
            let there = square + if above < below { above } else { below };
            *lowest = if there < *lowest { there } else { *lowest };
        }
    }
    lowest
}

/// Scratch for the lower envelope of one column.
struct Envelope {
    /// Square of the spacing.
    square: f64,
    /// For parabolas n voxels apart, how far a difference in height moves the place where they cross.
    shift: Vec<f64>,
    /// The parabolas of the envelope: apex position, apex height, and from where on each is the lowest.
    apex: Vec<(usize, f64)>,
    from: Vec<f64>,
}

impl Envelope {
    fn new(rows: usize, spacing: f64) -> Self {
        let square = spacing * spacing;
        let shift = (0..=rows).map(|n| 0.5 / (square * n as f64)).collect();
        Self { square, shift, apex: Vec::with_capacity(rows), from: Vec::with_capacity(rows) }
    }

    fn lower(&mut self, column: &mut [f32]) {
        // Where the distance is 0 it stays so, and no parabola reaches beyond.
        let mut start = 0;
        while let Some(first) = column[start..].iter().position(|&v| v != 0.0).map(|n| start + n) {
            let end = column[first..].iter().position(|&v| v == 0.0).map_or(column.len(), |n| first + n);
            self.lower_run(column, first, end);
            start = end;
        }
    }

    /// Lowers the voxels from `first` to before `end`, which zeros bound but at the column's ends.
    fn lower_run(&mut self, column: &mut [f32], first: usize, end: usize) {
        self.apex.clear();
        self.from.clear();
        for (i, &height) in column.iter().enumerate().take(end + 1).skip(first.saturating_sub(1)) {
            if height < f32::INFINITY {
                self.add(i, f64::from(height));
            }
        }
        let ends = self.from.iter().skip(1).map(|&from| (from + 1.0) as usize).chain([end]);
        let mut next = first;
        for (&(apex, height), until) in self.apex.iter().zip(ends) {
            for (i, out) in column.iter_mut().enumerate().take(until.min(end)).skip(next) {
                let apart = i as f64 - apex as f64;
                *out = (apart * apart * self.square + height) as f32;
            }
            next = next.max(until);
        }
    }

    /// Adds a parabola to the right of the envelope's.
    fn add(&mut self, at: usize, height: f64) {
        let mut start = f64::NEG_INFINITY;
        while let (Some(&(last_at, last_height)), Some(&from)) = (self.apex.last(), self.from.last()) {
            let cross = 0.5 * (at + last_at) as f64 + (height - last_height) * self.shift[at - last_at];
            if cross > from {
                start = cross;
                break;
            }
            self.apex.pop();
            self.from.pop();
        }
        self.apex.push((at, height));
        self.from.push(start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;
    use ndarray::Array3;
    use proptest::prelude::*;

    fn brute_force(mask: &Array3<u8>, grid: &Grid) -> Array3<f32> {
        let set: Vec<_> = mask.indexed_iter().filter(|(_, v)| **v != 0).map(|(at, _)| at).collect();
        let [sx, sy, sz] = grid.spacing_mm();
        Array3::from_shape_fn(mask.dim(), |(z, y, x)| {
            set.iter()
                .map(|&(z1, y1, x1)| {
                    let d = [z as f64 - z1 as f64, y as f64 - y1 as f64, x as f64 - x1 as f64];
                    ((d[0] * sz).powi(2) + (d[1] * sy).powi(2) + (d[2] * sx).powi(2)).sqrt() as f32
                })
                .fold(f32::INFINITY, f32::min)
        })
    }

    proptest! {
        #[test]
        fn equals_brute_force(
            (size, bits) in (1_usize..10, 1_usize..10, 1_usize..10)
                .prop_flat_map(|(x, y, z)| (Just([x, y, z]), proptest::collection::vec(0_u8..8, x * y * z))),
            spacing in [0.2_f64..3.0, 0.2_f64..3.0, 0.2_f64..3.0],
            sparse in 1_u8..8,
            limit_mm in 0.5_f64..8.0,
        ) {
            let grid = Grid::axis_aligned(size, spacing).unwrap();
            let mask = Array3::from_shape_vec(grid.shape(), bits).unwrap().mapv(|v| u8::from(v >= sparse));
            let mut got = Array3::zeros(grid.shape());
            distance_mm(&mask, &grid, &mut got, &Job::new()).unwrap();
            let mut near = Array3::zeros(grid.shape());
            distance_up_to(&mask, limit_mm, &grid, &mut near, |mm| mm, &Job::new()).unwrap();
            for ((got, near), want) in got.iter().zip(&near).zip(&brute_force(&mask, &grid)) {
                prop_assert!(got == want || (got - want).abs() < 1e-5, "{got} instead of {want}");
                let is_same = near == got || (near - got).abs() < 1e-5;
                prop_assert!(is_same || f64::from(near.min(*got)) > limit_mm, "{near} instead of {got}");
            }
        }
    }

    #[test]
    fn an_empty_mask_is_infinitely_far() {
        let grid = Grid::axis_aligned([3, 2, 4], [1.0; 3]).unwrap();
        let mut out = Array3::zeros(grid.shape());
        distance_mm(&Array3::zeros(grid.shape()), &grid, &mut out, &Job::new()).unwrap();
        assert!(out.iter().all(|d| *d == f32::INFINITY), "{out}");
    }

    #[test]
    fn sheared_grids_and_cancelled_jobs_are_refused() {
        let axes = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.3, 0.95]];
        let grid = Grid::new([2, 2, 2], [1.0; 3], axes, [0.0; 3]).unwrap();
        let (mask, mut out) = (Array3::ones((2, 2, 2)), Array3::zeros((2, 2, 2)));
        assert!(matches!(distance_mm(&mask, &grid, &mut out, &Job::new()), Err(Error::Sheared { .. })));
        let (job, grid) = (Job::new(), Grid::axis_aligned([2; 3], [1.0; 3]).unwrap());
        job.cancel();
        assert_eq!(distance_mm(&mask, &grid, &mut out, &job), Err(Error::Cancelled));
    }
}
