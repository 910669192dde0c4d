//! What the background looks like, and from which intensity on a voxel cannot be background.
//!
//! In CT air and soft tissue are two peaks of the histogram, and the skin's edge lies half-way between them. In MR the
//! background is noise, ghosts or nothing, tissue may be as dark, and a coil sees what is near it brighter: the head is
//! found roughly, on blocks, and the rest shows how bright background gets. The noise of a magnitude image is Rayleigh
//! distributed where there is no signal: Gudbjartsson and Patz, "The Rician distribution of noisy MRI data", Magn.
//! Reson. Med. 1995, <https://doi.org/10.1002/mrm.1910340618>.

use super::histogram::Histogram;
use super::{Modality, Params};
use crate::bits::{Bits, pack_row};
use crate::components::{Connectivity, largest};
use crate::gaussian::{self, Slices, Taps};
use crate::grid::SLACK;
use crate::{Grid, Job, Result, Voxel, fill, morphology};
use ndarray::{Array3, ArrayRef3, Axis};
use rayon::prelude::*;

/// Edge of the blocks on which the head is found roughly.
const BLOCK_MM: f64 = 6.0;
/// Blocks this close to the head are not taken for background.
const HALO_MM: f64 = 12.0;
/// Share of the background that may pass for tissue before shape decides.
const FALSE_ALARM: f64 = 1e-3;
/// In MR tissue reaches this share of the tissue around, or what the background does not reach.
const TISSUE_SHARE: f64 = 0.12;
/// Width over which a coil's sensitivity changes.
const COIL_MM: f64 = 25.0;
/// Along thick slices MR is smoothed as if they were this thick.
const SMOOTHED_EDGE_MM: f64 = 1.2;
/// Mean of a Rayleigh distribution in standard deviations of the noise it stems from.
const RAYLEIGH_MEAN: f64 = 1.253;

/// How much MR is smoothed before a threshold, as a share of a voxel's edge.
#[derive(Debug, Clone, Copy)]
pub(super) struct Smoothing(f64);

/// To tell tissue from noise.
pub(super) const STRONG: Smoothing = Smoothing(0.8);
/// To place the skin's edge.
pub(super) const LIGHT: Smoothing = Smoothing(0.5);

/// The background's look, and how to tell tissue from it.
#[derive(Debug)]
pub(super) struct Background {
    pub(super) modality: Modality,
    /// Lowest intensity of tissue.
    pub(super) tissue: f64,
    /// What most of any tissue exceeds, and a streak in air or a ghost does not.
    pub(super) firm: f64,
    /// What skin and cartilage do not reach, but plastic and metal do; unknown in MR.
    pub(super) dense: Option<f64>,
    /// Mean intensity.
    pub(super) mean: f64,
    /// Standard deviation of the noise.
    pub(super) noise: f64,
    pub(super) warnings: Vec<String>,
    /// What the background hardly ever reaches.
    highest: f64,
    /// How bright the coil sees each place.
    gain: Option<Gain>,
    /// What a voxel counts as that is not finite, or only fills the corners of the field of view.
    air: f32,
    padding: Option<f32>,
}

/// Measures the background.
pub(super) fn measure<T: Voxel>(image: &ArrayRef3<T>, grid: &Grid, params: &Params, job: &Job) -> Result<Background> {
    let histogram = Histogram::of(image)?;
    let ct = histogram.ct();
    let modality = match params.modality {
        Modality::Auto if ct.is_some() => Modality::Ct,
        Modality::Auto => Modality::Mr,
        known => known,
    };
    let mut background = Background {
        modality,
        tissue: 0.0,
        firm: 0.0,
        dense: None,
        mean: histogram.low(),
        noise: 0.0,
        warnings: Vec::new(),
        highest: f64::NEG_INFINITY,
        gain: None,
        air: histogram.low() as f32,
        padding: corner_padding(image),
    };
    if modality == Modality::Ct {
        let ct = ct.unwrap_or_else(|| histogram.ct_in_hu());
        background.tissue = 0.5 * (ct.air + ct.soft);
        background.firm = 0.25 * ct.air + 0.75 * ct.soft;
        // Bare bone is as dense as plastic.
        background.dense = (!ct.is_mostly_bone).then(|| ct.soft + (0.2 * (ct.soft - ct.air)).max(4.0 * ct.noise));
        (background.mean, background.noise) = (ct.air, ct.noise);
        if ct.is_mostly_bone {
            background.warnings.push("hardly any soft tissue was found: the outline is that of the bone".to_owned());
        }
    } else {
        measure_mr(&mut background, image, grid, job)?;
    }
    if let Some(threshold) = params.threshold {
        (background.tissue, background.firm) = (threshold, threshold);
        (background.gain, background.highest) = (None, f64::NEG_INFINITY);
    }
    Ok(background)
}

