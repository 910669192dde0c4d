//! The algorithms of SkullEffects.
//!
//! A kernel is a pure function over borrowed [`ndarray`] views and a [`Grid`]: parameters come in a struct
//! whose field names carry their units, progress and cancellation go through a [`Job`], failure is an
//! [`Error`]. Arrays are indexed `[z, y, x]` in standard layout, which is VTK's and NIfTI's own order of
//! voxels in memory; physical space is RAS in millimetres.
//!
//! Kernels run on the rayon pool they are called in (`pool.install(|| …)`) and give the same bits for any
//! number of threads.

pub mod auto_threshold;
pub mod bias;
mod bits;
pub mod components;
pub mod distance;
mod error;
pub mod fill;
pub mod gaussian;
pub mod grid;
pub mod histogram;
pub mod job;
pub mod mesh;
pub mod morphology;
pub mod skin;
pub mod surface;
pub mod thin_bone;
pub mod threshold;
mod voxel;

pub use error::{Error, Result};
pub use grid::Grid;
pub use job::Job;
pub use mesh::Mesh;
pub use voxel::Voxel;
