//! The surface of a wall, and the columns of voxels across it.

use super::linalg::{Vec3, dot, frame, median, solve, unit};
use super::openings::Throat;
use super::scan::Piece;
use crate::Grid;
use multiversion::multiversion;
use ndarray::ArrayRef3;
use std::collections::HashMap;

/// The wall's surface does not bend towards what lies off it by more than this.
const OFF_SURFACE_MM: f64 = 0.3;
const ROUNDS: usize = 6;
/// So many of its places say all.
const MOST_PLACES: usize = 500;
/// It is settled when none of its terms changes by so much: mm, mm per mm, and mm per mm².
const SETTLED: f64 = 1e-3;
/// So many columns are looked at along the edge of a voxel.
const COLUMNS: f64 = 3.0;

/// The surface of a wall as a height over the plane across an axis.
pub(super) struct Surface {
    middle: Vec3,
    pub(super) n: Vec3,
    u: Vec3,
    v: Vec3,
    height: [f64; 6],
}

impl Surface {
    pub(super) fn project(&self, p: Vec3) -> ([f64; 2], f64) {
        let r = [0, 1, 2].map(|a| p[a] - self.middle[a]);
        ([dot(r, self.u), dot(r, self.v)], dot(r, self.n))
    }

    pub(super) fn height(&self, at: [f64; 2]) -> f64 {
        height(&self.height, at)
    }

    pub(super) fn point(&self, at: [f64; 2], above: f64) -> Vec3 {
        let height = self.height(at) + above;
        [0, 1, 2].map(|a| self.middle[a] + at[0] * self.u[a] + at[1] * self.v[a] + height * self.n[a])
    }

    /// Calls `visit` with each voxel up to `reach_mm` around the surface's middle and `off_mm` off the surface: the
    /// voxel, its place on the plane, and how far it lies above the surface.
    pub(super) fn voxels(
        &self,
        reach_mm: f64,
        off_mm: f64,
        grid: &Grid,
        mut visit: impl FnMut([usize; 3], [f64; 2], f64),
    ) {
        let (size, spacing) = (grid.size(), grid.spacing_mm());
        let middle = grid.nearest_voxel(self.middle);
        let range = [0, 1, 2].map(|a| {
            let reach = (reach_mm / spacing[a]).ceil() as usize;
            middle[a].saturating_sub(reach)..(middle[a] + reach + 1).min(size[a])
        });
        let mm = |i: [usize; 3]| [0, 1, 2].map(|a| i[a] as f64 * spacing[a]);
        // no surface within reach bends farther from its plane
        let [_, u, v, uu, uv, vv] = self.height;
        let bend_mm = u.hypot(v) * reach_mm + (uu.abs().max(vv.abs()) + 0.5 * uv.abs()) * reach_mm * reach_mm;
        let most_mm = off_mm + bend_mm + 1e-6;
        // along a row the height over the surface is a parabola, which says at once what lies far off
        let [du, dv, rise_mm] = [self.u, self.v, self.n].map(|axis| axis[0] * spacing[0]);
        let bend = uu * du * du + uv * du * dv + vv * dv * dv;
        for z in range[2].clone() {
            for y in range[1].clone() {
                let (start, height) = self.project(mm([0, y, z]));
                let from_plane_mm = height - self.height[0];
                let ends = [-most_mm, most_mm].map(|end| (end - from_plane_mm) / rise_mm);
                let first = (ends[0].min(ends[1]).ceil() as usize).max(range[0].start);
                let end = (ends[0].max(ends[1]) as usize).saturating_add(1).min(range[0].end);
                let slope_u = u + 2.0 * uu * start[0] + uv * start[1];
                let slope_v = v + 2.0 * vv * start[1] + uv * start[0];
                let slope = rise_mm - slope_u * du - slope_v * dv;
                let from_surface_mm = height - self.height(start);
                for x in first..end {
                    let along = x as f64;
                    if (from_surface_mm + along * (slope - along * bend)).abs() > off_mm + 1e-6 {
                        continue;
                    }
                    let (at, height) = self.project(mm([x, y, z]));
                    let above = height - self.height(at);
                    if above.abs() <= off_mm && at[0].hypot(at[1]) <= reach_mm {
                        visit([x, y, z], at, above);
                    }
                }
            }
        }
    }

