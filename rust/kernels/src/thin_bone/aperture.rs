//! An opening of a thin wall, fitted: how much of the wall is missing, where, and what of it only noise hid.
//!
//! Across a wall of mass m with a hole, the blur shows m (1 − h), with h the blurred shape of the hole: however wide
//! the blur, the missing mass summed over the wall's surface and divided by the mass around is the hole's area. All
//! places of an opening share one surface, that of the wall around, so the step between both media and the plate's
//! mass are fitted linearly at a known place: their share of what the wall around shows tells wall from hole where
//! one profile alone could not. The places that lack most are open, as many as make up the area.

use super::directions;
use super::linalg::{Vec3, dot, extent_mm, median, solve};
use super::measure::Scale;
use super::openings::{Share, Throat};
use super::profile::{POOL_MM, Profile};
use super::psf::EdgeTable;
use super::scan::{Scan, Walls};
use super::wall_surface::{Columns, Surface};
use crate::grid::ravel;
use crate::{Grid, Voxel};
use ndarray::ArrayRef3;
use std::f64::consts::{PI, TAU};

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

/// Walls whose normals differ less than about 40 degrees from the opening's axis are those it is in.
const LEAST_COSINE: f64 = 0.77;
/// The wall around is looked at this far from the opening, beyond the reach of its blur.
const RIM_MM: std::ops::Range<f64> = 0.8..3.0;
/// So much of what lies there must be wall, in so many of eight sectors, and so many voxels of it.
const RIM_SHARE: f64 = 0.5;
const LEAST_SECTORS: usize = 6;
const LEAST_RIM: usize = 12;
/// No more of them are weighed.
const MOST_RIM: usize = 120;
/// Thicker walls have edges of their own.
const THICK_MM: f32 = 2.5;
/// No plate is modelled thinner than this.
const LEAST_PLATE_MM: f64 = 0.3;
/// Where the wall around scatters by more than this share of itself, it is not told from nothing.
const MOST_NOISE: f64 = 1.0 / 3.0;
/// A place holds no more than the wall around and so many times its noise: what shows more is another bone.
const MOST_ERRORS: f64 = 2.0;
/// Profiles are fitted this far beyond the plate, in standard deviations of the spread.
const WINDOW_SIGMAS: f64 = 2.7;
/// A hole may reach this far into what was taken for wall, and its blurred edge half as far.
const AROUND_MM: f64 = 1.0;
/// Places with less than this share of the wall belong to a hole or its blurred edge.
const EDGE_SHARE: f64 = 0.7;
/// A place with more than this share is wall, unless a hole as small as what is missing would show as much.
const WALL_SHARE: f64 = 0.5;
const SHARE_ERROR: f64 = 0.15;
/// At least this share of a hole lies within what is looked at; its area is found in so many rounds.
const LEAST_WITHIN: f64 = 0.5;
const ROUNDS: usize = 4;
/// An empty slit shows more of its wall than a round hole of its area. So does a thin place of a wall, but it lacks
/// less than this, in standard errors.
const SLIT_ERRORS: f64 = 7.0;
/// What is left unexplained tells of another medium where it exceeds so many variances of the noise, and the step is
/// below this share of the wall's around.
const UNEXPLAINED: f64 = 8.0;
const SMALL_STEP: f64 = 0.7;
/// Bone is brighter than its media by this, at least.
const LEAST_CONTRAST_HU: f64 = 200.0;
/// What passes a hole is followed this far.
const PASSES_MM: f64 = 3.0;
/// It shows where the media on both sides of the wall differ by this, HU.
const PASSES_HU: f64 = 250.0;

/// A voxel on the wall's surface.
#[derive(Clone, Copy)]
struct Seen {
    voxel: [usize; 3],
    /// On the plane across the axis, from the opening's middle, mm.
    at: [f64; 2],
    /// Of the voxel over the surface, mm.
    above: f64,
    /// mm from the opening; infinite beyond the rim.
    distance_mm: f64,
}

/// What the wall holds there.
struct Place {
    voxel: [usize; 3],
    at: [f64; 2],
    distance_mm: f64,
    /// The medium against the axis (HU), step (HU) and mass (HU·mm), and the weights of these two in the sum of squares:
    /// step², both, mass².
    medium: f64,
    fit: [f64; 2],
    weights: [f64; 3],
    /// Share of the wall around, and what the mass alone says.
    share: f64,
    mass_share: f64,
}

