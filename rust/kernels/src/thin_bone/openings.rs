//! Every opening of the bone: where it is, how large, and whether it may be one that only blur makes.
//!
//! Flooding the space around the bone from its widest places down (a watershed of the distance to bone) divides
//! it into chambers that meet in throats: where bone leaves a narrow way through, there is a throat's surface.
//! Wide open space is divided into blocks, so that a hole is found even where one can walk around the bone.
//! The surface's oriented voxel faces add up to a vector whose length is the opening's area seen along its axis,
//! however jagged the surface is, because that sum depends on its rim alone.
//!
//! Gostick: Versatile and efficient pore network extraction method using marker-based watershed segmentation.
//! Phys. Rev. E 96 (2017), doi 10.1103/PhysRevE.96.023307.

use super::linalg::{Vec3, dot, unit};
use crate::{Grid, Job, Result, distance};
use ndarray::{Array3, ArrayRef3};
use rayon::prelude::*;

/// A throat of the space around the bone.
pub(super) struct Throat {
    /// Its middle, mm along the grid's axes.
    pub(super) middle_mm: Vec3,
    /// Unit vector through it.
    pub(super) axis: Vec3,
    pub(super) area_mm2: f64,
    /// Voxels that close it.
    pub(super) voxels: Vec<[usize; 3]>,
}

/// Distances are kept in steps of this many mm, up to where space counts as wide open.
const STEP_MM: f64 = 0.05;
const WIDE_MM: f64 = 7.5;
const LEVELS: usize = (WIDE_MM / STEP_MM) as usize;
const UNSEEN: u32 = 0;
/// Wide open space on both sides of a wall is at least twice [`WIDE_MM`] apart, so never in one block.
const OPEN_BLOCK_MM: f64 = 8.0;
/// On both sides of an opening space widens to at least this multiple of it.
const WIDENS: f64 = 1.2;

/// Finds the throats of the space outside `bone` up to an area of `largest_mm2`.
pub(super) fn throats(bone: &ArrayRef3<u8>, grid: &Grid, largest_mm2: f64, job: &Job) -> Result<Vec<Throat>> {
    let size = grid.size();
    let spacing = grid.spacing_mm();
    let strides = [1, size[0], size[0] * size[1]];
    let level: Vec<u8> = {
        // distance of each background voxel to bone
        let mut mm = Array3::<f32>::zeros(grid.shape());
        distance::distance_mm(bone, grid, &mut mm, &job.part(0.0, 0.3))?;
        mm.iter()
            .zip(bone.iter())
            .map(|(&d, &b)| if b != 0 { 0 } else { ((f64::from(d) / STEP_MM) as usize).clamp(1, LEVELS) as u8 })
            .collect()
    };
    job.check()?;
    // voxels in order of falling distance
    let mut starts = vec![0_usize; LEVELS + 2];
    for &l in &level {
        if l > 0 {
            starts[LEVELS - l as usize + 1] += 1;
        }
    }
    for k in 1..starts.len() {
        starts[k] += starts[k - 1];
    }
    let mut order = vec![0_u32; starts[LEVELS + 1]];
    let mut place = starts.clone();
    for (i, &l) in level.iter().enumerate() {
        if l > 0 {
            let p = &mut place[LEVELS - l as usize];
            order[*p] = i as u32;
            *p += 1;
        }
    }
    drop(place);
    let mut chamber = vec![UNSEEN; level.len()];
    let edge = [0, 1, 2].map(|a| ((OPEN_BLOCK_MM / spacing[a]) as usize).max(1));
    let blocks = [0, 1, 2].map(|a| size[a].div_ceil(edge[a]));
    let open = 1 + blocks.iter().product::<usize>() as u32;
    let mut chambers = Chambers { parent: (0..open).collect(), top: vec![LEVELS as u8; open as usize] };
    let diagonal = spacing.iter().map(|s| s * s).sum::<f64>().sqrt();
    let steps = job.part(0.4, 0.9).steps(order.len().div_ceil(1 << 20));
    for (count, &i) in order.iter().enumerate() {
        if count % (1 << 20) == 0 {
            steps.step()?;
        }
        let i = i as usize;
        let at = [i % size[0], i / size[0] % size[1], i / strides[2]];
        let here = level[i];
        if here as usize == LEVELS {
            let block = [0, 1, 2].map(|a| at[a] / edge[a]);
            chamber[i] = 1 + ((block[2] * blocks[1] + block[1]) * blocks[0] + block[0]) as u32;
            continue;
        }
        let mut mine = UNSEEN;
        for a in 0..3 {
            for forward in [false, true] {
                if (forward && at[a] + 1 == size[a]) || (!forward && at[a] == 0) {
                    continue;
                }
                let j = if forward { i + strides[a] } else { i - strides[a] };
                if chamber[j] == UNSEEN {
                    continue;
                }
                let other = chambers.root(chamber[j]);
                if mine == UNSEEN {
                    mine = other;
                } else if mine != other {
                    let (low, high) = if chambers.top[mine as usize] < chambers.top[other as usize] {
                        (mine, other)
                    } else {
                        (other, mine)
                    };
                    let rise = f64::from(chambers.top[low as usize] - here) * STEP_MM;
                    let is_open = chambers.top[low as usize] as usize == LEVELS;
                    // a chamber hardly wider than its throat is a bulge
                    if !is_open && rise < 0.5 * diagonal + 0.25 * f64::from(here) * STEP_MM {
                        chambers.parent[low as usize] = high;
                        mine = high;
                    }
                }
            }
        }
        if mine == UNSEEN {
            mine = chambers.parent.len() as u32;
            chambers.parent.push(mine);
            chambers.top.push(here);
        }
        chamber[i] = mine;
    }
    for c in &mut chamber {
        *c = chambers.root(*c);
    }
    drop(order);
    Ok(collect(&chamber, &level, grid, largest_mm2))
}

