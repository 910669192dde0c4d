//! Seal the openings of a head and fill all that its skin encloses.

use crate::bits::Bits;
use crate::components::{Connectivity, Labelled};
use crate::morphology::{closed, dilated, swept};
use crate::{Grid, Job, Result, fill};

/// A slice with this share of the tissue that the fullest slice holds, next to hardly any, is a cut.
const CUT_SHARE: f64 = 0.05;
/// Smoothing lets only the brightest tissue show up to this many slices before the image begins.
const CUT_BLUR: usize = 2;
/// Air spaces that open in the outline of a cut are sealed up to twice this width.
const CUT_OPENING_MM: f64 = 10.0;

/// All that the tissue's parts enclose when openings up to `opening_mm` wide are sealed.
///
/// The outside is where a ball of the opening's size rolls in from beyond the volume: an opening of the background
/// rather than a closing of the tissue, which leaves the convex skin untouched.
///
/// It then reaches `crevice` voxels (x, y, z) into narrower gaps.
pub(super) fn sealed(tissue: &Bits, grid: &Grid, opening_mm: f64, crevice: [usize; 3], job: &Job) -> Result<Bits> {
    // A voxel is a box: an opening's rim lies half-way between two centres, and between two thick slices even more so.
    let (radius_mm, box_mm) = (0.5 * opening_mm, grid.spacing_mm().map(|s| 0.5 * s));
    let pad = [0, 1, 2].map(|a| ((radius_mm + box_mm[a]) / grid.spacing_mm()[a]).ceil() as usize + 1);
    let walls = capped(tissue, grid)?.padded(pad);
    let centres = swept(&walls, grid, radius_mm, box_mm, &job.part(0.0, 0.45))?.not();
    let parts = Labelled::new(&centres, grid, Connectivity::Six, &job.part(0.45, 0.55))?;
    let outside = parts.select(|i| parts.components[i].touches_face(walls.size()));
    drop((centres, parts));
    let outside = swept(&outside, grid, radius_mm, box_mm, &job.part(0.55, 1.0))?.and_not(&walls);
    Ok(entered(outside, &walls, crevice).not().cropped(pad))
}

/// The outside once it has gone `crevice` voxels (x, y, z) into the gaps between the walls.
pub(super) fn entered(mut outside: Bits, walls: &Bits, crevice: [usize; 3]) -> Bits {
    for step in 0..crevice.into_iter().max().unwrap_or(0) {
        outside = outside.widened_along(crevice.map(|deep| deep > step)).and_not(walls);
    }
    outside
}

/// The tissue with its outline filled where the image ends, so that air spaces do not open there.
///
/// The image ends at the faces of the volume or, where a margin of zeros was put around it, at the first slice that the
/// head covers all at once.
pub(super) fn capped(tissue: &Bits, grid: &Grid) -> Result<Bits> {
    let mut capped = tissue.clone();
    let [sx, sy, sz] = grid.spacing_mm();
    for axis in 0..3 {
        let spacing_mm = [[sy, sz, 1.0], [sx, sz, 1.0], [sx, sy, 1.0]][axis];
        let last = tissue.size()[axis] - 1;
        let [low, high] = cuts(tissue, axis);
        let low = low.into_iter().flat_map(|at| at..=last.min(at + CUT_BLUR));
        let high = high.into_iter().flat_map(|at| at.saturating_sub(CUT_BLUR)..=at);
        for at in low.chain(high) {
            let outline = filled_outline(&tissue.face(axis, at), spacing_mm)?;
            capped.set_face(axis, at, &outline.or(&capped.face(axis, at)));
        }
    }
    Ok(capped)
}

/// The tissue as it would go on, where a margin of zeros was put around the image, up to the volume's faces.
pub(super) fn continued(tissue: &Bits) -> Bits {
    let mut whole = tissue.clone();
    for axis in 0..3 {
        let last = tissue.size()[axis] - 1;
        let [low, high] = cuts(tissue, axis);
        let low = low.filter(|&at| at > 0).map(|at| last.min(at + CUT_BLUR)).map(|at| (at, 0..at));
        let high = high.filter(|&at| at < last).map(|at| at.saturating_sub(CUT_BLUR)).map(|at| (at, at + 1..last + 1));
        for (at, beyond) in low.into_iter().chain(high) {
            let face = whole.face(axis, at);
            beyond.for_each(|at| whole.set_face(axis, at, &face));
        }
    }
    whole
}

/// The slices at which the image cuts the head at the low and the high end of an axis.
fn cuts(tissue: &Bits, axis: usize) -> [Option<usize>; 2] {
    let counts = tissue.counts_along(axis);
    let most = counts.iter().copied().max().unwrap_or(0) as f64;
    let wide = |at: &usize| counts[*at] as f64 > CUT_SHARE * most;
    let narrow = |at: Option<usize>| {
        let count = at.and_then(|at| counts.get(at));
        count.is_none_or(|&count| (count as f64) < 0.1 * CUT_SHARE * most)
    };
    let low = (0..counts.len()).find(wide).filter(|&at| narrow(at.checked_sub(2)));
    let high = (0..counts.len()).rfind(wide).filter(|&at| narrow(at.checked_add(2)));
    [low, high]
}

/// The largest part, without holes.
pub(super) fn one_part(mask: &Bits, grid: &Grid, job: &Job) -> Result<Bits> {
    let one = largest(mask, grid, &job.part(0.0, 0.5))?;
    let holes = fill::enclosed(&one, grid, &job.part(0.5, 1.0))?;
    Ok(one.or(&holes))
}

/// The largest part.
pub(super) fn largest(mask: &Bits, grid: &Grid, job: &Job) -> Result<Bits> {
    let parts = Labelled::new(mask, grid, Connectivity::Six, job)?;
    let largest = parts.largest();
    Ok(parts.select(|i| Some(i) == largest))
}

fn filled_outline(face: &Bits, spacing_mm: [f64; 3]) -> Result<Bits> {
    let ([width, height, _], job) = (face.size(), Job::new());
    let flat = Grid::axis_aligned(face.size(), spacing_mm)?;
    let enclosed = |outline: &Bits| -> Result<Bits> {
        let around = Labelled::new(&outline.clone().not(), &flat, Connectivity::Six, &job)?;
        Ok(around.select(|i| {
            let part = &around.components[i];
            part.low[0] > 0 && part.low[1] > 0 && part.high[0] + 1 < width && part.high[1] + 1 < height
        }))
    };
    // What only a closed outline encloses is filled up to where it was closed, but not what the closing added outside.
    let closed = closed(face, &flat, CUT_OPENING_MM, &job)?;
    let holes = enclosed(&closed)?;
    let within = dilated(&holes, &flat, CUT_OPENING_MM, &job)?.and(&closed).or(&holes);
    Ok(within.or(&enclosed(face)?).or(face))
}
