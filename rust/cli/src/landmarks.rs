//! Where to look at a skull: its orbits and the middle of its braincase.
//!
//! Both are hollows with bone around. A hollow's middle is where the distance to bone is greatest; how much of it is
//! closed shows in rays from there. The orbits are the pair of hollows that open forward, side by side.

use anyhow::Result;
use ndarray::{Array3, ArrayRef3};
use rayon::prelude::*;
use skull_kernels::{Grid, Job, distance};

/// Places in a skull, RAS; where they were found.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Landmarks {
    /// Middles of the right and the left orbit.
    pub orbits: Option<[[f64; 3]; 2]>,
    /// Middle of the braincase, where it is widest.
    pub braincase: Option<[f64; 3]>,
}

/// Voxels are taken together to about this size: hollows are much larger.
const COARSE_MM: f64 = 2.0;
/// Radius of the ball that fits into an orbit, and how much of an orbit is bone, seen from its middle.
const ORBIT_MM: [f64; 2] = [9.0, 24.0];
const ORBIT_CLOSED: [f64; 2] = [0.5, 0.95];
/// Cosine between forward and the way that an orbit opens.
const FORWARD: f64 = 0.6;
/// How far apart the middles of two orbits are from right to left, and along the other axes at most.
const APART_MM: [f64; 2] = [45.0, 85.0];
const ASKEW_MM: f64 = 12.0;
/// Least radius of a braincase, and how much of it is bone.
const BRAINCASE_MM: f64 = 35.0;
const BRAINCASE_CLOSED: f64 = 0.6;
/// Rays end here: twice the depth of an orbit, or a braincase's length.
const RAY_MM: [f64; 2] = [45.0, 120.0];
const RAYS: usize = 400;

/// Finds what there is of the landmarks in a skull.
///
/// # Errors
/// [`skull_kernels::Error::Sheared`], [`skull_kernels::Error::Cancelled`].
pub fn find(bone: &ArrayRef3<u8>, grid: &Grid, job: &Job) -> Result<Landmarks> {
    let (bone, grid) = coarse(bone, grid)?;
    let mut mm = Array3::zeros(grid.shape());
    distance::distance_mm(&bone, &grid, &mut mm, job)?;
    let hollows: Vec<Hollow> = peaks(&mm).into_par_iter().filter_map(|at| Hollow::at(at, &bone, &mm, &grid)).collect();

    let orbits: Vec<&Hollow> = hollows.iter().filter(|hollow| hollow.may_be_orbit()).collect();
    let pairs = orbits.iter().flat_map(|right| orbits.iter().map(move |left| (right, left))).filter(|(right, left)| {
        let apart = [0, 1, 2].map(|r| right.middle[r] - left.middle[r]);
        (APART_MM[0]..APART_MM[1]).contains(&apart[0]) && apart[1].abs().max(apart[2].abs()) < ASKEW_MM
    });
    let fit = |(right, left): &(&&Hollow, &&Hollow)| {
        let askew = [1, 2].map(|r| (right.middle[r] - left.middle[r]).abs() / ASKEW_MM);
        right.closed + left.closed + (right.radius_mm + left.radius_mm) / ORBIT_MM[1] - askew[0] - askew[1]
    };
    let best = pairs.max_by(|a, b| fit(a).total_cmp(&fit(b)));
    let braincase =
        hollows.iter().filter(|hollow| hollow.is_braincase()).max_by(|a, b| a.radius_mm.total_cmp(&b.radius_mm));
    Ok(Landmarks {
        orbits: best.map(|(right, left)| [right.middle, left.middle]),
        braincase: braincase.map(|hollow| hollow.middle),
    })
}

/// Bone in blocks of voxels, each of which counts if any voxel of it does.
fn coarse(bone: &ArrayRef3<u8>, grid: &Grid) -> Result<(Array3<u8>, Grid)> {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few voxels")]
    let block = grid.spacing_mm().map(|s| ((COARSE_MM / s).round() as usize).max(1));
    let size = [0, 1, 2].map(|a| grid.size()[a].div_ceil(block[a]));
    let spacing = [0, 1, 2].map(|a| grid.spacing_mm()[a] * block[a] as f64);
    let origin = grid.ras_mm(block.map(|b| (b as f64 - 1.0) / 2.0));
    let coarse_grid = Grid::new(size, spacing, grid.axes(), origin)?;
    let mut blocks = Array3::zeros(coarse_grid.shape());
    for ((z, y, x), _) in bone.indexed_iter().filter(|(_, v)| **v != 0) {
        blocks[[z / block[2], y / block[1], x / block[0]]] = 1;
    }
    Ok((blocks, coarse_grid))
}

/// Voxels that no neighbour is farther from bone than.
fn peaks(mm: &ArrayRef3<f32>) -> Vec<[usize; 3]> {
    let (nz, ny, nx) = mm.dim();
    (0..nz)
        .into_par_iter()
        .flat_map_iter(|z| (0..ny).flat_map(move |y| (0..nx).map(move |x| [z, y, x])))
        .filter(|&[z, y, x]| {
            let here = mm[[z, y, x]];
            let around = |i: usize, n: usize| i.saturating_sub(1)..(i + 2).min(n);
            f64::from(here) >= ORBIT_MM[0]
                && here.is_finite()
                && around(z, nz).all(|z| around(y, ny).all(|y| around(x, nx).all(|x| mm[[z, y, x]] <= here)))
        })
        .collect()
}

