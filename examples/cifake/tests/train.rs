//! `cifake train`: a run that is broken off and started again ends as an unbroken run.

mod kills;

use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Child, Command};

use burn::tensor::Device;
use cifake::{Decoder, Split, open_dataset};
use cifake_training::{Event, Recipe, Trainer, TrainingData};
use kills::{files, finish, kill, mini, program, text, wait_for};
use tinyvit::TinyVit;

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

fn start_train(arguments: &[&str]) -> Child {
    program(env!("CARGO_BIN_EXE_cifake"), &[&["train"], arguments].concat())
}

/// The run of `recipe` in `folder`.
fn trainer(recipe: &Recipe, folder: &Path) -> Trainer<TinyVit> {
    let dataset = open_dataset(&mini(), Some(Split::Train)).expect("the mini set");
    let data = TrainingData::load(&*dataset, &[], &recipe.data, &Decoder::default())
        .expect("every picture can be read");
    let model = recipe.model_config::<TinyVit>().expect("it can be built");
    let (config, sets) = (recipe.train.clone(), [data.train, data.validation]);
    Trainer::new(config, model, None, sets, folder, &Device::flex()).expect("it can be run")
}

/// Runs `recipe` in `folder` on `threads` threads, to the end or to step `stop`; the steps done.
fn run(recipe: &Recipe, folder: &Path, threads: usize, stop: Option<usize>) -> usize {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
    pool.install(|| {
        let mut trainer = trainer(recipe, folder);
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

/// A run that goes on tells its place and refuses other numbers.
#[test]
fn a_run_that_goes_on_says_where_and_keeps_its_numbers() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [file, out] = ["recipe.toml", "run"].map(|name| folder.path().join(name));
    std::fs::create_dir(&out).expect("the folder is writable");
    std::fs::write(&file, RECIPE).expect("the folder is writable");
    let mut recipe: Recipe = toml::from_str(RECIPE).expect("it is a recipe");
    recipe.train.epochs = 3;
    let n_steps = trainer(&recipe, &out).n_steps();
    let stop = n_steps / 3 + 2;
    assert_eq!(run(&recipe, &out, 1, Some(stop)), stop);
    let data = mini();
    let train = |epochs: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_cifake"))
            .args(["train", "--config", text(&file), "--data", text(&data), "--out", text(&out)])
            .args(["--epochs", epochs])
            .output()
            .expect("it was built");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (status, told) = train("4");
    assert_eq!(status, Some(2), "{told}");
    assert!(told.contains("another recipe") && told.contains("epochs"), "{told}");
    let (status, told) = train("3");
    assert_eq!(status, Some(0), "{told}");
    let words = format!("run: continues at epoch 2, step {stop} of {n_steps}; ");
    assert!(told.contains(&words) && !told.contains("random weights"), "{told}");
    let (status, told) = train("3");
    assert_eq!(status, Some(0), "{told}");
    assert!(told.contains(&format!("is at its end, step {n_steps} of {n_steps}")), "{told}");
}

/// A kill leaves the old checkpoint or the new one, never a part: each run goes on from the last.
#[test]
fn a_kill_leaves_a_whole_checkpoint() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [recipe, out] = ["recipe.toml", "run"].map(|name| folder.path().join(name));
    // It would not end before the test does.
    let long = RECIPE.replace("epochs = 6", "epochs = 100000");
    std::fs::write(&recipe, &long).expect("the folder is writable");
    let data = mini();
    let arguments = ["--config", text(&recipe), "--data", text(&data), "--out", text(&out)];
    let path = out.join("checkpoint.safetensors");
    let mut last = 0;
    for _ in 0..3 {
        let before = std::fs::read(&path).ok();
        let mut child = start_train(&arguments);
        wait_for(&mut child, || std::fs::read(&path).is_ok_and(|now| Some(now) != before));
        kill(child);
        let recipe: Recipe = toml::from_str(&long).expect("it is a recipe");
        let step = trainer(&recipe, &out).step();
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
        start_train(&arguments)
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
    let mut child = start_train(&arguments);
    wait_for(&mut child, || out.join("metrics.csv").exists());
    let before = std::fs::read(out.join("checkpoint.safetensors"));
    let killed = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    assert!(killed.expect("every Unix has it").success());
    let status = child.wait().expect("the program can be waited for");
    assert_eq!(status.code(), Some(3));
    let after = std::fs::read(out.join("checkpoint.safetensors")).expect("it was written");
    assert!(before.map_or(true, |before| before != after));
}
