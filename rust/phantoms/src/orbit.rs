//! A CT of an orbit: walls thinner than a voxel between fat and air, pierced by true openings.

use crate::noise::{self, Use};
use crate::shapes::{Point, length, minus, rod};
use crate::{Phantom, check_noise, check_voxels};
use ndarray::{Array2, Array3, Axis};
use rand::RngExt as _;
use rayon::prelude::*;
use skull_kernels::{Error, Grid, Job, Result};
use std::f32::consts::{FRAC_PI_2, PI, TAU};

/// A CT of an orbit.
#[derive(Debug, Clone, PartialEq)]
pub struct OrbitCt {
    /// Which anatomy, and which noise. Default 1.
    pub seed: u64,
    /// Size of a voxel. Default 0.4 x 0.4 x 0.6 mm.
    pub voxel_mm: [f64; 3],
    /// Standard deviation of the noise. Default 25 HU.
    pub noise_hu: f64,
    /// Full width at half maximum of the point spread function, in plane and along z, the voxel not included.
    /// Default 0.8 and 0.8 mm.
    pub fwhm_mm: [f64; 2],
    /// Whether the thin walls are there; without them whatever a repair finds in their place is invented.
    /// Default true.
    pub walls: bool,
}

impl Default for OrbitCt {
    fn default() -> Self {
        Self { seed: 1, voxel_mm: [0.4, 0.4, 0.6], noise_hu: 25.0, fwhm_mm: [0.8; 2], walls: true }
    }
}

/// An opening in the orbit's wall.
#[derive(Debug, Clone, PartialEq)]
pub struct Opening {
    /// What it is.
    pub name: &'static str,
    /// Its centre in the wall's mid-surface, RAS.
    pub centre_mm: [f64; 3],
    /// Diameter of the circle of equal area.
    pub diameter_mm: f64,
}

/// A drawn orbit.
#[derive(Debug, Clone, PartialEq)]
pub struct Orbit {
    /// The scan; mask `bone`: voxels that are at least half bone or hold a piece of a wall's mid-surface.
    pub phantom: Phantom,
    /// Thickness of the orbit's wall in the voxels that hold a piece of its mid-surface, else 0; mm.
    pub thickness_mm: Array3<f32>,
    /// Where the wall has a hole.
    pub openings: Vec<Opening>,
}

/// Draws a left orbit and what surrounds it.
///
/// It is drawn in steps of 0.2 mm, blurred by the point spread function and averaged over the voxels: about five
/// seconds on one core.
///
/// # Errors
/// [`Parameter`](skull_kernels::Error::Parameter) for voxels that are not between 0.1 and 5 mm, negative noise or a
/// width that is not positive; [`Cancelled`](skull_kernels::Error::Cancelled).
pub fn orbit_ct(scan: &OrbitCt, job: &Job) -> Result<Orbit> {
    check_noise(scan.noise_hu)?;
    if let Some(&value) = scan.fwhm_mm.iter().find(|fwhm| !(fwhm.is_finite() && **fwhm > 0.0)) {
        return Err(Error::Parameter { name: "fwhm_mm", value, allowed: "more than 0" });
    }
    let anatomy = Anatomy::new(scan.seed, scan.walls);
    let grid = grid(scan)?;
    let (hu, bone_share) = imaged(&anatomy, &grid, scan.fwhm_mm, &job.part(0.0, 0.9))?;
    let sigma_mm = [scan.fwhm_mm[0], scan.fwhm_mm[0], scan.fwhm_mm[1]].map(|fwhm| 0.5 * fwhm / FWHM);
    let noise = noise::correlated(scan.seed, &grid, sigma_mm, &job.part(0.9, 1.0))?;
    let mut image = Array3::zeros(grid.shape());
    ndarray::Zip::from(&mut image).and(&hu).and(&noise).par_for_each(|voxel: &mut i16, hu, noise| {
        #[allow(clippy::cast_possible_truncation, reason = "clamped to the scanner's range")]
        let value = (hu + scan.noise_hu as f32 * noise).round().clamp(-1024.0, 3071.0) as i16;
        *voxel = value;
    });
    let thickness_mm = wall_thickness(&anatomy, &grid);
    let mut bone = Array3::zeros(grid.shape());
    ndarray::Zip::from(&mut bone).and(&bone_share).and(&thickness_mm).par_for_each(|bone, &share, &thickness| {
        *bone = u8::from(share >= 0.5 || thickness > 0.0);
    });
    let canal = Opening {
        name: "optic canal",
        centre_mm: [0.0, f64::from(APEX), 0.0],
        diameter_mm: f64::from(2.0 * CANAL - CANAL_WALL),
    };
    let openings = anatomy.openings.iter().map(|hole| hole.opening(&anatomy)).chain([canal]).collect();
    Ok(Orbit { phantom: Phantom { grid, image, masks: vec![("bone", bone)] }, thickness_mm, openings })
}

