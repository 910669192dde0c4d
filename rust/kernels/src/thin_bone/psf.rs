//! How much the scanner blurs, found from the scan's own edge between air and skin.
//!
//! Skin against air is the one edge that every head CT holds, of known shape (smooth) and contrast (1000 HU
//! and more). The signed distances of the voxels of a small patch to a surface fitted through the patch's
//! half-height crossings sample the edge spread function much finer than the voxels do (the slanted-edge
//! method), without any interpolation. Patches of all directions together tell in-plane from through-plane.
//!
//! Sanders, Hurwitz, Samei: Patient-specific quantification of image quality: an automated method for
//! measuring spatial resolution in clinical CT images. Med. Phys. 43 (2016), doi 10.1118/1.4961984.

use super::linalg::{Vec3, cross, dot, frame, solve, unit};
use crate::{Grid, Job, Result, Voxel};
use ndarray::ArrayRef3;
use rayon::prelude::*;

/// FWHM of a Gaussian of unit standard deviation.
pub const FWHM_PER_SIGMA: f64 = 2.354_820_045;

/// A scanner's point spread function: a Gaussian in-plane and through-plane, and for edge-enhancing kernels
/// a wider in-plane Gaussian that is subtracted: (1 + overshoot) G(sigma) − overshoot G(wide).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Psf {
    /// Standard deviation within a slice.
    pub sigma_xy_mm: f64,
    /// Standard deviation across slices.
    pub sigma_z_mm: f64,
    /// How much of the wider Gaussian is subtracted; 0 for a smooth kernel.
    pub overshoot: f64,
    /// In-plane standard deviation of what is subtracted.
    pub sigma_wide_mm: f64,
}

impl Psf {
    /// The point spread function of a smooth kernel with the given full widths at half maximum.
    #[must_use]
    pub fn gaussian(fwhm_xy_mm: f64, fwhm_z_mm: f64) -> Self {
        let sigma_xy_mm = fwhm_xy_mm / FWHM_PER_SIGMA;
        Self { sigma_xy_mm, sigma_z_mm: fwhm_z_mm / FWHM_PER_SIGMA, overshoot: 0.0, sigma_wide_mm: 2.0 * sigma_xy_mm }
    }

    /// Full widths at half maximum of the main Gaussian, in-plane and through-plane.
    #[must_use]
    pub fn fwhm_mm(&self) -> [f64; 2] {
        [self.sigma_xy_mm * FWHM_PER_SIGMA, self.sigma_z_mm * FWHM_PER_SIGMA]
    }

    /// The spread along a unit normal whose through-plane component squared is `nz2`.
    pub(super) fn along(&self, nz2: f64) -> LineSpread {
        let across = self.sigma_z_mm.powi(2) * nz2;
        let sigma = |in_plane: f64| (in_plane * in_plane * (1.0 - nz2) + across).sqrt();
        LineSpread { sigma: sigma(self.sigma_xy_mm), wide: sigma(self.sigma_wide_mm), overshoot: self.overshoot }
    }
}

/// The point spread function integrated over planes: what a profile along one direction sees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct LineSpread {
    pub(super) sigma: f64,
    wide: f64,
    overshoot: f64,
}

impl LineSpread {
    /// The image of a unit step at 0, at distance `s` mm on its bright side.
    pub(super) fn edge(&self, s: f64) -> f64 {
        let main = normal_cdf(s / self.sigma);
        if self.overshoot == 0.0 {
            main
        } else {
            (1.0 + self.overshoot) * main - self.overshoot * normal_cdf(s / self.wide)
        }
    }
}

/// The image of a unit step in a table, for where it is asked for often.
pub(super) struct EdgeTable {
    values: Vec<f64>,
    per_mm: f64,
    reach_mm: f64,
}

impl EdgeTable {
    /// Entries per standard deviation: what is linear between them is right to 5e-5.
    const PER_SIGMA: f64 = 25.0;
    /// Beyond so many standard deviations the step is over.
    const SIGMAS: f64 = 4.5;

    pub(super) fn new(spread: &LineSpread) -> Self {
        let widest = if spread.overshoot == 0.0 { spread.sigma } else { spread.sigma.max(spread.wide) };
        let (reach_mm, per_mm) = (Self::SIGMAS * widest, Self::PER_SIGMA / spread.sigma);
        let count = (2.0 * reach_mm * per_mm) as usize;
        Self { values: (0..=count + 1).map(|k| spread.edge(k as f64 / per_mm - reach_mm)).collect(), per_mm, reach_mm }
    }

    pub(super) fn at(&self, s: f64) -> f64 {
        let place = ((s + self.reach_mm) * self.per_mm).clamp(0.0, (self.values.len() - 2) as f64);
        let k = place as usize;
        self.values[k] + (place - k as f64) * (self.values[k + 1] - self.values[k])
    }
}

/// The standard normal distribution function, to 1e-7 (Abramowitz and Stegun 7.1.26).
pub(super) fn normal_cdf(x: f64) -> f64 {
    let z = x.abs() * std::f64::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let poly =
        t * (0.254_829_592 + t * (-0.284_496_736 + t * (1.421_413_741 + t * (-1.453_152_027 + t * 1.061_405_429))));
    let tail = 0.5 * poly * (-z * z).exp();
    if x >= 0.0 { 1.0 - tail } else { tail }
}

