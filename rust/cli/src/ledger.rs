//! The list of a skull's openings, as files: written as JSON or CSV, and read back with a user's decisions.

use anyhow::{Context, Result, anyhow, bail};
use serde::Deserialize;
use serde_json::{Value, json};
use skull_kernels::thin_bone::{Decision, Opening, Verdict};
use std::io::Write;
use std::path::{Path, PathBuf};

/// A file name for a list of openings.
///
/// # Errors
/// Where its ending does not say JSON or CSV.
pub fn ledger_path(name: &str) -> Result<PathBuf, String> {
    let lower = name.to_lowercase();
    if lower.ends_with(".json") || lower.ends_with(".csv") {
        Ok(name.into())
    } else {
        Err("the name must end in .json or .csv".into())
    }
}

/// Writes the list in the format that the ending of `path` says.
///
/// # Errors
/// Where `out` cannot be written.
pub fn write(out: &mut dyn Write, path: &Path, openings: &[Opening]) -> Result<()> {
    if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("csv")) {
        write_csv(out, openings)
    } else {
        write_json(out, openings)
    }
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

/// Reads decisions: a list of them, or an edited list of openings (JSON).
///
/// # Errors
/// Where the file cannot be read or is something else.
pub fn read_decisions(path: &Path) -> Result<Vec<Decision>> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    parse_decisions(&text).with_context(|| path.display().to_string())
}

fn parse_decisions(text: &str) -> Result<Vec<Decision>> {
    let file: DecisionFile = serde_json::from_str(text).map_err(|error| anyhow!("not a list of decisions: {error}"))?;
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

/// An opening as JSON.
#[must_use]
pub fn opening(o: &Opening) -> Value {
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

fn write_json(out: &mut dyn Write, openings: &[Opening]) -> Result<()> {
    let openings: Vec<Value> = openings.iter().map(opening).collect();
    serde_json::to_writer_pretty(&mut *out, &json!({ "openings": openings }))?;
    writeln!(out)?;
    Ok(())
}

const COLUMNS: [&str; 14] = [
    "id",
    "r_mm",
    "a_mm",
    "s_mm",
    "diameter_mm",
    "area_mm2",
    "verdict",
    "decided_by",
    "residual",
    "residual_se",
    "residual_if_empty",
    "rim_thickness_mm",
    "medium_behind",
    "medium_ahead",
];

fn write_csv(out: &mut dyn Write, openings: &[Opening]) -> Result<()> {
    let mut table = csv::WriterBuilder::new().has_headers(false).from_writer(out);
    table.write_record(COLUMNS)?;
    let rounded = |value: f64| (1e3 * value).round() / 1e3;
    for o in openings {
        let [behind, ahead] = o.media_hu.map(medium);
        table.serialize((
            o.id,
            o.center_ras_mm.map(rounded),
            [o.diameter_mm, o.area_mm2].map(rounded),
            [verdict(o), decided_by(o)],
            [o.residual, o.residual.map(|_| o.residual_se)].map(|share| share.map(rounded)),
            [o.residual_if_empty, o.rim_mm].map(rounded),
            [behind, ahead],
        ))?;
    }
    Ok(table.flush()?)
}
