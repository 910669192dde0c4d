//! What a short profile across a wall says: its mass, its place and what lies on both sides.
//!
//! The voxels around a voxel, sorted by their distance along the wall's normal and weighted by their distance from
//! it sideways, are one finely sampled profile of the scanner's own values: nothing is interpolated. The profile is
//! explained as media in layers plus a plate, all blurred by the known spread, by linear least squares at each of
//! a row of places; and again without the plate. What the plate gains over the best explanation without one is its
//! evidence.
//!
//! Distances, weights and models depend on the direction alone: an orthonormal basis of every model is prepared
//! once a direction, with the plate last, so that one pass of dot products gives the fits with and without it. What
//! several bases share is prepared and multiplied once.

use super::calibration::Calibration;
use super::candidates::Candidate;
use super::directions;
use super::linalg::Vec3;
use super::profile::{MOST_BINS, Profile};
use super::psf::{EdgeTable, Psf};
use crate::Voxel;
use multiversion::multiversion;
use ndarray::ArrayRef3;

/// Places are tried in steps of this many standard deviations.
const STEP_SIGMAS: f64 = 0.25;
/// A wall is looked for this far beyond the voxel's own extent, a surface without a wall farther.
const BEYOND_MM: f64 = 0.3;
const FURTHER: usize = 2;
/// What is tried: bare walls of these thicknesses, and walls of the first of them that mucosa of these thicknesses lines
/// on their darker side.
const WALLS_MM: [f64; 3] = [0.3, 0.8, 1.4];
const LININGS_MM: [f64; 4] = [0.25, 0.5, 0.8, 1.2];
/// And so thick that the wall under one may lie beside the voxel that its surface passes through.
const DEEP_LININGS_MM: [f64; 2] = [0.8, 1.2];
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
const LANES: usize = 16;
/// Products that are formed together.
const ABREAST: usize = 4;

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

/// A value for each bin.
type Column = [f32; MOST_BINS];

/// The same while a basis is made of it, and after the bins the lining's known HU as one more sample.
type Row = [f64; MOST_BINS + 1];

/// A profile of length one in the basis of one or more models.
struct Part {
    column: Column,
    /// What the lining's known HU contributes to each product.
    known: f32,
}

/// An orthonormal basis of the columns of a model: medium, step to the lining, step to the far medium, plate.
#[derive(Clone, Copy, Default)]
struct Basis {
    /// By number.
    parts: [usize; 4],
    /// Row k: how much of each column the part k has; what takes the mass to its product is the last.
    of_columns: [[f64; 4]; 4],
}

/// All parts while they are made.
struct Parts {
    /// Bins that hold samples, their distance and the root of their weight.
    bins: Vec<(usize, f64, f64)>,
    edge: EdgeTable,
    /// Weight of the lining's known HU as a sample.
    trust: f64,
    rows: Vec<Row>,
}

impl Parts {
    fn row(&self, known: f64, column: impl Fn(f64) -> f64) -> Row {
        let mut row = [0.0; MOST_BINS + 1];
        for &(b, mm, root) in &self.bins {
            row[b] = root * column(mm);
        }
        row[MOST_BINS] = known;
        row
    }

    fn medium(&self, known: f64) -> Row {
        self.row(known, |_| 1.0)
    }

    fn step(&self, known: f64, at_mm: f64) -> Row {
        self.row(known, |s| self.edge.at(s - at_mm))
    }

    fn plate(&self, at_mm: f64, plate_mm: f64) -> Row {
        let [from, to] = [at_mm - 0.5 * plate_mm, at_mm + 0.5 * plate_mm];
        self.row(0.0, |s| (self.edge.at(s - from) - self.edge.at(s - to)) / plate_mm)
    }

