//! A skull to print: walls thick enough, where they were measured, in one closed part.
//!
//! A cell of the grid that a wall's surface passes has voxels on both of its sides if those whose centres lie within
//! the wall are set: then the vertex of each such cell can lie where the wall's surface was measured. A wall as thick as
//! a voxel has no tunnels then (Andres, Acharya, Sibata: Discrete analytical hyperplanes. Graph. Models Image Process.
//! 59 (1997), doi 10.1006/gmip.1997.0427). Voxels are set and taken back one by one, where that changes neither what
//! hangs together nor what is open.

mod simple;

use super::Wall;
use super::linalg::{Vec3, dot, unit};
use crate::bits::Bits;
use crate::components::{Connectivity, Labelled};
use crate::surface::pulled;
use crate::{Error, Grid, Job, Mesh, Result, fill};
use ndarray::ArrayRef3;
use rayon::prelude::*;
use simple::is_simple;

/// What became of the bone on its way to a print.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub struct Printed {
    /// Bone that hangs loose and is left out.
    pub left_out_mm3: f64,
    /// In so many pieces.
    pub pieces_left_out: usize,
    /// Hollows without a way out, filled.
    pub filled_mm3: f64,
}

/// Sets in `bone` the voxels that make its `walls` at least `least_mm` thick; returns their volume in mm³.
///
/// Nothing is closed or joined by that. Walls get thicker, not wider: openings keep their size.
///
/// # Errors
/// [`Error::SizeMismatch`], [`Error::Sheared`], [`Error::Parameter`], [`Error::Cancelled`].
pub fn thicken(bone: &mut ArrayRef3<u8>, walls: &[Wall], grid: &Grid, least_mm: f64, job: &Job) -> Result<f64> {
    check(bone, grid, least_mm)?;
    let sheets = Sheets::new(walls, grid, |wall| f64::from(wall.thickness_mm).max(least_mm));
    let drawn = draw(bone, &sheets, |wall| f64::from(wall.thickness_mm) < least_mm, job)?;
    Ok(drawn as f64 * grid.voxel_mm3())
}

/// The surface of `bone` for a printer: its largest part, with hollows that have no way out filled, as one closed
/// 2-manifold. The faces of `walls` lie where the walls were measured; elsewhere the surface is as
/// [`surface`](crate::surface::surface) makes it.
///
/// Walls are drawn at least `least_mm` (0 for no wish) and a voxel thick. `base` bone, a part of `bone`, is not thinned:
/// where it is thicker than a wall that was measured in it, it stays as it is.
///
/// # Errors
/// [`Error::SizeMismatch`], [`Error::Sheared`], [`Error::Parameter`], [`Error::Empty`] without bone,
/// [`Error::Cancelled`].
pub fn surface(
    bone: &ArrayRef3<u8>,
    base: &ArrayRef3<u8>,
    walls: &[Wall],
    grid: &Grid,
    least_mm: f64,
    job: &Job,
) -> Result<(Mesh, Printed)> {
    check(bone, grid, least_mm)?;
    grid.check_shape("base bone", base.dim())?;
    let spacing = grid.spacing_mm();
    let voxel_mm = |wall: &Wall| (0..3).map(|a| f64::from(wall.normal[a]).abs() * spacing[a]).fold(0.0, f64::max);
    let drawn_mm = |wall: &Wall| f64::from(wall.thickness_mm).max(least_mm).max(voxel_mm(wall));
    let holds_base = |wall: &Wall| {
        let beyond_mm = 0.5 * (drawn_mm(wall) + voxel_mm(wall));
        [-beyond_mm, beyond_mm].iter().all(|by| {
            let at = [0, 1, 2].map(|a| (wall.middle[a] + *by as f32 * wall.normal[a] / spacing[a] as f32).round());
            let is_within = (0..3).all(|a| at[a] >= 0.0 && at[a] < grid.size()[a] as f32);
            !is_within || base[index(at.map(|i| i as u32))] == 0
        })
    };
    // where the base is thicker than the wall its own faces are kept
    let thin: Vec<Wall> = walls.iter().filter(|wall| holds_base(wall)).copied().collect();
    let sheets = Sheets::new(&thin, grid, drawn_mm);
    let mut shape = bone.to_owned();
    draw(&mut shape, &sheets, |_| true, &job.part(0.0, 0.2))?;
    carve(&mut shape, base, &sheets, &job.part(0.2, 0.4))?;
    let parts = Labelled::new(&Bits::from_mask(&shape), grid, Connectivity::Eighteen, &job.part(0.4, 0.45))?;
    let largest = parts.largest().ok_or(Error::Empty { what: "bone" })?;
    let mut whole = ndarray::Array3::zeros(grid.shape());
    parts.select(|part| part == largest).write_to(&mut whole);
    let loose = parts.components.iter().enumerate().filter(|(part, _)| *part != largest);
    let left_out_mm3 = loose.map(|(_, part)| part.mm3).sum();
    let filled = fill::fill_enclosed(&whole, grid, &mut shape, &job.part(0.45, 0.5))?;
    drop(whole);
    let printed = Printed {
        left_out_mm3,
        pieces_left_out: parts.components.len() - 1,
        filled_mm3: filled as f64 * grid.voxel_mm3(),
    };
    let mesh = pulled(&shape, grid, |place, outward| sheets.face(place, outward), &job.part(0.5, 1.0))?;
    Ok((mesh, printed))
}

