//! The project's chores. Each sets up what it needs below the target folder.

mod bench;
mod demo;
mod gallery;
mod python;
mod scans;
mod slicer;
mod sweep;
mod tally;
mod test;
mod workspace;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::process::ExitCode;
use workspace::Workspace;

/// The project's chores.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Runs all tests there are; the last line counts them.
    Test,
    /// Shows the main job on a real scan, with pictures to look at.
    Demo(demo::Arguments),
    /// Times each kernel, beside public libraries on request.
    Bench(bench::Arguments),
    /// Puts the solid heads of all scans in a folder on one sheet.
    Gallery(gallery::Arguments),
    /// Plots which walls thinner than a voxel are found, beside public methods.
    Sweep(sweep::Arguments),
}

fn main() -> ExitCode {
    run(Arguments::parse().chore).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

fn run(chore: Chore) -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    match chore {
        Chore::Test => test::run(&workspace),
        Chore::Demo(arguments) => demo::run(&workspace, &arguments),
        Chore::Bench(arguments) => bench::run(&workspace, &arguments),
        Chore::Gallery(arguments) => gallery::run(&workspace, &arguments),
        Chore::Sweep(arguments) => sweep::run(&workspace, &arguments),
    }
}