    /// A basis of `k` columns with one more, by Gram and Schmidt.
    fn with(&mut self, mut basis: Basis, k: usize, mut column: Row) -> Basis {
        for j in 0..k {
            basis.of_columns[j][k] = take(&mut column, &self.rows[basis.parts[j]]);
        }
        let length = product(&column, &column).sqrt();
        let inverse = if length > 1e-6 { 1.0 / length } else { 0.0 };
        column.iter_mut().for_each(|c| *c *= inverse);
        basis.of_columns[k][k] = length;
        basis.parts[k] = self.rows.len();
        self.rows.push(column);
        basis
    }

    fn finish(self) -> Vec<Part> {
        let part = |row: &Row| Part {
            column: std::array::from_fn(|b| row[b] as f32),
            known: (row[MOST_BINS] * self.trust * LINING_HU.0) as f32,
        };
        self.rows.iter().map(part).collect()
    }
}

/// Takes from a column what it has of another of length one, and says how much.
#[multiversion(targets("x86_64+avx2"))]
fn take(column: &mut Row, other: &Row) -> f64 {
    let product = product(other, column);
    column.iter_mut().zip(other).for_each(|(c, q)| *c -= product * q);
    product
}

/// Summed side by side, so that no term waits for the one before it.
#[inline(always)]
fn product(a: &Row, b: &Row) -> f64 {
    let (fours, rest) = a.as_chunks::<ABREAST>();
    let (other_fours, other_rest) = b.as_chunks::<ABREAST>();
    let mut sums = [0.0; ABREAST];
    for (a, b) in fours.iter().zip(other_fours) {
        sums = std::array::from_fn(|k| sums[k] + a[k] * b[k]);
    }
    sums.iter().sum::<f64>() + rest.iter().zip(other_rest).map(|(a, b)| a * b).sum::<f64>()
}

/// Media in layers and a plate in one place.
struct Model {
    /// The wall's place.
    shift_mm: f64,
    has_lining: bool,
    plate_mm: f64,
    holds: Holds,
    /// Whether there is no place before or behind it.
    is_last: bool,
    basis: Basis,
}

/// What a model says of the voxel.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    /// A wall with the plate, a surface without it.
    Wall,
    /// A surface, which is looked for without the plate only.
    Surface,
    /// The surface of what lies on a wall, whose plate is in another voxel: no wall, though with the plate.
    SurfaceBesideWall,
}

impl Model {
    fn plate_length(&self) -> f64 {
        self.basis.of_columns[3][3]
    }

    /// Bone of this thickness has the least mass that its plate may have, whatever blur and noise let one see.
    fn dense_mm(&self) -> f64 {
        if self.plate_mm > WALLS_MM[0] { LEAST_DENSITY * self.plate_mm } else { 0.0 }
    }

    /// HU on both sides of the plate; a lining is what lies beside it.
    fn beside(&self, parts: &[Part], values: &Column) -> [f64; 2] {
        let of_basis = self.basis.parts.map(|part| &parts[part]);
        // side by side, so that none waits for another
        let mut products = [0.0_f32; 4];
        for (b, v) in values.iter().enumerate() {
            products = [0, 1, 2, 3].map(|k| products[k] + of_basis[k].column[b] * v);
        }
        let mut x = [0.0; 4];
        for k in (0..4).rev() {
            let rest: f64 = (k + 1..4).map(|j| self.basis.of_columns[k][j] * x[j]).sum();
            let length = self.basis.of_columns[k][k];
            x[k] = if length > 1e-6 { (f64::from(of_basis[k].known + products[k]) - rest) / length } else { 0.0 };
        }
        [x[0], x[0] + x[if self.has_lining { 1 } else { 2 }]]
    }
}

/// A number for each of the profiles that are measured together.
type Lanes<N> = [N; LANES];

/// Profiles that are measured together.
#[derive(Default)]
struct Batch {
    profile: [Lanes<f32>; MOST_BINS],
    /// Weighted sum of the squares of all samples, and the media at both ends.
    of: Lanes<(Candidate, f32, [f64; 2])>,
    filled: usize,
}

