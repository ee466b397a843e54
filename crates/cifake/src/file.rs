//! Files that are whole or not there: atomic writes and reads with a limit.

mod lock;
mod temporary;

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use temporary::{Temporary, fill, folder_of};

use crate::Error;

pub use lock::FolderLock;

/// Writes `bytes` to `path` so that a reader, and a machine that dies at any moment, sees the old
/// file or the new one and never a part.
///
/// A symbolic link stays, and its target is replaced. An old file's permissions stay, and its owner
/// where the process may set it. A device or a pipe is written in place. Processes that write the
/// same file at the same time take turns. A killed process leaves one hidden temporary file beside
/// the target, which the next write of that target removes.
///
/// # Errors
/// [`Error::Write`] where the folder does not exist or the operating system refuses;
/// [`Error::NotFlushed`] where the new file stands in its place and the disk may not hold it yet.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    write_atomic_with(path, |writer| writer.write_all(bytes))
}

/// Like [`write_atomic`], with the content that `content` writes.
///
/// # Errors
/// [`Error::Write`] with what `content` or the operating system answered; the old file then stays.
/// [`Error::NotFlushed`] as for [`write_atomic`].
pub fn write_atomic_with(
    path: &Path,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Error> {
    replace(path, content)
}

/// Whether [`write_atomic`] can write `path`, which stays as it is: to be asked before long work.
///
/// # Errors
/// [`Error::Write`] for a folder, a folder that is not there or one that the operating system protects.
pub fn check_writable(path: &Path) -> Result<(), Error> {
    let failed = |source| Error::Write { path: path.to_owned(), source };
    match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => Err(failed(io::ErrorKind::IsADirectory.into())),
        // Opening a pipe would wait for somebody to read.
        Ok(found) if !found.is_file() => Ok(()),
        _ => {
            let target = followed(path).map_err(failed)?;
            Temporary::create(&target, None).map(drop).map_err(failed)
        }
    }
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

/// Writes what `content` gives to the file that `path` leads to.
///
/// A device or pipe is written as it is. For a file, the content goes to a temporary file beside it,
/// which is flushed to the disk and renamed over it.
fn replace(
    path: &Path,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Error> {
    let failed = |source| Error::Write { path: path.to_owned(), source };
    // Opened by the given path: a link such as /dev/stdout may lead to a pipe that has no path.
    if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        let mut device = File::options().write(true).open(path).map_err(failed)?;
        return fill(&mut device, content).map_err(failed);
    }
    let target = followed(path).map_err(failed)?;
    let old = match std::fs::metadata(&target) {
        Ok(metadata) => Some(metadata),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(failed(error)),
    };
    Temporary::create(&target, old.as_ref())
        .and_then(|temporary| temporary.replace(&target, content))
        .map_err(failed)?;
    flush_folder(folder_of(&target))
        .map_err(|source| Error::NotFlushed { path: path.to_owned(), source })
}

/// Links that are followed from one path, as many as Linux follows.
const MAX_LINKS: usize = 40;

/// The end of the symbolic links at `path`; the file itself may be missing.
fn followed(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        match std::fs::read_link(&path) {
            Ok(link) => path = folder_of(&path).join(link),
            // No link, or nothing there.
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("too many symbolic links"))
}

/// Flushes the entries of a folder, where its file system can.
fn flush_folder(folder: &Path) -> io::Result<()> {
    use io::ErrorKind::{InvalidInput, Unsupported};
    if !cfg!(unix) {
        return Ok(());
    }
    let is_unable = |error: &io::Error| matches!(error.kind(), InvalidInput | Unsupported);
    match File::open(folder)?.sync_all() {
        Err(error) if is_unable(&error) => Ok(()),
        done => done,
    }
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

    #[test]
    fn a_place_is_tried_before_the_work_and_stays_as_it_is() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.txt");
        check_writable(&path).expect("the folder is writable");
        assert!(names(folder.path()).is_empty());
        write_atomic(&path, b"old").expect("the folder is writable");
        check_writable(&path).expect("the folder is writable");
        assert_eq!(std::fs::read(&path).expect("it stays"), b"old");
        for wrong in [folder.path().to_owned(), folder.path().join("no/a.txt"), path.join("b")] {
            let refused = check_writable(&wrong);
            assert!(matches!(refused, Err(Error::Write { path, .. }) if path == wrong));
        }
        #[cfg(unix)]
        check_writable(Path::new("/dev/null")).expect("a device");
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

    #[cfg(target_os = "linux")]
    #[test]
    fn a_pipe_behind_a_link_is_written_to() {
        use std::os::fd::AsRawFd;
        let (mut reader, writer) = io::pipe().expect("the system has pipes");
        let path = format!("/proc/self/fd/{}", writer.as_raw_fd());
        write_atomic(Path::new(&path), b"page").expect("somebody reads");
        drop(writer);
        let mut read = Vec::new();
        reader.read_to_end(&mut read).expect("it was written");
        assert_eq!(read, b"page");
    }

    /// A file that a killed process leaves has this name.
    #[test]
    fn a_temporary_file_that_was_left_is_removed_by_the_next_write() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.txt");
        std::fs::write(folder.path().join(".a.txt.tmp"), b"half").expect("it is writable");
        write_atomic(&path, b"new").expect("the folder is writable");
        assert_eq!(names(folder.path()), ["a.txt"]);
        assert_eq!(std::fs::read(&path).expect("it was written"), b"new");
    }

    #[test]
    fn writers_of_one_file_take_turns() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.txt");
        std::thread::scope(|scope| {
            for writer in 0..4_u8 {
                let path = &path;
                scope.spawn(move || {
                    for _ in 0..20 {
                        write_atomic(path, &[writer; 5_000]).expect("the folder is writable");
                    }
                });
            }
        });
        let content = std::fs::read(&path).expect("it was written");
        assert_eq!(content, vec![content[0]; 5_000]);
        assert_eq!(names(folder.path()), ["a.txt"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_and_its_target_is_replaced() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("inner")).expect("the folder is writable");
        for target in ["inner/old.txt", "inner/missing.txt"] {
            let link = at("link");
            symlink(target, &link).expect("the folder is writable");
            write_atomic(&link, b"new").expect("the folder is writable");
            assert_eq!(std::fs::read(at(target)).expect("it was written"), b"new");
            assert!(std::fs::read_link(&link).is_ok_and(|stays| stays == Path::new(target)));
            std::fs::remove_file(&link).expect("it stands there");
        }
        symlink("loop", at("loop")).expect("the folder is writable");
        assert!(matches!(write_atomic(&at("loop"), b""), Err(Error::Write { .. })));
        // A link in the place of the temporary file leads nowhere else.
        symlink("inner/old.txt", at(".b.txt.tmp")).expect("the folder is writable");
        write_atomic(&at("b.txt"), b"b").expect("the folder is writable");
        assert_eq!(std::fs::read(at("inner/old.txt")).expect("it stays"), b"new");
    }

    #[cfg(unix)]
    #[test]
    fn a_device_is_written_and_not_replaced() {
        use std::os::unix::fs::FileTypeExt;
        let device = Path::new("/dev/null");
        write_atomic(device, b"new").expect("anybody may write there");
        let metadata = std::fs::metadata(device).expect("it stays");
        assert!(metadata.file_type().is_char_device());
    }

    #[cfg(unix)]
    #[test]
    fn permissions_stay() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.txt");
        for mode in [0o600, 0o640, 0o755] {
            write_atomic(&path, b"old").expect("the folder is writable");
            let permissions = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(&path, permissions).expect("it is ours");
            write_atomic(&path, b"new").expect("the folder is writable");
            let found = std::fs::metadata(&path).expect("it was written").permissions().mode();
            assert_eq!(found & 0o777, mode);
        }
    }

    #[test]
    fn an_error_does_not_name_the_temporary_file() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let error = write_atomic(&folder.path().join("no/a.txt"), b"").expect_err("no folder");
        assert!(!error.to_string().contains("a.txt.tmp"), "{error}");
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
