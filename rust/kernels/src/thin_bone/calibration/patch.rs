//! Clean pieces of skin: smooth, all air on one side, soft tissue on the other.

use super::quadric;
use crate::thin_bone::linalg::{Vec3, dot, frame, unit};
use crate::thin_bone::outside::{HALF_HEIGHT_HU, Outside};
use crate::{Grid, Job, Result, Voxel};
use ndarray::ArrayRef3;
use rayon::prelude::*;

/// A patch's samples reach this far into the air and the tissue (mm).
pub(super) const AIR_MM: f64 = 3.5;
pub(super) const TISSUE_MM: f64 = 2.5;
/// And this far to the sides; at least so many voxels.
const PATCH_MM: f64 = 2.0;
const PATCH_VOXELS: f64 = 1.6;
/// The surface is fitted through crossings within this radius, as a multiple of the patch's.
const SURFACE_PER_PATCH: f64 = 1.5;
/// More are not looked at.
const MOST_PATCHES: usize = 250;
/// So many voxels of a patch say all.
const MOST_SAMPLES: usize = 500;
/// Skin more curved than a ball of 5 mm radius is not clean, 1/mm.
const BENT: f64 = 0.1;

/// A smooth piece of skin: its voxels' distances to the surface (positive inside) and values.
pub(super) struct Patch {
    pub(super) nz2: f64,
    pub(super) samples: Vec<Sample>,
    pub(super) tissue_hu: f64,
    /// How far the first surface lies off the edge: a quadric over the place along the surface.
    pub(super) offset: [f64; 6],
    /// What lies under the skin, as a step from it, and how deep.
    pub(super) deep_hu: f64,
    pub(super) deep_mm: f64,
}

/// A voxel of a patch: its distance from the fitted surface, its place along the surface, its value.
pub(super) struct Sample {
    pub(super) depth_mm: f32,
    pub(super) aside_mm: [f32; 2],
    pub(super) hu: f32,
}

impl Patch {
    pub(super) fn depth_mm(&self, s: &Sample, offset: &[f64; 6]) -> f64 {
        let [a, b] = s.aside_mm.map(f64::from);
        f64::from(s.depth_mm) - quadric::height(offset, a, b)
    }
}

/// Clean pieces of skin, at most [`MOST_PATCHES`], in a fixed order.
pub(super) fn patches<T: Voxel>(
    ct: &ArrayRef3<T>,
    grid: &Grid,
    outside: &Outside,
    clean: &Clean,
    job: &Job,
) -> Result<Vec<Patch>> {
    let found = outside.surface(job)?;
    // Half of what is tried is clean, or so; the order of the blocks says nothing about the place.
    let stride = found.len().div_ceil(3 * MOST_PATCHES).max(1);
    let patch = |&low: &[usize; 3]| {
        let seed = steepest(ct, grid, low, outside.edge())?;
        patch(&Around { ct, size: grid.size(), spacing: grid.spacing_mm(), seed }, outside, clean)
    };
    let patches: Vec<Patch> = found.par_iter().step_by(stride).filter_map(patch).collect();
    let stride = patches.len().div_ceil(MOST_PATCHES).max(1);
    Ok(patches.into_iter().step_by(stride).collect())
}

/// What clean skin and the air before it may hold.
pub(super) struct Clean {
    pub(super) air_hu: f64,
    pub(super) noise_hu: f64,
}

impl Clean {
    /// Whether a value may be found this deep under the skin.
    fn holds(&self, hu: f64, depth_mm: f64) -> bool {
        let noise_hu = 4.0 * self.noise_hu;
        if depth_mm < -1.8 {
            hu < self.air_hu + 120.0 + noise_hu
        } else if depth_mm > 1.5 {
            hu.abs() < 250.0 + noise_hu
        } else {
            hu < 350.0 + noise_hu
        }
    }
}

/// The voxel of a block where the scan is steepest.
fn steepest<T: Voxel>(ct: &ArrayRef3<T>, grid: &Grid, low: [usize; 3], edge: [usize; 3]) -> Option<[usize; 3]> {
    let (size, spacing) = (grid.size(), grid.spacing_mm());
    let range = |a: usize| low[a].max(1)..(low[a] + edge[a]).min(size[a] - 1);
    let mut best = (0.0, None);
    for i in range(2).flat_map(|z| range(1).flat_map(move |y| range(0).map(move |x| [x, y, z]))) {
        let g = gradient(ct, i, spacing);
        if dot(g, g) > best.0 {
            best = (dot(g, g), Some(i));
        }
    }
    best.1
}

