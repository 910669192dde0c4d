//! Where voxels lie in space.

use crate::{Error, Result};

/// Axes closer than this to perpendicular (cosine of the angle) count as perpendicular: single-precision
/// headers are no more exact, and distances change by less than a thousandth.
const PERPENDICULAR: f64 = 1e-3;

/// How much a spacing read from a single-precision header may be off (relative): no count of voxels and no voxel at
/// just a ball's radius may hang on it.
pub(crate) const SLACK: f64 = 1e-6;

/// A regular grid of voxels in physical space (RAS, mm).
///
/// `size` and `spacing_mm` are (x, y, z), x fastest in memory; arrays on the grid have the shape
/// [`shape`](Self::shape) = (z, y, x) in standard layout. This is the only place where the two orders meet.
///
/// ```
/// let grid = skull_kernels::Grid::axis_aligned([4, 3, 2], [1.0, 1.0, 2.5]).unwrap();
/// assert_eq!(grid.shape(), (2, 3, 4));
/// assert_eq!(grid.ras_mm([1.0, 0.0, 1.0]), [1.0, 0.0, 2.5]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Grid {
    size: [usize; 3],
    spacing_mm: [f64; 3],
    /// Unit vectors of the x, y and z axes in RAS.
    axes: [[f64; 3]; 3],
    origin_mm: [f64; 3],
}

impl Grid {
    /// A grid from its size, spacing (mm), the unit vectors of its x, y and z axes in RAS, and the place of
    /// voxel (0, 0, 0)'s centre (mm, RAS).
    ///
    /// # Errors
    /// [`Error::GridSize`], [`Error::Spacing`], [`Error::Direction`] where no such grid exists.
    pub fn new(size: [usize; 3], spacing_mm: [f64; 3], axes: [[f64; 3]; 3], origin_mm: [f64; 3]) -> Result<Self> {
        let voxels = size.iter().try_fold(1_usize, |n, &s| n.checked_mul(s)).filter(|&n| n > 0 && n < 1 << 46);
        if voxels.is_none() {
            return Err(Error::GridSize { size });
        }
        if !spacing_mm.iter().all(|s| s.is_finite() && *s > 0.0) {
            return Err(Error::Spacing { spacing_mm });
        }
        let mut unit = axes;
        for axis in &mut unit {
            let length = dot(*axis, *axis).sqrt();
            if !length.is_finite() || length < 1e-12 {
                return Err(Error::Direction);
            }
            axis.iter_mut().for_each(|c| *c /= length);
        }
        let volume = dot(cross(unit[0], unit[1]), unit[2]);
        if volume.abs() < 1e-4 || !origin_mm.iter().all(|o| o.is_finite()) {
            return Err(Error::Direction);
        }
        Ok(Self { size, spacing_mm, axes: unit, origin_mm })
    }

