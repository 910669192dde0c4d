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
