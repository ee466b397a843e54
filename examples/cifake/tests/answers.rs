//! `evaluate` on a collection, and on weights that `calibrate` taught to be unsure.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output};

use cifake::{Drawing, Label};
use serde_json::Value;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

fn text(path: &Path) -> &str {
    path.to_str().expect("it is UTF-8")
}

fn succeeded(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("the output is UTF-8")
}

fn evaluate(arguments: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_cifake"))
        .args(["evaluate", "--json"])
        .args(arguments)
        .output();
    serde_json::from_str(&succeeded(output.expect("the example was built"))).expect("JSON")
}

/// Noise of 48x48 as photographs of two sources and shapes of two generators, some of them validation.
fn collection(folder: &Path) {
    std::fs::create_dir(folder).expect("it is writable");
    let mut zip = ZipWriter::new(File::create(folder.join("pictures.zip")).expect("room"));
    let mut table =
        "file,label,generator,class,source,licence,split,original_width,original_height,\
                     original_format\n"
            .to_owned();
    for number in 0..320u64 {
        let is_fake = number % 2 == 1;
        let (kind, label) =
            if is_fake { (Drawing::Shapes, Label::Fake) } else { (Drawing::Noise, Label::Real) };
        let split = if number % 8 < 5 { "validation" } else { "train" };
        let generator = if is_fake { format!("G{}", number % 3) } else { String::new() };
        let name = format!("{number}.png");
        zip.start_file(&name, SimpleFileOptions::default()).expect("room");
        zip.write_all(&kind.picture(48, 2, number).to_png()).expect("room");
        table += &format!("{name},{label},{generator},,S{split},MIT,{split},512,512,PNG\n");
    }
    zip.finish().expect("room");
    std::fs::write(folder.join("manifest.csv"), table).expect("room");
}

/// 32x32 pictures with the splits of CIFAKE.
fn known(folder: &Path) {
    for (split, numbers) in [("train", 0..240u64), ("test", 240..260)] {
        for (label, kind) in [("REAL", Drawing::Noise), ("FAKE", Drawing::Shapes)] {
            let folder = folder.join(split).join(label);
            std::fs::create_dir_all(&folder).expect("it is writable");
            for number in numbers.clone() {
                let png = kind.picture(32, 1, number).to_png();
                std::fs::write(folder.join(format!("{number}.png")), png).expect("room");
            }
        }
    }
}

fn count(rows: &Value) -> u64 {
    rows.as_array().expect("a table").iter().map(|row| row["n"].as_u64().expect("a number")).sum()
}

#[test]
fn a_collection_is_told_by_generator_and_source_and_teaches_when_to_be_unsure() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [others, data] = ["others", "known"].map(|name| folder.path().join(name));
    collection(&others);
    known(&data);
    let report = evaluate(&["--data", text(&others), "--split", "validation"]);
    assert_eq!((&report["n"], &report["split"]), (&200.into(), &"validation".into()));
    let answers = &report["answers"];
    assert_eq!((count(&answers["labels"]), count(&answers["generators"])), (200, 80));
    assert_eq!(count(&answers["publishers"]), 200);
    let unsure = |answers: &Value| answers["labels"][1]["unsure"].as_f64().expect("a share");
    assert!(unsure(answers) > 0.5, "the shipped weights know nothing of such pictures");

    let recipe = folder.path().join("recipe.toml");
    let half = "model = { preset = 'native' }\ndata = { validation_fraction = 0.5 }";
    std::fs::write(&recipe, half).expect("it is writable");
    let out = folder.path().join("answers.safetensors");
    let weights = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../crates/tinyvit/weights/native.safetensors");
    let output = Command::new(env!("CARGO_BIN_EXE_cifake"))
        .args([
            "calibrate",
            "--config",
            text(&recipe),
            "--data",
            text(&data),
            "--generators",
            text(&others),
        ])
        .args(["--weights", text(&weights), "--out", text(&out)])
        .output();
    let printed = succeeded(output.expect("the example was built"));
    for key in ["temperature: ", "resized_unsure_below: ", "unfamiliar_below: 2.5", "SOURCE"] {
        assert!(printed.contains(key), "{key}: {printed}");
    }
    let report =
        evaluate(&["--data", text(&others), "--split", "validation", "--weights", text(&out)]);
    let photographs = &report["answers"]["labels"][1];
    assert_eq!(photographs["label"], "REAL");
    assert!(photographs["fake"].as_f64().expect("a share") <= 0.05, "{photographs}");
    let known = evaluate(&["--data", text(&data), "--weights", text(&out)]);
    assert_eq!(count(&known["answers"]["labels"]), 40);
    assert!(known["answers"]["generators"].as_array().is_some_and(Vec::is_empty));
}