/// What the calibration found.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    /// The point spread function.
    pub psf: Psf,
    /// Where it comes from.
    pub source: Source,
    /// Relative standard errors of the in-plane and the through-plane width.
    pub relative_error: [f64; 2],
    /// How many patches of skin were used.
    pub patches: usize,
    /// Standard deviation of the noise in soft tissue.
    pub noise_hu: f64,
    /// How many voxels' noise is worth one independent voxel's.
    pub noise_voxels: f64,
    /// HU of air.
    pub air_hu: f64,
    /// Values at and below this were cut off by the scanner or the file.
    pub floor_hu: f64,
}

/// Where a point spread function comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Measured on the edge between air and skin.
    Skin,
    /// Guessed from the voxel's size: there was no clean skin.
    Spacing,
    /// Given by the user.
    User,
}

/// HU half-way between air and soft tissue.
const HALF_HEIGHT_HU: f32 = -480.0;
/// A patch's samples reach this far into the air and the tissue (mm).
const AIR_MM: f64 = 3.5;
const TISSUE_MM: f64 = 2.5;
/// And this far to the sides; at least so many voxels.
const PATCH_MM: f64 = 2.0;
const PATCH_VOXELS: f64 = 1.6;
/// The surface is fitted through crossings within this radius, as a multiple of the patch's.
const SURFACE_PER_PATCH: f64 = 1.5;
/// Edge of the blocks of which each may give one patch.
const BLOCK_MM: f64 = 1.5;
/// Air narrower than about twice this (nostrils, mouth, sinuses) is not the outside.
const NARROW_MM: f64 = 3.0;
/// How far into folds and openings the outside reaches.
const FOLDS_MM: f64 = 9.0;
/// How thick skin may be, and how much what lies under it may differ.
const DEEP_MM: [f64; 4] = [1.0, 1.4, 1.8, 2.4];
const DEEP_SD_HU: f64 = 60.0;
/// How deep that is, is settled in so many rounds.
const DEEP_ROUNDS: usize = 2;
/// One standard deviation off a prior costs as much as this many samples off by the noise.
const PRIOR_SAMPLES: f64 = 20.0;
const LEAST_PATCHES: usize = 40;
const MOST_ROUNDS: usize = 15;
const MOST_PATCHES: usize = 250;

/// Distances are averaged in bins of this width.
const BIN_MM: f64 = 0.1;
const BINS: usize = ((AIR_MM + TISSUE_MM) / BIN_MM) as usize;
/// Directions are averaged in this many bins of the squared through-plane component of the normal.
const TILTS: usize = 10;

/// Measures the point spread function; falls back to the voxel's size where there is no clean skin.
pub(super) fn calibrate<T: Voxel>(ct: &ArrayRef3<T>, grid: &Grid, outside: &Outside, job: &Job) -> Result<Calibration> {
    let (noise_hu, noise_voxels) = noise(ct, grid);
    let (air_hu, floor_hu) = air(ct);
    let [sx, sy, sz] = grid.spacing_mm();
    let in_plane = (sx * sy).sqrt();
    let guess = Psf::gaussian((1.2 * in_plane).max(0.6), sz.max(0.6));
    let mut found = Calibration {
        psf: guess,
        source: Source::Spacing,
        relative_error: [0.3, 0.3],
        patches: 0,
        noise_hu,
        noise_voxels,
        air_hu,
        floor_hu,
    };
    job.check()?;
    let patches = patches(ct, grid, outside, air_hu, noise_hu);
    job.check()?;
    if patches.len() < LEAST_PATCHES {
        return Ok(found);
    }
    let censor = Censor { floor: floor_hu, noise: noise_hu };
    if let Some(fit) = fit_patches(patches, guess, air_hu, censor) {
        found.psf = fit.psf;
        found.relative_error = fit.relative_error;
        found.patches = fit.patches;
        found.air_hu = fit.air_hu;
        found.source = Source::Skin;
    }
    Ok(found)
}

/// Values below `floor` were cut off.
#[derive(Debug, Clone, Copy)]
struct Censor {
    floor: f64,
    noise: f64,
}

impl Censor {
    /// The mean of a value around `mean` once it has been cut off at the floor.
    fn mean(self, mean: f64) -> f64 {
        let sd = self.noise.max(1.0);
        let z = (mean - self.floor) / sd;
        if z > 6.0 {
            return mean;
        }
        let density = (-0.5 * z * z).exp() / (std::f64::consts::TAU).sqrt();
        self.floor + (mean - self.floor) * normal_cdf(z) + sd * density
    }
}

/// A smooth piece of skin: its voxels' distances to the surface (positive inside) and values.
struct Patch {
    nz2: f64,
    samples: Vec<Sample>,
    tissue_hu: f64,
    /// How far the first surface lies off the edge: a quadric over the place along the surface.
    offset: [f64; 6],
    /// What lies under the skin, as a step from it, and how deep.
    deep_hu: f64,
    deep_mm: f64,
}

/// A voxel of a patch: its distance from the fitted surface, its place along the surface, its value.
struct Sample {
    depth_mm: f32,
    aside_mm: [f32; 2],
    hu: f32,
}