/// Thicker walls are bone whose voxels show its faces well enough; what is drawn may be thicker.
const THICKEST_MM: f64 = 2.0;
/// A wall's place is the mean over this standard deviation along it, mm, and voxels.
const MEAN_MM: f64 = 0.4;
const MEAN_VOXELS: f64 = 0.6;
/// Pieces of one wall differ less than about 40 degrees, and lie at most this far from each other's plane.
const LEAST_COSINE: f64 = 0.77;
const OFF_PLANE_MM: f64 = 0.5;
/// A surface that faces away from a wall's normal more than 60 degrees is its rim.
const FACING: f64 = 0.5;

fn check(bone: &ArrayRef3<u8>, grid: &Grid, least_mm: f64) -> Result<()> {
    grid.check_shape("bone", bone.dim())?;
    grid.check_orthogonal()?;
    if least_mm.is_finite() && least_mm >= 0.0 {
        Ok(())
    } else {
        Err(Error::Parameter { name: "least_mm", value: least_mm, allowed: "finite and not negative" })
    }
}

/// The walls, to be found by place.
struct Sheets<'a> {
    grid: &'a Grid,
    /// In the order of their voxels.
    pieces: Vec<Piece>,
    /// The first piece of each row of voxels, and the number of all.
    rows: Vec<u32>,
    /// How far a place may be from a wall's middle across it and along it.
    across_mm: f64,
    aside_mm: f64,
}

/// A wall and how thick it is drawn.
struct Piece {
    wall: Wall,
    drawn_mm: f32,
}

/// Where a place lies in a wall.
struct Spot {
    /// From the wall's middle, along its normal.
    distance_mm: f64,
    normal: Vec3,
    drawn_mm: f64,
}

impl Spot {
    fn is_inside(&self) -> bool {
        self.distance_mm.abs() <= 0.5 * self.drawn_mm
    }
}

