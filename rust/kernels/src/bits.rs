//! Masks with one bit a voxel: an eighth of the memory, and 64 voxels an instruction.

use crate::Voxel;
use ndarray::{ArrayRef3, Axis};
use rayon::prelude::*;

/// A mask on a grid of `size` (x, y, z) voxels. Each row starts a new word; bits beyond the row's end are 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bits {
    size: [usize; 3],
    words_per_row: usize,
    words: Vec<u64>,
}

impl Bits {
    /// No voxel set.
    pub(crate) fn empty(size: [usize; 3]) -> Self {
        let words_per_row = size[0].div_ceil(64);
        Self { size, words_per_row, words: vec![0; words_per_row * size[1] * size[2]] }
    }

    /// The voxels for which `set` holds.
    pub(crate) fn from_voxels<T: Voxel>(image: &ArrayRef3<T>, set: impl Fn(T) -> bool + Sync) -> Self {
        let (nz, ny, nx) = image.dim();
        let mut bits = Self::empty([nx, ny, nz]);
        let per_row = bits.words_per_row;
        (bits.slices_mut(), image.axis_iter(Axis(0))).into_par_iter().for_each(|(words, slice)| {
            for (words, row) in words.chunks_mut(per_row).zip(slice.outer_iter()) {
                match row.as_slice() {
                    Some(row) => pack_row(words, row, &set),
                    None => pack_row(words, &row.to_vec(), &set),
                }
            }
        });
        bits
    }

    /// The non-zero voxels of a mask.
    pub(crate) fn from_mask(mask: &ArrayRef3<u8>) -> Self {
        Self::from_voxels(mask, |v| v != 0)
    }

    /// Writes 1 where a voxel is set and 0 elsewhere.
    pub(crate) fn write_to(&self, out: &mut ArrayRef3<u8>) {
        (out.axis_iter_mut(Axis(0)), self.words.par_chunks(self.words_per_row * self.size[1]))
            .into_par_iter()
            .for_each(|(mut slice, words)| {
                for (mut row, words) in slice.outer_iter_mut().zip(words.chunks(self.words_per_row)) {
                    match row.as_slice_mut() {
                        Some(row) => {
                            for (voxels, word) in row.chunks_mut(64).zip(words) {
                                for (bit, voxel) in voxels.iter_mut().enumerate() {
                                    *voxel = (word >> bit & 1) as u8;
                                }
                            }
                        }
                        None => {
                            row.iter_mut().enumerate().for_each(|(x, v)| *v = (words[x / 64] >> (x % 64) & 1) as u8)
                        }
                    }
                }
            });
    }

    pub(crate) fn size(&self) -> [usize; 3] {
        self.size
    }

    pub(crate) fn words_per_row(&self) -> usize {
        self.words_per_row
    }

    pub(crate) fn row(&self, z: usize, y: usize) -> &[u64] {
        let start = (z * self.size[1] + y) * self.words_per_row;
        &self.words[start..start + self.words_per_row]
    }

    pub(crate) fn row_mut(&mut self, z: usize, y: usize) -> &mut [u64] {
        let start = (z * self.size[1] + y) * self.words_per_row;
        &mut self.words[start..start + self.words_per_row]
    }

