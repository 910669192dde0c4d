//! Our kernels beside the fastest public libraries, on the same volume, with the same threads, by turns.

use crate::python;
use crate::workspace::Workspace;
use anyhow::{Context, Result, ensure};
use clap::builder::PossibleValuesParser;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// What the peers import.
const REQUIREMENTS: &str = "Testing/Python/requirements-peers.txt";

/// A kernel, the name of its peers' operation, and how many times faster than the fastest of them it has to be.
const OPERATIONS: [(&str, &str, f64); 10] = [
    ("distance", "distance transform, exact, anisotropic", 3.0),
    ("largest", "largest 26-connected component", 1.0),
    ("fill", "fill enclosed background", 2.0),
    ("closing", "closing with an 8 mm ball", 4.0),
    ("gaussian", "Gaussian smoothing, sigma 1 voxel", 3.0),
    ("threshold", "threshold in a mask, two bounds", 2.0),
    ("otsu", "Otsu threshold in a mask", 10.0),
    ("surface", "surface from a mask", 3.0),
    ("skin", "skin: threshold, largest part, closing, fill", 3.0),
    ("thin-bone", "thin bone: plate measure at three scales, hysteresis", 8.0),
];

/// The operation of which a region is measured, too, that of the region, and the share it may take of the whole.
const REGION: (&str, &str, f64) = ("thin-bone", "thin-bone-region", 0.1);

/// What to measure on.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A scan (NIfTI).
    scan: PathBuf,
    /// Measure the peers too, where their script lies beside the checkout.
    #[arg(long)]
    peers: bool,
    /// Threads for ours and for the peers; all processors unless given.
    #[arg(long)]
    threads: Option<usize>,
    /// Runs of which the median counts.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..))]
    repeat: u8,
    /// Measure only these.
    #[arg(long, num_args = 1.., value_parser = PossibleValuesParser::new(OPERATIONS.map(|(operation, ..)| operation)))]
    only: Vec<String>,
    /// The middle of the region of 60 mm that thin bone is measured in (RAS, mm); the volume's unless given.
    #[arg(long, num_args = 3, value_names = ["R", "A", "S"], allow_negative_numbers = true)]
    around: Vec<f64>,
}

/// Loads a volume as many times as asked and prints the median in seconds.
const NIBABEL_LOAD: &str = "
import statistics, sys, time
import nibabel, numpy
def load():
    start = time.perf_counter()
    numpy.asarray(nibabel.load(sys.argv[1]).dataobj)
    return time.perf_counter() - start
print(statistics.median(load() for _ in range(int(sys.argv[2]))))
";

/// Prints a table of times and peak memory.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<ExitCode> {
    let threads = arguments.threads.unwrap_or(std::thread::available_parallelism()?.get());
    let bench = Bench {
        scan: arguments.scan.canonicalize().with_context(|| arguments.scan.display().to_string())?,
        threads: threads.to_string(),
        repeat: arguments.repeat.to_string(),
        around: arguments.around.iter().map(f64::to_string).collect(),
        folder: workspace.target.join("bench"),
    };
    fs::create_dir_all(&bench.folder)?;
    let kernels = workspace.release("skull-bench", "skull-bench")?;
    let peers = if arguments.peers { Peers::find(workspace) } else { None };

    let scan = bench.scan.file_name().unwrap_or_default().to_string_lossy();
    println!(
        "{scan}, {threads} threads, median of {}; peak memory is that of the first run above the inputs\n",
        bench.repeat
    );
    println!("| operation | ms | ns/voxel | peak B/voxel | fastest peer | ms | peak B/voxel | ratio | bar |");
    println!("|---|--:|--:|--:|---|--:|--:|--:|---|");
    let (mut stages, mut regions) = (Vec::new(), Vec::new());
    for (operation, title, bar) in OPERATIONS {
        if !arguments.only.is_empty() && !arguments.only.iter().any(|only| only == operation) {
            continue;
        }
        let ours = bench.ours(&kernels, operation)?;
        let peer = peers.as_ref().map(|peers| bench.fastest(peers, title)).transpose()?.flatten();
        println!("{}", row(title, &ours, peer.as_ref(), bar));
        if let Some(shares) = shares(&ours) {
            stages.push(format!("{operation}: {shares}"));
        }
        if operation == REGION.0 {
            let region = bench.ours(&kernels, REGION.1)?;
            stages.extend(shares(&region).map(|shares| format!("{}: {shares}", REGION.1)));
            regions.push(region_line(&region, &ours));
        }
    }
    regions.iter().for_each(|line| println!("\n{line}"));
    if !stages.is_empty() {
        println!("\nns/voxel and share of each stage");
        stages.iter().for_each(|line| println!("{line}"));
    }

    if !arguments.only.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let [load, compute, write] = bench.skin_phases(&workspace.skull()?)?;
    println!("\n`skull skin`: load {load:.0} ms, compute {compute:.0} ms, write {write:.0} ms");
    if let Some(peers) = peers {
        println!("nibabel: load {:.0} ms", bench.nibabel_load(&peers)?);
    }
    Ok(ExitCode::SUCCESS)
}

