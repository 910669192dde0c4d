//! That a phantom is what it says.

use ndarray::Array3;
use rayon::ThreadPoolBuilder;
use skull_kernels::{Error, Job};
use skull_phantoms::{Contrast, HeadCt, HeadMr, Orbit, OrbitCt, Phantom};
use std::sync::LazyLock;

const COARSE: [f64; 3] = [4.0, 4.0, 5.0];

fn head_mr(scan: &HeadMr) -> Phantom {
    skull_phantoms::head_mr(scan, &Job::new()).unwrap()
}

fn head_ct(scan: &HeadCt) -> Phantom {
    skull_phantoms::head_ct(scan, &Job::new()).unwrap()
}

fn orbit_ct(scan: &OrbitCt) -> Orbit {
    skull_phantoms::orbit_ct(scan, &Job::new()).unwrap()
}

fn on_threads<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> R {
    ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
}

#[test]
fn a_phantom_depends_on_its_parameters_alone() {
    let mr = HeadMr { voxel_mm: COARSE, ..HeadMr::default() };
    let ct = HeadCt { voxel_mm: COARSE, ..HeadCt::default() };
    assert!(on_threads(1, || head_mr(&mr)) == on_threads(3, || head_mr(&mr)));
    assert!(on_threads(1, || head_ct(&ct)) == on_threads(3, || head_ct(&ct)));
    let other = head_mr(&HeadMr { seed: 2, ..mr.clone() });
    assert!(other.image != head_mr(&mr).image && other.masks != head_mr(&mr).masks);
}

#[test]
fn a_seed_is_one_person_in_every_scan() {
    let litres = |phantom: &Phantom| {
        let voxels = phantom.mask("head").iter().filter(|v| **v == 1).count();
        voxels as f64 * phantom.grid.voxel_mm3() / 1e6
    };
    let coarse = litres(&head_ct(&HeadCt { voxel_mm: COARSE, ..HeadCt::default() }));
    let fine = litres(&head_mr(&HeadMr { voxel_mm: [2.5; 3], ..HeadMr::default() }));
    let tilted = litres(&head_mr(&HeadMr {
        voxel_mm: COARSE,
        contrast: Contrast::T2,
        noise: 90.0,
        tilt_deg: 8.0,
        ..HeadMr::default()
    }));
    assert!((3.0..6.0).contains(&fine), "{fine} L");
    assert!((coarse / fine - 1.0).abs() < 0.01, "{coarse} and {fine} L");
    assert!((tilted / fine - 1.0).abs() < 0.05, "{tilted} and {fine} L: a tilted volume cuts the neck elsewhere");
}

/// Mean of the image where a mask is set and `keep` holds for the place (RAS mm).
fn mean(phantom: &Phantom, mask: &str, keep: impl Fn([f64; 3]) -> bool) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    for (((z, y, x), &value), &inside) in phantom.image.indexed_iter().zip(phantom.mask(mask)) {
        if inside == 1 && keep(phantom.grid.ras_mm([x as f64, y as f64, z as f64])) {
            (sum, count) = (sum + f64::from(value), count + 1.0);
        }
    }
    assert!(count > 0.0, "nothing there");
    sum / count
}

#[test]
fn levels_are_those_of_the_modality() {
    let ct = head_ct(&HeadCt { voxel_mm: [2.5; 3], ..HeadCt::default() });
    let brain = |p: [f64; 3]| (p[0].abs() < 40.0) && (p[1] + 60.0).abs() < 12.0 && (p[2] - 60.0).abs() < 15.0;
    assert!((20.0..45.0).contains(&mean(&ct, "head", brain)));
    assert!(mean(&ct, "bone", |_| true) > 500.0);
    let t1 = head_mr(&HeadMr { voxel_mm: [2.5; 3], bias: 0.0, ghost: 0.0, ..HeadMr::default() });
    assert!(mean(&t1, "bone", |_| true) < 0.5 * mean(&t1, "head", brain), "bone is dark in MR");
    let lesion = |side: f64| {
        move |p: [f64; 3]| (p[0] - side * 38.0).abs() < 4.0 && (p[1] + 20.0).abs() < 4.0 && (p[2] - 84.0).abs() < 4.0
    };
    assert!(mean(&t1, "head", lesion(1.0)) < 0.7 * mean(&t1, "head", lesion(-1.0)), "the lesion is on the right");
}

#[test]
fn a_table_is_outside_the_head() {
    let with = head_ct(&HeadCt { voxel_mm: COARSE, noise_hu: 0.0, ..HeadCt::default() });
    let without = head_ct(&HeadCt { voxel_mm: COARSE, noise_hu: 0.0, table: false, ..HeadCt::default() });
    assert!(with.masks == without.masks);
    let changed = ndarray::Zip::from(&with.image).and(&without.image).map_collect(|a, b| u8::from(a != b));
    let in_head = changed.iter().zip(with.mask("head")).filter(|(c, h)| **c == 1 && **h == 1).count();
    assert!(changed.iter().any(|&c| c == 1) && in_head == 0);
}