struct Chambers {
    parent: Vec<u32>,
    /// Level of the widest place.
    top: Vec<u8>,
}

impl Chambers {
    fn root(&mut self, mut c: u32) -> u32 {
        while self.parent[c as usize] != c {
            let up = self.parent[self.parent[c as usize] as usize];
            self.parent[c as usize] = up;
            c = up;
        }
        c
    }
}

/// A face between two chambers: the voxel on the side of the lower number, its pair of chambers, its axis.
struct Face {
    pair: (u32, u32),
    voxel: u32,
    axis: u8,
    /// Whether the axis points from the lower chamber to the higher one.
    forward: bool,
}

fn collect(chamber: &[u32], level: &[u8], grid: &Grid, largest_mm2: f64) -> Vec<Throat> {
    let size = grid.size();
    let spacing = grid.spacing_mm();
    let strides = [1, size[0], size[0] * size[1]];
    let mut faces = Vec::new();
    for (i, &c) in chamber.iter().enumerate() {
        if c == UNSEEN {
            continue;
        }
        let at = [i % size[0], i / size[0] % size[1], i / strides[2]];
        for a in 0..3 {
            if at[a] + 1 == size[a] {
                continue;
            }
            let j = i + strides[a];
            let d = chamber[j];
            if d == UNSEEN || d == c || level[i] as usize == LEVELS || level[j] as usize == LEVELS {
                continue;
            }
            let forward = c < d;
            faces.push(Face {
                pair: (c.min(d), c.max(d)),
                voxel: if forward { i } else { j } as u32,
                axis: a as u8,
                forward,
            });
        }
    }
    faces.sort_by_key(|f| (f.pair, f.voxel, f.axis));
    let groups: Vec<&[Face]> = faces.chunk_by(|a, b| a.pair == b.pair).collect();
    let throats: Vec<Throat> = groups
        .into_par_iter()
        .flat_map_iter(|group| {
            let mut found = Vec::new();
            parts(group, size, |part| {
                found.extend(throat(part, size, spacing, largest_mm2).filter(|t| narrows(t, level, size, spacing)));
            });
            found
        })
        .collect();
    // A hole where more than two blocks meet shows in pieces: each is flooded again from just its two sides.
    let space = Space { level, size, spacing };
    let mut whole: Vec<Throat> = throats.par_iter().filter_map(|t| space.between_sides(t, largest_mm2)).collect();
    whole.sort_by(|a, b| b.area_mm2.total_cmp(&a.area_mm2));
    let mut kept: Vec<Throat> = Vec::new();
    for t in whole {
        let same = kept.iter().any(|k| {
            let p = [0, 1, 2].map(|a| k.middle_mm[a] - t.middle_mm[a]);
            dot(p, p) < k.area_mm2 / std::f64::consts::PI
        });
        if !same {
            kept.push(t);
        }
    }
    kept
}

