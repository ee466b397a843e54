//! The opening of programs with a folder of results.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use cifake::Threads;
use cifake::file::FolderLock;
use tempfile::TempDir;

use crate::Spared;

/// A temporary folder, the folder of the results, and the threads of a program.
#[derive(Debug)]
pub struct Opening {
    temporary: TempDir,
    out: PathBuf,
    threads: Threads,
}

impl Opening {
    /// Results go to `out`; with `smoke` and nothing given, into the temporary folder. 0 `threads` take all cores.
    ///
    /// # Errors
    ///
    /// No `out` without `smoke`; an `out` that cannot be written to; threads that cannot be had.
    pub fn new(out: Option<PathBuf>, smoke: bool, threads: usize) -> Result<Self> {
        let temporary = tempfile::tempdir()?;
        let out = out.or_else(|| smoke.then(|| temporary.path().join("out")));
        let out = out.context("--out is required")?;
        Spared::default().folder(&out)?;
        Ok(Self { temporary, out, threads: Threads::new(threads)? })
    }

    /// The temporary folder, which goes when the program ends.
    #[must_use]
    pub fn temporary(&self) -> &Path {
        self.temporary.path()
    }

    /// The folder of the results. It may have to be made.
    #[must_use]
    pub fn out(&self) -> &Path {
        &self.out
    }

    /// Does `work` in the threads.
    pub fn install<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.threads.install(work)
    }
}

/// Makes `folder` and takes it for this process; `what` names the work in the error.
///
/// # Errors
///
/// A folder that cannot be made, or that another process works in.
pub fn lock_folder(folder: &Path, what: &str) -> Result<FolderLock> {
    let named = folder.display();
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {named}"))?;
    let lock = FolderLock::acquire(folder)?;
    lock.with_context(|| format!("another {what} writes into {named}: let it end"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_go_where_they_should_or_nowhere() {
        let given = tempfile::tempdir().expect("a temporary folder");
        let out = given.path().join("a/b");
        let opening = Opening::new(Some(out.clone()), true, 2).expect("it can be made");
        assert_eq!((opening.out(), out.exists()), (out.as_path(), false));
        assert_eq!(opening.install(rayon::current_num_threads), 2);
        let smoke = Opening::new(None, true, 1).expect("a temporary folder");
        assert!(smoke.out().starts_with(smoke.temporary()));
        assert!(Opening::new(None, false, 1).is_err());
        std::fs::write(given.path().join("a"), "").expect("it is writable");
        assert!(Opening::new(Some(out), false, 1).is_err());
    }

    #[test]
    fn a_folder_is_taken_once() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let new = folder.path().join("new");
        let lock = lock_folder(&new, "build").expect("nobody else has it");
        let error = lock_folder(&new, "build").expect_err("it is taken").to_string();
        assert!(error.contains("another build"), "{error}");
        drop(lock);
        assert!(lock_folder(&new, "build").is_ok());
    }
}
