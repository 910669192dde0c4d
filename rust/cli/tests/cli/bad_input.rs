//! Bad input gets one line that says what is wrong with which file, and leaves no output.

use crate::Desk;
use crate::nifti_file::{NiftiFile, gzip};

/// The line that `skull skin` gives for a file, after checking that it is one and that nothing else happened.
fn complaint_about(name: &str, bytes: &[u8]) -> String {
    let desk = Desk::new();
    desk.put(name, bytes);
    complaint(&desk, &["skin", name, "-o", "out.nii.gz", "--report", "out.json"], &[name])
}

fn complaint(desk: &Desk, arguments: &[&str], files_left: &[&str]) -> String {
    let output = desk.skull(arguments).code(1).get_output().clone();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.starts_with("skull: error: "), "{stderr}");
    assert_eq!(desk.files(), files_left, "{stderr}");
    assert!(output.stdout.is_empty());
    stderr
}

fn check(file: &NiftiFile, words: &[&str]) {
    for (name, bytes) in [("scan.nii", file.bytes()), ("scan.nii.gz", file.gzipped())] {
        let line = complaint_about(name, &bytes);
        for word in words.iter().chain(&[name]) {
            assert!(line.contains(word), "\"{word}\" is not in: {line}");
        }
    }
}

fn check_bytes(name: &str, bytes: &[u8], words: &[&str]) {
    let line = complaint_about(name, bytes);
    for word in words.iter().chain(&[name]) {
        assert!(line.contains(word), "\"{word}\" is not in: {line}");
    }
}

#[test]
fn files_that_are_not_there_or_not_nifti() {
    let line = complaint(&Desk::new(), &["skin", "scan.nii", "-o", "out.nii.gz"], &[]);
    assert!(line.contains("scan.nii: there is no such file"), "{line}");
    check_bytes("scan.nii", b"", &["empty"]);
    check_bytes("scan.nii.gz", &gzip(b""), &["empty"]);
    check_bytes("scan.nii", b"abc", &["not a NIfTI file"]);
    check_bytes("scan.nii", &[b'x'; 1000], &["not a NIfTI file"]);
    check_bytes("scan.nii", b"NRRD0004\n", &["NRRD", "3D Slicer"]);
    let mut dicom = vec![0; 128];
    dicom.extend(b"DICM and more");
    check_bytes("scan.nii", &dicom, &["DICOM", "dcm2niix"]);
    check_bytes("scan.nii", &NiftiFile::default().bytes()[..200], &["ends within the NIfTI header", "200"]);
    check_bytes("scan.nii", &NiftiFile::default().two().bytes()[..400], &["ends within the NIfTI header", "400"]);
    let folder = Desk::new();
    std::fs::create_dir(folder.path("dicom")).unwrap();
    let line = complaint(&folder, &["skin", "dicom", "-o", "out.nii.gz"], &[]);
    assert!(line.contains("a folder, not a file"), "{line}");
}

#[test]
fn wrong_magic() {
    check(&NiftiFile { magic: b"n+9\0".to_vec(), ..NiftiFile::default() }, &["magic", "n+9", "n+1"]);
    check(&NiftiFile { magic: vec![0; 4], ..NiftiFile::default() }, &["ANALYZE"]);
    check(&NiftiFile { magic: b"n+2\0\n\n\n\n".to_vec(), ..NiftiFile::default().two() }, &["magic", "n+2\\x00\\n\\n"]);
}

#[test]
fn truncated_and_damaged_files() {
    let file = NiftiFile::cube(20, |[x, y, z]| ((x * 7919 + y * 104_729 + z * 1_299_709) % 977) as f64);
    let plain = file.bytes();
    check_bytes("scan.nii", &plain[..plain.len() - 1], &["20 x 20 x 20", "cut short", "16351"]);
    let packed = file.gzipped();
    for length in [3, 11, packed.len() / 2, packed.len() - 9, packed.len() - 1] {
        check_bytes("scan.nii.gz", &packed[..length], &["gzip data are cut short"]);
    }
    // Whole gzip data of a file that was cut before.
    check_bytes("scan.nii.gz", &gzip(&plain[..plain.len() - 1]), &["ends before its last voxel"]);
    let mut damaged = packed.clone();
    damaged[packed.len() / 2] ^= 0x55;
    check_bytes("scan.nii.gz", &damaged, &["gzip data are damaged"]);
    let mut wrong_checksum = packed.clone();
    let at = packed.len() - 6;
    wrong_checksum[at] ^= 1;
    check_bytes("scan.nii.gz", &wrong_checksum, &["gzip data are damaged"]);
}

