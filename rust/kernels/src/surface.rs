//! A closed, smooth surface from a mask.

mod cases;
mod cells;
mod smooth;

use crate::{Error, Grid, Job, Mesh, Result};
use cases::{CASES, MARGIN, Patch, edge, patches};
use cells::{Cell, Cells};
use ndarray::ArrayRef3;
use rayon::prelude::*;
use smooth::Springs;

/// How the surface is made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Params {
    /// Passes of smoothing. More passes flatten wider steps: the default those of terraces up to about eight voxels
    /// wide. 0 gives the faces of the voxels.
    pub smoothing: u32,
}

impl Default for Params {
    fn default() -> Self {
        Self { smoothing: 15 }
    }
}

/// The surface between the voxels that are set and all others, beyond the volume's faces too: where the mask meets a
/// face it is capped there.
///
/// The surface is closed, a 2-manifold and turned outward; no two parts of it meet. Voxels that touch by an edge
/// are connected, those that touch by a corner alone are not. No vertex is further than half a voxel, along each axis,
/// from the voxels' faces, and what it encloses has the mask's volume but for a fraction of a percent.
///
/// The vertices are those of surface nets (Gibson 1998, doi:10.1007/BFb0056277), one for each separate patch in a cell
/// as in dual marching cubes (Nielson 2004, doi:10.1109/VISUAL.2004.28). A low-pass filter (after Taubin 1995,
/// doi:10.1145/218380.218473) takes the steps off without shrinking, within the cells. Quads are cut as Ju & Udeshi
/// (Intersection-free contouring on an octree grid, Pacific Graphics 2006) showed to be free of intersections.
///
/// Takes 0.4 bytes per voxel and, with the result, 95 bytes per vertex. The time is that of one look at each voxel and
/// of some 25 at each vertex.
///
/// ```
/// use ndarray::Array3;
/// use skull_kernels::{Grid, Job, surface};
/// let mask = Array3::<u8>::ones((4, 4, 4));
/// let grid = Grid::axis_aligned([4, 4, 4], [0.5, 0.5, 0.5]).unwrap();
/// let mesh = surface::surface(&mask, &grid, &surface::Params::default(), &Job::new()).unwrap();
/// assert!(mesh.check().is_solid());
/// assert!((mesh.volume_mm3() - 8.0).abs() < 0.08);
/// ```
///
/// # Errors
/// [`Error::SizeMismatch`], [`Error::Empty`], [`Error::GridSize`] where there are more vertices than can be numbered,
/// [`Error::Cancelled`].
pub fn surface(mask: &ArrayRef3<u8>, grid: &Grid, params: &Params, job: &Job) -> Result<Mesh> {
    grid.check_shape("mask", mask.dim())?;
    let cells = Cells::new(mask, grid, &job.part(0.0, 0.1))?;
    if cells.vertices() == 0 {
        return Err(Error::Empty { what: "mask" });
    }
    let mut net = Net::new(&cells, &job.part(0.1, 0.3))?;
    net.smooth(&cells, params.smoothing, &job.part(0.3, 0.6))?;

    let wanted = cells.voxels() as f64;
    let mut job = job.part(0.6, 1.0);
    for _ in 0..VOLUME_ROUNDS {
        net.place_pins(&cells, &job.part(0.0, 0.1))?;
        let mesh = net.triangulate(&cells, grid, &job.part(0.1, 0.5))?;
        let lack = wanted - mesh.volume_mm3() / grid.voxel_mm3();
        if lack.abs() <= VOLUME_TOLERANCE * wanted {
            return Ok(mesh);
        }
        drop(mesh);
        net.inflate(lack, &cells, &job.part(0.5, 0.6))?;
        job = job.part(0.6, 1.0);
    }
    net.place_pins(&cells, &job.part(0.0, 0.2))?;
    net.triangulate(&cells, grid, &job.part(0.2, 1.0))
}

/// A place, as an index (x, y, z) that is not whole.
pub(crate) type Place = [f64; 3];

