//! A smooth piece of a surface: a height over a plane, of second order.

use crate::thin_bone::linalg::{Vec3, cross, dot, solve};

/// The quadric through the points in the frame (u, v, n), stray points left out; `None` where they lie on no
/// smooth surface.
pub(super) fn fit(points: &[Vec3], n: Vec3, u: Vec3, v: Vec3) -> Option<[f64; 6]> {
    debug_assert!(dot(cross(u, v), n).abs() > 0.99);
    let local: Vec<Vec3> = points.iter().map(|&p| [dot(p, u), dot(p, v), dot(p, n)]).collect();
    let mut keep: Vec<bool> = local.iter().map(|p| p[2].abs() < 2.0).collect();
    let mut quadric = [0.0; 6];
    for _ in 0..3 {
        let mut normal = [[0.0; 6]; 6];
        let mut right = [0.0; 6];
        let mut count = 0;
        for (p, _) in local.iter().zip(&keep).filter(|(_, k)| **k) {
            let row = [1.0, p[0], p[1], p[0] * p[0], p[0] * p[1], p[1] * p[1]];
            for i in 0..6 {
                right[i] += row[i] * p[2];
                for j in 0..=i {
                    normal[i][j] += row[i] * row[j];
                }
            }
            count += 1;
        }
        if count < 24 {
            return None;
        }
        quadric = solve(normal, right)?;
        let residual = |p: &Vec3| (p[2] - height(&quadric, p[0], p[1])).abs();
        let mut kept: Vec<f64> = local.iter().zip(&keep).filter(|(_, k)| **k).map(|(p, _)| residual(p)).collect();
        kept.sort_by(f64::total_cmp);
        let typical = kept[kept.len() / 2];
        if typical > 0.2 {
            return None;
        }
        keep = local.iter().map(|p| residual(p) < (4.0 * typical).max(0.1)).collect();
        if keep.iter().filter(|k| **k).count() * 10 < 8 * local.len() {
            return None;
        }
    }
    Some(quadric)
}

/// Height over the plane: c0 + c1 a + c2 b + c3 a² + c4 ab + c5 b².
pub(super) fn height(c: &[f64; 6], a: f64, b: f64) -> f64 {
    c[0] + c[1] * a + c[2] * b + c[3] * a * a + c[4] * a * b + c[5] * b * b
}
