//! Programs that are killed at any moment and started again.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rand::RngExt;
use rand::rngs::ChaCha8Rng;

/// Kills that must hit a run under way.
const N_KILLS: usize = 10;

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

/// Kills the program of the `n`-th try at the moment that `ripe` waits for, ten times; then lets the
/// program end.
pub(crate) fn kill_ten_times(start: impl Fn(usize) -> Child, mut ripe: impl FnMut()) {
    for n in 0..N_KILLS {
        let mut child = start(n);
        ripe();
        let ended = child.try_wait().expect("the program can be asked");
        assert!(ended.is_none(), "it ended after {n} kills: its work is too short");
        child.kill().expect("the program can be killed");
        child.wait().expect("the program can be waited for");
    }
    finish(start(N_KILLS));
}

pub(crate) fn sleep_up_to(rng: &mut ChaCha8Rng, milliseconds: std::ops::Range<u64>) {
    std::thread::sleep(Duration::from_millis(rng.random_range(milliseconds)));
}

/// The files in `folder` with their bytes, by name; without what a kill in the middle of an atomic write
/// leaves beside them.
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