#[test]
fn dimensions_that_cannot_be() {
    let with_dim = |dim| NiftiFile { dim, ..NiftiFile::default() };
    for dim in [[3, 0, 3, 2, 1, 1, 1, 1], [3, -4, 3, 2, 1, 1, 1, 1], [4, 4, 3, 2, 0, 1, 1, 1]] {
        check(&with_dim(dim), &["dimensions", "at least 1"]);
        check(&NiftiFile { dim, ..NiftiFile::default().two() }, &["dimensions", "at least 1"]);
    }
    for first in [0, 8, -1] {
        check(&with_dim([first, 4, 3, 2, 1, 1, 1, 1]), &["dim[0]", &first.to_string()]);
    }
    let huge = [3, 32767, 32767, 32767, 1, 1, 1, 1];
    check(&with_dim(huge), &["32767 x 32767 x 32767", "the file"]);
    check(&with_dim([7, 32767, 32767, 32767, 32767, 32767, 32767, 32767]), &["exceed every memory"]);
    let overflowing = [3, i64::MAX, i64::MAX, 3, 1, 1, 1, 1];
    check(&NiftiFile { dim: overflowing, ..NiftiFile::default().two() }, &["exceed every memory"]);
    let large = [3, 1 << 18, 1 << 18, 1 << 18, 1, 1, 1, 1];
    check(&NiftiFile { dim: large, ..NiftiFile::default().two() }, &["262144", "the file"]);
}

#[test]
fn voxels_that_start_nowhere() {
    for vox_offset in [-352.0, 100.0, 352.5, f64::NAN, f64::INFINITY, 1e30] {
        check(&NiftiFile { vox_offset, ..NiftiFile::default() }, &["vox_offset"]);
    }
    check(&NiftiFile { vox_offset: 1e6, ..NiftiFile::default() }, &["1000048"]);
}

#[test]
fn spacing_that_is_no_length() {
    for bad in [0.0, -0.8, f64::NAN, f64::INFINITY] {
        for axis in 1..4 {
            let mut file = NiftiFile::default();
            file.pixdim[axis] = bad;
            check(&file, &["spacing", "pixdim", "positive and finite"]);
        }
    }
}

#[test]
fn affines_that_do_not_span_space() {
    let singular = [[1.0, 2.0, 0.0, 0.0], [2.0, 4.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]];
    let not_a_number = [[f64::NAN, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]];
    let nowhere = [[1.0, 0.0, 0.0, f64::INFINITY], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]];
    for srow in [singular, not_a_number, nowhere, [[0.0; 4]; 3]] {
        check(&NiftiFile { srow, ..NiftiFile::default() }, &["sform"]);
    }
    let file = NiftiFile { sform_code: 0, quatern: [f64::NAN, 0.0, 0.0], ..NiftiFile::default() };
    check(&file, &["quaternion", "NaN"]);
    let file = NiftiFile { sform_code: 0, qoffset: [0.0, f64::NAN, 0.0], ..NiftiFile::default() };
    check(&file, &["qform"]);
}

#[test]
fn voxels_that_are_no_real_numbers() {
    for (datatype, word) in [
        (128, "colours"),
        (2304, "colours"),
        (32, "complex"),
        (1792, "complex"),
        (1536, "float128"),
        (1, "single bits"),
        (0, "unknown datatype"),
        (77, "unknown datatype"),
    ] {
        check(&NiftiFile { datatype, ..NiftiFile::default() }, &[word, &datatype.to_string()]);
        check(&NiftiFile { datatype, ..NiftiFile::default().two() }, &[word, &datatype.to_string()]);
    }
    check(&NiftiFile { slope: 2.0, inter: f64::NAN, ..NiftiFile::default() }, &["scl_inter", "NaN"]);
}

#[test]
fn several_volumes_ask_for_one() {
    let file =
        NiftiFile { dim: [4, 4, 3, 2, 5, 1, 1, 1], voxels: (0..120).map(f64::from).collect(), ..NiftiFile::default() };
    check(&file, &["5 volumes", "--volume N", "0 to 4"]);
}

#[test]
fn outputs_that_cannot_be_written() {
    let desk = Desk::new();
    desk.put("scan.nii", &NiftiFile::default().bytes());
    let line = complaint(&desk, &["skin", "scan.nii", "-o", "none/out.nii"], &["scan.nii"]);
    assert!(line.contains("none/out.nii") && line.contains("there is no folder none"), "{line}");
    let line = complaint(&desk, &["skin", "scan.nii", "-o", "scan.nii"], &["scan.nii"]);
    assert!(line.contains("an input of this command"), "{line}");
    let line = complaint(&desk, &["skin", "scan.nii", "-o", "out.nii", "--report", "out.nii"], &["scan.nii"]);
    assert!(line.contains("two outputs"), "{line}");
    std::fs::create_dir(desk.path("folder.nii")).unwrap();
    let line = complaint(&desk, &["skin", "scan.nii", "-o", "folder.nii"], &["scan.nii"]);
    assert!(line.contains("it is a folder"), "{line}");
}

#[test]
fn images_without_contrast() {
    let constant = NiftiFile::cube(9, |_| 7.0);
    let nothing = NiftiFile { datatype: 16, ..NiftiFile::cube(9, |_| f64::NAN) };
    for (file, words) in [
        (constant, "scan.nii: every voxel of the image has the same value, 7"),
        (nothing, "scan.nii: no voxel of the image has a finite value"),
    ] {
        let desk = Desk::new();
        desk.put("scan.nii", &file.bytes());
        for command in [&["threshold", "--method", "otsu"][..], &["skin"]] {
            let line = complaint(&desk, &[command, &["scan.nii", "-o", "out.nii"]].concat(), &["scan.nii"]);
            assert!(line.contains(words), "{line}");
        }
    }
}

