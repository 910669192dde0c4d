//! Shaded pictures of triangle meshes: an orthographic rasteriser.
//!
//! Each pixel first learns which triangle it sees (the smallest depth, ties by number, so that the picture does
//! not depend on the order in which threads arrive), then every pixel is shaded once.

use super::canvas::Colour;
use image::RgbImage;
use rayon::prelude::*;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A surface to show.
#[derive(Debug, Clone)]
pub struct Solid<'a> {
    points: &'a [[f32; 3]],
    triangles: &'a [[u32; 3]],
    normals: Vec<[f32; 3]>,
    colours: Colours,
}

#[derive(Debug, Clone)]
enum Colours {
    Uniform(Colour),
    PerPoint(Vec<Colour>),
}

impl<'a> Solid<'a> {
    /// A surface of one colour; points in RAS mm, triangles counter-clockwise seen from outside.
    #[must_use]
    pub fn new(points: &'a [[f32; 3]], triangles: &'a [[u32; 3]], colour: Colour) -> Self {
        Self { points, triangles, normals: normals(points, triangles), colours: Colours::Uniform(colour) }
    }

    /// A surface coloured point by point, for parts that were added to it.
    #[must_use]
    pub fn painted(
        points: &'a [[f32; 3]],
        triangles: &'a [[u32; 3]],
        colour: impl Fn([f32; 3]) -> Colour + Sync,
    ) -> Self {
        let colours = Colours::PerPoint(points.par_iter().map(|&p| colour(p)).collect());
        Self { points, triangles, normals: normals(points, triangles), colours }
    }

    fn colour(&self, point: u32) -> Colour {
        match &self.colours {
            Colours::Uniform(colour) => *colour,
            Colours::PerPoint(colours) => colours[point as usize],
        }
    }
}

/// From where a scene is seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Camera {
    /// Direction from the scene to the eye, RAS.
    pub from: [f64; 3],
    /// Direction that is up in the picture, RAS.
    pub up: [f64; 3],
    /// Shows only this ball (centre in RAS mm, radius in mm); by default all of the scene.
    pub focus: Option<([f64; 3], f64)>,
    /// Cuts away what lies beyond this plane; the cut is shown in its own colour.
    pub clip: Option<Clip>,
}

/// Half of space that is cut away: all points `p` with `normal · p > offset_mm`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Clip {
    /// Unit normal, RAS.
    pub normal: [f64; 3],
    /// Distance of the plane from the origin along the normal.
    pub offset_mm: f64,
}

impl Camera {
    /// The face.
    pub const FRONT: Self = Self { from: [0.0, 1.0, 0.0], up: [0.0, 0.0, 1.0], focus: None, clip: None };
    /// The patient's left side, a little from in front and above.
    pub const THREE_QUARTER: Self = Self { from: [-0.70, 0.66, 0.28], ..Self::FRONT };
    /// The patient's left side.
    pub const LEFT: Self = Self { from: [-1.0, 0.0, 0.0], ..Self::FRONT };
    /// The top of the head, the face at the picture's top.
    pub const ABOVE: Self = Self { from: [0.0, 0.0, 1.0], up: [0.0, 1.0, 0.0], focus: None, clip: None };

    /// RAS directions of the picture's right, its top, and towards the eye.
    pub(crate) fn axes(&self) -> [[f64; 3]; 3] {
        let eye = unit(self.from);
        let right = unit(cross(self.up, eye));
        [right, cross(eye, right), eye]
    }
}

/// A camera set before a scene: which place of the picture shows which place in space.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Projection {
    axes: [[f64; 3]; 3],
    centre: [f64; 3],
    clip: Option<Clip>,
    /// mm in the scene across the picture's width and height.
    extent_mm: [f64; 2],
}

