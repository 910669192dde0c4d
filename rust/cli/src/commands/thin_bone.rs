//! `skull thin-bone`: walls thinner than a voxel, put back.

use crate::cli::{ImageArgs, RunArgs, mask_path};
use crate::placement::check_same_grid;
use crate::report::{Input, Report};
use crate::session::{Phase, Session};
use crate::volume_io::{NiftiFile, is_gzip_name, write_voxels};
use crate::with_voxels;
use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use ndarray::{Array3, ArrayRef3};
use serde::Deserialize;
use serde_json::{Value, json};
use skull_kernels::components::{self, Connectivity};
use skull_kernels::thin_bone::psf::Source;
use skull_kernels::thin_bone::{self, Decision, Opening, Outputs, Params, Verdict};
use skull_kernels::{Grid, Job, Voxel};
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
  skull thin-bone ct.nii.gz --bone mask.nii.gz -o bone.nii.gz --thickness mm.nii.gz")]
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
    /// Write what was found, with parameters and times, as JSON.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    #[command(flatten)]
    run: RunArgs,
}

fn ledger_path(name: &str) -> Result<PathBuf, String> {
    let lower = name.to_lowercase();
    if lower.ends_with(".json") || lower.ends_with(".csv") {
        Ok(name.into())
    } else {
        Err("the name must end in .json or .csv".into())
    }
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
        let added_file = outputs.stage_if(self.added.as_deref(), &inputs)?;
        let thickness_file = outputs.stage_if(self.thickness.as_deref(), &inputs)?;
        let mass_file = outputs.stage_if(self.mass.as_deref(), &inputs)?;
        let ledger_file = outputs.stage_if(self.openings.as_deref(), &inputs)?;
        let report_file = outputs.stage_if(self.report.as_deref(), &inputs)?;
        let params = self.params()?;

        let volume = session.run(Phase::Load, "load", 0.1, |job| self.image.read(job))?;
        let grid = &volume.grid;
        let mut bone = session.run(Phase::Load, "bone", 0.15, |job| match &self.bone {
            Some(path) => {
                let mask = NiftiFile::open(path)?.read_mask(None, job)?;
                check_same_grid(&mask.grid, grid).with_context(|| path.display().to_string())?;
                Ok(mask.voxels)
            }
            None => with_voxels!(&volume.voxels, ct => base(ct, grid, self.threshold.unwrap_or(BASE_HU), job)),
        })?;
        let mut added = Array3::zeros(grid.shape());
        let mut thickness = thickness_file.as_ref().map(|_| Array3::zeros(grid.shape()));
        let mut mass = mass_file.as_ref().map(|_| Array3::zeros(grid.shape()));
        let found = session.run(Phase::Compute, "thin bone", 0.9, |job| {
            let results =
                Outputs { added: &mut added, thickness_mm: thickness.as_deref_mut(), mass_hu_mm: mass.as_deref_mut() };
            self.image.named(with_voxels!(&volume.voxels, ct => {
                thin_bone::thin_bone(ct, &bone, grid, &params, results, job)
            }))
        })?;
        found.warnings.iter().for_each(|warning| session.warn(warning));
        bone.zip_mut_with(&added, |bone, added| *bone |= added);

        session.run(Phase::Write, "write", 1.0, |job| {
            let name = |path: &Option<PathBuf>| path.as_deref().is_some_and(is_gzip_name);
            outputs.write(output, |out| write_voxels(out, is_gzip_name(&self.output), &volume.header, &bone, job))?;
            outputs.write_if(added_file, |out| write_voxels(out, name(&self.added), &volume.header, &added, job))?;
            for (file, path, map) in [(thickness_file, &self.thickness, &thickness), (mass_file, &self.mass, &mass)] {
                if let Some(map) = map {
                    outputs.write_if(file, |out| write_voxels(out, name(path), &volume.header, map, job))?;
                }
            }
            Ok(())
        })?;
        let as_csv =
            self.openings.as_ref().is_some_and(|path| path.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv")));
        outputs.write_if(ledger_file, |out| if as_csv { write_csv(out, &found) } else { write_json(out, &found) })?;
        let input = Input::new(&self.image.image, &volume.header, grid);
        let report = Report::new("thin-bone", input, parameters(&params), result(&found), &session, &outputs);
        outputs.write_if(report_file, |out| report.write(out))?;
        outputs.commit()?;
        session.say_times();
        session.say(&describe(&found))
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
            params.decisions = read_decisions(path).with_context(|| path.display().to_string())?;
        }
        Ok(params)
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

#[derive(Deserialize)]
struct DecisionEntry {
    center_ras_mm: [f64; 3],
    verdict: String,
}

/// A list of decisions, or an object that holds one (such as an edited list of openings).
#[derive(Deserialize)]
#[serde(untagged)]
enum DecisionFile {
    List(Vec<DecisionEntry>),
    Object {
        #[serde(alias = "openings")]
        decisions: Vec<DecisionEntry>,
    },
}

fn read_decisions(path: &Path) -> Result<Vec<Decision>> {
    let text = std::fs::read_to_string(path)?;
    let file: DecisionFile =
        serde_json::from_str(&text).map_err(|error| anyhow!("not a list of decisions: {error}"))?;
    let (DecisionFile::List(entries) | DecisionFile::Object { decisions: entries }) = file;
    entries
        .into_iter()
        .map(|entry| {
            let verdict = match entry.verdict.as_str() {
                "filled" => Verdict::Filled,
                "open" => Verdict::Open,
                "undecided" => Verdict::Undecided,
                other => bail!("\"{other}\" is no verdict: use filled, open or undecided"),
            };
            Ok(Decision { center_ras_mm: entry.center_ras_mm, verdict })
        })
        .collect()
}

fn verdict(opening: &Opening) -> &'static str {
    match opening.verdict {
        Verdict::Filled => "filled",
        Verdict::Open => "open",
        Verdict::Undecided => "undecided",
    }
}