impl Place {
    fn missing(&self) -> f64 {
        1.0 - self.share
    }
}

fn apart_mm(a: [f64; 2], b: [f64; 2]) -> f64 {
    square_apart(a, b).sqrt()
}

fn square_apart(a: [f64; 2], b: [f64; 2]) -> f64 {
    (a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2)
}

/// Places on the plane across the axis, mm.
struct Patch {
    places: Vec<[f64; 2]>,
    /// They lie between these.
    low: [f64; 2],
    high: [f64; 2],
}

impl Patch {
    fn new(places: Vec<[f64; 2]>) -> Self {
        let low = [0, 1].map(|a| places.iter().map(|p| p[a]).fold(f64::INFINITY, f64::min));
        let high = [0, 1].map(|a| places.iter().map(|p| p[a]).fold(f64::NEG_INFINITY, f64::max));
        Self { places, low, high }
    }

    /// How far the nearest of them is, infinitely if farther than `most_mm`.
    fn nearest_mm(&self, at: [f64; 2], most_mm: f64) -> f64 {
        if [0, 1].iter().any(|&a| at[a] < self.low[a] - most_mm || at[a] > self.high[a] + most_mm) {
            return f64::INFINITY;
        }
        let nearest = self.places.iter().map(|&p| square_apart(at, p)).fold(f64::INFINITY, f64::min).sqrt();
        if nearest <= most_mm { nearest } else { f64::INFINITY }
    }
}

/// Whether a throat's fit looks at one of some voxels.
pub(super) fn looks_at(throat: &Throat, voxels: &[[usize; 3]], grid: &Grid) -> bool {
    let reach_mm = reach_mm(throat, grid);
    // and to the next voxel on either side of the wall, as far as both are rounded
    let reach = grid.spacing_mm().map(|s| (reach_mm / s).ceil() as usize + 2);
    let middle = grid.nearest_voxel(throat.middle_mm);
    voxels.iter().any(|v| (0..3).all(|a| v[a].abs_diff(middle[a]) <= reach[a]))
}

/// How far around its middle a throat's wall is looked at.
fn reach_mm(throat: &Throat, grid: &Grid) -> f64 {
    let spacing = grid.spacing_mm();
    let from_middle = |i: &[usize; 3]| [0, 1, 2].map(|a| i[a] as f64 * spacing[a] - throat.middle_mm[a]);
    throat.voxels.iter().map(|i| dot(from_middle(i), from_middle(i)).sqrt()).fold(0.0, f64::max) + RIM_MM.end
}

