//! Which openings there are, and what becomes of each.

use super::aperture::{self, Aperture};
use super::openings::{self, Throat};
use super::scan::{Scan, Walls};
use super::{Decision, Opening, Params, Verdict, canals, specks, spots, verdict, wide};
use crate::{Job, Result, Voxel};
use ndarray::{ArrayRef3, Zip};
use rayon::prelude::*;

/// Openings up to the area of a circle of this diameter are looked for voxel by voxel.
const NARROW_MM: f64 = 15.0;
/// Smaller holes that blur fills are not told from thin places of a wall.
const LEAST_HIDDEN_MM2: f64 = 0.6;

/// Lists the openings of the base and what is added to it, decides about each, and adds those that hold a wall.
pub(super) fn decide<T: Voxel>(
    scan: &Scan<'_, T>,
    walls: &Walls,
    params: &Params,
    added: &mut ArrayRef3<u8>,
    job: &Job,
) -> Result<Vec<Opening>> {
    let Scan { base, grid, .. } = *scan;
    let with_base = |added: &mut ArrayRef3<u8>| Zip::from(added).and(base).par_for_each(|a, &b| *a |= u8::from(b != 0));
    // all bone, until every opening is known
    with_base(added);
    specks::clear(added, base, grid, &job.part(0.0, 0.02))?;
    canals::open(scan, added);
    let (mut throats, wide) = throats(scan, params.largest_opening_mm, added, &job.stage("openings", 0.02, 0.8))?;
    with_base(added);
    let verdicts = job.stage("verdicts", 0.8, 0.98);
    throats.extend(hidden(scan, walls, added, &verdicts)?);
    throats = in_order(throats);
    // a second look sees each hole of one opening alone, amid the wall that the first found between them
    let (fitted, changed) = refit(scan, walls, throats, None, added, &verdicts)?;
    (throats, _) = refit(scan, walls, fitted, Some(&changed), added, &verdicts)?;
    // a hole that was cleared may have left some
    specks::clear(added, base, grid, &job.part(0.98, 1.0))?;
    throats.splice(0..0, wide);
    Zip::from(&mut *added).and(base).par_for_each(|a, &b| *a &= u8::from(b == 0));
    let judge = |(k, throat)| verdict::judge(scan, walls, throat, k + 1);
    let mut found: Vec<Opening> = throats.par_iter().enumerate().map(judge).collect();
    params.decisions.iter().for_each(|decision| apply(decision, &mut found));
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

/// The throats of the space around all `bone` up to an area, and those of them too wide to be looked at closely.
fn throats<T: Voxel>(
    scan: &Scan<'_, T>,
    largest_mm: f64,
    bone: &ArrayRef3<u8>,
    job: &Job,
) -> Result<(Vec<Throat>, Vec<Throat>)> {
    let [narrow_mm2, largest_mm2] = [NARROW_MM, largest_mm].map(|mm| std::f64::consts::PI * 0.25 * mm.powi(2));
    let narrow = || openings::throats(bone, scan.grid, narrow_mm2.min(largest_mm2), &job.part(0.0, 1.0));
    // counts as nothing: the other takes longer
    let beside = job.part(0.0, 0.0);
    let wide = || {
        let is_asked = largest_mm2 > narrow_mm2;
        if is_asked { wide::throats(bone, scan.grid, narrow_mm2, largest_mm2, &beside) } else { Ok(Vec::new()) }
    };
    // both flood on one thread
    let (narrow, wide) = rayon::join(narrow, wide);
    Ok((narrow?, wide?))
}

/// Looks closely at throats in thin walls: corrects the `full` bone there and returns the throats as they are then, with
/// the voxels that changed. What said nothing before is looked at again where some have `changed` since.
fn refit<T: Voxel>(
    scan: &Scan<'_, T>,
    walls: &Walls,
    throats: Vec<Throat>,
    changed: Option<&[[usize; 3]]>,
    full: &mut ArrayRef3<u8>,
    job: &Job,
) -> Result<(Vec<Throat>, Vec<[usize; 3]>)> {
    let is_worth = |t: &Throat| match (t.share, changed) {
        (Some(share), _) => !share.is_wall,
        (None, Some(changed)) => aperture::looks_at(t, changed, scan.grid),
        (None, None) => true,
    };
    let fit = |t: &Throat| {
        job.check()?;
        Ok(if is_worth(t) { aperture::fit(scan, full, walls, t) } else { None })
    };
    // large ones take much longer than others
    let fits = throats.par_iter().with_max_len(1).map(fit);
    let apertures: Vec<Option<Aperture>> = fits.collect::<Result<_>>()?;
    let changed = draw(apertures.iter().flatten(), scan.base, full);
    let found = throats.into_iter().zip(apertures);
    let throats = found.flat_map(|(throat, aperture)| aperture.map_or_else(|| vec![throat], |a| a.holes)).collect();
    Ok((in_order(throats), changed))
}

/// Opens the holes that blur fills, where the `full` bone has none, and returns them.
fn hidden<T: Voxel>(scan: &Scan<'_, T>, walls: &Walls, full: &mut ArrayRef3<u8>, job: &Job) -> Result<Vec<Throat>> {
    // nor does a voxel show less than its face
    let least_mm2 = LEAST_HIDDEN_MM2.max(scan.grid.voxel_mm3().powf(2.0 / 3.0));
    let fit = |spot: &Throat| {
        job.check()?;
        let is_hole = |hole: &Throat| hole.area_mm2 >= least_mm2 && hole.share.is_some_and(|s| s.is_hole());
        Ok(aperture::fit(scan, full, walls, spot).filter(|a| a.holes.iter().any(is_hole)))
    };
    let fits = spots::find(walls, scan.grid).into_par_iter().with_max_len(1).map(|spot| fit(&spot));
    let apertures: Vec<Option<Aperture>> = fits.collect::<Result<_>>()?;
    draw(apertures.iter().flatten(), scan.base, full);
    Ok(apertures.into_iter().flatten().flat_map(|a| a.holes).collect())
}

/// Corrects the `full` bone by what was looked at closely; gives the voxels that change.
fn draw<'a>(
    apertures: impl Iterator<Item = &'a Aperture> + Clone,
    base: &ArrayRef3<u8>,
    full: &mut ArrayRef3<u8>,
) -> Vec<[usize; 3]> {
    let wall = apertures.clone().flat_map(|a| &a.wall).map(|&voxel| (voxel, 1));
    let free = apertures.flat_map(|a| &a.free).map(|&[x, y, z]| ([x, y, z], base[[z, y, x]]));
    let mut changed = Vec::new();
    for ([x, y, z], bone) in wall.chain(free) {
        if std::mem::replace(&mut full[[z, y, x]], bone) != bone {
            changed.push([x, y, z]);
        }
    }
    changed
}

/// The largest first, each once.
fn in_order(mut throats: Vec<Throat>) -> Vec<Throat> {
    throats.sort_by(|a, b| b.area_mm2.total_cmp(&a.area_mm2));
    openings::without_repeats(throats)
}

/// Does what the user decided about the opening nearest to a place, if one is there.
fn apply(decision: &Decision, openings: &mut [Opening]) {
    let distance =
        |o: &Opening| (0..3).map(|r| (o.center_ras_mm[r] - decision.center_ras_mm[r]).powi(2)).sum::<f64>().sqrt();
    let nearest = openings.iter_mut().min_by(|a, b| distance(a).total_cmp(&distance(b)));
    if let Some(opening) = nearest.filter(|o| distance(o) <= 1.0 + 0.5 * o.diameter_mm) {
        opening.verdict = decision.verdict;
        opening.decided = true;
    }
}
