//! What the repository must not hold.

use std::path::Path;
use std::process::Command;

/// Paths of one machine and addresses of package hosts: registries are named by their clients' settings alone.
const FORBIDDEN: &str = r"(^|[^A-Za-z0-9_.])/(work|farm|root|home|tmp)/|deb[.]debian[.]org|pypi[.]org|pythonhosted[.]org|registry[.]npmjs|static[.]crates";

#[test]
fn no_tracked_file_names_a_machine_or_a_package_host() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let grep = Command::new("git")
        .args(["grep", "--line-number", "-I", "--extended-regexp", FORBIDDEN, "--", ":!Cargo.lock", ":!*/Cargo.lock"])
        .current_dir(&root)
        .output()
        .expect("git starts");
    let nothing_found = grep.status.code() == Some(1);
    let source_archive = !root.join(".git").exists();
    assert!(nothing_found || source_archive, "\n{}", String::from_utf8_lossy(&[grep.stdout, grep.stderr].concat()));
}