    /// Fits a paraboloid to the walls around.
    pub(super) fn new(throat: &Throat, walls: &[&Piece], grid: &Grid) -> Option<Self> {
        let mut sum = [0.0; 3];
        for node in walls {
            let n = node.n();
            let sign = dot(n, throat.axis).signum();
            sum = [0, 1, 2].map(|a| sum[a] + sign * n[a]);
        }
        let n = unit(sum)?;
        let (u, v) = frame(n);
        let mut surface = Self { middle: throat.middle_mm, n, u, v, height: [0.0; 6] };
        let some = walls.iter().step_by(walls.len().div_ceil(MOST_PLACES));
        let points: Vec<([f64; 2], f64)> = some.map(|node| surface.project(node.middle(grid))).collect();
        surface.height[0] = median(&mut points.iter().map(|p| p.1).collect::<Vec<f64>>());
        for _ in 0..ROUNDS {
            let (normal, right) = normal_equations(&points, &surface.height);
            let before = std::mem::replace(&mut surface.height, solve(normal, right)?);
            if before.iter().zip(surface.height).all(|(before, now)| (before - now).abs() < SETTLED) {
                break;
            }
        }
        Some(surface)
    }
}

/// What lies across a wall.
pub(super) struct Columns<'a> {
    pub(super) surface: &'a Surface,
    /// How far to both sides of it.
    pub(super) reach_mm: f64,
    pub(super) grid: &'a Grid,
}

impl Columns<'_> {
    fn voxels(&self, at: [f64; 2]) -> impl Iterator<Item = [usize; 3]> {
        let steps = (2.0 * self.reach_mm / self.grid.finest_mm()).ceil() as i32;
        (-steps..=steps).map(move |step| {
            let above = f64::from(step) / f64::from(steps) * self.reach_mm;
            self.grid.nearest_voxel(self.surface.point(at, above))
        })
    }

    /// How many columns, taken in `order`, must be cleared of `full` bone until a hole of an area is free to see
    /// through: the voxels of the rim reach into it. Bone of the base stays.
    pub(super) fn until_free(
        &self,
        order: &[[f64; 2]],
        area_mm2: f64,
        full: &ArrayRef3<u8>,
        base: &ArrayRef3<u8>,
    ) -> usize {
        let mut cleared = HashMap::new();
        for (k, &at) in order.iter().enumerate() {
            self.voxels(at).for_each(|voxel| {
                cleared.entry(voxel).or_insert(k + 1);
            });
        }
        // how many must be cleared until a column is free, if ever
        let until_free = |last: usize, voxel: [usize; 3]| {
            let [x, y, z] = voxel;
            match cleared.get(&voxel) {
                _ if base[[z, y, x]] != 0 => None,
                Some(&k) => Some(last.max(k)),
                None => (full[[z, y, x]] == 0).then_some(last),
            }
        };
        let step_mm = self.grid.finest_mm() / COLUMNS;
        let range = [0, 1].map(|a| {
            let at = || order.iter().map(|at| at[a] / step_mm);
            at().fold(f64::INFINITY, f64::min).floor() as i32..at().fold(f64::NEG_INFINITY, f64::max).ceil() as i32 + 1
        });
        let columns = range[1].clone().flat_map(|v| range[0].clone().map(move |u| [u, v]));
        let mut free: Vec<usize> =
            columns.filter_map(|at| self.voxels(at.map(|i| f64::from(i) * step_mm)).try_fold(0, until_free)).collect();
        free.sort_unstable();
        let needed = (area_mm2 / (step_mm * step_mm)).round() as usize;
        let last = needed.min(free.len()).checked_sub(1);
        last.map_or(order.len(), |last| free[last].max(1))
    }
}

/// The normal equations of a paraboloid through some points, of which those far off the one so far hardly count.
#[multiversion(targets("x86_64+avx2"))]
fn normal_equations(points: &[([f64; 2], f64)], so_far: &[f64; 6]) -> ([[f64; 6]; 6], [f64; 6]) {
    let (mut normal, mut right) = ([[0.0; 6]; 6], [0.0; 6]);
    for &(at, z) in points {
        let weight = 1.0 / (1.0 + ((z - height(so_far, at)) / OFF_SURFACE_MM).powi(2)).powi(2);
        let t = terms(at);
        // whole rows, though half of them is read: several at a time take less
        for i in 0..6 {
            let weighted = weight * t[i];
            right[i] += weighted * z;
            normal[i].iter_mut().zip(t).for_each(|(sum, t)| *sum += weighted * t);
        }
    }
    (normal, right)
}

#[inline(always)]
fn height(of: &[f64; 6], at: [f64; 2]) -> f64 {
    terms(at).iter().zip(of).map(|(t, h)| t * h).sum()
}

#[inline(always)]
fn terms([u, v]: [f64; 2]) -> [f64; 6] {
    [1.0, u, v, u * u, u * v, v * v]
}
