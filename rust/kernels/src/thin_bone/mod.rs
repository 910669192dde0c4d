//! Bone thinner than a voxel, put back where the scan shows its mass, with every opening listed.
//!
//! A wall of thickness t between media of A and B HU, seen through a blur much wider than t, is a blurred step
//! plus a blurred plate of mass m = t (bone − (A + B)/2), in HU·mm. The blur spreads that mass but keeps it, so
//! walls that no threshold finds can still be weighed, once the blur is known: it is measured on the scan's own
//! skin ([`psf`]).
//!
//! Treece, Gee, Mayhew, Poole: High resolution cortical bone thickness measurement from clinical CT data. Med.
//! Image Anal. 14 (2010), doi 10.1016/j.media.2010.01.003, fits a blur of its own to each profile; here the blur
//! is known beforehand and the mass is a linear least squares estimate.

mod aperture;
mod candidates;
mod density;
mod directions;
mod linalg;
mod measure;
mod openings;
mod partial;
pub mod printable;
mod profile;
pub mod psf;
mod refine;
mod sheets;
mod verdict;
mod wide;

use crate::{Error, Grid, Job, Result, Voxel};
use aperture::Aperture;
use candidates::Candidate;
use measure::{Bank, Scale};
use ndarray::{Array3, ArrayRef3};
use openings::Throat;
use psf::{Calibration, Outside, Psf, Source};
use rayon::prelude::*;
use sheets::{Index, Linked, Node};
use std::ops::RangeInclusive;

/// How thin bone is found. The defaults need no touch.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Params {
    /// The scanner's full widths at half maximum, in-plane and through-plane; measured on the skin where `None`.
    pub fwhm_mm: Option<[f64; 2]>,
    /// The thinnest wall that is looked for, at the density of the scan's own bone.
    pub thinnest_mm: f64,
    /// Openings up to the area of a circle of this diameter are listed.
    pub largest_opening_mm: f64,
    /// What the user decided about openings, against the verdict.
    pub decisions: Vec<Decision>,
    /// Only this box is worked on: from and to along R, A and S; the whole scan where `None`. The scanner's blur
    /// is still measured on the whole.
    pub roi_mm: Option<[[f64; 2]; 3]>,
}

impl Default for Params {
    fn default() -> Self {
        Self { fwhm_mm: None, thinnest_mm: 0.15, largest_opening_mm: 40.0, decisions: Vec::new(), roi_mm: None }
    }
}

/// A user's verdict on the opening nearest to a place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decision {
    /// Where, RAS.
    pub center_ras_mm: [f64; 3],
    /// Filled or open.
    pub verdict: Verdict,
}

/// What becomes of an opening.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Its mass says that there is a wall: closed.
    Filled,
    /// It is empty, as far as this blur lets one see.
    Open,
    /// The scan cannot tell; it stays open.
    Undecided,
}

/// An opening of the bone.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Opening {
    /// Its number in the list, from 1, largest first.
    pub id: usize,
    /// Its middle, RAS.
    pub center_ras_mm: [f64; 3],
    /// Unit vector through it, RAS.
    pub axis_ras: [f64; 3],
    /// Diameter of the circle of equal area.
    pub diameter_mm: f64,
    /// Area seen along its axis.
    pub area_mm2: f64,
    /// What becomes of it.
    pub verdict: Verdict,
    /// Whether the verdict is the user's.
    pub decided: bool,
    /// Wall that its middle shows, as a share of its rim's; `None` where that cannot be measured.
    pub residual: Option<f64>,
    /// Standard error of the residual.
    pub residual_se: f64,
    /// The residual that a hole of this size in a wall shows when it is empty: exp(−d²/8σ²).
    pub residual_if_empty: f64,
    /// Thickness of the wall around it; 0 where its rim is thick bone.
    pub rim_mm: f64,
    /// HU on both sides, against and along the axis.
    pub media_hu: [f64; 2],
    /// The voxels (x, y, z), none of the base, that are bone where it is filled.
    pub voxels: Vec<[usize; 3]>,
}

