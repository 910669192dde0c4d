//! The voxel types a kernel takes: all that VTK and NIfTI hold.

/// A voxel's scalar type.
///
/// Bounds and statistics are in `f64`, so that no threshold is ever truncated to the voxel's own type.
pub trait Voxel: Copy + Send + Sync + PartialOrd + 'static {
    /// The value; exact but for 64-bit integers beyond 2⁵³.
    fn to_f64(self) -> f64;
    /// The value in single precision, for filters.
    fn to_f32(self) -> f32;
    /// Whether it is a number, neither NaN nor infinite.
    fn is_finite(self) -> bool;
    /// The least and the greatest value of this type from `lower` to `upper`, both included; `None` where there
    /// is none. Comparing with these is comparing with the bounds, at the speed of the voxel's own type.
    ///
    /// ```
    /// use skull_kernels::Voxel;
    /// assert_eq!(i16::range_within(5.5, f64::INFINITY), Some((6, i16::MAX)));
    /// assert_eq!(u8::range_within(-3.0, 7.9), Some((0, 7)));
    /// assert_eq!(u8::range_within(7.1, 7.9), None);
    /// ```
    fn range_within(lower: f64, upper: f64) -> Option<(Self, Self)>;
}

macro_rules! voxel {
    ($($scalar:ty: $is_finite:expr, $least:expr, $greatest:expr;)*) => {
        $(impl Voxel for $scalar {
            #[inline(always)]
            fn to_f64(self) -> f64 {
                self as f64
            }
            #[inline(always)]
            fn to_f32(self) -> f32 {
                self as f32
            }
            #[inline(always)]
            fn is_finite(self) -> bool {
                $is_finite(self)
            }
            fn range_within(lower: f64, upper: f64) -> Option<(Self, Self)> {
                let (least, greatest) = ($least(lower)?, $greatest(upper)?);
                (least <= greatest).then_some((least, greatest))
            }
        })*
    };
}

macro_rules! integers {
    ($($scalar:ident)*) => {
        voxel! { $($scalar:
            |_| true,
            // 2^bits is exact in `f64` where MAX may not be; casts saturate at the type's own ends.
            |lower: f64| (lower.ceil() < $scalar::MAX as f64 + 1.0).then_some(lower.ceil() as $scalar),
            |upper: f64| (upper.floor() >= $scalar::MIN as f64).then_some(upper.floor() as $scalar);
        )* }
    };
}
integers!(i8 u8 i16 u16 i32 u32 i64 u64);

voxel! {
    f32: Self::is_finite,
        |lower: f64| {
            let nearest = lower as f32;
            (!lower.is_nan()).then_some(if f64::from(nearest) < lower { nearest.next_up() } else { nearest })
        },
        |upper: f64| {
            let nearest = upper as f32;
            (!upper.is_nan()).then_some(if f64::from(nearest) > upper { nearest.next_down() } else { nearest })
        };
    f64: Self::is_finite,
        |lower: f64| (!lower.is_nan()).then_some(lower),
        |upper: f64| (!upper.is_nan()).then_some(upper);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn agrees<T: Voxel + std::fmt::Debug>(value: T, lower: f64, upper: f64) {
        let inside = T::range_within(lower, upper).is_some_and(|(least, greatest)| least <= value && value <= greatest);
        assert_eq!(inside, lower <= value.to_f64() && value.to_f64() <= upper, "{value:?} in {lower}..={upper}");
    }

    proptest! {
        #[test]
        fn the_range_in_the_voxels_type_is_the_range_in_f64(
            value in any::<f64>(), near in -3.0_f64..3.0, upper in any::<f64>()
        ) {
            for value in [value, near] {
                for (lower, upper) in [(near, upper), (value - near, value + 1.5), (near, near + 1.0), (near, f64::INFINITY)] {
                    agrees(value, lower, upper);
                    agrees(value as f32, lower, upper);
                    agrees(value as i8, lower, upper);
                    agrees(value as u8, lower, upper);
                    agrees(value as i16, lower, upper);
                    agrees(value as u16, lower, upper);
                    agrees(value as i32, lower, upper);
                    agrees(value as u32, lower, upper);
                }
            }
        }
    }

    #[test]
    fn the_ends_of_each_type_are_kept() {
        let all = (f64::NEG_INFINITY, f64::INFINITY);
        assert_eq!(i64::range_within(all.0, all.1), Some((i64::MIN, i64::MAX)));
        assert_eq!(u64::range_within(all.0, all.1), Some((0, u64::MAX)));
        assert_eq!(f32::range_within(all.0, all.1), Some((f32::NEG_INFINITY, f32::INFINITY)));
        assert_eq!(i64::range_within(9.3e18, all.1), None, "above the largest");
        assert_eq!(u8::range_within(all.0, -0.1), None, "below the smallest");
        assert_eq!(u8::range_within(255.0, 300.0), Some((255, 255)));
        assert_eq!(f64::range_within(f64::NAN, 1.0), None);
        assert_eq!(i8::range_within(f64::NAN, 1.0), None);
    }
}
