//! The 256 ways in which the eight corners of a cell can be inside or outside, worked out at compile time.
//!
//! Corner `c` lies at (c & 1, c >> 1 & 1, c >> 2 & 1). Edge `4·a + i` runs along axis `a`; the bits of `i` are
//! its place along the next two axes (cyclic). Face `2·a + s` is the low (s = 0) or high (s = 1) one across `a`.

/// How the surface runs through a cell.
#[derive(Clone, Copy)]
pub(super) struct Case {
    /// Number of separate patches of surface.
    pub(super) patches: u8,
    /// Number of vertices: one per patch, and a pair on each low face that is crossed twice.
    pub(super) vertices: u8,
    /// The patch that cuts each edge; [`NONE`] where both ends are alike.
    pub(super) edge_patch: [u8; 12],
    /// Bit f: face f is crossed by two lines, inside and outside corners alternate round it.
    pub(super) ambiguous: u8,
}

/// One piece of the surface in a cell, bounded by a loop of lines on the cell's faces.
#[derive(Clone, Copy)]
pub(super) struct Patch {
    length: u8,
    /// Faces that the loop crosses, counterclockwise seen from outside the mask, and an edge at which it enters each.
    lines: [(u8, u8); 12],
    /// Where its vertex may be along x, y and z, from the cell's centre in voxels, lowest and highest.
    pub(super) bounds: [[f32; 2]; 3],
}

/// How close a vertex may come to the faces of its cell, in voxels: never quite, so that the surface cannot touch
/// itself.
pub(super) const MARGIN: f32 = 0.01;

const EDGE: f32 = 0.5 - MARGIN;

/// No patch.
const NONE: u8 = u8::MAX;

/// Every case, by the bits of its inside corners.
pub(super) static CASES: [Case; 256] = {
    let mut cases = [case(0).0; 256];
    let mut inside = 1;
    while inside < 256 {
        cases[inside] = case(inside).0;
        inside += 1;
    }
    cases
};

/// The patches of every case, four places for each.
pub(super) static PATCHES: [[Patch; 4]; 256] = {
    let mut patches = [case(0).1; 256];
    let mut inside = 1;
    while inside < 256 {
        patches[inside] = case(inside).1;
        inside += 1;
    }
    patches
};

/// The patches of a case.
pub(super) fn patches(inside: usize) -> &'static [Patch] {
    &PATCHES[inside][..usize::from(CASES[inside].patches)]
}

impl Case {
    /// Whether the cell holds more than one patch, or a face crossed twice.
    pub(super) const fn is_complex(&self) -> bool {
        self.patches > 1 || self.ambiguous != 0
    }

    /// Number of low faces across axes before `axis` that are crossed twice.
    pub(super) const fn pairs_before(&self, axis: usize) -> u32 {
        (self.ambiguous & 0b01_0101 & ((1 << (2 * axis)) - 1)).count_ones()
    }
}

impl Patch {
    pub(super) const fn lines(&self) -> &[(u8, u8)] {
        self.lines.split_at(self.length as usize).0
    }
}

/// The edge along `axis` that starts or ends at `corner`.
pub(super) const fn edge(axis: usize, corner: usize) -> usize {
    axis * 4 + (corner >> ((axis + 1) % 3) & 1) + 2 * (corner >> ((axis + 2) % 3) & 1)
}

/// The number that an edge on a face has in the cell beyond that face.
pub(super) const fn edge_beyond(edge_here: usize, face: usize) -> usize {
    edge(edge_here / 4, low_corner(edge_here) ^ 1 << (face / 2))
}

/// The corner at the low end of an edge.
const fn low_corner(edge: usize) -> usize {
    let axis = edge / 4;
    (edge & 1) << ((axis + 1) % 3) | (edge >> 1 & 1) << ((axis + 2) % 3)
}

