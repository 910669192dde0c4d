//! Heads and orbits drawn from formulas and scanned by a simple model of a scanner, so that the truth is known.
//!
//! ```
//! use skull_kernels::Job;
//! use skull_phantoms::{HeadCt, head_ct};
//! let head = head_ct(&HeadCt { voxel_mm: [8.0; 3], ..HeadCt::default() }, &Job::new()).unwrap();
//! assert_eq!(head.image.dim(), head.grid.shape());
//! assert!(head.mask("head").iter().any(|&voxel| voxel == 1));
//! ```
//!
//! A phantom depends on its parameters alone: the same for any number of threads. The same seed draws the same
//! person whatever the voxels, the contrast or the noise.

mod anatomy;
mod head;
mod noise;
mod orbit;
mod shapes;

pub use head::{Contrast, HeadCt, HeadMr, head_ct, head_mr};
pub use orbit::{Opening, Orbit, OrbitCt, orbit_ct};

use ndarray::Array3;
use skull_kernels::{Error, Grid, Result};
use std::ops::RangeInclusive;

/// A drawn scan with its truth; all arrays `[z, y, x]` on one grid.
#[derive(Debug, Clone, PartialEq)]
pub struct Phantom {
    /// Where the voxels lie.
    pub grid: Grid,
    /// The scan: HU, or the arbitrary units of an MR.
    pub image: Array3<i16>,
    /// What is truly there, by name.
    pub masks: Vec<(&'static str, Array3<u8>)>,
}

impl Phantom {
    /// One of the masks.
    ///
    /// # Panics
    /// Where there is none of this name.
    #[must_use]
    pub fn mask(&self, name: &str) -> &Array3<u8> {
        let found = self.masks.iter().find(|(known, _)| *known == name);
        &found.unwrap_or_else(|| panic!("the phantom has no mask {name:?}")).1
    }
}

fn check_voxels(voxel_mm: [f64; 3], range: RangeInclusive<f64>, allowed: &'static str) -> Result<()> {
    match voxel_mm.into_iter().find(|size| !range.contains(size)) {
        Some(value) => Err(Error::Parameter { name: "voxel_mm", value, allowed }),
        None => Ok(()),
    }
}

fn check_noise(noise: f64) -> Result<()> {
    if noise.is_finite() && noise >= 0.0 {
        Ok(())
    } else {
        Err(Error::Parameter { name: "noise", value: noise, allowed: "0 or more, and finite" })
    }
}
