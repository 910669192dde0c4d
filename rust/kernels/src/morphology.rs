//! Dilation, erosion, opening and closing of a mask by a ball in mm.
//!
//! The outside of the volume is background: erosion eats from the faces, and closing neither bridges to a face
//! nor loses what lies next to one.

use crate::bits::{Bits, for_each_run, last_word, set_range};
use crate::grid::SLACK;
use crate::{Error, Grid, Job, Result};
use ndarray::ArrayRef3;
use rayon::prelude::*;

/// A volume that a closing has widened beyond this fits into no memory: a mistaken unit, most likely.
const MOST_VOXELS: usize = 1 << 34;

/// Sets `out` to 1 within `radius_mm` of the mask (centre to centre, inclusive), to 0 elsewhere.
///
/// Costs about 5 ns a voxel near the mask's surface and less elsewhere; needs two bytes a voxel.
///
/// # Errors
/// [`Error::SizeMismatch`], [`Error::Sheared`], [`Error::Parameter`], [`Error::Cancelled`].
pub fn dilate(mask: &ArrayRef3<u8>, grid: &Grid, radius_mm: f64, out: &mut ArrayRef3<u8>, job: &Job) -> Result<()> {
    apply(mask, grid, radius_mm, out, |bits| dilated(&bits, grid, radius_mm, job))
}

/// Sets `out` to 1 farther than `radius_mm` inside the mask, to 0 elsewhere. Cost and errors as [`dilate`].
///
/// # Errors
/// As [`dilate`].
pub fn erode(mask: &ArrayRef3<u8>, grid: &Grid, radius_mm: f64, out: &mut ArrayRef3<u8>, job: &Job) -> Result<()> {
    apply(mask, grid, radius_mm, out, |bits| eroded(bits, grid, radius_mm, job))
}

/// Sets `out` to 1 where a ball of `radius_mm` fits into the mask, to 0 elsewhere: what is thinner goes.
/// Costs twice [`dilate`].
///
/// # Errors
/// As [`dilate`].
pub fn open(mask: &ArrayRef3<u8>, grid: &Grid, radius_mm: f64, out: &mut ArrayRef3<u8>, job: &Job) -> Result<()> {
    apply(mask, grid, radius_mm, out, |bits| {
        let core = eroded(bits, grid, radius_mm, &job.part(0.0, 0.5))?;
        dilated(&core, grid, radius_mm, &job.part(0.5, 1.0))
    })
}

/// Sets `out` to 0 where a ball of `radius_mm` fits into the background, to 1 elsewhere: narrow gaps close.
/// Costs twice [`dilate`] on the volume widened by the radius.
///
/// # Errors
/// As [`dilate`], and [`Error::GridSize`] where that is too large.
pub fn close(mask: &ArrayRef3<u8>, grid: &Grid, radius_mm: f64, out: &mut ArrayRef3<u8>, job: &Job) -> Result<()> {
    apply(mask, grid, radius_mm, out, |bits| closed(&bits, grid, radius_mm, job))
}

fn apply(
    mask: &ArrayRef3<u8>,
    grid: &Grid,
    radius_mm: f64,
    out: &mut ArrayRef3<u8>,
    operation: impl FnOnce(Bits) -> Result<Bits>,
) -> Result<()> {
    grid.check_shape("mask", mask.dim())?;
    grid.check_shape("output", out.dim())?;
    grid.check_orthogonal()?;
    if !(radius_mm >= 0.0 && radius_mm.is_finite()) {
        return Err(Error::Parameter { name: "radius_mm", value: radius_mm, allowed: "0 or more, and finite" });
    }
    operation(Bits::from_mask(mask))?.write_to(out);
    Ok(())
}

/// The voxels that no ball of `radius_mm` in the background reaches.
pub(crate) fn closed(mask: &Bits, grid: &Grid, radius_mm: f64, job: &Job) -> Result<Bits> {
    let pad = reach(grid, radius_mm).map(|n| n.saturating_add(1));
    let size = [0, 1, 2].map(|a| pad[a].saturating_mul(2).saturating_add(grid.size()[a]));
    if size.iter().try_fold(1_usize, |n, &s| n.checked_mul(s)).is_none_or(|n| n > MOST_VOXELS) {
        return Err(Error::GridSize { size });
    }
    let wide = dilated(&mask.padded(pad), grid, radius_mm, &job.part(0.0, 0.5))?;
    let closed = dilated(&wide.not(), grid, radius_mm, &job.part(0.5, 1.0))?.not();
    Ok(closed.cropped(pad))
}

