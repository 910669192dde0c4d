//! An opening of a thin wall, fitted: how much of the wall is missing, where, and what of it only noise hid.
//!
//! Across a wall of mass m with a hole, the blur shows m (1 − h), with h the blurred shape of the hole: however wide
//! the blur, the missing mass summed over the wall's surface and divided by the mass around is the hole's area. All
//! places of an opening share one surface, that of the wall around, so the step between both media and the plate's
//! mass are fitted linearly at a known place: their share of what the wall around shows tells wall from hole where
//! one profile alone could not. The places that lack most are open, as many as make up the area.

mod holes;
mod look;
mod shares;

pub(super) use look::looks_at;

use super::openings::{Share, Throat};
use super::scan::{Scan, Walls};
use crate::Voxel;
use holes::{WALL_SHARE, if_empty};
use look::{Look, apart_mm};
use ndarray::ArrayRef3;
use shares::{AROUND_MM, Place, Shares};

/// What passes a hole is followed this far.
const PASSES_MM: f64 = 3.0;

/// An opening looked at closely.
#[derive(Default)]
pub(super) struct Aperture {
    /// The holes that are in it; if there is none, the whole of it: as it was where it is unclear, else as wall.
    pub(super) holes: Vec<Throat>,
    /// Voxels of wall that were taken for a part of the opening.
    pub(super) wall: Vec<[usize; 3]>,
    /// Voxels of the holes, and of what passes them, that were taken for wall.
    pub(super) free: Vec<[usize; 3]>,
}

/// Looks closely at one throat of the bone `full`; `None` where no wall thin and even enough surrounds it.
pub(super) fn fit<T: Voxel>(
    scan: &Scan<'_, T>,
    full: &ArrayRef3<u8>,
    walls: &Walls,
    throat: &Throat,
) -> Option<Aperture> {
    let look = Look::new(full, walls, throat, scan.grid)?;
    let shares = Shares::new(scan, &look)?;
    let places = &shares.places;
    let mut aperture = Aperture::default();
    let mut unclear = None;
    let mut is_open = vec![false; places.len()];
    for hole in holes::find(&shares, &look) {
        let mut open = hole.by_area;
        let (mut at, mut share) = hole.share(open, &shares, &look);
        if share.is_hole() {
            let order: Vec<[f64; 2]> = hole.order.iter().map(|&k| places[k].seen.at).collect();
            open = look.columns().until_free(&order, hole.area_mm2, full, scan.base);
            (at, share) = hole.share(open, &shares, &look);
        }
        if !share.is_clear() {
            unclear.get_or_insert(share);
            continue;
        }
        let open = &hole.order[..open];
        open.iter().for_each(|&k| is_open[k] = true);
        let is_surely_open = share.is_empty() || share.is_hole();
        let follows_mm = if shares.passes && is_surely_open { PASSES_MM } else { 0.0 };
        aperture.free.extend(open.iter().flat_map(|&k| across(&look, places[k].seen.at, follows_mm)));
        aperture.holes.push(Throat {
            middle_mm: look.surface.point(at, 0.0),
            axis: look.surface.n,
            area_mm2: hole.area_mm2,
            voxels: open.iter().map(|&k| places[k].seen.voxel).collect(),
            share: Some(share),
        });
    }
    let closed: Vec<&Place> = places.iter().zip(&is_open).filter(|(_, open)| !**open).map(|(p, _)| p).collect();
    let wall = unseen_wall(&look, &closed);
    if !aperture.holes.is_empty() {
        aperture.wall = wall;
    } else if let Some(share) = unclear {
        aperture.wall = wall;
        aperture.holes.push(Throat { voxels: throat.voxels.clone(), share: Some(share), ..*throat });
    } else {
        let inner: Vec<usize> = (0..places.len()).filter(|&k| places[k].seen.distance_mm <= 0.0).collect();
        let mean = if inner.is_empty() { 1.0 } else { shares.mean(&inner) };
        let if_empty = if_empty(throat.area_mm2, shares.spread_mm2);
        let share = Share { mean, error: shares.noise, if_empty, is_wall: true, of_sheet: None };
        aperture.holes.push(Throat { voxels: wall, share: Some(share), ..*throat });
    }
    Some(aperture)
}

/// The voxels of the wall across a place that is open, and up to `follows_mm` from it those of what passes.
fn across(look: &Look<'_>, at: [f64; 2], follows_mm: f64) -> impl Iterator<Item = [usize; 3]> {
    let voxel_mm = look.grid.finest_mm();
    let steps = (2.0 * f64::max(PASSES_MM, look.plate_mm) / voxel_mm).ceil() as i32;
    (-steps..=steps).filter_map(move |step| {
        let above = 0.5 * f64::from(step) * voxel_mm;
        let voxel = look.grid.nearest_voxel(look.surface.point(at, above));
        let is_beside = || above.abs() <= follows_mm && look.is_other_surface(voxel);
        (above.abs() <= look.half_wall_mm() || is_beside()).then_some(voxel)
    })
}

/// The places that are wall, of those that are `closed`, and show no bone yet. A step alone is no wall: what is closed
/// around it must have the mass.
fn unseen_wall(look: &Look<'_>, closed: &[&Place]) -> Vec<[usize; 3]> {
    let has_mass = |p: &Place| {
        let near = closed.iter().filter(|q| apart_mm(p.seen.at, q.seen.at) <= AROUND_MM);
        let (sum, count) = near.fold((0.0, 0.0), |(sum, count), q| (sum + q.mass_share, count + 1.0));
        sum >= WALL_SHARE * count
    };
    let is_wall = |p: &&&Place| p.share >= WALL_SHARE && !look.is_bone(p.seen.at) && has_mass(p);
    closed.iter().filter(is_wall).map(|p| p.seen.voxel).collect()
}