/// A hollow between bones.
struct Hollow {
    middle: [f64; 3],
    radius_mm: f64,
    /// Share of the rays from its middle that meet bone, within the first and within the second of [`RAY_MM`].
    closed: f64,
    closed_far: f64,
    /// The A component of the way that it opens: the mean of the rays that meet no bone, as a unit vector.
    forward: f64,
}

impl Hollow {
    /// The hollow with its middle at a voxel, if it is within bone at all.
    fn at([z, y, x]: [usize; 3], bone: &ArrayRef3<u8>, mm: &ArrayRef3<f32>, grid: &Grid) -> Option<Self> {
        let middle = grid.ras_mm([x, y, z].map(|i| i as f64));
        let (mut near, mut far, mut open) = (0, 0, [0.0; 3]);
        for ray in rays() {
            let met = length_to_bone(bone, grid, middle, ray);
            near += usize::from(met <= RAY_MM[0]);
            far += usize::from(met <= RAY_MM[1]);
            if met > RAY_MM[0] {
                open = [0, 1, 2].map(|r| open[r] + ray[r]);
            }
        }
        let length = open.iter().map(|c| c * c).sum::<f64>().sqrt();
        let share = |count: usize| count as f64 / RAYS as f64;
        (far > RAYS / 2).then(|| Self {
            middle,
            radius_mm: f64::from(mm[[z, y, x]]),
            closed: share(near),
            closed_far: share(far),
            forward: open[1] / length.max(1e-9),
        })
    }

    fn may_be_orbit(&self) -> bool {
        (ORBIT_MM[0]..ORBIT_MM[1]).contains(&self.radius_mm)
            && (ORBIT_CLOSED[0]..ORBIT_CLOSED[1]).contains(&self.closed)
            && self.forward >= FORWARD
    }

    fn is_braincase(&self) -> bool {
        self.radius_mm >= BRAINCASE_MM && self.closed_far >= BRAINCASE_CLOSED
    }
}

/// Directions spread evenly over the sphere, along a spiral.
fn rays() -> impl Iterator<Item = [f64; 3]> {
    let golden = std::f64::consts::PI * (3.0 - 5.0_f64.sqrt());
    (0..RAYS).map(move |k| {
        let z = 1.0 - (2 * k + 1) as f64 / RAYS as f64;
        let (sin, cos) = (golden * k as f64).sin_cos();
        let radius = (1.0 - z * z).sqrt();
        [radius * cos, radius * sin, z]
    })
}

/// How far bone is along a ray, infinite where there is none.
fn length_to_bone(bone: &ArrayRef3<u8>, grid: &Grid, from: [f64; 3], ray: [f64; 3]) -> f64 {
    let size = grid.size();
    let steps = (RAY_MM[1] / (0.5 * COARSE_MM)) as u32;
    for step in 1..=steps {
        let length = f64::from(step) * 0.5 * COARSE_MM;
        let index = grid.index([0, 1, 2].map(|r| from[r] + length * ray[r])).map(f64::round);
        if (0..3).any(|a| index[a] < 0.0 || index[a] >= size[a] as f64) {
            break;
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the volume")]
        if bone[[index[2] as usize, index[1] as usize, index[0] as usize]] != 0 {
            return length;
        }
    }
    f64::INFINITY
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hollow ball of bone of 70 mm radius with two smaller hollows that open forward, on an oblique grid.
    fn skull() -> (Array3<u8>, Grid) {
        let turn = 0.2_f64;
        let axes = [[-turn.cos(), turn.sin(), 0.0], [turn.sin(), turn.cos(), 0.0], [0.0, 0.0, 1.0]];
        let grid = Grid::new([130, 140, 70], [1.5, 1.5, 3.0], axes, [82.0, -120.0, -100.0]).unwrap();
        let bone = Array3::from_shape_fn(grid.shape(), |(z, y, x)| {
            let p = grid.ras_mm([x, y, z].map(|i| i as f64));
            let off = |c: [f64; 3]| (0..3).map(|r| (p[r] - c[r]).powi(2)).sum::<f64>().sqrt();
            let case = (62.0..70.0).contains(&off([0.0, -20.0, 20.0]));
            let orbit = |side: f64| {
                let r = off([side * 31.0, 50.0, -20.0]);
                (17.0..20.0).contains(&r) && p[1] < 58.0
            };
            let inside = |side: f64| off([side * 31.0, 50.0, -20.0]) < 17.0;
            u8::from((case || orbit(1.0) || orbit(-1.0)) && !inside(1.0) && !inside(-1.0))
        });
        (bone, grid)
    }

    #[test]
    fn orbits_and_braincase_are_found() {
        let (bone, grid) = skull();
        let found = find(&bone, &grid, &Job::new()).unwrap();
        let near = |found: [f64; 3], drawn: [f64; 3]| {
            let off = (0..3).map(|r| (found[r] - drawn[r]).powi(2)).sum::<f64>().sqrt();
            assert!(off < 6.0, "{found:?}, drawn at {drawn:?}");
        };
        let [right, left] = found.orbits.expect("orbits");
        near(right, [31.0, 50.0, -20.0]);
        near(left, [-31.0, 50.0, -20.0]);
        near(found.braincase.expect("a braincase"), [0.0, -20.0, 20.0]);
    }

    #[test]
    fn a_plate_has_neither() {
        let grid = Grid::axis_aligned([60, 60, 60], [3.0; 3]).unwrap();
        let plate = Array3::from_shape_fn(grid.shape(), |(z, _, _)| u8::from(z == 30));
        assert_eq!(find(&plate, &grid, &Job::new()).unwrap(), Landmarks::default());
        assert_eq!(find(&Array3::zeros(grid.shape()), &grid, &Job::new()).unwrap(), Landmarks::default());
    }
}