#[test]
fn masks_that_are_not_on_the_images_grid() {
    let desk = Desk::new();
    desk.put("scan.nii", &NiftiFile::default().bytes());
    let arguments = ["threshold", "scan.nii", "--mask", "mask.nii", "--lower", "3", "-o", "out.nii"];
    let check = |file: NiftiFile, words: &[&str]| {
        desk.put("mask.nii", &file.bytes());
        let line = complaint(&desk, &arguments, &["mask.nii", "scan.nii"]);
        words.iter().for_each(|word| assert!(line.contains(word), "\"{word}\" is not in: {line}"));
    };
    check(
        NiftiFile { dim: [3, 4, 2, 3, 1, 1, 1, 1], ..NiftiFile::default() },
        &["mask.nii", "4 x 2 x 3", "4 x 3 x 2", "resample"],
    );
    let mut flipped = NiftiFile::default();
    flipped.srow[0].iter_mut().for_each(|c| *c = -*c);
    check(flipped, &["mask.nii", "lies elsewhere", "RAS", "LAS", "resample"]);
    let mut moved = NiftiFile::default();
    moved.srow[2][3] += 0.5;
    check(moved, &["mask.nii", "0.50 mm"]);
    desk.put("mask.nii", b"");
    let line = complaint(&desk, &arguments, &["mask.nii", "scan.nii"]);
    assert!(line.contains("mask.nii: the file is empty"), "{line}");
    desk.put("mask.nii", &NiftiFile { voxels: vec![0.0; 24], ..NiftiFile::default() }.bytes());
    let line = complaint(&desk, &arguments, &["mask.nii", "scan.nii"]);
    assert!(line.contains("the mask is empty"), "{line}");
}

#[test]
fn a_mask_without_a_surface() {
    let desk = Desk::new();
    desk.put("mask.nii", &NiftiFile { voxels: vec![0.0; 24], ..NiftiFile::default() }.bytes());
    let line = complaint(&desk, &["surface", "mask.nii", "-o", "out.stl"], &["mask.nii"]);
    assert!(line.contains("mask.nii: the mask is empty"), "{line}");
}

/// Linux has a device that is always full.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk() {
    let desk = Desk::new();
    desk.put("scan.nii", &NiftiFile::default().bytes());
    std::os::unix::fs::symlink("/dev/full", desk.path("full.nii")).unwrap();
    std::os::unix::fs::symlink("/dev/full", desk.path("full.nii.gz")).unwrap();
    for name in ["full.nii", "full.nii.gz"] {
        let arguments = ["threshold", "scan.nii", "--lower", "3", "-o", name, "--report", "report.json"];
        let line = complaint(&desk, &arguments, &["full.nii", "full.nii.gz", "scan.nii"]);
        assert!(line.contains(name) && line.contains("No space left"), "{line}");
    }
    let arguments = ["threshold", "scan.nii", "--lower", "3", "-o", "out.nii", "--report", "/dev/full"];
    let line = complaint(&desk, &arguments, &["full.nii", "full.nii.gz", "scan.nii"]);
    assert!(line.contains("/dev/full") && line.contains("No space left"), "{line}");
}

#[test]
fn wrong_usage_returns_two() {
    let desk = Desk::new();
    desk.put("scan.nii", &NiftiFile::default().bytes());
    for arguments in [
        &["skin", "scan.nii"][..],
        &["skin", "scan.nii", "-o", "out.png"],
        &["skin", "scan.nii", "-o", "out.nii", "--threads", "0"],
        &["skin", "scan.nii", "-o", "out.nii", "--threshold", "high"],
        &["skin", "scan.nii", "-o", "out.nii", "--opening-mm", "-1"],
        &["surface", "scan.nii", "-o", "out.vtk"],
        &["threshold", "scan.nii", "-o", "out.nii"],
        &["threshold", "scan.nii", "-o", "out.nii", "--method", "guess"],
        &["threshold", "scan.nii", "-o", "out.nii", "--lower", "9", "--upper", "3"],
        &["threshold", "scan.nii", "-o", "out.nii", "--lower", "NaN"],
        &["threshold", "scan.nii", "-o", "out.nii", "--lower", "1", "--method", "otsu"],
        &["threshold", "scan.nii", "-o", "out.nii", "--lower", "1", "--side", "low"],
        &["threshold", "scan.nii", "-o", "out.nii", "--lower", "1", "--invert-mask"],
        &["threshold", "scan.nii", "-o", "out.nii", "--preset", "mr-skull"],
        &["threshold", "scan.nii", "-o", "out.nii", "--lower", "1", "-q", "-v"],
        &["info"],
        &["sing"],
        &[],
    ] {
        let output = desk.skull(arguments).code(2).get_output().clone();
        assert!(output.stderr.windows(5).any(|w| w == b"error" || w == b"Usage"), "{arguments:?}");
        assert_eq!(desk.files(), ["scan.nii"]);
    }
}
