//! How much of the wall around each place of an opening holds.

use super::look::{Look, Seen, square_apart};
use crate::Voxel;
use crate::grid::ravel;
use crate::thin_bone::linalg::{median, solve};
use crate::thin_bone::measure::Scale;
use crate::thin_bone::profile::{POOL_MM, Profile};
use crate::thin_bone::psf::EdgeTable;
use crate::thin_bone::scan::Scan;
use ndarray::ArrayRef3;

/// A hole may reach this far into what was taken for wall, and its blurred edge half as far.
pub(super) const AROUND_MM: f64 = 1.0;
/// No more places of the wall around are weighed.
const MOST_RIM: usize = 120;
/// Where the wall around scatters by more than this share of itself, it is not told from nothing.
const MOST_NOISE: f64 = 1.0 / 3.0;
/// A place holds no more than the wall around and so many times its noise: what shows more is another bone.
const MOST_ERRORS: f64 = 2.0;
/// Profiles are fitted this far beyond the plate, in standard deviations of the spread.
const WINDOW_SIGMAS: f64 = 2.7;
/// What is left unexplained tells of another medium where it exceeds so many variances of the noise, and the step is
/// below this share of the wall's around.
const UNEXPLAINED: f64 = 8.0;
const SMALL_STEP: f64 = 0.7;
/// Bone is brighter than its media by this, at least.
const LEAST_CONTRAST_HU: f64 = 200.0;
/// What passes a hole shows where the media on both sides of the wall differ by this, HU.
const PASSES_HU: f64 = 250.0;

/// A place of the wall's surface.
pub(super) struct Place {
    pub(super) seen: Seen,
    /// The medium against the axis (HU), step (HU) and mass (HU·mm), and the weights of these two in the sum of squares:
    /// step², both, mass².
    medium: f64,
    fit: [f64; 2],
    weights: [f64; 3],
    /// Share of the wall around, and what the mass alone says.
    pub(super) share: f64,
    pub(super) mass_share: f64,
}

impl Place {
    pub(super) fn missing(&self) -> f64 {
        1.0 - self.share
    }
}

/// The places in an opening and right around it.
pub(super) struct Shares {
    pub(super) places: Vec<Place>,
    /// Scatter of the wall around, as a share of it, and its thickness.
    pub(super) noise: f64,
    pub(super) rim_mm: f64,
    /// Whether one medium passes where there are two around.
    pub(super) passes: bool,
    /// What the blur spreads along the wall, as a variance in each direction.
    pub(super) spread_mm2: f64,
}

impl Shares {
    /// `None` where the wall around is too uneven to tell one from nothing.
    pub(super) fn new<T: Voxel>(scan: &Scan<'_, T>, look: &Look<'_>) -> Option<Self> {
        let Scan { ct, grid, ref scale, .. } = *scan;
        let profile = Profile::new(look.direction, scale);
        let edge = EdgeTable::new(&profile.spread);
        let fit = |seen: &Seen| {
            let voxel = ravel(seen.voxel, grid.size()) as u32;
            let ([medium, step, mass], weights) = step_and_mass(ct, &profile, &edge, voxel, seen.above, look.plate_mm)?;
            Some(Place { seen: *seen, medium, fit: [step, mass], weights, share: 1.0, mass_share: 1.0 })
        };
        let some = look.rim.iter().step_by(look.rim.len().div_ceil(MOST_RIM));
        let mut rim: Vec<Place> = some.filter_map(fit).collect();
        let mut places: Vec<Place> = look.seen.iter().filter(|p| p.distance_mm <= AROUND_MM).filter_map(fit).collect();
        let rim_mm = look.sheet_mm(rim.iter().map(|p| p.seen.voxel))?;
        let passes = share_out(&mut places, &mut rim, rim_mm, scale);
        let noise = (rim.iter().map(|p| p.missing().powi(2)).sum::<f64>() / rim.len() as f64).sqrt();
        if noise > MOST_NOISE {
            return None;
        }
        let most = 1.0 + MOST_ERRORS * noise;
        places.iter_mut().for_each(|p| p.share = p.share.min(most));
        let spread_mm2 = profile.spread.sigma.powi(2) + POOL_MM.powi(2);
        Some(Self { places, noise, rim_mm, passes, spread_mm2 })
    }

    /// Of some of the places, on average.
    pub(super) fn mean(&self, of: &[usize]) -> f64 {
        of.iter().map(|&k| self.places[k].share).sum::<f64>() / of.len() as f64
    }
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
            let weight = 1.0 / (square_apart(r.seen.at, p.seen.at) + 0.25);
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
            if p.seen.distance_mm <= 0.0 {
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
