//! `cifake evaluate` on the committed mini set: its numbers, tables and files.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use cifake::{Decoder, Split, open_dataset};
use cifake_attacks::Degradation;
use cifake_training::{DataConfig, TrainedOn, TrainingData};
use serde_json::Value;

fn mini() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/mini")
}

fn evaluate(arguments: &[&str]) -> Output {
    let mini = mini();
    Command::new(env!("CARGO_BIN_EXE_cifake"))
        .args(["evaluate", "--data"])
        .arg(&mini)
        .args(arguments)
        .output()
        .expect("the example was built")
}

fn report(arguments: &[&str]) -> Value {
    let output = evaluate(&[&["--json"], arguments].concat());
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    serde_json::from_slice(&output.stdout).expect("the output is JSON")
}

#[test]
fn every_metric_has_a_value_within_its_interval() {
    let report = report(&[]);
    assert_eq!(report["n"], 32);
    let dedup = &report["dedup"];
    // One of the 32 test pictures stands in the training set.
    assert_eq!(dedup["n"], 31);
    for measures in [&report, dedup] {
        for name in ["accuracy", "auc", "ap", "ece", "brier", "accuracy_real", "accuracy_fake"] {
            let [value, low, high] =
                ["value", "low", "high"].map(|key| measures[name][key].as_f64().expect(name));
            assert!((0.0..=1.0).contains(&value), "{name}: {value}");
            assert!(low <= high, "{name}: {low} {high}");
        }
    }
    assert!(report["model"].as_str().is_some_and(|model| model.starts_with("tinyvit-")));
    assert_eq!(report["split"], "test");
}

#[test]
fn a_limit_draws_both_labels_by_seed() {
    let drawn = |seed: &str| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("scores.csv");
        let scores = path.to_str().expect("it is UTF-8");
        let report = report(&["--limit", "8", "--seed", seed, "--scores", scores]);
        assert_eq!(report["n"], 8);
        std::fs::read_to_string(&path).expect("it was written")
    };
    let first = drawn("1");
    let n_real = first.lines().filter(|line| line.contains(",REAL,")).count();
    assert_eq!((n_real, first.lines().count()), (4, 9));
    assert_eq!(drawn("1"), first);
    assert_ne!(drawn("2"), first);
}

#[test]
fn tables_and_figures_are_written() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [roc, reliability] = ["roc.png", "reliability.png"].map(|name| {
        let path = folder.path().join(name);
        path.to_str().expect("it is UTF-8").to_owned()
    });
    let output = evaluate(&["--split", "train", "--roc", &roc, "--reliability", &reliability]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    for word in ["accuracy", "deduplicated", "near grey", "(train)", "called FAKE"] {
        assert!(table.contains(word), "{word} is missing in\n{table}");
    }
    for path in [roc, reliability] {
        let figure = image::open(&path).expect("a figure was written");
        assert!(figure.width() > 400, "{path}");
    }
}

#[test]
fn every_degradation_is_a_row_and_a_strip_of_the_sheet() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("rows.png");
    let sheet = path.to_str().expect("it is UTF-8");
    let arguments = ["--degradations", "--degradation-picture", sheet, "--seed", "3"];
    let first = report(&arguments);
    let rows = first["degradations"].as_array().expect("a list").clone();
    assert_eq!(rows.len(), Degradation::suite().len());
    let row = |name: &str| {
        let found = rows.iter().find(|row| row["name"] == name);
        found.unwrap_or_else(|| panic!("{name} is missing")).clone()
    };
    for name in ["enlarge-x7-lanczos", "jpeg-40", "webp-80", "crop-24", "screenshot"] {
        for key in ["accuracy", "accuracy_real", "accuracy_fake", "auc"] {
            let [value, low, high] =
                ["value", "low", "high"].map(|part| row(name)[key][part].as_f64().expect(key));
            assert!((0.0..=1.0).contains(&value) && low <= high, "{name} {key}");
        }
        let clean = first["accuracy"]["value"].as_f64().expect("a number");
        let [accuracy, drop] =
            ["accuracy", "drop"].map(|key| row(name)[key]["value"].as_f64().expect(key));
        assert!((clean - accuracy - drop).abs() < 1e-9, "{name}");
    }
    let drops = rows.iter().map(|row| row["drop"]["value"].as_f64().expect("a number"));
    assert!(drops.fold(0.0, f64::max) > 0.05, "some way costs more than others");
    let figure = image::open(&path).expect("a sheet was written");
    assert!(figure.width() > 8 * 64 && figure.height() > 64 * rows.len() as u32);
    assert_eq!(report(&arguments)["degradations"], first["degradations"]);
    let alone = evaluate(&["--degradation-picture", sheet]);
    assert_eq!(alone.status.code(), Some(2), "a sheet needs rows");
}

