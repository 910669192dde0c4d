//! The structure tensor: which way gradients point around a place, and so across which plane a wall or surface lies.
//!
//! Bigün, Granlund: Optimal orientation detection of linear symmetry. Proc. 1st Int. Conf. Comput. Vis. (1987).

use super::linalg::{Vec3, eigenvalues, eigenvector};
use crate::{Grid, Voxel};
use multiversion::multiversion;
use ndarray::ArrayRef3;
use std::ops::Range;

/// Gradients count within this standard deviation, or so many blocks.
const SIGMA_MM: f64 = 0.8;
const SIGMA_BLOCKS: f64 = 0.6;
/// Voxels of a block share one tensor: as many as fit in this edge.
const BLOCK_MM: f64 = 0.7;
/// Where the gradients' second direction holds more than this share of the first, there is no plane.
const LEAST_PLANE: f64 = 0.6;

/// Voxels along each edge of a block.
pub(super) fn block(spacing_mm: Vec3) -> [usize; 3] {
    spacing_mm.map(|s| ((BLOCK_MM / s) as usize).max(1))
}

/// All voxels that the tensors of a box of whole blocks ask for.
pub(super) fn around(range: &[Range<usize>; 3], grid: &Grid) -> [Range<usize>; 3] {
    let (block, kernels) = (block(grid.spacing_mm()), half_kernels(grid.spacing_mm()));
    [0, 1, 2].map(|a| {
        let reach = (kernels[a].len() - 1) * block[a];
        range[a].start.saturating_sub(reach)..(range[a].end.next_multiple_of(block[a]) + reach).min(grid.size()[a])
    })
}

/// The values in a box, and one voxel around it on each side, at the volume's faces as within.
pub(super) struct Seen {
    /// The first voxel of the box, and its size.
    first: [usize; 3],
    size: [usize; 3],
    hu: Vec<f32>,
}

impl Seen {
    pub(super) fn new<T: Voxel>(ct: &ArrayRef3<T>, range: &[Range<usize>; 3]) -> Self {
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
        Self { first: [0, 1, 2].map(|a| range[a].start), size, hu }
    }

    /// The row beside that of `length` voxels from a `first` one, and one voxel more at both of its ends: for 0 the row
    /// before, for 1 the same, for 2 the one behind, along y and z.
    pub(super) fn beside(&self, first: [usize; 3], [y, z]: [usize; 2], length: usize) -> &[f32] {
        let place = [0, 1, 2].map(|a| first[a] - self.first[a]);
        &self.row(place[1] + y, place[2] + z)[place[0]..][..length + 2]
    }

    /// A row, counted from the one before the box.
    fn row(&self, y: usize, z: usize) -> &[f32] {
        let length = self.size[0] + 2;
        &self.hu[(z * (self.size[1] + 2) + y) * length..][..length]
    }
}

/// The structure tensors of a box, block by block: smoothed products of the gradient's components.
pub(super) struct Tensor {
    /// The first voxel of the box.
    first: [usize; 3],
    /// Voxels along each edge of a block, and blocks along each edge of the box.
    block: [usize; 3],
    size: [usize; 3],
    products: [Vec<f32>; 6],
}