/// As [`surface`], with each vertex as near as its cell allows to where `pull` wants it; `None` leaves it to the
/// smoothing. `pull` is given its place and the outward normal of the surface there, along the grid's axes and of any
/// length.
///
/// # Errors
/// As [`surface`].
pub(crate) fn pulled(
    mask: &ArrayRef3<u8>,
    grid: &Grid,
    pull: impl Fn(Place, [f64; 3]) -> Option<Place> + Sync,
    job: &Job,
) -> Result<Mesh> {
    grid.check_shape("mask", mask.dim())?;
    let cells = Cells::new(mask, grid, &job.part(0.0, 0.1))?;
    if cells.vertices() == 0 {
        return Err(Error::Empty { what: "mask" });
    }
    let mut net = Net::new(&cells, &job.part(0.1, 0.2))?;
    net.smooth(&cells, Params::default().smoothing, &job.part(0.2, 0.3))?;
    net.pull(&cells, grid, &pull, &job.part(0.3, 0.5))?;
    // what is not pulled follows what is
    net.smooth(&cells, FOLLOWING, &job.part(0.5, 0.6))?;
    net.pull(&cells, grid, &pull, &job.part(0.6, 0.8))?;
    net.place_pins(&cells, &job.part(0.8, 0.9))?;
    net.triangulate(&cells, grid, &job.part(0.9, 1.0))
}

/// Passes of smoothing between two pulls.
const FOLLOWING: u32 = 5;

/// Where a vertex is: its distance from the centre of its cell along x, y and z, in voxels.
type Offset = [f32; 3];

/// The surface is moved outward or inward as a whole where its volume differs from the mask's by more than this
/// fraction, which happens where much of the mask is a voxel thin.
const VOLUME_TOLERANCE: f64 = 0.005;

/// How often, at most: what is thinner than a voxel everywhere cannot be made up for within the cells.
const VOLUME_ROUNDS: usize = 3;

/// The vertices and their neighbours.
struct Net {
    /// The neighbour of each vertex across each face of its cell; the vertex itself where there is none.
    across: Vec<[u32; 6]>,
    /// The patch that each vertex stands for: four times its case, plus its number.
    patch: Vec<u16>,
    /// The cells with several patches, or with a face that two lines cross.
    complex: Vec<Cell>,
    offsets: Vec<Offset>,
    /// Room for smoothing, then for the points.
    other: Vec<[f32; 3]>,
}

impl Net {
    /// Each vertex at the centre of its cell, which is a corner of the voxels.
    fn new(cells: &Cells, job: &Job) -> Result<Self> {
        let n = cells.vertices();
        let mut net = Self {
            across: vec![[0; 6]; n],
            patch: vec![0; n],
            complex: Vec::new(),
            offsets: vec![[0.0; 3]; n],
            other: vec![[0.0; 3]; n],
        };
        let counts = cells.layer_counts();
        let steps = job.steps(counts.len());
        let complex: Vec<Vec<Cell>> = split(&mut net.across, &counts)
            .into_par_iter()
            .zip(split(&mut net.patch, &counts))
            .zip(split(&mut net.offsets, &counts))
            .enumerate()
            .map(|(z, ((across, patches), offsets))| {
                let mut complex = Vec::new();
                let before = cells.layer(z).start;
                across.iter_mut().zip(before as u32..).for_each(|(across, v)| *across = [v; 6]);
                cells.for_each(z, |cell| {
                    for (number, patch) in cell.patches().iter().enumerate() {
                        let v = cell.first + number as u32;
                        let i = v as usize - before;
                        patches[i] = (4 * cell.inside + number) as u16;
                        offsets[i] = kept([0.0; 3], patches[i]);
                        for &(face, edge) in patch.lines() {
                            let face = usize::from(face);
                            if face == 1 || face == 3 {
                                // That neighbour, in this layer but later, will set both links.
                                continue;
                            }
                            let other = cell.neighbour(cells, face, edge);
                            across[i][face] = other;
                            if face < 4 {
                                across[other as usize - before][face + 1] = v;
                            }
                        }
                    }
                    if cell.case().is_complex() {
                        complex.push(cell);
                    }
                });
                steps.step()?;
                Ok(complex)
            })
            .collect::<Result<_>>()?;
        net.complex = complex.concat();
        Ok(net)
    }

