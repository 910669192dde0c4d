//! One run of a command: its threads, its progress bar, its interruption, its messages and its timings.

use crate::INTERRUPTED;
use crate::cli::RunArgs;
use crate::output::{Leftovers, Outputs};
use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rayon::{ThreadPool, ThreadPoolBuilder};
use serde::Serialize;
use skull_kernels::Job;
use std::io::{IsTerminal, Write};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How long a cancelled command may take to end by itself.
const PATIENCE: Duration = Duration::from_millis(500);

/// Kinds of work whose times are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Reading and decompressing files.
    Load,
    /// Kernels.
    Compute,
    /// Compressing and writing files.
    Write,
    /// Previews.
    Draw,
}

/// How long each kind of work took.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[allow(missing_docs, reason = "named for the phases")]
pub struct Seconds {
    pub load: f64,
    pub compute: f64,
    pub write: f64,
    pub draw: f64,
}

/// One run of a command.
#[derive(Debug)]
pub struct Session {
    job: Job,
    leftovers: Leftovers,
    pool: ThreadPool,
    quiet: bool,
    verbose: bool,
    done: f64,
    seconds: Seconds,
    warnings: Vec<String>,
}

impl Session {
    /// A run whose job ends at Ctrl-C or a request to terminate.
    ///
    /// # Errors
    /// Where threads cannot be started or signals not be caught.
    pub fn new(args: &RunArgs) -> Result<Self> {
        let job = Job::new();
        let leftovers = Leftovers::default();
        let (interrupted, unfinished) = (job.clone(), leftovers.clone());
        let interrupt = move || {
            interrupted.cancel();
            // The work ends by itself sooner, unless it waits for a pipe or a slow disk.
            std::thread::sleep(PATIENCE);
            unfinished.remove_and_exit(INTERRUPTED, say_stopped);
        };
        ctrlc::set_handler(interrupt).context("cannot catch Ctrl-C")?;
        let threads = args.threads.map_or(0, usize::from);
        let pool = ThreadPoolBuilder::new().num_threads(threads).build().context("cannot start threads")?;
        Ok(Self {
            job,
            leftovers,
            pool,
            quiet: args.quiet,
            verbose: args.verbose,
            done: 0.0,
            seconds: Seconds::default(),
            warnings: Vec::new(),
        })
    }

    /// Does a piece of work on the threads, with a progress bar on a terminal.
    ///
    /// `until` is the fraction of the whole command that is done after it.
    ///
    /// # Errors
    /// Those of `work`, and [`skull_kernels::Error::Cancelled`].
    pub fn run<R: Send>(
        &mut self,
        phase: Phase,
        name: &'static str,
        until: f64,
        work: impl FnOnce(&Job) -> Result<R> + Send,
    ) -> Result<R> {
        let job = self.job.part(self.done, until);
        self.done = until;
        let start = Instant::now();
        let result = std::thread::scope(|scope| {
            let (end, ended) = mpsc::channel::<()>();
            if !self.quiet && std::io::stderr().is_terminal() {
                let job = &self.job;
                scope.spawn(move || show_progress(name, job, &ended));
            }
            let result = self.pool.install(|| {
                job.check()?;
                work(&job)
            });
            drop(end);
            result
        });
        let seconds = match phase {
            Phase::Load => &mut self.seconds.load,
            Phase::Compute => &mut self.seconds.compute,
            Phase::Write => &mut self.seconds.write,
            Phase::Draw => &mut self.seconds.draw,
        };
        *seconds += start.elapsed().as_secs_f64();
        self.job.check()?;
        result
    }

    /// Tells the user what they should know about the result; it goes into the report, too.
    pub fn warn(&mut self, warning: impl Into<String>) {
        let warning = warning.into();
        complain("warning", &warning);
        self.warnings.push(warning);
    }

    /// Prints what was found, unless the user wants quiet.
    ///
    /// # Errors
    /// Where the standard output is closed.
    pub fn say(&self, line: &str) -> Result<()> {
        if self.quiet { Ok(()) } else { Ok(writeln!(std::io::stdout(), "{line}")?) }
    }

    /// Tells where the time went, if the user wants details.
    pub fn say_times(&self) {
        if self.verbose {
            let Seconds { load, compute, write, draw } = self.seconds;
            let threads = self.threads();
            let mut times = format!("load {load:.3} s, compute {compute:.3} s, write {write:.3} s");
            if draw > 0.0 {
                times += &format!(", draw {draw:.3} s");
            }
            times += &format!(", threads {threads}");
            complain("times", &times);
        }
    }

    /// The files this run makes.
    #[must_use]
    pub fn outputs(&self) -> Outputs {
        Outputs::new(self.leftovers.clone())
    }

    /// How long the work took so far.
    #[must_use]
    pub fn seconds(&self) -> Seconds {
        self.seconds
    }

    /// What the user was warned of so far.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// How many threads work.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }
}

/// Writes one line to the standard error; a closed one is no reason to stop.
pub fn complain(kind: &str, message: &str) {
    let message = message.replace('\n', " ");
    let _ = writeln!(std::io::stderr(), "skull: {kind}: {message}");
}

/// Says that the user's wish to stop was followed.
pub fn say_stopped() {
    complain("stopped", "nothing was written");
}

fn show_progress(name: &'static str, job: &Job, ended: &mpsc::Receiver<()>) {
    const STEPS: f64 = 1000.0;
    let style = ProgressStyle::with_template("{msg:12} {bar:40} {percent:>3} %  {elapsed}").expect("a valid template");
    let bar = ProgressBar::with_draw_target(Some(1000), ProgressDrawTarget::stderr()).with_style(style);
    bar.set_message(name);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1000")]
    let show = || bar.set_position((job.fraction() * STEPS) as u64);
    show();
    while ended.recv_timeout(Duration::from_millis(100)) == Err(mpsc::RecvTimeoutError::Timeout) {
        show();
    }
    bar.finish_and_clear();
}