    /// The slices, each a run of rows, to be worked on in parallel.
    pub(crate) fn slices_mut(&mut self) -> rayon::slice::ChunksMut<'_, u64> {
        self.words.par_chunks_mut(self.words_per_row * self.size[1])
    }

    /// How many voxels are set in each plane across an axis (0 = x).
    pub(crate) fn counts_along(&self, axis: usize) -> Vec<usize> {
        let [_, ny, nz] = self.size;
        let mut counts = vec![0; self.size[axis]];
        for z in 0..nz {
            for y in 0..ny {
                match axis {
                    0 => for_each_run(self.row(z, y), |start, end| counts[start..end].iter_mut().for_each(|n| *n += 1)),
                    _ => {
                        counts[[0, y, z][axis]] += self.row(z, y).iter().map(|w| w.count_ones() as usize).sum::<usize>()
                    }
                }
            }
        }
        counts
    }

    /// One plane of the volume, at index `at` of an axis (0 = x), as a mask of one slice.
    pub(crate) fn face(&self, axis: usize, at: usize) -> Self {
        let [nx, ny, nz] = self.size;
        match axis {
            2 => {
                let slice = self.words_per_row * ny;
                Self { size: [nx, ny, 1], words: self.words[at * slice..(at + 1) * slice].to_vec(), ..*self }
            }
            1 => {
                let words = (0..nz).flat_map(|z| self.row(z, at).iter().copied()).collect();
                Self { size: [nx, nz, 1], words, ..*self }
            }
            _ => {
                let mut face = Self::empty([ny, nz, 1]);
                for z in 0..nz {
                    for y in 0..ny {
                        face.row_mut(0, z)[y / 64] |= (self.row(z, y)[at / 64] >> (at % 64) & 1) << (y % 64);
                    }
                }
                face
            }
        }
    }

    /// Sets the voxels of one plane that are set in `face`.
    pub(crate) fn set_face(&mut self, axis: usize, at: usize, face: &Self) {
        let [_, ny, nz] = self.size;
        for z in 0..nz {
            for y in 0..ny {
                match axis {
                    2 if z == at => self.row_mut(z, y).iter_mut().zip(face.row(0, y)).for_each(|(w, f)| *w |= f),
                    1 if y == at => self.row_mut(z, y).iter_mut().zip(face.row(0, z)).for_each(|(w, f)| *w |= f),
                    0 => self.row_mut(z, y)[at / 64] |= (face.row(0, z)[y / 64] >> (y % 64) & 1) << (at % 64),
                    _ => {}
                }
            }
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.words.par_chunks(1 << 14).map(|words| words.iter().map(|w| w.count_ones() as usize).sum::<usize>()).sum()
    }

    /// Whether voxel (x, y, z) is set.
    pub(crate) fn contains(&self, [x, y, z]: [usize; 3]) -> bool {
        is_set(self.row(z, y), x)
    }

    pub(crate) fn any(&self) -> bool {
        self.words.par_iter().with_min_len(1 << 14).any(|&w| w != 0)
    }

    pub(crate) fn or(mut self, other: &Self) -> Self {
        self.zip(other, |a, b| a | b);
        self
    }

    pub(crate) fn and(mut self, other: &Self) -> Self {
        self.zip(other, |a, b| a & b);
        self
    }

    pub(crate) fn and_not(mut self, other: &Self) -> Self {
        self.zip(other, |a, b| a & !b);
        self
    }

    pub(crate) fn not(mut self) -> Self {
        let (per_row, last) = (self.words_per_row, last_word(self.size[0]));
        self.words.par_chunks_mut(per_row).with_min_len(256).for_each(|row| {
            row.iter_mut().for_each(|w| *w = !*w);
            row[per_row - 1] &= last;
        });
        self
    }

    fn zip(&mut self, other: &Self, op: impl Fn(u64, u64) -> u64 + Sync) {
        debug_assert_eq!(self.size, other.size, "masks of one grid");
        (self.words.par_chunks_mut(1 << 14), other.words.par_chunks(1 << 14))
            .into_par_iter()
            .for_each(|(a, b)| a.iter_mut().zip(b).for_each(|(a, b)| *a = op(*a, *b)));
    }

    /// The mask and the voxels that share a face with it.
    pub(crate) fn widened(&self) -> Self {
        self.widened_along([true; 3])
    }

    /// The mask and the next voxels along some of the axes (x, y, z).
    pub(crate) fn widened_along(&self, axes: [bool; 3]) -> Self {
        let [nx, ny, nz] = self.size;
        let (last, per_row) = (last_word(nx), self.words_per_row);
        let mut wide = self.clone();
        wide.slices_mut().enumerate().for_each(|(z, words)| {
            for (y, row) in words.chunks_mut(per_row).enumerate() {
                let here = self.row(z, y);
                if axes[0] {
                    for (i, word) in row.iter_mut().enumerate() {
                        let before = if i > 0 { here[i - 1] } else { 0 };
                        let after = here.get(i + 1).copied().unwrap_or(0);
                        *word |= here[i] << 1 | before >> 63 | here[i] >> 1 | after << 63;
                    }
                }
                let around = [
                    (axes[2] && z > 0, z.wrapping_sub(1), y),
                    (axes[2] && z + 1 < nz, z + 1, y),
                    (axes[1] && y > 0, z, y.wrapping_sub(1)),
                    (axes[1] && y + 1 < ny, z, y + 1),
                ];
                for (_, z, y) in around.into_iter().filter(|(inside, ..)| *inside) {
                    row.iter_mut().zip(self.row(z, y)).for_each(|(word, other)| *word |= other);
                }
                row[per_row - 1] &= last;
            }
        });
        wide
    }

    /// The mask on a grid coarser by `factor` (x, y, z): set where at least half of a block is.
    pub(crate) fn shrunk(&self, factor: [usize; 3]) -> Self {
        let [nx, ny, nz] = self.size;
        let mut coarse = Self::empty([0, 1, 2].map(|a| self.size[a].div_ceil(factor[a])));
        let (per_row, coarse_nx) = (coarse.words_per_row, coarse.size[0]);
        coarse.slices_mut().enumerate().for_each(|(cz, words)| {
            let zs = cz * factor[2]..((cz + 1) * factor[2]).min(nz);
            for (cy, row) in words.chunks_mut(per_row).enumerate() {
                let ys = cy * factor[1]..((cy + 1) * factor[1]).min(ny);
                for cx in 0..coarse_nx {
                    let (start, end) = (cx * factor[0], ((cx + 1) * factor[0]).min(nx));
                    let lines = zs.clone().flat_map(|z| ys.clone().map(move |y| (z, y)));
                    let set: usize = lines.map(|(z, y)| count_in_range(self.row(z, y), start, end)).sum();
                    row[cx / 64] |= u64::from(2 * set >= (end - start) * ys.len() * zs.len()) << (cx % 64);
                }
            }
        });
        coarse
    }

    /// The mask on a grid coarser by `factor` (x, y, z): set where any voxel of a block is.
    pub(crate) fn coarsened(&self, factor: [usize; 3]) -> Self {
        let [_, ny, nz] = self.size;
        let mut coarse = Self::empty([0, 1, 2].map(|a| self.size[a].div_ceil(factor[a])));
        let per_row = coarse.words_per_row;
        coarse.slices_mut().enumerate().for_each(|(cz, words)| {
            for (cy, row) in words.chunks_mut(per_row).enumerate() {
                for z in cz * factor[2]..((cz + 1) * factor[2]).min(nz) {
                    for y in cy * factor[1]..((cy + 1) * factor[1]).min(ny) {
                        for_each_run(self.row(z, y), |start, end| {
                            set_range(row, start / factor[0], (end - 1) / factor[0] + 1);
                        });
                    }
                }
            }
        });
        coarse
    }

    /// The mask on a grid of `size` voxels that is finer by `factor`: undoes [`shrunk`](Self::shrunk) but for detail.
    pub(crate) fn grown(&self, factor: [usize; 3], size: [usize; 3]) -> Self {
        let mut fine = Self::empty(size);
        let per_row = fine.words_per_row;
        fine.slices_mut().enumerate().for_each(|(z, words)| {
            for (y, row) in words.chunks_mut(per_row).enumerate() {
                for_each_run(self.row(z / factor[2], y / factor[1]), |start, end| {
                    set_range(row, start * factor[0], (end * factor[0]).min(size[0]));
                });
            }
        });
        fine
    }

    /// The mask with `pad` (x, y, z) empty voxels added on every side.
    pub(crate) fn padded(&self, pad: [usize; 3]) -> Self {
        let mut wide = Self::empty([0, 1, 2].map(|a| self.size[a] + 2 * pad[a]));
        let (per_row, rows) = (wide.words_per_row, wide.size[1]);
        wide.slices_mut().enumerate().skip(pad[2]).take(self.size[2]).for_each(|(z, words)| {
            for (y, row) in words.chunks_mut(per_row).take(rows).enumerate().skip(pad[1]).take(self.size[1]) {
                shift_up(row, self.row(z - pad[2], y - pad[1]), pad[0]);
            }
        });
        wide
    }

    /// Undoes [`padded`](Self::padded).
    pub(crate) fn cropped(&self, pad: [usize; 3]) -> Self {
        let mut inner = Self::empty([0, 1, 2].map(|a| self.size[a] - 2 * pad[a]));
        let (per_row, last) = (inner.words_per_row, last_word(inner.size[0]));
        inner.slices_mut().enumerate().for_each(|(z, words)| {
            for (y, row) in words.chunks_mut(per_row).enumerate() {
                shift_down(row, self.row(z + pad[2], y + pad[1]), pad[0]);
                row[per_row - 1] &= last;
            }
        });
        inner
    }
}