fn decided_by(opening: &Opening) -> &'static str {
    if opening.decided { "user" } else { "scan" }
}

/// What a side of an opening consists of.
fn medium(hu: f64) -> &'static str {
    match hu {
        hu if hu.is_nan() => "unknown",
        hu if hu < -700.0 => "air",
        hu if hu < -200.0 => "air and tissue",
        hu if hu < -30.0 => "fat",
        hu if hu < 150.0 => "soft tissue",
        _ => "bone",
    }
}

fn opening(o: &Opening) -> Value {
    json!({
        "id": o.id,
        "center_ras_mm": o.center_ras_mm,
        "axis_ras": o.axis_ras,
        "diameter_mm": o.diameter_mm,
        "area_mm2": o.area_mm2,
        "verdict": verdict(o),
        "decided_by": decided_by(o),
        "residual": o.residual,
        "residual_se": o.residual.map(|_| o.residual_se),
        "residual_if_empty": o.residual_if_empty,
        "rim_thickness_mm": o.rim_mm,
        "media": o.media_hu.map(medium),
    })
}

fn write_json(out: &mut dyn Write, found: &thin_bone::Report) -> Result<()> {
    let openings: Vec<Value> = found.openings.iter().map(opening).collect();
    serde_json::to_writer_pretty(&mut *out, &json!({ "openings": openings }))?;
    writeln!(out)?;
    Ok(())
}

fn write_csv(out: &mut dyn Write, found: &thin_bone::Report) -> Result<()> {
    writeln!(
        out,
        "id,r_mm,a_mm,s_mm,diameter_mm,area_mm2,verdict,decided_by,residual,residual_se,residual_if_empty,\
         rim_thickness_mm,medium_behind,medium_ahead"
    )?;
    for o in &found.openings {
        let [r, a, s] = o.center_ras_mm;
        let number = |v: Option<f64>| v.map_or_else(String::new, |v| format!("{v:.3}"));
        let [behind, ahead] = o.media_hu.map(medium);
        writeln!(
            out,
            "{},{r:.2},{a:.2},{s:.2},{:.2},{:.2},{},{},{},{},{:.3},{:.2},{behind},{ahead}",
            o.id,
            o.diameter_mm,
            o.area_mm2,
            verdict(o),
            decided_by(o),
            number(o.residual),
            number(o.residual.map(|_| o.residual_se)),
            o.residual_if_empty,
            o.rim_mm,
        )?;
    }
    Ok(())
}

/// The parameters as the report names them.
#[must_use]
pub fn parameters(params: &Params) -> Value {
    json!({
        "fwhm_mm": params.fwhm_mm,
        "thinnest_mm": params.thinnest_mm,
        "largest_opening_mm": params.largest_opening_mm,
        "roi_mm": params.roi_mm,
        "decisions": params.decisions.len(),
    })
}

/// What was found as the report names it.
#[must_use]
pub fn result(found: &thin_bone::Report) -> Value {
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
        "openings": found.openings.iter().map(opening).collect::<Vec<_>>(),
    })
}

/// What was found, in a few lines.
#[must_use]
pub fn describe(found: &thin_bone::Report) -> String {
    let [xy, z] = found.calibration.psf.fwhm_mm();
    let count = |v| found.openings.iter().filter(|o| o.verdict == v).count();
    format!(
        "blur {xy:.2} mm in-plane, {z:.2} mm through-plane: walls show from {:.2} mm next to air, {:.2} mm between soft \
         tissues, holes from {:.1} mm\nadded {:.0} mm3; openings: {} open, {} undecided (kept open), {} filled",
        found.thinnest_seen_mm[0],
        found.thinnest_seen_mm[1],
        found.smallest_hole_mm,
        found.added_mm3,
        count(Verdict::Open),
        count(Verdict::Undecided),
        count(Verdict::Filled)
    )
}
