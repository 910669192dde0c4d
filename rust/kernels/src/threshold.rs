//! What lies between two intensities, inside a mask.

use crate::auto_threshold::{Method, auto_threshold};
use crate::bias::correct_bias;
use crate::bits::Bits;
use crate::components::{Connectivity, Labelled};
use crate::histogram::histogram;
use crate::{Error, Grid, Job, Result, Voxel, distance};
use ndarray::{Array3, ArrayRef3, ArrayViewMut2, Axis, Zip};
use rayon::prelude::*;

/// Sets `out` to 1 where `image` lies between two bounds inside `mask`, and to 0 elsewhere.
///
/// Without a mask it is a plain threshold. NaN is never selected; an infinity is, by an open bound. Bounds are
/// compared as numbers, so 5.5 selects 6 and not 5 of an image of integers.
///
/// ```
/// use ndarray::array;
/// use skull_kernels::{Grid, Job, threshold::{Bound, Params, threshold}};
/// let image = array![[[3_i16, 5, 6, 7, 9]]];
/// let mask = array![[[1_u8, 1, 1, 0, 1]]];
/// let params = Params { lower: Bound::At(5.5), ..Params::default() };
/// let mut out = mask.clone();
/// threshold(&image, Some(&mask), &Grid::axis_aligned([5, 1, 1], [1.0; 3])?, &params, &mut out, &Job::new())?;
/// assert_eq!(out, array![[[0, 0, 1, 0, 1]]]);
/// # Ok::<(), skull_kernels::Error>(())
/// ```
///
/// Between given bounds this is one pass at the speed of memory. An automatic bound adds two passes; a depth
/// window a distance transform and 4 bytes a voxel; bias correction a few passes and 4 bytes a voxel; islands and
/// holes a labelling and a quarter of a byte a voxel each.
///
/// # Errors
/// [`Error::SizeMismatch`], [`Error::Parameter`] for a parameter out of its range or a lower bound above the
/// upper one, [`Error::NeedsMask`], [`Error::Empty`] where nothing is left of the mask, [`Error::Sheared`] for a
/// depth window or bias correction on oblique axes, [`Error::Cancelled`]; with an automatic bound those of
/// [`histogram`] and [`auto_threshold`], with bias correction those of [`correct_bias`].
pub fn threshold<T: Voxel>(
    image: &ArrayRef3<T>,
    mask: Option<&ArrayRef3<u8>>,
    grid: &Grid,
    params: &Params,
    out: &mut ArrayRef3<u8>,
    job: &Job,
) -> Result<Report> {
    grid.check_shape("image", image.dim())?;
    grid.check_shape("output", out.dim())?;
    if let Some(mask) = mask {
        grid.check_shape("mask", mask.dim())?;
    }
    params.check(mask.is_some())?;
    let region = Region { mask, inverted: params.invert_mask };
    let mut report = Report { warnings: region.leak().into_iter().collect(), ..Report::default() };
    report.warnings.extend(params.caveat.map(str::to_owned));

    if let Some((lower, upper)) = params.known_bounds().filter(|_| !params.looks_around()) {
        report.select(image, (lower, upper), Some(&region), out, &job.part(0.0, 0.6))?;
    } else {
        region.write_to(out);
        if params.bias_sigma_mm > 0.0 {
            let mut even = Array3::zeros(image.dim());
            correct_bias(image, Some(out), grid, params.bias_sigma_mm, &mut even, &job.part(0.0, 0.2))?;
            report.find_and_select(&even, grid, params, out, &job.part(0.2, 0.6))
        } else {
            report.find_and_select(image, grid, params, out, &job.part(0.0, 0.6))
        }
        .map_err(|error| region.named_in(error))?;
    }
    if report.voxels == 0 {
        if region.is_empty() {
            return Err(Error::Empty { what: "mask" });
        }
        report.warnings.push("no voxel lies between the bounds".to_owned());
    }
    if params.min_island_ml > 0.0 {
        report.remove_islands(grid, params.min_island_ml, out, &job.part(0.6, 0.8))?;
    }
    if params.max_hole_ml > 0.0 {
        report.fill_holes(&region, grid, params.max_hole_ml, out, &job.part(0.8, 1.0))?;
    }
    report.volume_ml = millilitres(report.voxels, grid);
    job.steps(1).step()?;
    Ok(report)
}

