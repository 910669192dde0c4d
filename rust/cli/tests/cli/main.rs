//! The command line from outside: what it reads, writes, says and returns.

mod bad_input;
mod fuzz;
mod help;
mod interruption;
mod nifti_file;
mod pipeline;
mod round_trip;
mod sample;
mod thin_bone;
mod thresholds;

use assert_cmd::Command;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The program, run in a folder of its own.
struct Desk {
    folder: TempDir,
}

impl Desk {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    fn skull(&self, arguments: &[&str]) -> assert_cmd::assert::Assert {
        Command::cargo_bin("skull").unwrap().current_dir(self.folder.path()).args(arguments).assert()
    }

    /// The voxels of a mask, x fastest.
    fn mask(&self, name: &str) -> Vec<u8> {
        let file = skull_cli::volume_io::NiftiFile::open(&self.path(name)).unwrap();
        let volume = file.read(None, &skull_kernels::Job::new()).unwrap();
        let skull_cli::voxels::Voxels::U8(mask) = volume.voxels else { panic!("{name} is not uint8") };
        mask.into_raw_vec_and_offset().0
    }

    fn json(&self, name: &str) -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(self.path(name)).unwrap()).unwrap()
    }

    /// All files, hidden ones too.
    fn files(&self) -> Vec<String> {
        let mut names = files_below(self.folder.path(), Path::new(""));
        names.sort();
        names
    }
}

fn files_below(folder: &Path, named: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries
        .flat_map(|entry| {
            let name = named.join(entry.file_name());
            if entry.path().is_dir() { files_below(&entry.path(), &name) } else { vec![name.display().to_string()] }
        })
        .collect()
}
