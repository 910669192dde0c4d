//! Even out the slowly varying brightness of an MR image.

use crate::histogram::histogram;
use crate::{Error, Grid, Job, Result, Voxel, gaussian};
use ndarray::{Array3, ArrayRef3, Axis};
use rayon::prelude::*;

/// Sets `out` to `image` divided by its brightness around each voxel, relative to that of the whole.
///
/// Brightness is the mean intensity of tissue within a Gaussian of `sigma_mm`: the normalised convolution of
/// H. Knutsson and C.-F. Westin, *Proc. CVPR* 1993, 515,
/// [doi:10.1109/CVPR.1993.341081](https://doi.org/10.1109/CVPR.1993.341081). Tissue is what is in the mask and
/// brighter than half the median there: air and bone say nothing of the coil. The division is by 0.3 to 3,
/// so that a place far from tissue stays what it is.
///
/// Brightness is computed on blocks a quarter of `sigma_mm` wide, so time is that of a few passes over the image
/// and memory beyond `out` a few percent of it.
///
/// # Errors
/// [`Error::SizeMismatch`], [`Error::Sheared`], [`Error::Parameter`] where `sigma_mm` is not positive and finite
/// or where the median is not positive (CT), [`Error::Empty`], [`Error::NotFinite`], [`Error::Constant`],
/// [`Error::Cancelled`].
pub fn correct_bias<T: Voxel>(
    image: &ArrayRef3<T>,
    mask: Option<&ArrayRef3<u8>>,
    grid: &Grid,
    sigma_mm: f64,
    out: &mut ArrayRef3<f32>,
    job: &Job,
) -> Result<()> {
    grid.check_shape("image", image.dim())?;
    grid.check_shape("output", out.dim())?;
    if !(sigma_mm > 0.0 && sigma_mm.is_finite()) {
        return Err(Error::Parameter { name: "bias_sigma_mm", value: sigma_mm, allowed: "positive and finite" });
    }
    let median = histogram(image, mask, MEDIAN_BINS, &job.part(0.0, 0.3))?.median();
    if median <= 0.0 {
        let allowed = "0 (off) for images with intensities below zero, such as CT";
        return Err(Error::Parameter { name: "bias_sigma_mm", value: sigma_mm, allowed });
    }
    let tissue = |value: T, set: bool| set && value.is_finite() && value.to_f64() > 0.5 * median;
    let blocks = Blocks::new(grid, sigma_mm)?;
    let brightness = blocks.brightness(image, mask, tissue, sigma_mm, &job.part(0.3, 0.7))?;
    divide(image, &blocks, &brightness, out, &job.part(0.7, 1.0))
}

/// Fine enough for the median of an image whose brightest voxel is a hundred times brighter.
const MEDIAN_BINS: usize = 4096;

/// Brightness beyond these, relative to the whole, is not a coil's doing.
const RANGE: (f32, f32) = (0.3, 3.0);

/// A grid of blocks of voxels.
struct Blocks {
    /// Voxels along x, y and z in a block; the last ones may be cut off.
    voxels: [usize; 3],
    grid: Grid,
}

impl Blocks {
    fn new(grid: &Grid, sigma_mm: f64) -> Result<Self> {
        let (size, spacing) = (grid.size(), grid.spacing_mm());
        let voxels = [0, 1, 2].map(|a| ((sigma_mm / 4.0 / spacing[a]) as usize).clamp(1, size[a]));
        let count = [0, 1, 2].map(|a| size[a].div_ceil(voxels[a]));
        let edge_mm = [0, 1, 2].map(|a| spacing[a] * voxels[a] as f64);
        Ok(Self { voxels, grid: Grid::new(count, edge_mm, grid.axes(), grid.origin_mm())? })
    }