/// The voxels farther than `radius_mm` from any that is not set, or not in the volume.
pub(crate) fn eroded(mask: Bits, grid: &Grid, radius_mm: f64, job: &Job) -> Result<Bits> {
    let mut core = dilated(&mask.not(), grid, radius_mm, job)?.not();
    let ([nx, ny, nz], [fx, fy, fz]) = (core.size(), reach(grid, radius_mm));
    let per_row = core.words_per_row();
    let mut inside = vec![0; per_row];
    set_range(&mut inside, fx, nx.saturating_sub(fx));
    core.slices_mut().enumerate().for_each(|(z, slice)| {
        for (y, row) in slice.chunks_mut(per_row).enumerate() {
            let cut = z < fz || z + fz >= nz || y < fy || y + fy >= ny;
            row.iter_mut().zip(&inside).for_each(|(word, keep)| *word &= if cut { 0 } else { *keep });
        }
    });
    Ok(core)
}

/// The voxels within `radius_mm` of a set one. Nothing outside the volume is set.
pub(crate) fn dilated(mask: &Bits, grid: &Grid, radius_mm: f64, job: &Job) -> Result<Bits> {
    swept(mask, grid, radius_mm, [0.0; 3], job)
}

/// The voxels within a box around a set one that reaches `reach` voxels along x, y and z.
pub(crate) fn boxed(mask: &Bits, reach: [usize; 3], job: &Job) -> Result<Bits> {
    swept(mask, &Grid::axis_aligned(mask.size(), [1.0; 3])?, 0.0, reach.map(|n| n as f64), job)
}

/// The voxels within `radius_mm` of a box around a set one that reaches `box_mm` from its centre along x, y and z.
///
/// Distances are measured along z, then y, then x, and no farther than the radius: one byte a voxel after the first
/// step, one slice a thread after the second, and only bits after the third.
pub(crate) fn swept(mask: &Bits, grid: &Grid, radius_mm: f64, box_mm: [f64; 3], job: &Job) -> Result<Bits> {
    let [nx, ny, nz] = mask.size();
    let spacing = grid.spacing_mm();
    let limit = radius_mm * radius_mm * (1.0 + SLACK);
    let square = |axis: usize, n: usize| (n as f64 * spacing[axis] - box_mm[axis]).max(0.0).powi(2);
    // Farther than the radius, or than the volume reaches.
    let far = (1..nz.max(2)).find(|&n| square(2, n) > limit).unwrap_or(nz).min(usize::from(u16::MAX));
    let squares_z: Vec<f32> = (0..=far).map(|n| if n < far { square(2, n) as f32 } else { f32::INFINITY }).collect();
    let squares_y: Vec<f32> = (0..ny).map(|n| square(1, n)).take_while(|s| *s <= limit).map(|s| s as f32).collect();
    let slices_apart = if far <= usize::from(u8::MAX) {
        SlicesApart::Bytes(slices_apart(mask, far as u8, &job.part(0.0, 0.3))?)
    } else {
        SlicesApart::Words(slices_apart(mask, far as u16, &job.part(0.0, 0.3))?)
    };
    let mut out = Bits::empty(mask.size());
    let per_row = out.words_per_row();
    let last = last_word(nx);
    let steps = job.part(0.3, 1.0).steps(nz);
    out.slices_mut().enumerate().try_for_each_init(
        || (Plane::new(nx, ny), vec![0.0_f32; nx]),
        |(plane, row), (z, words)| {
            let slice = z * nx * ny..(z + 1) * nx * ny;
            let reached = match &slices_apart {
                SlicesApart::Bytes(n) => plane.look_up(&n[slice], &squares_z, far as u8),
                SlicesApart::Words(n) => plane.look_up(&n[slice], &squares_z, far as u16),
            };
            if reached {
                for (y, words) in words.chunks_mut(per_row).enumerate() {
                    plane.lowest_over_rows(y, &squares_y, limit as f32, row);
                    spread_along_row(row, limit as f32, spacing[0] as f32, box_mm[0] as f32, words);
                    words[per_row - 1] &= last;
                }
            }
            steps.step()
        },
    )?;
    Ok(out)
}

/// By how many voxels along x, y and z a ball of the radius reaches.
fn reach(grid: &Grid, radius_mm: f64) -> [usize; 3] {
    grid.spacing_mm().map(|s| (radius_mm * (1.0 + SLACK).sqrt() / s).floor() as usize)
}