/// Full width at half maximum of a Gaussian of unit standard deviation.
const FWHM: f64 = 2.354_820_045;
/// Steps in which the orbit is drawn, mm.
const STEP: f64 = 0.2;
/// The drawn box, RAS mm.
const LOW: [f64; 3] = [-24.0, -28.0, -24.0];
const HIGH: [f64; 3] = [24.0, 30.0, 24.0];
/// How far the drawn box reaches beyond the scanned one, so that the blur sees its surroundings.
const RIM: f64 = 2.0;

fn grid(scan: &OrbitCt) -> Result<Grid> {
    check_voxels(scan.voxel_mm, 0.1..=5.0, "0.1 to 5 mm")?;
    let mut rng = noise::stream(scan.seed, Use::Scanner);
    let extent = [0, 1, 2].map(|a| HIGH[a] - LOW[a] - 2.0 * RIM);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "8 to 600 voxels")]
    let size = [0, 1, 2].map(|a| (extent[a] / scan.voxel_mm[a] - 1.0).floor() as usize);
    // The voxels' phase is left to chance, as in a scan.
    let origin = [0, 1, 2].map(|a| LOW[a] + RIM + scan.voxel_mm[a] * (0.5 + rng.random_range(0.0..1.0)));
    let axes = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    Grid::new(size, scan.voxel_mm, axes, origin)
}

const AIR: f32 = -1000.0;
const FAT: f32 = -100.0;
const MUSCLE: f32 = 55.0;
const BRAIN: f32 = 35.0;
const MUCOSA: f32 = 42.0;
const VITREOUS: f32 = 12.0;
const NERVE: f32 = 38.0;
const THIN_BONE: f32 = 1000.0;
const THICK_BONE: f32 = 1350.0;

/// Radius of the optic canal's wall, to its middle.
const CANAL: f32 = 3.2;
const CANAL_WALL: f32 = 2.0;

/// Farther than this from the wall, mm, neither it nor its holes have to be looked at.
const NEAR: f32 = 5.0;

/// y of the apex, where the wall becomes the optic canal, and of the front edge.
const APEX: f32 = -21.0;
const FRONT: f32 = 16.0;
/// Radius of the skin's curve, whose centre is behind the orbit.
const SKIN: (Point, f32) = ([4.0, -34.0, 0.0], 58.0);

/// A socket around the y axis: x to the right (medial, as it is a left orbit), y to the front, z up.
///
/// A place of the wall is named by its angle about the axis, 0 medial and a quarter turn up, and its y.
struct Anatomy {
    walls: bool,
    bulge: [f32; 3],
    /// Thickness of the thinnest parts: floor, medial wall, roof.
    thin: [f32; 3],
    waves: [[f32; 4]; 6],
    septa: [f32; 2],
    septum: f32,
    openings: Vec<Hole>,
}

/// An elliptic hole in the wall.
struct Hole {
    name: &'static str,
    angle: f32,
    y: f32,
    /// Half axes, mm, and the turn of the first from around the socket to along it.
    axes: [f32; 2],
    roll: f32,
}

