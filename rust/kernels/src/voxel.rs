//! The voxel types a kernel takes: all that VTK and NIfTI hold.

/// A voxel's scalar type.
///
/// Bounds and statistics are in `f64`, so that no threshold is ever truncated to the voxel's own type.
pub trait Voxel: Copy + Send + Sync + PartialOrd + 'static {
    /// The value; exact but for 64-bit integers beyond 2⁵³.
    fn to_f64(self) -> f64;
    /// The value in single precision, for filters.
    fn to_f32(self) -> f32;
}

macro_rules! voxel {
    ($($scalar:ty)*) => {
        $(impl Voxel for $scalar {
            #[inline(always)]
            fn to_f64(self) -> f64 {
                self as f64
            }
            #[inline(always)]
            fn to_f32(self) -> f32 {
                self as f32
            }
        })*
    };
}
voxel!(i8 u8 i16 u16 i32 u32 i64 u64 f32 f64);
