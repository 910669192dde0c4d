//! Bone that fills a voxel in part: too thick or too crooked for a sheet, too dim for the base.
//!
//! Voxels brighter than any soft tissue that bone holds on one side are bone, with two exceptions: the slope of thick
//! bone, whose edge at half its height lies beyond the voxel, and the inside of canals, small holes and narrow gaps,
//! which is bright only because what surrounds it is.

use super::gaps::{Gaps, SOFT_HU};
use super::linalg::{extent_mm, unit};
use super::measure::Scale;
use super::psf::{FWHM_PER_SIGMA, normal_cdf};
use super::scan::Scan;
use crate::Voxel;
use ndarray::{Array2, ArrayRef3, Axis, Zip};
use rayon::prelude::*;

/// Brighter than soft tissue by this, and by so many times the noise there.
const ABOVE_SOFT_HU: f64 = 80.0;
const ABOVE_NOISE: f64 = 2.2;
/// The edge of a plane that grows has so many neighbours in it; specks of noise hang in chains.
const HELD_BY: u8 = 3;
/// A canal is darker than both neighbours by this, in so many of the 13 directions.
const CANAL_HU: f32 = 60.0;
const CANAL_DIRECTIONS: usize = 6;
/// Walls end within this, and within so many widths of the blur: thicker bone has an edge at half its height.
const WALL_MM: f64 = 3.0;
const WALL_FWHM: f64 = 2.0;
/// A slope counts as bone while the edge is nearer than this share of the voxel's half extent.
const EDGE_SHARE: f64 = 0.8;

/// Adds to `added` the bright voxels that are held by the base or by what is added.
pub(super) fn add<T: Voxel>(scan: &Scan<'_, T>, added: &mut ArrayRef3<u8>) {
    let Scan { ct, base, scale, noise, .. } = scan;
    let bright = |noise_hu: f32| SOFT_HU + (ABOVE_NOISE * f64::from(noise_hu)).max(ABOVE_SOFT_HU);
    let gaps = Gaps::new(scale);
    let is_partial = |at: [usize; 3]| {
        ct[[at[2], at[1], at[0]]].to_f64() >= bright(noise.at(at))
            && !is_hollow(ct, at)
            && !gaps.is_gap(ct, at)
            && !is_slope(ct, at, scale)
    };
    grow(ct, bright(noise.least()), base, added, is_partial);
}

/// Adds to `added` the voxels of at least `least_hu` that are partial and have enough neighbours in the base or in what
/// is added, until there is no other: whatever the order, they are the same.
fn grow<T: Voxel>(
    ct: &ArrayRef3<T>,
    least_hu: f64,
    base: &ArrayRef3<u8>,
    added: &mut ArrayRef3<u8>,
    is_partial: impl Fn([usize; 3]) -> bool + Sync,
) {
    let (nz, ny, nx) = ct.dim();
    let around = |at: [usize; 3]| {
        let [xs, ys, zs] = [(at[0], nx), (at[1], ny), (at[2], nz)].map(|(i, n)| i.saturating_sub(1)..(i + 2).min(n));
        zs.flat_map(move |z| {
            let xs = xs.clone();
            ys.clone().flat_map(move |y| xs.clone().map(move |x| [x, y, z]))
        })
    };
    let may_join = |v: &T, base: u8, added: u8| base | added == 0 && v.to_f64() >= least_hu;
    let joins = |added: &ArrayRef3<u8>, at: [usize; 3]| {
        let is_bone = |&[x, y, z]: &[usize; 3]| base[[z, y, x]] != 0 || added[[z, y, x]] != 0;
        around(at).filter(is_bone).nth(usize::from(HELD_BY) - 1).is_some() && is_partial(at)
    };
    let mut grown: Vec<[usize; 3]> = {
        let added = &*added;
        let in_slice = |z: usize| {
            let held = held(base, added, z).into_iter().enumerate().filter(|(_, held)| *held);
            held.map(move |(k, _)| [k % nx, k / nx, z])
                .filter(|&[x, y, z]| may_join(&ct[[z, y, x]], base[[z, y, x]], added[[z, y, x]]))
                .filter(|&at| is_partial(at))
        };
        (0..nz).into_par_iter().flat_map_iter(in_slice).collect()
    };
    while !grown.is_empty() {
        // many are found from several sides
        grown.retain(|&[x, y, z]| std::mem::replace(&mut added[[z, y, x]], 1) == 0);
        let added = &*added;
        let beside = |&at: &[usize; 3]| {
            around(at)
                .filter(|&[x, y, z]| may_join(&ct[[z, y, x]], base[[z, y, x]], added[[z, y, x]]))
                .filter(|&at| joins(added, at))
        };
        grown = grown.par_iter().flat_map_iter(beside).collect();
    }
}

/// Which voxels of a slice have enough neighbours, or are themselves, in the base or in what is added.
fn held(base: &ArrayRef3<u8>, added: &ArrayRef3<u8>, z: usize) -> Vec<bool> {
    let (nz, ny, nx) = base.dim();
    let mut count = Array2::<u8>::zeros((ny, nx));
    for z in z.saturating_sub(1)..(z + 2).min(nz) {
        let bone = Zip::from(&mut count).and(base.index_axis(Axis(0), z)).and(added.index_axis(Axis(0), z));
        bone.for_each(|count, b, a| *count += u8::from(b | a != 0));
    }
    let mut held = Vec::with_capacity(nx * ny);
    let mut row = vec![0; nx + 2];
    for y in 0..ny {
        row.fill(0);
        for y in y.saturating_sub(1)..(y + 2).min(ny) {
            row[1..].iter_mut().zip(count.row(y)).for_each(|(sum, count)| *sum += count);
        }
        held.extend(row.windows(3).map(|w| w[0] + w[1] + w[2] >= HELD_BY));
    }
    held
}