impl Patch {
    fn depth_mm(&self, s: &Sample, offset: &[f64; 6]) -> f64 {
        let [a, b] = s.aside_mm.map(f64::from);
        f64::from(s.depth_mm) - quadric_at(offset, a, b)
    }
}

/// HU of air and the value below which nothing is recorded.
fn air<T: Voxel>(ct: &ArrayRef3<T>) -> (f64, f64) {
    let stride = (ct.len() / 2_000_000).max(1);
    let mut low: Vec<f32> =
        ct.iter().step_by(stride).map(|v| v.to_f32()).filter(|v| (-1100.0..-850.0).contains(v)).collect();
    if low.len() < 500 {
        return (-1000.0, f64::NEG_INFINITY);
    }
    low.sort_unstable_by(f32::total_cmp);
    let median = f64::from(low[low.len() / 2]);
    let least = low[0];
    let cut = low.iter().take_while(|&&v| v <= least + 0.5).count();
    let is_cut = cut * 200 > low.len() && median > f64::from(least);
    (median, if is_cut { f64::from(least) } else { f64::NEG_INFINITY })
}

/// Noise in homogeneous soft tissue: standard deviation, and the number of voxels that share one
/// independent value (sum of the autocorrelation along the three axes).
fn noise<T: Voxel>(ct: &ArrayRef3<T>, grid: &Grid) -> (f64, f64) {
    let [nx, ny, nz] = grid.size();
    let reach = [4, 4, 2];
    // Blocks whose values are all soft tissue; a plane is removed from each, so that gradients are not noise.
    let step = [9, 9, 5];
    let starts = |n: usize, step: usize| (0..n.saturating_sub(step)).step_by(step);
    let blocks: Vec<[usize; 3]> = starts(nz, step[2])
        .flat_map(|z| starts(ny, step[1]).flat_map(move |y| starts(nx, step[0]).map(move |x| [x, y, z])))
        .collect();
    let stride = (blocks.len() / 20_000).max(1);
    let mut found: Vec<[f64; 4]> = blocks
        .par_iter()
        .step_by(stride)
        .filter_map(|&[x0, y0, z0]| {
            let size = [2 * reach[0] + 1, 2 * reach[1] + 1, 2 * reach[2] + 1];
            let mut values = Vec::with_capacity(size.iter().product());
            for z in 0..size[2] {
                for y in 0..size[1] {
                    for x in 0..size[0] {
                        let v = ct[[z0 + z, y0 + y, x0 + x]].to_f64();
                        if !(-350.0..350.0).contains(&v) {
                            return None;
                        }
                        values.push(v);
                    }
                }
            }
            let at = |x: usize, y: usize, z: usize| (z * size[1] + y) * size[0] + x;
            let n = values.len() as f64;
            let mean = values.iter().sum::<f64>() / n;
            let mut slope = [0.0; 3];
            let mut spread = [0.0; 3];
            let centred = |i: [usize; 3], a: usize| i[a] as f64 - reach[a] as f64;
            for z in 0..size[2] {
                for y in 0..size[1] {
                    for x in 0..size[0] {
                        for a in 0..3 {
                            let c = centred([x, y, z], a);
                            slope[a] += c * (values[at(x, y, z)] - mean);
                            spread[a] += c * c;
                        }
                    }
                }
            }
            for z in 0..size[2] {
                for y in 0..size[1] {
                    for x in 0..size[0] {
                        let plane: f64 = (0..3).map(|a| centred([x, y, z], a) * slope[a] / spread[a]).sum();
                        values[at(x, y, z)] -= mean + plane;
                    }
                }
            }
            let variance = values.iter().map(|v| v * v).sum::<f64>() / (n - 4.0);
            let mut lag = [[0.0; 2]; 3];
            for z in 0..size[2] {
                for y in 0..size[1] {
                    for x in 0..size[0] {
                        for a in 0..3 {
                            for l in 1..=2 {
                                let mut to = [x, y, z];
                                to[a] += l;
                                if to[a] < size[a] {
                                    let pairs = n * (size[a] - l) as f64 / size[a] as f64;
                                    lag[a][l - 1] += values[at(x, y, z)] * values[at(to[0], to[1], to[2])] / pairs;
                                }
                            }
                        }
                    }
                }
            }
            let length = lag.map(|[one, two]| {
                let [one, two] = [one / variance, two / variance].map(|r| r.clamp(0.0, 1.0));
                1.0 + 2.0 * (one + two)
            });
            (variance > 0.0).then(|| [variance, length[0], length[1], length[2]])
        })
        .collect();
    if found.len() < 8 {
        return (30.0, 2.0);
    }
    // Structure only adds variance: the calmer blocks are the noise.
    found.sort_by(|a, b| a[0].total_cmp(&b[0]));
    let calm = &found[..found.len().div_ceil(2)];
    let middle = |i: usize| {
        let mut v: Vec<f64> = calm.iter().map(|b| b[i]).collect();
        v.sort_by(f64::total_cmp);
        v[v.len() / 2]
    };
    (middle(0).sqrt().max(1.0), middle(1) * middle(2) * middle(3))
}

