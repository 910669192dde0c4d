//! The widest ways between the basins of a space: a tree of their saddles.
//!
//! A watershed from markers cuts this tree only: whichever marker a basin is reached from by the widest way, it belongs
//! to. So space that was flooded once need not be flooded again for other markers.
//!
//! Cousty, Bertrand, Najman, Couprie: Watershed cuts: minimum spanning forests and the drop of water principle. IEEE
//! Trans. Pattern Anal. Mach. Intell. 31 (2009), doi 10.1109/TPAMI.2008.173.

use super::chambers::Meeting;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

pub(super) struct Ways {
    /// Those of each basin, one basin's after the other's, and where they start.
    ways: Vec<Way>,
    starts: Vec<u32>,
}

/// A way out of a basin.
struct Way {
    to: u32,
    /// The voxel where it is narrowest, and by how much narrower than the widest.
    voxel: u32,
    depth: u8,
}

impl Ways {
    pub(super) fn new(saddles: &[Meeting], basins: usize) -> Self {
        let both = |m: &Meeting| {
            let way = |to| Way { to, voxel: m.voxel, depth: m.depth };
            [(m.pair[0], way(m.pair[1])), (m.pair[1], way(m.pair[0]))]
        };
        let mut ways: Vec<(u32, Way)> = saddles.iter().flat_map(both).collect();
        ways.sort_by_key(|&(from, _)| from);
        let starts = (0..=basins as u32).map(|b| ways.partition_point(|&(from, _)| from < b) as u32).collect();
        Self { ways: ways.into_iter().map(|(_, way)| way).collect(), starts }
    }

    /// How many basins there are.
    pub(super) fn basins(&self) -> usize {
        self.starts.len() - 1
    }

    fn of(&self, basin: u32) -> &[Way] {
        &self.ways[self.starts[basin as usize] as usize..self.starts[basin as usize + 1] as usize]
    }

    /// Gives basins without a side (0) that of the marker with the widest way there, as far as ways lead through voxels
    /// that are `near`. The `reached` are the markers at first, then all that have a side.
    pub(super) fn divide(&self, sides: &mut [u8], reached: &mut Vec<u32>, near: impl Fn(u32) -> bool) {
        let mut waiting = BinaryHeap::new();
        let mut next = 0;
        loop {
            while let Some(&from) = reached.get(next) {
                next += 1;
                for way in self.of(from).iter().filter(|way| sides[way.to as usize] == 0 && near(way.voxel)) {
                    // of those as wide, what was found first
                    waiting.push(Reverse((way.depth, next, way.to, sides[from as usize])));
                }
            }
            let Some(Reverse((_, _, to, side))) = waiting.pop() else { return };
            if sides[to as usize] == 0 {
                sides[to as usize] = side;
                reached.push(to);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn basins_go_to_the_marker_with_the_widest_way(
            tree in proptest::collection::vec((any::<proptest::sample::Index>(), 0_u8..20), 1..30),
            markers in [any::<proptest::sample::Index>(), any::<proptest::sample::Index>()],
        ) {
            let basins = tree.len() + 1;
            let saddle = |(k, (to, depth)): (usize, &(proptest::sample::Index, u8))| {
                Meeting { depth: *depth, pair: [k as u32 + 1, to.index(k + 1) as u32], voxel: k as u32 }
            };
            let saddles: Vec<Meeting> = tree.iter().enumerate().map(saddle).collect();
            let markers = markers.map(|m| m.index(basins));
            prop_assume!(markers[0] != markers[1]);
            // how deep one must go down from one to another at least
            let mut deepest = vec![vec![u8::MAX; basins]; basins];
            (0..basins).for_each(|b| deepest[b][b] = 0);
            for Meeting { depth, pair: [a, b], .. } in &saddles {
                (deepest[*a as usize][*b as usize], deepest[*b as usize][*a as usize]) = (*depth, *depth);
            }
            for via in 0..basins {
                for (a, b) in (0..basins).flat_map(|a| (0..basins).map(move |b| (a, b))) {
                    deepest[a][b] = deepest[a][b].min(deepest[a][via].max(deepest[via][b]));
                }
            }
            let mut sides = vec![0; basins];
            (sides[markers[0]], sides[markers[1]]) = (1, 2);
            let mut reached = markers.map(|m| m as u32).to_vec();
            Ways::new(&saddles, basins).divide(&mut sides, &mut reached, |_| true);
            prop_assert_eq!(reached.len(), basins);
            for (b, &side) in sides.iter().enumerate() {
                let [own, other] = if side == 1 { markers } else { [markers[1], markers[0]] };
                prop_assert!(deepest[own][b] <= deepest[other][b], "basin {b}: {saddles:?}");
            }
        }
    }
}