/// What the fits of a batch are compared by.
struct Sums<'a> {
    /// Each profile's product with each part.
    products: &'a [Lanes<f32>],
    /// Squared length of each profile.
    total: Lanes<f64>,
    contrast: Lanes<f64>,
    /// Least mass of a thin plate.
    least: Lanes<f64>,
}

/// Measures the wall through one voxel, across a unit vector.
pub(super) fn one<T: Voxel>(ct: &ArrayRef3<T>, voxel: u32, n: Vec3, scale: &Scale) -> Option<Wall> {
    let candidate = Candidate { voxel, direction: directions::nearest(n) };
    Bank::new(candidate.direction, scale).one(ct, candidate, scale)
}

/// HU on both sides of what passes through one voxel, across a unit vector.
pub(super) fn media<T: Voxel>(ct: &ArrayRef3<T>, voxel: u32, n: Vec3, scale: &Scale) -> [f64; 2] {
    let profile = Profile::new(directions::nearest(n), scale);
    let (values, _) = profile.values_of(ct, [voxel]);
    profile.ends(&values, 0)
}

/// All that measuring along one direction needs.
pub(super) struct Bank {
    profile: Profile,
    parts: Vec<Part>,
    models: Vec<Model>,
    /// How many parts and models are needed where no medium, one and both are air.
    count: [[usize; 2]; 3],
    step_mm: f64,
    /// Square of the lining's known HU as a sample.
    known_square: f32,
    /// Of all samples together.
    weight: f64,
}

impl Bank {
    pub(super) fn support_mm(&self) -> f64 {
        self.profile.support_mm
    }

    /// That of the opposite direction.
    pub(super) fn turned(self) -> Self {
        Self { profile: self.profile.turned(), ..self }
    }

    pub(super) fn new(direction: u16, scale: &Scale) -> Self {
        let profile = Profile::new(direction, scale);
        let step_mm = STEP_SIGMAS * profile.spread.sigma;
        // the lining's HU counts as much as its spread against the noise's
        let trust = scale.noise_hu * scale.noise_voxels.sqrt() / LINING_HU.1;
        let known_square = (trust * LINING_HU.0).powi(2) as f32;
        let edge = EdgeTable::new(&profile.spread);
        let bins = (0..profile.bins).filter(|&b| profile.weight[b] > 0.0);
        let bins = bins.map(|b| (b, profile.distance_mm[b], profile.weight[b].sqrt())).collect();
        let parts = Parts { bins, edge, trust, rows: Vec::new() };
        let half = ((profile.support_mm + BEYOND_MM) / step_mm).ceil() as i32 + FURTHER as i32;
        let (parts, models, count) = prepare(parts, half, step_mm);
        let weight = profile.weight.iter().sum();
        Self { profile, parts, models, count, step_mm, known_square, weight }
    }

    /// The wall through one candidate, however far from it.
    fn one<T: Voxel>(&self, ct: &ArrayRef3<T>, candidate: Candidate, scale: &Scale) -> Option<Wall> {
        let mut found = None;
        self.measure(ct, &[candidate], scale, f64::INFINITY, |_, wall| found = Some(wall));
        found
    }

