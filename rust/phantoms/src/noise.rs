//! Randomness that depends on the seed and the place alone.

use ndarray::Array3;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;
use skull_kernels::{Grid, Job, Result, gaussian};

/// What a stream of random numbers is for; each has its own, so that one does not shift another.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Use {
    Anatomy,
    Scanner,
    Noise,
}

pub(crate) fn stream(seed: u64, purpose: Use) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(match purpose {
        Use::Anatomy => 1,
        Use::Scanner => 2,
        Use::Noise => 1 << 32,
    });
    rng
}

/// The stream of the noise in one slice.
pub(crate) fn slice_stream(seed: u64, slice: usize) -> ChaCha8Rng {
    let mut rng = stream(seed, Use::Noise);
    rng.set_stream((1 << 32) + slice as u64);
    rng
}

/// A standard normal number.
pub(crate) fn normal(rng: &mut impl Rng) -> f32 {
    StandardNormal.sample(rng)
}

/// Noise as in reconstructed CT: of unit variance, correlated over about `sigma_mm`.
pub(crate) fn correlated(seed: u64, grid: &Grid, sigma_mm: [f64; 3], job: &Job) -> Result<Array3<f32>> {
    let mut white = Array3::<f32>::zeros(grid.shape());
    let slice = grid.size()[0] * grid.size()[1];
    let voxels = white.as_slice_mut().expect("standard layout");
    voxels.par_chunks_mut(slice).enumerate().for_each(|(z, slice)| {
        let mut rng = slice_stream(seed, z);
        slice.iter_mut().for_each(|voxel| *voxel = normal(&mut rng));
    });
    let mut smooth = Array3::zeros(grid.shape());
    gaussian::smooth(&white, grid, sigma_mm, &mut smooth, job)?;
    // In slices' order, for the same sum on any number of threads.
    let squares: Vec<f64> = smooth
        .as_slice()
        .expect("standard layout")
        .par_chunks(slice)
        .map(|slice| slice.iter().map(|v| f64::from(v * v)).sum())
        .collect();
    let deviation = (squares.iter().sum::<f64>() / grid.voxels() as f64).sqrt().max(1e-12) as f32;
    smooth.par_mapv_inplace(|v| v / deviation);
    Ok(smooth)
}
