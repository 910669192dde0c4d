//! Thin walls through blur and noise: how much of them the thin bone kernel and public methods find, as a plot.

use crate::python;
use crate::workspace::{Workspace, execute};
use anyhow::Result;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

/// What the script imports.
const REQUIREMENTS: &str = "Testing/Python/requirements-sweep.txt";
const SCRIPT: &str = "Testing/Python/sweep.py";

/// Where the results go.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The plot (PNG) [default: `sweep.png` in the target folder]; the figures go beside it, as JSON.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Runs `skull thin-bone` and its peers over all walls, some minutes long, and plots what they found.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<ExitCode> {
    let python = python::environment(workspace, REQUIREMENTS)?;
    let skull = workspace.skull()?;
    let output = arguments.output.clone().unwrap_or_else(|| workspace.target.join("sweep.png"));
    let mut sweep = Command::new(python);
    sweep.arg(workspace.root.join(SCRIPT)).arg(skull).arg(&output).arg("--json").arg(output.with_extension("json"));
    execute(sweep.env("PYTHONDONTWRITEBYTECODE", "1"))?;
    println!("{}", output.display());
    Ok(ExitCode::SUCCESS)
}