const fn case(inside: usize) -> (Case, [Patch; 4]) {
    // From each cut edge, the face over which the surface's boundary goes on and the edge where it leaves that face.
    let mut next = [(NONE, NONE); 12];
    let mut ambiguous = 0;
    let mut face = 0;
    while face < 6 {
        let (p, q) = ((face / 2 + 1) % 3, (face / 2 + 2) % 3);
        let low = (face % 2) << (face / 2);
        let round = [low, low | 1 << p, low | 1 << p | 1 << q, low | 1 << q];
        let edges = [edge(p, round[0]), edge(q, round[1]), edge(p, round[2]), edge(q, round[3])];
        let mut lines = 0;
        let mut i = 0;
        while i < 4 {
            // A line goes round each run of outside corners: inside corners are connected across the face.
            if inside >> round[i] & 1 == 1 && inside >> round[(i + 1) % 4] & 1 == 0 {
                let mut j = i + 1;
                while inside >> round[(j + 1) % 4] & 1 == 0 {
                    j += 1;
                }
                let ends = [edges[i], edges[j % 4]];
                // Seen from outside the cell, `round` is counterclockwise on high faces and clockwise on low ones.
                let (from, to) = if face % 2 == 0 { (ends[0], ends[1]) } else { (ends[1], ends[0]) };
                next[from] = (face as u8, to as u8);
                lines += 1;
            }
            i += 1;
        }
        if lines == 2 {
            ambiguous |= 1 << face;
        }
        face += 1;
    }

    let none = Patch { length: 0, lines: [(NONE, NONE); 12], bounds: [[-EDGE, EDGE]; 3] };
    let mut patches = [none; 4];
    let mut case = Case { patches: 0, vertices: 0, edge_patch: [NONE; 12], ambiguous };
    // For each patch, the corners that it parts from the rest of the cell.
    let mut parted = [0_usize; 4];
    let mut first = 0;
    while first < 12 {
        if next[first].0 != NONE && case.edge_patch[first] == NONE {
            let mut patch = none;
            let mut ends = [0_usize; 2];
            let mut e = first;
            while case.edge_patch[e] == NONE {
                case.edge_patch[e] = case.patches;
                patch.lines[patch.length as usize] = (next[e].0, e as u8);
                patch.length += 1;
                let low = low_corner(e);
                let high = low | 1 << (e / 4);
                ends[inside >> low & 1] |= 1 << low;
                ends[inside >> high & 1] |= 1 << high;
                e = next[e].1 as usize;
            }
            parted[case.patches as usize] = if ends[0].count_ones() < ends[1].count_ones() { ends[0] } else { ends[1] };
            patches[case.patches as usize] = patch;
            case.patches += 1;
        }
        first += 1;
    }
    if case.patches > 1 {
        let mut i = 0;
        while i < case.patches as usize {
            patches[i].bounds = bounds(i, &parted);
            i += 1;
        }
    }
    case.vertices = case.patches + 2 * case.pairs_before(3) as u8;
    (case, patches)
}

/// Bounds of the vertex of patch `i` in a cell with several, given the corners that each parts from the rest: such that
/// the cones from each vertex over its own loop do not meet.
const fn bounds(i: usize, parted: &[usize; 4]) -> [[f32; 2]; 3] {
    const HIGH: [usize; 3] = [0b1010_1010, 0b1100_1100, 0b1111_0000];
    let mut bounds = [[-EDGE, EDGE]; 3];
    let mut axis = 0;
    while axis < 3 {
        let gap = if parted[i].count_ones() == 1 { CORNER_GAP } else { PLANE_GAP };
        if parted[i] & HIGH[axis] == 0 {
            bounds[axis][1] = -gap;
        } else if parted[i] & !HIGH[axis] == 0 {
            bounds[axis][0] = gap;
        } else {
            let mut other = 0;
            while other < 4 {
                if other != i && parted[other].count_ones() == 1 {
                    let side = (parted[other] & HIGH[axis] == 0) as usize;
                    bounds[axis][1 - side] = if side == 1 { -BESIDE_CORNER } else { BESIDE_CORNER };
                }
                other += 1;
            }
        }
        axis += 1;
    }
    bounds
}

/// A lone corner's vertex is on the corner's side of the plane through the three next corners: three times 0.5 − this
/// is less than 1.
const CORNER_GAP: f32 = 0.17;

/// Any other vertex is on the other side of that plane.
const BESIDE_CORNER: f32 = 0.16;

/// The vertices on the two sides of a cell with two walls keep apart.
const PLANE_GAP: f32 = 0.03;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cut_edge_is_on_one_closed_loop() {
        for inside in 0..256 {
            let cut =
                (0..12).filter(|&e| (inside >> low_corner(e) ^ inside >> (low_corner(e) | 1 << (e / 4))) & 1 == 1);
            let looped: usize = patches(inside).iter().map(|p| p.lines().len()).sum();
            assert_eq!(cut.count(), looped, "case {inside}");
            assert!(patches(inside).iter().all(|p| p.lines().len() >= 3), "case {inside}");
        }
    }

    #[test]
    fn voxels_that_touch_by_an_edge_are_connected_and_by_a_corner_are_not() {
        assert_eq!(CASES[0b0000_0001].patches, 1, "one corner");
        assert_eq!(CASES[0b0000_1001].patches, 1, "two across a face: one patch round both");
        assert_eq!(CASES[0b1000_0001].patches, 2, "two across the cell");
        assert_eq!(CASES[!0b0000_1001 & 0xff].patches, 2, "two outside across a face");
        assert_eq!(CASES[0b0110_1001].patches, 4, "alternating corners: one patch round each outside corner");
        assert_eq!(CASES[0b0110_1001].ambiguous, 0b11_1111);
    }

    #[test]
    fn patches_of_one_cell_keep_apart() {
        for inside in 0..256 {
            for (i, a) in patches(inside).iter().enumerate() {
                for b in &patches(inside)[..i] {
                    let apart = std::iter::zip(a.bounds, b.bounds).any(|(a, b)| a[1] < b[0] || b[1] < a[0]);
                    assert!(apart, "case {inside}");
                }
            }
        }
    }
}
