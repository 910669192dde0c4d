//! `skull thin-bone`: walls thinner than a voxel, put back.

use crate::bone_picture;
use crate::cli::{ImageArgs, RunArgs, mask_path, picture_path};
use crate::commands::surface as surface_command;
use crate::ledger::{self, ledger_path};
use crate::mesh_file::{Coordinates, mesh_path, write_mesh};
use crate::placement::check_same_grid;
use crate::report::{Input, Report};
use crate::session::{Phase, Session};
use crate::volume_io::{NiftiFile, Volume, is_gzip_name, write_voxels};
use crate::with_voxels;
use anyhow::{Context, Result};
use clap::Args;
use ndarray::{Array3, ArrayRef3};
use serde_json::{Value, json};
use skull_kernels::components::{self, Connectivity};
use skull_kernels::thin_bone::calibration::Source;
use skull_kernels::thin_bone::printable::{self, Printed};
use skull_kernels::thin_bone::{self, Outputs, Params, Verdict, Wall};
use skull_kernels::{Grid, Job, Mesh, Voxel};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Bone from which the walls start, unless a mask is given, HU.
const BASE_HU: f64 = 300.0;
/// Smaller islands of it are noise.
const LEAST_ISLAND_ML: f64 = 0.05;

/// Put back the walls of a CT's bone that are thinner than a voxel; list every opening that stays.
#[derive(Debug, Args)]
#[command(after_help = "\
The scanner's blur is measured on the skin. The base bone is never changed, only added to. Openings
are listed with a verdict: filled, open, or undecided (which stays open).

Examples:
  skull thin-bone ct.nii.gz -o bone.nii.gz --openings openings.csv
  skull thin-bone ct.nii.gz --bone mask.nii.gz -o bone.nii.gz --thickness mm.nii.gz
  skull thin-bone ct.nii.gz -o bone.nii.gz --min-wall 0.8 --surface print.stl --preview bone.png")]
pub struct ThinBone {
    #[command(flatten)]
    image: ImageArgs,
    /// The bone to write, base and added: .nii or .nii.gz, uint8, on the scan's grid.
    #[arg(short, long, value_name = "FILE", value_parser = mask_path)]
    output: PathBuf,
    /// The base bone, a mask on the scan's grid.
    #[arg(long, value_name = "FILE", conflicts_with = "threshold")]
    bone: Option<PathBuf>,
    /// Lowest HU of the base bone, if no mask is given [default: 300].
    #[arg(long, value_name = "HU")]
    threshold: Option<f64>,
    /// Write only the added bone.
    #[arg(long, value_name = "FILE", value_parser = mask_path)]
    added: Option<PathBuf>,
    /// Write the walls' thickness, mm, 0 where there is none.
    #[arg(long, value_name = "FILE", value_parser = mask_path)]
    thickness: Option<PathBuf>,
    /// Write the walls' mass, HU mm, 0 where there is none.
    #[arg(long, value_name = "FILE", value_parser = mask_path)]
    mass: Option<PathBuf>,
    /// Write the list of openings: .json or .csv.
    #[arg(long, value_name = "FILE", value_parser = ledger_path)]
    openings: Option<PathBuf>,
    /// Verdicts to use instead: an edited list of openings (.json).
    #[arg(long, value_name = "FILE")]
    decisions: Option<PathBuf>,
    /// Work only on this box: from and to along R, A and S, mm.
    #[arg(long, num_args = 6, value_names = ["R", "R", "A", "A", "S", "S"], allow_negative_numbers = true)]
    roi: Option<Vec<f64>>,
    /// Full width at half maximum of the scanner's blur, if known, mm.
    #[arg(long, num_args = 2, value_names = ["XY", "Z"])]
    fwhm: Option<Vec<f64>>,
    /// Draw the walls at least this thick, for printing; what that adds is not in the added bone.
    #[arg(long, value_name = "MM", value_parser = wall_mm)]
    min_wall: Option<f64>,
    /// Write a surface to print, in one closed part: .stl, .ply or .obj.
    #[arg(long, value_name = "FILE", value_parser = mesh_path)]
    surface: Option<PathBuf>,
    /// Draw the skull before and after, with numbered openings (PNG).
    #[arg(long, value_name = "FILE", value_parser = picture_path)]
    preview: Option<PathBuf>,
    /// Write what was found, with parameters and times, as JSON.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    #[command(flatten)]
    run: RunArgs,
}

