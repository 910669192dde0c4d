//! Voxels that can be set or taken back without a change of topology.

use ndarray::ArrayRef3;

/// Voxels of a 3x3x3 block.
const BLOCK: usize = 27;
const MIDDLE: usize = BLOCK / 2;

/// Whether what hangs together by faces and edges, and what background by faces, stays the same when the voxel at
/// (x, y, z) is set or taken back. Beyond the volume is background.
///
/// Bertrand, Malandain: A new characterization of three-dimensional simple points. Pattern Recognit. Lett. 15 (1994),
/// doi 10.1016/0167-8655(94)90046-9: exactly one piece of each beside it.
pub(super) fn is_simple(mask: &ArrayRef3<u8>, at: [usize; 3]) -> bool {
    let (nz, ny, nx) = mask.dim();
    let mut set = 0_u32;
    for (k, [dx, dy, dz]) in OFFSETS.iter().enumerate() {
        let to = |i: usize, d: isize, n: usize| i.checked_add_signed(d).filter(|&i| i < n);
        if let (Some(x), Some(y), Some(z)) = (to(at[0], *dx, nx), to(at[1], *dy, ny), to(at[2], *dz, nz)) {
            set |= u32::from(mask[[z, y, x]] != 0) << k;
        }
    }
    pieces(set, &EDGES) == 1 && pieces(!set, &FACES) == 1
}

/// How many connected pieces of a block's voxels, but for the middle, have a neighbour in the middle.
fn pieces(set: u32, neighbours: &[u32; BLOCK]) -> usize {
    let mut left = set & ((1 << BLOCK) - 1) & !(1 << MIDDLE);
    let mut count = 0;
    while left & neighbours[MIDDLE] != 0 {
        let mut front = 1_u32 << (left & neighbours[MIDDLE]).trailing_zeros();
        while front != 0 {
            let k = front.trailing_zeros() as usize;
            left &= !(1 << k);
            front = (front | neighbours[k] & left) & !(1 << k);
        }
        count += 1;
    }
    count
}

const OFFSETS: [[isize; 3]; BLOCK] = {
    let mut offsets = [[0; 3]; BLOCK];
    let mut k = 0;
    while k < BLOCK {
        offsets[k] = [k as isize % 3 - 1, k as isize / 3 % 3 - 1, k as isize / 9 - 1];
        k += 1;
    }
    offsets
};

/// For each voxel of a block those that share a face with it, and those that share a face or an edge.
const FACES: [u32; BLOCK] = neighbours(1);
const EDGES: [u32; BLOCK] = neighbours(2);

const fn neighbours(most: isize) -> [u32; BLOCK] {
    let mut table = [0; BLOCK];
    let mut k = 0;
    while k < BLOCK {
        let mut j = 0;
        while j < BLOCK {
            let (a, b) = (OFFSETS[k], OFFSETS[j]);
            let d = [(a[0] - b[0]).abs(), (a[1] - b[1]).abs(), (a[2] - b[2]).abs()];
            let sum = d[0] + d[1] + d[2];
            if sum >= 1 && sum <= most && d[0] <= 1 && d[1] <= 1 && d[2] <= 1 {
                table[k] |= 1 << j;
            }
            j += 1;
        }
        k += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array3;
    use proptest::prelude::*;

    #[test]
    fn ends_are_simple_and_bridges_gaps_and_lone_voxels_are_not() {
        let mut mask = Array3::<u8>::zeros((3, 3, 5));
        mask.slice_mut(ndarray::s![1, 1, 0..2]).fill(1);
        assert!(is_simple(&mask, [2, 1, 1]), "goes on");
        assert!(is_simple(&mask, [1, 1, 1]), "is taken back");
        assert!(!is_simple(&mask, [4, 1, 1]), "is alone");
        mask[[1, 1, 3]] = 1;
        assert!(!is_simple(&mask, [2, 1, 1]), "joins two");
        let mut plate = Array3::<u8>::zeros((3, 3, 3));
        plate.slice_mut(ndarray::s![1, .., ..]).fill(1);
        assert!(!is_simple(&plate, [1, 1, 1]), "opens a hole, or closes it");
        assert!(is_simple(&plate, [1, 1, 0]), "lies on the plate");
        assert!(!is_simple(&Array3::ones((3, 3, 3)), [1, 1, 1]), "makes a hollow");
    }

    /// Components of a mask by flooding.
    fn components(mask: &Array3<u8>, value: u8, most: usize) -> usize {
        let mut seen = mask.mapv(|v| v != value);
        let (nz, ny, nx) = mask.dim();
        let mut count = 0;
        for start in ndarray::indices(mask.dim()) {
            if seen[start] {
                continue;
            }
            count += 1;
            seen[start] = true;
            let mut stack = vec![start];
            while let Some((z, y, x)) = stack.pop() {
                for to in ndarray::indices((3, 3, 3)) {
                    let d = [to.0, to.1, to.2].map(|i| i.abs_diff(1));
                    let (z, y, x) = (z + to.0, y + to.1, x + to.2);
                    if (1..=most).contains(&d.iter().sum())
                        && (1..=nz).contains(&z)
                        && (1..=ny).contains(&y)
                        && (1..=nx).contains(&x)
                    {
                        let to = (z - 1, y - 1, x - 1);
                        if !seen[to] {
                            seen[to] = true;
                            stack.push(to);
                        }
                    }
                }
            }
        }
        count
    }

    proptest! {
        #[test]
        fn a_simple_voxel_changes_no_number_of_parts(bits in any::<u128>()) {
            let mut mask = Array3::<u8>::zeros((7, 6, 6));
            mask.slice_mut(ndarray::s![1..6, 1..5, 1..5]).indexed_iter_mut().for_each(|((z, y, x), v)| {
                *v = (bits >> (z * 16 + y * 4 + x) & 1) as u8;
            });
            for at in ndarray::indices((5, 4, 4)) {
                let at = [at.2 + 1, at.1 + 1, at.0 + 1];
                if is_simple(&mask, at) {
                    let before = [components(&mask, 1, 2), components(&mask, 0, 1)];
                    mask[[at[2], at[1], at[0]]] ^= 1;
                    prop_assert_eq!([components(&mask, 1, 2), components(&mask, 0, 1)], before, "{:?}", at);
                }
            }
        }
    }
}
