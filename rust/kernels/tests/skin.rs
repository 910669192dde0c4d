//! The skin of drawn heads, whose truth is known.

use ndarray::{Array3, ArrayRef3, s};
use skull_kernels::components::{self, Connectivity};
use skull_kernels::skin::{Modality, Params, Report, skin};
use skull_kernels::{Error, Grid, Job, Voxel, fill};
use skull_phantoms::{Contrast, HeadCt, HeadMr, Phantom, head_ct, head_mr};

fn run<T: Voxel>(image: &ArrayRef3<T>, grid: &Grid, params: &Params) -> (Array3<u8>, Report) {
    let mut out = Array3::from_elem(image.dim(), 7);
    let report = skin(image, grid, params, &mut out, &Job::new()).unwrap();
    (out, report)
}

fn ct(scan: &HeadCt) -> Phantom {
    head_ct(scan, &Job::new()).unwrap()
}

fn mr(contrast: Contrast, noise: f64) -> Phantom {
    let scan = HeadMr { contrast, noise, voxel_mm: [1.5; 3], ..HeadMr::default() };
    head_mr(&scan, &Job::new()).unwrap()
}

fn overlap(a: &Array3<u8>, b: &Array3<u8>) -> usize {
    a.iter().zip(b).filter(|(a, b)| **a != 0 && **b != 0).count()
}

fn count(mask: &Array3<u8>) -> usize {
    mask.iter().filter(|v| **v != 0).count()
}

fn check(phantom: &Phantom, mask: &Array3<u8>) {
    let truth = phantom.mask("head");
    let dice = 2.0 * overlap(mask, truth) as f64 / (count(mask) + count(truth)) as f64;
    assert!(dice > 0.985, "Dice {dice:.4}");
    for part in ["ears", "nose"] {
        let part_mask = phantom.mask(part);
        let recall = overlap(mask, part_mask) as f64 / count(part_mask) as f64;
        assert!(recall > 0.9, "{recall:.3} of the {part}");
    }
    let mut parts = Array3::zeros(mask.dim());
    let found = components::label(mask, &phantom.grid, Connectivity::Six, &mut parts, &Job::new()).unwrap();
    assert_eq!(found.len(), 1, "one part");
    let mut filled = mask.clone();
    assert_eq!(fill::fill_enclosed(mask, &phantom.grid, &mut filled, &Job::new()).unwrap(), 0, "no holes");
}

#[test]
fn a_head_on_a_table_comes_alone() {
    for voxel_mm in [[1.2; 3], [0.9, 0.9, 3.0]] {
        let phantom = ct(&HeadCt { voxel_mm, ..HeadCt::default() });
        let (mask, report) = run(&phantom.image, &phantom.grid, &Params::default());
        check(&phantom, &mask);
        assert_eq!(report.modality, Modality::Ct);
        assert!(report.cut_off_ml > 50.0, "the table: {} mL", report.cut_off_ml);
        assert!(report.touched_faces.contains(&'I'), "the neck: {:?}", report.touched_faces);
    }
}

#[test]
fn noise_and_bias_leave_a_head_in_t1_and_t2() {
    for (contrast, noise) in [(Contrast::T1, 5.0), (Contrast::T2, 8.0)] {
        let phantom = mr(contrast, noise);
        let (mask, report) = run(&phantom.image, &phantom.grid, &Params::default());
        check(&phantom, &mask);
        assert_eq!(report.modality, Modality::Mr);
    }
}

#[test]
fn the_voxel_type_and_an_offset_do_not_matter() {
    let phantom = ct(&HeadCt { voxel_mm: [2.0; 3], ..HeadCt::default() });
    let (mask, _) = run(&phantom.image, &phantom.grid, &Params::default());
    assert_eq!(run(&phantom.image.mapv(f64::from), &phantom.grid, &Params::default()).0, mask, "f64");
    let shifted = phantom.image.mapv(|hu| (hu + 1024) as u16);
    let (stored, report) = run(&shifted, &phantom.grid, &Params::default());
    assert_eq!((report.modality, stored), (Modality::Ct, mask), "Hounsfield units with an offset");
}

#[test]
fn voxels_that_are_not_finite_are_air() {
    let phantom = ct(&HeadCt { voxel_mm: [2.0; 3], table: false, ..HeadCt::default() });
    let mut image = phantom.image.mapv(f32::from);
    let (mask, _) = run(&image, &phantom.grid, &Params::default());
    let (mut corner, bad) = (image.slice_mut(s![..20, ..20, ..]), [f32::NAN, f32::INFINITY, f32::NEG_INFINITY]);
    corner.iter_mut().enumerate().for_each(|(i, v)| *v = bad[i % 3]);
    assert_eq!(run(&image, &phantom.grid, &Params::default()).0, mask);
}