fn wall_mm(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|mm| *mm > 0.0 && f64::is_finite(*mm)).ok_or_else(|| "not a positive number of mm".into())
}

impl ThinBone {
    /// Runs the command.
    ///
    /// # Errors
    /// Where the scan or the mask cannot be read, there is no bone, or a file cannot be written.
    pub fn run(&self) -> Result<()> {
        let mut session = Session::new(&self.run)?;
        let mut outputs = session.outputs();
        let mut inputs: Vec<&Path> = vec![&self.image.image];
        inputs.extend(self.bone.as_deref());
        inputs.extend(self.decisions.as_deref());
        let output = outputs.stage(&self.output, &inputs)?;
        let mut stage = |path: &Option<PathBuf>| outputs.stage_if(path.as_deref(), &inputs);
        let [added_file, thickness_file, mass_file] =
            [stage(&self.added)?, stage(&self.thickness)?, stage(&self.mass)?];
        let [surface_file, ledger_file] = [stage(&self.surface)?, stage(&self.openings)?];
        let [picture_file, report_file] = [stage(&self.preview)?, stage(&self.report)?];
        let params = self.params()?;

        let volume = session.run(Phase::Load, "load", 0.1, |job| self.image.read(job))?;
        volume.header.doubts(&volume.grid).into_iter().for_each(|doubt| session.warn(doubt));
        let grid = &volume.grid;
        let base = session.run(Phase::Load, "bone", 0.15, |job| match &self.bone {
            Some(path) => {
                let mask = NiftiFile::open(path)?.read_mask(None, job)?;
                check_same_grid(&mask.grid, grid).with_context(|| path.display().to_string())?;
                Ok(mask.voxels)
            }
            None => with_voxels!(&volume.voxels, ct => base(ct, grid, self.threshold.unwrap_or(BASE_HU), job)),
        })?;
        let mut thickness = thickness_file.as_ref().map(|_| Array3::zeros(grid.shape()));
        let mut mass = mass_file.as_ref().map(|_| Array3::zeros(grid.shape()));
        let repaired = session.run(Phase::Compute, "thin bone", 0.75, |job| {
            let maps = [thickness.as_deref_mut(), mass.as_deref_mut()];
            repair(&self.image, &volume, &base, &params, self.min_wall, maps, job)
        })?;
        repaired.found.warnings.iter().for_each(|warning| session.warn(warning));
        let print = match surface_file {
            None => None,
            Some(_) => Some(
                session
                    .run(Phase::Compute, "surface", 0.85, |job| self.image.named(repaired.surface(&base, grid, job)))?,
            ),
        };

        session.run(Phase::Write, "write", 0.95, |job| {
            let name = |path: &Option<PathBuf>| path.as_deref().is_some_and(is_gzip_name);
            let (header, full) = (&volume.header, &repaired.full);
            outputs.write(output, |out| write_voxels(out, is_gzip_name(&self.output), header, full, job))?;
            outputs.write_if(added_file, |out| write_voxels(out, name(&self.added), header, &repaired.added, job))?;
            for (file, path, map) in [(thickness_file, &self.thickness, &thickness), (mass_file, &self.mass, &mass)] {
                if let Some(map) = map {
                    outputs.write_if(file, |out| write_voxels(out, name(path), header, map, job))?;
                }
            }
            if let (Some(path), Some((mesh, _))) = (&self.surface, &print) {
                outputs.write_if(surface_file, |out| write_mesh(out, path, mesh, Coordinates::default(), job))?;
            }
            Ok(())
        })?;
        if let Some(path) = &self.openings {
            outputs.write_if(ledger_file, |out| ledger::write(out, path, &repaired.found.openings))?;
        }
        if let Some(file) = picture_file {
            session.run(Phase::Draw, "draw", 1.0, |job| {
                outputs.write(file, |out| repaired.draw(out, &self.image.image, &volume, &base, job))
            })?;
        }
        let input = Input::new(&self.image.image, &volume.header, grid);
        let result = repaired.result(print.as_ref());
        let report = Report::new("thin-bone", input, parameters(&params, self.min_wall), result, &session, &outputs);
        outputs.write_if(report_file, |out| report.write(out))?;
        outputs.commit()?;
        session.say_times();
        session.say(&repaired.describe(print.as_ref()).join("\n"))
    }

