//! Tell what stands on the vertex, where a head has nothing that stands out.

use super::whole_times;
use crate::Grid;
use crate::bits::Bits;
use crate::components::{Component, Labelled};

/// A piece stands on the vertex where the head under it faces up at least this much (cosine).
const UPWARD: f64 = 0.7;
/// How far the head around a piece tells which way it faces.
const FACING_MM: f64 = 5.0;

/// Whether each of the pieces `in_question` stands on the vertex: above the head's middle, and where the head faces up.
pub(super) fn on_vertex(pieces: &Labelled, in_question: &[bool], head: &Bits, grid: &Grid) -> Vec<bool> {
    let ([nx, ny, nz], spacing) = (head.size(), grid.spacing_mm());
    let up = [0, 1, 2].map(|a| grid.axes()[a][2] * spacing[a]);
    let height = |at: [f64; 3]| (0..3).map(|a| at[a] * up[a]).sum::<f64>();
    let middle = height([0, 1, 2].map(|a| mean_index(&head.counts_along(a))));
    let reach = spacing.map(|s| whole_times(FACING_MM, s));
    let range = |at: usize, reach: usize, end: usize| at.saturating_sub(reach)..(at + reach + 1).min(end);
    let contact = head.widened();
    let mut outward = vec![[0.0; 3]; pieces.components.len()];
    for (z, y) in (0..nz).flat_map(|z| (0..ny).map(move |y| (z, y))) {
        for (run, piece) in pieces.row(z, y).filter(|(_, piece)| in_question[*piece as usize]) {
            let outward = &mut outward[piece as usize];
            for x in (run.start as usize..run.end as usize).filter(|&x| contact.contains([x, y, z])) {
                for (w, v) in range(z, reach[2], nz).flat_map(|w| range(y, reach[1], ny).map(move |v| (w, v))) {
                    for u in range(x, reach[0], nx).filter(|&u| head.contains([u, v, w])) {
                        let from = [x as f64 - u as f64, y as f64 - v as f64, z as f64 - w as f64];
                        (0..3).for_each(|a| outward[a] += from[a] * spacing[a]);
                    }
                }
            }
        }
    }
    let stands = |(outward, piece): ([f64; 3], &Component)| {
        let length = outward.iter().map(|v| v * v).sum::<f64>().sqrt();
        let cosine = (0..3).map(|a| outward[a] * grid.axes()[a][2]).sum::<f64>() / length.max(f64::MIN_POSITIVE);
        let at = [0, 1, 2].map(|a| 0.5 * (piece.low[a] + piece.high[a]) as f64);
        cosine >= UPWARD && height(at) > middle
    };
    outward.into_iter().zip(&pieces.components).map(stands).collect()
}

fn mean_index(counts: &[usize]) -> f64 {
    let total = counts.iter().sum::<usize>().max(1) as f64;
    counts.iter().enumerate().map(|(i, &n)| (i * n) as f64).sum::<f64>() / total
}
