//! All tests that this machine can run, in one go.

use crate::tally::Tally;
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use std::io::{BufRead, BufReader};
use std::process::{ExitCode, Stdio};

/// Runs every suite, prints a reason for each skip and the counts on the last line.
pub(crate) fn run(workspace: &Workspace) -> Result<ExitCode> {
    let tally = rust_tests(workspace)?;
    println!("\n{tally}");
    Ok(if tally.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Unit, integration and documentation tests of the whole workspace.
fn rust_tests(workspace: &Workspace) -> Result<Tally> {
    let mut cargo = workspace.cargo("test").args(["--workspace", "--no-fail-fast"]).stdout(Stdio::piped()).spawn()?;
    let mut tally = Tally::default();
    for line in BufReader::new(cargo.stdout.take().context("no output")?).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        tally.read_libtest_line(&line);
    }
    Ok(tally.with_status(cargo.wait()?.success()))
}
