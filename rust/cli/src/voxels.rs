//! An image of any of the ten scalar types.

use bytemuck::Pod;
use ndarray::Array3;
use nifti::DataElement;
use skull_kernels::Voxel;

/// A scalar that stands in files: plain bytes in either order.
pub trait Scalar: Voxel + Pod + DataElement {
    /// The same bytes in reverse.
    #[must_use]
    fn swap_bytes(self) -> Self;
    /// An array of this type as one of any type.
    fn into_voxels(array: Array3<Self>) -> Voxels;
}

/// An image, indexed `[z, y, x]` in standard layout, in the type it has in its file.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the variants are the types they are named for")]
pub enum Voxels {
    I8(Array3<i8>),
    U8(Array3<u8>),
    I16(Array3<i16>),
    U16(Array3<u16>),
    I32(Array3<i32>),
    U32(Array3<u32>),
    I64(Array3<i64>),
    U64(Array3<u64>),
    F32(Array3<f32>),
    F64(Array3<f64>),
}

/// Evaluates an expression with the typed array of a [`Voxels`](crate::voxels::Voxels).
///
/// ```
/// use skull_cli::{voxels::Voxels, with_voxels};
/// let voxels = Voxels::I16(ndarray::Array3::zeros((2, 3, 4)));
/// assert_eq!(with_voxels!(&voxels, image => image.len()), 24);
/// ```
#[macro_export]
macro_rules! with_voxels {
    ($voxels:expr, $image:ident => $body:expr) => {
        match $voxels {
            $crate::voxels::Voxels::I8($image) => $body,
            $crate::voxels::Voxels::U8($image) => $body,
            $crate::voxels::Voxels::I16($image) => $body,
            $crate::voxels::Voxels::U16($image) => $body,
            $crate::voxels::Voxels::I32($image) => $body,
            $crate::voxels::Voxels::U32($image) => $body,
            $crate::voxels::Voxels::I64($image) => $body,
            $crate::voxels::Voxels::U64($image) => $body,
            $crate::voxels::Voxels::F32($image) => $body,
            $crate::voxels::Voxels::F64($image) => $body,
        }
    };
}

macro_rules! scalar {
    ($($scalar:ty, $variant:ident, $swap:expr;)*) => {
        $(impl Scalar for $scalar {
            #[inline(always)]
            fn swap_bytes(self) -> Self {
                let swap: fn(Self) -> Self = $swap;
                swap(self)
            }
            fn into_voxels(array: Array3<Self>) -> Voxels {
                Voxels::$variant(array)
            }
        })*
    };
}
scalar! {
    i8, I8, Self::swap_bytes;
    u8, U8, Self::swap_bytes;
    i16, I16, Self::swap_bytes;
    u16, U16, Self::swap_bytes;
    i32, I32, Self::swap_bytes;
    u32, U32, Self::swap_bytes;
    i64, I64, Self::swap_bytes;
    u64, U64, Self::swap_bytes;
    f32, F32, |value| Self::from_bits(value.to_bits().swap_bytes());
    f64, F64, |value| Self::from_bits(value.to_bits().swap_bytes());
}
