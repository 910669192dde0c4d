//! Agreement with other programs, on the small volumes that `Testing/Data/make_goldens.py` made with them.

use ndarray::Array3;
use skull_kernels::auto_threshold::{Method, auto_threshold};
use skull_kernels::components::{Connectivity, label};
use skull_kernels::histogram::histogram;
use skull_kernels::{Grid, Job, distance, fill, gaussian, morphology};
use std::path::PathBuf;

const SPACING_MM: [f64; 3] = [0.7, 1.1, 1.6];
const RADIUS_MM: f64 = 1.9;
const SIGMA_MM: [f64; 3] = [1.7; 3];

#[test]
fn automatic_thresholds_are_within_a_bin_of_itk_and_slicer() {
    let mask = u8s("head_mask");
    let table = std::fs::read_to_string(path("thresholds.csv")).expect("the table is there");
    let rows: Vec<&str> = table.lines().skip(1).collect();
    assert!(rows.len() > 180, "{} rows", rows.len());
    for row in rows {
        let [image, masked, program, bins, id, expected] = row.split(',').collect::<Vec<_>>()[..] else {
            panic!("not six columns: {row}")
        };
        let bins = bins.parse().unwrap();
        let counts = histogram(&i16s(image), (masked == "1").then_some(&mask), bins, &Job::new()).unwrap();
        let threshold = auto_threshold(&counts, Method::from_id(id).unwrap()).unwrap();
        let difference = (threshold - expected.parse::<f64>().unwrap()) / counts.width();
        assert!(difference.abs() <= 1.0 + 1e-6, "{row}: {program} differs by {difference:.3} bins from {threshold}");
    }
}

#[test]
fn distances_are_those_of_scipy() {
    let mask = u8s("blobs");
    let outside = mask.mapv(|v| 1 - v);
    for (mask, golden) in [(&outside, "blobs_distance_inside"), (&mask, "blobs_distance_outside")] {
        let mut mm = Array3::zeros(mask.dim());
        distance::distance_mm(mask, &grid(mask), &mut mm, &Job::new()).unwrap();
        assert_close(&mm, &f32s(golden), 1e-4, golden);
    }
}

#[test]
fn components_are_those_of_scipy() {
    let mask = u8s("blobs");
    for (connectivity, golden) in [
        (Connectivity::Six, "blobs_components_6"),
        (Connectivity::Eighteen, "blobs_components_18"),
        (Connectivity::TwentySix, "blobs_components_26"),
    ] {
        let mut labels = Array3::zeros(mask.dim());
        label(&mask, &grid(&mask), connectivity, &mut labels, &Job::new()).unwrap();
        assert_eq!(labels, u8s(golden).mapv(u32::from), "{golden}");
    }
}

#[test]
fn fill_is_that_of_scipy() {
    let mask = u8s("blobs");
    let mut filled = mask.clone();
    fill::fill_enclosed(&mask, &grid(&mask), &mut filled, &Job::new()).unwrap();
    assert_eq!(filled, u8s("blobs_fill"));
}

#[test]
fn morphology_is_that_of_scipys_distances() {
    let kernels: [(_, _, fn(&_, &_, _, &mut _, &_) -> _); 4] = [
        ("blobs", "blobs_dilate", |m, g, r, o, j| morphology::dilate(m, g, r, o, j)),
        ("blobs", "blobs_close", |m, g, r, o, j| morphology::close(m, g, r, o, j)),
        ("blobs_wide", "blobs_erode", |m, g, r, o, j| morphology::erode(m, g, r, o, j)),
        ("blobs_wide", "blobs_open", |m, g, r, o, j| morphology::open(m, g, r, o, j)),
    ];
    for (input, golden, kernel) in kernels {
        let mask = u8s(input);
        let mut out: Array3<u8> = Array3::zeros(mask.dim());
        kernel(&mask, &grid(&mask), RADIUS_MM, &mut out, &Job::new()).unwrap();
        assert_eq!(out, u8s(golden), "{golden}");
    }
}

#[test]
fn gaussian_is_that_of_scipy() {
    let image = i16s("gaussian_in");
    let mut smooth = Array3::zeros(image.dim());
    gaussian::smooth(&image, &grid(&image), SIGMA_MM, &mut smooth, &Job::new()).unwrap();
    assert_close(&smooth, &f32s("gaussian_out"), 0.05, "of about 400");
}

fn assert_close(got: &Array3<f32>, golden: &Array3<f32>, tolerance: f32, what: &str) {
    assert_eq!(got.dim(), golden.dim());
    for (index, &value) in got.indexed_iter() {
        assert!((value - golden[index]).abs() <= tolerance, "{what} at {index:?}: {value}, not {}", golden[index]);
    }
}

fn grid<T>(array: &Array3<T>) -> Grid {
    let (nz, ny, nx) = array.dim();
    Grid::axis_aligned([nx, ny, nz], SPACING_MM).unwrap()
}

fn u8s(name: &str) -> Array3<u8> {
    npy(name, "|u1", |[byte]| byte)
}

fn i16s(name: &str) -> Array3<i16> {
    npy(name, "<i2", i16::from_le_bytes)
}

fn f32s(name: &str) -> Array3<f32> {
    npy(name, "<f4", f32::from_le_bytes)
}

/// A three-dimensional array in C order from a .npy file, format version 1: magic, version, the header's length
/// in bytes 8 and 9, the header, the values.
fn npy<T, const BYTES: usize>(name: &str, scalar: &str, value: impl Fn([u8; BYTES]) -> T) -> Array3<T> {
    let file = std::fs::read(path(&format!("{name}.npy"))).unwrap_or_else(|e| panic!("{name}.npy: {e}"));
    let (header, values) = file[10..].split_at(usize::from(u16::from_le_bytes([file[8], file[9]])));
    let header = std::str::from_utf8(header).unwrap();
    assert!(header.contains(scalar) && header.contains("'fortran_order': False"), "{name}.npy: {header}");
    let shape = &header[header.find('(').unwrap() + 1..header.find(')').unwrap()];
    let [nz, ny, nx] = shape.split(',').map(|n| n.trim().parse().unwrap()).collect::<Vec<usize>>()[..] else {
        panic!("{name}.npy: shape {shape}")
    };
    let values = values.chunks_exact(BYTES).map(|bytes| value(bytes.try_into().unwrap())).collect();
    Array3::from_shape_vec((nz, ny, nx), values).unwrap()
}

fn path(file: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "..", "Testing", "Data", "goldens", file].iter().collect()
}