    /// Takes the steps off, each vertex within its cell.
    fn smooth(&mut self, cells: &Cells, passes: u32, job: &Job) -> Result<()> {
        let springs = Springs { across: &self.across, patch: &self.patch, starts: &cells.layer_starts() };
        springs.smooth(&mut self.offsets, &mut self.other, passes, job)?;
        let patch = &self.patch;
        self.offsets.par_iter_mut().zip(patch).for_each(|(offset, &patch)| *offset = kept(*offset, patch));
        Ok(())
    }

    /// Moves each vertex towards where `pull` wants it.
    fn pull(
        &mut self,
        cells: &Cells,
        grid: &Grid,
        pull: &(impl Fn(Place, [f64; 3]) -> Option<Place> + Sync),
        job: &Job,
    ) -> Result<()> {
        let counts = cells.layer_counts();
        let steps = job.steps(counts.len());
        let spacing = grid.spacing_mm();
        let mut moved = std::mem::take(&mut self.other);
        split(&mut moved, &counts).into_par_iter().enumerate().try_for_each(|(z, moved)| {
            let layer = cells.layer(z);
            let before = layer.start;
            moved.copy_from_slice(&self.offsets[layer]);
            cells.for_each(z, |cell| {
                for (number, patch) in cell.patches().iter().enumerate() {
                    let v = cell.first as usize + number;
                    let corner = cell.at.map(|i| i as f64 - 0.5);
                    let place = [0, 1, 2].map(|a| corner[a] + f64::from(self.offsets[v][a]));
                    let normal = self.normal(v, patch);
                    if let Some(wanted) = pull(place, [0, 1, 2].map(|a| f64::from(normal[a]) / spacing[a])) {
                        let offset = [0, 1, 2].map(|a| (wanted[a] - corner[a]) as f32);
                        moved[v - before] = kept(offset, self.patch[v]);
                    }
                }
            });
            steps.step()
        })?;
        self.other = std::mem::replace(&mut self.offsets, moved);
        Ok(())
    }

    /// Moves all vertices outward by the one distance that adds `volume`, in voxels, to what the surface encloses.
    fn inflate(&mut self, volume: f64, cells: &Cells, job: &Job) -> Result<()> {
        let counts = cells.layer_counts();
        let steps = job.steps(counts.len());
        let mut normals = vec![[0.0_f32; 3]; self.offsets.len()];
        let areas: Vec<f64> = split(&mut normals, &counts)
            .into_par_iter()
            .enumerate()
            .map(|(z, normals)| {
                let before = cells.layer(z).start;
                let mut area = 0.0;
                cells.for_each(z, |cell| {
                    for (number, patch) in cell.patches().iter().enumerate() {
                        let v = cell.first as usize + number;
                        let normal = self.normal(v, patch);
                        let length = normal.iter().map(|n| n * n).sum::<f32>().sqrt();
                        // Each quad is seen from its four corners, half of it from each.
                        area += f64::from(length) / 4.0;
                        normals[v - before] = normal.map(|n| n / length.max(f32::MIN_POSITIVE));
                    }
                });
                steps.step()?;
                Ok(area)
            })
            .collect::<Result<_>>()?;
        let outward = (volume / areas.iter().sum::<f64>()) as f32;
        self.offsets.par_iter_mut().zip(&normals).zip(&self.patch).for_each(|((offset, normal), &patch)| {
            *offset = kept(plus(*offset, normal.map(|n| n * outward)), patch);
        });
        Ok(())
    }

    /// Twice the sum of the area vectors of the triangles (vertex, neighbour, next neighbour), in voxels.
    fn normal(&self, v: usize, patch: &Patch) -> [f32; 3] {
        let to = |&(face, _): &(u8, u8)| {
            let face = usize::from(face);
            let mut to = minus(self.offsets[self.across[v][face] as usize], self.offsets[v]);
            to[face / 2] += 2.0 * (face % 2) as f32 - 1.0;
            to
        };
        let lines = patch.lines();
        let mut last = to(&lines[lines.len() - 1]);
        let mut normal = [0.0; 3];
        for line in lines {
            let this = to(line);
            normal = plus(normal, cross(last, this));
            last = this;
        }
        normal
    }

