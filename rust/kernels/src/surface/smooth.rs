//! The low-pass filter that takes the steps off the voxels.

use super::cases::PATCHES;
use super::{Offset, split};
use crate::{Job, Result};
use rayon::prelude::*;
use std::ops::Range;

/// Passes that go through a slab together, so that the memory is gone through once for all of them.
const AT_ONCE: usize = 4;

/// Fewest layers in a slab: each of those passes spoils one more at either end.
const SLAB: usize = 3 * AT_ONCE;

/// The vertices' places and what ties them together.
pub(super) struct Springs<'a> {
    /// The neighbour of each vertex across each face of its cell; the vertex itself where there is none.
    pub(super) across: &'a [[u32; 6]],
    /// Four times the vertex's case plus the number of its patch.
    pub(super) patch: &'a [u16],
    /// The first vertex of each layer, and the number of all.
    pub(super) starts: &'a [usize],
}

impl Springs<'_> {
    /// Flattens what is finer than a few voxels and keeps the rest as it is.
    ///
    /// A pass brings each vertex closer to the average of its neighbours, which weakens a wave of frequency k (0 to 2)
    /// by 1 − λk. All passes together make a polynomial of k: Chebyshev's, which is small from some frequency on (Golub
    /// & Varga 1961, doi:10.1007/BF01386013), times a factor that cancels its slope at 0, so that large shapes do not
    /// shrink (Taubin).
    ///
    /// `other` is as long as `offsets`; what it holds does not matter.
    pub(super) fn smooth(
        &self,
        offsets: &mut Vec<Offset>,
        other: &mut Vec<Offset>,
        passes: u32,
        job: &Job,
    ) -> Result<()> {
        let layers = self.starts.len() - 1;
        let slabs = (layers / SLAB).max(1);
        let edges: Vec<usize> = (0..=slabs).map(|i| i * layers / slabs).collect();
        // First each slab as far as it goes without its neighbours, then what is missing round the edges.
        let inner: Vec<Sweep> = edges
            .windows(2)
            .map(|e| Sweep {
                slab: e[0]..e[1],
                layers: e[0]..e[1],
                grow: [if e[0] > 0 { -1 } else { 0 }, if e[1] < layers { -1 } else { 0 }],
            })
            .collect();
        let between: Vec<Sweep> = edges
            .windows(3)
            .map(|e| Sweep { slab: e[0].midpoint(e[1])..e[1].midpoint(e[2]), layers: e[1]..e[1], grow: [1, 1] })
            .collect();

        let mixes = mixes(passes);
        let steps = job.steps(mixes.len().div_ceil(AT_ONCE));
        for mixes in mixes.chunks(AT_ONCE) {
            self.run(&inner, mixes, offsets, other, job)?;
            self.run(&between, mixes, offsets, other, job)?;
            if mixes.len() % 2 == 1 {
                std::mem::swap(offsets, other);
            }
            steps.step()?;
        }
        Ok(())
    }

    fn run(&self, sweeps: &[Sweep], mixes: &[Mix], even: &mut [Offset], odd: &mut [Offset], job: &Job) -> Result<()> {
        let Some(first) = sweeps.first() else { return Ok(()) };
        let before = self.starts[first.slab.start];
        let lengths: Vec<_> =
            sweeps.iter().map(|sweep| self.starts[sweep.slab.end] - self.starts[sweep.slab.start]).collect();
        (sweeps, split(&mut even[before..], &lengths), split(&mut odd[before..], &lengths))
            .into_par_iter()
            .try_for_each(|(sweep, even, odd)| {
                let base = self.starts[sweep.slab.start];
                // Each pass follows the one before it at a distance of one layer.
                for front in sweep.slab.start..sweep.slab.end + mixes.len() {
                    for (pass, mix) in mixes.iter().enumerate() {
                        let Some(layer) = front.checked_sub(pass) else { break };
                        if sweep.covers(layer, pass + 1) {
                            let vertices = self.starts[layer]..self.starts[layer + 1];
                            if pass % 2 == 0 {
                                self.pass(mix, vertices, base, even, odd);
                            } else {
                                self.pass(mix, vertices, base, odd, even);
                            }
                        }
                    }
                    job.check()?;
                }
                Ok(())
            })
    }

    fn pass(&self, mix: &Mix, vertices: Range<usize>, base: usize, now: &[Offset], out: &mut [Offset]) {
        let own = &now[vertices.start - base..];
        let out = &mut out[vertices.start - base..vertices.end - base];
        let links = self.across[vertices.clone()].iter().zip(&self.patch[vertices]);
        for (((across, &patch), own), out) in links.zip(own).zip(out) {
            let (step, share) = STEPS[usize::from(patch)];
            let mut sum = [0.0_f32; 3];
            for &n in across {
                let n = &now[n as usize - base];
                for a in 0..3 {
                    sum[a] += n[a];
                }
            }
            for a in 0..3 {
                // Where there is no neighbour the vertex stands in for it and pulls nowhere.
                let pull = (sum[a] - 6.0 * own[a] + step[a]) * share;
                out[a] = mix.old * out[a] + mix.own * own[a] + mix.pull * pull;
            }
        }
    }
}