#[test]
fn a_second_look_is_the_same_for_a_mirror_image() {
    let twice = report(&["--tta", "flip", "--degradations"]);
    assert_eq!(twice["tta"]["kind"], "flip");
    assert!(twice["tta"]["time_ratio"].as_f64().is_some_and(|ratio| ratio > 1.0));
    let rows = twice["degradations"].as_array().expect("a list");
    let mirror = rows.iter().find(|row| row["name"] == "mirror").expect("a row of the suite");
    assert_eq!(mirror["accuracy"], twice["accuracy"]);
    let once = report(&[]);
    assert_eq!(once.get("tta"), None);
    assert_ne!(once["brier"], twice["brier"]);
}

#[test]
fn the_table_has_the_rows_and_the_cost() {
    let output = evaluate(&["--smoke"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    for word in ["drop in points", "enlarge-x2-bicubic", "turn-270", "times the time"] {
        assert!(table.contains(word), "{word} is missing in\n{table}");
    }
}

#[test]
fn pictures_without_labels_are_no_data_set_and_the_error_names_one() {
    let output = Command::new(env!("CARGO_BIN_EXE_cifake"))
        .args(["evaluate", "--data"])
        .arg(mini().join("../sample"))
        .output()
        .expect("the example was built");
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("datasets/mini") && told.contains("cifake detect"), "{told}");
}

/// A path that cannot be written is found before anything is measured.
#[test]
fn outputs_are_looked_at_before_the_work() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("file");
    std::fs::write(&file, "").expect("it is writable");
    let below = file.join("figure.png");
    let data = mini();
    for output in [&below, &data] {
        let path = output.to_str().expect("plain");
        for flag in ["--roc", "--reliability", "--scores"] {
            let refused = evaluate(&[flag, path]);
            assert_eq!(refused.status.code(), Some(2), "{flag} {path}");
            assert!(refused.stdout.is_empty(), "{flag} {path}");
        }
    }
    let new = folder.path().join("a/b/scores.csv");
    let made = evaluate(&["--scores", new.to_str().expect("plain"), "--limit", "4"]);
    assert!(made.status.success() && new.is_file(), "{}", String::from_utf8_lossy(&made.stderr));
}

#[test]
fn what_cannot_be_measured_is_an_error() {
    for arguments in [&["--split", "nowhere"][..], &["--weights", "missing.safetensors"]] {
        let output = evaluate(arguments);
        assert!(!output.status.success());
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(stderr.contains(arguments[1]), "{stderr}");
    }
    let nothing = Command::new(env!("CARGO_BIN_EXE_cifake"))
        .arg("evaluate")
        .env_remove("CIFAKE_SHARED")
        .output();
    assert_eq!(nothing.expect("the example was built").status.code(), Some(2));
}