    /// Hands on the walls measured through candidates of this direction up to so far from them, in no certain order.
    pub(super) fn measure<T: Voxel>(
        &self,
        ct: &ArrayRef3<T>,
        candidates: &[Candidate],
        scale: &Scale,
        reach_mm: f64,
        mut found: impl FnMut(Candidate, Wall),
    ) {
        let mut products = vec![[0.0; LANES]; self.parts.len()];
        // linings are looked for next to air and folds between air, so candidates wait apart by how much air they have
        let mut waiting = [Batch::default(), Batch::default(), Batch::default()];
        let mut flush = |batch: &mut Batch, air: usize| {
            let [parts, models] = self.count[air];
            let products = &mut products[..parts];
            project(&self.parts[..parts], &batch.profile[..self.profile.bins], products);
            self.decide(batch, products, &self.models[..models], scale, reach_mm, &mut found);
            batch.filled = 0;
        };
        // one profile that goes beyond the volume's faces would slow down all that are measured with it
        let (nz, ny, nx) = ct.dim();
        let lies_within = |c: &Candidate| self.profile.lies_within([nx, ny, nz], c.voxel);
        let (inner, outer): (Vec<Candidate>, Vec<Candidate>) = candidates.iter().partition(|c| lies_within(c));
        for candidates in inner.chunks(LANES).chain(outer.chunks(LANES)) {
            let voxels = std::array::from_fn(|lane| candidates[lane.min(candidates.len() - 1)].voxel);
            let (profiles, squares) = self.profile.values_of::<T, LANES>(ct, voxels);
            for (from, &candidate) in candidates.iter().enumerate() {
                let media = self.profile.ends(&profiles, from);
                let air = match (media[0].min(media[1]) < AIR_HU, media[0].max(media[1]) < TISSUE_HU) {
                    (false, _) => 0,
                    (true, false) => 1,
                    (true, true) => 2,
                };
                let batch = &mut waiting[air];
                let lane = batch.filled;
                for (to, values) in batch.profile.iter_mut().zip(&profiles) {
                    to[lane] = values[from];
                }
                batch.of[lane] = (candidate, squares[from], media);
                batch.filled += 1;
                if batch.filled == LANES {
                    flush(batch, air);
                }
            }
        }
        waiting.iter_mut().enumerate().for_each(|(air, batch)| flush(batch, air));
    }

    /// What a model leaves unexplained of a profile: without a wall here, and with a plate of at least the least mass.
    fn cost(&self, model: &Model, sums: &Sums<'_>, lane: usize) -> [f64; 2] {
        let [medium, lining, far, plate] = model.basis.parts.map(|part| sums.products[part][lane]);
        let explained = medium * medium + lining * lining + far * far;
        let known = if model.has_lining { f64::from(self.known_square) } else { 0.0 };
        let without = sums.total[lane] + known - f64::from(explained);
        let product = f64::from(plate);
        let least = sums.least[lane].max(model.dense_mm() * sums.contrast[lane]);
        let short = (least * model.plate_length() - product).max(0.0);
        let with = without - product * product + short * short;
        [if model.holds == Holds::SurfaceBesideWall { with } else { without }, with]
    }

    fn decide(
        &self,
        batch: &Batch,
        products: &[Lanes<f32>],
        models: &[Model],
        scale: &Scale,
        reach_mm: f64,
        found: &mut impl FnMut(Candidate, Wall),
    ) {
        let mut squares = [0.0_f32; LANES];
        for values in &batch.profile {
            for lane in 0..LANES {
                squares[lane] += values[lane] * values[lane];
            }
        }
        let contrast = batch.of.map(|(.., media)| contrast(scale, media));
        let false_mass = |[a, b]: [f64; 2]| (a - b).abs() * self.profile.spread.sigma * (2.0 * scale.psf_error).sqrt();
        let least = std::array::from_fn(|k| (scale.thinnest_mm * contrast[k]).max(false_mass(batch.of[k].2)));
        let sums = Sums { products, total: squares.map(f64::from), contrast, least };
        let [without, with] = best(models, &sums, self.known_square);
        for (lane, &(candidate, square, media)) in batch.of[..batch.filled].iter().enumerate() {
            let values = std::array::from_fn(|b| batch.profile[b][lane]);
            let best = [without, with].map(|models| models[lane] as usize);
            if let Some(wall) = self.wall(&values, square, media, best, &sums, lane, scale, reach_mm) {
                found(candidate, wall);
            }
        }
    }