/// Passes over some layers.
struct Sweep {
    /// The layers that may be read and written.
    slab: Range<usize>,
    layers: Range<usize>,
    /// How many more layers each pass takes in at either end.
    grow: [isize; 2],
}

impl Sweep {
    /// Whether pass `number`, from 1, is to go over a layer.
    fn covers(&self, layer: usize, number: usize) -> bool {
        let number = number as isize;
        let range =
            self.layers.start as isize - number * self.grow[0]..self.layers.end as isize + number * self.grow[1];
        range.contains(&(layer as isize))
    }
}

/// A pass: what a vertex becomes is made of its place two passes ago, its place now, and the pull of its neighbours.
struct Mix {
    old: f32,
    own: f32,
    pull: f32,
}

fn mixes(passes: u32) -> Vec<Mix> {
    /// What is left of the finest waves at most.
    const RIPPLE: f64 = 0.05;
    if passes == 0 {
        return Vec::new();
    }
    let n = f64::from(passes);
    // For a polynomial that is small from `low` to 2: where it takes frequency 0, its slope there, the ripple.
    let polynomial = |low: f64| {
        let reach = (2.0 + low) / (2.0 - low);
        let angle = reach.acosh();
        let slope = 2.0 / (2.0 - low) * n * (n * angle).tanh() / angle.sinh();
        (reach, slope, (1.0 + 2.0 * slope) / (n * angle).cosh())
    };
    let (mut least, mut low) = (0.0, 1.5);
    for _ in 0..40 {
        let middle = f64::midpoint(least, low);
        if polynomial(middle).2 > RIPPLE { least = middle } else { low = middle }
    }
    let (reach, slope, _) = polynomial(low);

    let mut weight = 1.0;
    let mut mixes = Vec::new();
    for pass in 0..passes {
        weight = match pass {
            0 => 1.0,
            1 => 1.0 / (1.0 - 0.5 / (reach * reach)),
            _ => 1.0 / (1.0 - 0.25 * weight / (reach * reach)),
        };
        let pull = weight * 2.0 / (2.0 + low);
        mixes.push(Mix { old: (1.0 - weight) as f32, own: weight as f32, pull: pull as f32 });
    }
    mixes.push(Mix { old: 0.0, own: 1.0, pull: -slope as f32 });
    mixes
}

/// For each patch (four times its case plus its number) the sum of the steps to its neighbours' cells, and one over
/// the number of neighbours; zeros where there is no such patch.
static STEPS: [([f32; 3], f32); 1024] = {
    let mut table = [([0.0; 3], 0.0); 1024];
    let mut i = 0;
    while i < 1024 {
        let lines = PATCHES[i / 4][i % 4].lines();
        let (mut faces, mut line) = (0_u8, 0);
        while line < lines.len() {
            faces |= 1 << lines[line].0;
            line += 1;
        }
        let mut face = 0;
        while face < 6 {
            if faces >> face & 1 == 1 {
                table[i].0[face / 2] += if face % 2 == 0 { -1.0 } else { 1.0 };
                table[i].1 = 1.0 / faces.count_ones() as f32;
            }
            face += 1;
        }
        i += 1;
    }
    table
};