/// What was found on the way.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// The scanner's blur and noise.
    pub calibration: Calibration,
    /// HU of the patient's thick bone, and of walls about a millimetre thick, whose thickness still shows.
    pub bone_hu: [f64; 2],
    /// The thinnest wall next to air, and between soft tissues, that this scan shows at one place.
    pub thinnest_seen_mm: [f64; 2],
    /// The smallest hole that this scan shows to be empty.
    pub smallest_hole_mm: f64,
    /// How many walls (sheets) were found.
    pub sheets: usize,
    /// Volume of the added bone's voxels.
    pub added_mm3: f64,
    /// Every opening, largest first.
    pub openings: Vec<Opening>,
    /// What the user should know about the result.
    pub warnings: Vec<String>,
}

/// Where the results go; all on the scan's grid.
#[derive(Debug)]
pub struct Outputs<'a> {
    /// Bone that is not in the base: 1, elsewhere 0.
    pub added: &'a mut ArrayRef3<u8>,
    /// Thickness of walls (mm), 0 where there is none.
    pub thickness_mm: Option<&'a mut ArrayRef3<f32>>,
    /// Mass of walls (HU·mm), 0 where there is none.
    pub mass_hu_mm: Option<&'a mut ArrayRef3<f32>>,
    /// Every piece of a wall, with its place between the voxels, in the order of its voxels.
    pub walls: Option<&'a mut Vec<Wall>>,
}

/// A piece of a wall, measured through one voxel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wall {
    /// The voxel's index (x, y, z).
    pub voxel: [u32; 3],
    /// The wall's middle nearest to the voxel's centre, as an index (x, y, z) that is not whole.
    pub middle: [f32; 3],
    /// Unit vector across it, along the grid's axes.
    pub normal: [f32; 3],
    /// How thick it is.
    pub thickness_mm: f32,
}

/// Adds to the `base` bone of a CT (HU) the walls too thin for any threshold, as far as their mass shows.
///
/// The base is never changed: all bone is `base` and `added` together. The result is the same for any number of
/// threads. Needs up to 10 bytes per voxel beyond the inputs and outputs, and 56 bytes per voxel that a wall may pass.
///
/// # Errors
/// [`Error::SizeMismatch`], [`Error::Sheared`], [`Error::Parameter`], [`Error::Empty`] without base bone,
/// [`Error::Cancelled`].
pub fn thin_bone<T: Voxel>(
    ct: &ArrayRef3<T>,
    base: &ArrayRef3<u8>,
    grid: &Grid,
    params: &Params,
    mut outputs: Outputs<'_>,
    job: &Job,
) -> Result<Report> {
    grid.check_shape("scan", ct.dim())?;
    grid.check_shape("bone", base.dim())?;
    grid.check_shape("output", outputs.added.dim())?;
    for map in [&outputs.thickness_mm, &outputs.mass_hu_mm].into_iter().flatten() {
        grid.check_shape("output", map.dim())?;
    }
    grid.check_orthogonal()?;
    check(params, grid)?;
    if base.iter().all(|&b| b == 0) {
        return Err(Error::Empty { what: "base bone" });
    }
    let stage = job.stage("calibration", 0.0, 0.05);
    let outside = Outside::new(ct, grid);
    let mut calibration = psf::calibrate(ct, grid, &outside, &stage)?;
    if let Some([xy, z]) = params.fwhm_mm {
        calibration.psf = Psf { overshoot: calibration.psf.overshoot, ..Psf::gaussian(xy, z) };
        calibration.psf.sigma_wide_mm = 2.2 * calibration.psf.sigma_xy_mm;
        calibration.source = Source::User;
        calibration.relative_error = [0.0; 2];
    }
    let thick_hu = density::thick_bone(ct, base, grid, calibration.noise_hu);
    let scale = Scale {
        psf: calibration.psf,
        psf_error: calibration.relative_error.into_iter().fold(LEAST_PSF_ERROR, f64::max),
        noise_hu: calibration.noise_hu,
        noise_voxels: calibration.noise_voxels,
        bone_hu: thick_hu,
        thinnest_mm: params.thinnest_mm,
        spacing_mm: grid.spacing_mm(),
    };
    let rest = job.part(0.05, 1.0);
    let (found, scale) = match params.roi_mm {
        None => repair(ct, base, grid, &outside, scale, params, &mut outputs, &rest)?,
        Some(roi) => {
            let region = Region::new(roi, grid)?;
            repair_region(ct, base, grid, outside, scale, params, &region, &mut outputs, &rest)?
        }
    };
    let added = outputs.added.iter().filter(|&&a| a != 0).count();
    Ok(Report {
        bone_hu: [thick_hu, scale.bone_hu],
        thinnest_seen_mm: thinnest_seen(&scale),
        smallest_hole_mm: smallest_hole(&scale),
        sheets: found.sheets,
        added_mm3: added as f64 * grid.voxel_mm3(),
        openings: found.openings,
        warnings: warnings(&calibration),
        calibration,
    })
}

