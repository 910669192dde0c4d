//! `skull surface`: the surface of a mask.

use crate::cli::{RunArgs, picture_path};
use crate::mesh_file::{Coordinates, mesh_path, write_mesh};
use crate::picture::{self, Part};
use crate::preview::palette;
use crate::report::{Input, Report};
use crate::session::{Phase, Session};
use crate::volume_io::NiftiFile;
use anyhow::{Context, Result};
use clap::Args;
use serde_json::{Value, json};
use skull_kernels::mesh::Mesh;
use skull_kernels::surface;
use std::path::PathBuf;

/// Make a closed, smooth surface of a mask, for printing or display.
#[derive(Debug, Args)]
#[command(after_help = "\
The surface is watertight, also where the mask meets the edge of the image, and stays within half a
voxel of the mask's voxels. Coordinates are in mm.

Example:
  skull surface skin.nii.gz -o skin.stl")]
pub struct Surface {
    /// The mask (NIfTI): every voxel that is neither zero nor NaN counts.
    mask: PathBuf,
    /// Which volume of a 4-D mask, counted from 0.
    #[arg(long, value_name = "N")]
    volume: Option<usize>,
    /// The mesh to write: .stl (binary), .ply (binary, with normals) or .obj.
    #[arg(short, long, value_name = "FILE", value_parser = mesh_path)]
    output: PathBuf,
    #[command(flatten)]
    how: SurfaceArgs,
    /// Draw slices of the mask, and the surface (PNG).
    #[arg(long, value_name = "FILE", value_parser = picture_path)]
    preview: Option<PathBuf>,
    /// Write the mesh's measures, with parameters and times, as JSON; - is stdout.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    #[command(flatten)]
    run: RunArgs,
}

/// How surfaces are made and written.
#[derive(Debug, Args)]
pub struct SurfaceArgs {
    /// Which way x, y and z point in the file; Slicer and printing software expect LPS.
    #[arg(long, value_enum, default_value_t)]
    pub coordinates: Coordinates,
    /// Passes of smoothing; 0 keeps the voxels' faces.
    #[arg(long, value_name = "N", default_value_t = surface::Params::default().smoothing)]
    pub smoothing: u32,
}

impl SurfaceArgs {
    /// As the kernel takes them.
    #[must_use]
    pub fn params(&self) -> surface::Params {
        let mut params = surface::Params::default();
        params.smoothing = self.smoothing;
        params
    }
}

impl Surface {
    /// Runs the command.
    ///
    /// # Errors
    /// Where the mask cannot be read or is empty, or a file cannot be written.
    pub fn run(&self) -> Result<()> {
        let mut session = Session::new(&self.run)?;
        let mut outputs = session.outputs();
        let output = outputs.stage(&self.output, &[&self.mask])?;
        let preview_file = outputs.stage_if(self.preview.as_deref(), &[&self.mask])?;
        let report_file = outputs.stage_if(self.report.as_deref(), &[&self.mask])?;

        let mask =
            session.run(Phase::Load, "load", 0.3, |job| NiftiFile::open(&self.mask)?.read_mask(self.volume, job))?;
        let params = self.how.params();
        let (mesh, measures) = session.run(Phase::Compute, "surface", 0.7, |job| {
            let mesh = surface::surface(&mask.voxels, &mask.grid, &params, job);
            let mesh = mesh.with_context(|| self.mask.display().to_string())?;
            let measures = result(&mesh);
            Ok((mesh, measures))
        })?;
        session.run(Phase::Write, "write", 0.85, |job| {
            outputs.write(output, |out| write_mesh(out, &self.output, &mesh, self.how.coordinates, job))
        })?;

        let phrases = describe(&measures);
        let input = Input::new(&self.mask, &mask.header, &mask.grid);
        if let Some(preview_file) = preview_file {
            session.run(Phase::Draw, "draw", 1.0, |_| {
                let voxels = &mask.voxels;
                let part =
                    Part { name: "Mask", mask: voxels, mesh: &mesh, outline: palette::ORANGE, material: palette::BONE };
                outputs.write(preview_file, |out| {
                    picture::write_parts(out, &self.mask, &phrases, voxels, &mask.grid, &[part])
                })
            })?;
        }
        let report = Report::new("surface", input, parameters(&self.how), measures, &session, &outputs);
        outputs.write_if(report_file, |out| report.write(out))?;
        outputs.commit()?;
        session.say_times();
        session.say(&phrases.join(", "))
    }
}

/// The parameters as the report names them.
#[must_use]
pub fn parameters(how: &SurfaceArgs) -> Value {
    json!({
        "coordinates": format!("{:?}", how.coordinates).to_lowercase(),
        "smoothing": how.smoothing,
    })
}

/// The mesh's measures as the report names them.
#[must_use]
pub fn result(mesh: &Mesh) -> Value {
    let check = mesh.check();
    json!({
        "points": mesh.points.len(),
        "triangles": mesh.triangles.len(),
        "volume_ml": mesh.volume_mm3() / 1000.0,
        "area_cm2": mesh.area_mm2() / 100.0,
        "closed_manifold": check.is_solid(),
        "components": check.components,
        "euler_characteristic": check.euler_characteristic,
    })
}

/// The mesh's measures in short phrases.
fn describe(measures: &Value) -> Vec<String> {
    let number = |name: &str| measures[name].as_f64().unwrap_or(f64::NAN);
    vec![
        format!("surface {:.1} mL, {:.1} cm2", number("volume_ml"), number("area_cm2")),
        format!("{} triangles", measures["triangles"]),
        if measures["closed_manifold"] == true { "closed 2-manifold" } else { "NOT closed" }.to_owned(),
        format!("{} parts", measures["components"]),
    ]
}