impl<'a> Sheets<'a> {
    fn new(walls: &[Wall], grid: &'a Grid, drawn_mm: impl Fn(&Wall) -> f64) -> Self {
        let mut pieces: Vec<Piece> = walls
            .iter()
            .filter(|wall| f64::from(wall.thickness_mm) <= THICKEST_MM)
            .map(|wall| Piece { wall: *wall, drawn_mm: drawn_mm(wall) as f32 })
            .collect();
        pieces.par_sort_by_key(|piece| {
            let [x, y, z] = piece.wall.voxel;
            [z, y, x]
        });
        let [_, ny, nz] = grid.size();
        let mut rows = vec![0; ny * nz + 1];
        for piece in &pieces {
            let [_, y, z] = piece.wall.voxel;
            rows[z as usize * ny + y as usize + 1] += 1;
        }
        for row in 1..rows.len() {
            rows[row] += rows[row - 1];
        }
        let diagonal_mm = grid.diagonal_mm();
        let thickest = pieces.iter().map(|piece| f64::from(piece.drawn_mm)).fold(0.0, f64::max);
        Self { grid, pieces, rows, across_mm: 0.5 * thickest + diagonal_mm, aside_mm: 0.5 * diagonal_mm }
    }

    /// Calls `visit` with each piece near a place: the step to there from the wall's middle, along the axes, mm.
    fn around(&self, place: Vec3, mut visit: impl FnMut(&Piece, Vec3)) {
        let (size, spacing) = (self.grid.size(), self.grid.spacing_mm());
        let reach_mm = self.across_mm;
        let range = |a: usize| {
            let by = reach_mm / spacing[a];
            let low = (place[a] - by).ceil().max(0.0) as usize;
            low..((place[a] + by).floor() + 1.0).clamp(0.0, size[a] as f64) as usize
        };
        let x = range(0);
        for z in range(2) {
            for y in range(1) {
                let row = z * size[1] + y;
                let row = &self.pieces[self.rows[row] as usize..self.rows[row + 1] as usize];
                let from = row.partition_point(|piece| (piece.wall.voxel[0] as usize) < x.start);
                for piece in row[from..].iter().take_while(|piece| (piece.wall.voxel[0] as usize) < x.end) {
                    let middle = piece.wall.middle;
                    visit(piece, [0, 1, 2].map(|a| (place[a] - f64::from(middle[a])) * spacing[a]));
                }
            }
        }
    }

    /// Where a place, as an index, lies in the wall it is nearest to.
    fn at(&self, place: Vec3) -> Option<Spot> {
        let mut nearest: Option<(f64, Spot)> = None;
        self.around(place, |piece, step| {
            let normal = piece.wall.normal.map(f64::from);
            let (square, distance_mm) = (dot(step, step), dot(step, normal));
            let aside = square - distance_mm * distance_mm;
            if aside <= self.aside_mm * self.aside_mm && nearest.as_ref().is_none_or(|n| square < n.0) {
                nearest = Some((square, Spot { distance_mm, normal, drawn_mm: f64::from(piece.drawn_mm) }));
            }
        });
        let (_, nearest) = nearest?;
        let widest = self.grid.spacing_mm().into_iter().fold(0.0, f64::max);
        let sigma_mm = MEAN_MM.max(MEAN_VOXELS * widest);
        let (mut weights, mut sum) = (0.0, Spot { distance_mm: 0.0, normal: [0.0; 3], drawn_mm: 0.0 });
        self.around(place, |piece, step| {
            let normal = piece.wall.normal.map(f64::from);
            let cosine = dot(normal, nearest.normal);
            let distance_mm = dot(step, normal) * cosine.signum();
            if cosine.abs() < LEAST_COSINE || (distance_mm - nearest.distance_mm).abs() > OFF_PLANE_MM {
                return;
            }
            let aside = dot(step, step) - distance_mm * distance_mm;
            let weight = (-0.5 * aside / (sigma_mm * sigma_mm)).exp();
            weights += weight;
            sum.distance_mm += weight * distance_mm;
            sum.drawn_mm += weight * f64::from(piece.drawn_mm);
            sum.normal = [0, 1, 2].map(|a| sum.normal[a] + weight * cosine.signum() * normal[a]);
        });
        Some(Spot {
            distance_mm: sum.distance_mm / weights,
            normal: unit(sum.normal)?,
            drawn_mm: sum.drawn_mm / weights,
        })
    }

