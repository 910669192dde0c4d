//! Nothing unwinds out of this crate: a panic that reached the C++ side would end the host program.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Why a call gave no result. C++ sees the message alone, as a `rust::Error`.
#[derive(Debug, thiserror::Error)]
pub enum BridgeError {
    /// A buffer does not hold the voxels that the grid promises.
    #[error("the {what} has {got} bytes but its grid needs {need}")]
    Length {
        /// Which buffer.
        what: &'static str,
        /// Its bytes.
        got: usize,
        /// What the grid needs.
        need: usize,
    },
    /// A buffer starts where its voxel type cannot.
    #[error("the {what} is not aligned for its voxel type")]
    Alignment {
        /// Which buffer.
        what: &'static str,
    },
    /// An output shares bytes with another buffer.
    #[error("the output overlaps the {what}: give it memory of its own")]
    Overlap {
        /// Which one.
        what: &'static str,
    },
    /// An enumeration's value that stands for nothing.
    #[error("unknown {what} {value}")]
    Unknown {
        /// Of which enumeration.
        what: &'static str,
        /// The value.
        value: u8,
    },
    /// A threshold method's name that is none.
    #[error("there is no threshold method \"{0}\"")]
    Method(String),
    /// The system gives no threads.
    #[error("cannot start worker threads: {0}")]
    Threads(#[from] rayon::ThreadPoolBuildError),
    /// The kernel's own reason.
    #[error(transparent)]
    Kernel(#[from] skull_kernels::Error),
    /// A mistake of ours.
    #[error("internal error, please report it: {0}")]
    Panic(String),
}

/// Runs `work` and makes an error of its panic.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Result<T, BridgeError>) -> Result<T, BridgeError> {
    // Whatever a panic may have left half done is dropped with the closure, but the caller's output, which
    // is no result then.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
        Err(BridgeError::Panic(text.unwrap_or_else(|| "a panic without a message".to_owned())))
    })
}