const MEDIAL: f32 = 0.0;
const ROOF: f32 = FRAC_PI_2;
const LATERAL: f32 = PI;
const FLOOR: f32 = -FRAC_PI_2;

impl Anatomy {
    fn new(seed: u64, walls: bool) -> Self {
        let mut rng = noise::stream(seed, Use::Anatomy);
        let mut near = |value: f32, by: f32| value + rng.random_range(-by..by);
        let mut hole = |name, angle: f32, y: f32, axes: [f32; 2], roll: f32| Hole {
            name,
            angle: near(angle, 0.08),
            y: near(y, 0.8),
            axes: axes.map(|a| near(a, 0.12 * a)),
            roll: near(roll, 0.2),
        };
        let openings = vec![
            hole("superior orbital fissure", 0.62 * PI, -14.0, [1.1, 4.6], 0.3),
            hole("inferior orbital fissure", LATERAL + 0.34 * PI, -4.0, [1.2, 6.5], 0.1),
            hole("infraorbital foramen", FLOOR - 0.25, 9.5, [1.2, 1.3], 0.0),
            hole("anterior ethmoidal foramen", 0.17 * PI, 3.0, [0.7, 0.8], 0.0),
            hole("posterior ethmoidal foramen", 0.16 * PI, -9.0, [0.6, 0.7], 0.0),
            hole("zygomaticofacial foramen", LATERAL + 0.12, 8.0, [0.7, 0.7], 0.0),
            hole("blow-out fracture", FLOOR + 0.45, -1.0, [2.6, 3.8], 0.4),
        ];
        Self {
            walls,
            bulge: std::array::from_fn(|_| near(0.0, 0.9)),
            thin: [near(0.28, 0.06), near(0.25, 0.05), near(0.55, 0.15)],
            waves: std::array::from_fn(|i| {
                [near(0.0, 0.35), near(0.35, 0.15), near(1.0 + (i % 3) as f32, 0.4).round(), near(0.0, PI)]
            }),
            septa: [near(6.5, 1.0), near(0.0, 3.0)],
            septum: near(0.30, 0.08),
            openings,
        }
    }

    /// Distance of the wall's mid-surface from the axis.
    fn radius(&self, angle: f32, y: f32) -> f32 {
        let share = ((y - APEX) / (FRONT - APEX)).clamp(0.0, 1.2);
        // A rounded cone, widest a little behind the rim.
        let round = CANAL + 15.6 * (1.0 - (1.0 - share).max(0.0).powf(1.7)) - 1.5 * share.powi(4);
        let shape =
            self.bulge[0] * (2.0 * angle).cos() + self.bulge[1] * (3.0 * angle).sin() + self.bulge[2] * (y / 9.0).sin();
        round + shape * (share * (1.2 - share)).max(0.0) * 2.0
    }

    /// Cosine of the angle between the wall's normal and the direction away from the axis.
    fn slant(&self, angle: f32, y: f32) -> f32 {
        let slope = (self.radius(angle, y + 0.2) - self.radius(angle, y - 0.2)) / 0.4;
        1.0 / (1.0 + slope * slope).sqrt()
    }

    /// How much the wall belongs to the floor, the medial wall and the roof; the rest is lateral.
    fn shares(angle: f32) -> [f32; 3] {
        let near = |centre: f32, half: f32| {
            let off = (angle - centre + PI).rem_euclid(TAU) - PI;
            ((half - off.abs()) / 0.16 + 0.5).clamp(0.0, 1.0)
        };
        [near(FLOOR, 0.24 * PI), near(MEDIAL, 0.26 * PI), near(ROOF, 0.24 * PI)]
    }

