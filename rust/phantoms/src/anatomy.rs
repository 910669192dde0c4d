//! A head, part by part.

use crate::noise::{self, Use};
use crate::shapes::{Point, blend, block, egg, ellipsoid, minus, rod};
use rand::RngExt as _;

/// What a head is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tissue {
    Air,
    Fat,
    Muscle,
    Bone,
    Diploe,
    Tooth,
    Fluid,
    GreyMatter,
    WhiteMatter,
    Lesion,
}

/// One person's head. The origin lies midway between the ear canals; lengths are mm.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    /// Half width, length and height of the head above the ears.
    radii: Point,
    /// How much narrower the forehead is than the occiput, 1/mm.
    taper: f32,
    scalp: f32,
    skull: f32,
    fat: f32,
    neck: f32,
    ear: Point,
    /// x of the skin at the ear canal.
    flank: f32,
    nose: f32,
    /// Half height of the gap between the lips.
    gape: f32,
    ripple: [f32; 6],
}

const CENTRE: Point = [0.0, -12.0, 48.0];

/// Distances from a place to the parts of the head, mm, negative inside.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Near {
    /// All that the skin encloses.
    pub(crate) head: f32,
    /// What of the ears stands out.
    pub(crate) ears: f32,
    /// What of the nose stands out.
    pub(crate) nose: f32,
    /// The head above the ears without ears, face and neck.
    cranium: f32,
}

