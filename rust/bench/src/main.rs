//! Time and memory of one kernel on one volume, in a process of its own; `cargo xtask bench` runs them all.
//!
//! As for the peers that ours are measured against, the volume is in memory before the clock starts, the mask is the
//! volume above its Otsu threshold, and making room for the result counts.

mod memory;
mod operation;

use anyhow::{Result, ensure};
use clap::Parser;
use operation::{Inputs, Operation};
use skull_kernels::Job;
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
    /// The middle of a region (RAS, mm); the volume's unless given.
    #[arg(long, num_args = 3, value_names = ["R", "A", "S"], allow_negative_numbers = true)]
    around: Option<Vec<f64>>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    ensure!(arguments.repeat > 0, "nothing to repeat");
    let pool = rayon::ThreadPoolBuilder::new().num_threads(arguments.threads).build()?;
    let inputs = Inputs::load(&arguments.volume)?;
    let around_mm = arguments.around.map(|mm| [mm[0], mm[1], mm[2]]);
    let mut run = arguments.operation.prepare(&inputs, around_mm)?;

    let before = memory::forget_peak();
    let (mut runs, mut first_peak) = (Vec::new(), None);
    for _ in 0..arguments.repeat {
        let job = Job::new();
        let start = Instant::now();
        pool.install(|| run(&job))?;
        runs.push((start.elapsed().as_secs_f64(), stages(&job, Instant::now())));
        // what the allocator keeps of one run for the next would count again
        first_peak = first_peak.or_else(memory::peak);
    }
    let above_inputs = first_peak.zip(before).map(|(peak, before)| peak.saturating_sub(before));

    runs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (seconds, stages) = runs.swap_remove(runs.len() / 2);
    let report = serde_json::json!({
        "seconds": seconds,
        "stages": stages,
        "voxels": inputs.grid.voxels(),
        "above_inputs_bytes": above_inputs,
    });
    println!("{report}");
    Ok(())
}

/// Name and seconds of each named stage of a job that has ended.
fn stages(job: &Job, end: Instant) -> Vec<(&'static str, f64)> {
    let stages = job.stages();
    let ends = stages.iter().skip(1).map(|(_, began)| *began).chain([end]);
    stages.iter().zip(ends).map(|((name, began), end)| (*name, (end - *began).as_secs_f64())).collect()
}