impl Projection {
    /// Sets the camera so that the whole scene, or its focus, is in the picture.
    pub(crate) fn new(camera: &Camera, solids: &[&Solid<'_>]) -> Self {
        let axes = camera.axes();
        if let Some((centre, radius)) = camera.focus {
            return Self { axes, centre, clip: camera.clip, extent_mm: [2.0 * radius; 2] };
        }
        let mut low = [f64::INFINITY; 3];
        let mut high = [f64::NEG_INFINITY; 3];
        for point in solids.iter().flat_map(|solid| solid.points) {
            let point = point.map(f64::from);
            if camera.clip.is_none_or(|clip| dot(clip.normal, point) <= clip.offset_mm) {
                for (a, axis) in axes.iter().enumerate() {
                    low[a] = low[a].min(dot(*axis, point));
                    high[a] = high[a].max(dot(*axis, point));
                }
            }
        }
        if low[0] > high[0] {
            (low, high) = ([-1.0; 3], [1.0; 3]);
        }
        let middle = [0, 1, 2].map(|a| (low[a] + high[a]) / 2.0);
        let centre = [0, 1, 2].map(|r| (0..3).map(|a| middle[a] * axes[a][r]).sum());
        Self { axes, centre, clip: camera.clip, extent_mm: [high[0] - low[0], high[1] - low[1]] }
    }

    /// Largest scale (px/mm) at which the scene fits into a picture of this size.
    pub(crate) fn fit(&self, [width, height]: [u32; 2]) -> f64 {
        (f64::from(width) / self.extent_mm[0].max(1e-3)).min(f64::from(height) / self.extent_mm[1].max(1e-3))
    }
}

/// A shaded picture and its depths.
#[derive(Debug)]
pub(crate) struct Rendering {
    pub(crate) picture: RgbImage,
    projection: Projection,
    px_per_mm: f64,
    /// Distance behind the centre's plane, mm, at twice the picture's resolution; infinite where nothing is.
    depth: Vec<f32>,
}

impl Rendering {
    /// Where a place (RAS) appears in the picture, px; `None` out of frame or more than `hidden_mm` behind a surface.
    pub(crate) fn locate(&self, ras_mm: [f64; 3], hidden_mm: f32) -> Option<[f32; 2]> {
        let size = [self.picture.width(), self.picture.height()];
        let [x, y, depth] = place(&self.projection, self.px_per_mm, size, ras_mm);
        let column = (x >= 0.0 && x < size[0] as f32).then_some((x * FINER as f32) as usize)?;
        let row = (y >= 0.0 && y < size[1] as f32).then_some((y * FINER as f32) as usize)?;
        let surface = self.depth[row * size[0] as usize * FINER + column];
        (depth <= surface + hidden_mm).then_some([x, y])
    }
}

/// Samples per pixel along each side.
const FINER: usize = 2;
/// No triangle.
const EMPTY: u64 = u64::MAX;
/// What a clip plane cuts through.
const SECTION: Colour = [0x8C, 0x6A, 0x5A];
/// How far around its own depth each point is compared, mm: shading of folds and of hollows.
const HOLLOWS_MM: [f64; 2] = [1.5, 9.0];

/// Draws the solids, `px_per_mm` large, before a background of one colour.
pub(crate) fn render(
    projection: &Projection,
    px_per_mm: f64,
    solids: &[&Solid<'_>],
    [width, height]: [u32; 2],
    backdrop: Colour,
) -> Rendering {
    let fine = [width * FINER as u32, height * FINER as u32];
    let fine_per_mm = px_per_mm * FINER as f64;
    let scene: Vec<Projected> = solids.iter().map(|solid| project(projection, fine_per_mm, fine, solid)).collect();
    let seen = visible_triangles(&scene, solids, fine);
    let (mut surface, depth): (Vec<Shade>, Vec<f32>) =
        seen.par_iter().enumerate().map(|(i, &key)| shade(key, i, fine[0], &scene, solids, projection)).unzip();
    darken_hollows(&mut surface, &depth, fine, fine_per_mm);
    let mean_light = |x: usize, y: usize| {
        let mut sum = [0.0_f32; 3];
        for (dx, dy) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
            let i = (y * FINER + dy) * fine[0] as usize + x * FINER + dx;
            let light = if depth[i].is_finite() { surface[i].light() } else { backdrop.map(to_linear) };
            (0..3).for_each(|c| sum[c] += light[c] / (FINER * FINER) as f32);
        }
        sum.map(from_linear)
    };
    let columns = width as usize;
    let pixels = (0..columns * height as usize).into_par_iter().flat_map_iter(|i| mean_light(i % columns, i / columns));
    let picture = RgbImage::from_raw(width, height, pixels.collect()).expect("three bytes per pixel");
    Rendering { picture, projection: *projection, px_per_mm, depth }
}

/// A solid's points on the picture: x, y (px) and depth (mm); and how far (mm) each lies beyond the clip plane.
struct Projected {
    places: Vec<[f32; 3]>,
    beyond_mm: Vec<f32>,
}

fn project(projection: &Projection, px_per_mm: f64, size: [u32; 2], solid: &Solid<'_>) -> Projected {
    let places = solid.points.par_iter().map(|p| place(projection, px_per_mm, size, p.map(f64::from))).collect();
    let beyond = |clip: Clip| {
        solid.points.par_iter().map(|p| (dot(clip.normal, p.map(f64::from)) - clip.offset_mm) as f32).collect()
    };
    Projected { places, beyond_mm: projection.clip.map_or_else(Vec::new, beyond) }
}

fn place(projection: &Projection, px_per_mm: f64, size: [u32; 2], ras_mm: [f64; 3]) -> [f32; 3] {
    let from_centre = [0, 1, 2].map(|r| ras_mm[r] - projection.centre[r]);
    let [right, up, eye] = projection.axes.map(|axis| dot(axis, from_centre));
    [
        (f64::from(size[0]) / 2.0 + right * px_per_mm) as f32,
        (f64::from(size[1]) / 2.0 - up * px_per_mm) as f32,
        -eye as f32,
    ]
}

/// For each pixel the triangle nearest to the eye, as depth (high half) and number (low half).
fn visible_triangles(scene: &[Projected], solids: &[&Solid<'_>], [width, height]: [u32; 2]) -> Vec<u64> {
    let pixels: Vec<AtomicU64> = (0..width as usize * height as usize).map(|_| AtomicU64::new(EMPTY)).collect();
    let nearest = scene.iter().flat_map(|s| &s.places).fold(0.0_f32, |near, p| near.min(p[2]));
    let mut first = 0_u64;
    for (projected, solid) in scene.iter().zip(solids) {
        solid.triangles.par_iter().enumerate().for_each(|(number, corners)| {
            let corners = corners.map(|c| c as usize);
            let [a, b, c] = corners.map(|c| projected.places[c]);
            let range = |axis: usize, most: u32| {
                let low = a[axis].min(b[axis]).min(c[axis]);
                let high = a[axis].max(b[axis]).max(c[axis]);
                // Only pixels whose centre (at one half) lies between.
                ((low - 0.5).ceil().max(0.0) as usize, ((high - 0.5).floor() + 1.0).clamp(0.0, most as f32) as usize)
            };
            let ((x0, x1), (y0, y1)) = (range(0, width), range(1, height));
            for y in y0..y1 {
                for x in x0..x1 {
                    let Some(weights) = barycentric([a, b, c], [x as f32 + 0.5, y as f32 + 0.5]) else { continue };
                    let mean = |value: [f32; 3]| weights[0] * value[0] + weights[1] * value[1] + weights[2] * value[2];
                    if !projected.beyond_mm.is_empty() && mean(corners.map(|c| projected.beyond_mm[c])) > 0.0 {
                        continue;
                    }
                    // The bits of positive floats order as the floats do.
                    let depth = (mean([a[2], b[2], c[2]]) - nearest).max(0.0).to_bits();
                    let key = u64::from(depth) << 32 | (first + number as u64);
                    pixels[y * width as usize + x].fetch_min(key, Relaxed);
                }
            }
        });
        first += solid.triangles.len() as u64;
    }
    pixels.into_iter().map(AtomicU64::into_inner).collect()
}

/// The weights of a triangle's corners at a place inside it.
fn barycentric([a, b, c]: [[f32; 3]; 3], [x, y]: [f32; 2]) -> Option<[f32; 3]> {
    let side = |p: [f32; 3], q: [f32; 3]| (q[0] - p[0]) * (y - p[1]) - (q[1] - p[1]) * (x - p[0]);
    let sides = [side(b, c), side(c, a), side(a, b)];
    let area = sides[0] + sides[1] + sides[2];
    let inside = area != 0.0 && sides.iter().all(|&s| s * area >= 0.0);
    inside.then(|| sides.map(|s| s / area))
}

/// What is known of a pixel's surface before it is lit.
#[derive(Clone, Copy, Default)]
struct Shade {
    albedo: [f32; 3],
    /// Towards the picture's right, its top, and the eye.
    normal: [f32; 3],
    /// Share of the sky that neighbours leave free, 0 to 1.
    open: f32,
    /// Share of the light that is left after the way from far behind.
    near: f32,
}

impl Shade {
    /// Light from this surface, linear.
    fn light(&self) -> [f32; 3] {
        let n = self.normal;
        let lambert =
            |l: [f32; 3], wrap: f32| ((n[0] * l[0] + n[1] * l[1] + n[2] * l[2] + wrap) / (1.0 + wrap)).max(0.0);
        let key = 0.78 * lambert([-0.46, 0.58, 0.67], 0.05);
        let fill = 0.22 * lambert([0.74, 0.05, 0.67], 0.30);
        let sky = (0.17 + 0.07 * n[1]) * self.open;
        let half = lambert([-0.25, 0.32, 0.914], 0.0);
        let gloss = 0.07 * half.powi(24) * self.open;
        let open = 0.25 + 0.75 * self.open;
        self.albedo.map(|albedo| self.near * (albedo * ((key + fill) * open + sky) + gloss))
    }
}

fn shade(
    key: u64,
    pixel: usize,
    width: u32,
    scene: &[Projected],
    solids: &[&Solid<'_>],
    projection: &Projection,
) -> (Shade, f32) {
    if key == EMPTY {
        return (Shade::default(), f32::INFINITY);
    }
    let mut number = (key & u64::from(u32::MAX)) as usize;
    let mut which = 0;
    while number >= solids[which].triangles.len() {
        number -= solids[which].triangles.len();
        which += 1;
    }
    let (solid, projected) = (solids[which], &scene[which]);
    let corners = solid.triangles[number];
    let places = corners.map(|c| projected.places[c as usize]);
    let (x, y) = (pixel % width as usize, pixel / width as usize);
    let weights = barycentric(places, [x as f32 + 0.5, y as f32 + 0.5]).unwrap_or([1.0, 0.0, 0.0]);
    let mean = |value: [[f32; 3]; 3]| [0, 1, 2].map(|i| (0..3).map(|c| weights[c] * value[c][i]).sum::<f32>());
    let depth = mean(places)[2];
    let [a, b, c] = places;
    // Counter-clockwise in space is clockwise in rows that run down.
    let faces_eye = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]) <= 0.0;
    if !faces_eye && projection.clip.is_some() {
        let flat = Shade { albedo: SECTION.map(to_linear), normal: [0.0, 0.3, 0.95], open: 1.0, near: 1.0 };
        return (flat, depth);
    }
    let normal = mean(corners.map(|c| solid.normals[c as usize])).map(f64::from);
    let mut normal = projection.axes.map(|axis| dot(axis, normal));
    if !faces_eye {
        normal = normal.map(|n| -n);
    }
    // Interpolated normals may look away at the rim, where the surface itself does not.
    normal[2] = normal[2].max(0.02);
    let albedo = mean(corners.map(|c| solid.colour(c).map(to_linear)));
    (Shade { albedo, normal: unit(normal).map(|n| n as f32), open: 1.0, near: 1.0 }, depth)
}

/// Darkens what lies behind its surroundings, and a little what lies far behind.
///
/// Depth darkening: Luft, Colditz, Deussen, *Image enhancement by unsharp masking the depth buffer*, 2006,
/// doi:10.1145/1179352.1142016.
fn darken_hollows(surface: &mut [Shade], depth: &[f32], size: [u32; 2], px_per_mm: f64) {
    for hollow_mm in HOLLOWS_MM {
        let mean = blur_depth(depth, size, (hollow_mm * px_per_mm).max(1.0));
        surface.par_iter_mut().zip(depth.par_iter().zip(mean)).for_each(|(shade, (&depth, mean))| {
            if depth.is_finite() {
                let behind = ((depth - mean) / hollow_mm as f32 - 0.05).max(0.0);
                shade.open *= 1.0 / (1.0 + 1.1 * behind);
            }
        });
    }
    let seen = depth.iter().filter(|d| d.is_finite());
    let (near, far) = seen.fold((f32::INFINITY, f32::NEG_INFINITY), |(near, far), &d| (near.min(d), far.max(d)));
    surface.par_iter_mut().zip(depth).for_each(|(shade, &depth)| {
        shade.near = 1.0 - 0.30 * ((depth - near) / (far - near).max(1.0)).clamp(0.0, 1.0);
    });
}

/// Weighted mean of the finite depths around each pixel, in effect by a Gaussian of width `sigma_px`.
fn blur_depth(depth: &[f32], [width, height]: [u32; 2], sigma_px: f64) -> Vec<f32> {
    let (width, height) = (width as usize, height as usize);
    // Three boxes of this half width have the variance of the Gaussian.
    let reach = (((4.0 * sigma_px * sigma_px + 1.0).sqrt() - 1.0) / 2.0).round().max(1.0) as usize;
    // Sum of depths, and how many there are, side by side.
    let mut rows: Vec<[f32; 2]> = depth.iter().map(|&d| if d.is_finite() { [d, 1.0] } else { [0.0; 2] }).collect();
    let mut columns = vec![[0.0; 2]; rows.len()];
    rows.par_chunks_mut(width).for_each(|row| (0..3).for_each(|_| box_blur(row, reach)));
    transpose(&rows, &mut columns, width, height);
    columns.par_chunks_mut(height).for_each(|column| (0..3).for_each(|_| box_blur(column, reach)));
    transpose(&columns, &mut rows, height, width);
    rows.into_iter().map(|[sum, weight]| sum / weight.max(1e-6)).collect()
}

fn transpose(from: &[[f32; 2]], to: &mut [[f32; 2]], width: usize, height: usize) {
    to.par_chunks_mut(height).enumerate().for_each(|(x, column)| {
        for (y, value) in column.iter_mut().enumerate() {
            *value = from[y * width + x];
        }
    });
}

/// Mean over a running box, zero beyond the ends.
fn box_blur(line: &mut [[f32; 2]], reach: usize) {
    let original = line.to_vec();
    let scale = 1.0 / (2 * reach + 1) as f64;
    let mut sum = [0.0_f64; 2];
    let add = |at: &[f32; 2], sign: f64, sum: &mut [f64; 2]| (0..2).for_each(|i| sum[i] += sign * f64::from(at[i]));
    original.iter().take(reach).for_each(|value| add(value, 1.0, &mut sum));
    for i in 0..line.len() {
        if let Some(value) = original.get(i + reach) {
            add(value, 1.0, &mut sum);
        }
        line[i] = sum.map(|s| (s * scale) as f32);
        if i >= reach {
            add(&original[i - reach], -1.0, &mut sum);
        }
    }
}

/// Unit normals of a mesh's points: those of the triangles around each, weighted by area, then once more averaged
/// with the neighbours' so that the voxels' steps do not show.
fn normals(points: &[[f32; 3]], triangles: &[[u32; 3]]) -> Vec<[f32; 3]> {
    let mut normals = vec![[0.0_f32; 3]; points.len()];
    for corners in triangles {
        let [a, b, c] = corners.map(|c| points[c as usize]);
        let minus = |p: [f32; 3], q: [f32; 3]| [p[0] - q[0], p[1] - q[1], p[2] - q[2]];
        let (u, v) = (minus(b, a), minus(c, a));
        let normal = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
        for &corner in corners {
            let sum = &mut normals[corner as usize];
            (0..3).for_each(|i| sum[i] += normal[i]);
        }
    }
    normals.par_iter_mut().for_each(|n| *n = unit(n.map(f64::from)).map(|c| c as f32));
    let mut smooth = vec![[0.0_f32; 3]; points.len()];
    for corners in triangles {
        let [a, b, c] = corners.map(|c| normals[c as usize]);
        let sum = [0, 1, 2].map(|i| a[i] + b[i] + c[i]);
        for &corner in corners {
            let target = &mut smooth[corner as usize];
            (0..3).for_each(|i| target[i] += sum[i]);
        }
    }
    smooth.par_iter_mut().for_each(|n| *n = unit(n.map(f64::from)).map(|c| c as f32));
    smooth
}

static LINEAR: LazyLock<[f32; 256]> = LazyLock::new(|| std::array::from_fn(|byte| (byte as f32 / 255.0).powf(2.2)));

fn to_linear(byte: u8) -> f32 {
    LINEAR[usize::from(byte)]
}

fn from_linear(light: f32) -> u8 {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 0 to 255")]
    let byte = (light.clamp(0.0, 1.0).powf(1.0 / 2.2) * 255.0).round() as u8;
    byte
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

fn unit(v: [f64; 3]) -> [f64; 3] {
    let length = dot(v, v).sqrt();
    if length > 0.0 { v.map(|c| c / length) } else { v }
}