/// One end of the intensities that are selected, itself included.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Bound {
    /// No bound.
    #[default]
    Open,
    /// An intensity, in image units.
    At(f64),
    /// The intensity that parts in two what lies in the mask.
    Auto(Method),
}

/// What is selected. The default selects every number, everywhere.
#[derive(Debug, Clone, PartialEq)]
pub struct Params {
    /// Lowest intensity. Automatic here means the high side.
    pub lower: Bound,
    /// Highest intensity. Automatic here means the low side.
    pub upper: Bound,
    /// Number of bins of the histogram from which automatic bounds are found: 256 as in ITK, 64 as in Slicer.
    pub bins: usize,
    /// Find automatic bounds among the voxels up to the median only. Fat in T1 is so much brighter than all else
    /// that most methods would part fat from the rest, not bone from soft tissue.
    pub darker_half: bool,
    /// Select outside the mask instead.
    pub invert_mask: bool,
    /// Select only deeper than this below the mask's surface (from voxel centre to the nearest centre outside).
    /// The volume's faces are no surface: a neck that is cut by the field of view has no depth from the cut.
    pub min_depth_mm: f64,
    /// Select only down to this depth below the mask's surface.
    pub max_depth_mm: f64,
    /// Even out brightness on this scale first (see [`correct_bias`]); 0 does not. Bounds then apply to the
    /// corrected intensities.
    pub bias_sigma_mm: f64,
    /// Remove connected parts (26 neighbours) smaller than this; 0 keeps all.
    pub min_island_ml: f64,
    /// Fill enclosed cavities (6 neighbours) smaller than this, where they lie in the mask; 0 fills none.
    pub max_hole_ml: f64,
    /// What one must know of these parameters' result; the report repeats it among its warnings.
    pub caveat: Option<&'static str>,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            lower: Bound::Open,
            upper: Bound::Open,
            bins: 256,
            darker_half: false,
            invert_mask: false,
            min_depth_mm: 0.0,
            max_depth_mm: f64::INFINITY,
            bias_sigma_mm: 0.0,
            min_island_ml: 0.0,
            max_hole_ml: 0.0,
            caveat: None,
        }
    }
}

impl Params {
    /// What may be skull in an MR image, inside the mask of the skin: all that gives little signal between 2 mm
    /// (below the skin's own partial volume) and 30 mm deep.
    ///
    /// The bound is Otsu's between dark and soft tissue, after brightness is evened out. Fat, and with it the
    /// marrow between the skull's tables, is bright in T1 and stays out; air and, in T1, fluid come with the bone.
    #[must_use]
    pub fn mr_skull() -> Self {
        Self {
            upper: Bound::Auto(Method::Otsu),
            darker_half: true,
            min_depth_mm: 2.0,
            max_depth_mm: 30.0,
            bias_sigma_mm: 25.0,
            min_island_ml: 1.0,
            caveat: Some(
                "dark in MR is bone or air (sinuses, airway, the ears' air cells), and in T1 also fluid next to bone: \
                 this is a candidate for the skull, not the skull",
            ),
            ..Self::default()
        }
    }

    fn check(&self, has_mask: bool) -> Result<()> {
        for (name, bound) in [("the lower bound", self.lower), ("the upper bound", self.upper)] {
            if matches!(bound, Bound::At(value) if value.is_nan()) {
                return Err(Error::Parameter { name, value: f64::NAN, allowed: "a number" });
            }
        }
        if let Some((lower, _)) = self.known_bounds().filter(|(lower, upper)| lower > upper) {
            return Err(Error::Parameter { name: "the lower bound", value: lower, allowed: "at most the upper bound" });
        }
        for (name, value) in [
            ("bias_sigma_mm", self.bias_sigma_mm),
            ("min_island_ml", self.min_island_ml),
            ("max_hole_ml", self.max_hole_ml),
            ("min_depth_mm", self.min_depth_mm),
        ] {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(Error::Parameter { name, value, allowed: "0 or more, and finite" });
            }
        }
        if self.max_depth_mm.is_nan() || self.max_depth_mm < self.min_depth_mm {
            let allowed = "at least min_depth_mm";
            return Err(Error::Parameter { name: "max_depth_mm", value: self.max_depth_mm, allowed });
        }
        match (has_mask, self.has_depth_window(), self.invert_mask) {
            (false, true, _) => Err(Error::NeedsMask { what: "a depth window" }),
            (false, _, true) => Err(Error::NeedsMask { what: "selecting outside the mask" }),
            _ => Ok(()),
        }
    }

    /// Both bounds, infinite where open, if neither is to be found.
    fn known_bounds(&self) -> Option<(f64, f64)> {
        let known = |bound, open| match bound {
            Bound::Open => Some(open),
            Bound::At(value) => Some(value),
            Bound::Auto(_) => None,
        };
        Some((known(self.lower, f64::NEG_INFINITY)?, known(self.upper, f64::INFINITY)?))
    }

    /// Whether more than a voxel's own intensity and mask decides.
    fn looks_around(&self) -> bool {
        self.bias_sigma_mm > 0.0 || self.has_depth_window()
    }

    fn has_depth_window(&self) -> bool {
        self.min_depth_mm > 0.0 || self.max_depth_mm < f64::INFINITY
    }
}

