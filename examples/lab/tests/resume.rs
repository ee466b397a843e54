//! A run that is killed at any moment and started again ends as an unbroken run.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

/// Kills that must hit a run under way.
const N_KILLS: usize = 10;

/// A model small enough for many steps a second, with every source of randomness turned on.
const RECIPE: &str = "
[model]
preset = 'native'
embed_dims = [8, 16, 16, 16]
n_heads = [1, 1, 1, 1]
stem_dim = 8
depths = [1, 1, 1, 1]
drop_path_rate = 0.2

[data]
validation_fraction = 0.25

[train]
epochs = 60
batch_size = 8
checkpoint_steps = 1

[train.augment]
colour = 0.2
jpeg_probability = 0.5
mixup_probability = 0.2
cutmix_probability = 0.2
";

fn program(path: &str, arguments: &[&str]) -> Child {
    Command::new(path)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts")
}

fn finish(mut child: Child) {
    let status = child.wait().expect("the program can be waited for");
    assert!(status.success(), "the program ended with {status}");
}

/// Kills the program of the `n`-th try at the moment that `ripe` waits for, ten times; then lets the
/// program end.
fn kill_ten_times(start: impl Fn(usize) -> Child, mut ripe: impl FnMut()) {
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

fn sleep_up_to(rng: &mut ChaCha8Rng, milliseconds: std::ops::Range<u64>) {
    std::thread::sleep(Duration::from_millis(rng.random_range(milliseconds)));
}

fn n_entries(folder: &Path) -> usize {
    std::fs::read_dir(folder).map_or(0, Iterator::count)
}

/// The files in `folder` with their bytes, by name; without what a kill in the middle of an atomic write
/// leaves beside them.
fn files(folder: &Path) -> Vec<(std::ffi::OsString, Vec<u8>)> {
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

fn text(path: &Path) -> &str {
    path.to_str().expect("it is UTF-8")
}

fn mini() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/mini")
}

#[test]
fn ten_kills_change_no_bit_of_the_weights() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [recipe, unbroken, broken] =
        ["recipe.toml", "unbroken", "broken"].map(|name| folder.path().join(name));
    std::fs::write(&recipe, RECIPE).expect("the folder is writable");
    let start = |out: &Path, threads: usize| {
        let (data, threads) = (mini(), threads.to_string());
        let arguments = ["--config", text(&recipe), "--data", text(&data), "--out", text(out)];
        let arguments = [&arguments[..], &["--threads", &threads]].concat();
        program(env!("CARGO_BIN_EXE_train_tinyvit"), &arguments)
    };
    finish(start(&unbroken, 2));
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    kill_ten_times(|n| start(&broken, 1 + n % 2), || sleep_up_to(&mut rng, 20..600));
    for name in ["last.safetensors", "best.safetensors", "metrics.csv"] {
        let [ours, theirs] = [&unbroken, &broken]
            .map(|run| std::fs::read(run.join(name)).expect("the run wrote it"));
        assert!(ours == theirs, "{name} differs");
    }
}

/// Two runs of one shape, their mean, and a narrower one that learns from the mean and from a shipped
/// model.
const QUEUE: &str = "
averages = { mean = ['first', 'second'] }
[[stage]]
name = 'first'
recipe = 'short.toml'
[[stage]]
name = 'second'
recipe = 'short.toml'
[[stage]]
name = 'student'
recipe = 'student.toml'
";

#[test]
fn ten_kills_change_no_bit_of_a_queue() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [queue, unbroken, broken] =
        ["queue.toml", "unbroken", "broken"].map(|name| folder.path().join(name));
    let short = RECIPE.replace("epochs = 60", "epochs = 20");
    let native = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../crates/tinyvit/weights/native.safetensors");
    let student = short.replace("stem_dim = 8", "stem_dim = 4");
    let student = format!(
        "{student}\n[train.teacher]\nweights = ['{{out}}/mean.safetensors', '{}']\ntemperature = 2\n\
         weight = 0.5\n",
        text(&native)
    );
    for (name, content) in
        [("queue.toml", QUEUE), ("short.toml", &short), ("student.toml", &student)]
    {
        std::fs::write(folder.path().join(name), content).expect("the folder is writable");
    }
    let start = |out: &Path, threads: usize| {
        let (data, threads) = (mini(), threads.to_string());
        let arguments = ["--queue", text(&queue), "--data", text(&data), "--out", text(out)];
        let arguments = [&arguments[..], &["--threads", &threads]].concat();
        program(env!("CARGO_BIN_EXE_train_tinyvit"), &arguments)
    };
    finish(start(&unbroken, 2));
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    kill_ten_times(|n| start(&broken, 1 + n % 2), || sleep_up_to(&mut rng, 20..600));
    for stage in ["", "first", "second", "student"] {
        let [ours, theirs] = [&unbroken, &broken].map(|run| {
            let mut files = files(&run.join(stage));
            // The state tells of the time, the checkpoint of the way.
            files.retain(|(name, _)| name != "state.json");
            files
        });
        assert!(!ours.is_empty() && ours.len() == theirs.len(), "{stage}");
        for ((name, ours), (other, theirs)) in ours.iter().zip(&theirs) {
            assert!(name == other && ours == theirs, "{stage}/{} differs", name.display());
        }
    }
    let state = std::fs::read_to_string(broken.join("state.json")).expect("it is kept");
    assert!(state.contains("\"stage\":3,\"n_stages\":3,\"epoch\":20"), "{state}");
}

/// A signal ends a run with a checkpoint, although none is due.
#[cfg(unix)]
#[test]
fn a_signal_ends_a_run_with_a_checkpoint() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [recipe, out] = ["recipe.toml", "run"].map(|name| folder.path().join(name));
    let long = RECIPE.replace("epochs = 60", "epochs = 100000").replace("checkpoint_steps = 1", "");
    std::fs::write(&recipe, long.replace("[train]", "[train]\ncheckpoint_minutes = 1000"))
        .expect("the folder is writable");
    let data = mini();
    let arguments = ["--config", text(&recipe), "--data", text(&data), "--out", text(&out)];
    let mut child = program(env!("CARGO_BIN_EXE_train_tinyvit"), &arguments);
    let begun = std::time::Instant::now();
    while !out.join("metrics.csv").exists() && begun.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(5));
    }
    let before = std::fs::read(out.join("checkpoint.safetensors"));
    let killed = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    assert!(killed.expect("every Unix has it").success());
    let status = child.wait().expect("the program can be waited for");
    assert_eq!(status.code(), Some(3));
    let after = std::fs::read(out.join("checkpoint.safetensors")).expect("it was written");
    assert!(before.map_or(true, |before| before != after));
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