    fn params(&self) -> Result<Params> {
        let mut params = Params::default();
        if let Some(fwhm) = &self.fwhm {
            params.fwhm_mm = Some([fwhm[0], fwhm[1]]);
        }
        if let Some(roi) = &self.roi {
            params.roi_mm = Some([0, 2, 4].map(|i| [roi[i].min(roi[i + 1]), roi[i].max(roi[i + 1])]));
        }
        if let Some(path) = &self.decisions {
            params.decisions = ledger::read_decisions(path)?;
        }
        Ok(params)
    }
}

/// A scan's bone with its thin walls.
#[derive(Debug)]
pub struct Repaired {
    /// Base, added and drawn bone.
    pub full: Array3<u8>,
    /// What was measured and is not in the base.
    pub added: Array3<u8>,
    /// What was found.
    pub found: thin_bone::Report,
    walls: Vec<Wall>,
    /// How thick walls are drawn at least, and what was drawn for that.
    drawn: Option<Drawn>,
}

#[derive(Debug, Clone, Copy)]
struct Drawn {
    least_mm: f64,
    mm3: f64,
}

/// Puts the thin walls back and draws them at least `least_mm` thick; the maps are of thickness and mass.
///
/// # Errors
/// The kernel's.
pub fn repair(
    image: &ImageArgs,
    volume: &Volume,
    base: &ArrayRef3<u8>,
    params: &Params,
    least_mm: Option<f64>,
    [thickness_mm, mass_hu_mm]: [Option<&mut ArrayRef3<f32>>; 2],
    job: &Job,
) -> Result<Repaired> {
    let grid = &volume.grid;
    let (mut added, mut walls) = (Array3::zeros(grid.shape()), Vec::new());
    let outputs = Outputs { added: &mut added, thickness_mm, mass_hu_mm, walls: Some(&mut walls) };
    let found = image.named(with_voxels!(&volume.voxels, ct => {
        thin_bone::thin_bone(ct, base, grid, params, outputs, &job.part(0.0, 0.95))
    }))?;
    let mut full = base.to_owned();
    full.zip_mut_with(&added, |full, added| *full |= added);
    let drawn = match least_mm {
        None => None,
        Some(least_mm) => {
            let mm3 = printable::thicken(&mut full, &walls, grid, least_mm, &job.part(0.95, 1.0))?;
            Some(Drawn { least_mm, mm3 })
        }
    };
    Ok(Repaired { full, added, found, walls, drawn })
}

impl Repaired {
    /// The surface for a printer.
    ///
    /// # Errors
    /// As [`printable::surface`].
    pub fn surface(&self, base: &ArrayRef3<u8>, grid: &Grid, job: &Job) -> skull_kernels::Result<(Mesh, Printed)> {
        let least_mm = self.drawn.map_or(0.0, |drawn| drawn.least_mm);
        printable::surface(&self.full, base, &self.walls, grid, least_mm, job)
    }

    /// Draws the preview.
    ///
    /// # Errors
    /// As [`bone_picture::write`].
    pub fn draw(
        &self,
        out: &mut dyn Write,
        path: &Path,
        volume: &Volume,
        base: &ArrayRef3<u8>,
        job: &Job,
    ) -> Result<()> {
        let Self { full, added, found, .. } = self;
        let (image, grid) = (&volume.voxels, &volume.grid);
        let skull = bone_picture::Skull { image, grid, base, full, added, openings: &found.openings };
        bone_picture::write(out, path, &figures(found), &skull, job)
    }