/// What a repair found beside the maps.
struct Found {
    openings: Vec<Opening>,
    sheets: usize,
}

/// Repairs all of `grid`; also returns the scale with the density of thin bone.
#[allow(clippy::too_many_arguments, reason = "the whole of thin_bone once the blur is known")]
fn repair<T: Voxel>(
    ct: &ArrayRef3<T>,
    base: &ArrayRef3<u8>,
    grid: &Grid,
    outside: &Outside,
    mut scale: Scale,
    params: &Params,
    outputs: &mut Outputs<'_>,
    job: &Job,
) -> Result<(Found, Scale)> {
    let thick_hu = scale.bone_hu;
    let candidates =
        candidates::find(ct, base, grid, outside, &scale.psf, scale.noise_hu, &job.stage("candidates", 0.0, 0.25))?;
    let nodes = survey(ct, candidates, &scale, &job.stage("measurement", 0.25, 0.6))?;
    scale.bone_hu = density::thin_bone(ct, &nodes, &scale, thick_hu);
    let thickness_mm = if outputs.thickness_mm.is_some() || outputs.walls.is_some() {
        let asked = |node: &Node| node.wall.evidence > 0.0;
        Some(refine::thickness(ct, &nodes, asked, &scale, &job.stage("thickness", 0.6, 0.65))?)
    } else {
        None
    };
    let stage = job.stage("sheets", 0.65, 0.75);
    let linked = sheets::link(&nodes, thickness_mm.as_deref(), scale.noise_hu as f32, grid, &stage)?;
    drop(thickness_mm);

    job.stage("partial voxels", 0.75, 0.75).check()?;
    outputs.added.fill(0);
    for (node, _) in nodes.iter().zip(&linked.bone).filter(|(_, bone)| **bone) {
        let at = place(node, grid);
        let [z, y, x] = at;
        outputs.added[at] = u8::from(base[at] == 0 && !partial::is_in_canal(ct, [x, y, z]));
    }
    partial::add(ct, base, &scale, outputs.added);
    for (map, of) in [(&mut outputs.thickness_mm, true), (&mut outputs.mass_hu_mm, false)] {
        let Some(map) = map else { continue };
        map.fill(0.0);
        for (k, node) in nodes.iter().enumerate().filter(|(k, _)| linked.bone[*k]) {
            map[place(node, grid)] = if of { linked.thickness_mm[k] } else { node.wall.mass };
        }
    }
    if let Some(walls) = &mut outputs.walls {
        let spacing = grid.spacing_mm();
        let found = nodes.iter().enumerate().filter(|(k, _)| linked.bone[*k]).map(|(k, node)| {
            let middle = node.middle(grid);
            let [z, y, x] = place(node, grid);
            Wall {
                voxel: [x, y, z].map(|i| i as u32),
                middle: [0, 1, 2].map(|a| (middle[a] / spacing[a]) as f32),
                normal: node.n().map(|c| c as f32),
                thickness_mm: linked.thickness_mm[k],
            }
        });
        walls.clear();
        walls.extend(found);
    }
    let openings = decide(ct, base, grid, &nodes, &linked, &scale, params, outputs.added, &job.part(0.75, 1.0))?;
    Ok((Found { openings, sheets: linked.sheets }, scale))
}