    /// A grid whose axes are R, A and S, with its first voxel at the origin.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn axis_aligned(size: [usize; 3], spacing_mm: [f64; 3]) -> Result<Self> {
        Self::new(size, spacing_mm, [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], [0.0; 3])
    }

    /// A grid from the affine matrix that takes voxel indices (x, y, z) to RAS mm, three rows of four.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn from_affine(size: [usize; 3], affine: [[f64; 4]; 3]) -> Result<Self> {
        let column = |c: usize| [affine[0][c], affine[1][c], affine[2][c]];
        let axes = [column(0), column(1), column(2)];
        Self::new(size, axes.map(|a| dot(a, a).sqrt()), axes, column(3))
    }

    /// Number of voxels along x, y and z.
    #[must_use]
    pub fn size(&self) -> [usize; 3] {
        self.size
    }

    /// Shape of an array on the grid: (z, y, x).
    #[must_use]
    pub fn shape(&self) -> (usize, usize, usize) {
        (self.size[2], self.size[1], self.size[0])
    }

    /// Number of voxels.
    #[must_use]
    pub fn voxels(&self) -> usize {
        self.size.iter().product()
    }

    /// Distance between neighbouring voxels' centres along x, y and z.
    #[must_use]
    pub fn spacing_mm(&self) -> [f64; 3] {
        self.spacing_mm
    }

    /// Unit vectors of the x, y and z axes in RAS.
    #[must_use]
    pub fn axes(&self) -> [[f64; 3]; 3] {
        self.axes
    }

    /// Centre of voxel (0, 0, 0) in RAS.
    #[must_use]
    pub fn origin_mm(&self) -> [f64; 3] {
        self.origin_mm
    }

    /// Where a voxel index (x, y, z), whole or not, lies in RAS mm.
    #[must_use]
    pub fn ras_mm(&self, index: [f64; 3]) -> [f64; 3] {
        let mut ras = self.origin_mm;
        for (a, axis) in self.axes.iter().enumerate() {
            for r in 0..3 {
                ras[r] += axis[r] * self.spacing_mm[a] * index[a];
            }
        }
        ras
    }

    /// Which voxel index (x, y, z), whole or not, lies at a place in RAS mm.
    #[must_use]
    pub fn index(&self, ras_mm: [f64; 3]) -> [f64; 3] {
        let p = [0, 1, 2].map(|r| ras_mm[r] - self.origin_mm[r]);
        let [x, y, z] = self.axes;
        let volume = dot(cross(x, y), z);
        [dot(p, cross(y, z)), dot(p, cross(z, x)), dot(p, cross(x, y))]
            .iter()
            .zip(self.spacing_mm)
            .map(|(d, s)| d / volume / s)
            .collect::<Vec<_>>()
            .try_into()
            .expect("three axes")
    }

    /// The grid of the voxels from `low` up to, not including, `high` (x, y, z).
    ///
    /// # Errors
    /// [`Error::GridSize`] where there are none.
    pub fn part(&self, low: [usize; 3], high: [usize; 3]) -> Result<Self> {
        let size = [0, 1, 2].map(|a| high[a].min(self.size[a]).saturating_sub(low[a]));
        Self::new(size, self.spacing_mm, self.axes, self.ras_mm(low.map(|i| i as f64)))
    }

    /// Volume of a voxel.
    #[must_use]
    pub fn voxel_mm3(&self) -> f64 {
        let [x, y, z] = self.axes;
        (dot(cross(x, y), z) * self.spacing_mm.iter().product::<f64>()).abs()
    }

    /// Spacing along the finest axis, mm.
    pub(crate) fn finest_mm(&self) -> f64 {
        self.spacing_mm.into_iter().fold(f64::INFINITY, f64::min)
    }

    /// From corner to corner of a voxel, mm.
    pub(crate) fn diagonal_mm(&self) -> f64 {
        self.spacing_mm.iter().map(|s| s * s).sum::<f64>().sqrt()
    }

    /// The voxel (x, y, z) nearest to a place, mm along the grid's axes.
    pub(crate) fn nearest_voxel(&self, mm: [f64; 3]) -> [usize; 3] {
        [0, 1, 2].map(|a| ((mm[a] / self.spacing_mm[a]).round().max(0.0) as usize).min(self.size[a] - 1))
    }

    /// Whether the axes form a left-handed frame in RAS.
    #[must_use]
    pub fn is_left_handed(&self) -> bool {
        let [x, y, z] = self.axes;
        dot(cross(x, y), z) < 0.0
    }

    /// Fails where the axes are not perpendicular, for kernels that work axis by axis.
    ///
    /// # Errors
    /// [`Error::Sheared`].
    pub fn check_orthogonal(&self) -> Result<()> {
        let [x, y, z] = self.axes;
        let worst =
            [dot(x, y), dot(y, z), dot(z, x)].into_iter().fold(0.0, |w: f64, c| if c.abs() > w.abs() { c } else { w });
        if worst.abs() > PERPENDICULAR { Err(Error::Sheared { angle_deg: worst.acos().to_degrees() }) } else { Ok(()) }
    }

    /// Fails where an array of shape (z, y, x) is not on this grid.
    ///
    /// # Errors
    /// [`Error::SizeMismatch`] that names `what`.
    pub fn check_shape(&self, what: &'static str, shape: (usize, usize, usize)) -> Result<()> {
        let got = [shape.2, shape.1, shape.0];
        if got == self.size { Ok(()) } else { Err(Error::SizeMismatch { what, got, expected: self.size }) }
    }
}