    /// What was found as the report names it, and the surface if there is one.
    #[must_use]
    pub fn result(&self, print: Option<&(Mesh, Printed)>) -> Value {
        let mut result = found(&self.found);
        if let Some(drawn) = self.drawn {
            result["drawn_mm3"] = json!(drawn.mm3);
        }
        if let Some((mesh, printed)) = print {
            let mut surface = surface_command::result(mesh);
            surface["left_out_mm3"] = json!(printed.left_out_mm3);
            surface["pieces_left_out"] = json!(printed.pieces_left_out);
            surface["filled_mm3"] = json!(printed.filled_mm3);
            result["surface"] = surface;
        }
        result
    }

    /// What was found, a line each.
    #[must_use]
    pub fn describe(&self, print: Option<&(Mesh, Printed)>) -> Vec<String> {
        let mut lines = describe(&self.found);
        if let Some(Drawn { least_mm, mm3 }) = self.drawn {
            lines.push(format!("walls drawn at least {least_mm} mm thick: {mm3:.0} mm3 beyond what was measured"));
        }
        if let Some((mesh, printed)) = print {
            lines.push(format!(
                "surface {:.1} mL in one part; {} loose pieces left out, {:.1} mL; hollows filled, {:.1} mL",
                mesh.volume_mm3() / 1e3,
                printed.pieces_left_out,
                printed.left_out_mm3 / 1e3,
                printed.filled_mm3 / 1e3
            ));
        }
        lines
    }
}

/// Bone by threshold, without islands.
fn base<T: Voxel>(ct: &ArrayRef3<T>, grid: &Grid, threshold_hu: f64, job: &Job) -> Result<Array3<u8>> {
    let bright = ct.map(|v| u8::from(v.to_f64() >= threshold_hu));
    let mut bone = Array3::zeros(grid.shape());
    let keep = |part: &components::Component| part.mm3 >= 1000.0 * LEAST_ISLAND_ML;
    components::select(&bright, grid, Connectivity::TwentySix, keep, &mut bone, job)?;
    Ok(bone)
}

/// The parameters as the report names them.
#[must_use]
pub fn parameters(params: &Params, min_wall_mm: Option<f64>) -> Value {
    json!({
        "fwhm_mm": params.fwhm_mm,
        "thinnest_mm": params.thinnest_mm,
        "largest_opening_mm": params.largest_opening_mm,
        "roi_mm": params.roi_mm,
        "decisions": params.decisions.len(),
        "min_wall_mm": min_wall_mm,
    })
}

/// What the kernel found as the report names it.
fn found(found: &thin_bone::Report) -> Value {
    let blur = &found.calibration;
    json!({
        "fwhm_mm": blur.psf.fwhm_mm(),
        "overshoot": blur.psf.overshoot,
        "blur_from": match blur.source { Source::Skin => "skin", Source::Spacing => "voxel size", Source::User => "user" },
        "blur_relative_error": blur.relative_error,
        "noise_hu": blur.noise_hu,
        "bone_hu": found.bone_hu,
        "thinnest_seen_mm": found.thinnest_seen_mm,
        "smallest_hole_mm": found.smallest_hole_mm,
        "sheets": found.sheets,
        "added_mm3": found.added_mm3,
        "openings": found.openings.iter().map(ledger::opening).collect::<Vec<_>>(),
    })
}

/// What the kernel found, a line each.
fn describe(found: &thin_bone::Report) -> Vec<String> {
    let [xy, z] = found.calibration.psf.fwhm_mm();
    vec![
        format!(
            "blur {xy:.2} mm in-plane, {z:.2} mm through-plane: walls show from {:.2} mm next to air, {:.2} mm between \
             soft tissues, holes from {:.1} mm",
            found.thinnest_seen_mm[0], found.thinnest_seen_mm[1], found.smallest_hole_mm
        ),
        figures(found).join("; "),
    ]
}

/// What became of the bone, in short phrases.
fn figures(found: &thin_bone::Report) -> Vec<String> {
    let count = |v| found.openings.iter().filter(|o| o.verdict == v).count();
    let [open, undecided, filled] = [Verdict::Open, Verdict::Undecided, Verdict::Filled].map(count);
    vec![
        format!("added {:.0} mm3", found.added_mm3),
        format!("openings: {open} open, {undecided} undecided (kept open), {filled} filled"),
    ]
}