    /// The wall that the best models without and with one tell of, if it is within reach.
    #[allow(clippy::too_many_arguments, reason = "all that is known of a profile")]
    fn wall(
        &self,
        values: &Column,
        square: f32,
        media: [f64; 2],
        best: [usize; 2],
        sums: &Sums<'_>,
        lane: usize,
        scale: &Scale,
        reach_mm: f64,
    ) -> Option<Wall> {
        let inner = (f64::from(square) - sums.total[lane]).max(0.0);
        let cost = |m: usize| self.cost(&self.models[m], sums, lane);
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
        let m = best[1];
        let (with, to) = bottom(m, &|m| cost(m)[1]);
        let model = &self.models[m];
        let shift_mm = model.shift_mm + to * self.step_mm;
        if shift_mm.abs() > reach_mm {
            return None;
        }
        let (without, _) = bottom(best[0], &|m| cost(m)[0]);
        let mass_at = |m: usize| {
            let model = &self.models[m];
            f64::from(sums.products[model.basis.parts[3]][lane]) / model.plate_length().max(1e-9)
        };
        let mass = if to == 0.0 {
            mass_at(m)
        } else {
            let (left, here, right) = (mass_at(m - 1), mass_at(m), mass_at(m + 1));
            here + 0.5 * to * (right - left) + 0.5 * to * to * (left + right - 2.0 * here)
        };
        let thickness_mm = mass / contrast(scale, model.beside(&self.parts, values));
        let variance = ((inner + with) / self.weight).max(scale.noise_hu.powi(2));
        Some(Wall {
            shift_mm: shift_mm as f32,
            mass: mass as f32,
            mass_se: ((variance * scale.noise_voxels).sqrt() / model.plate_length().max(1e-9)) as f32,
            thickness_mm: thickness_mm as f32,
            media: media.map(|m| m as f32),
            evidence: ((without - with) / (2.0 * variance * scale.noise_voxels)) as f32,
            residual_hu: (with.max(0.0) / self.weight).sqrt() as f32,
            sigma_mm: self.profile.spread.sigma as f32,
        })
    }
}

/// All models up to `half` steps from the middle, in the order in which they are tried, their parts, and how many of
/// both are needed where no medium, one and both are air. Neighbouring places of one kind of model follow each other.
fn prepare(mut parts: Parts, half: i32, step_mm: f64) -> (Vec<Part>, Vec<Model>, [[usize; 2]; 3]) {
    let trust = parts.trust;
    let place = |step: i32| f64::from(step) * step_mm;
    let mut models = Vec::new();
    let mut count = [[0; 2]; 3];

    let medium = parts.medium(0.0);
    let bare = parts.with(Basis::default(), 0, medium);
    let bare = parts.with(bare, 1, [0.0; MOST_BINS + 1]);
    let mut surfaces = Vec::new();
    for step in -half..=half {
        let far = parts.step(0.0, place(step));
        surfaces.push(parts.with(bare, 2, far));
    }
    let model = |basis, step: i32, has_lining, plate_mm| Model {
        shift_mm: place(step),
        has_lining,
        plate_mm,
        holds: if step.unsigned_abs() as usize + FURTHER <= half as usize { Holds::Wall } else { Holds::Surface },
        is_last: step.abs() == half,
        basis,
    };
    for plate_mm in WALLS_MM {
        for (step, &surface) in (-half..=half).zip(&surfaces) {
            let plate = parts.plate(place(step), plate_mm);
            models.push(model(parts.with(surface, 3, plate), step, false, plate_mm));
        }
    }
    count[0] = [parts.rows.len(), models.len()];

    // a fold is a lining without a wall, seen from its middle
    let behind = |fold_mm: f64| (0.5 * fold_mm / step_mm).ceil() as i32;
    let under = |lining_mm: f64| (lining_mm / step_mm).ceil() as i32;
    let first = -half - FOLDS_MM.map(behind).into_iter().chain(DEEP_LININGS_MM.map(under)).fold(0, i32::max);
    let medium = parts.medium(trust);
    let lined = parts.with(Basis::default(), 0, medium);
    let mut linings = Vec::new();
    for step in first..=half {
        let lining = parts.step(trust, place(step));
        linings.push(parts.with(lined, 1, lining));
    }
    let lining = |step: i32| linings[(step - first) as usize];
    let plates: Vec<Row> = (-half..=half).map(|step| parts.plate(place(step), WALLS_MM[0])).collect();
    for lining_mm in LININGS_MM {
        for (step, &plate) in (-half..=half).zip(&plates) {
            let far = parts.step(0.0, place(step) + lining_mm);
            let surface = parts.with(lining(step), 2, far);
            models.push(model(parts.with(surface, 3, plate), step, true, WALLS_MM[0]));
        }
    }
    for lining_mm in DEEP_LININGS_MM {
        let (deepest, nearest) = (-half - under(lining_mm), -half - 1);
        for step in deepest..=nearest {
            let far = parts.step(0.0, place(step) + lining_mm);
            let surface = parts.with(lining(step), 2, far);
            let plate = parts.plate(place(step), WALLS_MM[0]);
            let model = model(parts.with(surface, 3, plate), step, true, WALLS_MM[0]);
            let is_last = step == deepest || step == nearest;
            models.push(Model { holds: Holds::SurfaceBesideWall, is_last, ..model });
        }
    }
    count[1] = [parts.rows.len(), models.len()];

    for fold_mm in FOLDS_MM {
        let behind = behind(fold_mm);
        for step in -half - behind..=half - behind {
            let far = parts.step(0.0, place(step) + fold_mm);
            let basis = parts.with(lining(step), 2, far);
            let is_last = (step + behind).abs() == half;
            models.push(Model { holds: Holds::Surface, is_last, ..model(basis, step, true, WALLS_MM[0]) });
        }
    }
    count[2] = [parts.rows.len(), models.len()];
    (parts.finish(), models, count)
}

