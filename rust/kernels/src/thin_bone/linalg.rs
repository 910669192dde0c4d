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

/// Eigenvalues and unit eigenvectors of the symmetric matrix `[xx, yy, zz, xy, xz, yz]`, largest eigenvalue
/// first, by cyclic Jacobi rotations.
pub(super) fn eigen(m: [f64; 6]) -> ([f64; 3], [Vec3; 3]) {
    let mut a = [[m[0], m[3], m[4]], [m[3], m[1], m[5]], [m[4], m[5], m[2]]];
    let mut v = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    let scale = m.iter().fold(0.0_f64, |s, x| s.max(x.abs()));
    for _ in 0..12 {
        if a[0][1].abs() + a[0][2].abs() + a[1][2].abs() <= 1e-12 * scale {
            break;
        }
        for (p, q) in [(0, 1), (0, 2), (1, 2)] {
            if a[p][q] == 0.0 {
                continue;
            }
            let theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
            let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
            let c = 1.0 / (t * t + 1.0).sqrt();
            let s = t * c;
            for row in &mut a {
                let (kp, kq) = (row[p], row[q]);
                row[p] = c * kp - s * kq;
                row[q] = s * kp + c * kq;
            }
            let (row_p, row_q) = (a[p], a[q]);
            a[p] = [0, 1, 2].map(|k| c * row_p[k] - s * row_q[k]);
            a[q] = [0, 1, 2].map(|k| s * row_p[k] + c * row_q[k]);
            for row in &mut v {
                let (kp, kq) = (row[p], row[q]);
                row[p] = c * kp - s * kq;
                row[q] = s * kp + c * kq;
            }
        }
    }
    let mut order = [0, 1, 2];
    order.sort_by(|&i, &j| a[j][j].total_cmp(&a[i][i]));
    (order.map(|i| a[i][i]), order.map(|i| [v[0][i], v[1][i], v[2][i]]))
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
    fn eigenvectors_rebuild_the_matrix() {
        let m = [2.0, -1.0, 0.5, 0.3, -0.7, 1.1];
        let (values, vectors) = eigen(m);
        assert!(values[0] >= values[1] && values[1] >= values[2]);
        for (k, (i, j)) in [(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)].into_iter().enumerate() {
            let got: f64 = (0..3).map(|e| values[e] * vectors[e][i] * vectors[e][j]).sum();
            assert!((got - m[k]).abs() < 1e-12);
        }
    }
}
