//! A set that is killed and started again ends as an unbroken one.

#[path = "../../cifake/tests/kills/mod.rs"]
mod kills;

use std::path::Path;

use kills::{files, finish, kill, mini, program, text, wait_for};

fn n_entries(folder: &Path) -> usize {
    std::fs::read_dir(folder).map_or(0, Iterator::count)
}

#[test]
fn kills_change_no_byte_of_a_set() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [unbroken, broken] = ["unbroken", "broken"].map(|name| folder.path().join(name));
    let start = |out: &Path| {
        let data = mini();
        let arguments = ["--data", text(&data), "--out", text(out), "--per-file", "2"];
        program(env!("CARGO_BIN_EXE_build_cifake_pp"), &arguments)
    };
    finish(start(&unbroken));
    for _ in 0..3 {
        let n_before = n_entries(&broken);
        let mut child = start(&broken);
        wait_for(&mut child, || n_entries(&broken) > n_before);
        kill(child);
    }
    finish(start(&broken));
    let [ours, theirs] = [files(&unbroken), files(&broken)];
    assert_eq!(ours.len(), theirs.len());
    for ((name, ours), (other, theirs)) in ours.iter().zip(&theirs) {
        assert!(name == other && ours == theirs, "{} differs", name.display());
    }
}

#[test]
fn kills_change_no_byte_of_a_set_of_explanations() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [unbroken, broken] = ["unbroken", "broken"].map(|name| folder.path().join(name));
    let start = |out: &Path| {
        let data = mini();
        let arguments = ["--data", text(&data), "--split", "train", "--out", text(out)];
        program(env!("CARGO_BIN_EXE_build_explanations"), &arguments)
    };
    finish(start(&unbroken));
    let pictures = broken.join("images");
    for _ in 0..3 {
        let n_before = n_entries(&pictures);
        let mut child = start(&broken);
        wait_for(&mut child, || n_entries(&pictures) > n_before);
        kill(child);
    }
    finish(start(&broken));
    let all = |folder: &Path| [files(&folder.join("images")), files(folder)].concat();
    let [ours, theirs] = [all(&unbroken), all(&broken)];
    assert!(ours.len() > 50 && ours.len() == theirs.len(), "{} {}", ours.len(), theirs.len());
    for ((name, ours), (other, theirs)) in ours.iter().zip(&theirs) {
        assert!(name == other && ours == theirs, "{} differs", name.display());
    }
}