/// The shipped weights in `folder`, with `record` in their metadata where one is given.
fn own_weights(folder: &Path, record: Option<&TrainedOn>) -> String {
    let shipped = mini().join("../../crates/tinyvit/weights/native.safetensors");
    let bytes = std::fs::read(shipped).expect("they are shipped");
    let (length, rest) = bytes.split_first_chunk().expect("a header has a length");
    let length = usize::try_from(u64::from_le_bytes(*length)).expect("it fits into memory");
    let mut header: Value = serde_json::from_slice(&rest[..length]).expect("a header is JSON");
    if let Some(record) = record {
        header["__metadata__"][TrainedOn::KEY] = record.to_json().into();
    }
    let mut header = header.to_string();
    header.push_str(&" ".repeat(header.len().next_multiple_of(8) - header.len()));
    let own = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &rest[length..]].concat();
    let path = folder.join(if record.is_some() { "own.safetensors" } else { "bare.safetensors" });
    std::fs::write(&path, own).expect("the folder is writable");
    path.to_str().expect("it is UTF-8").to_owned()
}

#[test]
fn validation_pictures_are_those_that_the_weights_hold_back() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = DataConfig::default().with_validation_fraction(0.5);
    let training = open_dataset(&mini(), Some(Split::Train)).expect("the mini set is there");
    let data = TrainingData::load(&*training, &[], &config, &Decoder::default());
    let data = data.expect("the mini set has both labels");
    let own = own_weights(folder.path(), Some(&data.record));
    let report = report(&["--split", "validation", "--weights", &own]);
    assert_eq!(report["n"], data.validation.len());
    assert_eq!(report["dedup"]["n"], data.validation.len());
    assert_eq!(report["split"], "validation");

    let bare = own_weights(folder.path(), None);
    let refused = evaluate(&["--split", "validation", "--weights", &bare]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("evaluate --split test"));
    assert!(evaluate(&["--limit", "4", "--weights", &bare]).status.success());
}

#[test]
fn a_broken_picture_is_counted_and_strict_stops() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for label in ["0_real", "1_fake"] {
        let to = folder.path().join(label);
        std::fs::create_dir(&to).expect("it is writable");
        let sample = mini().join("../sample").join(format!("{}-cat-1.jpg", &label[2..]));
        std::fs::copy(sample, to.join("cat.jpg")).expect("it is writable");
    }
    std::fs::write(folder.path().join("1_fake/broken.jpg"), "no picture").expect("room");
    let run = |more: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_cifake"))
            .args(["evaluate", "--json", "--data"])
            .arg(folder.path())
            .args(more)
            .output()
            .expect("the program was built")
    };
    let counted = run(&[]);
    assert_eq!(counted.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&counted.stdout).expect("JSON");
    assert_eq!((&report["n"], &report["n_failed"]), (&2.into(), &1.into()));
    let told = String::from_utf8_lossy(&counted.stderr).into_owned();
    assert!(told.contains("are left out: 1") && told.contains("1_fake/broken.jpg"), "{told}");
    let strict = run(&["--strict"]);
    assert_eq!(strict.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&strict.stderr).contains("broken.jpg"));
    std::fs::rename(folder.path().join("1_fake"), folder.path().join("renders")).expect("room");
    let unknown = run(&[]);
    assert_eq!(unknown.status.code(), Some(2), "REAL alone is no data set");
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("`renders`"));
    assert_eq!(run(&["--fake", "renders"]).status.code(), Some(1));
}

/// Without --data, the set of `$CIFAKE_SHARED` is measured.
#[cfg(unix)]
#[test]
fn the_shared_data_set_is_the_default() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let datasets = folder.path().join("datasets");
    std::fs::create_dir(&datasets).expect("it is writable");
    std::os::unix::fs::symlink(mini(), datasets.join("cifake")).expect("it is writable");
    let output = Command::new(env!("CARGO_BIN_EXE_cifake"))
        .args(["evaluate", "--json"])
        .env("CIFAKE_SHARED", folder.path())
        .output()
        .expect("the program was built");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["n"], 32);
}