/// What was selected, and how.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Report {
    /// Lowest intensity that was selected; `None` where open.
    pub lower: Option<f64>,
    /// Highest intensity that was selected; `None` where open.
    pub upper: Option<f64>,
    /// The method that found the lower bound, if one did.
    pub lower_method: Option<Method>,
    /// The method that found the upper bound, if one did.
    pub upper_method: Option<Method>,
    /// Number of voxels selected in the end.
    pub voxels: usize,
    /// Their volume.
    pub volume_ml: f64,
    /// Number of islands removed.
    pub islands_removed: usize,
    /// Their volume.
    pub islands_removed_ml: f64,
    /// Number of cavities filled.
    pub holes_filled: usize,
    /// Volume that was filled.
    pub holes_filled_ml: f64,
    /// What the user should know about the result.
    pub warnings: Vec<String>,
}

impl Report {
    /// Narrows `out`, which holds where to select, to the depth window and the bounds.
    fn find_and_select<T: Voxel>(
        &mut self,
        image: &ArrayRef3<T>,
        grid: &Grid,
        params: &Params,
        out: &mut ArrayRef3<u8>,
        job: &Job,
    ) -> Result<()> {
        if params.has_depth_window() {
            keep_depths(params.min_depth_mm, params.max_depth_mm, grid, out, &job.part(0.0, 0.5))?;
        }
        let bounds = match params.known_bounds() {
            Some(bounds) => bounds,
            None => self.find_bounds(image, params, out, &job.part(0.5, 0.8))?,
        };
        self.select(image, bounds, None, out, &job.part(0.8, 1.0))
    }

    fn find_bounds<T: Voxel>(
        &mut self,
        image: &ArrayRef3<T>,
        params: &Params,
        selectable: &ArrayRef3<u8>,
        job: &Job,
    ) -> Result<(f64, f64)> {
        let all = histogram(image, Some(selectable), params.bins, job).map_err(|error| match error {
            Error::Empty { .. } if params.has_depth_window() => Error::Empty { what: "mask within the depth window" },
            error => error,
        })?;
        if ((all.quantile_bin(0.995) - all.quantile_bin(0.005)) as f64) < STRETCHED * params.bins as f64 {
            self.warnings.push(
                "a few extreme intensities leave the others very few of the histogram's bins: the automatic bound is \
                 coarse, so use more bins or set the bounds"
                    .to_owned(),
            );
        }
        let histogram = if params.darker_half { all.darker_half() } else { all };
        let mut find = |bound: Bound, open: f64, found_by: fn(&mut Self) -> &mut Option<Method>| match bound {
            Bound::Open => Ok(open),
            Bound::At(value) => Ok(value),
            Bound::Auto(method) => {
                *found_by(self) = Some(method);
                auto_threshold(&histogram, method)
            }
        };
        let lower = find(params.lower, f64::NEG_INFINITY, |report| &mut report.lower_method)?;
        let upper = find(params.upper, f64::INFINITY, |report| &mut report.upper_method)?;
        Ok((lower, upper))
    }

