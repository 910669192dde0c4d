//! What the Extensions Index checks before it takes an extension.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The index's limit for a clone.
const MAX_REPOSITORY_KB: u64 = 100 * 1024;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The literal value of `set(<name> "<value>")` in the top `CMakeLists.txt`.
fn metadata(name: &str) -> String {
    let cmake = fs::read_to_string(root().join("CMakeLists.txt")).expect("CMakeLists.txt");
    let start = format!("set({name} \"");
    let line = cmake.lines().find(|line| line.starts_with(&start)).unwrap_or_else(|| panic!("no {name}"));
    let value = line[start.len()..].strip_suffix("\")").unwrap_or_else(|| panic!("{name} is not one literal"));
    assert!(!value.contains("${"), "{name} is not literal");
    value.to_owned()
}

#[test]
fn the_metadata_is_literal_and_known_to_the_index() {
    let cmake = fs::read_to_string(root().join("CMakeLists.txt")).expect("CMakeLists.txt");
    assert!(
        cmake.contains("project(SkullEffects "),
        "the project's name is the extension's, which starts not with Slicer"
    );
    assert_eq!(metadata("EXTENSION_CATEGORY"), "Segmentation");
    assert_eq!(metadata("EXTENSION_DEPENDS"), "NA");
    let description = metadata("EXTENSION_DESCRIPTION");
    assert!(description.contains("Segment Editor"), "users look for effects by that name");
    assert!(description.contains("Not for clinical decisions"));
}

#[test]
fn the_addresses_lead_into_this_repository() {
    let entry = fs::read_to_string(root().join("SkullEffects.json")).expect("the index's entry");
    let entry: serde_json::Value = serde_json::from_str(&entry).expect("the index's entry is JSON");
    let known = [
        "$schema",
        "build_dependencies",
        "build_subdirectory",
        "category",
        "dicom_support_rule",
        "scm_revision",
        "scm_url",
        "tier",
    ];
    assert!(entry.as_object().expect("an object").keys().all(|key| known.contains(&key.as_str())), "{entry}");
    assert_eq!(entry["category"], metadata("EXTENSION_CATEGORY"));
    let home = metadata("EXTENSION_HOMEPAGE");
    assert_eq!(entry["scm_url"], format!("{home}.git"));
    assert!(
        home.rsplit('/').next().is_some_and(|name| name.starts_with("Slicer")),
        "the repository's name says Slicer"
    );

    let raw = home.replace("github.com", "raw.githubusercontent.com");
    let branch = format!("{raw}/{}/", entry["scm_revision"].as_str().expect("a branch"));
    let addresses = format!("{} {}", metadata("EXTENSION_ICONURL"), metadata("EXTENSION_SCREENSHOTURLS"));
    for address in addresses.split(' ') {
        let path = address.strip_prefix(&branch).unwrap_or_else(|| panic!("{address} is not on {branch}"));
        let picture = fs::read(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert!(picture.starts_with(b"\x89PNG"), "{path} is no PNG");
        assert!(picture.len() < 1 << 20, "{path} is large");
    }
}

#[test]
fn the_icon_has_the_size_that_the_index_asks_for() {
    let icon = fs::read(root().join("SlicerModule/Resources/Icons/SkullEffects.png")).expect("the icon");
    let size = [16, 20].map(|at| u32::from_be_bytes(icon[at..at + 4].try_into().expect("four bytes")));
    assert_eq!(size, [128, 128]);
}

#[test]
fn a_licence_lies_at_the_top() {
    let licence = fs::read_to_string(root().join("LICENSE")).expect("LICENSE");
    assert!(licence.contains("Apache License"));
}

#[test]
fn a_clone_is_small() {
    let count = Command::new("git").args(["count-objects", "-v"]).current_dir(root()).output().expect("git starts");
    let count = String::from_utf8_lossy(&count.stdout).into_owned();
    let packed = count.lines().find_map(|line| line.strip_prefix("size-pack: ")).and_then(|kb| kb.parse::<u64>().ok());
    // A source archive has no history to weigh.
    assert!(packed.unwrap_or(0) < MAX_REPOSITORY_KB, "{count}");
}