    /// Thickness of the wall, mm; the holes are not in it.
    fn thickness(&self, angle: f32, y: f32) -> f32 {
        if !(APEX - 20.0..FRONT + 2.0).contains(&y) {
            return 0.0;
        }
        let wave: f32 = self
            .waves
            .iter()
            .map(|[amplitude, pitch, turns, phase]| amplitude * (pitch * y + turns * angle + phase).sin())
            .sum();
        let shares = Self::shares(angle);
        let strongest = shares.into_iter().fold(0.0, f32::max);
        let thin: f32 = shares.iter().zip(self.thin).map(|(share, t)| share * t).sum::<f32>()
            / shares.iter().sum::<f32>().max(1e-3);
        let thin = (thin * (0.6 * wave).exp()).clamp(0.15, 1.2);
        let lateral = 2.2 + 0.5 * wave;
        let ridge = 2.4 * (-((y - FRONT) / 3.0).powi(2)).exp() + 1.6 * (-((y - APEX) / 2.5).powi(2)).exp();
        let mut thickness = strongest * thin + (1.0 - strongest) * lateral + ridge;
        if y < APEX {
            thickness = CANAL_WALL;
        }
        if !self.walls && thickness < 1.0 { 0.0 } else { thickness.max(0.0) }
    }

    /// Distance from the nearest hole's edge along the wall, roughly; negative in the hole.
    fn hole_edge(&self, angle: f32, y: f32) -> f32 {
        self.openings.iter().map(|hole| hole.distance(self, angle, y)).fold(f32::INFINITY, f32::min)
    }

    /// HU without blur, and share of bone, of a cube of edge `STEP` at a place.
    fn at(&self, p: Point) -> (f32, f32) {
        let [x, y, z] = p;
        let (rho, angle) = (x.hypot(z), z.atan2(x));
        let off_axis = rho - self.radius(angle, y);
        let is_near = off_axis.abs() < NEAR;
        let from_wall = if is_near { off_axis * self.slant(angle, y) } else { off_axis };
        let in_hole = is_near && self.hole_edge(angle, y) < 0.0;
        let thickness = if is_near && !in_hole { self.thickness(angle, y) } else { 0.0 };
        let mut share = overlap(from_wall, thickness);
        let mut level = if thickness > 1.0 { THICK_BONE } else { THIN_BONE };
        let from_skin = length(minus(p, SKIN.0)) - SKIN.1;
        let soft = if from_skin > 0.0 {
            AIR
        } else if from_skin > -2.5 || y > FRONT + 2.0 && !in_eye(p) {
            MUSCLE
        } else if from_wall < 0.0 || in_eye(p) {
            contents(p)
        } else {
            let partition = Self::partition(p, rho, angle);
            if partition > share {
                (share, level) = (partition, THICK_BONE);
            }
            let septum = self.septum(p, angle);
            if septum > share {
                (share, level) = (septum, THIN_BONE);
            }
            Self::beyond(p, angle, from_wall, in_hole)
        };
        (soft + share * (level - soft), share)
    }

    /// What lies outside the wall.
    fn beyond(p: Point, angle: f32, depth: f32, in_hole: bool) -> f32 {
        let [floor, medial, roof] = Self::shares(angle);
        let [x, y, z] = p;
        let lining = 0.5 * (1.0 + (0.45 * x + 0.3 * y).sin() * (0.38 * z + 1.0).cos()) - 0.3;
        if y < APEX || roof > 0.5 && !in_hole {
            BRAIN
        } else if in_hole && depth < 2.5 {
            FAT
        } else if floor > 0.5 || medial > 0.5 {
            if depth < lining { MUCOSA } else { AIR }
        } else if roof > 0.5 {
            BRAIN
        } else {
            MUSCLE
        }
    }

    /// Share of thick bone between what lies beyond the four walls, before it (the face's own surface) and behind.
    fn partition([_, y, _]: Point, rho: f32, angle: f32) -> f32 {
        let ends = overlap(y - (FRONT + 0.5), 2.4).max(overlap(y - APEX, 1.6));
        if !(APEX..FRONT).contains(&y) {
            return ends;
        }
        let between = [-0.74 * PI, -0.26 * PI, 0.26 * PI, 0.74 * PI];
        let nearest = between.map(|b| (angle - b).abs()).into_iter().fold(f32::INFINITY, f32::min);
        ends.max(overlap(nearest * rho, 1.6))
    }