/// What is the same for ours and for the peers.
struct Bench {
    scan: PathBuf,
    threads: String,
    repeat: String,
    /// The middle of a region, where it is not the volume's.
    around: Vec<String>,
    /// For results that end in files.
    folder: PathBuf,
}

/// What one process measured.
struct Measured {
    name: String,
    seconds: f64,
    voxels: f64,
    above_inputs_bytes: Option<f64>,
    /// Name and seconds of each stage, where there are any.
    stages: Vec<(String, f64)>,
}

/// Other people's libraries, behind one script.
struct Peers {
    python: PathBuf,
    script: PathBuf,
}

impl Peers {
    /// The peers, unless something is missing for them, which is said.
    fn find(workspace: &Workspace) -> Option<Self> {
        let Some(script) = workspace.referee("peers.py") else {
            eprintln!("no peers: their script is not on this machine");
            return None;
        };
        match python::environment(workspace, REQUIREMENTS) {
            Ok(python) => Some(Self { python, script }),
            Err(reason) => {
                eprintln!("no peers: {reason:#}");
                None
            }
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.python);
        command.arg(&self.script).env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }

    /// The names of those that do an operation.
    fn of(&self, operation: &str) -> Result<Vec<String>> {
        let list = output(self.command().arg("--list"))?;
        let names = list.lines().filter_map(|line| line.strip_prefix(operation)).map(|name| name.trim().to_owned());
        Ok(names.collect())
    }
}

impl Bench {
    fn ours(&self, program: &Path, operation: &str) -> Result<Measured> {
        let mut command = Command::new(program);
        command.arg(&self.scan).args(["--operation", operation]).args(self.conditions());
        if !self.around.is_empty() {
            command.arg("--around").args(&self.around);
        }
        let out = output(&mut command)?;
        let report: Value = serde_json::from_str(&out)?;
        Ok(Measured {
            name: operation.to_owned(),
            seconds: report["seconds"].as_f64().context("no time")?,
            voxels: report["voxels"].as_f64().context("no size")?,
            above_inputs_bytes: report["above_inputs_bytes"].as_f64(),
            stages: serde_json::from_value(report["stages"].clone())?,
        })
    }

    /// The fastest peer in an operation; `None` where none of them works here.
    fn fastest(&self, peers: &Peers, operation: &str) -> Result<Option<Measured>> {
        let report = self.folder.join("peers.json");
        let names = peers.of(operation)?;
        ensure!(!names.is_empty(), "no peer does '{operation}'");
        output(
            peers
                .command()
                .arg(&self.scan)
                .args(self.conditions())
                .arg("--json")
                .arg(&report)
                .arg("--only")
                .args(names),
        )?;
        let rows: Vec<Value> = serde_json::from_str(&fs::read_to_string(report)?)?;
        let measured = rows.iter().filter_map(|row| {
            Some(Measured {
                name: row["peer"].as_str()?.to_owned(),
                seconds: row["seconds"].as_f64()?,
                voxels: row["voxels"].as_f64()?,
                above_inputs_bytes: row["above_inputs_mib"].as_f64().map(|mib| mib * 1024.0 * 1024.0),
                stages: Vec::new(),
            })
        });
        Ok(measured.min_by(|a, b| a.seconds.total_cmp(&b.seconds)))
    }

