//! Temporary files that take the place of their target.

use std::fs::{File, Metadata};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// A file that stands beside its target until it is renamed, and is removed on drop.
///
/// Its name is made of the target's, so that the next write removes what a killed process left. A
/// lock is held while it is written, so that what a living process writes is not removed.
#[derive(Debug)]
pub(super) struct Temporary {
    path: PathBuf,
    file: File,
    is_renamed: bool,
}

impl Temporary {
    /// Longest part of a target's name in that of its temporary file; a name has at most 255 bytes.
    const MAX_NAME: usize = 240;

    /// A new file beside `target`, with the permissions and owner of the `old` one.
    pub(super) fn create(target: &Path, old: Option<&Metadata>) -> io::Result<Self> {
        let name = target.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
        let name = &name[..name.floor_char_boundary(Self::MAX_NAME)];
        let path = folder_of(target).join(format!(".{name}.tmp"));
        loop {
            match created(&path, old) {
                Ok(file) => {
                    lock(&file);
                    if !is_at(&file, &path) {
                        continue;
                    }
                    let temporary = Self { path, file, is_renamed: false };
                    temporary.take_after(old)?;
                    return Ok(temporary);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => remove_stale(&path)?,
                Err(error) => return Err(error),
            }
        }
    }

    /// Gives the file the permissions of the `old` one, and its owner where that is allowed.
    #[cfg(unix)]
    fn take_after(&self, old: Option<&Metadata>) -> io::Result<()> {
        use std::os::unix::fs::{MetadataExt, fchown};
        let Some(old) = old else { return Ok(()) };
        let new = self.file.metadata()?;
        if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
            // Only root may give a file away; otherwise it becomes the writer's.
            let _ = fchown(&self.file, Some(old.uid()), Some(old.gid()));
        }
        self.file.set_permissions(old.permissions())
    }

    #[cfg(not(unix))]
    fn take_after(&self, _old: Option<&Metadata>) -> io::Result<()> {
        Ok(())
    }

    /// Writes what `content` gives, flushes it to the disk and puts the file in the place of `target`.
    pub(super) fn replace(
        mut self,
        target: &Path,
        content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        fill(&mut self.file, content)?;
        self.file.sync_all()?;
        std::fs::rename(&self.path, target)?;
        self.is_renamed = true;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.is_renamed {
            // Nobody is left to tell; the next write of the same target removes it.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// A new file that nobody else may read before it has the permissions of the `old` one.
fn created(path: &Path, old: Option<&Metadata>) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if let Some(old) = old {
        use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
        options.mode(old.permissions().mode() & 0o777);
    }
    #[cfg(not(unix))]
    let _ = old;
    options.open(path)
}

/// Removes the temporary file at `path`, once no living process writes it.
fn remove_stale(path: &Path) -> io::Result<()> {
    let missing = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    };
    let metadata = match std::fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) => return missing(error),
    };
    if metadata.is_file() {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) => return missing(error),
        };
        lock(&file);
        if !is_at(&file, path) {
            return Ok(());
        }
        return std::fs::remove_file(path).or_else(missing);
    }
    std::fs::remove_file(path).or_else(missing)
}

/// Waits until no other process holds `file`. Some network file systems have no locks; a write
/// there fails where two processes write one file at the same time.
fn lock(file: &File) {
    let _ = file.lock();
}

/// Whether `file` is still what stands at `path`.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let here = file.metadata().map(|metadata| (metadata.dev(), metadata.ino()));
    let there = std::fs::symlink_metadata(path).map(|metadata| (metadata.dev(), metadata.ino()));
    matches!((here, there), (Ok(here), Ok(there)) if here == there)
}

#[cfg(not(unix))]
fn is_at(_file: &File, path: &Path) -> bool {
    path.exists()
}

/// The folder of `path`, `.` for a bare name.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Writes what `content` gives to `file`.
pub(super) fn fill(
    file: &mut File,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let mut writer = BufWriter::new(file);
    content(&mut writer)?;
    writer.flush()
}
