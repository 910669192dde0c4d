//! A surface made of triangles.

use rayon::prelude::*;

/// A surface of triangles in physical space.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Mesh {
    /// Vertices in RAS mm.
    pub points: Vec<[f32; 3]>,
    /// Three vertices each, counterclockwise seen from outside.
    pub triangles: Vec<[u32; 3]>,
}

/// What a mesh is like as a surface; see [`Mesh::check`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Check {
    /// Edges with one triangle: the surface is not closed there.
    pub open_edges: usize,
    /// Edges with three triangles or more.
    pub crowded_edges: usize,
    /// Edges whose two triangles turn opposite ways.
    pub twisted_edges: usize,
    /// Vertices whose triangles do not form one closed fan.
    pub pinched_vertices: usize,
    /// Pieces that hang together by edges.
    pub components: usize,
    /// Vertices − edges + triangles; 2 for each sphere, 2 less for each handle.
    pub euler_characteristic: i64,
}

impl Check {
    /// Whether the surface bounds a solid: closed, a 2-manifold, consistently oriented.
    #[must_use]
    pub fn is_solid(&self) -> bool {
        self.open_edges + self.crowded_edges + self.twisted_edges + self.pinched_vertices == 0
    }
}

impl Mesh {
    /// Area of the surface.
    #[must_use]
    pub fn area_mm2(&self) -> f64 {
        self.sum(|[a, b, c]| length(cross(minus(b, a), minus(c, a))) / 2.0)
    }

    /// Volume that a closed surface encloses; negative where it is inside out.
    #[must_use]
    pub fn volume_mm3(&self) -> f64 {
        // About a point of the mesh rather than the origin, for the sake of the digits.
        let center = self.points.first().map_or([0.0; 3], |p| p.map(f64::from));
        self.sum(|t| {
            let [a, b, c] = t.map(|p| minus(p, center));
            dot(a, cross(b, c)) / 6.0
        })
    }

    /// The outward unit normal at each vertex: that of its triangles, weighted by their area. Zero where they have
    /// none.
    #[must_use]
    pub fn normals(&self) -> Vec<[f32; 3]> {
        let mut normals = vec![[0.0_f32; 3]; self.points.len()];
        for triangle in &self.triangles {
            let [a, b, c] = self.corners(triangle);
            let n = cross(minus(b, a), minus(c, a));
            for &v in triangle {
                for (sum, n) in normals[v as usize].iter_mut().zip(n) {
                    *sum += n as f32;
                }
            }
        }
        normals.par_iter_mut().for_each(|n| {
            let size = length(n.map(f64::from));
            if size > 0.0 {
                *n = n.map(|c| (f64::from(c) / size) as f32);
            }
        });
        normals
    }

    /// Looks at every edge and vertex: is this the surface of a solid?
    ///
    /// Takes 24 bytes per triangle.
    #[must_use]
    pub fn check(&self) -> Check {
        // The corners before and after vertex v in each of its triangles are around[start[v]..start[v + 1]].
        let mut start = vec![0_u32; self.points.len() + 2];
        for &v in self.triangles.iter().flatten() {
            start[v as usize + 2] += 1;
        }
        for v in 2..start.len() {
            start[v] += start[v - 1];
        }
        let mut around = vec![[0_u32; 2]; 3 * self.triangles.len()];
        for &[a, b, c] in &self.triangles {
            for (v, next, last) in [(a, b, c), (b, c, a), (c, a, b)] {
                let place = &mut start[v as usize + 1];
                around[*place as usize] = [next, last];
                *place += 1;
            }
        }
        let (mut check, edges) = (0..self.points.len() as u32)
            .into_par_iter()
            .with_min_len(1 << 12)
            .map(|v| check_vertex(v, &around[start[v as usize] as usize..start[v as usize + 1] as usize]))
            .reduce(|| (NO_FAULTS, 0), |(a, a_edges), (b, b_edges)| (a.plus(&b), a_edges + b_edges));
        check.components = self.components();
        check.euler_characteristic = self.points.len() as i64 - edges + self.triangles.len() as i64;
        check
    }

    fn components(&self) -> usize {
        fn root(parent: &mut [u32], mut v: u32) -> u32 {
            while parent[v as usize] != v {
                parent[v as usize] = parent[parent[v as usize] as usize];
                v = parent[v as usize];
            }
            v
        }
        let mut parent: Vec<u32> = (0..self.points.len() as u32).collect();
        for &[a, b, c] in &self.triangles {
            for v in [b, c] {
                let (v, a) = (root(&mut parent, v), root(&mut parent, a));
                parent[v.max(a) as usize] = v.min(a);
            }
        }
        (0..).zip(&parent).filter(|&(v, &p)| v == p).count()
    }

    fn corners(&self, triangle: &[u32; 3]) -> [[f64; 3]; 3] {
        triangle.map(|v| self.points[v as usize].map(f64::from))
    }

    /// Sums over the triangles, in blocks of fixed size so that the rounding does not depend on the threads.
    fn sum(&self, term: impl Fn([[f64; 3]; 3]) -> f64 + Sync) -> f64 {
        let blocks: Vec<f64> =
            self.triangles.par_chunks(1 << 12).map(|block| block.iter().map(|t| term(self.corners(t))).sum()).collect();
        blocks.iter().sum()
    }
}

