//! Where things lie, and how the project's own programs are built.

use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The checkout that this program was built from.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// The folder of the top `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// Where cargo builds; everything a chore makes or fetches goes below it.
    pub(crate) target: PathBuf,
}

impl Workspace {
    /// Asks cargo where the workspace and its target folder are.
    pub(crate) fn find() -> Result<Self> {
        let metadata = Command::new(cargo())
            .args(["metadata", "--locked", "--no-deps", "--format-version", "1"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .context("cargo does not start")?;
        ensure!(metadata.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&metadata.stderr).trim());
        let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout)?;
        let folder = |key: &str| metadata[key].as_str().map(PathBuf::from).with_context(|| format!("no {key}"));
        Ok(Self { root: folder("workspace_root")?, target: folder("target_directory")? })
    }

    /// Cargo, to be run at the top of the workspace.
    pub(crate) fn cargo(&self, subcommand: &str) -> Command {
        let mut cargo = Command::new(cargo());
        cargo.current_dir(&self.root).args([subcommand, "--locked"]);
        cargo
    }

    /// Builds a package's binary for release and gives its path.
    pub(crate) fn release(&self, package: &str, binary: &str) -> Result<PathBuf> {
        execute(self.cargo("build").args(["--release", "--package", package, "--bin", binary]))?;
        Ok(self.target.join("release").join(binary).with_extension(std::env::consts::EXE_EXTENSION))
    }

    /// The command line program, built for release.
    pub(crate) fn skull(&self) -> Result<PathBuf> {
        self.release("skull-cli", "skull")
    }

    /// The independent checks and timings that may lie beside the checkout.
    pub(crate) fn referee(&self, script: &str) -> Option<PathBuf> {
        self.shared("referee").map(|folder| folder.join(script)).filter(|script| script.is_file())
    }

    /// A folder that may lie beside the checkout.
    pub(crate) fn shared(&self, name: &str) -> Option<PathBuf> {
        Some(self.root.join("../shared").join(name)).filter(|folder| folder.is_dir())
    }
}

/// Runs a command whose output the user sees, and fails where it fails.
pub(crate) fn execute(command: &mut Command) -> Result<()> {
    let name = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("{name} does not start"))?;
    ensure!(status.success(), "{name}: {status}");
    Ok(())
}

/// The cargo that started us, else the one on the path.
fn cargo() -> std::ffi::OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}
