//! `skull run`: everything there is to have from a scan, into a folder.

use crate::cli::{ImageArgs, RunArgs};
use crate::commands::skin::{self as skin_command, SkinArgs};
use crate::commands::surface::{self as surface_command, SurfaceArgs};
use crate::commands::threshold as threshold_command;
use crate::mesh_file::write_mesh;
use crate::picture::{self, Part};
use crate::preview::palette;
use crate::report::{Input, Report};
use crate::session::{Phase, Session};
use crate::volume_io::{Volume, write_voxels};
use crate::with_voxels;
use anyhow::Result;
use clap::Args;
use ndarray::{Array3, ArrayRef3};
use serde_json::json;
use skull_kernels::skin::{self, Modality};
use skull_kernels::surface::surface;
use skull_kernels::threshold::{self, Bound, threshold};
use skull_kernels::{Error, Job, Mesh};
use std::path::{Path, PathBuf};

/// Bone in CT, as segmentation programs commonly start with it.
const BONE_HU: f64 = 226.0;

/// Fragments of bone and metal are larger, noise is smaller.
const MIN_BONE_ML: f64 = 0.1;

/// Find the skin and the skull in it, with surfaces, a preview and a report, into a folder.
#[derive(Debug, Args)]
#[command(after_help = "\
The folder gets skin.nii.gz, skin.stl, preview.png, report.json, and of a CT bone.nii.gz and
bone.stl, of an MR skull_candidate.nii.gz and skull_candidate.stl: what is dark inside the skin,
which is bone or air.

Example:
  skull run head.nii.gz -o head/")]
pub struct Run {
    #[command(flatten)]
    image: ImageArgs,
    /// The folder to write into; it is made if need be.
    #[arg(short, long, value_name = "FOLDER")]
    output: PathBuf,
    #[command(flatten)]
    skin: SkinArgs,
    /// Lowest intensity of bone in CT.
    #[arg(long, value_name = "HU", default_value_t = BONE_HU, allow_negative_numbers = true)]
    bone_threshold: f64,
    #[command(flatten)]
    surface: SurfaceArgs,
    #[command(flatten)]
    run: RunArgs,
}

/// What is sought inside the skin.
struct Inside {
    name: &'static str,
    /// Of its files.
    stem: &'static str,
    params: threshold::Params,
}

