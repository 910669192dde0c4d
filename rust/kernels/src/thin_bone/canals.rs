//! Canals through thick bone that blur closes.
//!
//! What the walls of a canal hardly wider than the blur spill into it may be brighter than any threshold, so the base
//! has no way through. But it stays darker than half of the bone on all sides across it. Diploe is so between its two
//! tables only.

use super::gaps::Gaps;
use super::scan::Scan;
use crate::Voxel;
use ndarray::{ArrayRef3, Axis};
use rayon::prelude::*;

/// Takes the canals of the scan's base out of the `bone` that it is part of.
pub(super) fn open<T: Voxel>(scan: &Scan<'_, T>, bone: &mut ArrayRef3<u8>) {
    let Scan { ct, base, scale, .. } = scan;
    let gaps = Gaps::new(scale);
    bone.axis_iter_mut(Axis(0)).into_par_iter().zip(base.axis_iter(Axis(0))).enumerate().for_each(
        |(z, (mut bone, base))| {
            // row by row, which takes far less than places of two numbers
            for (y, (mut bone, base)) in bone.outer_iter_mut().zip(base.outer_iter()).enumerate() {
                let both = bone.iter_mut().zip(base).enumerate();
                for (x, (bone, _)) in both.filter(|(_, (_, base))| **base != 0) {
                    if gaps.is_canal(ct, [x, y, z]) {
                        *bone = 0;
                    }
                }
            }
        },
    );
}
