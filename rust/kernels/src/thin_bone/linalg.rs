//! The small linear algebra that fits need: vectors of three, symmetric systems, symmetric 3x3 eigenvectors.

pub(super) type Vec3 = [f64; 3];

pub(super) fn dot(a: Vec3, b: Vec3) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

pub(super) fn cross(a: Vec3, b: Vec3) -> Vec3 {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

/// The vector of length one in the same direction; `None` where it has no direction.
pub(super) fn unit(a: Vec3) -> Option<Vec3> {
    let length = dot(a, a).sqrt();
    (length > 1e-12 && length.is_finite()).then(|| a.map(|c| c / length))
}

/// Two unit vectors that with the unit vector `n` form a right-handed frame.
pub(super) fn frame(n: Vec3) -> (Vec3, Vec3) {
    let least = if n[0].abs() <= n[1].abs() && n[0].abs() <= n[2].abs() {
        [1.0, 0.0, 0.0]
    } else if n[1].abs() <= n[2].abs() {
        [0.0, 1.0, 0.0]
    } else {
        [0.0, 0.0, 1.0]
    };
    let u = unit(cross(n, least)).unwrap_or([1.0, 0.0, 0.0]);
    (u, cross(n, u))
}

/// Solves the symmetric positive definite system `a x = b` by Cholesky; `None` where it is singular.
/// Only the lower triangle of `a` is read.
pub(super) fn solve<const N: usize>(mut a: [[f64; N]; N], mut b: [f64; N]) -> Option<[f64; N]> {
    for j in 0..N {
        let full = a[j][j];
        for k in 0..j {
            a[j][j] -= a[j][k] * a[j][k];
        }
        if a[j][j].is_nan() || a[j][j] <= full.abs() * 1e-12 {
            return None;
        }
        a[j][j] = a[j][j].sqrt();
        for i in j + 1..N {
            for k in 0..j {
                a[i][j] -= a[i][k] * a[j][k];
            }
            a[i][j] /= a[j][j];
        }
    }
    for i in 0..N {
        for k in 0..i {
            b[i] -= a[i][k] * b[k];
        }
        b[i] /= a[i][i];
    }
    for i in (0..N).rev() {
        for k in i + 1..N {
            b[i] -= a[k][i] * b[k];
        }
        b[i] /= a[i][i];
    }
    Some(b)
}

/// Eigenvalues of the symmetric matrix `[xx, yy, zz, xy, xz, yz]`, largest first.
///
/// Smith: Eigenvalues of a symmetric 3 x 3 matrix. Commun. ACM 4 (1961), doi 10.1145/355578.366316.
pub(super) fn eigenvalues([xx, yy, zz, xy, xz, yz]: [f64; 6]) -> [f64; 3] {
    let mean = (xx + yy + zz) / 3.0;
    let [x, y, z] = [xx - mean, yy - mean, zz - mean];
    let square = (x * x + y * y + z * z + 2.0 * (xy * xy + xz * xz + yz * yz)) / 6.0;
    let scale = square.sqrt();
    let half_determinant = 0.5 * (x * (y * z - yz * yz) - xy * (xy * z - yz * xz) + xz * (xy * yz - y * xz));
    // 0/0 where all are equal
    let cosine = if square > 0.0 { (half_determinant / (scale * square)).clamp(-1.0, 1.0) } else { 1.0 };
    let third = (cosine.acos() / 3.0).cos();
    let first = mean + 2.0 * scale * third;
    // a third of a turn farther
    let last = mean - scale * (third + (3.0 * (1.0 - third * third)).max(0.0).sqrt());
    [first, 3.0 * mean - first - last, last]
}

/// The unit eigenvector of an eigenvalue of the same matrix; `None` where that is no single direction.
pub(super) fn eigenvector([xx, yy, zz, xy, xz, yz]: [f64; 6], value: f64) -> Option<Vec3> {
    // what is orthogonal to all rows of the matrix less its eigenvalue
    let rows = [[xx - value, xy, xz], [xy, yy - value, yz], [xz, yz, zz - value]];
    let products = [cross(rows[0], rows[1]), cross(rows[0], rows[2]), cross(rows[1], rows[2])];
    unit(products.into_iter().max_by(|a, b| dot(*a, *a).total_cmp(&dot(*b, *b)))?)
}

/// How far a voxel reaches along a unit vector, from end to end.
pub(super) fn extent_mm(n: Vec3, spacing: Vec3) -> f64 {
    (0..3).map(|a| n[a].abs() * spacing[a]).sum()
}

/// The middle one of some values, which it reorders.
pub(super) fn median(values: &mut [f64]) -> f64 {
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_is_solved_and_a_singular_one_refused() {
        let a = [[4.0, 0.0, 0.0], [2.0, 5.0, 0.0], [1.0, 3.0, 6.0]];
        let x = solve(a, [4.0 + 4.0 + 3.0, 2.0 + 10.0 + 9.0, 1.0 + 6.0 + 18.0]).unwrap();
        for (got, want) in x.into_iter().zip([1.0, 2.0, 3.0]) {
            assert!((got - want).abs() < 1e-12, "{x:?}");
        }
        assert_eq!(solve([[1.0, 0.0], [1.0, 1.0]], [1.0, 1.0]), None);
    }

    #[test]
    fn an_eigenvector_is_stretched_by_its_value() {
        for m in [[2.0, -1.0, 0.5, 0.3, -0.7, 1.1], [4.0, 1.0, 1.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 0.9, 0.9, 0.9]] {
            let values = eigenvalues(m);
            assert!(values[0] >= values[1] && values[1] >= values[2] - 1e-12, "{values:?}");
            assert!((values.iter().sum::<f64>() - m[0] - m[1] - m[2]).abs() < 1e-9);
            let n = eigenvector(m, values[0]).unwrap();
            let stretched = [dot([m[0], m[3], m[4]], n), dot([m[3], m[1], m[5]], n), dot([m[4], m[5], m[2]], n)];
            assert!((0..3).all(|a| (stretched[a] - values[0] * n[a]).abs() < 1e-9), "{m:?}: {values:?} {n:?}");
        }
        let same = [1.0, 1.0, 1.0, 0.0, 0.0, 0.0];
        assert_eq!(eigenvalues(same), [1.0; 3]);
        assert_eq!(eigenvector(same, 1.0), None);
        assert!(eigenvalues([f64::NAN; 6])[0].is_nan());
    }
}