/// Smaller throats are gaps of the raster, in faces of a voxel.
const LEAST_FACES: f64 = 0.9;
/// Pieces of slits are at least this large: specks of noise are not looked at twice.
const LEAST_SLIT_MM2: f64 = 1.0;
/// A piece of a throat is looked at within this, at most.
const MOST_REACH_MM: f64 = 10.0;

/// The space around the bone.
struct Space<'a> {
    level: &'a [u8],
    size: [usize; 3],
    spacing: Vec3,
}

impl Space<'_> {
    fn level(&self, i: [usize; 3]) -> u8 {
        self.level[(i[2] * self.size[1] + i[1]) * self.size[0] + i[0]]
    }

    /// The whole throat between the widest places on both sides of a piece of it.
    fn between_sides(&self, piece: &Throat, largest_mm2: f64) -> Option<Throat> {
        let near_mm = (3.0 * (piece.area_mm2 / std::f64::consts::PI).sqrt() + 3.0).min(MOST_REACH_MM);
        let (whole, goes_on) = self.between_sides_within(piece, near_mm, largest_mm2);
        // a slit is much longer than a piece of it shows
        if whole.is_none() && goes_on && piece.area_mm2 >= LEAST_SLIT_MM2 {
            return self.between_sides_within(piece, MOST_REACH_MM, largest_mm2).0;
        }
        whole
    }

    /// The same, looking no farther than `reach_mm`, and whether the throat goes on there.
    fn between_sides_within(&self, piece: &Throat, reach_mm: f64, largest_mm2: f64) -> (Option<Throat>, bool) {
        let low = [0, 1, 2].map(|a| ((piece.middle_mm[a] - reach_mm) / self.spacing[a]).ceil().max(0.0) as usize);
        let high =
            [0, 1, 2].map(|a| (((piece.middle_mm[a] + reach_mm) / self.spacing[a]) as usize + 1).min(self.size[a]));
        let box_size = [0, 1, 2].map(|a| high[a] - low[a]);
        let of = |k: usize| {
            [k % box_size[0] + low[0], k / box_size[0] % box_size[1] + low[1], k / (box_size[0] * box_size[1]) + low[2]]
        };
        let at = |i: [usize; 3]| ((i[2] - low[2]) * box_size[1] + i[1] - low[1]) * box_size[0] + i[0] - low[0];
        let order: Vec<u32> =
            (0..box_size.iter().product::<usize>() as u32).filter(|&k| self.level(of(k as usize)) > 0).collect();
        let radius_mm = piece.voxels.iter().map(|&v| f64::from(self.level(v)) * STEP_MM).fold(0.0, f64::max);
        // the sides: what lies in a cone along the axis
        let mut side = vec![0_u8; box_size.iter().product()];
        for &k in &order {
            let i = of(k as usize);
            let p = [0, 1, 2].map(|a| i[a] as f64 * self.spacing[a] - piece.middle_mm[a]);
            let along = dot(p, piece.axis);
            let aside = (dot(p, p) - along * along).max(0.0).sqrt();
            if aside <= 0.7 * along.abs()
                && along.abs() > 0.5 * radius_mm + 1.0
                && f64::from(self.level(i)) * STEP_MM >= WIDENS * radius_mm
            {
                side[k as usize] = if along > 0.0 { 2 } else { 1 };
            }
        }
        if !side.contains(&1) || !side.contains(&2) {
            return (None, false);
        }
        // flood both, widest places first; what is not yet reached waits for a lower level
        let mut queue: std::collections::BinaryHeap<(u8, std::cmp::Reverse<u32>)> = order
            .iter()
            .filter(|&&k| side[k as usize] != 0)
            .map(|&k| (self.level(of(k as usize)), std::cmp::Reverse(k)))
            .collect();
        let mut faces = Vec::new();
        while let Some((_, std::cmp::Reverse(k))) = queue.pop() {
            let i = of(k as usize);
            for a in 0..3 {
                for forward in [false, true] {
                    if (forward && i[a] + 1 == high[a]) || (!forward && i[a] == low[a]) {
                        continue;
                    }
                    let mut j = i;
                    j[a] = if forward { i[a] + 1 } else { i[a] - 1 };
                    if self.level(j) > 0 && side[at(j)] == 0 {
                        side[at(j)] = side[k as usize];
                        queue.push((self.level(j), std::cmp::Reverse(at(j) as u32)));
                    }
                }
            }
        }
        for &k in &order {
            let i = of(k as usize);
            for a in 0..3 {
                if i[a] + 1 == high[a] {
                    continue;
                }
                let mut j = i;
                j[a] += 1;
                let (mine, other) = (side[k as usize], side[at(j)]);
                if mine != 0 && other != 0 && mine != other {
                    let forward = mine < other;
                    let [x, y, z] = if forward { i } else { j };
                    let voxel = ((z * self.size[1] + y) * self.size[0] + x) as u32;
                    faces.push(Face { pair: (1, 2), voxel, axis: a as u8, forward });
                }
            }
        }
        faces.sort_by_key(|f| (f.voxel, f.axis));
        let mut best: Option<(f64, Throat)> = None;
        let mut goes_on = false;
        parts(&faces, self.size, |part| {
            let v = |f: &Face| {
                let v = f.voxel as usize;
                [v % self.size[0], v / self.size[0] % self.size[1], v / (self.size[0] * self.size[1])]
            };
            let distance = part
                .iter()
                .map(|f| {
                    let i = v(f);
                    let p = [0, 1, 2].map(|a| i[a] as f64 * self.spacing[a] - piece.middle_mm[a]);
                    dot(p, p)
                })
                .fold(f64::INFINITY, f64::min);
            // a surface that reaches the end of what was looked at has no rim of bone
            let ends = part.iter().any(|f| {
                let i = v(f);
                (0..3).any(|a| {
                    (i[a] <= low[a] + 1 && low[a] > 0)
                        || (i[a] + 2 >= high[a] && high[a] < self.size[a])
                        || i[a] == 0
                        || i[a] + 1 == self.size[a]
                })
            });
            goes_on |= ends;
            if !ends
                && best.as_ref().is_none_or(|b| distance < b.0)
                && let Some(t) = throat(part, self.size, self.spacing, largest_mm2)
            {
                best = Some((distance, t));
            }
        });
        (best.map(|(_, t)| t).filter(|t| narrows(t, self.level, self.size, self.spacing)), goes_on)
    }
}