fn noiseless_orbit(walls: bool) -> Orbit {
    orbit_ct(&OrbitCt { noise_hu: 0.0, voxel_mm: [0.5; 3], walls, ..OrbitCt::default() })
}

static ORBIT: LazyLock<Orbit> = LazyLock::new(|| noiseless_orbit(true));
static BARE: LazyLock<Orbit> = LazyLock::new(|| noiseless_orbit(false));

fn at(map: &Array3<f32>, orbit: &Orbit, place: [f64; 3]) -> f32 {
    let [x, y, z] = orbit.phantom.grid.index(place).map(|i| i.round() as usize);
    map[[z, y, x]]
}

#[test]
fn openings_are_free_and_their_rims_are_not() {
    let orbit = &*ORBIT;
    assert_eq!(orbit.openings.len(), 8);
    for opening in orbit.openings.iter().filter(|opening| opening.name != "optic canal") {
        assert_eq!(at(&orbit.thickness_mm, orbit, opening.centre_mm), 0.0, "{}", opening.name);
        // Somewhere around it there is wall: within the longest half axis and a bit.
        let reach = 0.5 * opening.diameter_mm + 7.0;
        let near = orbit.thickness_mm.indexed_iter().filter(|&((z, y, x), &t)| {
            let p = orbit.phantom.grid.ras_mm([x as f64, y as f64, z as f64]);
            let away: f64 = (0..3).map(|r| (p[r] - opening.centre_mm[r]).powi(2)).sum();
            t > 0.0 && away.sqrt() < reach
        });
        assert!(near.count() > 50, "{}", opening.name);
    }
}

#[test]
fn a_thin_wall_keeps_its_mass_through_the_blur() {
    // Across the medial wall: what the plate adds to the image is its thickness times its excess over the media there.
    let orbit = &*ORBIT;
    let grid = &orbit.phantom.grid;
    let mut ratios = Vec::new();
    for y in (-8..9).map(f64::from) {
        let [_, j, k] = grid.index([0.0, y, 1.0]).map(|i| i.round() as usize);
        let wall = (0..grid.size()[0])
            .find(|&x| x as f64 > grid.index([6.0, 0.0, 0.0])[0] && orbit.thickness_mm[[k, j, x]] > 0.0);
        let Some(wall) = wall.filter(|&x| orbit.thickness_mm[[k, j, x]] < 0.45) else { continue };
        let value = |orbit: &Orbit, x: usize| f64::from(orbit.phantom.image[[k, j, x]]);
        let across = wall - 5..wall + 4;
        let step_mm = grid.spacing_mm()[0];
        let mass: f64 = across.map(|x| step_mm * (value(orbit, x) - value(&BARE, x))).sum();
        let want = f64::from(orbit.thickness_mm[[k, j, wall]]) * (1000.0 - value(&BARE, wall));
        ratios.push(mass / want);
    }
    // A septum behind the wall spoils some.
    assert!(ratios.len() > 10, "only {} places", ratios.len());
    ratios.sort_by(f64::total_cmp);
    let median = ratios[ratios.len() / 2];
    assert!((median - 1.0).abs() < 0.2, "{ratios:.2?}");
}

#[test]
fn without_walls_only_thick_bone_is_left() {
    assert!(BARE.thickness_mm.iter().all(|&t| t == 0.0 || t >= 1.0));
    assert!(ORBIT.thickness_mm.iter().any(|&t| t > 0.0 && t < 0.3));
}

#[test]
fn what_cannot_be_drawn_is_refused() {
    for bad in [0.0, -1.0, 1e-3, 1e3, f64::NAN] {
        let voxel_mm = [1.0, bad, 1.0];
        let head = skull_phantoms::head_ct(&HeadCt { voxel_mm, ..HeadCt::default() }, &Job::new());
        let orbit = skull_phantoms::orbit_ct(&OrbitCt { voxel_mm, ..OrbitCt::default() }, &Job::new());
        assert!(matches!(head, Err(Error::Parameter { name: "voxel_mm", .. })));
        assert!(matches!(orbit, Err(Error::Parameter { name: "voxel_mm", .. })));
    }
    let loud = skull_phantoms::head_mr(&HeadMr { noise: f64::NAN, ..HeadMr::default() }, &Job::new());
    assert!(matches!(loud, Err(Error::Parameter { name: "noise", .. })));
    let cancelled = Job::new();
    cancelled.cancel();
    assert_eq!(skull_phantoms::orbit_ct(&OrbitCt::default(), &cancelled), Err(Error::Cancelled));
}