    /// The image's brightness at each block's centre, relative to that of the whole.
    fn brightness<T: Voxel>(
        &self,
        image: &ArrayRef3<T>,
        mask: Option<&ArrayRef3<u8>>,
        tissue: impl Fn(T, bool) -> bool + Sync,
        sigma_mm: f64,
        job: &Job,
    ) -> Result<Array3<f32>> {
        let (mut sum, mut count) = (Array3::<f32>::zeros(self.grid.shape()), Array3::<f32>::zeros(self.grid.shape()));
        let [kx, ky, kz] = self.voxels;
        let slabs = sum.axis_iter_mut(Axis(0)).into_par_iter().zip(count.axis_iter_mut(Axis(0))).enumerate();
        let steps = job.steps(self.grid.size()[2] + 2);
        slabs.try_for_each(|(slab, (mut sum, mut count))| {
            for z in slab * kz..(slab * kz + kz).min(image.len_of(Axis(0))) {
                for (y, row) in image.index_axis(Axis(0), z).outer_iter().enumerate() {
                    let mask = mask.map(|mask| mask.slice(ndarray::s![z, y, ..]));
                    for (x, &value) in row.iter().enumerate() {
                        if tissue(value, mask.is_none_or(|mask| mask[x] != 0)) {
                            sum[[y / ky, x / kx]] += value.to_f32();
                            count[[y / ky, x / kx]] += 1.0;
                        }
                    }
                }
            }
            steps.step()
        })?;
        let total = |array: &Array3<f32>| array.iter().map(|&v| f64::from(v)).sum::<f64>();
        let whole = (total(&sum) / total(&count)) as f32;
        let smooth = |array: &Array3<f32>| {
            let mut out = Array3::zeros(array.dim());
            gaussian::smooth(array, &self.grid, [sigma_mm; 3], &mut out, &Job::new())?;
            steps.step()?;
            Ok(out)
        };
        let (mut brightness, weight) = (smooth(&sum)?, smooth(&count)?);
        brightness.zip_mut_with(&weight, |brightness, weight| {
            let relative = *brightness / weight / whole;
            *brightness = if relative.is_finite() { relative.clamp(RANGE.0, RANGE.1) } else { 1.0 };
        });
        Ok(brightness)
    }

    /// For each voxel along an axis: the blocks between whose centres it lies, and how far it is to the second.
    fn between(&self, axis: usize, voxels: usize) -> Vec<(usize, usize, f32)> {
        let (block, last) = (self.voxels[axis] as f64, self.grid.size()[axis] - 1);
        let place = |voxel: usize| ((voxel as f64 + 0.5) / block - 0.5).clamp(0.0, last as f64);
        let between = |place: f64| (place as usize, (place as usize + 1).min(last), place.fract() as f32);
        (0..voxels).map(|voxel| between(place(voxel))).collect()
    }
}