/// Splits the faces between two chambers into connected surfaces.
fn parts(faces: &[Face], size: [usize; 3], mut found: impl FnMut(&[&Face])) {
    let mut taken = vec![false; faces.len()];
    let of = |v: u32| [v as usize % size[0], v as usize / size[0] % size[1], v as usize / (size[0] * size[1])];
    for seed in 0..faces.len() {
        if taken[seed] {
            continue;
        }
        taken[seed] = true;
        let mut part = vec![seed];
        let mut next = 0;
        while next < part.len() {
            let at = of(faces[part[next]].voxel);
            next += 1;
            for z in at[2].saturating_sub(1)..=(at[2] + 1).min(size[2] - 1) {
                for y in at[1].saturating_sub(1)..=(at[1] + 1).min(size[1] - 1) {
                    let row = (z * size[1] + y) * size[0];
                    let (low, high) =
                        ((row + at[0].saturating_sub(1)) as u32, (row + (at[0] + 1).min(size[0] - 1)) as u32);
                    let first = faces.partition_point(|f| f.voxel < low);
                    for (k, _) in faces[first..].iter().enumerate().take_while(|(_, f)| f.voxel <= high) {
                        if !taken[first + k] {
                            taken[first + k] = true;
                            part.push(first + k);
                        }
                    }
                }
            }
        }
        part.sort_unstable();
        let part: Vec<&Face> = part.into_iter().map(|k| &faces[k]).collect();
        found(&part);
    }
}