#[test]
fn threads_do_not_matter() {
    let phantom = mr(Contrast::T1, 10.0);
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| run(&phantom.image, &phantom.grid, &Params::default()))
    };
    let one = with(1);
    assert_eq!(with(2), one);
    assert_eq!(with(16), one);
}

#[test]
fn airways_stay_open_where_asked() {
    let phantom = ct(&HeadCt { voxel_mm: [1.5; 3], table: false, ..HeadCt::default() });
    let (solid, _) = run(&phantom.image, &phantom.grid, &Params::default());
    let params = Params { keep_airways: true, ..Params::default() };
    let (open, _) = run(&phantom.image, &phantom.grid, &params);
    assert!(count(&open) < count(&solid), "{} and {} voxels", count(&open), count(&solid));
    assert_eq!(overlap(&open, &solid), count(&open), "only less");
}

#[test]
fn what_is_no_head_gets_an_outline_and_a_warning() {
    let grid = Grid::axis_aligned([60; 3], [2.0; 3]).unwrap();
    let ball = |radius: f64, inner: f64| {
        Array3::from_shape_fn(grid.shape(), |(z, y, x)| {
            let d = [z, y, x].iter().map(|&i| (2.0 * i as f64 - 59.0).powi(2)).sum::<f64>().sqrt();
            if d < inner {
                -1000
            } else if d < radius {
                1200
            } else {
                -1000_i16
            }
        })
    };
    let (mask, report) = run(&ball(50.0, 44.0), &grid, &Params::default());
    assert!(count(&mask) > 50_000, "the bone's outline, filled");
    assert!(report.warnings.iter().any(|w| w.contains("bone")), "{:?}", report.warnings);
    let (mask, report) = run(&ball(15.0, 0.0), &grid, &Params::default());
    assert!(count(&mask) > 1_000, "the pebble");
    assert!(report.warnings.iter().any(|w| w.contains("is there a head")), "{:?}", report.warnings);
    let (_, report) = run(&ball(50.0, 0.0).mapv(|v| (v + 1000) / 20), &grid, &Params::default());
    assert!(report.warnings.iter().any(|w| w.contains("stripped")), "{:?}", report.warnings);
}

#[test]
fn images_without_contrast_are_errors() {
    let grid = Grid::axis_aligned([4; 3], [1.0; 3]).unwrap();
    let mut out = Array3::zeros((4, 4, 4));
    let mut fails =
        |image: Array3<f32>, params: Params| skin(&image, &grid, &params, &mut out, &Job::new()).unwrap_err();
    let (flat, empty) = (Array3::from_elem((4, 4, 4), 3.0), Array3::from_elem((4, 4, 4), f32::NAN));
    let ramp = Array3::from_shape_fn((4, 4, 4), |(z, _, _)| z as f32);
    assert!(matches!(fails(flat, Params::default()), Error::Constant { value: 3.0, .. }));
    assert!(matches!(fails(empty, Params::default()), Error::NotFinite { .. }));
    let above = Params { threshold: Some(99.0), ..Params::default() };
    assert!(matches!(fails(ramp.clone(), above), Error::Empty { .. }));
    let wide = Params { opening_mm: f64::NAN, ..Params::default() };
    assert!(matches!(fails(ramp, wide), Error::Parameter { name: "opening_mm", .. }));
}

#[test]
fn volumes_of_a_slice_a_row_or_a_voxel_do_not_crash() {
    for size in [[30, 30, 1], [30, 1, 1], [1, 30, 30], [2, 1, 1]] {
        let grid = Grid::axis_aligned(size, [1.0; 3]).unwrap();
        let image = Array3::from_shape_fn(grid.shape(), |(z, y, x)| ((x + y + z) % 7 * 100) as u16);
        let mut out = Array3::zeros(grid.shape());
        for modality in [Modality::Ct, Modality::Mr] {
            let params = Params { modality, ..Params::default() };
            let _ = skin(&image, &grid, &params, &mut out, &Job::new());
        }
    }
}

#[test]
fn a_cancel_ends_it() {
    let phantom = ct(&HeadCt { voxel_mm: [4.0; 3], ..HeadCt::default() });
    let (job, mut out) = (Job::new(), Array3::zeros(phantom.image.dim()));
    job.cancel();
    let result = skin(&phantom.image, &phantom.grid, &Params::default(), &mut out, &job);
    assert_eq!(result, Err(Error::Cancelled));
}
