//! Scans of a drawn head.

use crate::anatomy::{Head, Tissue};
use crate::noise::{self, Use};
use crate::shapes::{Point, block, ellipsoid, inside};
use crate::{Phantom, check_noise, check_voxels};
use ndarray::{Array3, Axis};
use rayon::prelude::*;
use skull_kernels::{Grid, Job, Result};

/// What an MR sequence shows bright.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Contrast {
    /// Fat and white matter bright, fluid dark.
    #[default]
    T1,
    /// Fluid bright.
    T2,
    /// Proton density: soft tissues much alike.
    Pd,
}

/// An MR of a head.
#[derive(Debug, Clone, PartialEq)]
pub struct HeadMr {
    /// Who it is, and which noise. Default 1.
    pub seed: u64,
    /// Size of a voxel. Default 1 mm.
    pub voxel_mm: [f64; 3],
    /// Default T1.
    pub contrast: Contrast,
    /// Standard deviation of the noise before the magnitude is taken; grey matter is about 400. Default 30.
    pub noise: f64,
    /// Largest logarithm of the receive field, either way. Default 0.3.
    pub bias: f64,
    /// Brightness of the ghost half a field of view away along y, as a share. Default 0.02.
    pub ghost: f64,
    /// Turn of the volume about the left-right axis. Default 0.
    pub tilt_deg: f64,
}

impl Default for HeadMr {
    fn default() -> Self {
        Self { seed: 1, voxel_mm: [1.0; 3], contrast: Contrast::T1, noise: 30.0, bias: 0.3, ghost: 0.02, tilt_deg: 0.0 }
    }
}

/// A CT of a head.
#[derive(Debug, Clone, PartialEq)]
pub struct HeadCt {
    /// Who it is, and which noise. Default 1.
    pub seed: u64,
    /// Size of a voxel. Default 1 mm.
    pub voxel_mm: [f64; 3],
    /// Standard deviation of the noise. Default 15 HU.
    pub noise_hu: f64,
    /// Whether the head lies on a table, in a holder that touches it. Default true.
    pub table: bool,
    /// Turn of the volume about the left-right axis. Default 0.
    pub tilt_deg: f64,
}

impl Default for HeadCt {
    fn default() -> Self {
        Self { seed: 1, voxel_mm: [1.0; 3], noise_hu: 15.0, table: true, tilt_deg: 0.0 }
    }
}

/// Draws an MR: masks `head` (all that the skin encloses), `ears`, `nose` and `bone`.
///
/// About a quarter of a second per million voxels on one core; 10 bytes of memory per voxel.
///
/// # Errors
/// [`Parameter`](skull_kernels::Error::Parameter) for voxels that are not between 0.3 and 20 mm or negative noise, [`Cancelled`](skull_kernels::Error::Cancelled).
pub fn head_mr(scan: &HeadMr, job: &Job) -> Result<Phantom> {
    check_noise(scan.noise)?;
    let grid = grid(scan.voxel_mm, scan.tilt_deg)?;
    let head = Head::new(scan.seed);
    let level = |tissue| mr_level(tissue, scan.contrast);
    let (mut signal, masks) = draw(&head, &grid, level, |_, signal| signal, job)?;
    let field = Field::new(scan.seed, scan.bias);
    let size = grid.size();
    signal.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(z, mut slice)| {
        let place = |i: usize, n: usize| (2.0 * i as f32 + 1.0) / n as f32 - 1.0;
        for ((y, x), voxel) in slice.indexed_iter_mut() {
            *voxel *= field.at([place(x, size[0]), place(y, size[1]), place(z, size[2])]);
        }
        let clean = slice.to_owned();
        let mut rng = noise::slice_stream(scan.seed, z);
        for ((y, x), voxel) in slice.indexed_iter_mut() {
            let ghost = scan.ghost as f32 * clean[[(y + size[1] / 2) % size[1], x]];
            let mut noise = || scan.noise as f32 * noise::normal(&mut rng);
            *voxel = (*voxel + ghost + noise()).hypot(noise());
        }
    });
    Ok(Phantom { grid, image: rounded(&signal, 0.0, 4095.0), masks })
}