/// The valid bits of a row's last word.
pub(crate) fn last_word(nx: usize) -> u64 {
    if nx.is_multiple_of(64) { u64::MAX } else { (1 << (nx % 64)) - 1 }
}

/// Whether voxel `x` of a row is set.
pub(crate) fn is_set(row: &[u64], x: usize) -> bool {
    row[x / 64] >> (x % 64) & 1 == 1
}

/// Sets the voxels `start..end` of a row.
pub(crate) fn set_range(row: &mut [u64], start: usize, end: usize) {
    if start >= end {
        return;
    }
    let (first, last) = (start / 64, (end - 1) / 64);
    let head = u64::MAX << (start % 64);
    let tail = u64::MAX >> (63 - (end - 1) % 64);
    if first == last {
        row[first] |= head & tail;
    } else {
        row[first] |= head;
        row[first + 1..last].fill(u64::MAX);
        row[last] |= tail;
    }
}

/// How many of the voxels `start..end` of a row are set.
pub(crate) fn count_in_range(row: &[u64], start: usize, end: usize) -> usize {
    if start >= end {
        return 0;
    }
    let (first, last) = (start / 64, (end - 1) / 64);
    let head = u64::MAX << (start % 64);
    let tail = u64::MAX >> (63 - (end - 1) % 64);
    let ones = |word: u64| word.count_ones() as usize;
    if first == last {
        return ones(row[first] & head & tail);
    }
    ones(row[first] & head) + row[first + 1..last].iter().map(|&w| ones(w)).sum::<usize>() + ones(row[last] & tail)
}

