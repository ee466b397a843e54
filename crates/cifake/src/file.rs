//! Files that are whole or not there: atomic writes and reads with a limit.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use crate::Error;

/// Writes `bytes` to `path` so that a reader, and a machine that dies at any moment, sees the old
/// file or the new one and never a part.
///
/// # Errors
/// [`Error::Write`] where the folder does not exist or the operating system refuses.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    write_atomic_with(path, |writer| writer.write_all(bytes))
}

/// Like [`write_atomic`], with the content that `content` writes.
///
/// # Errors
/// [`Error::Write`] with what `content` or the operating system answered; the old file then stays.
pub fn write_atomic_with(
    path: &Path,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Error> {
    replace(path, content).map_err(|source| Error::Write { path: path.to_owned(), source })
}

/// The file at `path`, to be read.
///
/// # Errors
/// [`Error::Read`], also for what is no regular file: opening a pipe would wait for somebody to write.
pub fn open(path: &Path) -> Result<File, Error> {
    let opened = std::fs::metadata(path).and_then(|metadata| match metadata.is_file() {
        true => File::open(path),
        false => Err(io::Error::other("it is no regular file")),
    });
    opened.map_err(|source| Error::Read { path: path.to_owned(), source })
}

/// The bytes of the file at `path`, at most `limit` of them.
///
/// # Errors
/// Those of [`open`]; [`Error::FileTooLarge`], found out before the content is read.
pub fn read_limited(path: &Path, limit: u64) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::Read { path: path.to_owned(), source };
    let file = open(path)?;
    let claimed = file.metadata().map_err(failed)?.len();
    let too_large = |bytes| Error::FileTooLarge { path: path.to_owned(), bytes, limit };
    if claimed > limit {
        return Err(too_large(claimed));
    }
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    let found = bytes.len() as u64;
    if found > limit { Err(too_large(found)) } else { Ok(bytes) }
}

/// Writes a temporary file in the folder of `path`, flushes it to the disk, renames it over `path`
/// and flushes the folder.
fn replace(path: &Path, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".").suffix(".tmp");
    #[cfg(unix)]
    let permissions = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o666);
    #[cfg(unix)]
    builder.permissions(permissions);
    let mut temporary = builder.tempfile_in(folder)?;
    let mut writer = BufWriter::new(temporary.as_file_mut());
    content(&mut writer)?;
    writer.flush()?;
    drop(writer);
    temporary.as_file().sync_all()?;
    temporary.persist(path).map_err(|error| error.error)?;
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).expect("the folder exists");
        let name = |entry: io::Result<std::fs::DirEntry>| {
            entry.expect("the entry can be read").file_name().to_string_lossy().into_owned()
        };
        entries.map(name).collect()
    }

    #[test]
    fn a_write_replaces_the_old_content_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.txt");
        write_atomic(&path, b"old").expect("the folder is writable");
        write_atomic(&path, b"new").expect("the folder is writable");
        assert_eq!(std::fs::read(&path).expect("it was written"), b"new");
        assert_eq!(names(folder.path()), ["a.txt"]);
    }

    #[test]
    fn a_failed_write_keeps_the_old_content() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.txt");
        write_atomic(&path, b"old").expect("the folder is writable");
        let failed = write_atomic_with(&path, |writer| {
            writer.write_all(b"half")?;
            Err(io::Error::other("interrupted"))
        });
        assert!(matches!(failed, Err(Error::Write { .. })));
        assert_eq!(std::fs::read(&path).expect("it was written"), b"old");
        assert_eq!(names(folder.path()), ["a.txt"]);
    }

    /// A pipe, or a file without end, would keep a reader forever.
    #[test]
    fn what_is_no_regular_file_is_not_opened() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert!(matches!(open(folder.path()), Err(Error::Read { .. })));
        #[cfg(unix)]
        assert!(matches!(read_limited(Path::new("/dev/zero"), 10), Err(Error::Read { .. })));
        let path = folder.path().join("a.txt");
        std::fs::write(&path, b"12345").expect("the folder is writable");
        assert_eq!(read_limited(&path, 5).expect("it is a file"), b"12345");
        assert!(matches!(read_limited(&path, 4), Err(Error::FileTooLarge { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn a_new_file_has_ordinary_permissions() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mode = |name: &str| {
            let metadata = std::fs::metadata(folder.path().join(name)).expect("it was written");
            metadata.permissions().mode()
        };
        std::fs::write(folder.path().join("plain"), b"").expect("the folder is writable");
        write_atomic(&folder.path().join("atomic"), b"").expect("the folder is writable");
        assert_eq!(mode("atomic"), mode("plain"));
    }

    #[test]
    fn a_file_over_the_limit_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.bin");
        write_atomic(&path, &[0; 10]).expect("the folder is writable");
        assert_eq!(read_limited(&path, 10).expect("it fits").len(), 10);
        let refused = read_limited(&path, 9);
        assert!(matches!(refused, Err(Error::FileTooLarge { bytes: 10, limit: 9, .. })));
    }
}