/// The wide air around the head, block by block.
pub(super) struct Outside {
    edge: [usize; 3],
    blocks: [usize; 3],
    kind: Vec<Kind>,
    outside: Vec<bool>,
    /// And the folds and openings that it reaches into.
    folds: Vec<bool>,
    /// The voxel of the scan that is asked for as (0, 0, 0).
    first: [usize; 3],
}

impl Outside {
    /// Finds it from the volume's edges; its faces may cut sinuses, too.
    pub(super) fn new<T: Voxel>(ct: &ArrayRef3<T>, grid: &Grid) -> Self {
        let size = grid.size();
        let spacing = grid.spacing_mm();
        let edge = [0, 1, 2].map(|a| ((BLOCK_MM / spacing[a]) as usize).max(2));
        let blocks: [usize; 3] = [0, 1, 2].map(|a| size[a].div_ceil(edge[a]));
        let kind: Vec<Kind> = (0..blocks.iter().product())
            .into_par_iter()
            .map(|i: usize| {
                let b = [i % blocks[0], i / blocks[0] % blocks[1], i / (blocks[0] * blocks[1])];
                let range = |a: usize| b[a] * edge[a]..((b[a] + 1) * edge[a]).min(size[a]);
                let (mut low, mut high) = (false, false);
                for z in range(2) {
                    for y in range(1) {
                        for x in range(0) {
                            let v = ct[[z, y, x]].to_f32();
                            low |= v < HALF_HEIGHT_HU;
                            high |= v >= HALF_HEIGHT_HU;
                            if v > 350.0 {
                                return Kind::Other;
                            }
                        }
                    }
                }
                match (low, high) {
                    (true, false) => Kind::Air,
                    (true, true) => Kind::Edge,
                    _ => Kind::Other,
                }
            })
            .collect();
        let reach = [0, 1, 2].map(|a| ((NARROW_MM / (edge[a] as f64 * spacing[a])).round() as usize).max(1));
        let outside = outside(&kind, blocks, reach);
        // through whole blocks of air only: a thin cheek must not let it into a sinus
        let mut folds = outside.clone();
        for round in 0..=(FOLDS_MM / BLOCK_MM) as usize {
            let is_last = round == (FOLDS_MM / BLOCK_MM) as usize;
            let mut wider = spread(&folds, blocks, [1; 3]);
            for ((w, k), f) in wider.iter_mut().zip(&kind).zip(&folds) {
                *w = *f || (*w && (*k == Kind::Air || (is_last && *k == Kind::Edge)));
            }
            folds = wider;
        }
        Self { edge, blocks, kind, outside, folds, first: [0; 3] }
    }

    /// From here on, voxels are counted from `first`.
    pub(super) fn counted_from(self, first: [usize; 3]) -> Self {
        Self { first, ..self }
    }

    /// Whether a voxel (x, y, z) lies in it, or in a fold or opening that it reaches into.
    pub(super) fn reaches(&self, i: [usize; 3]) -> bool {
        let block = |a: usize| ((i[a] + self.first[a]) / self.edge[a]).min(self.blocks[a] - 1);
        self.folds[self.index([0, 1, 2].map(block))]
    }

    /// Whether a voxel (x, y, z) lies in it.
    pub(super) fn contains(&self, i: [usize; 3]) -> bool {
        self.outside[self.index([0, 1, 2].map(|a| (i[a] / self.edge[a]).min(self.blocks[a] - 1)))]
    }

    fn index(&self, b: [usize; 3]) -> usize {
        (b[2] * self.blocks[1] + b[1]) * self.blocks[0] + b[0]
    }

    /// First voxels of the blocks that hold the head's surface.
    fn surface(&self) -> Vec<[usize; 3]> {
        let near = spread(&self.outside, self.blocks, [2; 3]);
        (0..self.kind.len())
            .filter(|&i| near[i] && self.kind[i] == Kind::Edge)
            .map(|i| {
                let b =
                    [i % self.blocks[0], i / self.blocks[0] % self.blocks[1], i / (self.blocks[0] * self.blocks[1])];
                [0, 1, 2].map(|a| b[a] * self.edge[a])
            })
            .collect()
    }
}

/// Clean pieces of skin, at most [`MOST_PATCHES`], in a fixed order.
fn patches<T: Voxel>(ct: &ArrayRef3<T>, grid: &Grid, outside: &Outside, air_hu: f64, noise_hu: f64) -> Vec<Patch> {
    let found = outside.surface();
    // Half of what is tried is clean, or so; the order of the blocks says nothing about the place.
    let stride = found.len().div_ceil(3 * MOST_PATCHES).max(1);
    let mut patches: Vec<Patch> =
        found.par_iter().step_by(stride).filter_map(|&low| patch(ct, grid, low, outside, (air_hu, noise_hu))).collect();
    let stride = patches.len().div_ceil(MOST_PATCHES).max(1);
    let mut k = 0;
    patches.retain(|_| {
        k += 1;
        (k - 1) % stride == 0
    });
    patches
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Air,
    Edge,
    Other,
}

