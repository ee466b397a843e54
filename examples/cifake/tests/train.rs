//! `cifake train`: a run that is broken off and started again ends as an unbroken run; pictures of any
//! size, name and number.

mod kills;

use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Child, Command, Output};

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

fn train(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cifake"));
    command.env_remove("CIFAKE_SHARED");
    command.arg("train").args(arguments).output().expect("the program was built")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A recipe of one epoch for a model of almost nothing.
fn short(folder: &Path) -> std::path::PathBuf {
    let path = folder.join("short.toml");
    let recipe = RECIPE.replace("epochs = 6", "epochs = 1");
    std::fs::write(&path, recipe).expect("the folder is writable");
    path
}

/// Pictures of several sizes in folders of these names, 8 of each, and one that is broken.
fn own_pictures(folder: &Path, names: [&str; 2]) {
    for (name, kind) in names.into_iter().zip([cifake::Drawing::Noise, cifake::Drawing::Shapes]) {
        let folder = folder.join(name);
        std::fs::create_dir_all(&folder).expect("it is writable");
        for number in 0..8u64 {
            let side = 20 + 13 * u32::try_from(number).expect("small");
            let png = kind.picture(side, 1, number).to_png();
            std::fs::write(folder.join(format!("{number}.png")), png).expect("room");
        }
    }
    std::fs::write(folder.join(names[0]).join("broken.jpg"), "no picture").expect("room");
}

#[test]
fn pictures_of_any_size_and_folders_of_any_name_train_a_detector() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [data, out, strict] = ["data", "out", "strict"].map(|name| folder.path().join(name));
    own_pictures(&data, ["photos", "renders"]);
    let recipe = short(folder.path());
    let arguments = ["--config", text(&recipe), "--data", text(&data), "--out", text(&out)];
    let unknown = train(&arguments);
    assert_eq!(unknown.status.code(), Some(2));
    for word in ["`photos`", "--real", "--fake"] {
        assert!(stderr(&unknown).contains(word), "{}", stderr(&unknown));
    }
    assert!(!out.exists(), "nothing is written before the data is known");
    let names = ["--real", "photos", "--fake", "renders"];
    let output = train(&[&arguments[..], &names].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("are left out: 1"), "{}", stderr(&output));
    assert!(stderr(&output).contains("photos/broken.jpg"), "{}", stderr(&output));
    assert!(stderr(&output).contains("cifake evaluate"), "{}", stderr(&output));
    let evaluated = on_data("evaluate", &data, &out, &[&["--json"][..], &names].concat());
    assert_eq!(evaluated.status.code(), Some(1), "{}", stderr(&evaluated));
    let report: serde_json::Value = serde_json::from_slice(&evaluated.stdout).expect("JSON");
    assert_eq!((&report["n"], &report["n_failed"]), (&16.into(), &1.into()));
    let arguments = ["--config", text(&recipe), "--data", text(&data), "--out", text(&strict)];
    let refused = train(&[&arguments[..], &names, &["--strict"]].concat());
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("broken.jpg") && !strict.exists());
}

/// What `cifake` prints for `arguments` on `data`, with the weights of `run`.
fn on_data(command: &str, data: &Path, run: &Path, arguments: &[&str]) -> Output {
    let weights = run.join("best.safetensors");
    Command::new(env!("CARGO_BIN_EXE_cifake"))
        .args([command, "--data", text(data), "--weights", text(&weights)])
        .args(arguments)
        .output()
        .expect("the program was built")
}

#[test]
fn a_validation_folder_validates_and_every_later_program_knows_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [data, out, calibrated] =
        ["data", "out", "own.safetensors"].map(|name| folder.path().join(name));
    for split in ["train", "val"] {
        own_pictures(&data.join(split), ["real", "fake"]);
        std::fs::remove_file(data.join(split).join("real/broken.jpg")).expect("it is there");
    }
    // The pictures of both folders are the same but for one of each label.
    for (seed, label) in (2u64..).zip(["real", "fake"]) {
        let png = cifake::Drawing::Shapes.picture(32, seed, 0).to_png();
        std::fs::write(data.join("val").join(label).join("0.png"), png).expect("room");
        for number in 8..16u64 {
            let png = cifake::Drawing::Noise.picture(32, seed, number).to_png();
            let file = data.join("train").join(label).join(format!("{number}.png"));
            std::fs::write(file, png).expect("room");
        }
    }
    let recipe = short(folder.path());
    let arguments = ["--config", text(&recipe), "--data", text(&data), "--out", text(&out)];
    let output = train(&arguments);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    for words in ["18 pictures to train on", "16 to validate on, the validation split", "14 dupl"] {
        assert!(stderr(&output).contains(words), "{}", stderr(&output));
    }
    let weights = std::fs::read(out.join("best.safetensors")).expect("it was written");
    assert!(String::from_utf8_lossy(&weights).contains("own_split"), "the record names it");
    let output = on_data("evaluate", &data, &out, &["--json", "--split", "validation"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["n"], 16);
    let output = on_data("calibrate", &data, &out, &["--out", text(&calibrated)]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("only 16 pictures"), "{}", stderr(&output));
    // Without the folder, the data set is not the one that the weights are of.
    std::fs::remove_dir_all(data.join("val")).expect("it is there");
    let output = on_data("calibrate", &data, &out, &["--out", text(&calibrated)]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("another data set"), "{}", stderr(&output));
}

