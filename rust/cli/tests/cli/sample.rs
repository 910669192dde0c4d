//! Drawn scans arrive in files with their truth.

use crate::Desk;
use ndarray::Array3;
use skull_cli::volume_io::{NiftiFile, Volume};
use skull_cli::voxels::Voxels;
use skull_kernels::Job;

fn read(desk: &Desk, name: &str) -> Volume {
    NiftiFile::open(&desk.path(name)).unwrap().read(None, &Job::new()).unwrap()
}

fn mask(desk: &Desk, name: &str) -> Array3<u8> {
    let Voxels::U8(mask) = read(desk, name).voxels else { panic!("{name} is not uint8") };
    mask
}

#[test]
fn a_head_comes_with_its_truth_on_its_grid() {
    let desk = Desk::new();
    desk.skull(&["sample", "head-ct", "-o", "new/ct", "--voxel", "6", "6", "8", "--seed", "3"]).success();
    let names = [
        "image.nii.gz",
        "truth.json",
        "truth_bone.nii.gz",
        "truth_ears.nii.gz",
        "truth_head.nii.gz",
        "truth_nose.nii.gz",
    ];
    assert_eq!(desk.files(), names.map(|name| format!("new/ct/{name}")));
    let image = read(&desk, "new/ct/image.nii.gz");
    let Voxels::I16(hu) = &image.voxels else { panic!("not int16") };
    assert_eq!(image.grid.size(), [35, 43, 33]);
    assert_eq!(image.grid.spacing_mm().map(|s| s.round()), [6.0, 6.0, 8.0]);
    let head = mask(&desk, "new/ct/truth_head.nii.gz");
    assert_eq!(read(&desk, "new/ct/truth_head.nii.gz").grid, image.grid);
    let mean = |inside: u8| {
        let chosen: Vec<f64> =
            hu.iter().zip(&head).filter(|(_, h)| **h == inside).map(|(v, _)| f64::from(*v)).collect();
        chosen.iter().sum::<f64>() / chosen.len() as f64
    };
    assert!(mean(0) < -900.0 && mean(1) > 0.0, "{} outside, {} inside", mean(0), mean(1));
}

#[test]
fn the_same_seed_gives_the_same_bytes_on_any_number_of_threads() {
    let desk = Desk::new();
    for (folder, threads) in [("one", "1"), ("three", "3")] {
        desk.skull(&["sample", "head-mr", "-o", folder, "--voxel", "9", "9", "9", "--threads", threads]).success();
    }
    for name in ["image.nii.gz", "truth_head.nii.gz", "truth.json"] {
        let [one, three] =
            ["one", "three"].map(|folder| std::fs::read(desk.path(&format!("{folder}/{name}"))).unwrap());
        assert!(one == three, "{name}");
    }
}

#[test]
fn an_orbit_lists_its_openings() {
    let desk = Desk::new();
    desk.skull(&["sample", "orbit-ct", "-o", ".", "--voxel", "1", "1", "1"]).success();
    let truth: serde_json::Value = serde_json::from_slice(&std::fs::read(desk.path("truth.json")).unwrap()).unwrap();
    let openings = truth["openings"].as_array().unwrap();
    assert_eq!(openings.len(), 8);
    assert!(
        openings
            .iter()
            .all(|o| o["diameter_mm"].as_f64().unwrap() > 1.0 && o["center_ras_mm"].as_array().unwrap().len() == 3)
    );
    let Voxels::F32(thickness) = read(&desk, "truth_thickness.nii.gz").voxels else { panic!("not float32") };
    assert!(thickness.iter().any(|&t| t > 0.0 && t < 0.4));
}

#[test]
fn what_cannot_be_drawn_leaves_nothing() {
    let desk = Desk::new();
    desk.skull(&["sample", "head-ct", "-o", "new", "--voxel", "0.001", "1", "1"]).code(2);
    desk.skull(&["sample", "head-mr", "-o", "new", "--noise", "-1"]).code(2);
    assert_eq!(desk.files(), [""; 0]);
    assert!(!desk.path("new").exists());
}