    /// The place on a wall's face for a place on the surface with the given outward normal, if it is a wall's.
    fn face(&self, place: Vec3, outward: Vec3) -> Option<Vec3> {
        let spot = self.at(place)?;
        let facing = dot(unit(outward)?, spot.normal);
        let half = 0.5 * spot.drawn_mm * facing.signum();
        let by_mm = half - spot.distance_mm;
        // beyond the wall's other face is something else's surface
        let is_its = spot.distance_mm * facing.signum() >= -half.abs() && by_mm.abs() <= 2.0 * self.aside_mm;
        let spacing = self.grid.spacing_mm();
        (facing.abs() >= FACING && is_its).then(|| [0, 1, 2].map(|a| place[a] + by_mm * spot.normal[a] / spacing[a]))
    }
}

/// Sets the voxels within those walls that are chosen, as far as that changes nothing else; returns how many.
fn draw(
    bone: &mut ArrayRef3<u8>,
    sheets: &Sheets<'_>,
    chosen: impl Fn(&Wall) -> bool + Sync,
    job: &Job,
) -> Result<usize> {
    let (size, spacing) = (sheets.grid.size(), sheets.grid.spacing_mm());
    let unset: &ArrayRef3<u8> = bone;
    let mut within: Vec<[u32; 3]> = sheets
        .pieces
        .par_iter()
        .filter(|piece| chosen(&piece.wall))
        .flat_map_iter(|piece| {
            let (middle, normal) = (piece.wall.middle.map(f64::from), piece.wall.normal.map(f64::from));
            let half = 0.5 * f64::from(piece.drawn_mm);
            let range = move |a: usize| {
                let by = (half * normal[a].abs() + sheets.aside_mm) / spacing[a];
                let low = (middle[a] - by).ceil().max(0.0) as u32;
                low..((middle[a] + by).floor() + 1.0).clamp(0.0, size[a] as f64) as u32
            };
            let box_of = range(2).flat_map(move |z| range(1).flat_map(move |y| range(0).map(move |x| [x, y, z])));
            box_of.filter(move |voxel| {
                let step = [0, 1, 2].map(|a| (f64::from(voxel[a]) - middle[a]) * spacing[a]);
                let distance = dot(step, normal);
                let aside = dot(step, step) - distance * distance;
                unset[index(*voxel)] == 0 && distance.abs() <= half && aside <= sheets.aside_mm * sheets.aside_mm
            })
        })
        .collect();
    within.par_sort_unstable();
    within.dedup();
    job.check()?;
    let found = within.par_iter().filter_map(|&voxel| {
        let spot = sheets.at(voxel.map(f64::from))?;
        spot.is_inside().then_some((spot.distance_mm.abs(), voxel))
    });
    change(bone, found.collect(), 1, job)
}

/// Takes back the voxels outside the walls that were measured through them, as far as that changes nothing else.
fn carve(bone: &mut ArrayRef3<u8>, base: &ArrayRef3<u8>, sheets: &Sheets<'_>, job: &Job) -> Result<usize> {
    let voxels = sheets.pieces.par_iter().map(|piece| piece.wall.voxel);
    let found = voxels.filter(|voxel| bone[index(*voxel)] != 0 && base[index(*voxel)] == 0).filter_map(|voxel| {
        let spot = sheets.at(voxel.map(f64::from))?;
        (!spot.is_inside()).then_some((-spot.distance_mm.abs(), voxel))
    });
    let found = found.collect();
    change(bone, found, 0, job)
}