    /// Selects between the bounds where `region` says or, if it is absent, where `out` is set already.
    fn select<T: Voxel>(
        &mut self,
        image: &ArrayRef3<T>,
        (lower, upper): (f64, f64),
        region: Option<&Region<'_>>,
        out: &mut ArrayRef3<u8>,
        job: &Job,
    ) -> Result<()> {
        self.lower = Some(lower).filter(|bound| bound.is_finite());
        self.upper = Some(upper).filter(|bound| bound.is_finite());
        let range = T::range_within(lower, upper);
        let steps = job.steps(out.len_of(Axis(0)));
        let select = |(z, mut out): (usize, ArrayViewMut2<'_, u8>)| {
            if let Some(region) = region {
                region.write_slice(z, &mut out);
            }
            match range {
                None => out.fill(0),
                Some((least, greatest)) => Zip::from(&mut out)
                    .and(image.index_axis(Axis(0), z))
                    .for_each(|out, &value| *out &= u8::from((least <= value) & (value <= greatest))),
            }
            steps.step()?;
            Ok(out
                .rows()
                .into_iter()
                .map(|row| row.iter().map(|&set| u32::from(set)).sum::<u32>() as usize)
                .sum::<usize>())
        };
        self.voxels =
            out.axis_iter_mut(Axis(0)).into_par_iter().enumerate().map(select).try_reduce(|| 0, |a, b| Ok(a + b))?;
        Ok(())
    }

    fn remove_islands(&mut self, grid: &Grid, min_ml: f64, out: &mut ArrayRef3<u8>, job: &Job) -> Result<()> {
        let parts = Labelled::new(&Bits::from_mask(out), grid, Connectivity::TwentySix, job)?;
        let stays = |part: usize| parts.components[part].mm3 >= min_ml * 1000.0;
        let kept = parts.select(stays);
        kept.write_to(out);
        self.islands_removed = (0..parts.components.len()).filter(|&part| !stays(part)).count();
        self.islands_removed_ml = millilitres(self.voxels - kept.count(), grid);
        self.voxels = kept.count();
        Ok(())
    }

    fn fill_holes(
        &mut self,
        region: &Region<'_>,
        grid: &Grid,
        max_ml: f64,
        out: &mut ArrayRef3<u8>,
        job: &Job,
    ) -> Result<()> {
        let selected = Bits::from_mask(out);
        let gaps = Labelled::new(&selected.clone().not(), grid, Connectivity::Six, job)?;
        let hole = |gap: usize| {
            let gap = &gaps.components[gap];
            gap.mm3 < max_ml * 1000.0 && !gap.touches_face(grid.size())
        };
        region.write_to(out);
        let filled = gaps.select(hole).and(&Bits::from_mask(out));
        self.holes_filled = (0..gaps.components.len()).filter(|&gap| hole(gap)).count();
        self.holes_filled_ml = millilitres(filled.count(), grid);
        self.voxels += filled.count();
        selected.or(&filled).write_to(out);
        Ok(())
    }
}

/// A mask that covers more than this part of the volume's faces may have leaked out of the head.
const LEAK: f64 = 0.02;

/// Where less than this part of the bins holds the middle 99 % of the voxels, a few extremes stretch the histogram.
const STRETCHED: f64 = 1.0 / 32.0;

/// Where to select: in the mask, outside of it, or everywhere.
struct Region<'a> {
    mask: Option<&'a ArrayRef3<u8>>,
    inverted: bool,
}

impl Region<'_> {
    /// The error of a search in this region, which is the whole image if there is no mask.
    fn named_in(&self, error: Error) -> Error {
        match error {
            Error::NotFinite { .. } if self.mask.is_none() => Error::NotFinite { of: "of the image" },
            Error::Constant { value, .. } if self.mask.is_none() => Error::Constant { of: "of the image", value },
            error => error,
        }
    }

    fn write_to(&self, out: &mut ArrayRef3<u8>) {
        let slices = out.axis_iter_mut(Axis(0)).into_par_iter().enumerate();
        slices.for_each(|(z, mut slice)| self.write_slice(z, &mut slice));
    }

    fn write_slice(&self, z: usize, out: &mut ArrayViewMut2<'_, u8>) {
        let Some(mask) = self.mask else { return out.fill(1) };
        Zip::from(out).and(mask.index_axis(Axis(0), z)).for_each(|out, &m| *out = u8::from((m != 0) != self.inverted));
    }

    fn is_empty(&self) -> bool {
        self.mask.is_some_and(|mask| mask.iter().all(|&m| (m != 0) == self.inverted))
    }

    /// A warning if the mask covers much of the volume's faces.
    fn leak(&self) -> Option<String> {
        let mask = self.mask.filter(|_| !self.inverted)?;
        let ends = |axis: usize| [(axis, 0), (axis, mask.len_of(Axis(axis)) - 1)];
        let faces = (0..3).flat_map(ends).map(|(axis, index)| mask.index_axis(Axis(axis), index));
        let (covered, all) = faces.fold((0, 0), |(covered, all), face| {
            (covered + face.iter().filter(|m| **m != 0).count(), all + face.len())
        });
        let part = covered as f64 / all as f64;
        (part > LEAK).then(|| {
            format!(
                "the mask covers {:.1} % of the volume's faces: unless the field of view cuts the head there, it \
                 has leaked out",
                100.0 * part
            )
        })
    }
}

