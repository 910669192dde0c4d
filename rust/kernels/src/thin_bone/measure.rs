//! What a short profile across a wall says: its mass, its place and what lies on both sides.
//!
//! The voxels around a voxel, sorted by their distance along the wall's normal and weighted by their distance from
//! it sideways, are one finely sampled profile of the scanner's own values: nothing is interpolated. The profile is
//! explained as media in layers plus a plate, all blurred by the known spread, by linear least squares at each of
//! a row of places; and again without the plate. What the plate gains over the best explanation without one is its
//! evidence.
//!
//! Distances, weights and models depend on the direction alone: an orthonormal basis of every model is prepared
//! once a direction, with the plate last, so that one pass of dot products gives the fits with and without it.

use super::calibration::Calibration;
use super::candidates::Candidate;
use super::directions;
use super::linalg::Vec3;
use super::profile::{MOST_BINS, Profile};
use super::psf::{EdgeTable, Psf};
use crate::Voxel;
use ndarray::ArrayRef3;

/// Places are tried in steps of this many standard deviations.
const STEP_SIGMAS: f64 = 0.25;
/// A wall is looked for this far beyond the voxel's own extent, a surface without a wall farther.
const BEYOND_MM: f64 = 0.3;
const FURTHER: usize = 2;
/// What is tried: the thickness of mucosa that lines the wall on its darker side, and of the wall itself.
const LAYERS_MM: [(f64, f64); 7] =
    [(0.0, 0.3), (0.0, 0.8), (0.0, 1.4), (0.25, 0.3), (0.5, 0.3), (0.8, 0.3), (1.2, 0.3)];
/// Folds of soft tissue this thick are tried without a wall where both media are darker than any tissue, HU.
const FOLDS_MM: [f64; 5] = [0.5, 0.8, 1.2, 1.7, 2.3];
const TISSUE_HU: f64 = -250.0;
/// Linings are looked for where one medium is darker than this, HU.
pub(super) const AIR_HU: f64 = -400.0;
/// A plate of a given thickness has at least this share of the mass of bone: less is soft tissue in a layer.
const LEAST_DENSITY: f64 = 0.7;
/// HU of a lining: mean and standard deviation between places.
pub(super) const LINING_HU: (f64, f64) = (40.0, 30.0);
/// Media next to walls lie in between, HU.
const LEAST_MEDIUM_HU: f64 = -1000.0;
const MOST_MEDIUM_HU: f64 = 100.0;
/// No blur is known better than this, relatively: it varies within the scan.
const LEAST_PSF_ERROR: f64 = 0.08;
/// Candidates measured together.
const LANES: usize = 8;

/// What all measurements of a scan share.
#[derive(Debug, Clone)]
pub(super) struct Scale {
    pub(super) psf: Psf,
    /// Relative standard error of the spread.
    pub(super) psf_error: f64,
    pub(super) noise_hu: f64,
    pub(super) noise_voxels: f64,
    pub(super) bone_hu: f64,
    pub(super) thinnest_mm: f64,
    pub(super) spacing_mm: Vec3,
}

impl Scale {
    pub(super) fn new(calibration: &Calibration, bone_hu: f64, thinnest_mm: f64, spacing_mm: Vec3) -> Self {
        Self {
            psf: calibration.psf,
            psf_error: calibration.relative_error.into_iter().fold(LEAST_PSF_ERROR, f64::max),
            noise_hu: calibration.noise_hu,
            noise_voxels: calibration.noise_voxels,
            bone_hu,
            thinnest_mm,
            spacing_mm,
        }
    }
}

/// What was measured across one wall.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wall {
    /// Where the wall's middle lies along the normal, mm from the voxel's centre.
    pub(super) shift_mm: f32,
    /// HU·mm above the mean of both media.
    pub(super) mass: f32,
    /// Standard error of the mass.
    pub(super) mass_se: f32,
    /// Thickness at the density of the patient's cortical bone.
    pub(super) thickness_mm: f32,
    /// HU on the side against and along the normal.
    pub(super) media: [f32; 2],
    /// Log likelihood ratio of at least the thinnest wall against none.
    pub(super) evidence: f32,
    /// Root mean square of what the wall leaves unexplained, HU.
    pub(super) residual_hu: f32,
    /// Standard deviation of the blur along the normal.
    pub(super) sigma_mm: f32,
}

/// A row of columns over the bins.
type Column = [f32; MOST_BINS];