/// Gives the voxels a value in rising order of their rank, as long as there are any for which that keeps the topology;
/// returns how many it were.
fn change(bone: &mut ArrayRef3<u8>, mut voxels: Vec<(f64, [u32; 3])>, value: u8, job: &Job) -> Result<usize> {
    voxels.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut changed = 0;
    loop {
        let before = voxels.len();
        voxels.retain(|&(_, voxel)| {
            let simple = is_simple(bone, voxel.map(|i| i as usize));
            if simple {
                bone[index(voxel)] = value;
            }
            !simple
        });
        job.check()?;
        changed += before - voxels.len();
        if before == voxels.len() {
            return Ok(changed);
        }
    }
}

fn index([x, y, z]: [u32; 3]) -> [usize; 3] {
    [z, y, x].map(|i| i as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array3;

    const SPACING: [f64; 3] = [0.4, 0.5, 0.7];

    /// A tilted wall through a frame of thick bone, `thickness_mm` thick, with a square hole: its grid, the base, all
    /// bone (each voxel that the wall touches), the pieces of the wall, and its normal and distance from the origin.
    fn plate(thickness_mm: f64, hole_mm: f64) -> (Grid, Array3<u8>, Array3<u8>, Vec<Wall>, Vec3, f64) {
        let grid = Grid::axis_aligned([44, 40, 30], SPACING).unwrap();
        let normal = unit([0.9, 0.35, -0.25]).unwrap();
        let middle = [8.7, 10.0, 10.3];
        let distance = dot(normal, middle);
        let mut base = Array3::zeros(grid.shape());
        let mut bone = base.clone();
        let mut walls = Vec::new();
        for (z, y, x) in ndarray::indices(grid.shape()) {
            let p = [x as f64 * SPACING[0], y as f64 * SPACING[1], z as f64 * SPACING[2]];
            let aside = [1, 2].map(|a| (p[a] - middle[a]).abs());
            let off = dot(p, normal) - distance;
            if aside[0].max(aside[1]) > 8.0 && off.abs() < 1.6 && aside[0].max(aside[1]) < 9.3 {
                base[[z, y, x]] = 1;
                bone[[z, y, x]] = 1;
            }
            let reach = 0.5 * (0..3).map(|a| normal[a].abs() * SPACING[a]).sum::<f64>() + 0.5 * thickness_mm;
            if aside[0].max(aside[1]) <= 8.0 && aside[0].max(aside[1]) > 0.5 * hole_mm && off.abs() <= reach {
                bone[[z, y, x]] = 1;
                walls.push(Wall {
                    voxel: [x, y, z].map(|i| i as u32),
                    middle: [0, 1, 2].map(|a| ((p[a] - off * normal[a]) / SPACING[a]) as f32),
                    normal: normal.map(|c| c as f32),
                    thickness_mm: thickness_mm as f32,
                });
            }
        }
        (grid, base, bone, walls, normal, distance)
    }

    /// Root mean square and greatest distance, mm, of a mesh's points on the wall from the faces of a wall so thick.
    fn off_faces(mesh: &Mesh, normal: Vec3, distance: f64, thickness_mm: f64) -> [f64; 2] {
        let off: Vec<f64> = mesh
            .points
            .iter()
            .map(|p| p.map(f64::from))
            .filter(|p| {
                let aside = [p[1] - 10.0, p[2] - 10.3].map(f64::abs);
                aside[0].max(aside[1]) < 6.5 && aside[0].max(aside[1]) > 3.5
            })
            .map(|p| ((dot(p, normal) - distance).abs() - 0.5 * thickness_mm).abs())
            .collect();
        assert!(off.len() > 500);
        let square = off.iter().map(|o| o * o).sum::<f64>() / off.len() as f64;
        [square.sqrt(), off.into_iter().fold(0.0, f64::max)]
    }

    #[test]
    fn a_tilted_wall_lies_where_it_was_measured_without_stairs() {
        let (grid, base, bone, walls, normal, distance) = plate(0.2, 4.0);
        let voxel_mm = (0..3).map(|a| normal[a].abs() * SPACING[a]).fold(0.0, f64::max);
        for least_mm in [0.0, 0.6, 1.1] {
            let (mesh, printed) = surface(&bone, &base, &walls, &grid, least_mm, &Job::new()).unwrap();
            let check = mesh.check();
            assert!(check.is_solid());
            // one part, and a hole through it
            assert_eq!((check.components, check.euler_characteristic), (1, 0));
            assert_eq!(printed, Printed::default());
            let [rms, most] = off_faces(&mesh, normal, distance, voxel_mm.max(least_mm));
            println!("least {least_mm} mm: faces off by {rms:.4} mm, at most {most:.3} mm");
            assert!(rms < 0.04 && most < 0.12, "{least_mm} mm: {rms} {most}");
        }
    }

    #[test]
    fn a_wall_gets_thicker_and_its_hole_keeps_its_size() {
        let (grid, _, mut bone, walls, normal, distance) = plate(0.2, 4.0);
        let before = bone.clone();
        let drawn = thicken(&mut bone, &walls, &grid, 1.5, &Job::new()).unwrap();
        let set: Vec<Vec3> = ndarray::indices(grid.shape())
            .into_iter()
            .filter(|&i| bone[i] != before[i])
            .map(|(z, y, x)| [x as f64 * SPACING[0], y as f64 * SPACING[1], z as f64 * SPACING[2]])
            .collect();
        assert!((drawn - set.len() as f64 * grid.voxel_mm3()).abs() < 1e-9 && drawn > 0.0);
        assert!(bone.iter().zip(&before).all(|(now, before)| now >= before), "nothing is taken back");
        for p in &set {
            assert!((dot(*p, normal) - distance).abs() <= 0.76, "within the wall");
            assert!((p[1] - 10.0).abs().max((p[2] - 10.3).abs()) > 1.5, "out of the hole: {p:?}");
        }
        // the wall's area times its thickness
        let area = (16.0 * 16.0 - 4.0 * 4.0) / normal[0];
        let inside = |p: &Vec3| (dot(*p, normal) - distance).abs() <= 0.75;
        let voxels = bone.indexed_iter().filter(|((z, y, x), v)| {
            let p = [*x as f64 * SPACING[0], *y as f64 * SPACING[1], *z as f64 * SPACING[2]];
            **v != 0 && (p[1] - 10.0).abs().max((p[2] - 10.3).abs()) <= 8.0 && inside(&p)
        });
        let volume = voxels.count() as f64 * grid.voxel_mm3();
        assert!((volume / (1.5 * area) - 1.0).abs() < 0.06, "{volume} mm3 of {}", 1.5 * area);
        assert_eq!(thicken(&mut bone, &walls, &grid, 0.1, &Job::new()).unwrap(), 0.0, "already thicker");
    }

    #[test]
    fn loose_bone_is_left_out_and_hollows_are_filled() {
        let grid = Grid::axis_aligned([12, 12, 12], [0.5; 3]).unwrap();
        let mut bone = Array3::<u8>::zeros(grid.shape());
        bone.slice_mut(ndarray::s![1..8, 1..8, 1..8]).fill(1);
        bone[[4, 4, 4]] = 0;
        bone[[10, 10, 10]] = 1;
        let (mesh, printed) = surface(&bone, &bone, &[], &grid, 0.0, &Job::new()).unwrap();
        assert_eq!(mesh.check().components, 1);
        assert_eq!(printed, Printed { left_out_mm3: 0.125, pieces_left_out: 1, filled_mm3: 0.125 });
        let nothing = Array3::<u8>::zeros(grid.shape());
        let empty = surface(&nothing, &nothing, &[], &grid, 0.0, &Job::new());
        assert_eq!(empty.unwrap_err(), Error::Empty { what: "bone" });
        let bad = thicken(&mut bone, &[], &grid, f64::NAN, &Job::new());
        assert!(matches!(bad, Err(Error::Parameter { name: "least_mm", .. })));
    }
}
