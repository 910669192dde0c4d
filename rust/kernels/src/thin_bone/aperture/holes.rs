//! The holes that an opening shows: where it lacks wall, and as much of it as makes up what is missing.

use super::look::{Footprint, Look, apart_mm, square_apart};
use super::shares::{AROUND_MM, Shares};
use crate::thin_bone::openings::Share;
use std::f64::consts::{PI, TAU};

/// Places with less than this share of the wall belong to a hole or its blurred edge.
const EDGE_SHARE: f64 = 0.7;
/// A place with more than this share is wall, unless a hole as small as what is missing would show as much.
pub(super) const WALL_SHARE: f64 = 0.5;
const SHARE_ERROR: f64 = 0.15;
/// At least this share of a hole lies within what is looked at; its area is found in so many rounds.
const LEAST_WITHIN: f64 = 0.5;
const ROUNDS: usize = 4;
/// An empty slit shows more of its wall than a round hole of its area. So does a thin place of a wall, but it lacks
/// less than this, in standard errors.
const SLIT_ERRORS: f64 = 7.0;

/// A hole, if it is one.
pub(super) struct Hole {
    /// The places that may be in it, those that lack most first.
    pub(super) order: Vec<usize>,
    pub(super) area_mm2: f64,
    /// So many of them make up its area.
    pub(super) by_area: usize,
}

/// The holes that places with too little wall show, those that touch as one.
pub(super) fn find(shares: &Shares, look: &Look<'_>) -> Vec<Hole> {
    let places = &shares.places;
    let hollow: Vec<usize> = (0..places.len()).filter(|&k| places[k].share < EDGE_SHARE).collect();
    let diagonal_mm = look.grid.diagonal_mm();
    let touch = |a: usize, b: usize| apart_mm(places[a].seen.at, places[b].seen.at) <= diagonal_mm;
    connected(&hollow, touch).iter().filter_map(|part| hole(shares, part, look.place_mm2())).collect()
}

/// The hole around connected places with too little wall, if their shares are those of one.
fn hole(shares: &Shares, part: &[usize], place_mm2: f64) -> Option<Hole> {
    let Shares { ref places, spread_mm2, .. } = *shares;
    let edge = Footprint::new(part.iter().map(|&k| places[k].seen.at).collect());
    let is_around = |&k: &usize| edge.nearest_mm(places[k].seen.at, 0.5 * AROUND_MM).is_finite();
    let mut order: Vec<usize> = (0..places.len()).filter(is_around).collect();
    let missing_mm2 = order.iter().map(|&k| places[k].missing()).sum::<f64>() * place_mm2;
    let area_mm2 = whole_area(missing_mm2, order.len() as f64 * place_mm2, spread_mm2);
    let least = part.iter().map(|&k| places[k].share).fold(f64::INFINITY, f64::min);
    if area_mm2 < place_mm2 || least > WALL_SHARE.max(if_empty(area_mm2, spread_mm2) + SHARE_ERROR) {
        return None;
    }
    order.sort_by(|&a, &b| places[a].share.total_cmp(&places[b].share).then(a.cmp(&b)));
    let by_area = ((area_mm2 / place_mm2).round() as usize).min(order.len());
    Some(Hole { order, area_mm2, by_area })
}

impl Hole {
    /// Where its middle is if its first places are `open`, on the plane across the axis, and how much of the wall shows
    /// there.
    pub(super) fn share(&self, open: usize, shares: &Shares, look: &Look<'_>) -> ([f64; 2], Share) {
        let Shares { ref places, noise, rim_mm, spread_mm2, .. } = *shares;
        let (open, area_mm2) = (&self.order[..open], self.area_mm2);
        let total: f64 = open.iter().map(|&k| places[k].missing()).sum();
        let middle = |a: usize| open.iter().map(|&k| places[k].missing() * places[k].seen.at[a]).sum::<f64>() / total;
        let at = [0, 1].map(middle);
        let inner_mm = (0.25 * area_mm2 / PI).sqrt();
        let is_inner = |&k: &usize| apart_mm(places[k].seen.at, at) <= inner_mm;
        let inner: Vec<usize> = open.iter().copied().filter(is_inner).collect();
        let inner = if inner.is_empty() { &open[..1] } else { &inner };
        let of_sheet = look.sheet_mm(inner.iter().map(|&k| places[k].seen.voxel)).map(|mm| mm / rim_mm);
        let mean = shares.mean(inner);
        let is_slit = 1.0 - mean >= SLIT_ERRORS * noise;
        let empty = &self.order[..self.by_area];
        let by_shape = is_slit.then(|| {
            let at: Vec<[f64; 2]> = places.iter().map(|p| p.seen.at).collect();
            if_empty_at(&at, empty, inner, spread_mm2)
        });
        let if_empty = if_empty(area_mm2, spread_mm2).max(by_shape.unwrap_or(0.0));
        (at, Share { mean, error: noise, if_empty, is_wall: false, of_sheet })
    }
}

/// The share of a wall that the middle of an empty hole shows through a blur of a variance along each direction.
pub(super) fn if_empty(area_mm2: f64, spread_mm2: f64) -> f64 {
    (-area_mm2.max(0.0) / (TAU * spread_mm2)).exp()
}