/// Draws a CT in HU; masks and cost as [`head_mr`], but 18 bytes per voxel.
///
/// # Errors
/// As [`head_mr`].
pub fn head_ct(scan: &HeadCt, job: &Job) -> Result<Phantom> {
    check_noise(scan.noise_hu)?;
    let grid = grid(scan.voxel_mm, scan.tilt_deg)?;
    let head = Head::new(scan.seed);
    let table = |p: Point, hu: f32| if scan.table { with_table(&head, p, hu) } else { hu };
    let (mut image, masks) = draw(&head, &grid, hu_level, table, &job.part(0.0, 0.8))?;
    let noise = noise::correlated(scan.seed, &grid, scan.voxel_mm.map(|v| 0.5 * v.max(0.6)), &job.part(0.8, 1.0))?;
    ndarray::Zip::from(&mut image).and(&noise).par_for_each(|hu, noise| *hu += scan.noise_hu as f32 * noise);
    Ok(Phantom { grid, image: rounded(&image, -1024.0, 3071.0), masks })
}

/// Field of view of a head, mm: the neck is cut, the rest is whole.
const FIELD_MM: [f64; 3] = [212.0, 260.0, 264.0];
/// Its middle, RAS.
const MIDDLE_MM: [f64; 3] = [0.0, -4.0, 20.0];

fn grid(voxel_mm: [f64; 3], tilt_deg: f64) -> Result<Grid> {
    check_voxels(voxel_mm, 0.3..=20.0, "0.3 to 20 mm")?;
    let (sin, cos) = tilt_deg.to_radians().sin_cos();
    let axes = [[1.0, 0.0, 0.0], [0.0, cos, sin], [0.0, -sin, cos]];
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an absurd voxel is refused by the grid"
    )]
    let size = [0, 1, 2].map(|a| (FIELD_MM[a] / voxel_mm[a]).round().max(1.0) as usize);
    let half = [0, 1, 2].map(|a| 0.5 * (size[a] as f64 - 1.0) * voxel_mm[a]);
    let origin = [0, 1, 2].map(|r| MIDDLE_MM[r] - (0..3).map(|a| half[a] * axes[a][r]).sum::<f64>());
    Grid::new(size, voxel_mm, axes, origin)
}

