//! What can be asked of the program `skull`.

use crate::commands::{info, run, sample, skin, surface, thin_bone, threshold};
use crate::volume_io::{NiftiFile, Volume};
use anyhow::{Context, Result};
use clap::{ArgAction, Args, Parser, Subcommand};
use skull_kernels::Job;
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// The solid head, the skull in it and their surfaces, from MR or CT.
#[derive(Debug, Parser)]
#[command(name = "skull", version, max_term_width = 100, disable_help_flag = true, after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Print help.
    #[arg(short, long, global = true, action = ArgAction::HelpShort, display_order = 1000)]
    help: Option<bool>,
}

const EXIT_CODES: &str = "\
Images are NIfTI-1 or NIfTI-2: .nii, .nii.gz, or .hdr with .img.
`skull COMMAND --help` shows a command's options and an example.

Exit codes: 0 done, 1 failed (the reason is on stderr, no output was written), 2 wrong usage,
130 stopped by Ctrl-C (no output was written).";

/// The commands.
#[derive(Debug, Subcommand)]
#[allow(missing_docs, reason = "each command's documentation is its help")]
pub enum Command {
    Info(info::Info),
    Skin(skin::Skin),
    ThinBone(thin_bone::ThinBone),
    Threshold(threshold::Threshold),
    Surface(surface::Surface),
    Run(run::Run),
    Sample(sample::Sample),
}

impl Command {
    /// Does what was asked.
    ///
    /// # Errors
    /// Where that fails, with a message for the user.
    pub fn run(&self) -> Result<()> {
        match self {
            Self::Info(command) => command.run(),
            Self::Skin(command) => command.run(),
            Self::ThinBone(command) => command.run(),
            Self::Threshold(command) => command.run(),
            Self::Surface(command) => command.run(),
            Self::Run(command) => command.run(),
            Self::Sample(command) => command.run(),
        }
    }
}

/// The image that a command reads.
#[derive(Debug, Args)]
pub struct ImageArgs {
    /// The scan (NIfTI).
    pub image: PathBuf,
    /// Which volume of a 4-D image, counted from 0.
    #[arg(long, value_name = "N")]
    pub volume: Option<usize>,
}

impl ImageArgs {
    /// Reads it.
    ///
    /// # Errors
    /// As [`NiftiFile::open`] and [`NiftiFile::read`].
    pub fn read(&self, job: &Job) -> Result<Volume> {
        NiftiFile::open(&self.image)?.read(self.volume, job)
    }

    /// A kernel's result, with the image's name in its error unless a parameter is at fault.
    ///
    /// # Errors
    /// The kernel's.
    pub fn named<R>(&self, result: skull_kernels::Result<R>) -> Result<R> {
        match result {
            Err(error @ skull_kernels::Error::Parameter { .. }) => Err(error.into()),
            other => other.with_context(|| self.image.display().to_string()),
        }
    }
}

/// How a command runs.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Number of threads; as many as there are cores if not given.
    #[arg(long, value_name = "N")]
    pub threads: Option<NonZeroUsize>,
    /// Print only warnings and errors.
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Print details and times.
    #[arg(short, long)]
    pub verbose: bool,
}

/// Arguments that contradict each other in a way that only the command knows.
#[must_use]
pub fn usage_error(message: &str) -> anyhow::Error {
    clap::Error::raw(clap::error::ErrorKind::ArgumentConflict, format!("{message}\n")).into()
}

/// A file name for a mask.
///
/// # Errors
/// Where its ending does not say NIfTI.
pub fn mask_path(name: &str) -> Result<PathBuf, String> {
    let lower = name.to_lowercase();
    if lower.ends_with(".nii") || lower.ends_with(".nii.gz") {
        Ok(name.into())
    } else {
        Err("the name must end in .nii or .nii.gz".into())
    }
}

/// A file name for a picture.
///
/// # Errors
/// Where its ending does not say PNG.
pub fn picture_path(name: &str) -> Result<PathBuf, String> {
    if name.to_lowercase().ends_with(".png") { Ok(name.into()) } else { Err("the name must end in .png".into()) }
}
