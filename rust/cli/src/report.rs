//! What `--report` writes.

use crate::nifti_header::Header;
use crate::output::Outputs;
use crate::session::{Seconds, Session};
use anyhow::Result;
use serde::Serialize;
use serde_json::Value;
use skull_kernels::Grid;
use std::io::Write;
use std::path::{Path, PathBuf};

/// One run of a command, for programs to read.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Program and version.
    pub program: &'static str,
    /// Which command.
    pub command: &'static str,
    /// What it read.
    pub input: Input,
    /// How it was asked to work.
    pub parameters: Value,
    /// What it found.
    pub result: Value,
    /// What the user should know about the result.
    pub warnings: Vec<String>,
    /// What it wrote.
    pub outputs: Vec<PathBuf>,
    /// Threads that worked.
    pub threads: usize,
    /// Time spent.
    pub seconds: Seconds,
}

/// An image that was read.
#[derive(Debug, Serialize)]
pub struct Input {
    /// Its file.
    pub path: PathBuf,
    /// Voxels along x, y and z.
    pub size: [usize; 3],
    /// Distance between voxels' centres along x, y and z.
    pub spacing_mm: [f64; 3],
    /// Where x, y and z point, as letters of R, L, A, P, S, I.
    pub orientation: String,
    /// Type of the voxels in the file.
    pub voxel_type: String,
}

impl Input {
    /// Describes an image.
    #[must_use]
    pub fn new(path: &Path, header: &Header, grid: &Grid) -> Self {
        Self {
            path: path.to_path_buf(),
            size: grid.size(),
            spacing_mm: grid.spacing_mm(),
            orientation: orientation(grid),
            voxel_type: header.voxel_type().map_or_else(|_| "unknown".into(), |t| format!("{t:?}").to_lowercase()),
        }
    }
}

impl Report {
    /// Collects what the session and the outputs know.
    #[must_use]
    pub fn new(
        command: &'static str,
        input: Input,
        parameters: Value,
        result: Value,
        session: &Session,
        outputs: &Outputs,
    ) -> Self {
        Self {
            program: concat!("skull ", env!("CARGO_PKG_VERSION")),
            command,
            input,
            parameters,
            result,
            warnings: session.warnings().to_vec(),
            outputs: outputs.paths(),
            threads: session.threads(),
            seconds: session.seconds(),
        }
    }

    /// Writes it as indented JSON.
    ///
    /// # Errors
    /// Where `out` cannot be written.
    pub fn write(&self, out: &mut dyn Write) -> Result<()> {
        serde_json::to_writer_pretty(&mut *out, self)?;
        Ok(writeln!(out)?)
    }
}

/// Where x, y and z point, as three of R, L, A, P, S, I.
#[must_use]
pub fn orientation(grid: &Grid) -> String {
    const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    let axes = grid.axes();
    // All three together: the nearest of each alone could name one patient axis twice.
    let fit = |order: &[usize; 3]| (0..3).map(|axis| axes[axis][order[axis]].abs()).product::<f64>();
    let nearest = ORDERS.into_iter().max_by(|a, b| fit(a).total_cmp(&fit(b))).expect("six orders");
    let letter = |axis: usize| {
        let patient_axis = nearest[axis];
        [['L', 'R'], ['P', 'A'], ['I', 'S']][patient_axis][usize::from(axes[axis][patient_axis] > 0.0)]
    };
    (0..3).map(letter).collect()
}