type Masks = Vec<(&'static str, Array3<u8>)>;

/// The head's levels at each voxel, after `around` had its say about what is outside, and the truth.
fn draw(
    head: &Head,
    grid: &Grid,
    level: impl Fn(Tissue) -> f32 + Sync,
    around: impl Fn(Point, f32) -> f32 + Sync,
    job: &Job,
) -> Result<(Array3<f32>, Masks)> {
    const NAMES: [&str; 4] = ["head", "ears", "nose", "bone"];
    let [nx, ny, nz] = grid.size();
    let sigma = 0.4 * grid.spacing_mm().into_iter().fold(0.0, f64::max) as f32;
    let mut image = Array3::zeros(grid.shape());
    let mut truth = NAMES.map(|_| Array3::<u8>::zeros(grid.shape()));
    let [heads, ears, noses, bones] = truth.each_mut().map(|mask| mask.axis_iter_mut(Axis(0)));
    let steps = job.steps(nz);
    let slices = (image.axis_iter_mut(Axis(0)), heads, ears, noses, bones);
    slices.into_par_iter().enumerate().try_for_each(
        |(z, (mut image, mut heads, mut ears, mut noses, mut bones))| {
            for (y, x) in (0..ny).flat_map(|y| (0..nx).map(move |x| (y, x))) {
                let p = grid.ras_mm([x as f64, y as f64, z as f64]).map(|c| c as f32);
                let near = head.near(p);
                let (mut value, mut bone) = (level(Tissue::Air), 0.0);
                if near.head < 5.0 * sigma {
                    let mut lay = |tissue: Tissue, distance: f32| {
                        let share = inside(distance, sigma);
                        value += share * (level(tissue) - value);
                        let is_bone = matches!(tissue, Tissue::Bone | Tissue::Diploe | Tissue::Tooth);
                        bone += share * (f32::from(u8::from(is_bone)) - bone);
                    };
                    head.layers(p, &near, &mut lay);
                    lay(Tissue::Air, head.airways(p));
                }
                bones[[y, x]] = u8::from(bone > 0.5 && near.head < 0.0);
                image[[y, x]] = if near.head > 0.0 { around(p, value) } else { value };
                heads[[y, x]] = u8::from(near.head < 0.0);
                ears[[y, x]] = u8::from(near.ears < 0.0);
                noses[[y, x]] = u8::from(near.nose < 0.0);
            }
            steps.step()
        },
    )?;
    Ok((image, NAMES.into_iter().zip(truth).collect()))
}

/// Adds the table, and the holder whose inner face touches the back of the head, where there is air.
fn with_table(head: &Head, p: Point, hu: f32) -> f32 {
    let back = head.back();
    let trough = ellipsoid(p, [0.0, -12.0, 40.0], [94.0, -12.0 - back, 400.0]);
    let holder = (trough - 2.5).abs().max(p[1] + 62.0).max((p[2] - 60.0).abs() - 85.0) - 2.5;
    let table = block(p, [0.0, back - 16.0, 0.0], [140.0, 9.0, 400.0], 4.0);
    let shell = table.max(-(table + 2.0));
    // Foam, then its shell, then the holder's plastic.
    [(table, -930.0), (shell, -150.0), (holder, -60.0)]
        .into_iter()
        .fold(hu, |hu, (distance, level)| hu.max(hu + inside(distance, 0.5) * (level - hu)))
}

/// A smooth field, brighter near some of the coil's elements.
struct Field {
    slopes: [f32; 6],
    scale: f32,
}

impl Field {
    fn new(seed: u64, largest_log: f64) -> Self {
        let mut rng = noise::stream(seed, Use::Scanner);
        let slopes = std::array::from_fn(|_| noise::normal(&mut rng));
        let most: f32 = slopes.iter().map(|s| s.abs()).sum();
        Self { slopes, scale: largest_log as f32 / most.max(1e-6) }
    }

    /// The gain at a place; each coordinate runs from -1 to 1.
    fn at(&self, [x, y, z]: Point) -> f32 {
        let terms = [x, y, z, x * y, y * z, z * z - 0.5];
        (self.scale * terms.iter().zip(self.slopes).map(|(t, s)| t * s).sum::<f32>()).exp()
    }
}

fn mr_level(tissue: Tissue, contrast: Contrast) -> f32 {
    let [t1, t2, pd] = match tissue {
        Tissue::Air => [0.0, 0.0, 0.0],
        Tissue::Fat => [880.0, 420.0, 640.0],
        Tissue::Muscle => [400.0, 200.0, 520.0],
        Tissue::Bone => [45.0, 35.0, 60.0],
        Tissue::Diploe => [420.0, 260.0, 400.0],
        Tissue::Tooth => [20.0, 15.0, 25.0],
        Tissue::Fluid => [140.0, 980.0, 700.0],
        Tissue::GreyMatter => [400.0, 520.0, 680.0],
        Tissue::WhiteMatter => [600.0, 380.0, 560.0],
        Tissue::Lesion => [250.0, 850.0, 800.0],
    };
    match contrast {
        Contrast::T1 => t1,
        Contrast::T2 => t2,
        Contrast::Pd => pd,
    }
}

fn hu_level(tissue: Tissue) -> f32 {
    match tissue {
        Tissue::Air => -1000.0,
        Tissue::Fat => -95.0,
        Tissue::Muscle => 55.0,
        Tissue::Bone => 1350.0,
        Tissue::Diploe => 500.0,
        Tissue::Tooth => 2300.0,
        Tissue::Fluid => 8.0,
        Tissue::GreyMatter => 38.0,
        Tissue::WhiteMatter => 30.0,
        Tissue::Lesion => 68.0,
    }
}

fn rounded(image: &Array3<f32>, low: f32, high: f32) -> Array3<i16> {
    #[allow(clippy::cast_possible_truncation, reason = "clamped to the scanner's range")]
    image.mapv(|v| v.round().clamp(low, high) as i16)
}
