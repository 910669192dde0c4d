//! Gaussian smoothing with a width in mm.

use crate::grid::SLACK;
use crate::{Error, Grid, Job, Result, Voxel};
use ndarray::{ArrayRef3, Axis};
use rayon::prelude::*;

/// The kernel ends this many standard deviations from its centre.
const TRUNCATE: f64 = 4.0;

/// Sets `out` to `image` smoothed by a Gaussian of standard deviation `sigma_mm` along x, y and z (0: not along
/// that axis). The volume is mirrored at its faces. Voxels that are not finite count as absent: their neighbours are
/// averaged without them, and where nothing finite is in reach the result is NaN.
///
/// Costs one multiplication and addition a tap; needs no memory beyond `out` and two slices a thread, and as much
/// again as `out` where the image has voxels that are not finite.
///
/// # Errors
/// [`Error::SizeMismatch`], [`Error::Sheared`], [`Error::Parameter`], [`Error::Cancelled`].
pub fn smooth<T: Voxel>(
    image: &ArrayRef3<T>,
    grid: &Grid,
    sigma_mm: [f64; 3],
    out: &mut ArrayRef3<f32>,
    job: &Job,
) -> Result<()> {
    grid.check_shape("image", image.dim())?;
    grid.check_shape("output", out.dim())?;
    grid.check_orthogonal()?;
    let taps = Taps::new(grid, sigma_mm)?;
    let finite = image.axis_iter(Axis(0)).into_par_iter().all(|slice| slice.iter().all(|v| v.to_f32().is_finite()));
    if finite {
        return convolve(image, &taps, T::to_f32, out, job);
    }
    let value = |v: T| if v.to_f32().is_finite() { v.to_f32() } else { 0.0 };
    convolve(image, &taps, value, out, &job.part(0.0, 0.5))?;
    let mut weight = ndarray::Array3::zeros(out.dim());
    convolve(image, &taps, |v| f32::from(u8::from(v.to_f32().is_finite())), &mut weight, &job.part(0.5, 1.0))?;
    ndarray::Zip::from(out).and(&weight).par_for_each(|out, weight| *out /= weight);
    Ok(())
}

/// One half of a symmetric kernel for each axis, centre first.
#[derive(Debug, Clone)]
pub(crate) struct Taps {
    x: Vec<f32>,
    y: Vec<f32>,
    z: Vec<f32>,
}

impl Taps {
    pub(crate) fn new(grid: &Grid, sigma_mm: [f64; 3]) -> Result<Self> {
        if let Some(&value) = sigma_mm.iter().find(|s| !(s.is_finite() && **s >= 0.0)) {
            return Err(Error::Parameter { name: "sigma_mm", value, allowed: "0 or more, and finite" });
        }
        let spacing = grid.spacing_mm();
        let [x, y, z] = [0, 1, 2].map(|a| half_kernel(sigma_mm[a] / spacing[a], grid.size()[a]));
        Ok(Self { x, y, z })
    }
}

/// The kernel's centre and one side, with unit sum over both; no longer than mirroring at a face can serve.
fn half_kernel(sigma_voxels: f64, n: usize) -> Vec<f32> {
    let reach = ((TRUNCATE * sigma_voxels * (1.0 + SLACK)).round() as usize).min(n - 1);
    let mut half: Vec<f64> = (0..=reach).map(|i| (-0.5 * (i as f64 / sigma_voxels).powi(2)).exp()).collect();
    half[0] = 1.0;
    let sum = 2.0 * half.iter().sum::<f64>() - 1.0;
    half.iter_mut().for_each(|w| *w /= sum);
    half.into_iter().map(|w| w as f32).collect()
}

fn convolve<T: Voxel>(
    image: &ArrayRef3<T>,
    taps: &Taps,
    value: impl Fn(T) -> f32 + Sync,
    out: &mut ArrayRef3<f32>,
    job: &Job,
) -> Result<()> {
    let (nz, ny, nx) = image.dim();
    let steps = job.steps(nz);
    out.axis_iter_mut(Axis(0)).into_par_iter().enumerate().try_for_each_init(
        || Slices::new(nx, ny),
        |slices, (z, mut out)| {
            slices.smooth(image, taps, &value, z);
            for (y, mut row) in out.outer_iter_mut().enumerate() {
                let smooth = slices.row(y);
                match row.as_slice_mut() {
                    Some(row) => row.copy_from_slice(smooth),
                    None => row.iter_mut().zip(smooth).for_each(|(out, &v)| *out = v),
                }
            }
            steps.step()
        },
    )
}

/// Scratch to smooth a volume one slice at a time, each slice straight from the image.
pub(crate) struct Slices {
    nx: usize,
    along_z: Vec<f32>,
    along_y: Vec<f32>,
    padded: Vec<f32>,
}

impl Slices {
    pub(crate) fn new(nx: usize, ny: usize) -> Self {
        Self { nx, along_z: vec![0.0; nx * ny], along_y: vec![0.0; nx * ny], padded: Vec::new() }
    }

    /// A row of the slice smoothed last.
    pub(crate) fn row(&self, y: usize) -> &[f32] {
        &self.along_y[y * self.nx..(y + 1) * self.nx]
    }

    /// The same, to be worked on.
    pub(crate) fn row_mut(&mut self, y: usize) -> &mut [f32] {
        &mut self.along_y[y * self.nx..(y + 1) * self.nx]
    }

