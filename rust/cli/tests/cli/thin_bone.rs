//! Thin bone from a drawn orbit: what is written, and what is refused.

use crate::Desk;

#[test]
fn an_orbit_gets_bone_maps_and_a_list_of_openings() {
    let desk = Desk::new();
    desk.skull(&["sample", "orbit-ct", "-o", "sample", "--voxel", "0.8", "0.8", "1", "-q"]).success();
    let common = ["thin-bone", "sample/image.nii.gz", "--threshold", "300", "-q"];
    let run = |more: &[&str]| desk.skull(&[&common, more].concat());
    run(&["-o", "bone.nii.gz", "--added", "added.nii.gz", "--thickness", "mm.nii.gz", "--openings", "list.json"])
        .success();
    run(&["-o", "again.nii.gz", "--openings", "list.csv", "--report", "report.json"]).success();
    let print = ["--min-wall", "1.5", "--surface", "print.stl", "--preview", "bone.png", "--report", "print.json"];
    run(&[&["-o", "thick.nii.gz", "--added", "same.nii.gz"], &print[..]].concat()).success();
    let [bone, added, again] = ["bone", "added", "again"].map(|name| desk.mask(&format!("{name}.nii.gz")));
    assert_eq!(bone, again);
    assert!(added.iter().zip(&bone).all(|(added, bone)| added <= bone));
    let [thick, same] = ["thick", "same"].map(|name| desk.mask(&format!("{name}.nii.gz")));
    assert_eq!(added, same, "what is drawn for the print is kept apart from what was measured");
    assert!(bone.iter().zip(&thick).all(|(bone, thick)| bone <= thick));
    let result = desk.json("print.json")["result"].clone();
    let drawn = thick.iter().zip(&bone).filter(|(thick, bone)| thick > bone).count() as f64 * 0.8 * 0.8;
    assert!(drawn > 0.0 && (result["drawn_mm3"].as_f64().unwrap() / drawn - 1.0).abs() < 1e-4);
    let surface = &result["surface"];
    assert_eq!((surface["closed_manifold"].as_bool(), surface["components"].as_u64()), (Some(true), Some(1)));
    assert!(std::fs::read(desk.path("bone.png")).unwrap().starts_with(b"\x89PNG"));
    let list = desk.json("list.json");
    let openings = list["openings"].as_array().unwrap();
    for opening in openings {
        for key in ["id", "center_ras_mm", "diameter_mm", "area_mm2", "verdict", "residual_if_empty", "media"] {
            assert!(!opening[key].is_null(), "{key} of {opening}");
        }
    }
    let csv = std::fs::read_to_string(desk.path("list.csv")).unwrap();
    assert_eq!(csv.lines().count(), 1 + openings.len(), "a row each");
    assert_eq!(desk.json("report.json")["result"]["openings"].as_array().unwrap().len(), openings.len());
}

#[test]
fn what_makes_no_sense_is_refused() {
    let desk = Desk::new();
    desk.skull(&["sample", "head-ct", "-o", "sample", "--voxel", "4", "4", "4", "-q"]).success();
    let refused = |more: &[&str], code: i32, why: &str| {
        let arguments = [&["thin-bone", "sample/image.nii.gz", "-o", "bone.nii.gz", "-q"], more].concat();
        let output = desk.skull(&arguments).code(code).get_output().stderr.clone();
        let said = String::from_utf8(output).unwrap();
        assert!(said.contains(why), "{said}");
        assert!(!desk.path("bone.nii.gz").exists());
    };
    refused(&["--openings", "list.txt"], 2, "must end in .json or .csv");
    refused(&["--bone", "sample/truth_bone.nii.gz", "--threshold", "300"], 2, "cannot be used with");
    refused(&["--fwhm", "0", "1"], 2, "fwhm_mm is 0");
    refused(&["--min-wall", "0"], 2, "not a positive number of mm");
    refused(&["--surface", "print.txt"], 2, "must end in .stl, .ply or .obj");
    refused(&["--threshold", "9000"], 1, "base bone is empty");
    refused(&["--roi", "900", "910", "0", "10", "0", "10"], 1, "region of interest is empty");
    desk.put("odd.json", br#"[{"center_ras_mm": [0, 0, 0], "verdict": "maybe"}]"#);
    refused(&["--decisions", "odd.json"], 1, "\"maybe\" is no verdict");
}
