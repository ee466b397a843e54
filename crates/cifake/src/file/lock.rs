//! Folders that one process at a time may change.

use std::fs::{File, TryLockError};
use std::path::Path;

use crate::Error;

/// The file that is locked, in the folder.
const NAME: &str = ".lock";

/// A folder that belongs to this process until the value is dropped or the process ends.
///
/// The lock holds among those who ask for it, and leaves an empty file `.lock` in the folder. Some network
/// file systems have no locks.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// The lock of `folder`, `None` while another holds it.
    ///
    /// # Errors
    /// [`Error::Write`] where the folder does not exist or the operating system refuses.
    pub fn acquire(folder: &Path) -> Result<Option<Self>, Error> {
        let path = folder.join(NAME);
        let opened = File::options().create(true).truncate(false).write(true).open(&path);
        let locked = opened.and_then(|file| match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        });
        locked.map_err(|source| Error::Write { path, source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_belongs_to_one_until_it_lets_go() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let first = FolderLock::acquire(folder.path()).expect("the folder is there");
        assert!(first.is_some());
        assert!(FolderLock::acquire(folder.path()).expect("the folder is there").is_none());
        drop(first);
        assert!(FolderLock::acquire(folder.path()).expect("the folder is there").is_some());
        assert!(FolderLock::acquire(&folder.path().join("missing")).is_err());
    }
}