    /// Milliseconds that `skull skin` takes to load, compute and write, each the median of its own.
    fn skin_phases(&self, skull: &Path) -> Result<[f64; 3]> {
        let (mask, report) = (self.folder.join("skin.nii.gz"), self.folder.join("skin.json"));
        let mut runs: Vec<Value> = Vec::new();
        for _ in 0..self.repeat.parse()? {
            let mut skin = Command::new(skull);
            skin.arg("skin").arg(&self.scan).arg("-o").arg(&mask).arg("--report").arg(&report);
            output(skin.args(["--quiet", "--threads", &self.threads]))?;
            runs.push(serde_json::from_str(&fs::read_to_string(&report)?)?);
        }
        let median = |phase: &str| {
            let mut seconds: Vec<f64> = runs.iter().filter_map(|run| run["seconds"][phase].as_f64()).collect();
            seconds.sort_by(f64::total_cmp);
            seconds.get(seconds.len() / 2).map(|s| s * 1e3).with_context(|| format!("no {phase} time in the report"))
        };
        Ok([median("load")?, median("compute")?, median("write")?])
    }

    /// Milliseconds that nibabel takes to load the scan.
    fn nibabel_load(&self, peers: &Peers) -> Result<f64> {
        let seconds = output(Command::new(&peers.python).args(["-c", NIBABEL_LOAD]).arg(&self.scan).arg(&self.repeat))?;
        Ok(seconds.trim().parse::<f64>()? * 1e3)
    }

    fn conditions(&self) -> [&str; 4] {
        ["--threads", &self.threads, "--repeat", &self.repeat]
    }
}

fn row(title: &str, ours: &Measured, peer: Option<&Measured>, bar: f64) -> String {
    let bytes = |m: &Measured| m.above_inputs_bytes.map_or_else(|| "?".into(), |b| format!("{:.1}", b / m.voxels));
    let (ms, ns) = (ours.seconds * 1e3, ours.seconds / ours.voxels * 1e9);
    let ours_cells = format!("| {title} | {ms:.1} | {ns:.2} | {} |", bytes(ours));
    let Some(peer) = peer else { return format!("{ours_cells} | | | | |") };
    let ratio = peer.seconds / ours.seconds;
    let verdict = if ratio >= bar { "met" } else { "missed" };
    let (name, peer_ms) = (&peer.name, peer.seconds * 1e3);
    format!("{ours_cells} {name} | {peer_ms:.1} | {} | {ratio:.1}x | {bar:.0}x {verdict} |", bytes(peer))
}

/// What a region took of the time that the whole takes.
fn region_line(region: &Measured, whole: &Measured) -> String {
    let share = region.seconds / whole.seconds;
    let verdict = if share <= REGION.2 { "met" } else { "missed" };
    let (ms, percent, bar) = (region.seconds * 1e3, 100.0 * share, 100.0 * REGION.2);
    format!("{} of 60 mm: {ms:.1} ms, {percent:.1} % of the whole ({bar:.0} % {verdict})", region.name)
}

/// What each stage took per voxel, and its share of the whole.
fn shares(ours: &Measured) -> Option<String> {
    let each = ours.stages.iter().map(|(name, seconds)| {
        format!("{name} {:.1} ({:.0} %)", seconds / ours.voxels * 1e9, 100.0 * seconds / ours.seconds)
    });
    (!ours.stages.is_empty()).then(|| each.collect::<Vec<_>>().join(", "))
}

/// What a command prints.
fn output(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let out = command.output().with_context(|| program.clone())?;
    ensure!(out.status.success(), "{program}: {}", String::from_utf8_lossy(&out.stderr).trim());
    Ok(String::from_utf8(out.stdout)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_compares_with_the_fastest_peer() {
        let ours = Measured {
            name: "fill".into(),
            seconds: 0.02,
            voxels: 1e7,
            above_inputs_bytes: Some(1.5e7),
            stages: Vec::new(),
        };
        let peer = Measured {
            name: "fill_voids_fill".into(),
            seconds: 0.05,
            voxels: 1e7,
            above_inputs_bytes: None,
            stages: Vec::new(),
        };
        assert_eq!(
            row("fill", &ours, Some(&peer), 2.0),
            "| fill | 20.0 | 2.00 | 1.5 | fill_voids_fill | 50.0 | ? | 2.5x | 2x met |"
        );
        assert!(row("fill", &ours, Some(&peer), 3.0).ends_with("3x missed |"));
        assert_eq!(row("fill", &ours, None, 2.0), "| fill | 20.0 | 2.00 | 1.5 | | | | | |");
        assert_eq!(region_line(&ours, &peer), "fill of 60 mm: 20.0 ms, 40.0 % of the whole (10 % missed)");
        assert_eq!(shares(&ours), None);
        let staged = Measured { stages: vec![("flood".into(), 0.005), ("paint".into(), 0.015)], ..ours };
        assert_eq!(shares(&staged).unwrap(), "flood 0.5 (25 %), paint 1.5 (75 %)");
    }
}