/// The share of a wall that the places `seen` show through such a blur, on average, where it has a hole at `empty`.
fn if_empty_at(places: &[[f64; 2]], empty: &[usize], seen: &[usize], spread_mm2: f64) -> f64 {
    let mut wall: Vec<f64> = vec![1.0; places.len()];
    empty.iter().for_each(|&k| wall[k] = 0.0);
    let share = |&k: &usize| {
        let (mut shown, mut all) = (0.0, 0.0);
        for (&at, wall) in places.iter().zip(&wall) {
            let weight = (-0.5 * square_apart(at, places[k]) / spread_mm2).exp();
            shown += weight * wall;
            all += weight;
        }
        shown / all
    };
    seen.iter().map(share).sum::<f64>() / seen.len() as f64
}

/// The area of a hole that has `missing_mm2` of it within `looked_at_mm2` around its middle: blur takes the rest
/// farther. Holes much wider than the blur keep all but little.
fn whole_area(missing_mm2: f64, looked_at_mm2: f64, spread_mm2: f64) -> f64 {
    let mut area_mm2 = missing_mm2;
    for _ in 0..ROUNDS {
        // blurred, the hole is nearly a Gaussian of its own variance and the blur's
        let variance_mm2 = spread_mm2 + 0.5 * area_mm2 / TAU;
        let within = 1.0 - (-looked_at_mm2 / (TAU * variance_mm2)).exp();
        area_mm2 = missing_mm2 / within.max(LEAST_WITHIN);
    }
    if area_mm2 < 2.0 * TAU * spread_mm2 { area_mm2 } else { missing_mm2 }
}

/// Splits a list into parts in which neighbours lead from one to all.
fn connected(of: &[usize], are_neighbours: impl Fn(usize, usize) -> bool) -> Vec<Vec<usize>> {
    let mut left = of.to_vec();
    let mut parts = Vec::new();
    while !left.is_empty() {
        let mut part = vec![left.remove(0)];
        let mut next = 0;
        while next < part.len() {
            let here = part[next];
            next += 1;
            left.retain(|&k| {
                let joins = are_neighbours(here, k);
                if joins {
                    part.push(k);
                }
                !joins
            });
        }
        part.sort_unstable();
        parts.push(part);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_slit_shows_more_of_its_wall_than_a_round_hole_of_its_area() {
        const STEP_MM: f64 = 0.2;
        let spread_mm2: f64 = 0.36;
        // the wall reaches as far around the hole as it does where one is looked at
        let shown = |half: [f64; 2], is_round: bool| {
            let all = (-30..=30).flat_map(|y| (-30..=30).map(move |x| [x, y].map(|i: i32| f64::from(i) * STEP_MM)));
            let is_in = |at: [f64; 2], by: f64| {
                let [x, y] = [0, 1].map(|a| at[a].abs() / (half[a] + by));
                if is_round { x.hypot(y) <= 1.0 } else { x.max(y) <= 1.0 }
            };
            let places: Vec<[f64; 2]> = all.filter(|&at| is_in(at, AROUND_MM)).collect();
            let empty: Vec<usize> = (0..places.len()).filter(|&k| is_in(places[k], 0.0)).collect();
            let middle = empty.iter().copied().filter(|&k| places[k] == [0.0; 2]).collect::<Vec<_>>();
            if_empty_at(&places, &empty, &middle, spread_mm2)
        };
        let round = shown([1.6, 1.6], true);
        assert!((round - if_empty(PI * 1.6 * 1.6, spread_mm2)).abs() < 0.02, "{round}");
        // the area of the round hole, four times as long as wide; its half breadth 0.71 mm is 1.18 blurs
        let slit = shown([2.83, 0.71], false);
        assert!((slit - 0.238).abs() < 0.05, "{slit}");
    }

    #[test]
    fn a_blurred_hole_has_its_whole_area_however_little_of_it_is_looked_at() {
        const STEP_MM: f64 = 0.05;
        let spread_mm2 = 0.36;
        for (radius_mm, looked_at_mm) in [(0.6, 1.1), (0.9, 1.3), (1.2, 1.7), (3.0, 3.8)] {
            let disc = |reach_mm: f64| {
                let reach = (reach_mm / STEP_MM) as i32;
                let all = (-reach..=reach).flat_map(move |y| (-reach..=reach).map(move |x| [x, y]));
                all.map(|at| at.map(|i| f64::from(i) * STEP_MM)).filter(move |[x, y]| x.hypot(*y) <= reach_mm)
            };
            let hole: Vec<[f64; 2]> = disc(radius_mm).collect();
            // blur is even: along one radius it is known everywhere
            let missing = |r: f64| {
                let at = |q: &[f64; 2]| (-0.5 * square_apart([r, 0.0], *q) / spread_mm2).exp();
                hole.iter().map(at).sum::<f64>() * STEP_MM.powi(2) / (TAU * spread_mm2)
            };
            let rings = (looked_at_mm / STEP_MM) as i32;
            let missing_mm2: f64 =
                (0..rings).map(|k| STEP_MM * (f64::from(k) + 0.5)).map(|r| TAU * r * STEP_MM * missing(r)).sum();
            let [area_mm2, looked_at_mm2] = [radius_mm, looked_at_mm].map(|mm: f64| PI * mm * mm);
            let found = whole_area(missing_mm2, looked_at_mm2, spread_mm2) / area_mm2;
            println!("{radius_mm} mm: {:.2} seen, {found:.2} found", missing_mm2 / area_mm2);
            assert!((found - 1.0).abs() < 0.08, "{found} of the area of a hole of {radius_mm} mm");
        }
    }
}
