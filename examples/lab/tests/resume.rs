//! A set that is killed at any moment and started again ends as an unbroken one.

#[path = "../../cifake/tests/kills/mod.rs"]
mod kills;

use std::path::Path;
use std::time::Duration;

use kills::{files, finish, kill_ten_times, mini, program, sleep_up_to, text};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

fn n_entries(folder: &Path) -> usize {
    std::fs::read_dir(folder).map_or(0, Iterator::count)
}

#[test]
fn ten_kills_change_no_byte_of_a_set() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [unbroken, broken] = ["unbroken", "broken"].map(|name| folder.path().join(name));
    let start = |out: &Path| {
        let data = mini();
        let arguments = ["--data", text(&data), "--out", text(out), "--per-file", "2"];
        program(env!("CARGO_BIN_EXE_build_cifake_pp"), &arguments)
    };
    finish(start(&unbroken));
    // After another file is there, and at any moment of the next.
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut n_before = 0;
    kill_ten_times(
        |_| start(&broken),
        || {
            let begun = std::time::Instant::now();
            while n_entries(&broken) <= n_before && begun.elapsed() < Duration::from_secs(60) {
                sleep_up_to(&mut rng, 1..5);
            }
            sleep_up_to(&mut rng, 0..60);
            n_before = n_entries(&broken);
        },
    );
    let [ours, theirs] = [files(&unbroken), files(&broken)];
    assert_eq!(ours.len(), theirs.len());
    for ((name, ours), (other, theirs)) in ours.iter().zip(&theirs) {
        assert!(name == other && ours == theirs, "{} differs", name.display());
    }
}

#[test]
fn ten_kills_change_no_byte_of_a_set_of_explanations() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [unbroken, broken] = ["unbroken", "broken"].map(|name| folder.path().join(name));
    let start = |out: &Path| {
        let data = mini();
        let arguments = ["--data", text(&data), "--split", "train", "--out", text(out)];
        program(env!("CARGO_BIN_EXE_build_explanations"), &arguments)
    };
    finish(start(&unbroken));
    // After some more pictures, and at any moment of the next.
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let pictures = broken.join("images");
    let mut n_before = 0;
    kill_ten_times(
        |_| start(&broken),
        || {
            let begun = std::time::Instant::now();
            while n_entries(&pictures) < n_before + 3 && begun.elapsed() < Duration::from_secs(60) {
                sleep_up_to(&mut rng, 1..2);
            }
            sleep_up_to(&mut rng, 0..3);
            n_before = n_entries(&pictures);
        },
    );
    let all = |folder: &Path| [files(&folder.join("images")), files(folder)].concat();
    let [ours, theirs] = [all(&unbroken), all(&broken)];
    assert!(ours.len() > 50 && ours.len() == theirs.len(), "{} {}", ours.len(), theirs.len());
    for ((name, ours), (other, theirs)) in ours.iter().zip(&theirs) {
        assert!(name == other && ours == theirs, "{} differs", name.display());
    }
}