/// For each voxel, how many slices away the nearest set voxel of its column is.
enum SlicesApart {
    Bytes(Vec<u8>),
    Words(Vec<u16>),
}

trait Count: Copy + Send + Sync + Ord + From<u8> + std::ops::Add<Output = Self> + Into<usize> {}
impl Count for u8 {}
impl Count for u16 {}

fn slices_apart<N: Count>(mask: &Bits, far: N, job: &Job) -> Result<Vec<N>> {
    let [nx, ny, nz] = mask.size();
    let mut apart = vec![far; nx * ny * nz];
    let one = N::from(1);
    let next = |before: N| if before < far { before + one } else { far };
    let mut rows = ndarray::ArrayViewMut3::from_shape((nz, ny, nx), &mut apart).expect("one for each voxel");
    let steps = job.steps(ny);
    rows.axis_iter_mut(ndarray::Axis(1)).into_par_iter().enumerate().try_for_each(|(y, mut plane)| {
        let mut since = vec![far; nx];
        for (z, row) in plane.outer_iter_mut().enumerate() {
            since.iter_mut().for_each(|n| *n = next(*n));
            for_each_run(mask.row(z, y), |a, b| since[a..b.min(nx)].fill(N::from(0)));
            row.into_slice().expect("rows are contiguous").copy_from_slice(&since);
        }
        since.fill(far);
        for row in plane.outer_iter_mut().rev() {
            for (until, n) in since.iter_mut().zip(row.into_slice().expect("rows are contiguous")) {
                *n = (*n).min(next(*until));
                *until = *n;
            }
        }
        steps.step()
    })?;
    Ok(apart)
}

/// One slice's squared distances across slices, with the lowest of each block of a row.
struct Plane {
    nx: usize,
    squares: Vec<f32>,
    lowest: Vec<f32>,
}

/// Voxels of a row that are looked at together.
const BLOCK: usize = 64;

impl Plane {
    fn new(nx: usize, ny: usize) -> Self {
        Self { nx, squares: vec![0.0; nx * ny], lowest: vec![0.0; nx.div_ceil(BLOCK) * ny] }
    }

    /// Looks up the squares of a slice's distances; false where nothing is in reach.
    fn look_up<N: Count>(&mut self, apart: &[N], squares_z: &[f32], far: N) -> bool {
        let nearest = apart.iter().copied().fold(far, N::min);
        if nearest == far {
            return false;
        }
        let rows = self.squares.chunks_mut(self.nx).zip(apart.chunks(self.nx));
        for ((squares, apart), lowest) in rows.zip(self.lowest.chunks_mut(self.nx.div_ceil(BLOCK))) {
            squares.iter_mut().zip(apart).for_each(|(square, &n)| *square = squares_z[n.into()]);
            for (lowest, block) in lowest.iter_mut().zip(squares.chunks(BLOCK)) {
                *lowest = block.iter().copied().fold(f32::INFINITY, lower);
            }
        }
        true
    }

    /// The lowest squared distance over the rows around row `y`, each raised by its own distance from it. What is
    /// above the limit may be higher than it should.
    fn lowest_over_rows(&self, y: usize, squares_y: &[f32], limit: f32, lowest: &mut [f32]) {
        let (per_row, ny) = (self.nx.div_ceil(BLOCK), self.squares.len() / self.nx);
        lowest.copy_from_slice(&self.squares[y * self.nx..][..self.nx]);
        for (b, block) in lowest.chunks_mut(BLOCK).enumerate() {
            // Nothing higher can lower what is there already.
            let mut highest = block.iter().copied().fold(0.0, higher);
            for (dy, &square) in squares_y.iter().enumerate().skip(1) {
                if highest <= square {
                    break;
                }
                let mut lowered = false;
                for row in [y.checked_sub(dy), Some(y + dy).filter(|&row| row < ny)].into_iter().flatten() {
                    let least = self.lowest[row * per_row + b] + square;
                    if least < highest && least <= limit {
                        let row = &self.squares[row * self.nx + b * BLOCK..][..block.len()];
                        block.iter_mut().zip(row).for_each(|(low, &v)| *low = lower(*low, v + square));
                        lowered = true;
                    }
                }
                if lowered {
                    highest = block.iter().copied().fold(0.0, higher);
                }
            }
        }
    }
}

