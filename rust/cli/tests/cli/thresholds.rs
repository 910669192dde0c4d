//! `skull threshold`, and what every command that makes a mask has in common.

use crate::Desk;
use crate::nifti_file::NiftiFile;
use std::io::Read;
use std::process::{Command, Stdio};

fn with_scan(file: &NiftiFile) -> Desk {
    let desk = Desk::new();
    desk.put("scan.nii", &file.bytes());
    desk
}

fn selected(desk: &Desk, how: &[&str]) -> Vec<u8> {
    desk.skull(&[&["threshold", "scan.nii", "-o", "out.nii.gz", "-q"], how].concat()).success().stdout("");
    desk.mask("out.nii.gz")
}

fn where_true(test: impl Fn(usize) -> bool) -> Vec<u8> {
    (0..24).map(|i| u8::from(test(i))).collect()
}

#[test]
fn bounds_are_in_image_units_and_included() {
    let desk = with_scan(&NiftiFile { slope: 0.5, inter: -3.0, ..NiftiFile::default() });
    assert_eq!(selected(&desk, &["--lower", "-1"]), where_true(|i| i >= 4));
    assert_eq!(selected(&desk, &["--lower", "-0.9", "--upper", "2.5"]), where_true(|i| (5..=11).contains(&i)));
    assert_eq!(selected(&desk, &["--upper", "-3"]), where_true(|i| i == 0));
}

#[test]
fn a_mask_limits_what_is_selected_and_what_a_method_sees() {
    let desk = with_scan(&NiftiFile { voxels: (0..24).map(|i| f64::from(i * i)).collect(), ..NiftiFile::default() });
    let mask = NiftiFile {
        datatype: 16,
        voxels: (0..24).map(|i| f64::from(u8::from(i < 12))).collect(),
        ..NiftiFile::default()
    };
    desk.put("mask.nii", &mask.bytes());
    let masked = ["--mask", "mask.nii"];
    assert_eq!(selected(&desk, &[&masked[..], &["--lower", "9"]].concat()), where_true(|i| (3..12).contains(&i)));
    assert_eq!(selected(&desk, &[&masked[..], &["--lower", "9", "--invert-mask"]].concat()), where_true(|i| i >= 12));
    let high = selected(&desk, &[&masked[..], &["--method", "Otsu"]].concat());
    let low = selected(&desk, &[&masked[..], &["--method", "otsu", "--side", "low"]].concat());
    let first = high.iter().position(|&v| v == 1).unwrap();
    assert!((4..12).contains(&first), "a threshold between the masked voxels: {first}");
    assert_eq!(high, where_true(|i| (first..12).contains(&i)));
    assert_eq!(low, where_true(|i| i < first));
}

#[test]
fn a_preset_can_be_changed_in_part_and_its_caveat_is_told() {
    let ball = |[x, y, z]: [i64; 3]| {
        let from_centre = f64::from(u32::try_from((x - 16).pow(2) + (y - 16).pow(2) + (z - 16).pow(2)).unwrap()).sqrt();
        if from_centre > 15.0 {
            2.0
        } else if (8.0..11.0).contains(&from_centre) {
            40.0
        } else {
            300.0 + (x % 3) as f64
        }
    };
    let scan = NiftiFile::cube(33, ball);
    let desk = with_scan(&scan);
    let head =
        NiftiFile { voxels: scan.voxels.iter().map(|v| f64::from(u8::from(*v > 2.0))).collect(), ..scan.clone() };
    desk.put("skin.nii", &head.bytes());
    let arguments = [
        "threshold",
        "scan.nii",
        "--mask",
        "skin.nii",
        "--preset",
        "mr-skull",
        "-o",
        "out.nii",
        "--report",
        "out.json",
    ];
    let output = desk.skull(&arguments).success().get_output().clone();
    assert!(String::from_utf8(output.stderr).unwrap().contains("warning: dark in MR is bone or air"));
    let shell: Vec<u8> = scan.voxels.iter().map(|v| u8::from(*v == 40.0)).collect();
    assert_eq!(desk.mask("out.nii"), shell);
    let report = desk.json("out.json");
    assert_eq!(report["parameters"]["bias_sigma_mm"], 25.0);
    assert_eq!(report["result"]["upper_method"], "Otsu");
    assert_eq!(report["warnings"].as_array().unwrap().len(), 1);

    desk.skull(&[&arguments[..], &["--upper", "20", "--bias-sigma", "0"]].concat()).success();
    assert_eq!(desk.mask("out.nii").iter().filter(|&&v| v == 1).count(), 0);
    assert_eq!(desk.json("out.json")["parameters"]["upper"], 20.0);

    // A method finds the preset's bound, not the other one.
    desk.skull(&[&arguments[..], &["--method", "li"]].concat()).success();
    assert_eq!(desk.mask("out.nii"), shell);
    assert_eq!(desk.json("out.json")["result"]["upper_method"], "Li");
}

