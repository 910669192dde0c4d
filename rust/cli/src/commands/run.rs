//! `skull run`: everything there is to have from a scan, into a folder.

use crate::cli::{ImageArgs, RunArgs};
use crate::commands::skin::{self as skin_command, SkinArgs};
use crate::commands::surface::{self as surface_command, SurfaceArgs};
use crate::commands::thin_bone as thin_bone_command;
use crate::commands::threshold as threshold_command;
use crate::ledger;
use crate::mesh_file::write_mesh;
use crate::output::{Outputs, Slot};
use crate::picture::{self, Part};
use crate::preview::palette;
use crate::report::{Input, Report};
use crate::session::{Phase, Session};
use crate::volume_io::{Volume, write_voxels};
use crate::with_voxels;
use anyhow::Result;
use clap::Args;
use ndarray::{Array3, ArrayRef3};
use serde_json::{Value, json};
use skull_kernels::skin::{self, Modality};
use skull_kernels::surface::surface;
use skull_kernels::thin_bone::Params;
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
The folder gets skin.nii.gz, skin.stl, preview.png and report.json.
Of a CT also: bone.nii.gz and bone.stl, by threshold; added_bone.nii.gz, the walls thinner than a
voxel; full_bone.nii.gz, both; full_bone.stl, that to print; full_bone.png, before and after;
openings.csv and openings.json, what is open in it.
Of an MR also: skull_candidate.nii.gz and skull_candidate.stl, what is dark inside the skin:
bone or air.

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

/// What was found of thin bone, for the report and for people.
struct Thin {
    result: Value,
    lines: Vec<String>,
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
        let [skin_mask, skin_mesh] = self.stage(["skin.nii.gz", "skin.stl"], &mut outputs)?;
        let [picture_file, report_file] = self.stage(["preview.png", "report.json"], &mut outputs)?;

        let volume = session.run(Phase::Load, "load", 0.1, |job| self.image.read(job))?;
        volume.header.doubts(&volume.grid).into_iter().for_each(|doubt| session.warn(doubt));
        let mut skin = Array3::zeros(volume.grid.shape());
        let skin_params = self.skin.params();
        let skin_found = session.run(Phase::Compute, "skin", 0.3, |job| {
            let found = with_voxels!(&volume.voxels, image => {
                skin::skin(image, &volume.grid, &skin_params, &mut skin, job)
            });
            self.image.named(found)
        })?;
        skin_found.warnings.iter().for_each(|warning| session.warn(warning));
        let inside = self.inside(skin_found.modality);
        let mut bone = Array3::zeros(volume.grid.shape());
        let bone_found = session
            .run(Phase::Compute, "bone", 0.35, |job| self.select(&volume, &skin, &inside.params, &mut bone, job))?;
        bone_found.warnings.iter().for_each(|warning| session.warn(warning));
        let [skin_surface, bone_surface] = session.run(Phase::Compute, "surfaces", 0.4, |job| {
            Ok([self.mesh(&skin, &volume, &job.part(0.0, 0.5))?, self.mesh(&bone, &volume, &job.part(0.5, 1.0))?])
        })?;

        let names = ["nii.gz", "stl"].map(|ending| format!("{}.{ending}", inside.stem));
        let [bone_mask, bone_mesh] = self.stage([&names[0], &names[1]], &mut outputs)?;
        let thin = if skin_found.modality == Modality::Ct && bone.iter().any(|&v| v != 0) {
            Some(self.thin_bone(&volume, &bone, &mut session, &mut outputs)?)
        } else {
            None
        };
        session.run(Phase::Write, "write", 0.95, |job| {
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
        let mut parameters = json!({
            "skin": skin_command::parameters(&skin_params),
            inside.stem: threshold_command::parameters(&inside.params, Some(Path::new("skin.nii.gz"))),
            "surface": surface_command::parameters(&self.surface),
        });
        let mut result = json!({
            "skin": skin_command::result(&skin_found),
            "skin_surface": surface_command::result(&skin_surface),
            inside.stem: threshold_command::result(&bone_found),
            format!("{}_surface", inside.stem): surface_command::result(&bone_surface),
        });
        let mut lines = vec![phrases.join(", ")];
        if let Some(thin) = thin {
            parameters["thin_bone"] = thin_bone_command::parameters(&Params::default(), None);
            result["thin_bone"] = thin.result;
            lines.extend(thin.lines);
        }
        let report = Report::new("run", input, parameters, result, &session, &outputs);
        outputs.write(report_file.1, |out| report.write(out))?;
        outputs.commit()?;
        session.say_times();
        session.say(&lines.join("\n"))
    }

    /// Reserves files in the folder.
    fn stage<const N: usize>(&self, names: [&str; N], outputs: &mut Outputs) -> Result<[(PathBuf, Slot); N]> {
        let paths = names.map(|name| self.output.join(name));
        let mut files = Vec::new();
        for path in paths {
            let slot = outputs.stage(&path, &[&self.image.image])?;
            files.push((path, slot));
        }
        Ok(files.try_into().expect("as many files as names"))
    }

    /// Puts back the walls that are missing in a CT's bone, and writes all there is about them.
    fn thin_bone(
        &self,
        volume: &Volume,
        bone: &ArrayRef3<u8>,
        session: &mut Session,
        outputs: &mut Outputs,
    ) -> Result<Thin> {
        let [full, added] = self.stage(["full_bone.nii.gz", "added_bone.nii.gz"], outputs)?;
        let ledgers = self.stage(["openings.csv", "openings.json"], outputs)?;
        let [mesh_file, picture_file] = self.stage(["full_bone.stl", "full_bone.png"], outputs)?;
        let repaired = session.run(Phase::Compute, "thin bone", 0.75, |job| {
            thin_bone_command::repair(&self.image, volume, bone, &Params::default(), None, [None, None], job)
        })?;
        repaired.found.warnings.iter().for_each(|warning| session.warn(warning));
        let print = session
            .run(Phase::Compute, "surface", 0.85, |job| self.image.named(repaired.surface(bone, &volume.grid, job)))?;
        session.run(Phase::Write, "write", 0.9, |job| {
            for ((_, slot), mask) in [(full, &repaired.full), (added, &repaired.added)] {
                outputs.write(slot, |out| write_voxels(out, true, &volume.header, mask, job))?;
            }
            for (path, slot) in &ledgers {
                outputs.write(*slot, |out| ledger::write(out, path, &repaired.found.openings))?;
            }
            let (path, slot) = &mesh_file;
            outputs.write(*slot, |out| write_mesh(out, path, &print.0, self.surface.coordinates, job))
        })?;
        session.run(Phase::Draw, "draw", 0.92, |job| {
            outputs.write(picture_file.1, |out| repaired.draw(out, &self.image.image, volume, bone, job))
        })?;
        Ok(Thin { result: repaired.result(Some(&print)), lines: repaired.describe(Some(&print)) })
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
