//! The preview of what a command found.

use crate::preview::{self, Colour, Layer, LayerStyle, Preview, Solid, View};
use crate::volume_io::Volume;
use crate::with_voxels;
use anyhow::Result;
use ndarray::ArrayRef3;
use skull_kernels::surface::{Params, surface};
use skull_kernels::{Error, Grid, Job, Mesh, Voxel};
use std::io::Write;
use std::path::Path;

/// A mask to show, on slices and as a surface.
#[derive(Debug)]
pub struct Part<'a> {
    /// What it is.
    pub name: &'a str,
    /// On the image's grid.
    pub mask: &'a ArrayRef3<u8>,
    /// Its surface.
    pub mesh: &'a Mesh,
    /// Colour of its outline.
    pub outline: Colour,
    /// Colour of its surface.
    pub material: Colour,
}

/// Draws parts of an image as PNG, with the file's name as its title and the figures below.
///
/// # Errors
/// Where `out` cannot be written.
pub fn write(out: &mut dyn Write, path: &Path, figures: &[String], volume: &Volume, parts: &[Part<'_>]) -> Result<()> {
    with_voxels!(&volume.voxels, image => write_parts(out, path, figures, image, &volume.grid, parts))
}

/// As [`write`], of an image of known type.
///
/// # Errors
/// As [`write`].
pub fn write_parts<T: Voxel>(
    out: &mut dyn Write,
    path: &Path,
    figures: &[String],
    image: &ArrayRef3<T>,
    grid: &Grid,
    parts: &[Part<'_>],
) -> Result<()> {
    let layers: Vec<_> = parts
        .iter()
        .map(|part| Layer { name: part.name, mask: part.mask, colour: part.outline, style: LayerStyle::Outline })
        .collect();
    let solids: Vec<_> =
        parts.iter().map(|part| Solid::new(&part.mesh.points, &part.mesh.triangles, part.material)).collect();
    let views: Vec<_> = solids.iter().map(View::around).collect();
    let title = path.file_name().unwrap_or_default().to_string_lossy();
    let preview = Preview { title: &title, figures, image, grid, window: None, layers: &layers, views: &views };
    preview::write(out, &preview)
}

/// The surface of a mask; of an empty one, nothing.
///
/// # Errors
/// Those of [`surface`] but [`Error::Empty`].
pub fn surface_or_none(mask: &ArrayRef3<u8>, grid: &Grid, job: &Job) -> Result<Mesh> {
    match surface(mask, grid, &Params::default(), job) {
        Err(Error::Empty { .. }) => Ok(Mesh::default()),
        other => Ok(other?),
    }
}
