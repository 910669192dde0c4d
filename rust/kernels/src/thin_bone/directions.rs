//! Directions rounded to a fixed set, so that all that depends on the direction alone is prepared once.
//!
//! The sphere is unfolded to a square by way of the octahedron and the square divided into cells.
//!
//! Meyer, Süßmuth, Sußner, Stamminger, Greiner: On floating-point normal vectors. Comput. Graph. Forum 29 (2010),
//! doi 10.1111/j.1467-8659.2010.01737.x.

use super::linalg::Vec3;
use std::sync::LazyLock;

/// Cells along each edge of the square: no direction is farther than 6 degrees from the middle of its cell.
const CELLS: usize = 44;

/// The number of the direction nearest to a unit vector.
pub(super) fn nearest(n: Vec3) -> u16 {
    let sum = n[0].abs() + n[1].abs() + n[2].abs();
    let (mut u, mut v) = (n[0] / sum, n[1] / sum);
    if n[2] < 0.0 {
        (u, v) = ((1.0 - v.abs()).copysign(u), (1.0 - u.abs()).copysign(v));
    }
    let cell = |c: f64| (((c + 1.0) * 0.5 * CELLS as f64) as usize).min(CELLS - 1);
    (cell(v) * CELLS + cell(u)) as u16
}

/// The numbers of all directions.
pub(super) fn all() -> std::ops::Range<u16> {
    0..(CELLS * CELLS) as u16
}

/// The number of the opposite direction.
pub(super) fn opposite(direction: u16) -> u16 {
    nearest(vector(direction).map(|c| -c))
}

/// The unit vector in the middle of a cell.
pub(super) fn vector(direction: u16) -> Vec3 {
    static VECTORS: LazyLock<Vec<Vec3>> = LazyLock::new(|| all().map(middle).collect());
    VECTORS[usize::from(direction)]
}

fn middle(direction: u16) -> Vec3 {
    let middle = |cell: usize| (cell as f64 + 0.5) * 2.0 / CELLS as f64 - 1.0;
    let (mut u, mut v) = (middle(usize::from(direction) % CELLS), middle(usize::from(direction) / CELLS));
    let w = 1.0 - u.abs() - v.abs();
    if w < 0.0 {
        (u, v) = ((1.0 - v.abs()).copysign(u), (1.0 - u.abs()).copysign(v));
    }
    let length = (u * u + v * v + w * w).sqrt();
    [u / length, v / length, w / length]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::thin_bone::linalg::{dot, unit};

    #[test]
    fn every_direction_is_its_own_nearest() {
        for d in all() {
            assert_eq!(nearest(vector(d)), d);
        }
    }

    #[test]
    fn opposite_directions_come_in_pairs() {
        for d in all() {
            let there = opposite(d);
            assert!(there != d && opposite(there) == d && dot(vector(d), vector(there)) < -1.0 + 1e-12, "{d}");
        }
    }

    #[test]
    fn no_vector_is_far_from_its_direction() {
        let mut worst = 1.0_f64;
        for k in 0..20_000 {
            let t = f64::from(k);
            let n = unit([(t * 0.618).sin(), (t * 1.324).sin(), (t * 2.071).sin()]);
            let Some(n) = n else { continue };
            worst = worst.min(dot(n, vector(nearest(n))));
        }
        assert!(worst > 6.0_f64.to_radians().cos(), "{} degrees", worst.acos().to_degrees());
    }
}