impl Head {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = noise::stream(seed, Use::Anatomy);
        let mut between = |low: f32, high: f32| rng.random_range(low..high);
        let mut head = Self {
            radii: [between(73.0, 80.0), between(92.0, 101.0), between(86.0, 94.0)],
            taper: between(0.0008, 0.0016),
            scalp: between(4.5, 7.0),
            skull: between(6.0, 8.5),
            fat: between(2.5, 4.5),
            neck: between(50.0, 60.0),
            ear: [between(7.0, 9.0), between(15.0, 18.0), between(27.0, 33.0)],
            flank: 0.0,
            nose: between(18.0, 26.0),
            gape: between(0.8, 3.0),
            ripple: std::array::from_fn(|_| between(0.0, std::f32::consts::TAU)),
        };
        let outermost = (0..1000).map(|step| 110.0 - 0.1 * step as f32);
        head.flank = outermost.take_while(|&x| head.bare([x, -4.0, 2.0]).0 > 0.0).last().unwrap_or(70.0);
        head
    }

    /// y of the back of the head.
    pub(crate) fn back(&self) -> f32 {
        CENTRE[1] - self.radii[1]
    }

    pub(crate) fn near(&self, p: Point) -> Near {
        let (bare, cranium) = self.bare(p);
        let (ears, nose) = (self.ears(p), self.nose(p));
        Near { head: blend(blend(bare, nose, 6.0), ears, 3.0), ears: ears.max(-bare), nose: nose.max(-bare), cranium }
    }

    /// The head without ears and nose, and what of it lies above the ears.
    fn bare(&self, p: Point) -> (f32, f32) {
        let [x, y, z] = [p[0].abs(), p[1], p[2]];
        let m = [x, y, z];
        let cranium = egg(p, CENTRE, self.radii, self.taper);
        let width = self.radii[0];
        let face = ellipsoid(p, [0.0, 40.0, -28.0], [0.76 * width, 52.0, 70.0]);
        let jaw = rod(m, [0.62 * width, 12.0, -56.0], [9.0, 70.0, -86.0], [17.0, 19.0]);
        let neck = rod(p, [0.0, -22.0, -40.0], [0.0, -46.0, -260.0], [self.neck, self.neck + 8.0]);
        let eye = ellipsoid(m, [31.0, 69.0, 4.0], [14.0, 13.5, 11.0]);
        let lips = ellipsoid(p, [0.0, 88.0, -58.0], [25.0, 9.0, 9.0]);
        let body = blend(blend(blend(cranium, face, 20.0), neck, 24.0), jaw, 12.0);
        (blend(blend(body, eye, 6.0), lips, 7.0), cranium)
    }

    fn nose(&self, p: Point) -> f32 {
        let tip = 86.0 + self.nose;
        let bridge = rod(p, [0.0, 80.0, 10.0], [0.0, tip - 8.0, -27.0], [7.0, 9.0]);
        let wings = rod([p[0].abs(), p[1], p[2]], [0.0, tip - 14.0, -31.0], [9.0, tip - 18.0, -31.0], [8.0, 7.0]);
        blend(bridge, wings, 5.0)
    }

    /// The ear shells: discs that stand off at the back, hollow towards the front.
    fn ears(&self, p: Point) -> f32 {
        let (sin, cos) = 24_f32.to_radians().sin_cos();
        let [x, y, z] = minus([p[0].abs(), p[1], p[2]], [self.flank + 2.0, -8.0, 4.0]);
        let turned = [cos * x + sin * y, cos * y - sin * x, z];
        let disc = ellipsoid(turned, [0.0; 3], self.ear);
        let lobe = ellipsoid(turned, [0.0, 3.0, -0.85 * self.ear[2]], [5.0, 8.0, 9.0]);
        let bowl = ellipsoid(turned, [9.0, 3.0, 1.0], [8.0, 0.6 * self.ear[1], 0.62 * self.ear[2]]);
        blend(disc, lobe, 4.0).max(-bowl)
    }

    /// Nostrils, nasal cavity, pharynx, mouth, paranasal sinuses, ear canals and mastoid cells.
    pub(crate) fn airways(&self, p: Point) -> f32 {
        let m = [p[0].abs(), p[1], p[2]];
        let tip = 86.0 + self.nose;
        let cavity = block(m, [6.5, 58.0, -20.0], [4.5, 30.0, 17.0], 4.0);
        let nostril = rod(m, [8.0, tip - 15.0, -44.0], [6.5, tip - 22.0, -24.0], [4.0, 4.5]);
        let entrance = rod(m, [6.5, tip - 22.0, -24.0], [6.5, 80.0, -22.0], [4.5, 4.5]);
        let nasopharynx = rod(p, [0.0, 26.0, -20.0], [0.0, 16.0, -60.0], [9.0, 8.0]);
        let throat = rod(p, [0.0, 16.0, -60.0], [0.0, 8.0, -260.0], [8.0, 9.0]);
        let mouth = block(p, [0.0, 62.0, -58.0], [20.0, 40.0, self.gape], self.gape);
        let maxillary = ellipsoid(m, [29.0, 55.0, -23.0], [11.0, 15.0, 13.0]);
        let frontal = ellipsoid(m, [11.0, 71.0, 26.0], [9.0, 4.0, 10.0]);
        let sphenoid = ellipsoid(m, [7.0, 30.0, -3.0], [6.0, 10.0, 8.0]);
        let canal = rod(m, [self.flank + 14.0, -2.0, 2.0], [36.0, -4.0, 1.0], [3.4, 2.6]);
        let mastoid = ellipsoid(m, [50.0, -25.0, -10.0], [9.0, 11.0, 14.0]).max(2.5 * honeycomb(p, 7.0));
        let parts =
            [cavity, nostril, entrance, nasopharynx, throat, mouth, maxillary, frontal, sphenoid, canal, mastoid];
        parts.into_iter().fold(f32::INFINITY, f32::min)
    }

    /// Tissues from the skin inwards, each with its distance: a later one covers those before.
    pub(crate) fn layers(&self, p: Point, near: &Near, mut lay: impl FnMut(Tissue, f32)) {
        let m = [p[0].abs(), p[1], p[2]];
        // The skull's base slopes down to the back.
        let above_base = 0.944 * (p[2] - 0.35 * p[1] + 2.0);
        let table = -blend(-(near.cranium + self.scalp), above_base, 16.0);
        let brain = table + self.skull;
        let fold = |i: usize, axis: usize| {
            (0.31 * p[axis] + self.ripple[i]).sin() + (0.17 * p[axis] + self.ripple[i + 3]).sin()
        };
        let cortex = brain + 5.5 + 2.4 * fold(0, 0) * fold(1, 1) * fold(2, 2);
        if brain > -22.0 {
            lay(Tissue::Muscle, near.head);
            lay(Tissue::Fat, (near.head + 1.8).max(-(near.head + 1.8 + self.fat)));
            let face = self.face_bone(m).max(near.head + 4.0);
            lay(Tissue::Bone, face);
            lay(Tissue::Diploe, face + 2.5);
            lay(Tissue::Fat, ellipsoid(m, [32.0, 56.0, 4.0], [17.0, 24.0, 16.0]).max(near.head + 3.0));
            lay(Tissue::Fluid, ellipsoid(m, [32.0, 66.0, 4.0], [12.0; 3]));
            lay(Tissue::Muscle, rod(m, [30.0, 54.0, 4.0], [14.0, 28.0, 4.0], [2.2, 2.2]));
            lay(Tissue::Tooth, self.teeth(m));
            lay(Tissue::Bone, table);
            let middle = table + 0.5 * self.skull;
            lay(Tissue::Diploe, middle.abs() - 0.2 * self.skull);
            self.lay_spine(p, &mut lay);
            lay(Tissue::Fluid, brain);
            lay(Tissue::GreyMatter, brain + 2.0);
        } else {
            lay(Tissue::GreyMatter, brain);
        }
        lay(Tissue::WhiteMatter, cortex + 2.0);
        let ventricle = rod(m, [8.0, 26.0, 52.0], [13.0, -38.0, 50.0], [6.0, 7.5]);
        lay(Tissue::Fluid, ventricle);
        // On the right only, so that a mirrored picture is noticed.
        lay(Tissue::Lesion, ellipsoid(p, [38.0, -20.0, 84.0], [8.0, 9.0, 7.0]));
    }

    fn face_bone(&self, m: Point) -> f32 {
        let width = self.radii[0];
        let maxilla = ellipsoid(m, [0.0, 56.0, -30.0], [42.0, 30.0, 27.0]);
        let brow = rod(m, [6.0, 74.0, 19.0], [42.0, 58.0, 15.0], [6.0, 4.0]);
        let cheek = rod(m, [42.0, 62.0, -16.0], [0.80 * width, 12.0, -2.0], [6.0, 3.5]);
        let ramus = rod(m, [0.64 * width, 6.0, -8.0], [0.60 * width, 14.0, -58.0], [5.5, 6.5]);
        let mandible = rod(m, [0.60 * width, 14.0, -58.0], [6.0, 72.0, -84.0], [7.0, 8.0]);
        let mastoid = ellipsoid(m, [50.0, -25.0, -10.0], [12.0, 14.0, 18.0]);
        let parts = [maxilla, brow, cheek, ramus, mandible, mastoid];
        parts.into_iter().fold(f32::INFINITY, f32::min)
    }

    /// Two rows of teeth along an arch.
    fn teeth(&self, m: Point) -> f32 {
        let arch = ((m[0] / 27.0).powi(2) + ((m[1] - 40.0) / 40.0).powi(2)).sqrt();
        let crown = (m[2] + 58.0).abs() - (self.gape + 5.0);
        let from_arch = (arch - 1.0).abs() * 27.0 - 4.0;
        let rows = crown.abs() - 5.0;
        from_arch.max(rows).max(42.0 - m[1])
    }

    /// Vertebrae with discs between, and the cord behind.
    fn lay_spine(&self, p: Point, lay: &mut impl FnMut(Tissue, f32)) {
        let slant = -20.0 + 0.12 * (p[2] + 60.0);
        let body = (p[0].hypot(p[1] - slant) - 10.0).max(p[2] + 50.0);
        let arch = ((p[0].hypot(p[1] - slant + 19.0) - 9.5).abs() - 2.0).max(p[2] + 50.0);
        let disc = ((p[2] / 17.0).rem_euclid(1.0) - 0.5).abs() * 17.0 - 2.5;
        lay(Tissue::Bone, body.max(-disc).min(arch));
        lay(Tissue::Diploe, (body + 2.0).max(-disc + 2.0));
        let canal = (p[0].hypot(p[1] - slant + 19.0) - 7.5).max(p[2] + 20.0);
        lay(Tissue::Fluid, canal);
        lay(Tissue::WhiteMatter, canal + 3.0);
    }
}

/// Walls about as thick as the cells between them, `period` mm apart; roughly -1 to 1.
fn honeycomb(p: Point, period: f32) -> f32 {
    let q = p.map(|c| c * std::f32::consts::TAU / period);
    q[0].sin() * q[1].cos() + q[1].sin() * q[2].cos() + q[2].sin() * q[0].cos()
}
