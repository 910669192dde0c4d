//! Slices along the patient's planes, with the outlines of masks.

use super::canvas::{self, Colour};
use super::greys::Window;
use image::{Rgb, RgbImage};
use ndarray::ArrayRef3;
use rayon::prelude::*;
use skull_kernels::{Grid, Voxel};

/// A mask to show on the slices.
#[derive(Debug, Clone, Copy)]
pub struct Layer<'a> {
    /// What the legend calls it.
    pub name: &'a str,
    /// On the image's grid, nonzero = set.
    pub mask: &'a ArrayRef3<u8>,
    /// Colour of its outline or tint.
    pub colour: Colour,
    /// How it is drawn.
    pub style: LayerStyle,
}

/// How a mask is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerStyle {
    /// A line along its border.
    Outline,
    /// Tinted, for parts thinner than a line.
    Tint,
}

/// A plane of the patient, shown in radiological convention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plane {
    Axial,
    Coronal,
    Sagittal,
}

impl Plane {
    pub(crate) const ALL: [Self; 3] = [Self::Axial, Self::Coronal, Self::Sagittal];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Axial => "Axial",
            Self::Coronal => "Coronal",
            Self::Sagittal => "Sagittal",
        }
    }

    /// RAS axis across the plane, and those that run to the picture's left and to its top.
    pub(crate) fn axes(self) -> [usize; 3] {
        match self {
            Self::Axial => [2, 0, 1],
            Self::Coronal => [1, 0, 2],
            Self::Sagittal => [0, 1, 2],
        }
    }
}

/// A rectangle in a plane, sampled by square pixels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cut {
    pub(crate) plane: Plane,
    /// Its middle, RAS.
    pub(crate) centre_mm: [f64; 3],
    pub(crate) pixel_mm: f64,
    /// Width and height, px.
    pub(crate) size: [u32; 2],
}

/// Width of an outline, px.
const LINE: f32 = 1.7;
/// Opacity of a tint.
const TINT: f32 = 0.6;