/// Calls `found(start, end)` for each run of set voxels of a row, left to right.
pub(crate) fn for_each_run(row: &[u64], mut found: impl FnMut(usize, usize)) {
    let mut start = None;
    for (i, &word) in row.iter().enumerate() {
        // A word is all of one kind more often than not.
        if word == u64::MAX && start.is_some() || word == 0 && start.is_none() {
            continue;
        }
        let mut at = 0;
        while at < 64 {
            let rest = if start.is_some() { !word >> at } else { word >> at };
            if rest == 0 {
                break;
            }
            at += rest.trailing_zeros() as usize;
            match start.take() {
                Some(from) => found(from, i * 64 + at),
                None => start = Some(i * 64 + at),
            }
        }
    }
    if let Some(from) = start {
        found(from, row.len() * 64);
    }
}

pub(crate) fn pack_row<T: Copy>(words: &mut [u64], row: &[T], set: &impl Fn(T) -> bool) {
    for (word, voxels) in words.iter_mut().zip(row.chunks(64)) {
        // Bytes first: that loop vectorises, whatever the voxel type.
        let mut flags = [0_u8; 64];
        flags.iter_mut().zip(voxels).for_each(|(flag, &voxel)| *flag = u8::from(set(voxel)));
        *word = 0;
        for (i, eight) in flags.chunks_exact(8).enumerate() {
            let bytes = u64::from_le_bytes(eight.try_into().expect("eight bytes"));
            *word |= (bytes.wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * i);
        }
    }
}