/// The products of some profiles with parts.
#[multiversion(targets("x86_64+avx2"))]
fn project(parts: &[Part], profile: &[Lanes<f32>], products: &mut [Lanes<f32>]) {
    let (of_four, rest) = parts.as_chunks::<ABREAST>();
    let (products_of_four, rest_of_products) = products.as_chunks_mut::<ABREAST>();
    for (parts, products) in of_four.iter().zip(products_of_four) {
        *products = products_of(parts, profile);
    }
    for (part, product) in rest.iter().zip(rest_of_products) {
        [*product] = products_of(std::array::from_ref(part), profile);
    }
}

/// Side by side, so that none waits for another.
#[inline(always)]
fn products_of<const K: usize>(parts: &[Part; K], profile: &[Lanes<f32>]) -> [Lanes<f32>; K] {
    let mut sums = std::array::from_fn(|k| [parts[k].known; LANES]);
    for (b, values) in profile.iter().enumerate() {
        for k in 0..K {
            let q = parts[k].column[b];
            for lane in 0..LANES {
                sums[k][lane] += q * values[lane];
            }
        }
    }
    sums
}

/// For each profile the models that leave least, without and with a wall, to single precision.
#[multiversion(targets("x86_64+avx2"))]
fn best(models: &[Model], sums: &Sums<'_>, known_square: f32) -> [Lanes<u32>; 2] {
    let [total, contrast, least_mass] = [sums.total, sums.contrast, sums.least].map(|of| of.map(|v| v as f32));
    let mut without = Least::default();
    let mut with = Least::default();
    for (model, m) in models.iter().zip(0..) {
        let [medium, lining, far, plate] = model.basis.parts.map(|part| &sums.products[part]);
        let known = if model.has_lining { known_square } else { 0.0 };
        let (length, dense_mm) = (model.plate_length() as f32, model.dense_mm() as f32);
        let left: Lanes<f32> = std::array::from_fn(|l| {
            let explained = medium[l] * medium[l] + lining[l] * lining[l] + far[l] * far[l];
            total[l] + known - explained
        });
        let left_with_plate = || {
            std::array::from_fn(|l| {
                let short = higher(higher(least_mass[l], dense_mm * contrast[l]) * length - plate[l], 0.0);
                left[l] - plate[l] * plate[l] + short * short
            })
        };
        match model.holds {
            Holds::Wall => {
                without.take(&left, m);
                with.take(&left_with_plate(), m);
            }
            Holds::Surface => without.take(&left, m),
            Holds::SurfaceBesideWall => without.take(&left_with_plate(), m),
        }
    }
    [without.model, with.model]
}