    /// Smooths slice `z` of the image, whose voxels `value` reads.
    pub(crate) fn smooth<T: Voxel>(&mut self, image: &ArrayRef3<T>, taps: &Taps, value: &impl Fn(T) -> f32, z: usize) {
        let (nz, ny, nx) = image.dim();
        let add = |to: &mut [f32], z: usize, weight: f32| {
            for (to, row) in to.chunks_mut(nx).zip(image.index_axis(Axis(0), z).outer_iter()) {
                match row.as_slice() {
                    Some(row) => to.iter_mut().zip(row).for_each(|(to, &v)| *to += weight * value(v)),
                    None => to.iter_mut().zip(row).for_each(|(to, &v)| *to += weight * value(v)),
                }
            }
        };
        self.along_z.fill(0.0);
        add(&mut self.along_z, z, taps.z[0]);
        for (i, &weight) in taps.z.iter().enumerate().skip(1) {
            add(&mut self.along_z, mirrored(z as isize - i as isize, nz), weight);
            add(&mut self.along_z, mirrored((z + i) as isize, nz), weight);
        }
        for (y, out) in self.along_y.chunks_mut(nx).enumerate() {
            let row = |y: usize| &self.along_z[y * nx..(y + 1) * nx];
            out.iter_mut().zip(row(y)).for_each(|(out, &v)| *out = taps.y[0] * v);
            for (i, &weight) in taps.y.iter().enumerate().skip(1) {
                let (above, below) = (row(mirrored(y as isize - i as isize, ny)), row(mirrored((y + i) as isize, ny)));
                for ((out, a), b) in out.iter_mut().zip(above).zip(below) {
                    *out += weight * (a + b);
                }
            }
            along_row(out, &taps.x, &mut self.padded);
        }
    }
}

fn along_row(row: &mut [f32], taps: &[f32], padded: &mut Vec<f32>) {
    let (n, reach) = (row.len(), taps.len() - 1);
    if reach == 0 {
        return;
    }
    padded.clear();
    padded.extend((0..n + 2 * reach).map(|i| row[mirrored(i as isize - reach as isize, n)]));
    row.iter_mut().zip(&padded[reach..]).for_each(|(out, v)| *out = taps[0] * v);
    for (i, &weight) in taps.iter().enumerate().skip(1) {
        for ((out, a), b) in row.iter_mut().zip(&padded[reach - i..]).zip(&padded[reach + i..]) {
            *out += weight * (a + b);
        }
    }
}

/// The voxel that position `i`, up to `n` beyond a face, shows when the volume is mirrored there: d c b a | a b c d | d c b a.
fn mirrored(i: isize, n: usize) -> usize {
    let n = n as isize;
    let within = if i < 0 {
        -1 - i
    } else if i >= n {
        2 * n - 1 - i
    } else {
        i
    };
    within as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array3;

    fn smoothed(image: &Array3<f32>, sigma_mm: [f64; 3]) -> Array3<f32> {
        let (nz, ny, nx) = image.dim();
        let grid = Grid::axis_aligned([nx, ny, nz], [0.5, 1.0, 2.0]).unwrap();
        let mut out = Array3::zeros(image.dim());
        smooth(image, &grid, sigma_mm, &mut out, &Job::new()).unwrap();
        out
    }

    #[test]
    fn a_point_spreads_as_the_gaussian_in_mm() {
        let mut image = Array3::zeros((21, 41, 61));
        image[[10, 20, 30]] = 1000.0;
        let out = smoothed(&image, [1.0, 2.0, 3.0]);
        for (at, offset_in_sigmas) in [([10, 20, 32], 1.0), ([10, 24, 30], 2.0), ([13, 20, 30], 2.0)] {
            let want = out[[10, 20, 30]] * (-0.5_f32 * offset_in_sigmas * offset_in_sigmas).exp();
            assert!((out[at] - want).abs() < 1e-4 * want, "{at:?}: {} instead of {want}", out[at]);
        }
        assert!((out.sum() - 1000.0).abs() < 0.01, "mass is kept: {}", out.sum());
    }

    #[test]
    fn a_constant_image_stays_constant_up_to_its_faces_and_around_holes() {
        let mut image = Array3::from_elem((3, 4, 5), 7.0);
        image[[1, 1, 1]] = f32::NAN;
        image[[0, 3, 4]] = f32::NEG_INFINITY;
        let out = smoothed(&image, [1.0, 1.5, 9.0]);
        assert!(out.iter().all(|v| (v - 7.0).abs() < 1e-4), "{out}");
    }

    #[test]
    fn no_width_changes_nothing_and_a_bad_one_is_refused() {
        let image = Array3::from_shape_fn((2, 3, 4), |(z, y, x)| (x + 10 * y + 100 * z) as f32);
        assert_eq!(smoothed(&image, [0.0; 3]), image);
        let grid = Grid::axis_aligned([4, 3, 2], [1.0; 3]).unwrap();
        let mut out = Array3::zeros(image.dim());
        for bad in [-1.0, f64::NAN] {
            let result = smooth(&image, &grid, [1.0, bad, 1.0], &mut out, &Job::new());
            assert!(matches!(result, Err(Error::Parameter { .. })));
        }
    }
}