/// Looks closely at one throat of the bone `full`; `None` where no wall thin and even enough surrounds it.
pub(super) fn fit<T: Voxel>(
    scan: &Scan<'_, T>,
    full: &ArrayRef3<u8>,
    walls: &Walls,
    throat: &Throat,
) -> Option<Aperture> {
    let Scan { ct, grid, ref scale, .. } = *scan;
    let Walls { pieces, index } = walls;
    let (size, spacing) = (grid.size(), grid.spacing_mm());
    let from_middle = |p: Vec3| [0, 1, 2].map(|a| p[a] - throat.middle_mm[a]);
    let mm = |i: [usize; 3]| [0, 1, 2].map(|a| i[a] as f64 * spacing[a]);
    let length = |p: Vec3| dot(p, p).sqrt();
    let reach_mm = reach_mm(throat, grid);
    let reach = spacing.map(|s| (reach_mm / s).ceil() as usize);
    let mut walls = Vec::new();
    index.around(grid.nearest_voxel(throat.middle_mm), reach, |j| {
        let node = &pieces[j];
        let is_parallel = || dot(node.n(), throat.axis).abs() >= LEAST_COSINE;
        let height = || dot(from_middle(node.middle(grid)), throat.axis).abs();
        if node.is_bone && node.thickness_mm < THICK_MM && is_parallel() && height() < 0.5 * reach_mm {
            walls.push(node);
        }
    });
    if walls.len() < LEAST_RIM {
        return None;
    }
    let mut thickness: Vec<f64> = walls.iter().map(|w| f64::from(w.thickness_mm)).collect();
    let plate_mm = median(&mut thickness).max(LEAST_PLATE_MM);
    let surface = Surface::new(throat, &walls, grid)?;

    // voxels within half a voxel of the surface: each stands for its volume over that height
    let direction = directions::nearest(surface.n);
    let support_mm = 0.5 * extent_mm(directions::vector(direction), spacing);
    let place_mm2 = grid.voxel_mm3() / (2.0 * support_mm);
    let voxel_mm = spacing.into_iter().fold(f64::INFINITY, f64::min);
    let mut seen = Vec::new();
    surface.voxels(reach_mm, support_mm, grid, |voxel, at, above| {
        seen.push(Seen { voxel, at, above, distance_mm: f64::INFINITY });
    });
    // the wall may have been put on the next voxel to either side
    let is_bone = |at: [f64; 2]| {
        [-voxel_mm, 0.0, voxel_mm].iter().any(|&above| {
            let [x, y, z] = grid.nearest_voxel(surface.point(at, above));
            full[[z, y, x]] != 0
        })
    };
    let diagonal_mm = length(spacing);
    let throat_at = Patch::new(throat.voxels.iter().map(|&i| surface.project(mm(i)).0).collect());
    let is_gap = |p: &&Seen| throat_at.nearest_mm(p.at, diagonal_mm).is_finite() && !is_bone(p.at);
    let gap: Vec<[f64; 2]> = seen.iter().filter(is_gap).map(|p| p.at).collect();
    let gap = if gap.is_empty() { throat_at } else { Patch::new(gap) };
    seen.iter_mut().for_each(|p| p.distance_mm = gap.nearest_mm(p.at, RIM_MM.end));

    let wall_through = |voxel: [usize; 3]| {
        let mut found = None;
        index.around(voxel, [0; 3], |j| found = Some(j));
        found
    };
    let is_parallel = |j: usize| dot(pieces[j].n(), surface.n).abs() >= LEAST_COSINE;
    let is_wall = |j: usize| pieces[j].is_bone && is_parallel(j) && pieces[j].thickness_mm < THICK_MM;
    let ring = || seen.iter().filter(|p| RIM_MM.contains(&p.distance_mm));
    let rim: Vec<Seen> = ring().filter(|p| wall_through(p.voxel).is_some_and(is_wall)).copied().collect();
    let mut sectors = [false; 8];
    for [u, v] in rim.iter().map(|p| p.at) {
        sectors[((v.atan2(u) / TAU + 0.5) * 8.0) as usize % 8] = true;
    }
    let is_around = rim.len() as f64 >= RIM_SHARE * ring().count() as f64;
    if !is_around || rim.len() < LEAST_RIM || sectors.iter().filter(|s| **s).count() < LEAST_SECTORS {
        return None;
    }
    let profile = Profile::new(direction, scale);
    let edge = EdgeTable::new(&profile.spread);
    let fit = |p: &Seen| {
        let voxel = ravel(p.voxel, size) as u32;
        let ([medium, step, mass], weights) = step_and_mass(ct, &profile, &edge, voxel, p.above, plate_mm)?;
        let Seen { voxel, at, distance_mm, .. } = *p;
        Some(Place { voxel, at, distance_mm, medium, fit: [step, mass], weights, share: 1.0, mass_share: 1.0 })
    };
    let mut rim: Vec<Place> = rim.iter().step_by(rim.len().div_ceil(MOST_RIM)).filter_map(fit).collect();
    let mut places: Vec<Place> = seen.iter().filter(|p| p.distance_mm <= AROUND_MM).filter_map(fit).collect();
    let sheet_mm = |voxels: &mut dyn Iterator<Item = [usize; 3]>| {
        let through = voxels.filter_map(wall_through).filter(|&j| is_parallel(j));
        let mut mm: Vec<f64> = through.map(|j| f64::from(pieces[j].thickness_mm)).collect();
        (!mm.is_empty()).then(|| median(&mut mm))
    };
    let rim_mm = sheet_mm(&mut rim.iter().map(|p| p.voxel))?;
    let passes = share_out(&mut places, &mut rim, rim_mm, scale);
    let noise = (rim.iter().map(|p| p.missing().powi(2)).sum::<f64>() / rim.len() as f64).sqrt();
    if noise > MOST_NOISE {
        return None;
    }
    let most = 1.0 + MOST_ERRORS * noise;
    places.iter_mut().for_each(|p| p.share = p.share.min(most));

    let spread_mm2 = profile.spread.sigma.powi(2) + POOL_MM.powi(2);
    let if_empty = |area_mm2: f64| if_empty(area_mm2, spread_mm2);
    let mut aperture = Aperture::default();
    let mut unclear = None;
    let mut is_open = vec![false; places.len()];
    let columns = Columns { surface: &surface, reach_mm: support_mm + 0.5 * plate_mm, grid };
    let hollow: Vec<usize> = (0..places.len()).filter(|&k| places[k].share < EDGE_SHARE).collect();
    for part in connected(&hollow, |a, b| apart_mm(places[a].at, places[b].at) <= diagonal_mm) {
        let Some((mut open, area_mm2)) = lacking(&places, &part, place_mm2, spread_mm2) else { continue };
        let by_area = ((area_mm2 / place_mm2).round() as usize).min(open.len());
        let hole = open[..by_area].to_vec();
        let share_of = |open: &[usize]| {
            let total: f64 = open.iter().map(|&k| places[k].missing()).sum();
            let at = [0, 1].map(|a| open.iter().map(|&k| places[k].missing() * places[k].at[a]).sum::<f64>() / total);
            let inner_mm = (0.25 * area_mm2 / PI).sqrt();
            let inner: Vec<usize> = open.iter().copied().filter(|&k| apart_mm(places[k].at, at) <= inner_mm).collect();
            let inner = if inner.is_empty() { &open[..1] } else { &inner };
            let of_sheet = sheet_mm(&mut inner.iter().map(|&k| places[k].voxel)).map(|mm| mm / rim_mm);
            let mean = mean_share(&places, inner);
            let is_slit = 1.0 - mean >= SLIT_ERRORS * noise;
            let by_shape = if is_slit { if_empty_at(&places, &hole, inner, spread_mm2) } else { 0.0 };
            (at, Share { mean, error: noise, if_empty: if_empty(area_mm2).max(by_shape), is_wall: false, of_sheet })
        };
        open.truncate(if share_of(&hole).1.is_hole() {
            let order: Vec<[f64; 2]> = open.iter().map(|&k| places[k].at).collect();
            columns.until_free(&order, area_mm2, full, scan.base)
        } else {
            by_area
        });
        let (at, share) = share_of(&open);
        if !share.is_clear() {
            unclear.get_or_insert(share);
            continue;
        }
        let follows = if passes && (share.is_empty() || share.is_hole()) { PASSES_MM } else { 0.0 };
        for &k in &open {
            is_open[k] = true;
            let steps = (2.0 * f64::max(PASSES_MM, plate_mm) / voxel_mm).ceil() as i32;
            for step in -steps..=steps {
                let above = 0.5 * f64::from(step) * voxel_mm;
                let voxel = grid.nearest_voxel(surface.point(places[k].at, above));
                // farther away only the surface of what passes
                let is_surface = |j: usize| !is_parallel(j) || !pieces[j].is_sure;
                let is_beside = || above.abs() <= follows && wall_through(voxel).is_some_and(is_surface);
                if above.abs() <= support_mm + 0.5 * plate_mm || is_beside() {
                    aperture.free.push(voxel);
                }
            }
        }
        aperture.holes.push(Throat {
            middle_mm: surface.point(at, 0.0),
            axis: surface.n,
            area_mm2,
            voxels: open.iter().map(|&k| places[k].voxel).collect(),
            share: Some(share),
        });
    }
    let closed: Vec<&Place> = places.iter().zip(&is_open).filter(|(_, open)| !**open).map(|(p, _)| p).collect();
    // a step alone is no wall: its neighbourhood must have the mass
    let has_mass = |p: &Place| {
        let near = closed.iter().filter(|q| apart_mm(p.at, q.at) <= AROUND_MM);
        let (sum, count) = near.fold((0.0, 0.0), |(sum, count), q| (sum + q.mass_share, count + 1.0));
        sum >= WALL_SHARE * count
    };
    let wall =
        closed.iter().filter(|p| p.share >= WALL_SHARE && !is_bone(p.at) && has_mass(p)).map(|p| p.voxel).collect();
    if !aperture.holes.is_empty() {
        aperture.wall = wall;
    } else if let Some(share) = unclear {
        aperture.wall = wall;
        aperture.holes.push(Throat { voxels: throat.voxels.clone(), share: Some(share), ..*throat });
    } else {
        let inner: Vec<usize> = (0..places.len()).filter(|&k| places[k].distance_mm <= 0.0).collect();
        let mean = if inner.is_empty() { 1.0 } else { mean_share(&places, &inner) };
        let share = Share { mean, error: noise, if_empty: if_empty(throat.area_mm2), is_wall: true, of_sheet: None };
        aperture.holes.push(Throat { voxels: wall, share: Some(share), ..*throat });
    }
    Some(aperture)
}