impl Run {
    /// Runs the command.
    ///
    /// # Errors
    /// Where the image cannot be read, has nothing that can be told from air, or a file cannot be written.
    pub fn run(&self) -> Result<()> {
        let mut session = Session::new(&self.run)?;
        let mut outputs = session.outputs();
        outputs.create_folder(&self.output)?;
        let inputs: [&Path; 1] = [&self.image.image];
        let mut stage = |name: &str| {
            let path = self.output.join(name);
            outputs.stage(&path, &inputs).map(|slot| (path, slot))
        };
        let [skin_mask, skin_mesh] = [stage("skin.nii.gz")?, stage("skin.stl")?];
        let [picture_file, report_file] = [stage("preview.png")?, stage("report.json")?];

        let volume = session.run(Phase::Load, "load", 0.15, |job| self.image.read(job))?;
        volume.header.doubts(&volume.grid).into_iter().for_each(|doubt| session.warn(doubt));
        let mut skin = Array3::zeros(volume.grid.shape());
        let skin_params = self.skin.params();
        let skin_found = session.run(Phase::Compute, "skin", 0.5, |job| {
            let found = with_voxels!(&volume.voxels, image => {
                skin::skin(image, &volume.grid, &skin_params, &mut skin, job)
            });
            self.image.named(found)
        })?;
        skin_found.warnings.iter().for_each(|warning| session.warn(warning));
        let inside = self.inside(skin_found.modality);
        let mut bone = Array3::zeros(volume.grid.shape());
        let bone_found = session
            .run(Phase::Compute, "bone", 0.6, |job| self.select(&volume, &skin, &inside.params, &mut bone, job))?;
        bone_found.warnings.iter().for_each(|warning| session.warn(warning));
        let [skin_surface, bone_surface] = session.run(Phase::Compute, "surfaces", 0.75, |job| {
            Ok([self.mesh(&skin, &volume, &job.part(0.0, 0.5))?, self.mesh(&bone, &volume, &job.part(0.5, 1.0))?])
        })?;

        let bone_mask = stage(&format!("{}.nii.gz", inside.stem))?;
        let bone_mesh = stage(&format!("{}.stl", inside.stem))?;
        session.run(Phase::Write, "write", 0.9, |job| {
            let parts = [(skin_mask, skin_mesh, &skin, &skin_surface), (bone_mask, bone_mesh, &bone, &bone_surface)];
            for ((_, mask_file), (path, mesh_file), mask, mesh) in parts {
                outputs.write(mask_file, |out| write_voxels(out, true, &volume.header, mask, job))?;
                outputs.write(mesh_file, |out| write_mesh(out, &path, mesh, self.surface.coordinates, job))?;
            }
            Ok(())
        })?;
        let mut phrases = skin_command::describe(&skin_found);
        let about_skin = phrases.len();
        phrases.extend(threshold_command::describe(&bone_found));
        phrases[about_skin].insert_str(0, &format!("{} ", inside.name.to_lowercase()));
        session.run(Phase::Draw, "draw", 1.0, |_| {
            let outline = palette::ORANGE;
            let skin = Part { name: "Skin", mask: &skin, mesh: &skin_surface, outline, material: palette::SKIN };
            let outline = palette::SKY_BLUE;
            let bone = Part { name: inside.name, mask: &bone, mesh: &bone_surface, outline, material: palette::BONE };
            outputs
                .write(picture_file.1, |out| picture::write(out, &self.image.image, &phrases, &volume, &[skin, bone]))
        })?;

        let input = Input::new(&self.image.image, &volume.header, &volume.grid);
        let parameters = json!({
            "skin": skin_command::parameters(&skin_params),
            inside.stem: threshold_command::parameters(&inside.params, Some(Path::new("skin.nii.gz"))),
            "surface": surface_command::parameters(&self.surface),
        });
        let result = json!({
            "skin": skin_command::result(&skin_found),
            "skin_surface": surface_command::result(&skin_surface),
            inside.stem: threshold_command::result(&bone_found),
            format!("{}_surface", inside.stem): surface_command::result(&bone_surface),
        });
        let report = Report::new("run", input, parameters, result, &session, &outputs);
        outputs.write(report_file.1, |out| report.write(out))?;
        outputs.commit()?;
        session.say_times();
        session.say(&phrases.join(", "))
    }

    fn inside(&self, modality: Modality) -> Inside {
        if modality == Modality::Mr {
            return Inside { name: "Skull candidate", stem: "skull_candidate", params: threshold::Params::mr_skull() };
        }
        let lower = Bound::At(self.bone_threshold);
        let params = threshold::Params { lower, min_island_ml: MIN_BONE_ML, ..threshold::Params::default() };
        Inside { name: "Bone", stem: "bone", params }
    }

    fn select(
        &self,
        volume: &Volume,
        skin: &ArrayRef3<u8>,
        params: &threshold::Params,
        out: &mut ArrayRef3<u8>,
        job: &Job,
    ) -> Result<threshold::Report> {
        let grid = &volume.grid;
        self.image.named(with_voxels!(&volume.voxels, image => threshold(image, Some(skin), grid, params, out, job)))
    }

    /// The surface of a mask; of an empty one, of which there has been a warning, nothing.
    fn mesh(&self, mask: &ArrayRef3<u8>, volume: &Volume, job: &Job) -> Result<Mesh> {
        match surface(mask, &volume.grid, &self.surface.params(), job) {
            Err(Error::Empty { .. }) => Ok(Mesh::default()),
            other => self.image.named(other),
        }
    }
}