/// Draws a slice. Pixels outside the volume take `backdrop`'s colour.
pub(crate) fn draw<T: Voxel>(
    cut: &Cut,
    grid: &Grid,
    image: &ArrayRef3<T>,
    window: Window,
    layers: &[Layer<'_>],
    backdrop: Colour,
) -> RgbImage {
    let [width, height] = cut.size;
    let path = Path::new(cut, grid);
    let mut picture = RgbImage::from_pixel(width, height, Rgb(backdrop));
    let greys = path.sample(cut.size, 0, |index| interpolate(image, index, |v| window.grey(v.to_f64())));
    for ((x, y, pixel), grey) in picture.enumerate_pixels_mut().zip(greys) {
        if path.is_inside(f64::from(x), f64::from(y)) {
            *pixel = Rgb(canvas::mix([0; 3], [255; 3], grey));
        }
    }
    for layer in layers {
        let cover = cover_of(layer, &path, cut.size);
        for ((x, y, Rgb(pixel)), cover) in picture.enumerate_pixels_mut().zip(cover) {
            if cover > 0.0 && path.is_inside(f64::from(x), f64::from(y)) {
                *pixel = canvas::mix(*pixel, layer.colour, cover);
            }
        }
    }
    picture
}

/// How far each pixel is covered by the layer's line or tint.
///
/// The mask, interpolated, crosses one half at its border; a pixel's distance from there is that excess over the
/// slope, as for glyphs drawn from distance fields.
fn cover_of(layer: &Layer<'_>, path: &Path, [width, height]: [u32; 2]) -> Vec<f32> {
    let (width, height) = (width as usize, height as usize);
    let row = width + 2;
    let field = path.sample([width as u32 + 2, height as u32 + 2], 1, |index| {
        interpolate(layer.mask, index, |m| f32::from(u8::from(m != 0)))
    });
    let cover = |x: usize, y: usize| {
        let at = |dx: usize, dy: usize| field[(y + dy) * row + x + dx];
        let slope = (0.5 * (at(2, 1) - at(0, 1))).hypot(0.5 * (at(1, 2) - at(1, 0)));
        let excess = at(1, 1) - 0.5;
        let inside_px = if slope > 1e-6 { excess / slope } else { excess.signum() * f32::INFINITY };
        match layer.style {
            LayerStyle::Outline => (LINE / 2.0 + 0.5 - inside_px.abs()).clamp(0.0, 1.0),
            LayerStyle::Tint => TINT * (0.5 + inside_px).clamp(0.0, 1.0),
        }
    };
    (0..width * height).into_par_iter().map(|i| cover(i % width, i / width)).collect()
}

/// Where a cut's pixels lie among the voxels.
struct Path {
    /// Index of the centre of the pixel in the upper left corner.
    corner: [f64; 3],
    /// Steps from pixel to pixel, to the right and down.
    right: [f64; 3],
    down: [f64; 3],
    /// Samples per pixel along each side, so that voxels smaller than a pixel all count.
    samples: u32,
    size: [usize; 3],
}

impl Path {
    fn new(cut: &Cut, grid: &Grid) -> Self {
        let [_, left, top] = cut.plane.axes();
        // Radiological convention: right (or anterior) on the picture's left.
        let index_at = |x: f64, y: f64| {
            let mut ras = cut.centre_mm;
            ras[left] -= (x + 0.5 - f64::from(cut.size[0]) / 2.0) * cut.pixel_mm;
            ras[top] -= (y + 0.5 - f64::from(cut.size[1]) / 2.0) * cut.pixel_mm;
            grid.index(ras)
        };
        let corner = index_at(0.0, 0.0);
        let minus = |a: [f64; 3]| [0, 1, 2].map(|i| a[i] - corner[i]);
        let (right, down) = (minus(index_at(1.0, 0.0)), minus(index_at(0.0, 1.0)));
        let stride = right.iter().chain(&down).fold(0.0, |most: f64, step| most.max(step.abs()));
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "1 to 4")]
        let samples = stride.ceil().clamp(1.0, 4.0) as u32;
        Self { corner, right, down, samples, size: grid.size() }
    }

    fn index(&self, x: f64, y: f64) -> [f64; 3] {
        [0, 1, 2].map(|i| self.corner[i] + x * self.right[i] + y * self.down[i])
    }

    fn is_inside(&self, x: f64, y: f64) -> bool {
        self.index(x, y).iter().zip(self.size).all(|(&i, n)| i >= -0.5 && i <= n as f64 - 0.5)
    }

    /// Mean of `field` over each pixel, row by row, of an image that starts `margin` pixels up and left of the cut.
    fn sample(&self, [width, height]: [u32; 2], margin: u32, field: impl Fn([f64; 3]) -> f32 + Sync) -> Vec<f32> {
        let n = self.samples;
        let offset = |s: u32| (f64::from(s) + 0.5) / f64::from(n) - 0.5 - f64::from(margin);
        (0..width as usize * height as usize)
            .into_par_iter()
            .map(|i| {
                let (x, y) = ((i % width as usize) as f64, (i / width as usize) as f64);
                let places = (0..n * n).map(|s| self.index(x + offset(s % n), y + offset(s / n)));
                places.map(&field).sum::<f32>() / (n * n) as f32
            })
            .collect()
    }
}

/// Trilinear interpolation of `value`; beyond the volume its face goes on.
fn interpolate<T: Copy>(array: &ArrayRef3<T>, index: [f64; 3], value: impl Fn(T) -> f32) -> f32 {
    let (nz, ny, nx) = array.dim();
    let axis = |at: f64, n: usize| {
        let at = at.clamp(0.0, (n - 1) as f64);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the axis")]
        let low = (at as usize).min(n.saturating_sub(2));
        (low, (low + 1).min(n - 1), (at - low as f64) as f32)
    };
    let (x, y, z) = (axis(index[0], nx), axis(index[1], ny), axis(index[2], nz));
    let mix = |a: f32, b: f32, t: f32| a + t * (b - a);
    let row = |z: usize, y: usize| mix(value(array[[z, y, x.0]]), value(array[[z, y, x.1]]), x.2);
    let slice = |z: usize| mix(row(z, y.0), row(z, y.1), y.2);
    mix(slice(z.0), slice(z.1), z.2)
}