/// Blocks in wide air that reaches the volume's edges; its faces may cut sinuses, too.
fn outside(kind: &[Kind], blocks: [usize; 3], reach: [usize; 3]) -> Vec<bool> {
    let index = |b: [usize; 3]| (b[2] * blocks[1] + b[1]) * blocks[0] + b[0];
    let air: Vec<bool> = kind.iter().map(|&k| k == Kind::Air).collect();
    let wide = spread(&air.iter().map(|a| !a).collect::<Vec<_>>(), blocks, reach);
    let mut reached = vec![false; kind.len()];
    let mut stack = Vec::new();
    for z in 0..blocks[2] {
        for y in 0..blocks[1] {
            for x in 0..blocks[0] {
                let faces = [x, y, z].iter().zip(blocks).filter(|&(&i, n)| i == 0 || i + 1 == n).count();
                if faces >= 2 && !wide[index([x, y, z])] {
                    reached[index([x, y, z])] = true;
                    stack.push([x, y, z]);
                }
            }
        }
    }
    while let Some(b) = stack.pop() {
        for a in 0..3 {
            for step in [-1_isize, 1] {
                let Some(i) = b[a].checked_add_signed(step).filter(|&i| i < blocks[a]) else { continue };
                let mut to = b;
                to[a] = i;
                if !reached[index(to)] && !wide[index(to)] {
                    reached[index(to)] = true;
                    stack.push(to);
                }
            }
        }
    }
    spread(&reached, blocks, reach)
}

/// Sets all blocks within `reach` blocks (a box) of a set one.
pub(super) fn spread(set: &[bool], blocks: [usize; 3], reach: [usize; 3]) -> Vec<bool> {
    let mut now = set.to_vec();
    for a in 0..3 {
        let stride = blocks[..a].iter().product::<usize>();
        let before = now.clone();
        for (i, out) in now.iter_mut().enumerate() {
            let at = i / stride % blocks[a];
            let (low, high) = (at.saturating_sub(reach[a]), (at + reach[a]).min(blocks[a] - 1));
            *out = (low..=high).any(|k| before[i + k * stride - at * stride]);
        }
    }
    now
}

/// The patch of skin around the steepest voxel of a block, if it is clean: smooth, all air on one side, soft
/// tissue on the other.
fn patch<T: Voxel>(
    ct: &ArrayRef3<T>,
    grid: &Grid,
    low: [usize; 3],
    outside: &Outside,
    (air_hu, noise_hu): (f64, f64),
) -> Option<Patch> {
    let size = grid.size();
    let spacing = grid.spacing_mm();
    let edge = outside.edge;
    let value = |i: [usize; 3]| ct[[i[2], i[1], i[0]]].to_f32();
    let patch_mm = PATCH_MM.max(PATCH_VOXELS * spacing.into_iter().fold(0.0, f64::max));
    let surface_mm = SURFACE_PER_PATCH * patch_mm;
    let seed = {
        let mut best = None;
        let mut steepest = 0.0;
        for z in low[2]..(low[2] + edge[2]).min(size[2]) {
            for y in low[1]..(low[1] + edge[1]).min(size[1]) {
                for x in low[0]..(low[0] + edge[0]).min(size[0]) {
                    let i = [x, y, z];
                    if (0..3).any(|a| i[a] < 1 || i[a] + 1 >= size[a]) {
                        continue;
                    }
                    let g = gradient(&value, i, spacing);
                    if dot(g, g) > steepest {
                        steepest = dot(g, g);
                        best = Some(i);
                    }
                }
            }
        }
        best?
    };
    let ball = |radius: f64| {
        let range = [0, 1, 2].map(|a| {
            let reach = (radius / spacing[a]).ceil() as usize;
            seed[a].saturating_sub(reach)..(seed[a] + reach + 1).min(size[a])
        });
        let [x, y, z] = range;
        z.flat_map(move |z| {
            let x = x.clone();
            y.clone().flat_map(move |y| x.clone().map(move |x| [x, y, z]))
        })
    };
    let place = |i: [f64; 3]| [0, 1, 2].map(|a| (i[a] - seed[a] as f64) * spacing[a]);
    // the surface's half-height crossings between neighbouring voxels
    let mut crossings: Vec<Vec3> = Vec::new();
    for i in ball(surface_mm) {
        for a in 0..3 {
            let mut to = i;
            to[a] += 1;
            if to[a] >= size[a] {
                continue;
            }
            let (v, w) = (value(i), value(to));
            if (v < HALF_HEIGHT_HU) != (w < HALF_HEIGHT_HU) {
                let mut at = i.map(|c| c as f64);
                at[a] += f64::from((HALF_HEIGHT_HU - v) / (w - v));
                let p = place(at);
                if dot(p, p) <= surface_mm * surface_mm {
                    crossings.push(p);
                }
            }
        }
    }
    let mut normal = [0.0; 3];
    for i in ball(0.5 * patch_mm) {
        if (0..3).all(|a| i[a] >= 1 && i[a] + 1 < size[a]) {
            let g = gradient(&value, i, spacing);
            normal = [0, 1, 2].map(|a| normal[a] + g[a]);
        }
    }
    let mut n = unit(normal)?;
    let mut quadric = [0.0; 6];
    for _ in 0..3 {
        let (u, v) = frame(n);
        quadric = fit_quadric(&crossings, n, u, v)?;
        let [_, du, dv, ..] = quadric;
        let tilted = [0, 1, 2].map(|a| n[a] - du * u[a] - dv * v[a]);
        n = unit(tilted)?;
        if du.hypot(dv) < 0.01 {
            break;
        }
    }
    let front = [0, 1, 2].map(|a| (seed[a] as f64 - n[a] * AIR_MM / spacing[a]).round().max(0.0) as usize);
    if !outside.contains([0, 1, 2].map(|a| front[a].min(size[a] - 1))) {
        return None;
    }
    let (u, v) = frame(n);
    let height = |p: Vec3| {
        let (a, b) = (dot(p, u), dot(p, v));
        dot(p, n) - quadric_at(&quadric, a, b)
    };
    if quadric[3].abs().max(quadric[5].abs()) > 0.1 {
        return None; // more curved than a ball of 5 mm radius
    }
    let mut samples = Vec::new();
    for i in ball(AIR_MM.max(TISSUE_MM).hypot(patch_mm)) {
        let p = place(i.map(|c| c as f64));
        let (a, b, d) = (dot(p, u), dot(p, v), height(p));
        if a * a + b * b > patch_mm * patch_mm || d <= -AIR_MM || d >= TISSUE_MM {
            continue;
        }
        let hu = value(i);
        let clean = if d < -1.8 {
            f64::from(hu) < air_hu + 120.0 + 4.0 * noise_hu
        } else if d > 1.5 {
            f64::from(hu).abs() < 250.0 + 4.0 * noise_hu
        } else {
            f64::from(hu) < 350.0 + 4.0 * noise_hu
        };
        if !clean {
            return None;
        }
        samples.push(Sample { depth_mm: d as f32, aside_mm: [a as f32, b as f32], hu });
    }
    let inside: Vec<f64> = samples.iter().filter(|s| s.depth_mm > 1.0).map(|s| f64::from(s.hu)).collect();
    if samples.len() < 40 || inside.len() < 8 {
        return None;
    }
    let tissue_hu = inside.iter().sum::<f64>() / inside.len() as f64;
    Some(Patch { nz2: n[2] * n[2], samples, tissue_hu, offset: [0.0; 6], deep_hu: 0.0, deep_mm: 0.0 })
}