impl Background {
    /// The Gaussian by which the image is smoothed.
    fn taps(&self, smoothing: Smoothing, grid: &Grid) -> Result<Taps> {
        let share = if self.modality == Modality::Ct { 0.0 } else { smoothing.0 };
        Taps::new(grid, grid.spacing_mm().map(|s| share * s.min(SMOOTHED_EDGE_MM)))
    }

    /// The voxels that reach an intensity, and what the background reaches, after smoothing and for an even coil.
    pub(super) fn at_least<T: Voxel>(
        &self,
        intensity: f64,
        smoothing: Smoothing,
        image: &ArrayRef3<T>,
        grid: &Grid,
        job: &Job,
    ) -> Result<Bits> {
        let mut bits = Bits::empty(grid.size());
        let per_row = bits.words_per_row();
        let taps = self.taps(smoothing, grid)?;
        let steps = job.steps(grid.size()[2]);
        bits.slices_mut().enumerate().try_for_each_init(
            || Smoothed::new(grid),
            |smoothed, (z, words)| {
                smoothed.slice(self, image, &taps, z);
                for (y, words) in words.chunks_mut(per_row).enumerate() {
                    let (row, gain) = smoothed.row(y);
                    match gain {
                        None => pack_row(words, row, &|v| v >= intensity as f32),
                        Some(gain) => {
                            let highest = self.highest as f32;
                            row.iter_mut().zip(gain).for_each(|(v, gain)| *v -= (gain * intensity as f32).max(highest));
                            pack_row(words, row, &|v| v >= 0.0);
                        }
                    }
                }
                steps.step()
            },
        )?;
        Ok(bits)
    }

    /// Median intensity of the voxels of a mask, on some of its slices, after smoothing and for an even coil.
    pub(super) fn median_in<T: Voxel>(
        &self,
        mask: &Bits,
        smoothing: Smoothing,
        image: &ArrayRef3<T>,
        grid: &Grid,
    ) -> Result<Option<f64>> {
        const SLICES: usize = 24;
        let taps = self.taps(smoothing, grid)?;
        let nz = grid.size()[2];
        let slices: Vec<usize> = (0..nz).step_by((nz / SLICES).max(1)).collect();
        let found: Vec<Vec<f32>> = slices
            .into_par_iter()
            .map_init(
                || Smoothed::new(grid),
                |smoothed, z| {
                    smoothed.slice(self, image, &taps, z);
                    let mut found = Vec::new();
                    for y in 0..grid.size()[1] {
                        let (row, gain) = smoothed.row(y);
                        crate::bits::for_each_run(mask.row(z, y), |start, end| {
                            found.extend((start..end).map(|x| row[x] / gain.map_or(1.0, |gain| gain[x])));
                        });
                    }
                    found
                },
            )
            .collect();
        let mut found = found.concat();
        Ok((!found.is_empty()).then(|| f64::from(quantile(&mut found, 0.5))))
    }

    /// Reads a voxel as a number, with air where there is none.
    fn reader<T: Voxel>(&self) -> impl Fn(T) -> f32 + Sync + use<T> {
        let (air, padding) = (self.air, self.padding.unwrap_or(f32::NAN));
        move |voxel| {
            let value = voxel.to_f32();
            if value.is_finite() && value != padding { value } else { air }
        }
    }
}

/// One smoothed slice, and how bright the coil sees its rows.
struct Smoothed<'a> {
    slices: Slices,
    gains: Option<(&'a Gain, usize)>,
    gain: Vec<f32>,
}

impl<'a> Smoothed<'a> {
    fn new(grid: &Grid) -> Self {
        let [nx, ny, _] = grid.size();
        Self { slices: Slices::new(nx, ny), gains: None, gain: vec![1.0; nx] }
    }

