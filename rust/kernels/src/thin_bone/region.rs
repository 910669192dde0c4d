//! A part of a scan, repaired as in the whole.

use super::Found;
use super::outputs::Outputs;
use super::params::Params;
use super::scan::Scan;
use crate::{Error, Grid, Job, Result, Voxel};
use ndarray::Array3;

/// What lies this near to a region is looked at, too.
const AROUND_MM: f64 = 7.0;

/// Repairs the part of the scan in the box `roi_mm` (RAS), which is copied with enough around it to be seen as in the
/// whole.
pub(super) fn repair<T: Voxel>(
    scan: Scan<'_, T>,
    roi_mm: [[f64; 2]; 3],
    params: &Params,
    outputs: &mut Outputs<'_>,
    job: &Job,
) -> Result<Found> {
    let grid = scan.grid;
    let region = Region::new(roi_mm, grid)?;
    let part = grid.part(region.outer[0], region.outer[1])?;
    let [outer, inner] = [region.outer, region.inner];
    let cut = |[low, high]: [[usize; 3]; 2]| ndarray::s![low[2]..high[2], low[1]..high[1], low[0]..high[0]];
    let within = [0, 1].map(|e| [0, 1, 2].map(|a| inner[e][a] - outer[0][a]));
    let mut added = Array3::zeros(part.shape());
    let mut maps =
        [&outputs.thickness_mm, &outputs.mass_hu_mm].map(|m| m.is_some().then(|| Array3::zeros(part.shape())));
    let [thickness_mm, mass_hu_mm] = &mut maps;
    let mut results = Outputs {
        added: &mut added,
        thickness_mm: thickness_mm.as_deref_mut(),
        mass_hu_mm: mass_hu_mm.as_deref_mut(),
        walls: outputs.walls.as_deref_mut(),
    };
    let ct = &scan.ct.slice(cut(outer)).to_owned();
    let base = &scan.base.slice(cut(outer)).to_owned();
    let outside = scan.outside.counted_from(outer[0]);
    let noise = scan.noise.counted_from(outer[0]);
    let part = Scan { ct, base, grid: &part, outside, scale: scan.scale, noise };
    let mut found = super::repair(part, params, &mut results, job)?;
    outputs.added.fill(0);
    outputs.added.slice_mut(cut(inner)).assign(&added.slice(cut(within)));
    for (whole, map) in [&mut outputs.thickness_mm, &mut outputs.mass_hu_mm].into_iter().zip(&maps) {
        if let (Some(whole), Some(map)) = (whole, map) {
            whole.fill(0.0);
            whole.slice_mut(cut(inner)).assign(&map.slice(cut(within)));
        }
    }
    let is_inside = |i: [f64; 3]| (0..3).all(|a| (inner[0][a] as f64..inner[1][a] as f64).contains(&i[a]));
    found.openings.retain(|o| is_inside(grid.index(o.center_ras_mm)));
    if let Some(walls) = &mut outputs.walls {
        for wall in walls.iter_mut() {
            wall.voxel = [0, 1, 2].map(|a| wall.voxel[a] + outer[0][a] as u32);
            wall.middle = [0, 1, 2].map(|a| wall.middle[a] + outer[0][a] as f32);
        }
        walls.retain(|wall| is_inside(wall.voxel.map(f64::from)));
    }
    for (opening, id) in found.openings.iter_mut().zip(1..) {
        opening.id = id;
        opening.voxels.iter_mut().for_each(|v| *v = [0, 1, 2].map(|a| v[a] + outer[0][a]));
    }
    Ok(found)
}

/// A box of voxels, and a larger one around it: low corner, high corner (not included).
struct Region {
    inner: [[usize; 3]; 2],
    outer: [[usize; 3]; 2],
}

impl Region {
    /// The voxels whose centres the box of `roi_mm` (RAS) may hold.
    fn new(roi_mm: [[f64; 2]; 3], grid: &Grid) -> Result<Self> {
        let (mut low, mut high) = ([f64::INFINITY; 3], [f64::NEG_INFINITY; 3]);
        for corner in 0..8 {
            let i = grid.index([0, 1, 2].map(|r| roi_mm[r][corner >> r & 1]));
            low = [0, 1, 2].map(|a| low[a].min(i[a]));
            high = [0, 1, 2].map(|a| high[a].max(i[a]));
        }
        let clamp = |i: f64, a: usize| i.clamp(0.0, grid.size()[a] as f64) as usize;
        let around = |mm: f64| {
            let by = grid.spacing_mm().map(|s| mm / s);
            [
                [0, 1, 2].map(|a| clamp((low[a] - by[a]).ceil(), a)),
                [0, 1, 2].map(|a| clamp((high[a] + by[a]).floor() + 1.0, a)),
            ]
        };
        let region = Self { inner: around(0.0), outer: around(AROUND_MM) };
        if (0..3).any(|a| region.inner[0][a] >= region.inner[1][a]) {
            return Err(Error::Empty { what: "region of interest" });
        }
        Ok(region)
    }
}