/// Keeps of `out` what lies from `min_mm` to `max_mm` below its surface.
fn keep_depths(min_mm: f64, max_mm: f64, grid: &Grid, out: &mut ArrayRef3<u8>, job: &Job) -> Result<()> {
    let mut depth_mm = Array3::zeros(out.dim());
    Zip::from(&mut *out).par_for_each(|out| *out = 1 - *out);
    distance::distance_mm(out, grid, &mut depth_mm, job)?;
    Zip::from(out).and(&depth_mm).par_for_each(|out, &depth_mm| {
        let depth_mm = f64::from(depth_mm);
        *out = u8::from(depth_mm > 0.0 && min_mm <= depth_mm && depth_mm <= max_mm);
    });
    Ok(())
}

fn millilitres(voxels: usize, grid: &Grid) -> f64 {
    voxels as f64 * grid.voxel_mm3() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;
    use proptest::prelude::*;

    fn grid<T>(array: &ArrayRef3<T>) -> Grid {
        let (nz, ny, nx) = array.dim();
        Grid::axis_aligned([nx, ny, nz], [1.0, 2.0, 5.0]).unwrap()
    }

    fn run<T: Voxel>(
        image: &ArrayRef3<T>,
        mask: Option<&ArrayRef3<u8>>,
        params: &Params,
    ) -> Result<(Array3<u8>, Report)> {
        let mut out = Array3::from_elem(image.dim(), 7);
        let report = threshold(image, mask, &grid(image), params, &mut out, &Job::new())?;
        Ok((out, report))
    }

    fn between(lower: f64, upper: f64) -> Params {
        Params { lower: Bound::At(lower), upper: Bound::At(upper), ..Params::default() }
    }

    #[test]
    fn bounds_are_included_and_not_numbers_are_not() {
        let image = array![[[f32::NAN, f32::NEG_INFINITY, 1.0, 2.0, 3.0, f32::INFINITY]]];
        assert_eq!(run(&image, None, &between(1.0, 2.0)).unwrap().0, array![[[0, 0, 1, 1, 0, 0]]]);
        assert_eq!(run(&image, None, &Params::default()).unwrap().0, array![[[0, 1, 1, 1, 1, 1]]]);
        let above = Params { lower: Bound::At(1.5), ..Params::default() };
        assert_eq!(run(&image, None, &above).unwrap().0, array![[[0, 0, 0, 1, 1, 1]]]);
    }

    #[test]
    fn the_mask_or_its_outside_is_searched() {
        let image = array![[[1_i16, 5, 5, 9], [5, 5, 1, 1]]];
        let mask = array![[[1_u8, 255, 0, 1], [0, 3, 0, 1]]];
        let (inside, report) = run(&image, Some(&mask), &between(4.5, 5.5)).unwrap();
        assert_eq!(inside, array![[[0, 1, 0, 0], [0, 1, 0, 0]]]);
        assert_eq!((report.voxels, report.volume_ml), (2, 0.02));
        assert_eq!((report.lower, report.upper), (Some(4.5), Some(5.5)));
        let outside = Params { invert_mask: true, ..between(4.5, 5.5) };
        assert_eq!(run(&image, Some(&mask), &outside).unwrap().0, array![[[0, 0, 1, 0], [1, 0, 0, 0]]]);
    }

    #[test]
    fn an_automatic_bound_sees_only_the_mask() {
        // Two classes in the mask; what is outside of it would draw the bound to hundreds.
        let image = array![[[10_u16, 11, 12, 50, 51, 52, 900, 1000, 1100]]];
        let mask = array![[[1_u8, 1, 1, 1, 1, 1, 0, 0, 0]]];
        let high = Params { lower: Bound::Auto(Method::Otsu), ..Params::default() };
        let (out, report) = run(&image, Some(&mask), &high).unwrap();
        assert_eq!(out, array![[[0, 0, 0, 1, 1, 1, 0, 0, 0]]]);
        assert_eq!((report.lower_method, report.upper_method, report.upper), (Some(Method::Otsu), None, None));
        assert!((12.0..50.0).contains(&report.lower.unwrap()), "{report:?}");
        let low = Params { upper: Bound::Auto(Method::Otsu), ..Params::default() };
        assert_eq!(run(&image, Some(&mask), &low).unwrap().0, array![[[1, 1, 1, 0, 0, 0, 0, 0, 0]]]);
    }

    #[test]
    fn the_darker_half_leaves_fat_out() {
        let mut values = vec![20_i16; 30];
        values.extend([100; 60].iter().chain(&[900; 20]));
        let image = Array3::from_shape_vec((1, 1, 110), values).unwrap();
        let low = |darker_half| Params { upper: Bound::Auto(Method::Otsu), darker_half, ..Params::default() };
        assert_eq!(run(&image, None, &low(false)).unwrap().1.voxels, 90, "all but the fat");
        assert_eq!(run(&image, None, &low(true)).unwrap().1.voxels, 30, "the bone");
    }

    #[test]
    fn bias_correction_evens_out_the_mask_and_not_what_is_outside() {
        // Tissue of 100 with stripes of 60, more than twice as bright at one end; outside, brighter at the other end.
        let gain = |x: usize| 0.6 + 0.8 * x as f32 / 59.0;
        let stripe = |x: usize| x % 6 == 3;
        let image = Array3::from_shape_fn((4, 20, 60), |(_, y, x)| match (y < 10, stripe(x)) {
            (true, true) => 60.0 * gain(x),
            (true, false) => 100.0 * gain(x),
            (false, _) => 1000.0 * (2.0 - gain(x)),
        });
        let mask = Array3::from_shape_fn(image.dim(), |(_, y, _)| u8::from(y < 10));
        let dark = |bias_sigma_mm| Params { upper: Bound::At(80.0), bias_sigma_mm, ..Params::default() };
        let wrong = |params| {
            let (out, _) = run(&image, Some(&mask), &params).unwrap();
            let expected = Array3::from_shape_fn(image.dim(), |(_, y, x)| u8::from(y < 10 && stripe(x)));
            out.iter().zip(&expected).filter(|(a, b)| a != b).count()
        };
        assert!(wrong(dark(0.0)) > 400, "one bound cannot do it: {}", wrong(dark(0.0)));
        assert_eq!(wrong(dark(8.0)), 0);
    }

    #[test]
    fn depth_is_measured_from_the_surface_and_not_from_the_volumes_faces() {
        // Along x the mask ends at voxels 1 and 9 (1 mm apart), along y and z at the volume's faces.
        let image = Array3::<u8>::zeros((3, 4, 11));
        let mask = Array3::from_shape_fn(image.dim(), |(_, _, x)| u8::from((1..10).contains(&x)));
        let window = Params { min_depth_mm: 2.0, max_depth_mm: 3.0, ..Params::default() };
        let (out, _) = run(&image, Some(&mask), &window).unwrap();
        for ((_, _, x), &set) in out.indexed_iter() {
            assert_eq!(set == 1, [2, 3, 7, 8].contains(&x), "x = {x}");
        }
    }

    #[test]
    fn small_islands_go_and_small_holes_close() {
        // 5 × 3 × 3 of 10 mm³ voxels: a ring with a hole of one voxel, and an island of one voxel.
        let mut image = Array3::<i16>::zeros((3, 3, 6));
        image.slice_mut(ndarray::s![.., .., ..3]).fill(100);
        image[[1, 1, 1]] = 0;
        image[[0, 0, 5]] = 100;
        let params = |island, hole| Params { min_island_ml: island, max_hole_ml: hole, ..between(50.0, 150.0) };
        let (out, report) = run(&image, None, &params(0.011, 0.011)).unwrap();
        assert_eq!((report.islands_removed, report.holes_filled, report.voxels), (1, 1, 27));
        assert!((report.islands_removed_ml - 0.01).abs() < 1e-9 && (report.holes_filled_ml - 0.01).abs() < 1e-9);
        assert_eq!((out[[0, 0, 5]], out[[1, 1, 1]], out[[0, 0, 4]]), (0, 1, 0));
        let (_, report) = run(&image, None, &params(0.01, 0.01)).unwrap();
        assert_eq!((report.islands_removed, report.holes_filled, report.voxels), (0, 0, 27), "not smaller");

        let mut mask = Array3::ones(image.dim());
        mask[[1, 1, 1]] = 0;
        let (out, report) = run(&image, Some(&mask), &params(0.0, 1.0)).unwrap();
        assert_eq!((out[[1, 1, 1]], report.holes_filled_ml), (0, 0.0), "nothing is set outside the mask");
    }

    #[test]
    fn a_mask_that_covers_the_volumes_faces_is_warned_of() {
        let image = Array3::<u8>::zeros((9, 9, 9));
        let mut mask = Array3::<u8>::zeros(image.dim());
        mask.slice_mut(ndarray::s![3..6, 3..6, ..5]).fill(1);
        mask.slice_mut(ndarray::s![3..6, 3..6, 0]).fill(0);
        assert_eq!(run(&image, Some(&mask), &Params::default()).unwrap().1.warnings, Vec::<String>::new());
        mask.slice_mut(ndarray::s![3..8, 3..6, 0]).fill(1);
        let warnings = run(&image, Some(&mask), &Params::default()).unwrap().1.warnings;
        assert!(warnings.len() == 1 && warnings[0].contains("3.1 %"), "{warnings:?}");
    }

    #[test]
    fn what_cannot_be_done_is_said() {
        let image = array![[[1_i16, 5, 9]]];
        let refused = |params: Params| run(&image, None, &params).unwrap_err();
        assert!(matches!(refused(between(3.0, 2.0)), Error::Parameter { .. }));
        assert!(matches!(refused(between(f64::NAN, 2.0)), Error::Parameter { .. }));
        assert!(matches!(refused(Params { bias_sigma_mm: -1.0, ..Params::default() }), Error::Parameter { .. }));
        assert!(matches!(refused(Params { max_depth_mm: f64::NAN, ..Params::default() }), Error::Parameter { .. }));
        assert!(matches!(refused(Params { min_depth_mm: 1.0, ..Params::default() }), Error::NeedsMask { .. }));
        assert!(matches!(refused(Params { invert_mask: true, ..Params::default() }), Error::NeedsMask { .. }));
        let empty = Array3::zeros(image.dim());
        assert_eq!(run(&image, Some(&empty), &Params::default()).unwrap_err(), Error::Empty { what: "mask" });
        let (_, report) = run(&image, None, &between(6.0, 7.0)).unwrap();
        assert!(report.voxels == 0 && report.warnings[0].contains("no voxel"), "{report:?}");
        let job = Job::new();
        job.cancel();
        let result = threshold(&image, None, &grid(&image), &Params::default(), &mut empty.clone(), &job);
        assert_eq!(result, Err(Error::Cancelled));
    }

    #[test]
    fn an_outlier_that_stretches_the_histogram_is_warned_of() {
        let mut values: Vec<f32> = (0_u16..2000).map(|i| f32::from(i % 100)).collect();
        values[7] = 1e6;
        let image = Array3::from_shape_vec((10, 10, 20), values).unwrap();
        let auto = Params { lower: Bound::Auto(Method::Otsu), ..Params::default() };
        let warnings = run(&image, None, &auto).unwrap().1.warnings;
        assert!(warnings.iter().any(|w| w.contains("extreme")), "{warnings:?}");
    }

    /// A bright scalp 3 mm thick, dark bone 5 mm thick and a grey brain, under a coil that is brighter on one side.
    #[test]
    fn the_mr_skull_preset_finds_the_bone_of_a_drawn_head() {
        let grid = Grid::axis_aligned([64, 56, 40], [1.0, 1.0, 1.5]).unwrap();
        let radius = |(z, y, x): (usize, usize, usize)| {
            let [x, y, z] = [x as f64 - 31.5, y as f64 - 27.5, (z as f64 - 19.5) * 1.5];
            (x * x + y * y + z * z).sqrt()
        };
        let image = Array3::from_shape_fn(grid.shape(), |at| {
            let signal = match radius(at) {
                r if r > 26.0 => 5,
                r if r > 23.0 => 900,
                r if r > 18.0 => 25,
                _ => 300,
            };
            let noise = (at.0 * 7 + at.1 * 13 + at.2 * 29) % 17;
            ((signal + noise as i32) as f64 * (0.7 + 0.6 * at.2 as f64 / 63.0)) as u16
        });
        let mask = Array3::from_shape_fn(grid.shape(), |at| u8::from(radius(at) <= 26.0));
        let mut out = Array3::zeros(grid.shape());
        let report = threshold(&image, Some(&mask), &grid, &Params::mr_skull(), &mut out, &Job::new()).unwrap();
        let bone = Array3::from_shape_fn(grid.shape(), |at| {
            u8::from((18.0..=23.0).contains(&radius(at)) && radius(at) > 18.0)
        });
        let overlap = out.iter().zip(&bone).filter(|(a, b)| **a + **b == 2).count() as f64;
        let dice = 2.0 * overlap / (report.voxels + bone.iter().filter(|b| **b == 1).count()) as f64;
        assert!(dice > 0.99, "{dice} {report:?}");
        assert!(report.warnings.iter().any(|w| w.contains("bone or air")), "{report:?}");
    }

    proptest! {
        #[test]
        fn selects_what_a_plain_comparison_does_for_any_type_and_number_of_threads(
            (size, values, mask) in (1_usize..6, 1_usize..6, 1_usize..20).prop_flat_map(|(z, y, x)| (
                Just((z, y, x)),
                proptest::collection::vec(0_u8..100, x * y * z),
                proptest::collection::vec(0_u8..2, x * y * z),
            )),
            lower in -10.0_f64..110.0, width in 0.0_f64..60.0, invert_mask: bool,
        ) {
            let image = Array3::from_shape_vec(size, values).unwrap();
            let mask = Array3::from_shape_vec(size, mask).unwrap();
            prop_assume!(mask.iter().any(|m| (*m == 1) != invert_mask));
            let params = Params { invert_mask, ..between(lower, lower + width) };
            let expected = Array3::from_shape_fn(size, |at| {
                let inside = lower <= f64::from(image[at]) && f64::from(image[at]) <= lower + width;
                u8::from(inside && (mask[at] == 1) != invert_mask)
            });
            macro_rules! same { ($($scalar:ty)*) => { $(
                let (out, report) = run(&image.mapv(|v| v as $scalar), Some(&mask), &params).unwrap();
                prop_assert_eq!(&out, &expected);
                prop_assert_eq!(report.voxels, expected.iter().filter(|v| **v == 1).count());
            )* } }
            same!(i8 u8 i16 u16 i32 u32 i64 u64 f32 f64);
        }

        #[test]
        fn everything_at_once_stays_in_the_mask_and_does_not_depend_on_threads(
            values in proptest::collection::vec(1_u8..100, 7 * 8 * 9),
            method in proptest::sample::select(&Method::ALL[..]),
            low in any::<bool>(), invert_mask: bool, max_depth_mm in 3.0_f64..9.0,
        ) {
            let image = Array3::from_shape_vec((7, 8, 9), values).unwrap();
            let mask = Array3::from_shape_fn(image.dim(), |(z, y, x)| u8::from((1..6).contains(&z) && y > 1 && x < 8));
            let [lower, upper] = if low { [Bound::Open, Bound::Auto(method)] } else { [Bound::Auto(method), Bound::Open] };
            let params = Params {
                lower, upper, invert_mask, max_depth_mm, darker_half: low,
                bias_sigma_mm: 6.0, min_island_ml: 0.02, max_hole_ml: 0.1, ..Params::default()
            };
            let with = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| run(&image, Some(&mask), &params))
            };
            let (one, four) = (with(1), with(4));
            prop_assert_eq!(&one, &four);
            if let Ok((out, report)) = one {
                prop_assert!(out.iter().zip(&mask).all(|(o, m)| *o == 0 || (*m == 1) != invert_mask));
                prop_assert_eq!(report.voxels, out.iter().filter(|v| **v == 1).count());
            }
        }

        #[test]
        fn wider_bounds_select_more(
            values in proptest::collection::vec(any::<f32>(), 60),
            a in any::<f32>(), b in any::<f32>(), by in 0.0_f64..1e3,
        ) {
            prop_assume!(!a.is_nan() && !b.is_nan());
            let image = Array3::from_shape_vec((3, 4, 5), values).unwrap();
            let (lower, upper) = (f64::from(a.min(b)), f64::from(a.max(b)));
            let (narrow, _) = run(&image, None, &between(lower, upper)).unwrap();
            let (wide, _) = run(&image, None, &between(lower - by, upper + by)).unwrap();
            prop_assert!(narrow.iter().zip(&wide).all(|(n, w)| n <= w));
        }
    }
}
