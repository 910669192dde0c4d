//! The bridge under CMake, and the Slicer module's logic on Slicer's libraries from the Python package index.

use crate::python;
use crate::tally::Tally;
use crate::workspace::{Workspace, execute};
use anyhow::{Context, Result, ensure};
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Slicer's libraries, CMake, and what the tests import.
const REQUIREMENTS: &str = "SlicerModule/Testing/Python/requirements-slicer.txt";

/// Programs and libraries below the target folder.
#[derive(Debug)]
pub(crate) struct Tools {
    python: PathBuf,
    /// VTK's headers and wrapping tools, which its Python package leaves out; or why they are not there.
    vtk_dev: Result<PathBuf>,
    build: PathBuf,
}

impl Tools {
    /// Gets what is not there yet.
    ///
    /// # Errors
    /// Where the Python packages cannot be installed.
    pub(crate) fn set_up(workspace: &Workspace) -> Result<Self> {
        let python = python::environment(workspace, REQUIREMENTS)?;
        let vtk_dev = vtk_dev(workspace, &python);
        Ok(Self { python, vtk_dev, build: workspace.target.join("slicer") })
    }

    /// Lets a command find CMake and Ninja.
    pub(crate) fn offer_cmake(&self, command: &mut Command) {
        let mut path: Vec<PathBuf> = self.python.parent().map(Path::to_path_buf).into_iter().collect();
        path.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
        command.env("PATH", env::join_paths(path).unwrap_or_default());
        command.env("CMAKE", self.program("cmake")).env("CMAKE_GENERATOR", "Ninja");
    }

    /// The C++ tests of the bridge with CMake's own build, and the tests of the logic.
    pub(crate) fn tests(&self, workspace: &Workspace, skull: &Path) -> Result<Tally> {
        if let Err(error) = self.build(workspace) {
            eprintln!("the bridge or the Slicer module does not build: {error:#}");
            return Ok(Tally::default().with_status(false));
        }
        let mut tally = self.ctest()?;
        match &self.vtk_dev {
            Err(reason) => tally.skipped.push(format!("tests of the Slicer module's logic: {reason:#}")),
            Ok(_) => tally.add(self.pytest(workspace, skull)?),
        }
        Ok(tally)
    }

    fn build(&self, workspace: &Workspace) -> Result<()> {
        let mut configure = self.cmake();
        configure.arg("-S").arg(&workspace.root).arg("-B").arg(&self.build);
        configure.arg("-DCMAKE_BUILD_TYPE=Release");
        configure.arg(define("SkullEffects_CARGO_TARGET_DIR", &workspace.target));
        let mut targets = vec!["bridge_cases", "bridge_module"];
        if let Ok(vtk_dev) = &self.vtk_dev {
            configure.arg(define("SkullEffects_WHEELS_PYTHON", &self.python));
            configure.arg(define("SkullEffects_VTK_DEV", vtk_dev));
            targets.push("SkullEffectsPython");
        }
        // What CMake would say of each compiler check is of interest only where one fails.
        let configured = configure.output().context("CMake does not start")?;
        let said = [configured.stdout, configured.stderr].concat();
        ensure!(configured.status.success(), "{}", String::from_utf8_lossy(&said));
        execute(self.cmake().arg("--build").arg(&self.build).arg("--target").args(targets))
    }

    fn ctest(&self) -> Result<Tally> {
        let report = self.build.join("ctest.xml");
        let mut ctest = Command::new(self.program("ctest"));
        self.offer_cmake(&mut ctest);
        let status = ctest
            .arg("--test-dir")
            .arg(&self.build)
            .args(["--output-on-failure", "--tests-regex", "bridge|Logic", "--no-tests=error", "--output-junit"])
            .arg(&report)
            .status()?;
        let report = fs::read_to_string(&report).context("ctest left no report")?;
        Ok(Tally::from_junit(&report)?.with_status(status.success()))
    }

    fn pytest(&self, workspace: &Workspace, skull: &Path) -> Result<Tally> {
        let report = self.build.join("pytest.xml");
        let mut pytest = Command::new(&self.python);
        if let Some(scans) = workspace.shared("data") {
            pytest.env("SKULL_SCANS", scans);
        }
        let status = pytest
            .args(["-m", "pytest", "-p", "no:cacheprovider", "-q", "SlicerModule/Testing/Python", "--junitxml"])
            .arg(&report)
            .current_dir(&workspace.root)
            .env("PYTHONPATH", self.build.join("python"))
            .env("SKULL_BIN", skull)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .status()?;
        let report = fs::read_to_string(&report).context("pytest left no report")?;
        Ok(Tally::from_junit(&report)?.with_status(status.success()))
    }

    fn cmake(&self) -> Command {
        let mut cmake = Command::new(self.program("cmake"));
        self.offer_cmake(&mut cmake);
        cmake
    }

    fn program(&self, name: &str) -> PathBuf {
        self.python.with_file_name(name).with_extension(env::consts::EXE_EXTENSION)
    }
}

fn define(name: &str, value: &Path) -> OsString {
    let mut argument = OsString::from(format!("-D{name}="));
    argument.push(value);
    argument
}

/// The folder of VTK's headers and wrapping tools.
fn vtk_dev(workspace: &Workspace, python: &Path) -> Result<PathBuf> {
    ensure!(
        cfg!(all(target_os = "linux", target_arch = "x86_64")),
        "VTK's headers are only had from Debian's packages for x86-64"
    );
    let folder = workspace.target.join("vtk-dev");
    if folder.join("version").is_file() {
        return Ok(folder);
    }
    eprintln!("getting VTK's headers and wrapping tools");
    let mut fetch = Command::new("sh");
    fetch.arg(workspace.root.join("cmake/fetch_vtk_dev.sh")).arg(&folder).arg(python);
    let saved = workspace.shared("slicer_wheels").and_then(|folder| archive_in(&folder));
    if let Some(saved) = saved {
        fetch.env("VTK_DEV_ARCHIVE", saved);
    }
    let done = fetch.output()?;
    ensure!(done.status.success(), "VTK's headers: {}", String::from_utf8_lossy(&done.stderr).trim());
    Ok(folder)
}

/// A copy of VTK's headers that was made earlier.
fn archive_in(folder: &Path) -> Option<PathBuf> {
    let files = fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    files.into_iter().find(|path| path.to_string_lossy().ends_with(".tar.xz"))
}
