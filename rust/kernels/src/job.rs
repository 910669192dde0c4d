//! Progress and cancellation, shared by the thread that works and the one that watches.

use crate::{Error, Result};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// One piece of work that somebody watches: its fraction done can be polled, and it can be asked to stop.
///
/// Clones share one state. Kernels take a `&Job`, split it with [`part`](Self::part) among their stages and
/// look at it at least once per slice, so that a cancel is answered within a fraction of a second.
///
/// ```
/// let job = skull_kernels::Job::new();
/// let watcher = job.clone();
/// watcher.cancel();
/// assert!(job.is_cancelled());
/// ```
#[derive(Debug, Clone)]
pub struct Job {
    state: Arc<State>,
    start: f64,
    span: f64,
}

#[derive(Debug, Default)]
struct State {
    cancelled: AtomicBool,
    /// Bits of a non-negative `f64`, which order as the numbers do.
    fraction: AtomicU64,
    stages: Mutex<Vec<(&'static str, Instant)>>,
}

impl Default for Job {
    fn default() -> Self {
        Self { state: Arc::default(), start: 0.0, span: 1.0 }
    }
}

impl Job {
    /// A job at 0 %.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the kernel to stop; it returns [`Error::Cancelled`] soon after.
    pub fn cancel(&self) {
        self.state.cancelled.store(true, Relaxed);
    }

    /// Whether somebody asked to stop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.state.cancelled.load(Relaxed)
    }

    /// How much of the whole work is done, 0 to 1; never falls.
    #[must_use]
    pub fn fraction(&self) -> f64 {
        f64::from_bits(self.state.fraction.load(Relaxed))
    }

    /// The stretch of this job from `from` to `to` (0 to 1), to hand to one stage.
    #[must_use]
    pub fn part(&self, from: f64, to: f64) -> Self {
        Self { state: Arc::clone(&self.state), start: self.start + from * self.span, span: (to - from) * self.span }
    }

    /// The same stretch as [`part`](Self::part), known by a name from now on.
    #[must_use]
    pub fn stage(&self, name: &'static str, from: f64, to: f64) -> Self {
        self.state.stages.lock().unwrap_or_else(PoisonError::into_inner).push((name, Instant::now()));
        self.part(from, to)
    }

    /// The named stages so far, each with its beginning.
    #[must_use]
    pub fn stages(&self) -> Vec<(&'static str, Instant)> {
        self.state.stages.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Fails if somebody asked to stop.
    ///
    /// # Errors
    /// [`Error::Cancelled`].
    pub fn check(&self) -> Result<()> {
        if self.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) }
    }

    /// A counter of `total` equal steps that together make up this job (or part).
    #[must_use]
    pub fn steps(&self, total: usize) -> Steps {
        Steps { job: self.clone(), done: AtomicUsize::new(0), total: total.max(1) }
    }
}

/// Equal steps of a job, counted by any number of threads.
#[derive(Debug)]
pub struct Steps {
    job: Job,
    done: AtomicUsize,
    total: usize,
}

impl Steps {
    /// Counts one step.
    ///
    /// # Errors
    /// [`Error::Cancelled`] where somebody asked to stop.
    pub fn step(&self) -> Result<()> {
        let done = self.done.fetch_add(1, Relaxed) + 1;
        #[allow(clippy::cast_precision_loss, reason = "a progress bar")]
        let within = (done as f64 / self.total as f64).min(1.0);
        let fraction = self.job.start + self.job.span * within;
        self.job.state.fraction.fetch_max(fraction.to_bits(), Relaxed);
        self.job.check()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_nest_and_the_fraction_never_falls() {
        let job = Job::new();
        let half = job.part(0.5, 1.0);
        let steps = half.steps(2);
        steps.step().unwrap();
        assert!((job.fraction() - 0.75).abs() < 1e-12, "half of the second half");
        job.part(0.0, 0.1).steps(1).step().unwrap();
        assert!((job.fraction() - 0.75).abs() < 1e-12, "does not fall back");
    }

    #[test]
    fn stages_are_known_to_every_clone_in_their_order() {
        let job = Job::new();
        let stage = job.clone().part(0.5, 1.0).stage("one", 0.0, 0.5);
        stage.steps(1).step().unwrap();
        assert!((job.fraction() - 0.75).abs() < 1e-12, "a stage is a part");
        let _ = stage.stage("two", 0.5, 1.0);
        let [(one, began), (two, ended)] = job.stages()[..] else { panic!("two stages") };
        assert!(one == "one" && two == "two" && began <= ended);
    }

    #[test]
    fn a_cancel_ends_the_next_step() {
        let job = Job::new();
        job.clone().cancel();
        assert_eq!(job.steps(3).step(), Err(Error::Cancelled));
    }
}