    fn slice<T: Voxel>(&mut self, background: &'a Background, image: &ArrayRef3<T>, taps: &Taps, z: usize) {
        self.slices.smooth(image, taps, &background.reader(), z);
        self.gains = background.gain.as_ref().map(|gain| (gain, z));
    }

    fn row(&mut self, y: usize) -> (&mut [f32], Option<&[f32]>) {
        let gain = self.gains.map(|(gain, z)| {
            gain.row(z, y, &mut self.gain);
            self.gain.as_slice()
        });
        (self.slices.row_mut(y), gain)
    }
}

/// The value of the padding in the corners of the volume, where most of them agree.
fn corner_padding<T: Voxel>(image: &ArrayRef3<T>) -> Option<f32> {
    let (nz, ny, nx) = image.dim();
    let corner = |i: usize| image[[(i & 1) * (nz - 1), (i >> 1 & 1) * (ny - 1), (i >> 2) * (nx - 1)]].to_f32();
    let corners: Vec<f32> = (0..8).map(corner).collect();
    corners.iter().copied().find(|v| corners.iter().filter(|other| *other == v).count() >= 6)
}

/// Takes what is far from the head for background.
fn measure_mr<T: Voxel>(background: &mut Background, image: &ArrayRef3<T>, grid: &Grid, job: &Job) -> Result<()> {
    let blocks = Blocks::new(image, grid, &background.reader(), &job.part(0.0, 0.4))?;
    let head = blocks.head()?;
    let around = blocks.typical(&head);
    background.gain = Some(blocks.gain(&head, around)?);
    background.tissue = TISSUE_SHARE * f64::from(around);
    background.firm = 2.0 * background.tissue;

    let [nx, ny, nz] = grid.size();
    let taps = background.taps(STRONG, grid)?;
    let read = background.reader();
    let steps = job.part(0.4, 1.0).steps(nz.div_ceil(blocks.edge[2]));
    let outside: Vec<Vec<f32>> = (0..nz.div_ceil(blocks.edge[2]))
        .into_par_iter()
        .map_init(
            || Slices::new(nx, ny),
            |slices, block| {
                let z = (block * blocks.edge[2] + blocks.edge[2] / 2).min(nz - 1);
                slices.smooth(image, &taps, &read, z);
                let mut outside = Vec::new();
                for y in (0..ny).step_by(2) {
                    let row = slices.row(y).iter().enumerate();
                    outside.extend(row.filter(|(x, _)| head[blocks.of([*x, y, z])] == 0).map(|(_, v)| *v));
                }
                steps.step()?;
                Ok(outside)
            },
        )
        .collect::<Result<_>>()?;
    let mut outside = outside.concat();
    if outside.is_empty() {
        background.warnings.push("the head fills the image: no background was found to measure its noise".to_owned());
        return Ok(());
    }
    background.mean = f64::from(quantile(&mut outside, 0.5));
    background.noise = background.mean.max(0.0) / RAYLEIGH_MEAN;
    background.highest = f64::from(quantile(&mut outside, 1.0 - FALSE_ALARM));
    let most = 0.5 * f64::from(around);
    if background.highest > most {
        background.highest = most;
        background.warnings.push(
            "the background is nearly as bright as the head (noise, ghosts): look at the outline closely".to_owned(),
        );
    }
    background.tissue = background.tissue.max(background.highest);
    background.firm = background.firm.max(background.highest);
    Ok(())
}

fn quantile(values: &mut [f32], share: f64) -> f32 {
    let at = ((values.len() - 1) as f64 * share) as usize;
    *values.select_nth_unstable_by(at, f32::total_cmp).1
}

/// Mean intensities of blocks of voxels.
struct Blocks {
    grid: Grid,
    /// Voxels along a block's edges.
    edge: [usize; 3],
    means: Array3<f32>,
    /// Brightness that parts bright blocks from dark ones.
    level: f32,
}