/// The least cost so far, and whose it is.
struct Least {
    cost: Lanes<f32>,
    model: Lanes<u32>,
}

impl Default for Least {
    fn default() -> Self {
        Self { cost: [f32::INFINITY; LANES], model: [0; LANES] }
    }
}

impl Least {
    /// Chosen without branches, so that one instruction compares all lanes.
    fn take(&mut self, cost: &Lanes<f32>, model: u32) {
        for ((least, of), &cost) in self.cost.iter_mut().zip(&mut self.model).zip(cost) {
            let is_less = cost < *least;
            *of = if is_less { model } else { *of };
            *least = if is_less { cost } else { *least };
        }
    }
}

/// The higher of two numbers, without the care for NaN that keeps `f32::max` from being one instruction.
fn higher(a: f32, b: f32) -> f32 {
    if b > a { b } else { a }
}

/// How much brighter bone is than the mean of what lies on both sides; bone beside a wall is not its medium.
fn contrast(scale: &Scale, media: [f64; 2]) -> f64 {
    let medium = media.map(|hu| hu.clamp(LEAST_MEDIUM_HU, MOST_MEDIUM_HU));
    (scale.bone_hu - 0.5 * (medium[0] + medium[1])).max(200.0)
}

#[cfg(test)]
impl Scale {
    /// That of a usual scan.
    pub(super) fn usual(psf: Psf, spacing_mm: Vec3) -> Self {
        let (psf_error, noise_hu, noise_voxels, bone_hu, thinnest_mm) = (0.1, 20.0, 1.0, 1250.0, 0.12);
        Self { psf, psf_error, noise_hu, noise_voxels, bone_hu, thinnest_mm, spacing_mm }
    }
}

#[cfg(test)]
mod tests {
    use super::super::psf::normal_cdf;
    use super::*;
    use crate::thin_bone::linalg::dot;
    use ndarray::Array3;

    #[test]
    fn a_bank_that_is_turned_measures_as_that_of_the_opposite_direction() {
        let spacing_mm = [0.4, 0.5, 0.7];
        let scale = Scale::usual(Psf::gaussian(0.8, 1.1), spacing_mm);
        for direction in directions::all().step_by(97) {
            let n = directions::vector(direction);
            let sigma = scale.psf.along(n[2] * n[2]).sigma;
            // fat, 0.4 mm of bone, and air, a little off the middle
            let ct = Array3::from_shape_fn((17, 25, 31), |(z, y, x)| {
                let p = [0, 1, 2].map(|a| ([x, y, z][a] as f64 - [15.0, 12.0, 8.0][a]) * spacing_mm[a]);
                let [from, to] = [0.1, 0.5].map(|mm| normal_cdf((dot(p, n) - mm) / sigma));
                (-100.0 + 1350.0 * from - 2250.0 * to) as f32
            });
            let opposite = directions::opposite(direction);
            let candidate = Candidate { voxel: (8 * 25 + 12) * 31 + 15, direction: opposite };
            let own = one(&ct, candidate.voxel, directions::vector(opposite), &scale).unwrap();
            let turned = Bank::new(direction, &scale).turned().one(&ct, candidate, &scale).unwrap();
            let near = |a: f32, b: f32| (a - b).abs() <= 1e-3 * (1.0 + b.abs());
            assert!(
                near(turned.shift_mm, own.shift_mm) && near(turned.mass, own.mass),
                "{direction}: {turned:?} {own:?}"
            );
            assert!([0, 1].iter().all(|&side| near(turned.media[side], own.media[side])), "{direction}");
            assert!((own.shift_mm + 0.3).abs() < 0.1, "{direction}: {own:?}");
        }
    }
}