/// The place (x, y, z) of a volume's voxel, counted with x fastest.
pub(crate) fn unravel(voxel: usize, [nx, ny, _]: [usize; 3]) -> [usize; 3] {
    [voxel % nx, voxel / nx % ny, voxel / (nx * ny)]
}

/// The voxel at a place (x, y, z) of a volume, counted with x fastest.
pub(crate) fn ravel([x, y, z]: [usize; 3], [nx, ny, _]: [usize; 3]) -> usize {
    (z * ny + y) * nx + x
}

/// The step (x, y, z) from the middle of a block of three voxels along each axis to its voxel `k`.
pub(crate) fn step_in_block(k: usize) -> [isize; 3] {
    unravel(k, [3; 3]).map(|i| i as isize - 1)
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn voxels_are_counted_along_x_then_y_then_z() {
        let places = (0..4).flat_map(|z| (0..3).flat_map(move |y| (0..5).map(move |x| [x, y, z])));
        assert!(places.enumerate().all(|(voxel, place)| unravel(voxel, [5, 3, 4]) == place));
    }

    #[test]
    fn index_undoes_ras_on_an_oblique_left_handed_grid() {
        let affine = [[-0.9, 0.1, 0.0, 80.0], [0.1, 0.9, 0.3, -90.0], [0.0, -0.2, 1.5, 12.0]];
        let grid = Grid::from_affine([10, 11, 12], affine).unwrap();
        assert!(grid.is_left_handed());
        let back = grid.index(grid.ras_mm([3.0, 4.5, 7.25]));
        for (got, want) in back.into_iter().zip([3.0, 4.5, 7.25]) {
            assert!((got - want).abs() < 1e-9, "{back:?}");
        }
    }

    #[test]
    fn a_part_lies_where_its_voxels_do() {
        let grid =
            Grid::from_affine([10, 11, 12], [[-0.9, 0.1, 0.0, 80.0], [0.1, 0.9, 0.3, -90.0], [0.0, -0.2, 1.5, 12.0]]);
        let part = grid.as_ref().unwrap().part([2, 3, 4], [5, 99, 6]).unwrap();
        assert_eq!(part.size(), [3, 8, 2]);
        let (one, other) = (part.ras_mm([1.0, 2.0, 1.0]), grid.unwrap().ras_mm([3.0, 5.0, 5.0]));
        assert!(one.iter().zip(other).all(|(a, b)| (a - b).abs() < 1e-9));
        assert!(matches!(part.part([3, 0, 0], [9, 9, 9]), Err(Error::GridSize { .. })));
    }

    #[test]
    fn grids_that_cannot_exist_are_refused() {
        assert!(matches!(Grid::axis_aligned([0, 3, 3], [1.0; 3]), Err(Error::GridSize { .. })));
        assert!(matches!(Grid::axis_aligned([usize::MAX, 3, 3], [1.0; 3]), Err(Error::GridSize { .. })));
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(matches!(Grid::axis_aligned([3; 3], [1.0, bad, 1.0]), Err(Error::Spacing { .. })));
        }
        let flat = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 1.0, 0.0]];
        assert_eq!(Grid::new([3; 3], [1.0; 3], flat, [0.0; 3]), Err(Error::Direction));
    }

    #[test]
    fn a_tilted_gantry_is_named_by_its_angle() {
        let tilt = 20_f64.to_radians();
        let axes = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, tilt.sin(), tilt.cos()]];
        let grid = Grid::new([3; 3], [1.0; 3], axes, [0.0; 3]).unwrap();
        let Err(Error::Sheared { angle_deg }) = grid.check_orthogonal() else { panic!("not refused") };
        assert!((angle_deg - 70.0).abs() < 1e-9);
        assert!((grid.voxel_mm3() - tilt.cos()).abs() < 1e-9);
    }
}
