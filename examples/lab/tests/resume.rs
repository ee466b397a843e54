//! A run that is broken off and started again ends as an unbroken run.
//!
//! Where a test kills a program, it waits for a file and not for a time: no test depends on how fast
//! the machine is.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use burn::tensor::Device;
use cifake::{Decoder, Split, open_dataset};
use cifake_training::{Event, Recipe, Trainer, TrainingData};
use tinyvit::TinyVit;

/// A program that does not come as far as a test waits for is stuck.
const PATIENCE: Duration = Duration::from_secs(300);

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
epochs = 6
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

/// Waits until `is_ripe`, or until the program has ended.
fn wait_for(child: &mut Child, mut is_ripe: impl FnMut() -> bool) {
    let begun = Instant::now();
    while child.try_wait().expect("the program can be asked").is_none() && !is_ripe() {
        assert!(begun.elapsed() < PATIENCE, "the program does not come on");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn kill(mut child: Child) {
    child.kill().expect("the program can be killed");
    child.wait().expect("the program can be waited for");
}

fn n_entries(folder: &Path) -> usize {
    std::fs::read_dir(folder).map_or(0, Iterator::count)
}

/// The files in `folder` with their bytes, by name. A kill during an atomic write leaves a temporary
/// file, which is left out.
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

/// A run in `folder` on `threads` threads, which breaks off after step `stop`; the steps done.
fn run(recipe: &Recipe, folder: &Path, threads: usize, stop: Option<usize>) -> usize {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
    pool.install(|| {
        let dataset = open_dataset(&mini(), Some(Split::Train)).expect("the mini set");
        let data = TrainingData::load(&*dataset, &[], &recipe.data, &Decoder::default())
            .expect("every picture can be read");
        let model = recipe.model_config::<TinyVit>().expect("it can be built");
        let sets = [data.train, data.validation];
        let (config, device) = (recipe.train.clone(), Device::flex());
        let trainer = Trainer::<TinyVit>::new(config, model, None, sets, folder, &device);
        let mut trainer = trainer.expect("it can be run").with_record(data.record);
        let listener = &mut |event: Event<'_>| match event {
            Event::Step { step, .. } if Some(step) == stop => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        };
        trainer.run(listener).expect("the run goes on");
        trainer.step()
    })
}

#[test]
fn a_run_that_is_broken_off_five_times_changes_no_bit_of_the_weights() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [unbroken, broken] = ["unbroken", "broken"].map(|name| folder.path().join(name));
    for folder in [&unbroken, &broken] {
        std::fs::create_dir(folder).expect("the folder is writable");
    }
    let recipe: Recipe = toml::from_str(RECIPE).expect("it is a recipe");
    let n_steps = run(&recipe, &unbroken, 2, None);
    // Within an epoch, at its end, and right after it.
    let stops = [1, 5, 6, 7, n_steps - 1];
    for (n, stop) in stops.into_iter().enumerate() {
        assert_eq!(run(&recipe, &broken, 1 + n % 2, Some(stop)), stop);
    }
    assert_eq!(run(&recipe, &broken, 2, None), n_steps);
    for name in ["last.safetensors", "best.safetensors", "metrics.csv"] {
        let [ours, theirs] = [&unbroken, &broken]
            .map(|run| std::fs::read(run.join(name)).expect("the run wrote it"));
        assert!(ours == theirs, "{name} differs");
    }
}

/// A kill leaves the old checkpoint or the new one, never a part: each run goes on from the last.
#[test]
fn a_kill_leaves_a_whole_checkpoint() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [recipe, out] = ["recipe.toml", "run"].map(|name| folder.path().join(name));
    // It would not end before the test does.
    std::fs::write(&recipe, RECIPE.replace("epochs = 6", "epochs = 100000"))
        .expect("the folder is writable");
    let data = mini();
    let arguments = ["--config", text(&recipe), "--data", text(&data), "--out", text(&out)];
    let path = out.join("checkpoint.safetensors");
    let names = ["weights", "moment_1", "moment_2", "average"];
    let mut last = 0;
    for _ in 0..3 {
        let before = std::fs::read(&path).ok();
        let mut child = program(env!("CARGO_BIN_EXE_train_tinyvit"), &arguments);
        wait_for(&mut child, || std::fs::read(&path).is_ok_and(|now| Some(now) != before));
        kill(child);
        let checkpoint = cifake_optim::Checkpoint::open(&path, &names, 1 << 30);
        let progress: serde_json::Value =
            checkpoint.and_then(|checkpoint| checkpoint.progress()).expect("it is whole");
        let step = progress["step"].as_u64().expect("a number");
        assert!(step > last, "the run began anew: {step} after {last}");
        last = step;
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

/// One kill in each stage.
#[test]
fn kills_change_no_bit_of_a_queue() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [queue, unbroken, broken] =
        ["queue.toml", "unbroken", "broken"].map(|name| folder.path().join(name));
    let short = RECIPE;
    let native = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../crates/tinyvit/weights/native.safetensors");
    let student = short.replace("stem_dim = 8", "stem_dim = 4");
    let student = format!(
        "{student}\n[train.teacher]\nweights = ['{{out}}/mean.safetensors', '{}']\ntemperature = 2\n\
         weight = 0.5\n",
        text(&native)
    );
    for (name, content) in
        [("queue.toml", QUEUE), ("short.toml", short), ("student.toml", &student)]
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
    for (n, stage) in ["first", "second", "student"].into_iter().enumerate() {
        let mut child = start(&broken, 1 + n % 2);
        let checkpoint = broken.join(stage).join("checkpoint.safetensors");
        wait_for(&mut child, || checkpoint.exists());
        kill(child);
    }
    finish(start(&broken, 2));
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
    assert!(state.contains("\"stage\":3,\"n_stages\":3,\"epoch\":6"), "{state}");
}

/// A signal ends a run with a checkpoint, although none is due.
#[cfg(unix)]
#[test]
fn a_signal_ends_a_run_with_a_checkpoint() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [recipe, out] = ["recipe.toml", "run"].map(|name| folder.path().join(name));
    let long = RECIPE.replace("epochs = 6", "epochs = 100000").replace("checkpoint_steps = 1", "");
    std::fs::write(&recipe, long.replace("[train]", "[train]\ncheckpoint_minutes = 1000"))
        .expect("the folder is writable");
    let data = mini();
    let arguments = ["--config", text(&recipe), "--data", text(&data), "--out", text(&out)];
    let mut child = program(env!("CARGO_BIN_EXE_train_tinyvit"), &arguments);
    wait_for(&mut child, || out.join("metrics.csv").exists());
    let before = std::fs::read(out.join("checkpoint.safetensors"));
    let killed = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    assert!(killed.expect("every Unix has it").success());
    let status = child.wait().expect("the program can be waited for");
    assert_eq!(status.code(), Some(3));
    let after = std::fs::read(out.join("checkpoint.safetensors")).expect("it was written");
    assert!(before.map_or(true, |before| before != after));
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