/// The places around connected places with too little wall, those that lack most first, and the area of the hole that
/// they show; `None` where they show none.
fn lacking(places: &[Place], part: &[usize], place_mm2: f64, spread_mm2: f64) -> Option<(Vec<usize>, f64)> {
    let edge = Patch::new(part.iter().map(|&k| places[k].at).collect());
    let is_around = |&k: &usize| edge.nearest_mm(places[k].at, 0.5 * AROUND_MM).is_finite();
    let mut around: Vec<usize> = (0..places.len()).filter(is_around).collect();
    let missing_mm2 = around.iter().map(|&k| places[k].missing()).sum::<f64>() * place_mm2;
    let area_mm2 = whole_area(missing_mm2, around.len() as f64 * place_mm2, spread_mm2);
    let least = part.iter().map(|&k| places[k].share).fold(f64::INFINITY, f64::min);
    if area_mm2 < place_mm2 || least > WALL_SHARE.max(if_empty(area_mm2, spread_mm2) + SHARE_ERROR) {
        return None;
    }
    around.sort_by(|&a, &b| places[a].share.total_cmp(&places[b].share).then(a.cmp(&b)));
    Some((around, area_mm2))
}

/// The share of a wall that the middle of an empty hole shows through a blur of a variance along each direction.
fn if_empty(area_mm2: f64, spread_mm2: f64) -> f64 {
    (-area_mm2.max(0.0) / (TAU * spread_mm2)).exp()
}