fn throat(part: &[&Face], size: [usize; 3], spacing: Vec3, largest_mm2: f64) -> Option<Throat> {
    let mut sum = [0.0; 3];
    let mut middle = [0.0; 3];
    let mut total = 0.0;
    let mut voxels = Vec::new();
    for f in part {
        let v = f.voxel as usize;
        let at = [v % size[0], v / size[0] % size[1], v / (size[0] * size[1])];
        let a = f.axis as usize;
        let area = spacing[(a + 1) % 3] * spacing[(a + 2) % 3];
        sum[a] += if f.forward { area } else { -area };
        let mut centre = [0, 1, 2].map(|b| at[b] as f64 * spacing[b]);
        centre[a] += if f.forward { 0.5 } else { -0.5 } * spacing[a];
        middle = [0, 1, 2].map(|b| middle[b] + area * centre[b]);
        total += area;
        if voxels.last() != Some(&at) {
            voxels.push(at);
        }
    }
    let area_mm2 = dot(sum, sum).sqrt();
    if area_mm2 > largest_mm2 || area_mm2 < LEAST_FACES * spacing.iter().product::<f64>().powf(2.0 / 3.0) {
        return None;
    }
    Some(Throat { middle_mm: middle.map(|m| m / total), axis: unit(sum)?, area_mm2, voxels })
}

/// Steps from a throat's middle to the end of what is looked at.
const LOOKS: f64 = 8.0;

/// Whether space is wider on both sides of a throat than in it: a cut through a passage of even width is no opening.
fn narrows(throat: &Throat, level: &[u8], size: [usize; 3], spacing: Vec3) -> bool {
    let at = |i: [usize; 3]| f64::from(level[(i[2] * size[1] + i[1]) * size[0] + i[0]]) * STEP_MM;
    let radius_mm = throat.voxels.iter().map(|&v| at(v)).fold(0.0, f64::max);
    let reach_mm = 2.0 * radius_mm + 1.5;
    let range = [0, 1, 2].map(|a| {
        let (low, high) =
            ((throat.middle_mm[a] - reach_mm) / spacing[a], (throat.middle_mm[a] + reach_mm) / spacing[a]);
        low.ceil().max(0.0) as usize..(high.floor().max(0.0) as usize + 1).min(size[a])
    });
    // wide space is looked at in steps
    let step = [0, 1, 2].map(|a| (reach_mm / (LOOKS * spacing[a])).floor().max(1.0) as usize);
    let mut widest = [0.0_f64; 2];
    for z in range[2].clone().step_by(step[2]) {
        for y in range[1].clone().step_by(step[1]) {
            for x in range[0].clone().step_by(step[0]) {
                let p = [0, 1, 2].map(|a| [x, y, z][a] as f64 * spacing[a] - throat.middle_mm[a]);
                let along = dot(p, throat.axis);
                let aside = (dot(p, p) - along * along).max(0.0).sqrt();
                if aside <= along.abs() {
                    let side = &mut widest[usize::from(along > 0.0)];
                    *side = side.max(at([x, y, z]));
                }
            }
        }
    }
    widest.iter().all(|&w| w >= WIDENS * radius_mm) && radius_mm < WIDE_MM - 1.0
}
