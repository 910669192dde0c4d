//! Output files that are whole or not there.

use crate::is_broken_pipe;
use anyhow::{Context, Result, bail, ensure};
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tempfile::NamedTempFile;

/// The files that a command makes.
///
/// They are created under temporary names in their own folders before the work starts, so that a folder that
/// cannot be written is noticed at once, and get their names together when all are whole. Dropped before
/// that, they vanish.
#[derive(Debug, Default)]
pub struct Outputs {
    files: Vec<Output>,
    /// Folders made for the files, outermost first.
    folders: Vec<PathBuf>,
    leftovers: Leftovers,
}

/// What has to be removed where the program cannot wait for its own end; shared with whoever ends it.
#[derive(Debug, Clone, Default)]
pub struct Leftovers(Arc<Mutex<Unfinished>>);

#[derive(Debug, Default)]
struct Unfinished {
    /// Folders before what is in them.
    paths: Vec<PathBuf>,
    committed: bool,
}

impl Leftovers {
    /// Removes them, says so through `last_words` and ends the program; does nothing once the outputs have
    /// their names.
    pub fn remove_and_exit(&self, code: u8, last_words: impl FnOnce()) {
        // Held to the end, so that no file is named meanwhile.
        let unfinished = self.lock();
        if !unfinished.committed {
            for path in unfinished.paths.iter().rev() {
                // What fails to go has gone already, or holds what is not ours.
                let _ = fs::remove_file(path).or_else(|_| fs::remove_dir(path));
            }
            last_words();
            std::process::exit(code.into());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Unfinished> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of the files of [`Outputs`].
#[derive(Debug, Clone, Copy)]
pub struct Slot(usize);

#[derive(Debug)]
struct Output {
    path: PathBuf,
    /// Where `path` leads to.
    target: PathBuf,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Temporary(NamedTempFile),
    /// A device or pipe, which cannot be replaced by a file.
    Stream(File),
    StandardOutput,
}

impl Outputs {
    /// No files yet.
    #[must_use]
    pub fn new(leftovers: Leftovers) -> Self {
        Self { files: Vec::new(), folders: Vec::new(), leftovers }
    }

    /// Makes a folder for outputs, with the folders above it.
    ///
    /// # Errors
    /// Where that is impossible.
    pub fn create_folder(&mut self, folder: &Path) -> Result<()> {
        let missing: Vec<_> = folder.ancestors().take_while(|f| !f.as_os_str().is_empty() && !f.exists()).collect();
        for folder in missing.into_iter().rev() {
            fs::create_dir(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
            self.leftovers.lock().paths.push(folder.to_path_buf());
            self.folders.push(folder.to_path_buf());
        }
        ensure!(folder.is_dir(), "{} is not a folder", folder.display());
        Ok(())
    }

    /// Reserves a file.
    ///
    /// # Errors
    /// Where it cannot be written or is one of the `inputs`.
    pub fn stage(&mut self, path: &Path, inputs: &[&Path]) -> Result<Slot> {
        self.stage_file(path, inputs).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Reserves a file if there is a path for it.
    ///
    /// # Errors
    /// As [`stage`](Self::stage).
    pub fn stage_if(&mut self, path: Option<&Path>, inputs: &[&Path]) -> Result<Option<Slot>> {
        path.map(|path| self.stage(path, inputs)).transpose()
    }

    fn stage_file(&mut self, path: &Path, inputs: &[&Path]) -> Result<Slot> {
        // Behind a symbolic link the file is replaced, not the link.
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        if inputs.iter().any(|input| fs::canonicalize(input).is_ok_and(|input| input == target)) {
            bail!("it is an input of this command");
        }
        ensure!(self.files.iter().all(|file| file.target != target), "two outputs have this name");
        let place = match fs::metadata(&target) {
            _ if path == Path::new("-") || path == Path::new("/dev/stdout") => Place::StandardOutput,
            Ok(metadata) if metadata.is_dir() => bail!("it is a folder"),
            Ok(metadata) if !metadata.is_file() => Place::Stream(File::options().write(true).open(&target)?),
            _ => {
                let file = temporary_beside(&target)?;
                self.leftovers.lock().paths.push(file.path().to_path_buf());
                Place::Temporary(file)
            }
        };
        self.files.push(Output { path: path.to_path_buf(), target, place });
        Ok(Slot(self.files.len() - 1))
    }

    /// Writes a reserved file.
    ///
    /// # Errors
    /// What `write` fails with, or the disk.
    pub fn write(&mut self, slot: Slot, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
        let Output { path, place, .. } = &mut self.files[slot.0];
        let written = match place {
            Place::Temporary(file) => {
                // Some file systems report a full disk only at the end.
                write_through(file.as_file(), write).and_then(|()| Ok(file.as_file().sync_all()?))
            }
            Place::Stream(file) => write_through(file, write).or_else(forgive_broken_pipe),
            Place::StandardOutput => write_through(std::io::stdout().lock(), write).or_else(forgive_broken_pipe),
        };
        written.with_context(|| format!("cannot write {}", path.display()))
    }

    /// Writes a file if it was reserved.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_if(&mut self, slot: Option<Slot>, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
        slot.map_or(Ok(()), |slot| self.write(slot, write))
    }

    /// The names that the files will have.
    #[must_use]
    pub fn paths(&self) -> Vec<PathBuf> {
        self.files.iter().map(|file| file.path.clone()).collect()
    }

    /// Gives all files their names.
    ///
    /// # Errors
    /// Where the file system refuses.
    pub fn commit(mut self) -> Result<()> {
        let mut unfinished = self.leftovers.lock();
        for Output { path, target, place } in std::mem::take(&mut self.files) {
            if let Place::Temporary(file) = place {
                file.persist(target).with_context(|| format!("cannot write {}", path.display()))?;
            }
        }
        unfinished.committed = true;
        drop(unfinished);
        self.folders.clear();
        Ok(())
    }
}

impl Drop for Outputs {
    fn drop(&mut self) {
        self.files.clear();
        for folder in self.folders.iter().rev() {
            // Fails, as it should, where something else has been put there.
            let _ = fs::remove_dir(folder);
        }
    }
}

fn write_through(out: impl Write, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let mut buffered = BufWriter::with_capacity(1 << 18, out);
    let written = write(&mut buffered).and_then(|()| Ok(buffered.flush()?));
    // Taken apart, so that what a failure left in the buffer is not written when it is dropped.
    let _ = buffered.into_parts();
    written
}

/// Whoever reads the stream may stop when they have seen enough.
fn forgive_broken_pipe(error: anyhow::Error) -> Result<()> {
    if is_broken_pipe(&error) { Ok(()) } else { Err(error) }
}

fn temporary_beside(target: &Path) -> Result<NamedTempFile> {
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    ensure!(folder.is_dir(), "there is no folder {}", folder.display());
    let mut builder = tempfile::Builder::new();
    builder.prefix(".skull-");
    #[cfg(unix)]
    {
        // As any new file, rather than private as temporary ones are.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    Ok(builder.tempfile_in(folder)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_of_outputs_that_were_not_committed() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b");
        let mut outputs = Outputs::default();
        outputs.create_folder(&deep).unwrap();
        let slot = outputs.stage(&deep.join("mask.nii"), &[]).unwrap();
        outputs.write(slot, |out| Ok(out.write_all(b"half")?)).unwrap();
        drop(outputs);
        assert!(!folder.path().join("a").exists());
    }

    #[test]
    fn an_existing_file_stays_as_it_was_until_the_commit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mask.nii");
        fs::write(&path, "old").unwrap();
        let mut outputs = Outputs::default();
        let slot = outputs.stage(&path, &[]).unwrap();
        outputs.write(slot, |out| Ok(out.write_all(b"new")?)).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        outputs.commit().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_input_is_not_overwritten_even_under_another_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scan.nii");
        fs::write(&path, "scan").unwrap();
        let other_name = folder.path().join("./scan.nii");
        assert!(Outputs::default().stage(&other_name, &[&path]).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_symbolic_link_stays_one() {
        let folder = tempfile::tempdir().unwrap();
        let [file, link] = ["file", "link"].map(|name| folder.path().join(name));
        fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let mut outputs = Outputs::default();
        let slot = outputs.stage(&link, &[]).unwrap();
        outputs.write(slot, |out| Ok(out.write_all(b"new")?)).unwrap();
        outputs.commit().unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
    }
}