#[test]
fn a_list_trains_every_baseline() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    own_pictures(folder.path(), ["a", "b"]);
    let rows = (0..8).flat_map(|n| [format!("a/{n}.png,real\n"), format!("b/{n}.png,ai\n")]);
    let list = folder.path().join("list.csv");
    std::fs::write(&list, format!("path,label\n{}", rows.collect::<String>())).expect("room");
    for (model, key) in [
        ("preset = 'resnet18_32', widths = [8, 8, 8, 8], depths = [1, 1, 1, 1]", "resnet_config"),
        ("preset = 'fft_vae_32', widths = [8, 8], n_groups = 4, dim = 8", "fft_vae_config"),
        ("preset = 'vit_32', dim = 16, n_heads = 2, depth = 2, d_mlp = 16", "vit_config"),
    ] {
        let recipe = folder.path().join(format!("{key}.toml"));
        let content = format!(
            "model = {{ {model} }}\n\
             data = {{ validation_fraction = 0.25 }}\n\
             train = {{ epochs = 1, batch_size = 4 }}"
        );
        std::fs::write(&recipe, content).expect("room");
        let out = folder.path().join(key);
        let arguments = ["--config", text(&recipe), "--data", text(&list), "--out", text(&out)];
        let output = train(&arguments);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let weights = std::fs::read(out.join("best.safetensors")).expect("it was written");
        assert!(weights.windows(key.len()).any(|found| found == key.as_bytes()));
        let weights = out.join("best.safetensors");
        let evaluated = Command::new(env!("CARGO_BIN_EXE_cifake"))
            .args(["evaluate", "--data", text(&list), "--weights", text(&weights)])
            .output()
            .expect("the program was built");
        assert_eq!(evaluated.status.code(), Some(0), "{}", stderr(&evaluated));
        assert!(stderr(&evaluated).contains("were trained on"), "{}", stderr(&evaluated));
        assert!(String::from_utf8_lossy(&evaluated.stdout).contains("not split"));
    }
}

#[test]
fn a_recipe_of_no_network_is_refused_with_the_presets_there_are() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    own_pictures(folder.path(), ["real", "fake"]);
    let [recipe, out] = ["recipe.toml", "out"].map(|name| folder.path().join(name));
    std::fs::write(&recipe, "model = { preset = 'fft' }").expect("room");
    let data = folder.path();
    let output = train(&["--config", text(&recipe), "--data", text(data), "--out", text(&out)]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    let named = ["native", "resnet18_32", "fft_vae_32", "vit_32"];
    assert!(named.iter().all(|name| stderr(&output).contains(name)), "{}", stderr(&output));
}

#[test]
fn a_label_without_pictures_ends_a_run_before_it_begins() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [data, out] = ["data", "out"].map(|name| folder.path().join(name));
    own_pictures(&data, ["REAL", "other"]);
    std::fs::remove_dir_all(data.join("other")).expect("it is there");
    let output = train(&["--data", text(&data), "--out", text(&out)]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("no FAKE pictures"), "{}", stderr(&output));
    assert!(!out.exists());
    let nowhere = train(&["--out", text(&out)]);
    assert_eq!(nowhere.status.code(), Some(2));
    assert!(stderr(&nowhere).contains("CIFAKE_SHARED"), "{}", stderr(&nowhere));
}

#[test]
fn shipped_weights_start_a_run_by_their_name() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [data, out] = ["data", "out"].map(|name| folder.path().join(name));
    own_pictures(&data, ["real", "fake"]);
    let recipe = folder.path().join("recipe.toml");
    let content = "
model = { preset = 'native' }
data = { validation_fraction = 0.25 }
train = { epochs = 1, batch_size = 4 }
";
    std::fs::write(&recipe, content).expect("room");
    let arguments = ["--config", text(&recipe), "--data", text(&data), "--out", text(&out)];
    let unknown = train(&[&arguments[..], &["--weights", "nobody"]].concat());
    assert_eq!(unknown.status.code(), Some(2));
    assert!(stderr(&unknown).contains("native"), "{}", stderr(&unknown));
    let output = train(&[&arguments[..], &["--weights", "native"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("from ") && out.join("best.safetensors").exists());
}

#[test]
fn a_folder_takes_one_run_at_a_time() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let recipe = short(folder.path());
    let lock = cifake::file::FolderLock::acquire(folder.path()).expect("the folder is there");
    let (data, out) = (mini(), folder.path());
    let arguments = ["--config", text(&recipe), "--data", text(&data), "--out", text(out)];
    let refused = train(&arguments);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("another run"), "{}", stderr(&refused));
    drop(lock);
    let output = train(&arguments);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}