/// Media in layers and a plate in one place.
struct Model {
    /// The wall's place.
    shift_mm: f64,
    has_lining: bool,
    plate_mm: f64,
    /// Whether a wall is looked for here, or only a surface without one.
    holds_wall: bool,
    /// Whether there is no place before or behind it.
    is_last: bool,
    /// Orthonormal basis; the plate's part is the last, the second is 0 without a lining.
    basis: [Column; 4],
    /// What the lining's known HU contributes to each product.
    known: [f32; 4],
    /// Row k: how much of each column the basis' part k has; what takes the mass to its product is the last.
    of_columns: [[f64; 4]; 4],
}

impl Model {
    fn plate_length(&self) -> f64 {
        self.of_columns[3][3]
    }

    /// HU on both sides of the plate; a lining is what lies beside it.
    fn beside(&self, values: &Column) -> [f64; 2] {
        let product =
            |k: usize| f64::from(self.known[k] + self.basis[k].iter().zip(values).map(|(q, v)| q * v).sum::<f32>());
        let mut x = [0.0; 4];
        for k in (0..4).rev() {
            let rest: f64 = (k + 1..4).map(|j| self.of_columns[k][j] * x[j]).sum();
            let length = self.of_columns[k][k];
            x[k] = if length > 1e-6 { (product(k) - rest) / length } else { 0.0 };
        }
        [x[0], x[0] + x[if self.has_lining { 1 } else { 2 }]]
    }
}

/// Profiles that are measured together.
#[derive(Default)]
struct Batch {
    profile: [[f32; LANES]; MOST_BINS],
    of: [(Candidate, f32, [f64; 2]); LANES],
    filled: usize,
}

/// Measures the wall through one voxel, across a unit vector.
pub(super) fn one<T: Voxel>(ct: &ArrayRef3<T>, voxel: u32, n: Vec3, scale: &Scale) -> Option<Wall> {
    let candidate = Candidate { voxel, direction: directions::nearest(n) };
    let mut found = None;
    Bank::new(candidate.direction, scale).measure(ct, &[candidate], scale, |_, wall| found = Some(wall));
    found
}

/// All that measuring along one direction needs.
pub(super) struct Bank {
    profile: Profile,
    models: Vec<Model>,
    /// How many models are tried where no medium, one and both are air.
    count: [usize; 3],
    step_mm: f64,
    /// Square of the lining's known HU as a sample.
    known_square: f32,
}

impl Bank {
    pub(super) fn support_mm(&self) -> f64 {
        self.profile.support_mm
    }

    pub(super) fn new(direction: u16, scale: &Scale) -> Self {
        let profile = Profile::new(direction, scale);
        let step_mm = STEP_SIGMAS * profile.spread.sigma;
        let mut bank = Self { profile, models: Vec::new(), count: [0; 3], step_mm, known_square: 0.0 };
        bank.prepare(scale);
        bank
    }

    fn prepare(&mut self, scale: &Scale) {
        let half = ((self.profile.support_mm + BEYOND_MM) / self.step_mm).ceil() as i32 + FURTHER as i32;
        let edge = EdgeTable::new(&self.profile.spread);
        // the lining's HU counts as much as its spread against the noise's
        let trust = scale.noise_hu * scale.noise_voxels.sqrt() / LINING_HU.1;
        self.known_square = (trust * LINING_HU.0).powi(2) as f32;
        let place = |step: i32| f64::from(step) * self.step_mm;
        let mut models = Vec::new();
        for (lining_mm, plate_mm) in LAYERS_MM {
            for step in -half..=half {
                let holds_wall = step.unsigned_abs() as usize + FURTHER <= half as usize;
                let model = self.model(&edge, place(step), [lining_mm, plate_mm], trust);
                models.push(Model { holds_wall, is_last: step.abs() == half, ..model });
            }
            self.count[usize::from(lining_mm > 0.0)] = models.len();
        }
        for fold_mm in FOLDS_MM {
            // a fold is a lining without a wall, seen from its middle
            let behind = (0.5 * fold_mm / self.step_mm).ceil() as i32;
            for step in -half - behind..=half - behind {
                let model = self.model(&edge, place(step), [fold_mm, LAYERS_MM[0].1], trust);
                models.push(Model { is_last: (step + behind).abs() == half, ..model });
            }
        }
        self.count[2] = models.len();
        self.models = models;
    }

