//! All tests that this machine can run, in one go.

use crate::python;
use crate::slicer;
use crate::tally::Tally;
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

/// What the Python tests and the referee import.
const REQUIREMENTS: &str = "Testing/Python/requirements.txt";

/// Runs every suite, prints a reason for each skip and the counts on the last line.
pub(crate) fn run(workspace: &Workspace) -> Result<ExitCode> {
    let tools = slicer::Tools::set_up(workspace);
    let mut tally = rust_tests(workspace, tools.as_ref().ok())?;
    match python::environment(workspace, REQUIREMENTS) {
        Err(reason) => tally.skipped.push(format!("Python tests and referee: {reason:#}")),
        Ok(python) => match workspace.skull() {
            Err(error) => {
                eprintln!("the command line does not build: {error:#}");
                tally.failed += 1;
            }
            Ok(skull) => {
                tally.add(python_tests(workspace, &python, &skull)?);
                tally.add(referee(workspace, &python, &skull)?);
                match &tools {
                    Err(reason) => tally.skipped.push(format!("bridge under CMake, and Slicer logic: {reason:#}")),
                    Ok(tools) => tally.add(tools.tests(workspace, &skull)?),
                }
            }
        },
    }
    println!("\n{tally}");
    Ok(if tally.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Unit, integration and documentation tests of the whole workspace, and the bridge's in C++ if there are tools for it.
fn rust_tests(workspace: &Workspace, tools: Option<&slicer::Tools>) -> Result<Tally> {
    let mut cargo = workspace.cargo("test");
    if let Some(tools) = tools {
        tools.offer_cmake(&mut cargo);
    }
    let mut cargo = cargo.args(["--workspace", "--no-fail-fast"]).stdout(Stdio::piped()).spawn()?;
    let mut tally = Tally::default();
    for line in BufReader::new(cargo.stdout.take().context("no output")?).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        tally.read_libtest_line(&line);
    }
    Ok(tally.with_status(cargo.wait()?.success()))
}

/// Tests that look at the command line's files through other people's programs.
fn python_tests(workspace: &Workspace, python: &Path, skull: &Path) -> Result<Tally> {
    let report = workspace.target.join("python/report.xml");
    let mut pytest = Command::new(python);
    if let Some(scans) = workspace.shared("data") {
        pytest.env("SKULL_SCANS", scans);
    }
    if let Some(referee) = workspace.shared("referee") {
        pytest.env("SKULL_REFEREE", referee).env("SKULL_REFEREE_CASES", referee_cases(workspace));
    }
    let status = pytest
        .args(["-m", "pytest", "-p", "no:cacheprovider", "-q", "Testing/Python", "--junitxml"])
        .arg(&report)
        .current_dir(&workspace.root)
        .env("SKULL_BIN", skull)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .status()?;
    let report = fs::read_to_string(&report).context("pytest left no report")?;
    Ok(Tally::from_junit(&report)?.with_status(status.success()))
}

/// The referee's head phantoms, each drawn once, where the referee lies beside the checkout.
fn referee(workspace: &Workspace, python: &Path, skull: &Path) -> Result<Tally> {
    let Some(script) = workspace.referee("run.py") else {
        return Ok(Tally { skipped: vec!["referee: not on this machine".into()], ..Tally::default() });
    };
    let report = workspace.target.join("referee-skin.json");
    let _ = fs::remove_file(&report);
    let status = Command::new(python)
        .arg(script)
        .args(["skin", &format!("'{}' skin {{image}} -o {{out}}", skull.display()), "--seeds", "11"])
        .arg("--cache")
        .arg(referee_cases(workspace))
        .arg("--json")
        .arg(&report)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .status()?;
    let cases = fs::read_to_string(&report).map_or_else(|_| Ok(Tally::default()), |json| Tally::from_referee(&json))?;
    Ok(cases.with_status(status.success()))
}

/// Where the referee's phantoms are kept once they are drawn.
fn referee_cases(workspace: &Workspace) -> PathBuf {
    workspace.target.join("referee-cases")
}
