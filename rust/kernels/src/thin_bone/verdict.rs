//! What becomes of each opening: its evidence, and the verdict.
//!
//! A hole that blur fills keeps exp(−d²/8σ²) of its wall's mass; a wall whose evidence was too confused to be
//! linked, such as where another joins it, keeps all. What passes a hole shows beside it, too: the medium on the
//! darker side is not the one that the rim has.

use super::linalg::{dot, median};
use super::measure;
use super::openings::{PROBABLY, SURELY, TELLING, Throat};
use super::scan::{Scan, Walls};
use super::{Opening, Verdict, psf};
use crate::Voxel;
use crate::grid::ravel;
use std::cell::LazyCell;

/// The rim of an opening starts beyond its edge and is this wide.
const RIM_FROM_MM: f64 = 0.3;
const RIM_MM: f64 = 2.0;
const LEAST_RIM: usize = 6;
/// Walls whose normals differ less than about 40 degrees from the opening's axis are those it is in.
const LEAST_COSINE: f64 = 0.77;
/// What shows this share of the rim's wall is no opening.
const WHOLE: f64 = 0.8;
/// And is no wider than this, in blurs.
const WIDEST_GAP: f64 = 3.0;
/// A gap of about a voxel is one of the raster if it shows this share.
const RASTER_GAP: f64 = 0.5;
/// What differs by this from the medium beside the rim passes the opening, HU.
const PASSES_HU: f64 = 250.0;
/// A wide opening is empty where it shows less than this share of the wall around it.
const WIDE_RESIDUAL: f64 = 0.75;

/// Judges one throat, the `id`th of the list.
pub(super) fn judge<T: Voxel>(scan: &Scan<'_, T>, walls: &Walls, throat: &Throat, id: usize) -> Opening {
    let Scan { ct, grid, ref scale, .. } = *scan;
    let Walls { pieces, index } = walls;
    let (size, spacing) = (grid.size(), grid.spacing_mm());
    let diameter_mm = 2.0 * (throat.area_mm2 / std::f64::consts::PI).sqrt();
    let radius_mm = 0.5 * diameter_mm;
    let at = grid.nearest_voxel(throat.middle_mm);
    // thickness and darker medium of the walls in the opening and around it
    let (mut inside, mut rim) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    let reach = spacing.map(|s| ((radius_mm + RIM_MM) / s).ceil() as usize);
    index.around(at, reach, |j| {
        let piece = &pieces[j];
        if dot(piece.n(), throat.axis).abs() < LEAST_COSINE {
            return;
        }
        let to = piece.middle(grid);
        let p = [0, 1, 2].map(|a| to[a] - throat.middle_mm[a]);
        let distance = dot(p, p).sqrt();
        let keep = |to: &mut [Vec<f64>; 2]| {
            to[0].push(f64::from(piece.thickness_mm));
            to[1].push(f64::from(piece.dark_hu));
        };
        if distance < (0.8 * radius_mm).max(0.45) {
            keep(&mut inside);
        } else if piece.is_bone && distance > radius_mm + RIM_FROM_MM && distance < radius_mm + RIM_MM {
            keep(&mut rim);
        }
    });
    let seen = inside[0].len();
    let voxel = ravel(at, size) as u32;
    let middle = LazyCell::new(|| measure::one(ct, voxel, throat.axis, scale));
    let [rim_mm, rim_hu] = rim.map(|mut v| if v.len() < LEAST_RIM { f64::NAN } else { median(&mut v) });
    let [inside_mm, inside_hu] = if seen >= 2 {
        inside.map(|mut v| median(&mut v))
    } else {
        middle.map_or([f64::NAN; 2], |w| [w.thickness_mm, w.media[0].min(w.media[1])].map(f64::from))
    };
    let share = (inside_mm / rim_mm).max(0.0);
    let residual = throat.share.map(|s| s.mean.max(0.0)).or_else(|| (!(inside_mm / rim_mm).is_nan()).then_some(share));
    let unfitted_se = || {
        middle.map_or(f64::INFINITY, |w| {
            f64::from(w.mass_se * (w.thickness_mm / w.mass).abs().min(1e-2)) / rim_mm / (seen.max(1) as f64).sqrt()
        })
    };
    let residual_se = throat.share.map_or_else(unfitted_se, |s| s.error);
    let sigma = scale.psf.sigma_xy_mm.max(scale.psf.along(1.0 - throat.axis[2].powi(2)).sigma);
    let residual_if_empty =
        throat.share.map_or_else(|| (-diameter_mm.powi(2) / (8.0 * sigma * sigma)).exp(), |s| s.if_empty);
    // what is as wide as two blurs shows as sheets do
    let is_wide = diameter_mm > 2.0 * sigma * psf::FWHM_PER_SIGMA;
    let voxel_mm = grid.voxel_mm3().cbrt();
    let is_measured = !is_wide || seen as f64 * voxel_mm * voxel_mm > radius_mm * radius_mm;
    let may_be_whole = is_measured && diameter_mm < WIDEST_GAP * sigma * psf::FWHM_PER_SIGMA;
    // as much as a wall, as far as noise lets one see, and surely more than an empty hole
    let shows_wall =
        |q: f64| q >= WHOLE || q + PROBABLY * residual_se >= WHOLE && q - SURELY * residual_se > residual_if_empty;
    let verdict = match residual {
        _ if throat.share.is_some_and(|s| s.is_wall) => Verdict::Filled,
        Some(q) if throat.share.is_none() && q >= RASTER_GAP && diameter_mm < 1.2 * voxel_mm => Verdict::Filled,
        Some(q)
            if throat.share.is_none() && shows_wall(q) && (inside_hu - rim_hu).abs() <= PASSES_HU && may_be_whole =>
        {
            Verdict::Filled
        }
        Some(q) if is_wide && q < WIDE_RESIDUAL => Verdict::Open,
        Some(q) if q - PROBABLY * residual_se <= residual_if_empty && residual_if_empty < TELLING => Verdict::Open,
        None if is_wide => Verdict::Open,
        _ => Verdict::Undecided,
    };
    let axes = grid.axes();
    Opening {
        id,
        center_ras_mm: grid.ras_mm([0, 1, 2].map(|a| throat.middle_mm[a] / spacing[a])),
        axis_ras: [0, 1, 2].map(|r| (0..3).map(|a| axes[a][r] * throat.axis[a]).sum()),
        diameter_mm,
        area_mm2: throat.area_mm2,
        verdict,
        decided: false,
        residual,
        residual_se,
        residual_if_empty,
        rim_mm: if rim_mm.is_nan() { 0.0 } else { rim_mm },
        media_hu: measure::media(ct, voxel, throat.axis, scale),
        voxels: Vec::new(),
    }
}