fn divide<T: Voxel>(
    image: &ArrayRef3<T>,
    blocks: &Blocks,
    brightness: &Array3<f32>,
    out: &mut ArrayRef3<f32>,
    job: &Job,
) -> Result<()> {
    let (nz, ny, nx) = image.dim();
    let [xs, ys, zs] = [(0, nx), (1, ny), (2, nz)].map(|(axis, voxels)| blocks.between(axis, voxels));
    let steps = job.steps(nz);
    out.axis_iter_mut(Axis(0)).into_par_iter().enumerate().try_for_each(|(z, mut slice)| {
        let (z0, z1, fz) = zs[z];
        let mut line = vec![0.0_f32; brightness.len_of(Axis(2))];
        for ((y, mut out), image) in slice.outer_iter_mut().enumerate().zip(image.index_axis(Axis(0), z).outer_iter()) {
            let (y0, y1, fy) = ys[y];
            for (x, line) in line.iter_mut().enumerate() {
                let along_y = |z: usize| brightness[[z, y0, x]] * (1.0 - fy) + brightness[[z, y1, x]] * fy;
                *line = along_y(z0) * (1.0 - fz) + along_y(z1) * fz;
            }
            for ((out, value), &(x0, x1, fx)) in out.iter_mut().zip(image).zip(&xs) {
                *out = value.to_f32() / (line[x0] * (1.0 - fx) + line[x1] * fx);
            }
        }
        steps.step()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block of tissue, brighter to the right by the factor that `gain` gives, with a dark hole in it.
    fn shaded(gain: impl Fn(f64) -> f64) -> (Array3<f32>, Array3<u8>, Grid) {
        let grid = Grid::axis_aligned([60, 40, 20], [1.5, 2.0, 4.0]).unwrap();
        let image = Array3::from_shape_fn(grid.shape(), |(z, y, x)| {
            let hole = (25..35).contains(&x) && (15..25).contains(&y) && (5..15).contains(&z);
            (gain(x as f64 / 59.0) * if hole { 5.0 } else { 100.0 + ((x + y + z) % 3) as f64 }) as f32
        });
        let mask = Array3::from_shape_fn(grid.shape(), |(z, _, _)| u8::from(z > 1));
        (image, mask, grid)
    }

    fn corrected(image: &Array3<f32>, mask: &Array3<u8>, grid: &Grid, sigma_mm: f64) -> Result<Array3<f32>> {
        let mut out = Array3::zeros(image.dim());
        correct_bias(image, Some(mask), grid, sigma_mm, &mut out, &Job::new())?;
        Ok(out)
    }

    #[test]
    fn shading_goes_and_the_hole_stays() {
        let (image, mask, grid) = shaded(|x| 0.6 + 0.8 * x);
        let out = corrected(&image, &mask, &grid, 15.0).unwrap();
        let spread = |image: &Array3<f32>| image[[10, 5, 55]] / image[[10, 5, 5]];
        assert!(spread(&image) > 1.9, "{}", spread(&image));
        assert!((0.85..1.2).contains(&spread(&out)), "{}", spread(&out));
        assert!((4.0..7.0).contains(&out[[10, 20, 30]]), "{}", out[[10, 20, 30]]);
        let mean = out.iter().filter(|v| **v > 50.0).sum::<f32>() / out.iter().filter(|v| **v > 50.0).count() as f32;
        assert!((90.0..110.0).contains(&mean), "{mean}");
    }

    #[test]
    fn even_brightness_is_left_alone() {
        let (image, mask, grid) = shaded(|_| 1.0);
        let out = corrected(&image, &mask, &grid, 15.0).unwrap();
        for (got, was) in out.iter().zip(&image) {
            assert!((got - was).abs() < 0.02 * was, "{got}, was {was}");
        }
    }

    #[test]
    fn a_voxel_lies_between_the_centres_of_two_blocks() {
        // Blocks of 4 voxels have their centres between the second and the third; the last block is cut to 2.
        let blocks = Blocks::new(&Grid::axis_aligned([10, 1, 1], [1.0; 3]).unwrap(), 16.0).unwrap();
        let places = blocks.between(0, 10).into_iter().map(|(first, _, past)| first as f32 + past);
        assert_eq!(places.collect::<Vec<_>>(), [0.0, 0.0, 0.125, 0.375, 0.625, 0.875, 1.125, 1.375, 1.625, 1.875]);
        assert!(blocks.between(0, 10).iter().all(|&(first, second, _)| second == (first + 1).min(2)));
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bits() {
        let (image, mask, grid) = shaded(|x| 1.0 + x);
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| corrected(&image, &mask, &grid, 7.0)).unwrap()
        };
        assert_eq!(with(1), with(5));
    }

    #[test]
    fn ct_and_bad_widths_are_refused() {
        let (image, mask, grid) = shaded(|_| 1.0);
        for sigma_mm in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(matches!(corrected(&image, &mask, &grid, sigma_mm), Err(Error::Parameter { .. })));
        }
        let error = corrected(&(image - 1000.0), &mask, &grid, 15.0).unwrap_err();
        assert!(error.to_string().contains("CT"), "{error}");
    }
}