    /// The basis of [1, step to the lining, step to the far medium, plate] by Gram and Schmidt.
    fn model(&self, edge: &EdgeTable, shift_mm: f64, [lining_mm, plate_mm]: [f64; 2], trust: f64) -> Model {
        let has_lining = lining_mm > 0.0;
        // the last row is the lining's known HU
        let mut columns = [[0.0; MOST_BINS + 1]; 4];
        for b in (0..self.profile.bins).filter(|&b| self.profile.weight[b] > 0.0) {
            let root = self.profile.weight[b].sqrt();
            let s = self.profile.distance_mm[b] - shift_mm;
            columns[0][b] = root;
            columns[1][b] = if has_lining { root * edge.at(s) } else { 0.0 };
            columns[2][b] = root * edge.at(s - lining_mm);
            let plate = edge.at(s + 0.5 * plate_mm) - edge.at(s - 0.5 * plate_mm);
            columns[3][b] = root * plate / plate_mm;
        }
        if has_lining {
            columns[0][MOST_BINS] = trust;
            columns[1][MOST_BINS] = trust;
        }
        let mut of_columns = [[0.0; 4]; 4];
        for k in 0..4 {
            let (before, rest) = columns.split_at_mut(k);
            let column = &mut rest[0];
            for (q, row) in before.iter().zip(&mut of_columns) {
                let product: f64 = q.iter().zip(&*column).map(|(a, b)| a * b).sum();
                column.iter_mut().zip(q).for_each(|(c, q)| *c -= product * q);
                row[k] = product;
            }
            let length = column.iter().map(|c| c * c).sum::<f64>().sqrt();
            of_columns[k][k] = length;
            let inverse = if length > 1e-6 { 1.0 / length } else { 0.0 };
            column.iter_mut().for_each(|c| *c *= inverse);
        }
        let mut basis = [[0.0; MOST_BINS]; 4];
        for (b, c) in basis.iter_mut().zip(&columns) {
            b.iter_mut().zip(c).for_each(|(b, &c)| *b = c as f32);
        }
        let known = [0, 1, 2, 3].map(|k| (columns[k][MOST_BINS] * trust * LINING_HU.0) as f32);
        Model { shift_mm, has_lining, plate_mm, holds_wall: false, is_last: false, basis, known, of_columns }
    }

    /// Hands on the walls measured through candidates of this direction, in no certain order.
    pub(super) fn measure<T: Voxel>(
        &self,
        ct: &ArrayRef3<T>,
        candidates: &[Candidate],
        scale: &Scale,
        mut found: impl FnMut(Candidate, Wall),
    ) {
        let mut products = vec![[[0.0_f32; LANES]; 2]; self.models.len()];
        // linings are looked for next to air and folds between air, so candidates wait apart by how much air they have
        let mut waiting = [Batch::default(), Batch::default(), Batch::default()];
        let mut flush = |batch: &mut Batch, air: usize| {
            let models = self.count[air];
            self.project(&batch.profile, &mut products[..models]);
            for (lane, &(candidate, square, media)) in batch.of[..batch.filled].iter().enumerate() {
                let values = std::array::from_fn(|b| batch.profile[b][lane]);
                let fits = |m: usize| (products[m][0][lane], products[m][1][lane]);
                found(candidate, self.decide(&values, square, media, models, fits, scale));
            }
            batch.filled = 0;
        };
        for &candidate in candidates {
            let (values, square) = self.profile.values(ct, candidate.voxel);
            let media = self.profile.ends(&values);
            let air = match (media[0].min(media[1]) < AIR_HU, media[0].max(media[1]) < TISSUE_HU) {
                (false, _) => 0,
                (true, false) => 1,
                (true, true) => 2,
            };
            let batch = &mut waiting[air];
            let lane = batch.filled;
            for (p, v) in batch.profile.iter_mut().zip(values) {
                p[lane] = v;
            }
            batch.of[lane] = (candidate, square, media);
            batch.filled += 1;
            if batch.filled == LANES {
                flush(batch, air);
            }
        }
        waiting.iter_mut().enumerate().for_each(|(air, batch)| flush(batch, air));
    }