#[test]
fn the_report_says_what_was_read_done_and_written() {
    let desk = with_scan(&NiftiFile::default());
    desk.skull(&[
        "threshold",
        "scan.nii",
        "--lower",
        "20",
        "-o",
        "out.nii.gz",
        "--report",
        "out.json",
        "--threads",
        "1",
    ])
    .success();
    let report = desk.json("out.json");
    assert_eq!(report["command"], "threshold");
    assert_eq!(report["input"]["size"], serde_json::json!([4, 3, 2]));
    assert_eq!(report["input"]["orientation"], "LAS");
    assert_eq!(report["input"]["voxel_type"], "int16");
    assert_eq!(report["result"]["voxels"], 4);
    assert_eq!(report["outputs"], serde_json::json!(["out.nii.gz", "out.json"]));
    assert_eq!(report["threads"], 1);
    for phase in ["load", "compute", "write"] {
        assert!(report["seconds"][phase].as_f64().unwrap() >= 0.0, "{phase}");
    }
}

#[test]
fn any_number_of_threads_gives_the_same_file() {
    let scan = NiftiFile::cube(40, |[x, y, z]| ((x * 31 + y * 17 + z * 7) % 101) as f64);
    let desk = with_scan(&scan);
    let file = |threads| {
        selected(
            &desk,
            &["--method", "li", "--min-island-ml", "0.01", "--fill-holes-ml", "0.01", "--threads", threads],
        );
        std::fs::read(desk.path("out.nii.gz")).unwrap()
    };
    assert_eq!(file("1"), file("3"));
}

#[test]
fn what_is_said_goes_where_it_belongs() {
    let desk = with_scan(&NiftiFile::default());
    let said = |how: &[&str]| {
        let arguments = [&["threshold", "scan.nii", "--lower", "20", "-o", "out.nii.gz"], how].concat();
        let output = desk.skull(&arguments).success().get_output().clone();
        [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap())
    };
    assert_eq!(said(&[]), ["0.0 mL of 20.0 and above\n".to_owned(), String::new()]);
    assert_eq!(said(&["-q"]), [String::new(), String::new()]);
    let [_, details] = said(&["-v"]);
    assert!(details.starts_with("skull: times: load ") && details.lines().count() == 1, "{details}");
    for standard_output in ["-", "/dev/stdout"] {
        let [report, _] = said(&["-q", "--report", standard_output]);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&report).unwrap()["result"]["voxels"], 4);
    }
    assert_eq!(desk.files(), ["out.nii.gz", "scan.nii"]);
}

#[test]
fn nobody_listening_is_no_error() {
    let desk = with_scan(&NiftiFile::default());
    for arguments in
        [&["info", "scan.nii"][..], &["threshold", "scan.nii", "--lower", "20", "-v", "-o", "out.nii", "--report", "-"]]
    {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin("skull"));
        command.current_dir(desk.folder.path()).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        drop(child.stdout.take());
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(child.wait().unwrap().success(), "{said}");
        assert!(!said.contains("error") && !said.contains("panicked"), "{said}");
    }
    assert!(desk.path("out.nii").exists());
}