    /// Puts a vertex on each of the lines where two cross a face, on either side of the face's diagonal.
    fn place_pins(&mut self, cells: &Cells, job: &Job) -> Result<()> {
        let steps = job.steps(3);
        for axis in 0..3 {
            let crossed = self.complex.par_iter().filter(|cell| cell.case().ambiguous >> (2 * axis) & 1 == 1);
            let pins: Vec<_> = crossed.map(|cell| self.pins(cells, cell, axis)).collect();
            for (v, offset) in pins.into_iter().flatten() {
                self.offsets[v as usize] = offset;
            }
            steps.step()?;
        }
        Ok(())
    }

    /// The pair of vertices on the low face of `cell` across `axis`.
    fn pins(&self, cells: &Cells, cell: &Cell, axis: usize) -> [(u32, Offset); 2] {
        let (p, q) = ((axis + 1) % 3, (axis + 2) % 3);
        let mut below = cell.at;
        below[axis] -= 1;
        // One vertex beside each of the two outside corners, which lie across from each other.
        let low_corner_inside = cell.inside & 1;
        [low_corner_inside, 1 - low_corner_inside].map(|first| {
            let (bit_p, bit_q) = if low_corner_inside == 1 { (first, 1 - first) } else { (first, first) };
            let corner = bit_p << p | bit_q << q;
            let v = self.offsets[cell.vertex_on(edge(p, corner)) as usize];
            let w = self.offsets[cells.vertex(below, edge(p, corner | 1 << axis)) as usize];
            let t = (v[axis] + 0.5) / (v[axis] + 1.0 - w[axis]);
            let toward = [2.0 * bit_p as f32 - 1.0, 2.0 * bit_q as f32 - 1.0];
            let on_face = [p, q].map(|a| v[a] + t * (w[a] - v[a]));
            let lack = (PIN_DEPTH - on_face[0] * toward[0] - on_face[1] * toward[1]).max(0.0) / 2.0;
            let mut offset = [-0.5; 3];
            for (i, a) in [p, q].into_iter().enumerate() {
                offset[a] = (on_face[i] + toward[i] * lack).clamp(MARGIN - 0.5, 0.5 - MARGIN);
            }
            (cell.pin(axis, corner).expect("two lines cross the face"), offset)
        })
    }

    fn triangulate(&mut self, cells: &Cells, grid: &Grid, job: &Job) -> Result<Mesh> {
        let (counts, cuts) = (cells.layer_counts(), cells.layer_cuts());
        let steps = job.steps(counts.len());
        let mut points = std::mem::take(&mut self.other);
        points.resize(self.offsets.len(), [0.0; 3]);
        let mut triangles = vec![[0; 3]; 2 * cuts.iter().sum::<usize>()];
        let place = |at: [usize; 3], offset: Offset| {
            grid.ras_mm([0, 1, 2].map(|a| at[a] as f64 - 0.5 + f64::from(offset[a]))).map(|c| c as f32)
        };
        let metric = Metric::new(grid);
        let lengths: Vec<_> = cuts.iter().map(|n| 2 * n).collect();
        let bent: Vec<Vec<Bent>> = split(&mut points, &counts)
            .into_par_iter()
            .zip(split(&mut triangles, &lengths))
            .enumerate()
            .map(|(z, (points, triangles))| {
                let before = cells.layer(z).start;
                let mut pairs = triangles.chunks_exact_mut(2).enumerate();
                let mut bent = Vec::new();
                cells.for_each(z, |cell| {
                    for v in cell.first..cell.first + u32::from(cell.case().vertices) {
                        points[v as usize - before] = place(cell.at, self.offsets[v as usize]);
                    }
                    for axis in 0..3 {
                        let (from, to) = (cell.inside & 1, cell.inside >> (1 << axis) & 1);
                        if from == to {
                            continue;
                        }
                        let flip = (from == 0) != grid.is_left_handed();
                        let quad = self.quad(cells, &cell, axis, flip);
                        let (number, pair) = pairs.next().expect("a pair of triangles per cut edge");
                        match quad.halves(&self.offsets, &metric) {
                            Some(halves) => pair.copy_from_slice(&halves),
                            None => bent.push(Bent { quad, at: cell.at, number }),
                        }
                    }
                });
                steps.step()?;
                Ok(bent)
            })
            .collect::<Result<_>>()?;

        let mut before = 0;
        for (bent, length) in bent.iter().zip(&lengths) {
            for Bent { quad, at, number } in bent {
                let mut offset = [-0.5; 3];
                offset[quad.axis] = quad.height(&self.offsets) - 0.5;
                let mut fan = quad.fan(points.len() as u32);
                points.push(place(*at, offset));
                for triangle in &mut triangles[before + 2 * number..][..2] {
                    *triangle = fan.next().expect("a fan has four triangles or more");
                }
                triangles.extend(fan);
            }
            before += length;
        }
        Ok(Mesh { points, triangles })
    }