/// The share of a wall that the places `seen` show through such a blur, on average, where it has a hole at `empty`.
fn if_empty_at(places: &[Place], empty: &[usize], seen: &[usize], spread_mm2: f64) -> f64 {
    let mut wall: Vec<f64> = vec![1.0; places.len()];
    empty.iter().for_each(|&k| wall[k] = 0.0);
    let share = |&k: &usize| {
        let (mut shown, mut all) = (0.0, 0.0);
        for (p, wall) in places.iter().zip(&wall) {
            let weight = (-0.5 * square_apart(p.at, places[k].at) / spread_mm2).exp();
            shown += weight * wall;
            all += weight;
        }
        shown / all
    };
    seen.iter().map(share).sum::<f64>() / seen.len() as f64
}

/// The area of a hole that has `missing_mm2` of it within `looked_at_mm2` around its middle: blur takes the rest
/// farther. Holes much wider than the blur keep all but little.
fn whole_area(missing_mm2: f64, looked_at_mm2: f64, spread_mm2: f64) -> f64 {
    let mut area_mm2 = missing_mm2;
    for _ in 0..ROUNDS {
        // blurred, the hole is nearly a Gaussian of its own variance and the blur's
        let variance_mm2 = spread_mm2 + 0.5 * area_mm2 / TAU;
        let within = 1.0 - (-looked_at_mm2 / (TAU * variance_mm2)).exp();
        area_mm2 = missing_mm2 / within.max(LEAST_WITHIN);
    }
    if area_mm2 < 2.0 * TAU * spread_mm2 { area_mm2 } else { missing_mm2 }
}

fn mean_share(places: &[Place], of: &[usize]) -> f64 {
    of.iter().map(|&k| places[k].share).sum::<f64>() / of.len() as f64
}

