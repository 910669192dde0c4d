//! What can go wrong in a kernel, said so that a user can act on it.

/// Why a kernel gave no result.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Two arrays that must lie on one grid do not.
    #[error("the {what} is {got:?} voxels (x, y, z) but its grid has {expected:?}")]
    SizeMismatch {
        /// Which array.
        what: &'static str,
        /// Its size, (x, y, z).
        got: [usize; 3],
        /// The grid's size, (x, y, z).
        expected: [usize; 3],
    },
    /// The grid has no voxels, or more than memory can address.
    #[error("a grid of {size:?} voxels (x, y, z) cannot be processed")]
    GridSize {
        /// The size, (x, y, z).
        size: [usize; 3],
    },
    /// A voxel's edge is not a positive finite length.
    #[error("the voxel spacing {spacing_mm:?} mm must be positive and finite")]
    Spacing {
        /// The spacing, (x, y, z).
        spacing_mm: [f64; 3],
    },
    /// The grid's axes do not span space.
    #[error("the direction matrix of the image is singular or not finite: its axes do not span space")]
    Direction,
    /// The grid's axes are not perpendicular, which this kernel cannot treat exactly.
    #[error(
        "the image's axes are {angle_deg:.1} degrees apart instead of 90 (gantry tilt?): \
         resample it onto an orthogonal grid first"
    )]
    Sheared {
        /// The angle that differs most from 90 degrees.
        angle_deg: f64,
    },
    /// A parameter is out of its range.
    #[error("{name} is {value}, but must be {allowed}")]
    Parameter {
        /// The parameter's name.
        name: &'static str,
        /// The value that was given.
        value: f64,
        /// What would be valid.
        allowed: &'static str,
    },
    /// Something was asked for that means nothing without a mask.
    #[error("{what} needs a mask")]
    NeedsMask {
        /// What was asked for.
        what: &'static str,
    },
    /// No voxel is selected where at least one is needed.
    #[error("the {what} is empty")]
    Empty {
        /// Which mask or selection.
        what: &'static str,
    },
    /// The image holds no usable contrast.
    #[error("every voxel {of} has the same value, {value}: there is nothing to separate")]
    Constant {
        /// Which voxels, for example "of the image" or "in the mask".
        of: &'static str,
        /// The value.
        value: f64,
    },
    /// The image holds only NaN or infinities.
    #[error("no voxel {of} has a finite value")]
    NotFinite {
        /// Which voxels, for example "of the image" or "in the mask".
        of: &'static str,
    },
    /// An automatic threshold does not exist for these intensities.
    #[error("the {method} method finds no threshold for these intensities: choose another method, or set the bounds")]
    NoThreshold {
        /// The method's name.
        method: &'static str,
    },
    /// The caller asked to stop.
    #[error("cancelled")]
    Cancelled,
}

/// A kernel's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;
