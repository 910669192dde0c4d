//! Nothing we ship may bind its users to a copyleft licence.

use serde_json::Value;
use spdx::{Expression, ParseMode};
use std::process::Command;

/// Licences under which a dependency may be used.
const PERMISSIVE: [&str; 11] = [
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "NCSA",
    "Unicode-3.0",
    "Zlib",
];

#[test]
fn every_dependency_is_permissive() {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--format-version", "1"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo starts");
    assert!(metadata.status.success(), "{}", String::from_utf8_lossy(&metadata.stderr));
    let metadata: Value = serde_json::from_slice(&metadata.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("a list of packages");
    assert!(packages.len() > 50, "only {} packages: is this the whole tree?", packages.len());
    let bad: Vec<_> = packages
        .iter()
        .filter(|package| !is_permissive(package["license"].as_str().unwrap_or_default()))
        .map(|package| format!("{} {}: {}", package["name"], package["version"], package["license"]))
        .collect();
    assert!(bad.is_empty(), "not permissive:\n{}", bad.join("\n"));
}

#[test]
fn a_choice_is_permissive_if_one_side_is() {
    for good in ["MIT", "MIT/Apache-2.0", "MIT OR LGPL-3.0-or-later", "(MIT OR GPL-2.0-only) AND Unicode-3.0"] {
        assert!(is_permissive(good), "{good}");
    }
    for bad in ["", "GPL-3.0-only", "LGPL-2.1-or-later", "MIT AND GPL-2.0-only", "Proprietary"] {
        assert!(!is_permissive(bad), "{bad}");
    }
}

fn is_permissive(licence: &str) -> bool {
    Expression::parse_mode(licence, ParseMode::LAX).is_ok_and(|expression| {
        expression.evaluate(|wanted| wanted.license.id().is_some_and(|id| PERMISSIVE.contains(&id.name)))
    })
}
