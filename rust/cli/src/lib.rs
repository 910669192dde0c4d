//! The command line of SkullEffects as a library: what the program `skull` does, to be called in-process.
//!
//! [`cli`] says what can be asked, each of [`commands`] does it within a [`session`], images come from
//! [`volume_io`] and results go to [`output`].

pub mod bone_picture;
pub mod cli;
pub mod commands;
pub mod landmarks;
pub mod ledger;
pub mod mesh_file;
pub mod nifti_header;
pub mod output;
pub mod picture;
pub mod placement;
pub mod preview;
pub mod report;
pub mod session;
pub mod volume_io;
pub mod voxels;

use clap::Parser;
use std::process::ExitCode;

const FAILED: u8 = 1;
const WRONG_USAGE: u8 = 2;
/// What shells report of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

/// Runs the program on its command line and returns its exit code.
#[must_use]
pub fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let Err(error) = cli.command.run() else { return ExitCode::SUCCESS };
    if is_broken_pipe(&error) {
        return ExitCode::SUCCESS;
    }
    if let Some(usage) = error.downcast_ref::<clap::Error>() {
        let _ = usage.print();
        return ExitCode::from(WRONG_USAGE);
    }
    match error.downcast_ref() {
        Some(skull_kernels::Error::Cancelled) => {
            session::say_stopped();
            ExitCode::from(INTERRUPTED)
        }
        kernel_error => {
            session::complain("error", &format!("{error:#}"));
            let wrong_usage = matches!(kernel_error, Some(skull_kernels::Error::Parameter { .. }));
            ExitCode::from(if wrong_usage { WRONG_USAGE } else { FAILED })
        }
    }
}

/// Whether whoever read the standard output has had enough, as `head` does.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
}