/// Whether a voxel is darker than both neighbours in many directions, as inside a canal or a small hole.
pub(super) fn is_hollow<T: Voxel>(ct: &ArrayRef3<T>, at: [usize; 3]) -> bool {
    if is_at_face(ct, at) {
        return false;
    }
    let value = |k: usize| {
        let [x, y, z] = [at[0] + k % 3, at[1] + k / 3 % 3, at[2] + k / 9].map(|i| i - 1);
        ct[[z, y, x]].to_f32()
    };
    let here = value(13) + CANAL_HU;
    (0..13).filter(|&k| value(k).min(value(26 - k)) > here).count() >= CANAL_DIRECTIONS
}

/// Whether a voxel lies outside the edge of bone too thick to be a wall.
fn is_slope<T: Voxel>(ct: &ArrayRef3<T>, at: [usize; 3], scale: &Scale) -> bool {
    if is_at_face(ct, at) {
        return false;
    }
    let (nz, ny, nx) = ct.dim();
    let (size, spacing) = ([nx, ny, nz], scale.spacing_mm);
    let value = |i: [usize; 3]| ct[[i[2], i[1], i[0]]].to_f64();
    let gradient = [0, 1, 2].map(|a| {
        let (mut low, mut high) = (at, at);
        low[a] -= 1;
        high[a] += 1;
        (value(high) - value(low)) / (2.0 * spacing[a])
    });
    let Some(n) = unit(gradient) else { return false };
    let step_mm = spacing.into_iter().fold(f64::INFINITY, f64::min);
    let sigma = scale.psf.along(n[2] * n[2]).sigma;
    let wall_mm = WALL_MM.min(WALL_FWHM * FWHM_PER_SIGMA * sigma);
    let mut peak = value(at);
    for step in 1..=(wall_mm / step_mm) as usize {
        let i = [0, 1, 2].map(|a| {
            let i = at[a] as f64 + step as f64 * step_mm * n[a] / spacing[a];
            (i.round().max(0.0) as usize).min(size[a] - 1)
        });
        peak = peak.max(value(i));
        if value(i) < 0.5 * (SOFT_HU + peak) {
            return false;
        }
    }
    // the height of a blurred edge says how far away its middle is
    let support_mm = 0.5 * extent_mm(n, spacing);
    value(at) < SOFT_HU + normal_cdf(-EDGE_SHARE * support_mm / sigma) * (peak - SOFT_HU)
}

fn is_at_face<T: Voxel>(ct: &ArrayRef3<T>, at: [usize; 3]) -> bool {
    let (nz, ny, nx) = ct.dim();
    at.iter().zip([nx, ny, nz]).any(|(&i, n)| i == 0 || i + 1 == n)
}

#[cfg(test)]
mod tests {
    use super::super::psf::Psf;
    use super::*;
    use ndarray::Array3;

    #[test]
    fn walls_grow_from_bone_over_bright_voxels_and_chains_of_specks_do_not() {
        let mut base = Array3::<u8>::zeros((12, 12, 12));
        base.slice_mut(ndarray::s![.., .., ..2]).fill(1);
        let is_wall = |[x, y, _]: [usize; 3]| y == 6 && x < 9;
        let is_chain = |[x, y, z]: [usize; 3]| y == 2 && z == 2 + x % 2;
        let mut added = Array3::zeros(base.dim());
        let ct =
            Array3::from_shape_fn(
                base.dim(),
                |(z, y, x)| {
                    if is_wall([x, y, z]) || is_chain([x, y, z]) { 200_i16 } else { 40 }
                },
            );
        grow(&ct, 130.0, &base, &mut added, |_| true);
        for ((z, y, x), &a) in added.indexed_iter() {
            // the first of a chain lies on the bone
            let is_added = x >= 2 && is_wall([x, y, z]) || x == 2 && is_chain([x, y, z]);
            assert_eq!(a != 0, is_added, "{x} {y} {z}");
        }
    }

    #[test]
    fn beyond_the_edge_of_bone_wider_than_twice_the_blur_is_its_slope_and_beside_a_wall_is_not() {
        const VOXEL_MM: f64 = 0.3;
        let scale = Scale::usual(Psf::gaussian(0.8, 0.8), [VOXEL_MM; 3]);
        // the voxel lies 0.35 mm outside the bone, whose other edge is within 1.6 mm of it or is not
        for (thickness_mm, expected) in [(0.6, false), (0.9, false), (2.2, true), (2.8, true), (8.0, true)] {
            let ct = Array3::from_shape_fn((9, 9, 44), |(_, _, x)| {
                let inward_mm = (x as f64 - 20.0) * VOXEL_MM - 0.35;
                let cdf = |mm: f64| normal_cdf(mm / scale.psf.sigma_xy_mm);
                50.0 + 1200.0 * (cdf(inward_mm) - cdf(inward_mm - thickness_mm))
            });
            assert_eq!(is_slope(&ct, [20, 4, 4], &scale), expected, "{thickness_mm} mm");
        }
    }

    #[test]
    fn a_canal_is_told_from_a_wall_and_a_hole_from_both() {
        let canal =
            Array3::from_shape_fn((5, 5, 5), |(_, y, x)| if (1..4).contains(&y) && x == 2 { 200_i16 } else { 900 });
        assert!(is_hollow(&canal, [2, 2, 2]));
        let wall = Array3::from_shape_fn((5, 5, 5), |(_, _, x)| if x == 2 { 200_i16 } else { 0 });
        assert!(!is_hollow(&wall, [2, 2, 2]));
        assert!(!is_hollow(&canal, [2, 2, 0]), "nothing is known beyond the faces");
    }
}