    /// Share of a thin septum between the air cells beyond the medial wall.
    fn septum(&self, [_, y, _]: Point, angle: f32) -> f32 {
        let [_, medial, _] = Self::shares(angle);
        let [pitch, first] = self.septa;
        let off = (((y - first) / pitch).rem_euclid(1.0) - 0.5) * pitch;
        if medial > 0.5 && self.walls && (APEX..FRONT).contains(&y) { overlap(off, self.septum) } else { 0.0 }
    }
}

const EYE: (Point, f32) = ([0.0, 9.0, 0.0], 11.8);

fn in_eye(p: Point) -> bool {
    length(minus(p, EYE.0)) < EYE.1
}

/// The eye, its muscles and nerve in fat.
fn contents(p: Point) -> f32 {
    let eye = length(minus(p, EYE.0)) - EYE.1;
    if eye < -1.0 {
        return VITREOUS;
    }
    let around = [[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]];
    let muscle = around
        .map(|[x, z]| rod(p, [2.0 * x, APEX + 2.0, 2.0 * z], [11.5 * x, 6.0, 11.5 * z], [1.0, 1.7]))
        .into_iter()
        .fold(f32::INFINITY, f32::min);
    let nerve = rod(p, [0.0, APEX - 20.0, 0.0], [0.0, -1.0, 0.0], [1.7, 2.0]);
    if eye < 0.0 || muscle < 0.0 {
        MUSCLE
    } else if nerve < 0.0 {
        NERVE
    } else {
        FAT
    }
}

impl Hole {
    fn distance(&self, anatomy: &Anatomy, angle: f32, y: f32) -> f32 {
        let around = ((angle - self.angle + PI).rem_euclid(TAU) - PI) * anatomy.radius(self.angle, self.y);
        let along = (y - self.y) / anatomy.slant(self.angle, self.y);
        let (sin, cos) = self.roll.sin_cos();
        let [a, b] = self.axes;
        let scaled = ((cos * around + sin * along) / a).hypot((cos * along - sin * around) / b);
        (scaled - 1.0) * a.min(b)
    }

    fn opening(&self, anatomy: &Anatomy) -> Opening {
        let radius = anatomy.radius(self.angle, self.y);
        let centre = [radius * self.angle.cos(), self.y, radius * self.angle.sin()];
        let diameter = 2.0 * (self.axes[0] * self.axes[1]).sqrt();
        Opening { name: self.name, centre_mm: centre.map(f64::from), diameter_mm: f64::from(diameter) }
    }
}

/// Share of a step centred `distance` from the middle of a plate that the plate fills.
fn overlap(distance: f32, thickness: f32) -> f32 {
    let half = 0.5 * STEP as f32;
    let (low, high) = ((distance - half).max(-0.5 * thickness), (distance + half).min(0.5 * thickness));
    ((high - low) / (2.0 * half)).max(0.0)
}