impl Check {
    fn plus(self, other: &Self) -> Self {
        Self {
            open_edges: self.open_edges + other.open_edges,
            crowded_edges: self.crowded_edges + other.crowded_edges,
            twisted_edges: self.twisted_edges + other.twisted_edges,
            pinched_vertices: self.pinched_vertices + other.pinched_vertices,
            ..self
        }
    }
}

/// The faults at one vertex and at its edges to higher ones, and the number of those edges. `around` holds the corners
/// after and before it in each of its triangles.
fn check_vertex(v: u32, around: &[[u32; 2]]) -> (Check, i64) {
    let mut after: Vec<[u32; 2]> = around.to_vec();
    after.sort_unstable();
    let mut before: Vec<u32> = around.iter().map(|&[_, before]| before).collect();
    before.sort_unstable();

    let mut check = NO_FAULTS;
    let (mut edges, mut i, mut j) = (0, 0, 0);
    while i < after.len() || j < before.len() {
        let other = after.get(i).map_or(u32::MAX, |a| a[0]).min(before.get(j).copied().unwrap_or(u32::MAX));
        let leaving = after[i..].iter().take_while(|a| a[0] == other).count();
        let arriving = before[j..].iter().take_while(|&&b| b == other).count();
        (i, j) = (i + leaving, j + arriving);
        if other > v {
            edges += 1;
            match (leaving, arriving) {
                (1, 1) => {}
                (1, 0) | (0, 1) => check.open_edges += 1,
                (2, 0) | (0, 2) => check.twisted_edges += 1,
                _ => check.crowded_edges += 1,
            }
        }
    }

    let mut steps = 0;
    let mut at = after.first().map(|a| a[0]);
    while let Some(Ok(i)) = at.map(|at| after.binary_search_by_key(&at, |a| a[0])) {
        steps += 1;
        at = Some(after[i][1]);
        if steps == after.len() || at == Some(after[0][0]) {
            break;
        }
    }
    check.pinched_vertices = usize::from(after.is_empty() || steps < after.len() || at != Some(after[0][0]));
    (check, edges)
}

const NO_FAULTS: Check = Check {
    open_edges: 0,
    crowded_edges: 0,
    twisted_edges: 0,
    pinched_vertices: 0,
    components: 0,
    euler_characteristic: 0,
};

fn minus(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

fn length(a: [f64; 3]) -> f64 {
    dot(a, a).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tetrahedron() -> Mesh {
        Mesh {
            points: vec![[0.0, 0.0, 0.0], [2.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 4.0]],
            triangles: vec![[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]],
        }
    }

    #[test]
    fn a_tetrahedron_has_its_volume_area_and_normals() {
        let mesh = tetrahedron();
        assert!((mesh.volume_mm3() - 4.0).abs() < 1e-12);
        let slanted = length(cross([-2.0, 3.0, 0.0], [-2.0, 0.0, 4.0])) / 2.0;
        assert!((mesh.area_mm2() - (3.0 + 4.0 + 6.0 + slanted)).abs() < 1e-12);
        let corner = mesh.normals()[0].map(f64::from);
        let expected = [-6.0, -4.0, -3.0].map(|c| c / 61_f64.sqrt());
        assert!(length(minus(corner, expected)) < 1e-6, "{corner:?}");
        let check = mesh.check();
        assert!(check.is_solid());
        assert_eq!((check.components, check.euler_characteristic), (1, 2));
    }

    #[test]
    fn an_inside_out_mesh_has_a_negative_volume() {
        let mut mesh = tetrahedron();
        mesh.triangles.iter_mut().for_each(|t| t.swap(0, 1));
        assert!((mesh.volume_mm3() + 4.0).abs() < 1e-12);
        assert!(mesh.check().is_solid());
    }

    #[test]
    fn faults_are_counted() {
        let mut open = tetrahedron();
        open.triangles.pop();
        assert_eq!((open.check().open_edges, open.check().pinched_vertices), (3, 3));

        let mut twisted = tetrahedron();
        twisted.triangles[0].swap(0, 1);
        assert_eq!((twisted.check().open_edges, twisted.check().twisted_edges), (0, 3));

        let mut crowded = tetrahedron();
        crowded.points.push([5.0, 5.0, 5.0]);
        crowded.triangles.push([0, 1, 4]);
        assert_eq!((crowded.check().open_edges, crowded.check().crowded_edges), (2, 1));

        // Two tetrahedra that share a corner.
        let mut pinched = tetrahedron();
        pinched.points.extend([[-1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, -1.0]]);
        pinched.triangles.extend([[0, 4, 5], [0, 5, 6], [0, 6, 4], [4, 6, 5]]);
        let check = pinched.check();
        assert_eq!((check.open_edges, check.crowded_edges, check.twisted_edges), (0, 0, 0));
        assert_eq!((check.pinched_vertices, check.components), (1, 1));
        assert!(!check.is_solid());
    }
}
