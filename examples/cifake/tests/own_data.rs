//! `cifake train` on pictures of any size, name and number, and by any network that can be trained.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// One epoch of a model of almost nothing.
const RECIPE: &str = "
[model]
preset = 'native'
embed_dims = [8, 16, 16, 16]
n_heads = [1, 1, 1, 1]
stem_dim = 8
depths = [1, 1, 1, 1]

[data]
validation_fraction = 0.25

[train]
epochs = 1
batch_size = 8
";

fn text(path: &Path) -> &str {
    path.to_str().expect("these paths are UTF-8")
}

fn mini() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/mini")
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
fn short(folder: &Path) -> PathBuf {
    let path = folder.join("short.toml");
    std::fs::write(&path, RECIPE).expect("the folder is writable");
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
    assert!(stderr(&output).contains("epoch   1: train loss"), "{}", stderr(&output));
    let best = out.join("best.safetensors");
    let start = [&arguments[..], &names, &["--weights", text(&best)]].concat();
    let refused = train(&start);
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("is an input"), "{}", stderr(&refused));
    let evaluated = on_data("evaluate", &data, &out, &[&["--json"][..], &names].concat());
    assert_eq!(evaluated.status.code(), Some(1), "{}", stderr(&evaluated));
    let report: serde_json::Value = serde_json::from_slice(&evaluated.stdout).expect("JSON");
    assert_eq!((&report["n"], &report["n_failed"]), (&16.into(), &1.into()));
    let arguments = ["--config", text(&recipe), "--data", text(&data), "--out", text(&strict)];
    let refused = train(&[&arguments[..], &names, &["--strict"]].concat());
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("broken.jpg") && !strict.exists());
    std::fs::remove_file(best).expect("it was written");
    let arguments = ["--config", text(&recipe), "--data", text(&data), "--out", text(&out)];
    let gone = train(&[&arguments[..], &names].concat());
    assert_eq!(gone.status.code(), Some(2), "{}", stderr(&gone));
    assert!(stderr(&gone).contains("is gone"), "{}", stderr(&gone));
}

/// The output of `cifake` for `arguments` on `data`, with the weights of `run`.
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
    let kinds = [("real", cifake::Drawing::Noise), ("fake", cifake::Drawing::Shapes)];
    for (seed, (label, kind)) in (2u64..).zip(kinds) {
        let more = std::iter::once(("val", 0)).chain((8..16).map(|number| ("train", number)));
        for (split, number) in more.chain((16..29).map(|number| ("val", number))) {
            let png = kind.picture(32, seed, number).to_png();
            let file = data.join(split).join(label).join(format!("{number}.png"));
            std::fs::write(file, png).expect("room");
        }
    }
    let recipe = short(folder.path());
    let arguments = ["--config", text(&recipe), "--data", text(&data), "--out", text(&out)];
    let output = train(&[&arguments[..], &["--epochs", "30"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    for words in ["18 pictures to train on", "42 to validate on, the validation split", "14 dupl"] {
        assert!(stderr(&output).contains(words), "{}", stderr(&output));
    }
    let weights = std::fs::read(out.join("best.safetensors")).expect("it was written");
    assert!(String::from_utf8_lossy(&weights).contains("own_split"), "the record names it");
    let output = on_data("evaluate", &data, &out, &["--json", "--split", "validation"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["n"], 42);
    // The last weights are surer than the first ones that made no mistake.
    let [last, best] = ["last", "best"].map(|name| out.join(format!("{name}.safetensors")));
    std::fs::copy(last, best).expect("both were written");
    let output = on_data("calibrate", &data, &out, &["--out", text(&calibrated)]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("only 42 pictures"), "{}", stderr(&output));
    // Without the folder, the data set is not the one that the weights are of.
    std::fs::remove_dir_all(data.join("val")).expect("it is there");
    let output = on_data("calibrate", &data, &out, &["--out", text(&calibrated)]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("another data set"), "{}", stderr(&output));
}

/// The built-in recipe takes what is there; another recipe's batch must be filled.
#[test]
fn a_batch_of_the_built_in_recipe_shrinks_to_the_pictures_there_are() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [data, out, other] = ["data", "out", "other"].map(|name| folder.path().join(name));
    own_pictures(&data, ["real", "fake"]);
    let output = train(&["--data", text(&data), "--out", text(&out), "--epochs", "1"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let told = stderr(&output);
    assert!(told.contains("a batch has 14 pictures instead of 64"), "{told}");
    assert!(told.contains("from random weights; 14 pictures to train on"), "{told}");
    let recipe = short(folder.path());
    let arguments = ["--config", text(&recipe), "--data", text(&data), "--out", text(&other)];
    let refused = train(&[&arguments[..], &["--batch-size", "32"]].concat());
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("pass --batch-size 12"), "{}", stderr(&refused));
    let none = train(&[&arguments[..], &["--batch-size", "0"]].concat());
    assert_eq!(none.status.code(), Some(2), "{}", stderr(&none));
    assert!(stderr(&none).contains("batch_size must be from 1"), "{}", stderr(&none));
}

/// `calibrate` takes shipped weights by their name, wants 20 pictures of each label and replaces no input.
#[test]
fn a_calibration_needs_enough_pictures_and_keeps_its_input() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [recipe, weights, out] =
        ["recipe.toml", "own.safetensors", "out.safetensors"].map(|name| folder.path().join(name));
    let shipped = mini().join("../../crates/tinyvit/weights/native.safetensors");
    std::fs::copy(shipped, &weights).expect("they are shipped");
    let calibrate = |fraction: &str, weights: &str, out: &Path| {
        let content = format!(
            "model = {{ preset = 'native' }}\ndata = {{ validation_fraction = {fraction} }}"
        );
        std::fs::write(&recipe, content).expect("room");
        Command::new(env!("CARGO_BIN_EXE_cifake"))
            .args(["calibrate", "--config", text(&recipe), "--data", text(&mini())])
            .args(["--weights", weights, "--out", text(out)])
            .output()
            .expect("the program was built")
    };
    let few = calibrate("0.5", "native", &out);
    assert_eq!(few.status.code(), Some(2), "{}", stderr(&few));
    assert!(stderr(&few).contains("needs 20 pictures of each label"), "{}", stderr(&few));
    assert!(!out.exists());
    let before = std::fs::read(&weights).expect("it was copied");
    let in_place = calibrate("0.7", text(&weights), &weights);
    assert_eq!(in_place.status.code(), Some(2), "{}", stderr(&in_place));
    assert!(stderr(&in_place).contains("is an input"), "{}", stderr(&in_place));
    assert_eq!(std::fs::read(&weights).expect("it stays"), before);
    let enough = calibrate("0.7", "native", &out);
    assert_eq!(enough.status.code(), Some(0), "{}", stderr(&enough));
    let told = String::from_utf8_lossy(&enough.stdout).into_owned();
    let temperature = told.lines().find_map(|line| line.strip_prefix("temperature: "));
    let temperature: f64 = temperature.and_then(|text| text.parse().ok()).expect("it is printed");
    assert!((0.0125..=80.0).contains(&temperature), "{told}");
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
    assert!(stderr(&output).contains("from native; "), "{}", stderr(&output));
    assert!(out.join("best.safetensors").exists());
    assert!(!out.join("start.safetensors").exists(), "nothing else is left in the folder");
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