/// The lower of two numbers, without the care for NaN that keeps `f32::min` from being one instruction.
fn lower(a: f32, b: f32) -> f32 {
    if b < a { b } else { a }
}

fn higher(a: f32, b: f32) -> f32 {
    if b > a { b } else { a }
}

/// Sets the voxels of a row within the radius of any of its voxels, given their squared distances across the row.
fn spread_along_row(across: &[f32], limit: f32, spacing: f32, box_mm: f32, words: &mut [u64]) {
    let (inverse, extra) = (1.0 / (spacing * spacing), box_mm / spacing);
    let reach = |square: f32| (((limit - square) * inverse).sqrt() + extra) as usize;
    let farthest = reach(0.0);
    // Stretches that meet are set at once.
    let (mut from, mut to) = (0, 0);
    for (x, &square) in across.iter().enumerate() {
        if square <= limit {
            let half = if square == 0.0 { farthest } else { reach(square) };
            let (start, end) = (x.saturating_sub(half), (x + half + 1).min(across.len()));
            if start > to {
                set_range(words, from, to);
                from = start;
            }
            (from, to) = (from.min(start), to.max(end));
        }
    }
    set_range(words, from, to);
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array3;
    use proptest::prelude::*;

    type Operation = fn(&ArrayRef3<u8>, &Grid, f64, &mut ArrayRef3<u8>, &Job) -> Result<()>;

    fn run(operation: Operation, mask: &Array3<u8>, grid: &Grid, radius_mm: f64) -> Array3<u8> {
        let mut out = Array3::from_elem(mask.dim(), 7);
        operation(mask, grid, radius_mm, &mut out, &Job::new()).unwrap();
        out
    }

    /// Dilation by the definition, on a volume widened by `pad` so that nothing meets a face.
    fn brute_force(mask: &Array3<u8>, grid: &Grid, radius_mm: f64, pad: usize) -> Array3<u8> {
        let set: Vec<_> = mask.indexed_iter().filter(|(_, v)| **v != 0).map(|((z, y, x), _)| [x, y, z]).collect();
        let (nz, ny, nx) = mask.dim();
        let spacing = grid.spacing_mm();
        Array3::from_shape_fn((nz + 2 * pad, ny + 2 * pad, nx + 2 * pad), |(z, y, x)| {
            u8::from(set.iter().any(|at| {
                let d = [x, y, z]
                    .into_iter()
                    .zip(at)
                    .zip(spacing)
                    .map(|((a, b), s)| (a as f64 - pad as f64 - *b as f64) * s);
                d.map(|d| d * d).sum::<f64>() <= radius_mm * radius_mm * (1.0 + SLACK)
            }))
        })
    }

    fn inner(wide: &Array3<u8>, pad: usize) -> Array3<u8> {
        let p = pad as isize;
        wide.slice(ndarray::s![p..-p, p..-p, p..-p]).to_owned()
    }

    fn drawn(size: [usize; 3], bits: Vec<u8>, sparse: u8, spacing: [f64; 3]) -> (Grid, Array3<u8>) {
        let grid = Grid::axis_aligned(size, spacing).unwrap();
        let mask = Array3::from_shape_vec(grid.shape(), bits).unwrap().mapv(|v| u8::from(v >= sparse));
        (grid, mask)
    }

    fn spacings() -> impl Strategy<Value = [f64; 3]> {
        prop_oneof![Just([1.0, 1.0, 1.0]), Just([0.5, 1.0, 2.0]), Just([0.7, 0.9, 1.3])]
    }

    fn radii() -> impl Strategy<Value = f64> {
        prop_oneof![Just(0.0), Just(1.0), Just(1.5), Just(2.0), 0.0_f64..2.5]
    }

    proptest! {
        #[test]
        fn dilation_follows_its_definition(
            (size, bits) in (1_usize..80, 1_usize..7, 1_usize..7)
                .prop_flat_map(|(x, y, z)| (Just([x, y, z]), proptest::collection::vec(0_u8..32, x * y * z))),
            sparse in 8_u8..32,
            spacing in spacings(),
            radius_mm in radii(),
        ) {
            let (grid, mask) = drawn(size, bits, sparse, spacing);
            prop_assert_eq!(run(dilate, &mask, &grid, radius_mm), brute_force(&mask, &grid, radius_mm, 0));
        }
    }

    #[test]
    fn a_closing_wider_than_any_memory_is_refused() {
        let grid = Grid::axis_aligned([4, 3, 2], [1e-3, 1.0, 1e-3]).unwrap();
        let (mask, mut out) = (Array3::ones(grid.shape()), Array3::zeros(grid.shape()));
        assert!(matches!(close(&mask, &grid, 1e3, &mut out, &Job::new()), Err(Error::GridSize { .. })));
        assert!(matches!(close(&mask, &grid, 1e300, &mut out, &Job::new()), Err(Error::GridSize { .. })));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn the_others_follow_their_definition_at_the_faces_too(
            (size, bits) in (1_usize..7, 1_usize..5, 1_usize..5)
                .prop_flat_map(|(x, y, z)| (Just([x, y, z]), proptest::collection::vec(0_u8..8, x * y * z))),
            sparse in 1_u8..8,
            spacing in spacings(),
            radius_mm in radii(),
        ) {
            let (grid, mask) = drawn(size, bits, sparse, spacing);
            let pad = 6;
            let flip = |m: &Array3<u8>| m.mapv(|v| 1 - v);
            let wide_grid = Grid::axis_aligned(size.map(|n| n + 2 * pad), spacing).unwrap();
            let wide = brute_force(&mask, &grid, radius_mm, pad);
            let closed = flip(&inner(&brute_force(&flip(&wide), &wide_grid, radius_mm, 0), pad));
            prop_assert_eq!(run(close, &mask, &grid, radius_mm), closed, "closing");
            let mut outside = Array3::<u8>::ones(wide.dim());
            let p = pad as isize;
            outside.slice_mut(ndarray::s![p..-p, p..-p, p..-p]).assign(&flip(&mask));
            let eroded = flip(&inner(&brute_force(&outside, &wide_grid, radius_mm, 0), pad));
            prop_assert_eq!(run(erode, &mask, &grid, radius_mm), eroded.clone(), "erosion");
            prop_assert_eq!(run(open, &mask, &grid, radius_mm), brute_force(&eroded, &grid, radius_mm, 0), "opening");
        }
    }

    #[test]
    fn a_box_of_voxels_is_that_box() {
        let mut mask = Bits::empty([70, 9, 8]);
        set_range(mask.row_mut(3, 4), 60, 61);
        let wide = boxed(&mask, [5, 0, 2], &Job::new()).unwrap();
        assert_eq!(wide.count(), 11 * 5);
        for (z, x) in (1..6).flat_map(|z| (55..66).map(move |x| (z, x))) {
            assert!(wide.contains([x, 4, z]));
        }
    }

    #[test]
    fn a_box_adds_its_half_edges() {
        let grid = Grid::axis_aligned([15, 9, 9], [1.0, 2.0, 3.0]).unwrap();
        let mut mask = Bits::empty(grid.size());
        set_range(mask.row_mut(4, 4), 7, 8);
        let swept = swept(&mask, &grid, 1.0, [2.1, 1.0, 2.0], &Job::new()).unwrap();
        let runs = |z: usize, y: usize| {
            let mut runs = Vec::new();
            for_each_run(swept.row(z, y), |start, end| runs.push((start, end)));
            runs
        };
        assert_eq!(runs(4, 4), [(4, 11)], "3.1 mm along x");
        assert_eq!(runs(4, 3), [(5, 10)], "just in reach along y, so no farther along x than the box");
        assert_eq!(runs(3, 4), [(5, 10)], "and along z");
        assert_eq!((runs(3, 3), runs(2, 4), runs(4, 2)), (vec![], vec![], vec![]), "out of reach");
    }

    #[test]
    fn a_radius_beyond_the_volume_sets_all_of_it() {
        let grid = Grid::axis_aligned([5, 4, 300], [0.01; 3]).unwrap();
        let mut mask = Array3::zeros(grid.shape());
        mask[[0, 0, 0]] = 1;
        assert!(run(dilate, &mask, &grid, 1e9).iter().all(|v| *v == 1), "everything is within 1000 km");
    }

    #[test]
    fn a_radius_must_be_a_length() {
        let grid = Grid::axis_aligned([2; 3], [1.0; 3]).unwrap();
        let (mask, mut out) = (Array3::zeros((2, 2, 2)), Array3::zeros((2, 2, 2)));
        for bad in [-1.0, f64::NAN, f64::INFINITY] {
            assert!(matches!(open(&mask, &grid, bad, &mut out, &Job::new()), Err(Error::Parameter { .. })));
        }
    }
}
