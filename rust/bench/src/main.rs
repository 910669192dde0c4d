//! Time and memory of one kernel on one volume, in a process of its own; `cargo xtask bench` runs them all.
//!
//! As for the peers that ours are measured against, the volume is in memory before the clock starts, the mask is the
//! volume above its Otsu threshold, and making room for the result counts.

mod memory;
mod operation;

use anyhow::{Result, ensure};
use clap::Parser;
use operation::{Inputs, Operation};
use std::path::PathBuf;
use std::time::Instant;

/// Measures one kernel and prints what it took as JSON.
#[derive(Parser)]
struct Arguments {
    /// A scan (NIfTI).
    volume: PathBuf,
    /// What to measure.
    #[arg(long)]
    operation: Operation,
    /// Threads to work with.
    #[arg(long)]
    threads: usize,
    /// How often; the median counts.
    #[arg(long)]
    repeat: usize,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    ensure!(arguments.repeat > 0, "nothing to repeat");
    let pool = rayon::ThreadPoolBuilder::new().num_threads(arguments.threads).build()?;
    let inputs = Inputs::load(&arguments.volume)?;
    let mut run = arguments.operation.prepare(&inputs);

    let before = memory::forget_peak();
    let mut seconds = Vec::new();
    for _ in 0..arguments.repeat {
        let start = Instant::now();
        pool.install(&mut run)?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    let above_inputs = memory::peak().zip(before).map(|(peak, before)| peak.saturating_sub(before));

    seconds.sort_by(f64::total_cmp);
    let report = serde_json::json!({
        "seconds": seconds[seconds.len() / 2],
        "voxels": inputs.grid.voxels(),
        "above_inputs_bytes": above_inputs,
    });
    println!("{report}");
    Ok(())
}