/// Medium, step and mass of a wall `plate_mm` thick through a voxel that lies `above` its surface, with the weights of both.
fn step_and_mass<T: Voxel>(
    ct: &ArrayRef3<T>,
    profile: &Profile,
    edge: &EdgeTable,
    voxel: u32,
    above: f64,
    plate_mm: f64,
) -> Option<([f64; 3], [f64; 3])> {
    let (values, _) = profile.values(ct, voxel);
    let half = 0.5 * plate_mm;
    let window = WINDOW_SIGMAS * profile.spread.sigma + half;
    let (mut normal, mut right) = ([[0.0; 3]; 3], [0.0; 3]);
    for b in (0..profile.bins).filter(|&b| profile.weight[b] > 0.0) {
        let s = profile.distance_mm[b] + above;
        if s.abs() > window {
            continue;
        }
        let root = profile.weight[b].sqrt();
        let plate = (edge.at(s + half) - edge.at(s - half)) / (2.0 * half);
        let row = [root, root * edge.at(s), root * plate];
        for i in 0..3 {
            right[i] += row[i] * f64::from(values[b]);
            for j in 0..=i {
                normal[i][j] += row[i] * row[j];
            }
        }
    }
    let found = solve(normal, right)?;
    let rest = |i: usize, j: usize| normal[i][j] - normal[i][0] * normal[j][0] / normal[0][0];
    Some((found, [rest(1, 1), rest(2, 1), rest(2, 2)]))
}

/// Gives each place, of the `rim` too, its share of the wall around it, by the better of two explanations of what is
/// not wall: one medium on both sides, or the step between both media. Where neither is true because another medium
/// begins, such as a second wall that joins from there, the mass alone counts. Returns whether one medium passes where
/// there were two.
///
/// Next to air the wall around, `rim_mm` thick, may have mucosa on it that the place lacks: where nothing passes, what
/// shows as much as bare bone is no hole.
fn share_out(places: &mut [Place], rim: &mut [Place], rim_mm: f64, scale: &Scale) -> bool {
    let mut steps: Vec<f64> = rim.iter().map(|p| p.fit[0].abs()).collect();
    let is_at_air = median(&mut steps) >= PASSES_HU;
    let variance = scale.noise_hu.powi(2) * scale.noise_voxels;
    let mut unexplained = [0.0; 2];
    let mut found = Vec::with_capacity(places.len() + rim.len());
    for p in places.iter().chain(&*rim) {
        let (mut wall, mut sum) = ([0.0; 2], 0.0);
        for r in &*rim {
            let weight = 1.0 / (square_apart(r.at, p.at) + 0.25);
            wall = [0, 1].map(|k| wall[k] + weight * r.fit[k]);
            sum += weight;
        }
        let wall = wall.map(|w| w / sum);
        let contrast = |step: f64| (scale.bone_hu - p.medium - 0.5 * step).max(LEAST_CONTRAST_HU);
        let bare = if is_at_air { wall[1].min(rim_mm * contrast(wall[0])) } else { wall[1] };
        let product = |a: [f64; 2], b: [f64; 2]| {
            a[0] * b[0] * p.weights[0] + (a[0] * b[1] + a[1] * b[0]) * p.weights[1] + a[1] * b[1] * p.weights[2]
        };
        let (mut shares, mut rests) = ([0.0; 2], [0.0; 2]);
        for (k, (empty, whole)) in [([0.0; 2], wall), ([wall[0], 0.0], [0.0, bare])].into_iter().enumerate() {
            let seen = [0, 1].map(|i| p.fit[i] - empty[i]);
            // nothing lacks more than all
            shares[k] = (product(seen, whole) / product(whole, whole).max(1e-9)).max(0.0);
            let rest = [0, 1].map(|i| seen[i] - shares[k].min(1.0) * whole[i]);
            rests[k] = product(rest, rest);
            if p.distance_mm <= 0.0 {
                unexplained[k] += rests[k];
            }
        }
        // beside a greater step a wall slightly off the surface would pass for mass
        let by_mass = (p.fit[0].abs() <= SMALL_STEP * wall[0].abs()).then(|| {
            let whole = wall[1] * contrast(p.fit[0]) / contrast(wall[0]);
            (p.fit[1] / whole.max(1e-9)).max(0.0)
        });
        found.push((shares, by_mass, rests.map(|rest| rest > UNEXPLAINED * variance)));
    }
    let passes = unexplained[0] <= unexplained[1];
    let better = usize::from(!passes);
    // mucosa makes up for no hole beside
    let most = if is_at_air && !passes { 1.0 } else { f64::INFINITY };
    for (p, (shares, by_mass, is_other)) in places.iter_mut().chain(rim).zip(found) {
        p.share = by_mass.filter(|_| is_other[better]).unwrap_or(shares[better]).min(most);
        p.mass_share = shares[1];
    }
    passes && is_at_air
}

