//! Bytes in VTK's order as `[z, y, x]` arrays, without a copy.

use crate::ffi;
use crate::guard::BridgeError;
use ndarray::{ArrayView3, ArrayViewMut3};
use skull_kernels::Grid;

impl ffi::Grid {
    /// As the kernels take it.
    pub(crate) fn kernel(&self) -> Result<Grid, BridgeError> {
        let [xx, xy, xz, yx, yy, yz, zx, zy, zz] = self.axes;
        Ok(Grid::new(self.size, self.spacing_mm, [[xx, xy, xz], [yx, yy, yz], [zx, zy, zz]], self.origin_mm)?)
    }
}

/// The array that `bytes` hold.
pub(crate) fn view<'a, T: bytemuck::AnyBitPattern>(
    what: &'static str,
    bytes: &'a [u8],
    grid: &Grid,
) -> Result<ArrayView3<'a, T>, BridgeError> {
    check_length::<T>(what, bytes.len(), grid)?;
    let voxels = bytemuck::try_cast_slice(bytes).map_err(|_| BridgeError::Alignment { what })?;
    Ok(ArrayView3::from_shape(grid.shape(), voxels).expect("the length was checked"))
}

/// The array to write into `out`, which shares no byte with the named buffers.
///
/// C++ must not pass overlapping buffers; where it does by mistake this refuses before anything is written.
pub(crate) fn output<'a, T>(
    out: &'a mut [T],
    others: &[(&'static str, &[u8])],
    grid: &Grid,
) -> Result<ArrayViewMut3<'a, T>, BridgeError> {
    check_length::<T>("output", size_of_val(out), grid)?;
    let written = out.as_ptr_range();
    let (start, end) = (written.start.cast::<u8>(), written.end.cast::<u8>());
    for &(what, other) in others {
        let read = other.as_ptr_range();
        if read.start < end && start < read.end {
            return Err(BridgeError::Overlap { what });
        }
    }
    Ok(ArrayViewMut3::from_shape(grid.shape(), out).expect("the length was checked"))
}

fn check_length<T>(what: &'static str, got: usize, grid: &Grid) -> Result<(), BridgeError> {
    let need = grid.voxels() * size_of::<T>();
    if got == need { Ok(()) } else { Err(BridgeError::Length { what, got, need }) }
}

/// Evaluates an expression with the typed view of an image.
macro_rules! with_voxels {
    ($image:expr, $grid:expr, $voxels:ident => $body:expr) => {{
        macro_rules! of {
            ($scalar:ty) => {{
                let $voxels = &*$crate::voxels::view::<$scalar>("image", $image.bytes, $grid)?;
                $body
            }};
        }
        match $image.scalar {
            ffi::Scalar::I8 => of!(i8),
            ffi::Scalar::U8 => of!(u8),
            ffi::Scalar::I16 => of!(i16),
            ffi::Scalar::U16 => of!(u16),
            ffi::Scalar::I32 => of!(i32),
            ffi::Scalar::U32 => of!(u32),
            ffi::Scalar::I64 => of!(i64),
            ffi::Scalar::U64 => of!(u64),
            ffi::Scalar::F32 => of!(f32),
            ffi::Scalar::F64 => of!(f64),
            other => return Err(BridgeError::Unknown { what: "voxel type", value: other.repr }),
        }
    }};
}
pub(crate) use with_voxels;