fn gradient(value: &impl Fn([usize; 3]) -> f32, i: [usize; 3], spacing: [f64; 3]) -> Vec3 {
    [0, 1, 2].map(|a| {
        let (mut low, mut high) = (i, i);
        low[a] -= 1;
        high[a] += 1;
        f64::from(value(high) - value(low)) / (2.0 * spacing[a])
    })
}

/// Height over the plane: c0 + c1 a + c2 b + c3 a² + c4 ab + c5 b².
fn quadric_at(c: &[f64; 6], a: f64, b: f64) -> f64 {
    c[0] + c[1] * a + c[2] * b + c[3] * a * a + c[4] * a * b + c[5] * b * b
}

/// The quadric through the points in the frame (u, v, n), stray points left out; `None` where they lie on no
/// smooth surface.
fn fit_quadric(points: &[Vec3], n: Vec3, u: Vec3, v: Vec3) -> Option<[f64; 6]> {
    debug_assert!(dot(cross(u, v), n).abs() > 0.99);
    let local: Vec<Vec3> = points.iter().map(|&p| [dot(p, u), dot(p, v), dot(p, n)]).collect();
    let mut keep: Vec<bool> = local.iter().map(|p| p[2].abs() < 2.0).collect();
    let mut quadric = [0.0; 6];
    for _ in 0..3 {
        let mut normal = [[0.0; 6]; 6];
        let mut right = [0.0; 6];
        let mut count = 0;
        for (p, _) in local.iter().zip(&keep).filter(|(_, k)| **k) {
            let row = [1.0, p[0], p[1], p[0] * p[0], p[0] * p[1], p[1] * p[1]];
            for i in 0..6 {
                right[i] += row[i] * p[2];
                for j in 0..=i {
                    normal[i][j] += row[i] * row[j];
                }
            }
            count += 1;
        }
        if count < 24 {
            return None;
        }
        quadric = solve(normal, right)?;
        let residual = |p: &Vec3| (p[2] - quadric_at(&quadric, p[0], p[1])).abs();
        let mut kept: Vec<f64> = local.iter().zip(&keep).filter(|(_, k)| **k).map(|(p, _)| residual(p)).collect();
        kept.sort_by(f64::total_cmp);
        let typical = kept[kept.len() / 2];
        if typical > 0.2 {
            return None;
        }
        keep = local.iter().map(|p| residual(p) < (4.0 * typical).max(0.1)).collect();
        if keep.iter().filter(|k| **k).count() * 10 < 8 * local.len() {
            return None;
        }
    }
    Some(quadric)
}

struct Fit {
    psf: Psf,
    air_hu: f64,
    relative_error: [f64; 2],
    patches: usize,
}

