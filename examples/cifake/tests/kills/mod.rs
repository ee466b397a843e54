//! Programs that are killed and started again.
//!
//! A test waits for a file and not for a time: none depends on how fast the machine is.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A program that does not come as far as a test waits for is stuck.
const PATIENCE: Duration = Duration::from_secs(300);

pub(crate) fn program(path: &str, arguments: &[&str]) -> Child {
    Command::new(path)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts")
}

pub(crate) fn finish(mut child: Child) {
    let status = child.wait().expect("the program can be waited for");
    assert!(status.success(), "the program ended with {status}");
}

/// Waits until `is_ripe`, or until the program has ended.
pub(crate) fn wait_for(child: &mut Child, mut is_ripe: impl FnMut() -> bool) {
    let begun = Instant::now();
    while child.try_wait().expect("the program can be asked").is_none() && !is_ripe() {
        assert!(begun.elapsed() < PATIENCE, "the program does not come on");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Kills the program where it still runs.
pub(crate) fn kill(mut child: Child) {
    child.kill().expect("the program can be killed");
    child.wait().expect("the program can be waited for");
}

/// The files in `folder` with their bytes, by name. A kill during an atomic write leaves a temporary
/// file, which is left out.
pub(crate) fn files(folder: &Path) -> Vec<(OsString, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).expect("it was built");
    let paths = entries.map(|entry| entry.expect("it can be read").path());
    let read = |path: PathBuf| {
        let bytes = std::fs::read(&path).expect("it is a file");
        (path.file_name().expect("it has a name").to_owned(), bytes)
    };
    let is_whole = |path: &PathBuf| path.is_file() && path.extension() != Some("tmp".as_ref());
    let mut files: Vec<_> = paths.filter(is_whole).map(read).collect();
    files.sort();
    files
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("it is UTF-8")
}

pub(crate) fn mini() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/mini")
}