fn shift_up(to: &mut [u64], from: &[u64], by: usize) {
    let (skip, bit) = (by / 64, by % 64);
    for (i, &word) in from.iter().enumerate() {
        to[i + skip] |= word << bit;
        if bit > 0 && i + skip + 1 < to.len() {
            to[i + skip + 1] |= word >> (64 - bit);
        }
    }
}

fn shift_down(to: &mut [u64], from: &[u64], by: usize) {
    let (skip, bit) = (by / 64, by % 64);
    for (i, word) in to.iter_mut().enumerate() {
        *word = from[i + skip] >> bit;
        if bit > 0 && i + skip + 1 < from.len() {
            *word |= from[i + skip + 1] << (64 - bit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array3;
    use proptest::prelude::*;

    #[test]
    fn runs_cross_words_and_reach_the_end() {
        let mut row = [0_u64; 3];
        set_range(&mut row, 3, 5);
        set_range(&mut row, 60, 130);
        set_range(&mut row, 140, 192);
        let mut runs = Vec::new();
        for_each_run(&row, |a, b| runs.push((a, b)));
        assert_eq!(runs, [(3, 5), (60, 130), (140, 192)]);
    }

    proptest! {
        #[test]
        fn packing_shifting_and_runs_keep_every_voxel(
            nx in 1_usize..200, pad in 0_usize..80, seed in any::<u64>()
        ) {
            let voxel = |z: usize, y: usize, x: usize| {
                let h = (seed ^ (x * 73 + y * 7919 + z * 104_729) as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
                u8::from(h >> 61 < 3)
            };
            let mask = Array3::from_shape_fn((2, 3, nx), |(z, y, x)| voxel(z, y, x));
            let bits = Bits::from_mask(&mask);
            prop_assert_eq!(bits.count(), mask.iter().filter(|v| **v != 0).count());
            let pad = [pad, 1, 2];
            prop_assert_eq!(&bits.padded(pad).cropped(pad), &bits);
            prop_assert_eq!(bits.padded(pad).count(), bits.count());
            prop_assert_eq!(bits.clone().not().not(), bits.clone());
            prop_assert_eq!(bits.clone().not().count(), mask.len() - bits.count());
            let mut back = Array3::ones(mask.dim());
            bits.write_to(&mut back);
            prop_assert_eq!(&back, &mask);
            let mut again = Bits::empty(bits.size());
            for z in 0..2 {
                for y in 0..3 {
                    for_each_run(bits.row(z, y), |a, b| set_range(again.row_mut(z, y), a, b));
                }
            }
            prop_assert_eq!(again, bits);
        }

        #[test]
        fn a_coarse_voxel_is_set_where_any_of_its_block_is(nx in 1_usize..150, at in any::<[u8; 3]>(), by in 1_usize..5) {
            let size = [nx, 5, 4];
            let factor = [by, 3, 2];
            let at = [0, 1, 2].map(|a| usize::from(at[a]) % size[a]);
            let mut bits = Bits::empty(size);
            set_range(bits.row_mut(at[2], at[1]), at[0], at[0] + 1);
            let coarse = bits.coarsened(factor);
            prop_assert_eq!(coarse.size(), [0, 1, 2].map(|a| size[a].div_ceil(factor[a])));
            prop_assert_eq!(coarse.count(), 1);
            prop_assert!(coarse.contains([0, 1, 2].map(|a| at[a] / factor[a])));
        }
    }
}
