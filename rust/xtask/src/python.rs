//! Python environments below the target folder, made when they are first needed.

use crate::workspace::Workspace;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The interpreter of an environment that holds exactly what a file of pinned requirements lists.
///
/// # Errors
/// Where this machine has no Python, no venv, or pip cannot install; the message says which.
pub(crate) fn environment(workspace: &Workspace, requirements: &str) -> Result<PathBuf> {
    let wanted = fs::read_to_string(workspace.root.join(requirements)).with_context(|| format!("no {requirements}"))?;
    let name = Path::new(requirements).file_stem().unwrap_or_default();
    let folder = workspace.target.join("python").join(name);
    let python = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    // Written last: an environment without it is half made.
    let installed = folder.join("installed.txt");
    if fs::read_to_string(&installed).is_ok_and(|have| have == wanted) && works(&python) {
        return Ok(python);
    }

    let base =
        ["python3", "python"].into_iter().find(|name| works(Path::new(name))).context("no Python 3.11 or newer")?;
    eprintln!("making a Python environment from {requirements}");
    let venv = Command::new(base).args(["-m", "venv", "--clear"]).arg(&folder).output()?;
    ensure!(venv.status.success(), "{base} has no venv: {}", last_line(&[&venv.stderr[..], &venv.stdout[..]].concat()));
    let pip = Command::new(&python)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", requirements])
        .current_dir(&workspace.root)
        .output()?;
    ensure!(pip.status.success(), "pip cannot install {requirements}: {}", last_line(&pip.stderr));
    fs::write(installed, wanted)?;
    Ok(python)
}

/// Whether this is an interpreter that the pinned packages support.
fn works(python: &Path) -> bool {
    let check = "import sys; sys.exit(sys.version_info < (3, 11))";
    Command::new(python).args(["-c", check]).output().is_ok_and(|out| out.status.success())
}

fn last_line(output: &[u8]) -> String {
    String::from_utf8_lossy(output).lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default().trim().into()
}