/// The patch of skin around a voxel, if it is clean: smooth, all air on one side, soft tissue on the other.
fn patch<T: Voxel>(around: &Around<'_, T>, outside: &Outside, clean: &Clean) -> Option<Patch> {
    let Around { size, spacing, seed, .. } = *around;
    let patch_mm = PATCH_MM.max(PATCH_VOXELS * spacing.into_iter().fold(0.0, f64::max));
    let mut n = around.steepest_way(0.5 * patch_mm)?;
    let crossings = around.crossings(SURFACE_PER_PATCH * patch_mm);
    let mut surface = [0.0; 6];
    for _ in 0..3 {
        let (u, v) = frame(n);
        surface = quadric::fit(&crossings, n, u, v)?;
        let [_, du, dv, ..] = surface;
        n = unit([0, 1, 2].map(|a| n[a] - du * u[a] - dv * v[a]))?;
        if du.hypot(dv) < 0.01 {
            break;
        }
    }
    let front = [0, 1, 2].map(|a| (seed[a] as f64 - n[a] * AIR_MM / spacing[a]).round().max(0.0) as usize);
    if !outside.contains([0, 1, 2].map(|a| front[a].min(size[a] - 1))) || surface[3].abs().max(surface[5].abs()) > BENT
    {
        return None;
    }
    let (u, v) = frame(n);
    let mut samples = Vec::new();
    for i in around.ball(AIR_MM.max(TISSUE_MM).hypot(patch_mm)) {
        let p = around.place(i.map(|c| c as f64));
        let (a, b) = (dot(p, u), dot(p, v));
        if a * a + b * b > patch_mm * patch_mm {
            continue;
        }
        let d = dot(p, n) - quadric::height(&surface, a, b);
        if d <= -AIR_MM || d >= TISSUE_MM {
            continue;
        }
        let hu = around.value(i);
        if !clean.holds(f64::from(hu), d) {
            return None;
        }
        samples.push(Sample { depth_mm: d as f32, aside_mm: [a as f32, b as f32], hu });
    }
    let stride = samples.len().div_ceil(MOST_SAMPLES).max(1);
    let samples: Vec<Sample> = samples.into_iter().step_by(stride).collect();
    let inside: Vec<f64> = samples.iter().filter(|s| s.depth_mm > 1.0).map(|s| f64::from(s.hu)).collect();
    if samples.len() < 40 || inside.len() < 8 {
        return None;
    }
    let tissue_hu = inside.iter().sum::<f64>() / inside.len() as f64;
    Some(Patch { nz2: n[2] * n[2], samples, tissue_hu, offset: [0.0; 6], deep_hu: 0.0, deep_mm: 0.0 })
}

/// A voxel's surroundings.
struct Around<'a, T: Voxel> {
    ct: &'a ArrayRef3<T>,
    size: [usize; 3],
    spacing: Vec3,
    seed: [usize; 3],
}

impl<T: Voxel> Around<'_, T> {
    fn value(&self, i: [usize; 3]) -> f32 {
        value(self.ct, i)
    }

    /// Where an index, whole or not, lies from the voxel, mm.
    fn place(&self, i: Vec3) -> Vec3 {
        [0, 1, 2].map(|a| (i[a] - self.seed[a] as f64) * self.spacing[a])
    }

    /// The voxels of a box that holds a ball of this radius.
    fn ball(&self, radius_mm: f64) -> impl Iterator<Item = [usize; 3]> {
        let [x, y, z] = [0, 1, 2].map(|a| {
            let reach = (radius_mm / self.spacing[a]).ceil() as usize;
            self.seed[a].saturating_sub(reach)..(self.seed[a] + reach + 1).min(self.size[a])
        });
        z.flat_map(move |z| {
            let x = x.clone();
            y.clone().flat_map(move |y| x.clone().map(move |x| [x, y, z]))
        })
    }

    /// The direction of the mean gradient.
    fn steepest_way(&self, radius_mm: f64) -> Option<Vec3> {
        let mut sum = [0.0; 3];
        for i in self.ball(radius_mm).filter(|i| (0..3).all(|a| i[a] >= 1 && i[a] + 1 < self.size[a])) {
            let g = gradient(self.ct, i, self.spacing);
            sum = [0, 1, 2].map(|a| sum[a] + g[a]);
        }
        unit(sum)
    }

    /// Where the surface at half its height passes between neighbouring voxels.
    fn crossings(&self, radius_mm: f64) -> Vec<Vec3> {
        let mut found = Vec::new();
        for i in self.ball(radius_mm) {
            for a in (0..3).filter(|&a| i[a] + 1 < self.size[a]) {
                let mut to = i;
                to[a] += 1;
                let (v, w) = (self.value(i), self.value(to));
                if (v < HALF_HEIGHT_HU) != (w < HALF_HEIGHT_HU) {
                    let mut at = i.map(|c| c as f64);
                    at[a] += f64::from((HALF_HEIGHT_HU - v) / (w - v));
                    let p = self.place(at);
                    if dot(p, p) <= radius_mm * radius_mm {
                        found.push(p);
                    }
                }
            }
        }
        found
    }
}

fn value<T: Voxel>(ct: &ArrayRef3<T>, i: [usize; 3]) -> f32 {
    ct[[i[2], i[1], i[0]]].to_f32()
}

fn gradient<T: Voxel>(ct: &ArrayRef3<T>, i: [usize; 3], spacing: Vec3) -> Vec3 {
    [0, 1, 2].map(|a| {
        let (mut low, mut high) = (i, i);
        low[a] -= 1;
        high[a] += 1;
        f64::from(value(ct, high) - value(ct, low)) / (2.0 * spacing[a])
    })
}