/// Repairs a part of the scan, which is copied with enough around it to be seen as in the whole.
#[allow(clippy::too_many_arguments, reason = "as repair, and where")]
fn repair_region<T: Voxel>(
    ct: &ArrayRef3<T>,
    base: &ArrayRef3<u8>,
    grid: &Grid,
    outside: Outside,
    scale: Scale,
    params: &Params,
    region: &Region,
    outputs: &mut Outputs<'_>,
    job: &Job,
) -> Result<(Found, Scale)> {
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
    let outside = outside.counted_from(outer[0]);
    let (ct, base) = (ct.slice(cut(outer)).to_owned(), base.slice(cut(outer)).to_owned());
    let (mut found, scale) = repair(&ct, &base, &part, &outside, scale, params, &mut results, job)?;
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
    Ok((found, scale))
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

/// Openings up to the area of a circle of this diameter are looked for voxel by voxel.
const NARROW_MM: f64 = 15.0;
/// What lies this near to a region is looked at, too.
const AROUND_MM: f64 = 12.0;
/// No blur is known better than this, relatively: it varies within the scan.
const LEAST_PSF_ERROR: f64 = 0.08;
/// HU of soft tissue, at most.
const SOFT_HU: f64 = 50.0;
/// Added bone reaches over a voxel that a wall only touches with its thickness, up to this.
const OVERLAP_MM: f64 = 0.35;

/// Edges of voxels and blurs that a CT may have, mm: beyond them the unit is mistaken, and no time or memory enough.
const SPACING_MM: RangeInclusive<f64> = 0.05..=10.0;
const FWHM_MM: RangeInclusive<f64> = 0.1..=10.0;

fn check(params: &Params, grid: &Grid) -> Result<()> {
    if let Some(value) = grid.spacing_mm().into_iter().find(|s| !SPACING_MM.contains(s)) {
        return Err(Error::Parameter {
            name: "the voxel spacing in mm",
            value,
            allowed: "0.05 to 10: check the image's unit",
        });
    }
    if let Some(value) = params.fwhm_mm.into_iter().flatten().find(|fwhm| !FWHM_MM.contains(fwhm)) {
        return Err(Error::Parameter { name: "fwhm_mm", value, allowed: "0.1 to 10" });
    }
    let positive = |name, value: f64| {
        if value.is_finite() && value > 0.0 {
            Ok(())
        } else {
            Err(Error::Parameter { name, value, allowed: "positive and finite" })
        }
    };
    for end in params.roi_mm.into_iter().flatten().flatten() {
        if !end.is_finite() {
            return Err(Error::Parameter { name: "roi_mm", value: end, allowed: "finite" });
        }
    }
    positive("thinnest_mm", params.thinnest_mm)?;
    positive("largest_opening_mm", params.largest_opening_mm)
}

fn place(node: &Node, grid: &Grid) -> [usize; 3] {
    let (_, ny, nx) = grid.shape();
    let v = node.voxel as usize;
    [v / (nx * ny), v / nx % ny, v % nx]
}

/// Measures a wall through every voxel that may hold one; the nodes are in order of their voxels.
fn survey<T: Voxel>(ct: &ArrayRef3<T>, mut candidates: Vec<Candidate>, scale: &Scale, job: &Job) -> Result<Vec<Node>> {
    candidates.par_sort_unstable_by_key(|c| (c.direction, c.voxel));
    let groups: Vec<&[Candidate]> = candidates.chunk_by(|a, b| a.direction == b.direction).collect();
    let steps = job.steps(groups.len());
    let found: Vec<Vec<Node>> = groups
        .into_par_iter()
        .map(|group| {
            steps.step()?;
            let bank = Bank::new(group[0].direction, scale);
            let mut nodes = Vec::new();
            bank.measure(ct, group, scale, |candidate, wall| {
                let beyond = (0.5 * f64::from(wall.thickness_mm)).clamp(0.0, OVERLAP_MM);
                if f64::from(wall.shift_mm).abs() <= bank.support_mm() + beyond {
                    nodes.push(Node { voxel: candidate.voxel, direction: candidate.direction, wall });
                }
            });
            Ok(nodes)
        })
        .collect::<Result<_>>()?;
    let mut nodes: Vec<Node> = found.into_iter().flatten().collect();
    nodes.par_sort_unstable_by_key(|n| n.voxel);
    Ok(nodes)
}

/// Lists the openings, decides about each, and closes those that hold a wall.
#[allow(clippy::too_many_arguments, reason = "one stage of one function")]
fn decide<T: Voxel>(
    ct: &ArrayRef3<T>,
    base: &ArrayRef3<u8>,
    grid: &Grid,
    nodes: &[Node],
    linked: &Linked,
    scale: &Scale,
    params: &Params,
    added: &mut ArrayRef3<u8>,
    job: &Job,
) -> Result<Vec<Opening>> {
    for (a, &b) in added.iter_mut().zip(base) {
        *a |= u8::from(b != 0);
    }
    let circle_mm2 = |mm: f64| std::f64::consts::PI * 0.25 * mm.powi(2);
    let (narrow_mm2, largest_mm2) = (circle_mm2(NARROW_MM), circle_mm2(params.largest_opening_mm));
    let search = job.stage("openings", 0.0, 0.8);
    let mut throats = openings::throats(added, grid, narrow_mm2.min(largest_mm2), &search.part(0.0, 0.9))?;
    let wide = if largest_mm2 > narrow_mm2 {
        wide::throats(added, grid, narrow_mm2, largest_mm2, &search.part(0.9, 1.0))?
    } else {
        Vec::new()
    };
    let index = Index::new(nodes.iter().map(|n| n.voxel).collect(), grid.size());
    let verdicts = job.stage("verdicts", 0.8, 1.0);
    // a second look sees each hole of one opening alone, amid the wall that the first found between them
    for _ in 0..2 {
        throats = refit(ct, base, grid, (nodes, &index, linked), scale, throats, added, &verdicts)?;
    }
    throats.splice(0..0, wide);
    for (a, &b) in added.iter_mut().zip(base) {
        *a &= u8::from(b == 0);
    }
    let mut found: Vec<Opening> = throats
        .par_iter()
        .enumerate()
        .map(|(k, throat)| verdict::judge(ct, grid, (nodes, &index, linked), scale, throat, k + 1))
        .collect();
    for decision in &params.decisions {
        let distance =
            |o: &Opening| (0..3).map(|r| (o.center_ras_mm[r] - decision.center_ras_mm[r]).powi(2)).sum::<f64>().sqrt();
        let nearest = found.iter_mut().min_by(|a, b| distance(a).total_cmp(&distance(b)));
        if let Some(opening) = nearest.filter(|o| distance(o) <= 1.0 + 0.5 * o.diameter_mm) {
            opening.verdict = decision.verdict;
            opening.decided = true;
        }
    }
    for (opening, throat) in found.iter_mut().zip(throats) {
        opening.voxels = throat.voxels;
        opening.voxels.retain(|&[x, y, z]| base[[z, y, x]] == 0);
        if opening.verdict == Verdict::Filled {
            for &[x, y, z] in &opening.voxels {
                added[[z, y, x]] = 1;
            }
        }
    }
    Ok(found)
}

/// Looks closely at throats in thin walls: corrects the `full` bone there and returns the throats as they are then.
#[allow(clippy::too_many_arguments, reason = "a step of decide, with all that it has")]
fn refit<T: Voxel>(
    ct: &ArrayRef3<T>,
    base: &ArrayRef3<u8>,
    grid: &Grid,
    walls: (&[Node], &Index, &Linked),
    scale: &Scale,
    throats: Vec<Throat>,
    full: &mut ArrayRef3<u8>,
    job: &Job,
) -> Result<Vec<Throat>> {
    let fit = |t: &Throat| {
        job.check()?;
        let is_wall = t.share.is_some_and(|s| s.is_wall);
        Ok(if is_wall { None } else { aperture::fit(ct, full, grid, walls, scale, t) })
    };
    let apertures: Vec<Option<Aperture>> = throats.par_iter().map(fit).collect::<Result<_>>()?;
    for &[x, y, z] in apertures.iter().flatten().flat_map(|a| &a.wall) {
        full[[z, y, x]] = 1;
    }
    for &[x, y, z] in apertures.iter().flatten().flat_map(|a| &a.free) {
        full[[z, y, x]] = base[[z, y, x]];
    }
    let mut found: Vec<Throat> = throats
        .into_iter()
        .zip(apertures)
        .flat_map(|(throat, aperture)| aperture.map_or_else(|| vec![throat], |a| a.holes))
        .collect();
    found.sort_by(|a, b| b.area_mm2.total_cmp(&a.area_mm2));
    Ok(openings::without_repeats(found))
}

/// The thinnest wall whose mass stands out from the noise at one place: next to air and between soft tissues.
fn thinnest_seen(scale: &Scale) -> [f64; 2] {
    let sigma = scale.psf.sigma_xy_mm;
    let voxel_mm3: f64 = scale.spacing_mm.iter().product();
    // independent profiles in the pooled area, and samples along each, per mm
    let per_mm = 4.0 * std::f64::consts::PI * profile::POOL_MM.powi(2) / (voxel_mm3 * scale.noise_voxels);
    let detectable = 3.0 * scale.noise_hu;
    let root_pi = std::f64::consts::PI.sqrt();
    let soft_mass = detectable * (2.0 * root_pi * sigma / per_mm).sqrt();
    // against a step a plate shows in second order only, as m²/2H
    let step = 900.0;
    let second = detectable * (4.0 * root_pi * sigma.powi(3) / per_mm).sqrt();
    let air_mass = (2.0 * step * second).sqrt();
    [air_mass / (scale.bone_hu + 550.0), soft_mass / (scale.bone_hu - 20.0)]
}

/// The diameter from which an empty hole shows less than a third of its rim.
fn smallest_hole(scale: &Scale) -> f64 {
    let sigma = scale.psf.sigma_xy_mm.max(scale.psf.sigma_z_mm);
    sigma * (8.0 * 3.0_f64.ln()).sqrt()
}

fn warnings(calibration: &Calibration) -> Vec<String> {
    let mut warnings = Vec::new();
    let [xy, z] = calibration.psf.fwhm_mm();
    match calibration.source {
        Source::Spacing => warnings.push(format!(
            "no clean skin to measure the scanner's blur on: taken from the voxel's size ({xy:.2} mm in-plane, \
             {z:.2} mm through-plane); walls thinner than half a millimetre are uncertain, give the widths if known"
        )),
        Source::Skin if calibration.relative_error.iter().any(|&e| e > 0.1) => warnings.push(format!(
            "the scanner's blur ({xy:.2} mm in-plane, {z:.2} mm through-plane) is known to {:.0} % only",
            100.0 * calibration.relative_error[0].max(calibration.relative_error[1])
        )),
        Source::Skin | Source::User => {}
    }
    warnings
}