    /// For each model and lane the squared length of the profile's part that all but the plate explain, and its
    /// product with the plate's.
    fn project(&self, profile: &[[f32; LANES]; MOST_BINS], products: &mut [[[f32; LANES]; 2]]) {
        for (model, out) in self.models.iter().zip(products) {
            let mut explained = [0.0_f32; LANES];
            for (k, basis) in model.basis.iter().enumerate() {
                if k == 1 && !model.has_lining {
                    continue;
                }
                let mut sum = [model.known[k]; LANES];
                for (values, &q) in profile[..self.profile.bins].iter().zip(basis) {
                    for lane in 0..LANES {
                        sum[lane] += q * values[lane];
                    }
                }
                if k == 3 {
                    out[1] = sum;
                } else {
                    for lane in 0..LANES {
                        explained[lane] += sum[lane] * sum[lane];
                    }
                }
            }
            out[0] = explained;
        }
    }

    fn decide(
        &self,
        values: &Column,
        square: f32,
        media: [f64; 2],
        models: usize,
        fits: impl Fn(usize) -> (f32, f32),
        scale: &Scale,
    ) -> Wall {
        let total = f64::from(values.iter().map(|v| v * v).sum::<f32>());
        let inner = (f64::from(square) - total).max(0.0);
        let contrast = contrast(scale, media);
        let false_mass = (media[0] - media[1]).abs() * self.profile.spread.sigma * (2.0 * scale.psf_error).sqrt();
        let least = (scale.thinnest_mm * contrast).max(false_mass);
        let cost = |m: usize| {
            let (explained, product) = fits(m);
            let model = &self.models[m];
            let known = if model.has_lining { f64::from(self.known_square) } else { 0.0 };
            let without = total + known - f64::from(explained);
            let product = f64::from(product);
            // with a plate of at least the least mass
            let least = if model.plate_mm > 0.5 { least.max(LEAST_DENSITY * model.plate_mm * contrast) } else { least };
            let short = (least * model.plate_length() - product).max(0.0);
            (without, without - product * product + short * short)
        };
        let mut best = [(f64::INFINITY, 0); 2];
        for m in 0..models {
            let (without, with) = cost(m);
            if without < best[0].0 {
                best[0] = (without, m);
            }
            if self.models[m].holds_wall && with < best[1].0 {
                best[1] = (with, m);
            }
        }
        let bottom = |m: usize, of: &dyn Fn(usize) -> f64| {
            if self.models[m].is_last {
                return (of(m), 0.0);
            }
            let (left, here, right) = (of(m - 1), of(m), of(m + 1));
            let bend = left + right - 2.0 * here;
            if bend <= 0.0 || left < here || right < here {
                return (here, 0.0);
            }
            let to = 0.5 * (left - right) / bend;
            (here - 0.25 * (left - right) * to, to)
        };
        let (without, _) = bottom(best[0].1, &|m| cost(m).0);
        let m = best[1].1;
        let (with, to) = bottom(m, &|m| cost(m).1);
        let model = &self.models[m];
        let shift_mm = model.shift_mm + to * self.step_mm;
        let mass_at = |m: usize| f64::from(fits(m).1) / self.models[m].plate_length().max(1e-9);
        let mass = if to == 0.0 {
            mass_at(m)
        } else {
            let (left, here, right) = (mass_at(m - 1), mass_at(m), mass_at(m + 1));
            here + 0.5 * to * (right - left) + 0.5 * to * to * (left + right - 2.0 * here)
        };
        let thickness_mm = mass / self::contrast(scale, model.beside(values));
        let weight: f64 = self.profile.weight.iter().sum();
        let variance = ((inner + with) / weight).max(scale.noise_hu.powi(2));
        Wall {
            shift_mm: shift_mm as f32,
            mass: mass as f32,
            mass_se: ((variance * scale.noise_voxels).sqrt() / model.plate_length().max(1e-9)) as f32,
            thickness_mm: thickness_mm as f32,
            media: media.map(|m| m as f32),
            evidence: ((without - with) / (2.0 * variance * scale.noise_voxels)) as f32,
            residual_hu: (with.max(0.0) / weight).sqrt() as f32,
            sigma_mm: self.profile.spread.sigma as f32,
        }
    }
}

/// How much brighter bone is than the mean of what lies on both sides; bone beside a wall is not its medium.
fn contrast(scale: &Scale, media: [f64; 2]) -> f64 {
    let medium = media.map(|hu| hu.clamp(LEAST_MEDIUM_HU, MOST_MEDIUM_HU));
    (scale.bone_hu - 0.5 * (medium[0] + medium[1])).max(200.0)
}