/// Splits a list into parts in which neighbours lead from one to all.
fn connected(of: &[usize], are_neighbours: impl Fn(usize, usize) -> bool) -> Vec<Vec<usize>> {
    let mut left = of.to_vec();
    let mut parts = Vec::new();
    while !left.is_empty() {
        let mut part = vec![left.remove(0)];
        let mut next = 0;
        while next < part.len() {
            let here = part[next];
            next += 1;
            left.retain(|&k| {
                let joins = are_neighbours(here, k);
                if joins {
                    part.push(k);
                }
                !joins
            });
        }
        part.sort_unstable();
        parts.push(part);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_slit_shows_more_of_its_wall_than_a_round_hole_of_its_area() {
        const STEP_MM: f64 = 0.2;
        let spread_mm2: f64 = 0.36;
        // the wall reaches as far around the hole as it does where one is looked at
        let shown = |half: [f64; 2], is_round: bool| {
            let all = (-30..=30).flat_map(|y| (-30..=30).map(move |x| [x, y].map(|i: i32| f64::from(i) * STEP_MM)));
            let is_in = |at: [f64; 2], by: f64| {
                let [x, y] = [0, 1].map(|a| at[a].abs() / (half[a] + by));
                if is_round { x.hypot(y) <= 1.0 } else { x.max(y) <= 1.0 }
            };
            let place = |at| Place {
                voxel: [0; 3],
                at,
                distance_mm: 0.0,
                medium: 0.0,
                fit: [0.0; 2],
                weights: [0.0; 3],
                share: 0.0,
                mass_share: 0.0,
            };
            let places: Vec<Place> = all.filter(|&at| is_in(at, AROUND_MM)).map(place).collect();
            let empty: Vec<usize> = (0..places.len()).filter(|&k| is_in(places[k].at, 0.0)).collect();
            let middle = empty.iter().copied().filter(|&k| places[k].at == [0.0; 2]).collect::<Vec<_>>();
            if_empty_at(&places, &empty, &middle, spread_mm2)
        };
        let round = shown([1.6, 1.6], true);
        assert!((round - if_empty(PI * 1.6 * 1.6, spread_mm2)).abs() < 0.02, "{round}");
        // the area of the round hole, four times as long as wide; its half breadth 0.71 mm is 1.18 blurs
        let slit = shown([2.83, 0.71], false);
        assert!((slit - 0.238).abs() < 0.05, "{slit}");
    }

    #[test]
    fn a_blurred_hole_has_its_whole_area_however_little_of_it_is_looked_at() {
        const STEP_MM: f64 = 0.05;
        let spread_mm2 = 0.36;
        for (radius_mm, looked_at_mm) in [(0.6, 1.1), (0.9, 1.3), (1.2, 1.7), (3.0, 3.8)] {
            let disc = |reach_mm: f64| {
                let reach = (reach_mm / STEP_MM) as i32;
                let all = (-reach..=reach).flat_map(move |y| (-reach..=reach).map(move |x| [x, y]));
                all.map(|at| at.map(|i| f64::from(i) * STEP_MM)).filter(move |[x, y]| x.hypot(*y) <= reach_mm)
            };
            let hole: Vec<[f64; 2]> = disc(radius_mm).collect();
            // blur is even: along one radius it is known everywhere
            let missing = |r: f64| {
                let at = |q: &[f64; 2]| (-0.5 * square_apart([r, 0.0], *q) / spread_mm2).exp();
                hole.iter().map(at).sum::<f64>() * STEP_MM.powi(2) / (TAU * spread_mm2)
            };
            let rings = (looked_at_mm / STEP_MM) as i32;
            let missing_mm2: f64 =
                (0..rings).map(|k| STEP_MM * (f64::from(k) + 0.5)).map(|r| TAU * r * STEP_MM * missing(r)).sum();
            let [area_mm2, looked_at_mm2] = [radius_mm, looked_at_mm].map(|mm: f64| PI * mm * mm);
            let found = whole_area(missing_mm2, looked_at_mm2, spread_mm2) / area_mm2;
            println!("{radius_mm} mm: {:.2} seen, {found:.2} found", missing_mm2 / area_mm2);
            assert!((found - 1.0).abs() < 0.08, "{found} of the area of a hole of {radius_mm} mm");
        }
    }
}