impl Blocks {
    fn new<T: Voxel>(image: &ArrayRef3<T>, grid: &Grid, read: &(impl Fn(T) -> f32 + Sync), job: &Job) -> Result<Self> {
        let edge = grid.spacing_mm().map(|s| ((BLOCK_MM / s * (1.0 + SLACK)).round() as usize).max(1));
        let coarse = super::coarser(grid, edge)?;
        let mut means = Array3::zeros(coarse.shape());
        let steps = job.steps(coarse.size()[2]);
        means.axis_iter_mut(Axis(0)).into_par_iter().enumerate().try_for_each(|(block, mut means)| {
            let mut counts = ndarray::Array2::<f32>::zeros(means.dim());
            let slices = image.axis_chunks_iter(Axis(0), edge[2]).nth(block).expect("one for each block");
            for slice in slices.outer_iter() {
                for (y, row) in slice.outer_iter().enumerate() {
                    for (x, &v) in row.iter().enumerate() {
                        means[[y / edge[1], x / edge[0]]] += read(v);
                        counts[[y / edge[1], x / edge[0]]] += 1.0;
                    }
                }
            }
            means /= &counts;
            steps.step()
        })?;
        let level = otsu(means.iter().copied().collect());
        Ok(Self { grid: coarse, edge, means, level })
    }

    /// The block of a voxel (x, y, z), as an index of an array.
    fn of(&self, voxel: [usize; 3]) -> [usize; 3] {
        [voxel[2] / self.edge[2], voxel[1] / self.edge[1], voxel[0] / self.edge[0]]
    }

    /// The blocks in or near the head: the largest bright object, widened and filled.
    fn head(&self) -> Result<Array3<u8>> {
        let bright = self.means.mapv(|mean| u8::from(mean > self.level));
        let (mut one, mut wide, job) = (bright.clone(), bright.clone(), Job::new());
        largest(&bright, &self.grid, Connectivity::TwentySix, &mut one, &job)?;
        morphology::dilate(&one, &self.grid, HALO_MM, &mut wide, &job)?;
        fill::fill_enclosed(&wide, &self.grid, &mut one, &job)?;
        Ok(one)
    }

    /// Median brightness of the head's bright blocks.
    fn typical(&self, head: &Array3<u8>) -> f32 {
        let bright = self.means.iter().zip(head).filter(|(mean, head)| **head != 0 && **mean > self.level);
        let mut bright: Vec<f32> = bright.map(|(mean, _)| *mean).collect();
        if bright.is_empty() { self.level } else { quantile(&mut bright, 0.5) }
    }

    /// How bright the coil sees each block: the bright blocks around it, beside the typical one.
    fn gain(&self, head: &Array3<u8>, typical: f32) -> Result<Gain> {
        let mut values = Array3::zeros(self.means.dim());
        let bright = ndarray::Zip::from(&self.means)
            .and(head)
            .map_collect(|&mean, &head| if head != 0 && mean > self.level { mean / typical } else { f32::NAN });
        gaussian::smooth(&bright, &self.grid, [COIL_MM; 3], &mut values, &Job::new())?;
        values.mapv_inplace(|v| if v.is_finite() && v > 0.0 { v } else { 1.0 });
        Ok(Gain { edge: self.edge, values })
    }
}

/// A coil's sensitivity, block by block.
#[derive(Debug)]
struct Gain {
    edge: [usize; 3],
    values: Array3<f32>,
}

impl Gain {
    /// Writes the sensitivity along row (z, y).
    fn row(&self, z: usize, y: usize, row: &mut [f32]) {
        let blocks = self.values.slice(ndarray::s![z / self.edge[2], y / self.edge[1], ..]);
        for (voxels, &gain) in row.chunks_mut(self.edge[0]).zip(blocks) {
            voxels.fill(gain);
        }
    }
}

/// Otsu's threshold of a few thousand values, straight from its definition; exact, where a histogram would bin.
fn otsu(mut values: Vec<f32>) -> f32 {
    values.sort_unstable_by(f32::total_cmp);
    let (n, total) = (values.len() as f64, values.iter().map(|v| f64::from(*v)).sum::<f64>());
    let (mut below, mut best, mut level) = (0.0, 0.0, values[0]);
    for (i, &v) in values.iter().enumerate().take(values.len() - 1) {
        below += f64::from(v);
        let count = (i + 1) as f64;
        let apart = below / count - (total - below) / (n - count);
        let between = count * (n - count) * apart * apart;
        if between > best {
            (best, level) = (between, v);
        }
    }
    level
}
