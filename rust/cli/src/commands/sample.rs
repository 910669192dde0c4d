//! `skull sample`: a drawn scan whose truth is known.

use crate::cli::RunArgs;
use crate::nifti_header::Header;
use crate::output::{Outputs, Slot};
use crate::session::{Phase, Session};
use crate::volume_io::write_voxels;
use crate::voxels::Scalar;
use anyhow::Result;
use clap::{Args, ValueEnum};
use ndarray::Array3;
use serde_json::{Value, json};
use skull_kernels::Job;
use skull_phantoms::{Contrast, HeadCt, HeadMr, Opening, Orbit, OrbitCt, Phantom, head_ct, head_mr, orbit_ct};
use std::path::PathBuf;

/// Draw a scan with known truth, for trying things when no scan is at hand.
#[derive(Debug, Args)]
#[command(after_help = "\
The folder gets image.nii.gz, a truth_NAME.nii.gz for each thing that is known (the solid head,
ears, nose and bone; of the orbit its bone and its walls' thickness in mm), and truth.json, which
lists the orbit's openings. The same seed draws the same person.

Example:
  skull sample head-ct -o sample/ --seed 7 --voxel 0.8 0.8 1.5")]
pub struct Sample {
    /// A head in MR, a head on a table in CT, or an orbit with walls thinner than a voxel in CT.
    #[arg(value_enum)]
    kind: Kind,
    /// The folder to write into; it is made if need be.
    #[arg(short, long, value_name = "FOLDER")]
    output: PathBuf,
    /// Who it is, and which noise.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Size of a voxel, mm [default: 1 1 1, orbit 0.4 0.4 0.6].
    #[arg(long, num_args = 3, value_names = ["X", "Y", "Z"])]
    voxel: Option<Vec<f64>>,
    /// Standard deviation of the noise, HU; in MR, where grey matter is about 400, before the
    /// magnitude [default: head-mr 30, head-ct 15, orbit-ct 25].
    #[arg(long, value_name = "SD")]
    noise: Option<f64>,
    /// What the MR shows bright.
    #[arg(long, value_enum, default_value_t)]
    contrast: ContrastArg,
    #[command(flatten)]
    run: RunArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    HeadMr,
    HeadCt,
    OrbitCt,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum ContrastArg {
    #[default]
    T1,
    T2,
    Pd,
}

/// What was drawn.
struct Drawing {
    phantom: Phantom,
    thickness_mm: Option<Array3<f32>>,
    openings: Vec<Opening>,
}

impl Sample {
    /// Runs the command.
    ///
    /// # Errors
    /// Where a parameter is out of its range, or a file cannot be written.
    pub fn run(&self) -> Result<()> {
        let mut session = Session::new(&self.run)?;
        let mut outputs = session.outputs();
        outputs.create_folder(&self.output)?;
        let image_file = self.stage(&mut outputs, "image.nii.gz")?;
        let truth_file = self.stage(&mut outputs, "truth.json")?;
        let drawing = session.run(Phase::Compute, "draw", 0.8, |job| self.draw(job))?;

        let Phantom { grid, image, masks } = &drawing.phantom;
        let header = Header::new(grid)?;
        session.run(Phase::Write, "write", 1.0, |job| {
            let mut write = Files { outputs: &mut outputs, header: &header, job };
            write.voxels(image_file, image)?;
            for (name, mask) in masks {
                let file = self.stage(write.outputs, &format!("truth_{name}.nii.gz"))?;
                write.voxels(file, mask)?;
            }
            if let Some(thickness_mm) = &drawing.thickness_mm {
                let file = self.stage(write.outputs, "truth_thickness.nii.gz")?;
                write.voxels(file, thickness_mm)?;
            }
            Ok(())
        })?;
        outputs.write(truth_file, |out| {
            serde_json::to_writer_pretty(&mut *out, &self.truth(&drawing))?;
            Ok(writeln!(out)?)
        })?;
        outputs.commit()?;
        session.say_times();
        let [x, y, z] = grid.size();
        session.say(&format!("{} x {} x {} voxels and their truth in {}", x, y, z, self.output.display()))
    }

    fn stage(&self, outputs: &mut Outputs, name: &str) -> Result<Slot> {
        outputs.stage(&self.output.join(name), &[])
    }

    fn draw(&self, job: &Job) -> Result<Drawing> {
        let voxel_mm =
            |default: [f64; 3]| self.voxel.as_deref().and_then(|voxel| voxel.try_into().ok()).unwrap_or(default);
        let phantom = match self.kind {
            Kind::HeadMr => {
                let default = HeadMr::default();
                let contrast = match self.contrast {
                    ContrastArg::T1 => Contrast::T1,
                    ContrastArg::T2 => Contrast::T2,
                    ContrastArg::Pd => Contrast::Pd,
                };
                let voxel_mm = voxel_mm(default.voxel_mm);
                let noise = self.noise.unwrap_or(default.noise);
                head_mr(&HeadMr { seed: self.seed, voxel_mm, noise, contrast, ..default }, job)?
            }
            Kind::HeadCt => {
                let default = HeadCt::default();
                let voxel_mm = voxel_mm(default.voxel_mm);
                let noise_hu = self.noise.unwrap_or(default.noise_hu);
                head_ct(&HeadCt { seed: self.seed, voxel_mm, noise_hu, ..default }, job)?
            }
            Kind::OrbitCt => {
                let default = OrbitCt::default();
                let voxel_mm = voxel_mm(default.voxel_mm);
                let noise_hu = self.noise.unwrap_or(default.noise_hu);
                let scan = OrbitCt { seed: self.seed, voxel_mm, noise_hu, ..default };
                let Orbit { phantom, thickness_mm, openings } = orbit_ct(&scan, job)?;
                return Ok(Drawing { phantom, thickness_mm: Some(thickness_mm), openings });
            }
        };
        Ok(Drawing { phantom, thickness_mm: None, openings: Vec::new() })
    }

    fn truth(&self, drawing: &Drawing) -> Value {
        let openings = drawing.openings.iter().map(|opening| {
            json!({
                "name": opening.name,
                "center_ras_mm": opening.centre_mm,
                "diameter_mm": opening.diameter_mm,
            })
        });
        let Phantom { grid, masks, .. } = &drawing.phantom;
        let volumes_ml = masks.iter().map(|(name, mask)| {
            let voxels = mask.iter().filter(|voxel| **voxel != 0).count();
            ((*name).to_owned(), json!(voxels as f64 * grid.voxel_mm3() / 1000.0))
        });
        json!({
            "kind": self.kind.to_possible_value().expect("no kind is hidden").get_name(),
            "seed": self.seed,
            "voxel_mm": grid.spacing_mm(),
            "volumes_ml": volumes_ml.collect::<serde_json::Map<_, _>>(),
            "openings": openings.collect::<Vec<_>>(),
        })
    }
}

/// Writes images of one geometry.
struct Files<'a> {
    outputs: &'a mut Outputs,
    header: &'a Header,
    job: &'a Job,
}

impl Files<'_> {
    fn voxels<S: Scalar>(&mut self, file: Slot, voxels: &Array3<S>) -> Result<()> {
        self.outputs.write(file, |out| write_voxels(out, true, self.header, voxels, self.job))
    }
}
