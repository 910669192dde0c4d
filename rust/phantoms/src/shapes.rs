//! Signed distances to simple bodies, mm, negative inside.

/// A place or direction, RAS mm.
pub(crate) type Point = [f32; 3];

pub(crate) fn minus(a: Point, b: Point) -> Point {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

pub(crate) fn dot(a: Point, b: Point) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

pub(crate) fn length(a: Point) -> f32 {
    dot(a, a).sqrt()
}

/// An ellipsoid; exact on its surface, near it to first order.
pub(crate) fn ellipsoid(p: Point, centre: Point, radii: Point) -> f32 {
    let p = minus(p, centre);
    let scaled = [0, 1, 2].map(|i| p[i] / radii[i]);
    let slope = length([0, 1, 2].map(|i| scaled[i] / radii[i]));
    let k = length(scaled);
    if slope > 1e-6 { k * (k - 1.0) / slope } else { -radii[0].min(radii[1]).min(radii[2]) }
}

/// An egg: an ellipsoid that is `taper` (1/mm) narrower in x for each mm forward.
pub(crate) fn egg(p: Point, centre: Point, radii: Point, taper: f32) -> f32 {
    let widening = 1.0 - taper * (p[1] - centre[1]).clamp(-150.0, 150.0);
    ellipsoid([centre[0] + (p[0] - centre[0]) / widening, p[1], p[2]], centre, radii)
}

/// A rod from `a` to `b` with round ends, whose radius goes from `from` to `to`.
pub(crate) fn rod(p: Point, a: Point, b: Point, [from, to]: [f32; 2]) -> f32 {
    let (along, from_a) = (minus(b, a), minus(p, a));
    let t = (dot(from_a, along) / dot(along, along)).clamp(0.0, 1.0);
    length([0, 1, 2].map(|i| from_a[i] - t * along[i])) - (from + t * (to - from))
}

/// A box with rounded edges.
pub(crate) fn block(p: Point, centre: Point, half: Point, radius: f32) -> f32 {
    let p = minus(p, centre);
    let beyond = [0, 1, 2].map(|i| p[i].abs() - half[i] + radius);
    let outside = length(beyond.map(|b| b.max(0.0)));
    outside + beyond[0].max(beyond[1]).max(beyond[2]).min(0.0) - radius
}

/// The union of two bodies, rounded by about `radius` where they meet.
pub(crate) fn blend(a: f32, b: f32, radius: f32) -> f32 {
    let share = (0.5 + 0.5 * (b - a) / radius).clamp(0.0, 1.0);
    b + (a - b) * share - radius * share * (1.0 - share)
}

/// Share of a point's neighbourhood, blurred by `sigma`, that lies below a distance of zero.
///
/// The logistic curve that is within 0.01 of the normal distribution.
pub(crate) fn inside(distance: f32, sigma: f32) -> f32 {
    1.0 / (1.0 + (1.702 * distance / sigma).exp())
}