/// The point spread function that explains the patches, each with its own tissue and exact place; patches
/// that it explains badly (hair, cloth, creases) are left out.
fn fit_patches(mut patches: Vec<Patch>, guess: Psf, mut air_hu: f64, censor: Censor) -> Option<Fit> {
    let mut psf = guess;
    // First the skin is taken for homogeneous: from a poor guess, what lies under it would soak up the blur.
    for layered in [false, true] {
        for round in 0..MOST_ROUNDS {
            let depths = match (layered, round < DEEP_ROUNDS) {
                (false, _) => Some(&DEEP_MM[..1]),
                (true, true) => Some(&DEEP_MM[..]),
                (true, false) => None,
            };
            let misfit: Vec<f64> =
                patches.par_iter_mut().map(|p| settle(p, &psf, air_hu, censor, depths, layered)).collect();
            if round > 0 {
                let mut sorted = misfit.clone();
                sorted.sort_by(f64::total_cmp);
                let bound = 1.5 * sorted[sorted.len() / 2];
                let mut keep = misfit.iter().map(|&m| m <= bound);
                patches.retain(|_| keep.next().unwrap_or(false));
                if patches.len() < LEAST_PATCHES {
                    return None;
                }
            }
            let before = psf;
            (psf, air_hu) = fit_profile(&Profile::new(patches.iter(), &psf), psf, air_hu, censor)?;
            let change = |now: f64, before: f64| (now / before - 1.0).abs();
            let settled = change(psf.sigma_xy_mm, before.sigma_xy_mm) < 1e-3
                && change(psf.sigma_z_mm, before.sigma_z_mm) < 2e-3
                && (psf.overshoot - before.overshoot).abs() < 3e-3;
            if round > 1 && settled {
                break;
            }
        }
    }
    // jackknife over interleaved eighths
    const PARTS: usize = 8;
    let parts: Vec<Psf> = (0..PARTS)
        .into_par_iter()
        .filter_map(|leave| {
            let rest = patches.iter().enumerate().filter(|(i, _)| i % PARTS != leave).map(|(_, p)| p);
            fit_profile(&Profile::new(rest, &psf), psf, air_hu, censor).map(|(psf, _)| psf)
        })
        .collect();
    let spread = |of: &dyn Fn(&Psf) -> f64| {
        let n = parts.len() as f64;
        let mean = parts.iter().map(of).sum::<f64>() / n;
        ((n - 1.0) / n * parts.iter().map(|p| (of(p) - mean).powi(2)).sum::<f64>()).sqrt() / mean
    };
    let relative_error = [spread(&|p| p.sigma_xy_mm), spread(&|p| p.sigma_z_mm)];
    Some(Fit { psf, relative_error, patches: patches.len(), air_hu })
}

/// Moves a patch to where the edge fits best and finds its tissue and what lies under it; gives its mean
/// squared residual. Without depths to try, what lies under it stays where it was.
fn settle(patch: &mut Patch, psf: &Psf, air_hu: f64, censor: Censor, depths_mm: Option<&[f64]>, layered: bool) -> f64 {
    let spread = EdgeTable::new(&psf.along(patch.nz2));
    let fit = |deep_mm: f64| {
        let (mut tissue, mut offset, mut deep) = (patch.tissue_hu, patch.offset, patch.deep_hu);
        let mut misfit = 0.0;
        for _ in 0..3 {
            let mut normal = [[0.0; 8]; 8];
            let mut right = [0.0; 8];
            misfit = 0.0;
            let height = tissue - air_hu;
            for sample in &patch.samples {
                let d = patch.depth_mm(sample, &offset);
                let (edge, under) = (spread.at(d), spread.at(d - deep_mm));
                let slope = (spread.at(d + 0.01) - spread.at(d - 0.01)) / 0.02;
                let r = f64::from(sample.hu) - censor.mean(air_hu + height * edge + deep * under);
                misfit += r * r;
                let fall = -height * slope;
                let [a, b] = sample.aside_mm.map(f64::from);
                let row = [edge, under, fall, fall * a, fall * b, fall * a * a, fall * a * b, fall * b * b];
                for i in 0..8 {
                    right[i] += row[i] * r;
                    for j in 0..=i {
                        normal[i][j] += row[i] * row[j];
                    }
                }
            }
            // Under the skin lies fat or more of the same: without that bound the deep step would stand in for
            // the kernel's own overshoot.
            let sd = if layered { DEEP_SD_HU } else { 0.1 };
            let softly = (censor.noise / sd).powi(2);
            normal[1][1] += softly;
            right[1] -= softly * deep;
            let Some(step) = solve(normal, right) else { break };
            tissue += step[0];
            deep = (deep + step[1]).clamp(-250.0, 100.0);
            for (o, s) in offset.iter_mut().zip(&step[2..]) {
                *o = (*o + s).clamp(-0.5, 0.5);
            }
        }
        (misfit / patch.samples.len() as f64, tissue, offset, deep, deep_mm)
    };
    let depths_mm = depths_mm.unwrap_or(std::slice::from_ref(&patch.deep_mm));
    let best = depths_mm.iter().map(|&mm| fit(mm)).min_by(|a, b| a.0.total_cmp(&b.0));
    let (misfit, tissue, offset, deep, deep_mm) = best.expect("depths to try");
    (patch.tissue_hu, patch.offset, patch.deep_hu, patch.deep_mm) = (tissue, offset, deep, deep_mm);
    misfit
}

/// The patches' samples averaged by distance and tilt, as a share of the step from air to tissue.
struct Profile {
    /// Sums of weight, value and distance, tilt.
    bins: Vec<[f64; 5]>,
}

