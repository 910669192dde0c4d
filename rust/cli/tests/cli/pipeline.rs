//! From a drawn scan to skin, skull, surfaces and pictures.

use crate::Desk;

const FILES_OF_CT: [&str; 12] = [
    "added_bone.nii.gz",
    "bone.nii.gz",
    "bone.stl",
    "full_bone.nii.gz",
    "full_bone.png",
    "full_bone.stl",
    "openings.csv",
    "openings.json",
    "preview.png",
    "report.json",
    "skin.nii.gz",
    "skin.stl",
];

/// How well two masks agree: twice what they share over their sum.
fn dice(a: &[u8], b: &[u8]) -> f64 {
    let count = |mask: &[u8]| mask.iter().map(|&v| f64::from(v)).sum::<f64>();
    let both: Vec<u8> = a.iter().zip(b).map(|(a, b)| a & b).collect();
    2.0 * count(&both) / (count(a) + count(b))
}

fn with_sample(kind: &str) -> Desk {
    let desk = Desk::new();
    desk.skull(&["sample", kind, "-o", "sample", "--voxel", "2.5", "2.5", "3", "-q"]).success();
    desk
}

fn names_in(desk: &Desk, folder: &str) -> Vec<String> {
    let in_folder = |name: &String| name.strip_prefix(&format!("{folder}/")).map(str::to_owned);
    desk.files().iter().filter_map(in_folder).collect()
}

#[test]
fn a_ct_gives_skin_and_bone() {
    let desk = with_sample("head-ct");
    desk.skull(&["run", "sample/image.nii.gz", "-o", "new/folder", "-q"]).success().stdout("");
    assert_eq!(names_in(&desk, "new/folder"), FILES_OF_CT);
    let agreement = dice(&desk.mask("new/folder/skin.nii.gz"), &desk.mask("sample/truth_head.nii.gz"));
    assert!(agreement > 0.97, "skin: {agreement}");
    let [skin, bone] = ["skin", "bone"].map(|name| desk.mask(&format!("new/folder/{name}.nii.gz")));
    assert!(bone.iter().zip(&skin).all(|(bone, skin)| bone <= skin), "bone outside the skin");
    let agreement = dice(&bone, &desk.mask("sample/truth_bone.nii.gz"));
    assert!(agreement > 0.8, "bone: {agreement}");

    let [full, added] = ["full_bone", "added_bone"].map(|name| desk.mask(&format!("new/folder/{name}.nii.gz")));
    assert!(full.iter().zip(&bone).zip(&added).all(|((full, bone), added)| *full == bone + added));
    let report = desk.json("new/folder/report.json");
    let openings = desk.json("new/folder/openings.json")["openings"].clone();
    assert_eq!(report["result"]["thin_bone"]["openings"], openings);
    assert_eq!(report["result"]["thin_bone"]["surface"]["components"], 1);
    assert_eq!(report["result"]["skin"]["modality"], "ct");
    let [masked, enclosed] = ["skin", "skin_surface"].map(|n| report["result"][n]["volume_ml"].as_f64().unwrap());
    assert!((enclosed / masked - 1.0).abs() < 0.01, "the surface encloses {enclosed} of {masked} mL");
    let triangles = report["result"]["skin_surface"]["triangles"].as_u64().unwrap();
    assert_eq!(std::fs::metadata(desk.path("new/folder/skin.stl")).unwrap().len(), 84 + 50 * triangles);
    assert!(std::fs::read(desk.path("new/folder/preview.png")).unwrap().starts_with(b"\x89PNG"));
}

#[test]
fn an_mr_gives_skin_and_a_candidate_with_its_caveat() {
    let desk = with_sample("head-mr");
    let output = desk.skull(&["run", "sample/image.nii.gz", "-o", "out", "-v"]).success().get_output().clone();
    assert!(names_in(&desk, "out").contains(&"skull_candidate.nii.gz".to_owned()));
    assert!(!names_in(&desk, "out").iter().any(|name| name.contains("full_bone") || name.contains("openings")));
    assert!(String::from_utf8(output.stderr).unwrap().contains("bone or air"));
    let agreement = dice(&desk.mask("out/skin.nii.gz"), &desk.mask("sample/truth_head.nii.gz"));
    assert!(agreement > 0.97, "skin: {agreement}");
    let candidate = desk.mask("out/skull_candidate.nii.gz");
    let bone = desk.mask("sample/truth_bone.nii.gz");
    let found = bone.iter().zip(&candidate).filter(|(bone, found)| **bone == 1 && **found == 1).count();
    let share = found as f64 / bone.iter().filter(|&&v| v == 1).count() as f64;
    assert!(share > 0.4, "of the bone {share} is among the candidates");
}

#[test]
fn single_commands_make_the_same_files_as_the_pipeline_on_any_number_of_threads() {
    let desk = with_sample("head-ct");
    let scan = "sample/image.nii.gz";
    desk.skull(&["run", scan, "-o", "all", "--threads", "3", "-q"]).success();
    desk.skull(&["skin", scan, "-o", "skin.nii.gz", "--preview", "skin.png", "--threads", "1", "-q"]).success();
    let bone = ["--mask", "skin.nii.gz", "--lower", "226", "--min-island-ml", "0.1"];
    desk.skull(&[&["threshold", scan, "-o", "bone.nii.gz", "--threads", "1", "-q"], &bone[..]].concat()).success();
    for name in ["skin", "bone"] {
        let [mask, mesh] = ["nii.gz", "stl"].map(|ending| format!("{name}.{ending}"));
        desk.skull(&["surface", &mask, "-o", &mesh, "--preview", "surface.png", "--threads", "1", "-q"]).success();
        for file in [mask, mesh] {
            let [one, three] = [desk.path(&file), desk.path("all").join(&file)].map(|p| std::fs::read(p).unwrap());
            assert!(one == three, "{file} differs");
        }
    }
    for picture in ["skin.png", "surface.png"] {
        assert!(std::fs::read(desk.path(picture)).unwrap().starts_with(b"\x89PNG"));
    }
}

#[test]
fn a_pipeline_that_fails_leaves_no_folder() {
    let desk = Desk::new();
    desk.put("scan.nii", b"nothing");
    desk.skull(&["run", "scan.nii", "-o", "new/folder"]).code(1);
    assert!(!desk.path("new").exists());
    std::fs::create_dir(desk.path("old")).unwrap();
    desk.skull(&["run", "scan.nii", "-o", "old"]).code(1);
    assert_eq!(std::fs::read_dir(desk.path("old")).unwrap().count(), 0);
}
