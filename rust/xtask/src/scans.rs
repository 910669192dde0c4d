//! Real head scans that a Debian machine can fetch without installing anything.

use crate::workspace::{Workspace, execute};
use anyhow::{Context, Result, ensure};
use ndarray::ArrayView3;
use nifti::{NiftiHeader, writer::WriterOptions};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A scan inside a package of Debian's archive.
#[derive(Debug)]
pub(crate) struct Packaged {
    /// What its files are called here.
    pub(crate) name: &'static str,
    /// What it shows.
    pub(crate) title: &'static str,
    /// The `skull sample` that stands in for it.
    pub(crate) sample: &'static str,
    package: &'static str,
    file: &'static str,
    /// The command that prints the scan's bytes; the file follows.
    unpack: &'static [&'static str],
    /// Of the unpacked bytes, which stay the same when the package is built again.
    sha256: &'static str,
    /// Writes the unpacked bytes as NIfTI.
    write: fn(&[u8], &Path) -> Result<()>,
}

/// A T1 head and a head CT.
pub(crate) const PACKAGED: [Packaged; 2] = [
    Packaged {
        name: "mr_t1_colin27",
        title: "T1 MR of one man's head, averaged over 27 scans (Colin27)",
        sample: "head-mr",
        package: "mricron-data",
        file: "usr/share/mricron/templates/ch2.nii.gz",
        unpack: &["gzip", "--decompress", "--stdout"],
        sha256: "707a360b809ba937f6c007231bcf7dc6e2d33657497b254414c9894b6efa5f8c",
        write: |nifti, path| Ok(fs::write(path, nifti)?),
    },
    Packaged {
        name: "ct_cranium",
        title: "CT of a head with a frontal bone defect (InVesalius' Cranium)",
        sample: "head-ct",
        package: "invesalius-examples",
        file: "usr/share/doc/invesalius-examples/examples/Cranium.inv3",
        unpack: &["tar", "--extract", "--gzip", "--to-stdout", "--wildcards", "*/matrix.dat", "--file"],
        sha256: "d87fd5e6aaf2c4fdf4f3fe28ee3335192fc2464ed8e9682fc78530cb837938da",
        write: write_cranium,
    },
];

impl Packaged {
    /// The scan as a NIfTI file, fetched on the first call and kept below the target folder.
    ///
    /// # Errors
    /// Where there is no apt or no network, or the package no longer holds this scan.
    pub(crate) fn fetch(&self, workspace: &Workspace) -> Result<PathBuf> {
        let folder = workspace.target.join("demo-data");
        let scan = folder.join(self.name).with_extension("nii");
        if scan.is_file() {
            return Ok(scan);
        }
        let packages = folder.join("packages");
        let unpacked = packages.join(self.package);
        fs::create_dir_all(&packages)?;
        execute(Command::new("dpkg-deb").arg("--extract").arg(self.download(&packages)?).arg(&unpacked))?;

        let (program, arguments) = self.unpack.split_first().context("no command")?;
        let out = Command::new(program).args(arguments).arg(unpacked.join(self.file)).output()?;
        ensure!(out.status.success(), "{program}: {}", String::from_utf8_lossy(&out.stderr).trim());
        let found = hex(&Sha256::digest(&out.stdout));
        ensure!(found == self.sha256, "the scan in {} is another one (SHA-256 {found})", self.package);

        let partial = folder.join(format!("partial-{}.nii", self.name));
        (self.write)(&out.stdout, &partial)?;
        fs::rename(partial, &scan)?;
        fs::remove_dir_all(packages)?;
        Ok(scan)
    }

    /// Gets the package's archive by the package lists of this machine, or, where those are missing or out of
    /// date, by lists fetched for this purpose alone.
    fn download(&self, folder: &Path) -> Result<PathBuf> {
        let apt = |subcommand: &[&str], options: &[String]| -> Result<()> {
            let out = Command::new("apt-get").arg("-qq").args(options).args(subcommand).current_dir(folder).output();
            let out = out.context("no apt-get on this machine")?;
            let message = String::from_utf8_lossy(&out.stderr);
            ensure!(out.status.success(), "apt-get: {}", message.lines().last().unwrap_or_default());
            Ok(())
        };
        // Root may write here, apt's own unprivileged user may not.
        let as_me = vec!["-oAPT::Sandbox::User=root".to_owned()];
        if apt(&["download", self.package], &as_me).is_err() {
            let own = |what: &str| folder.join("apt").join(what);
            fs::create_dir_all(own("lists/partial"))?;
            fs::create_dir_all(own("cache/archives/partial"))?;
            let mut options = as_me;
            options.push(format!("-oDir::State::lists={}", own("lists").display()));
            options.push(format!("-oDir::Cache={}", own("cache").display()));
            apt(&["update"], &options)?;
            apt(&["download", self.package], &options)?;
        }
        let archives = fs::read_dir(folder)?.collect::<std::io::Result<Vec<_>>>()?;
        let prefix = format!("{}_", self.package);
        let archive = archives.iter().find(|file| file.file_name().to_string_lossy().starts_with(&prefix));
        Ok(archive.context("apt-get left no package")?.path())
    }
}

/// The cranium's voxels are bare int16; size and spacing stand in the property list beside them.
fn write_cranium(voxels: &[u8], path: &Path) -> Result<()> {
    const SPACING_MM: [f32; 3] = [0.957_031_2, 0.957_031_2, 1.5];
    let voxels: Vec<i16> = voxels.chunks_exact(2).map(|v| i16::from_le_bytes([v[0], v[1]])).collect();
    let image = ArrayView3::from_shape((108, 256, 256), &voxels)?;
    let [x, y, z] = SPACING_MM;
    let header = NiftiHeader {
        pixdim: [1.0, x, y, z, 0.0, 0.0, 0.0, 0.0],
        xyzt_units: 2,
        sform_code: 1,
        srow_x: [-x, 0.0, 0.0, 0.0],
        srow_y: [0.0, y, 0.0, 0.0],
        srow_z: [0.0, 0.0, z, 0.0],
        ..NiftiHeader::default()
    };
    WriterOptions::new(path).reference_header(&header).write_nifti(&image.reversed_axes())?;
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