/// The drawn orbit seen through the point spread function and averaged over the grid's voxels: HU, and share of bone.
fn imaged(anatomy: &Anatomy, grid: &Grid, fwhm_mm: [f64; 2], job: &Job) -> Result<(Array3<f32>, Array3<f32>)> {
    let steps = [0, 1, 2].map(|a| ((HIGH[a] - LOW[a]) / STEP).round() as usize);
    let [blur_x, blur_y, blur_z] = [0, 1, 2].map(|a| weights(grid, a, steps[a], fwhm_mm[a / 2] / FWHM));
    let [box_x, box_y, box_z] = [0, 1, 2].map(|a| weights(grid, a, steps[a], 0.0));
    let [nx, ny, nz] = grid.size();
    let mut hu = Array3::<f32>::zeros((steps[2], ny, nx));
    let mut bone = hu.clone();
    let place = |axis: usize, step: usize| (LOW[axis] + (step as f64 + 0.5) * STEP) as f32;
    let planes = job.steps(steps[2]);
    (hu.axis_iter_mut(Axis(0)), bone.axis_iter_mut(Axis(0))).into_par_iter().enumerate().try_for_each(
        |(k, (mut hu, mut bone))| {
            let drawn = |i: usize, j: usize| anatomy.at([place(0, i), place(1, j), place(2, k)]);
            let both = Array2::from_shape_fn((steps[1], steps[0]), |(j, i)| drawn(i, j));
            hu.assign(&blur_y.dot(&both.mapv(|b| b.0)).dot(&blur_x.t()));
            bone.assign(&box_y.dot(&both.mapv(|b| b.1)).dot(&box_x.t()));
            planes.step()
        },
    )?;
    let along_z = |stack: Array3<f32>, weights: &Array2<f32>| {
        let flat = stack.into_shape_with_order((steps[2], ny * nx)).expect("standard layout");
        let mut out = Array2::zeros((nz, ny * nx));
        (out.axis_iter_mut(Axis(0)), weights.axis_iter(Axis(0)))
            .into_par_iter()
            .for_each(|(mut slice, weights)| slice.assign(&weights.dot(&flat)));
        out.into_shape_with_order((nz, ny, nx)).expect("standard layout")
    };
    Ok((along_z(hu, &blur_z), along_z(bone, &box_z)))
}

/// How much each drawn step along an axis counts in each voxel: a Gaussian over the voxel's width.
fn weights(grid: &Grid, axis: usize, steps: usize, sigma_mm: f64) -> Array2<f32> {
    let width = grid.spacing_mm()[axis];
    let mut weights = Array2::from_shape_fn((grid.size()[axis], steps), |(voxel, step)| {
        let centre = grid.origin_mm()[axis] + voxel as f64 * width;
        let from_centre = LOW[axis] + (step as f64 + 0.5) * STEP - centre;
        // Mean over eight places of the voxel.
        let places = (0..8).map(|i| from_centre - ((f64::from(i) + 0.5) / 8.0 - 0.5) * width);
        let weight = |d: f64| {
            let edge = ((0.5 * STEP + width / 16.0 - d.abs()) / STEP).clamp(0.0, 1.0);
            if sigma_mm > 0.0 { (-0.5 * (d / sigma_mm).powi(2)).exp() } else { edge }
        };
        places.map(weight).sum::<f64>() as f32
    });
    for mut row in weights.axis_iter_mut(Axis(0)) {
        let sum = row.sum();
        row.mapv_inplace(|w| w / sum);
    }
    weights
}

/// Thickness of the wall where its mid-surface passes through a voxel.
fn wall_thickness(anatomy: &Anatomy, grid: &Grid) -> Array3<f32> {
    const FINE: f32 = 0.1;
    let mut map = Array3::<f32>::zeros(grid.shape());
    for along in 0..((FRONT + 2.0 - LOW[1] as f32) / FINE) as usize {
        let y = LOW[1] as f32 + along as f32 * FINE;
        let around = (TAU * anatomy.radius(0.0, y).max(CANAL) * 1.2 / FINE) as usize;
        for step in 0..around {
            let angle = (step as f32 / around as f32 - 0.5) * TAU;
            let thickness = anatomy.thickness(angle, y);
            if thickness <= 0.0 || anatomy.hole_edge(angle, y) < 0.0 {
                continue;
            }
            let radius = anatomy.radius(angle, y);
            let place = [radius * angle.cos(), y, radius * angle.sin()].map(f64::from);
            let index = grid.index(place).map(f64::round);
            if index.iter().zip(grid.size()).all(|(&i, n)| i >= 0.0 && i < n as f64) {
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the grid")]
                let [x, y, z] = index.map(|i| i as usize);
                map[[z, y, x]] = map[[z, y, x]].max(thickness);
            }
        }
    }
    map
}