    /// The vertices round the edge that runs from the low corner of `cell` along `axis`.
    fn quad(&self, cells: &Cells, cell: &Cell, axis: usize, flip: bool) -> Quad {
        let (p, q) = ((axis + 1) % 3, (axis + 2) % 3);
        let simple = |v: u32| !CASES[usize::from(self.patch[v as usize] / 4)].is_complex();
        if !cell.case().is_complex() {
            let across = &self.across[cell.first as usize];
            let (low_p, low_q) = (across[2 * p], across[2 * q]);
            let low_pq = self.across[low_p as usize][2 * q];
            if simple(low_p) && simple(low_q) && simple(low_pq) {
                return Quad { axis, flip, corners: [cell.first, low_p, low_pq, low_q], pins: [None; 4] };
            }
        }
        let low = |axes: &[usize]| {
            let mut at = cell.at;
            axes.iter().for_each(|&a| at[a] -= 1);
            cells.cell(at)
        };
        let round = [*cell, low(&[p]), low(&[p, q]), low(&[q])];
        let ends = [0, 1 << p, 1 << p | 1 << q, 1 << q];
        let outside = if cell.inside & 1 == 0 { 0 } else { 1 << axis };
        let corners = [0, 1, 2, 3].map(|i| round[i].vertex_on(edge(axis, ends[i])));
        let pins = [
            round[0].pin(p, outside),
            round[1].pin(q, outside | 1 << p),
            round[3].pin(p, outside | 1 << q),
            round[0].pin(q, outside),
        ];
        Quad { axis, flip, corners, pins }
    }
}

/// The nearest place to `offset` where a patch (four times its case plus its number) may have its vertex.
fn kept(offset: Offset, patch: u16) -> Offset {
    match patches(usize::from(patch / 4)).get(usize::from(patch % 4)) {
        Some(patch) => [0, 1, 2].map(|a| offset[a].clamp(patch.bounds[a][0], patch.bounds[a][1])),
        None => offset,
    }
}

/// How far apart the pair of vertices on a face that two lines cross stays from the diagonal, in voxels along the axes.
const PIN_DEPTH: f32 = 0.1;

/// Lengths of steps in voxels.
struct Metric {
    /// The products of the axes' vectors (mm²), from x on each with itself and with the next.
    own: [f32; 3],
    next: [f32; 3],
}

impl Metric {
    fn new(grid: &Grid) -> Self {
        let (axes, spacing) = (grid.axes(), grid.spacing_mm());
        let dot = |a: usize, b: usize| {
            ((0..3).map(|r| axes[a][r] * axes[b][r]).sum::<f64>() * spacing[a] * spacing[b]) as f32
        };
        Self { own: [0, 1, 2].map(|a| dot(a, a)), next: [0, 1, 2].map(|a| dot(a, (a + 1) % 3)) }
    }

    /// Squared length of a step along the axes after `axis` and then `axis` itself.
    fn square_mm2(&self, axis: usize, step: [f32; 3]) -> f32 {
        (0..3)
            .map(|i| {
                let a = (axis + 1 + i) % 3;
                step[i] * (self.own[a] * step[i] + 2.0 * self.next[a] * step[(i + 1) % 3])
            })
            .sum()
    }
}

/// A quad that has to be a fan round a vertex on its edge of the grid.
struct Bent {
    quad: Quad,
    /// The cell at the high end of the quad's four.
    at: [usize; 3],
    /// Its place among the quads of its layer.
    number: usize,
}

/// The piece of surface across an edge of the grid, between the vertices in the four cells round that edge.
struct Quad {
    axis: usize,
    /// Whether it is turned over: it has its outside at the low end of the edge, or the grid is left-handed.
    flip: bool,
    /// The vertices, counterclockwise seen from the edge's high end on a right-handed grid.
    corners: [u32; 4],
    /// The extra vertex between each corner and the next.
    pins: [Option<u32>; 4],
}