impl Profile {
    fn new<'a>(patches: impl Iterator<Item = &'a Patch>, psf: &Psf) -> Self {
        let mut bins = vec![[0.0; 5]; TILTS * BINS];
        for p in patches {
            let tilt = ((p.nz2 * TILTS as f64) as usize).min(TILTS - 1);
            let spread = psf.along(p.nz2);
            for sample in &p.samples {
                let d = p.depth_mm(sample, &p.offset);
                let at = (d + AIR_MM) / BIN_MM;
                if at >= 0.0 && at < BINS as f64 {
                    let bin = &mut bins[tilt * BINS + at as usize];
                    let skin = f64::from(sample.hu) - p.deep_hu * spread.edge(d - p.deep_mm);
                    for (sum, v) in bin.iter_mut().zip([1.0, skin, d, p.nz2, p.tissue_hu]) {
                        *sum += v;
                    }
                }
            }
        }
        bins.retain(|b| b[0] >= 4.0);
        for b in &mut bins {
            for k in 1..5 {
                b[k] /= b[0];
            }
        }
        Self { bins }
    }
}

/// Levenberg and Marquardt over the widths, the overshoot and the value of air.
///
/// How wide the subtracted Gaussian is barely shows beside how much of it there is, so the parameters are held
/// softly to what kernels have.
fn fit_profile(profile: &Profile, start: Psf, air_hu: f64, censor: Censor) -> Option<(Psf, f64)> {
    const N: usize = 5;
    const PRIOR: [(f64, f64); N] = [(0.0, f64::INFINITY), (0.0, f64::INFINITY), (0.0, 0.3), (2.2, 0.15), (0.0, 10.0)];
    let psf = |p: [f64; N]| Psf {
        sigma_xy_mm: p[0].exp(),
        sigma_z_mm: p[1].exp(),
        overshoot: p[2],
        sigma_wide_mm: p[0].exp() * p[3],
    };
    let clamp = |p: [f64; N]| {
        [
            p[0].clamp(-2.5, 1.2),
            p[1].clamp(-2.5, 1.6),
            p[2].clamp(0.0, 0.6),
            p[3].clamp(1.5, 4.0),
            p[4].clamp(-30.0, 30.0),
        ]
    };
    let model = |f: &Psf, shift: f64, d: f64, nz2: f64, tissue: f64| {
        let air = air_hu + shift;
        censor.mean(air + (tissue - air) * f.along(nz2).edge(d))
    };
    let weight_of_prior = censor.noise.powi(2) * PRIOR_SAMPLES;
    let misfit = |p: [f64; N]| {
        let f = psf(p);
        let data: f64 = profile
            .bins
            .iter()
            .map(|&[weight, hu, d, nz2, tissue]| weight * (hu - model(&f, p[4], d, nz2, tissue)).powi(2))
            .sum();
        let prior: f64 = (0..N).map(|k| ((p[k] - PRIOR[k].0) / PRIOR[k].1).powi(2)).sum();
        data + weight_of_prior * prior
    };
    let descend = |overshoot: f64| {
        let mut p = clamp([start.sigma_xy_mm.ln(), start.sigma_z_mm.ln(), overshoot, PRIOR[3].0, 0.0]);
        let mut cost = misfit(p);
        let mut damping = 1e-2;
        for _ in 0..40 {
            let mut normal = [[0.0; N]; N];
            let mut right = [0.0; N];
            let now = psf(p);
            let steps: [(Psf, f64); N] = std::array::from_fn(|k| {
                let mut q = p;
                q[k] += 1e-4;
                (psf(q), q[4])
            });
            for &[weight, hu, d, nz2, tissue] in &profile.bins {
                let m = model(&now, p[4], d, nz2, tissue);
                let row: [f64; N] =
                    std::array::from_fn(|k| (model(&steps[k].0, steps[k].1, d, nz2, tissue) - m) / 1e-4);
                for i in 0..N {
                    right[i] += weight * row[i] * (hu - m);
                    for j in 0..=i {
                        normal[i][j] += weight * row[i] * row[j];
                    }
                }
            }
            for k in 0..N {
                let w = weight_of_prior / PRIOR[k].1.powi(2);
                normal[k][k] += w;
                right[k] -= w * (p[k] - PRIOR[k].0);
            }
            let mut improved = false;
            for _ in 0..8 {
                let mut damped = normal;
                for (i, row) in damped.iter_mut().enumerate() {
                    row[i] = row[i] * (1.0 + damping) + 1e-9;
                }
                let Some(step) = solve(damped, right) else {
                    damping *= 10.0;
                    continue;
                };
                let trial = clamp(std::array::from_fn(|k| p[k] + step[k]));
                let trial_cost = misfit(trial);
                if trial_cost < cost {
                    let gain = (cost - trial_cost) / cost;
                    (p, cost) = (trial, trial_cost);
                    damping = (damping * 0.3).max(1e-9);
                    improved = gain > 1e-7;
                    break;
                }
                damping *= 5.0;
            }
            if !improved {
                break;
            }
        }
        (p, cost)
    };
    let (one, other) = rayon::join(|| descend(0.02), || descend(0.25));
    let (p, cost) = if other.1 < one.1 { other } else { one };
    cost.is_finite().then(|| (psf(p), air_hu + p[4]))
}