impl Tensor {
    /// From values in a box that starts with a whole block.
    pub(super) fn new(seen: &Seen, spacing_mm: Vec3) -> Self {
        let (block, kernels) = (block(spacing_mm), half_kernels(spacing_mm));
        let size = [0, 1, 2].map(|a| seen.size[a].div_ceil(block[a]));
        let [nx, ny, nz] = size;
        let mut products = [(); 6].map(|()| vec![0.0; nx * ny * nz]);
        let mut gradients = Gradients::new(seen, spacing_mm);
        let mut smooth = vec![0.0; nx * ny];
        let within = |k: usize, a: usize| k * block[a]..((k + 1) * block[a]).min(seen.size[a]);
        for z in 0..nz {
            for y in 0..ny {
                gradients.clear();
                within(z, 2).for_each(|z| within(y, 1).for_each(|y| add(&mut gradients, y, z)));
                for (product, sums) in products.iter_mut().zip(&gradients.products) {
                    gather(sums, block[0], &mut product[(z * ny + y) * nx..][..nx]);
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
        Self { first: seen.first, block, size, products }
    }

    /// The direction across the surface or sheet around a voxel; `None` where there is no plane.
    pub(super) fn plane(&self, at: [usize; 3]) -> Option<Vec3> {
        let [x, y, z] = [0, 1, 2].map(|a| (at[a] - self.first[a]) / self.block[a]);
        let k = (z * self.size[1] + y) * self.size[0] + x;
        let matrix = [0, 1, 2, 3, 4, 5].map(|c| f64::from(self.products[c][k]));
        let [first, second, _] = eigenvalues(matrix);
        if first > 0.0 && second <= LEAST_PLANE * first { eigenvector(matrix, first) } else { None }
    }
}

/// A cubic spline with three values as its coefficients, in the middle. A difference over two steps along one axis is
/// the slope of that spline: smoothed by it along the other axes, too, gradients have no other direction where steps
/// are long, such as from slice to slice.
///
/// Unser: Splines: a perfect fit for signal and image processing. IEEE Signal Process. Mag. 16 (1999),
/// doi 10.1109/79.799930.
#[inline(always)]
fn smooth([low, here, high]: [f32; 3]) -> f32 {
    (low + high) / 6.0 + here * (2.0 / 3.0)
}

/// Products of the gradient's components, summed over some rows.
struct Gradients<'a> {
    seen: &'a Seen,
    per_mm: [f32; 3],
    /// Of one row, and a voxel at both of its ends: smoothed along y and z, and differences along one of them.
    even: Vec<f32>,
    along_y: Vec<f32>,
    along_z: Vec<f32>,
    /// Of one row.
    gradient: [Vec<f32>; 3],
    products: [Vec<f32>; 6],
}

impl<'a> Gradients<'a> {
    fn new(seen: &'a Seen, spacing_mm: Vec3) -> Self {
        let row = || vec![0.0; seen.size[0]];
        let longer = || vec![0.0; seen.size[0] + 2];
        Self {
            seen,
            per_mm: spacing_mm.map(|s| 0.5 / s as f32),
            even: longer(),
            along_y: longer(),
            along_z: longer(),
            gradient: [(); 3].map(|()| row()),
            products: [(); 6].map(|()| row()),
        }
    }

    fn clear(&mut self) {
        self.products.iter_mut().for_each(|p| p.fill(0.0));
    }
}

/// Adds a row of the box.
#[multiversion(targets("x86_64+avx2"))]
fn add(gradients: &mut Gradients<'_>, y: usize, z: usize) {
    let Gradients { seen, per_mm, ref mut even, ref mut along_y, ref mut along_z, ref mut gradient, .. } = *gradients;
    let length = even.len();
    let (along_y, along_z) = (&mut along_y[..length], &mut along_z[..length]);
    // three along z of three along y
    let rows: [[&[f32]; 3]; 3] = [0, 1, 2].map(|k| [0, 1, 2].map(|j| &seen.row(y + j, z + k)[..length]));
    for i in 0..length {
        let smooth_y = rows.map(|[low, here, high]| smooth([low[i], here[i], high[i]]));
        let slope_y = rows.map(|[low, _, high]| high[i] - low[i]);
        even[i] = smooth(smooth_y);
        along_y[i] = smooth(slope_y);
        along_z[i] = smooth_y[2] - smooth_y[0];
    }
    let [gx, gy, gz] = gradient;
    for (g, v) in gx.iter_mut().zip(even.windows(3)) {
        *g = (v[2] - v[0]) * per_mm[0];
    }
    for (gradient, along, per_mm) in [(gy, along_y, per_mm[1]), (gz, along_z, per_mm[2])] {
        for (g, v) in gradient.iter_mut().zip(along.windows(3)) {
            *g = smooth([v[0], v[1], v[2]]) * per_mm;
        }
    }
    for (product, (i, j)) in gradients.products.iter_mut().zip([(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)]) {
        let pairs = gradients.gradient[i].iter().zip(&gradients.gradient[j]);
        product.iter_mut().zip(pairs).for_each(|(p, (a, b))| *p += a * b);
    }
}

/// Sums of as many values that follow each other.
fn gather(values: &[f32], together: usize, sums: &mut [f32]) {
    if together == 1 {
        sums.copy_from_slice(values);
    } else {
        sums.iter_mut().zip(values.chunks(together)).for_each(|(sum, values)| *sum = values.iter().sum());
    }
}

/// One half of a Gaussian's weights along each axis, centre first, in steps of a block.
fn half_kernels(spacing_mm: Vec3) -> [Vec<f32>; 3] {
    let block = block(spacing_mm);
    [0, 1, 2].map(|a| {
        let step_mm = block[a] as f64 * spacing_mm[a];
        let sigma = SIGMA_MM.max(SIGMA_BLOCKS * step_mm) / step_mm;
        let reach = (2.0 * sigma).floor() as usize;
        (0..=reach).map(|k| (-0.5 * (k as f64 / sigma).powi(2)).exp() as f32).collect()
    })
}

/// Weighted sums along one axis; nothing is added from beyond the faces.
#[multiversion(targets("x86_64+avx2"))]
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

#[cfg(test)]
mod tests {
    use super::super::linalg::{dot, unit};
    use super::super::psf::Psf;
    use super::*;
    use ndarray::Array3;

    #[test]
    fn a_wall_has_its_direction_however_far_slices_are_apart() {
        let size = [25, 25, 25];
        for (spacing, fwhm_mm) in [([0.5, 0.5, 0.5], 0.8), ([0.5, 0.5, 1.0], 1.05), ([0.6, 0.6, 1.25], 1.3)] {
            let psf = Psf::gaussian(0.8, fwhm_mm);
            for n in [[0.0, 0.0, 1.0], [0.3, 0.1, 0.9], [0.4, 0.5, 0.7], [0.7, -0.3, 0.5], [0.9, 0.2, -0.3]] {
                let n = unit(n).unwrap();
                let spread = psf.along(n[2] * n[2]);
                let ct = Array3::from_shape_fn(size, |(z, y, x)| {
                    let s: f64 = (0..3).map(|a| ([x, y, z][a] as f64 - 12.0) * spacing[a] * n[a]).sum();
                    (1000.0 * (spread.edge(s + 0.2) - spread.edge(s - 0.2))) as f32
                });
                let seen = Seen::new(&ct, &size.map(|n| 0..n));
                let found = Tensor::new(&seen, spacing).plane([12, 12, 12]).unwrap();
                let off = dot(found, n).abs().min(1.0).acos().to_degrees();
                assert!(off < 8.0, "{off} degrees off {n:?} at {spacing:?}");
            }
        }
    }
}