impl Quad {
    /// The quad as two triangles, if that cannot make it meet other parts of the surface.
    fn halves(&self, offsets: &[Offset], metric: &Metric) -> Option<[[u32; 3]; 2]> {
        if self.pins != [None; 4] {
            return None;
        }
        let place = self.places(offsets);
        let [a, b, c, d] = self.corners;
        let length = |i: usize, j: usize| metric.square_mm2(self.axis, minus(place[i], place[j]));
        let first = length(0, 2) <= length(1, 3);
        let fits = |first: bool| {
            let i = usize::from(!first);
            diagonal_fits(place[i], place[i + 1], place[i + 2], place[(i + 3) % 4])
        };
        let first = if fits(first) {
            first
        } else if fits(!first) {
            !first
        } else {
            return None;
        };
        Some(if first {
            [self.turned([a, b, c]), self.turned([a, c, d])]
        } else {
            [self.turned([b, c, d]), self.turned([b, d, a])]
        })
    }

    /// The quad as triangles round a vertex on its edge.
    fn fan(&self, center: u32) -> impl Iterator<Item = [u32; 3]> {
        (0..4).flat_map(move |i| {
            let (from, to) = (self.corners[i], self.corners[(i + 1) % 4]);
            let (first, second) = match self.pins[i] {
                Some(pin) => ([center, from, pin], Some([center, pin, to])),
                None => ([center, from, to], None),
            };
            std::iter::once(first).chain(second).map(|t| self.turned(t))
        })
    }

    /// How far up the edge the middle of the corners is, 0 to 1.
    fn height(&self, offsets: &[Offset]) -> f32 {
        self.places(offsets).iter().map(|place| place[2]).sum::<f32>() / 4.0
    }

    /// Where the corners are, from the low end of the edge and along the two axes after the edge's own, then that.
    fn places(&self, offsets: &[Offset]) -> [[f32; 3]; 4] {
        let (p, q) = ((self.axis + 1) % 3, (self.axis + 2) % 3);
        let round = [[0.5, 0.5], [-0.5, 0.5], [-0.5, -0.5], [0.5, -0.5]];
        [0, 1, 2, 3].map(|i| {
            let offset = offsets[self.corners[i] as usize];
            [offset[p] + round[i][0], offset[q] + round[i][1], offset[self.axis] + 0.5]
        })
    }

    fn turned(&self, [a, b, c]: [u32; 3]) -> [u32; 3] {
        if self.flip { [a, c, b] } else { [a, b, c] }
    }
}

/// Whether a quad stays within the tetrahedra (edge, corner, next corner), where nothing else of the surface is, when
/// it is cut from `a` to `c` (Ju & Udeshi).
fn diagonal_fits(a: [f32; 3], b: [f32; 3], c: [f32; 3], d: [f32; 3]) -> bool {
    let cross = |a: [f32; 3], b: [f32; 3]| a[0] * b[1] - a[1] * b[0];
    // The cut passes the edge on one side; it must cross the triangle (edge, corner on that side).
    let side = if cross(a, c) > 0.0 { b } else { d };
    // The crossing, times `weight`.
    let (from, to) = (cross(a, side).abs(), cross(side, c).abs());
    let weight = from + to;
    let [x, y, z] = [0, 1, 2].map(|i| a[i] * to + c[i] * from);
    // How far out it is and how far above the triangle's lower edge, times that and `square`.
    let square = side[0] * side[0] + side[1] * side[1];
    let out = x * side[0] + y * side[1];
    let above = z * square - out * side[2];
    let room = weight * square - out;
    room > 0.0 && above > 0.0 && above < room
}

fn split<'a, T>(mut slice: &'a mut [T], counts: &[usize]) -> Vec<&'a mut [T]> {
    counts
        .iter()
        .map(|&n| {
            let (head, tail) = std::mem::take(&mut slice).split_at_mut(n);
            slice = tail;
            head
        })
        .collect()
}

fn plus(a: [f32; 3], b: [f32; 3]) -> [f32; 3] {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

fn minus(a: [f32; 3], b: [f32; 3]) -> [f32; 3] {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

fn cross(a: [f32; 3], b: [f32; 3]) -> [f32; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

#[cfg(test)]
mod tests;
