//! Pictures, towers and adapters through the programs.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

const DESCRIBE: &str = env!("CARGO_BIN_EXE_describe");
const FINETUNE: &str = env!("CARGO_BIN_EXE_finetune_vlm");
/// The tiny tokenizer's token for a picture.
const TOKEN: [&str; 2] = ["--image-token", "<|image_pad|>"];
const RECIPE: &str = r#"{"learning_rate": 0.01, "epochs": 1, "accumulation": 1,
    "lora": {"r": 2, "lora_alpha": 4, "target_modules": "all-linear"}}"#;

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/sample").join(name)
}

fn run(program: &str, arguments: &[&str]) -> Output {
    Command::new(program).args(arguments).output().expect("the program starts")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().expect("it is UTF-8")
}

/// An answer of random tokens may be no text at all, with which `describe` ends with 1.
fn json(output: &Output) -> Value {
    assert!(matches!(output.status.code(), Some(0 | 1)), "{}", said(output));
    serde_json::from_slice(&output.stdout).expect("one JSON object")
}

fn assert_refused(program: &str, arguments: &[&str], reason: &str) {
    let output = run(program, arguments);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", said(&output));
    let said = said(&output);
    assert!(said.contains(reason) && !said.contains("panicked"), "{arguments:?}: {said}");
}

/// Two conversations about two samples, which are copied beside them.
fn data(folder: &Path) -> PathBuf {
    let mut lines = String::new();
    for name in ["fake-cat-1.jpg", "real-cat-1.jpg"] {
        std::fs::copy(sample(name), folder.join(name)).expect("a committed sample");
        lines += &format!(
            r#"{{"image": "{name}", "conversations": [{{"from": "human", "value": "<image>\nReal?"}},
            {{"from": "gpt", "value": "{name}"}}]}}"#
        )
        .replace('\n', " ");
        lines.push('\n');
    }
    let file = folder.join("data.jsonl");
    std::fs::write(&file, lines).expect("the folder is writable");
    file
}

#[test]
fn describe_shows_pictures_as_large_as_it_is_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    language::tiny::write_vision_model(folder.path()).expect("the folder is writable");
    let (model, cat) = (text(folder.path()), sample("fake-cat-1.jpg"));
    let common = ["--model", model, "--prompt", "a", "--max-tokens", "3", "--greedy", "--json"];
    let prompt_tokens = |more: &[&str]| {
        let answer = json(&run(DESCRIBE, &[&common, more].concat()));
        answer["prompt_tokens"].as_u64().expect("a number")
    };
    let text_alone = prompt_tokens(&[]);
    let image = ["--image", text(&cat)];
    // 32x32 becomes four tokens, 224x224 sixty-four, each picture between two more.
    assert_eq!(prompt_tokens(&image), text_alone + 6);
    assert_eq!(prompt_tokens(&[image, image].concat()), text_alone + 12);
    let larger = [image[0], image[1], "--enlarge", "upscale:224"];
    assert_eq!(prompt_tokens(&larger), text_alone + 66);
    assert_refused(DESCRIBE, &[&common[..], &["--max-crops", "4"]].concat(), "MC-LLaVA");
    assert_refused(DESCRIBE, &[&common[..], &["--tower", "clean"]].concat(), "tower");
}

#[test]
fn a_model_of_text_learns_behind_a_detector_and_is_asked_through_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [model, out] = ["model", "run"].map(|name| folder.path().join(name));
    std::fs::create_dir(&model).expect("the folder is writable");
    language::tiny::write_model(&model).expect("the folder is writable");
    let (data, recipe) = (data(folder.path()), folder.path().join("recipe.json"));
    std::fs::write(&recipe, RECIPE).expect("the folder is writable");
    let common = ["--model", text(&model), "--data", text(&data), "--recipe", text(&recipe)];
    let common = [&common[..], &TOKEN, &["--out", text(&out)]].concat();
    let tune = |more: &[_]| [&common[..], more].concat();

    let estimate = run(FINETUNE, &tune(&["--tower", "clean", "--estimate"]));
    assert!(estimate.status.success(), "{}", said(&estimate));
    assert!(String::from_utf8_lossy(&estimate.stdout).contains("MiB"), "{estimate:?}");
    assert!(!out.exists(), "nothing was begun");

    let trained = json(&run(FINETUNE, &tune(&["--tower", "clean", "--json"])));
    assert_eq!(trained["steps"], 2, "{trained}");
    // A run goes on with the eyes, the pictures and the recipe that it began with.
    assert_refused(FINETUNE, &tune(&["--tower", "robust"]), "tower");
    std::fs::copy(sample("fake-cat-1.jpg"), folder.path().join("real-cat-1.jpg")).expect("a copy");
    assert_refused(FINETUNE, &tune(&["--tower", "clean"]), "pictures");

    let adapter = out.join("adapter");
    let cat = sample("fake-cat-1.jpg");
    let question = ["--model", text(&model), "--prompt", "Real?", "--max-tokens", "3", "--json"];
    let ask = |more: &[_]| [&question[..], &TOKEN, more].concat();
    let seeing = ["--image", text(&cat), "--adapter", text(&adapter), "--tower"];
    let seen = json(&run(DESCRIBE, &ask(&[&seeing[..], &["clean"]].concat())));
    let blind = json(&run(DESCRIBE, &ask(&[])));
    let n_tokens = |answer: &Value| answer["prompt_tokens"].as_u64().expect("a number");
    assert!(n_tokens(&seen) > n_tokens(&blind), "{seen} {blind}");
    assert_refused(DESCRIBE, &ask(&[&seeing[..], &["robust"]].concat()), "trained behind");
    let untrained = run(DESCRIBE, &ask(&["--image", text(&cat), "--tower", "clean"]));
    assert!(said(&untrained).contains("the projector between tower and model is untrained"));
    assert_refused(DESCRIBE, &ask(&["--adapter", text(&adapter)]), "no tower");
    assert_refused(DESCRIBE, &ask(&["--image", text(&cat)]), "pictures");
}

#[test]
fn a_run_that_shows_its_pictures_otherwise_is_another() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [model, out] = ["model", "run"].map(|name| folder.path().join(name));
    std::fs::create_dir(&model).expect("the folder is writable");
    language::tiny::write_vision_model(&model).expect("the folder is writable");
    let (data, recipe) = (data(folder.path()), folder.path().join("recipe.json"));
    std::fs::write(&recipe, RECIPE).expect("the folder is writable");
    let common = ["--model", text(&model), "--data", text(&data), "--recipe", text(&recipe)];
    let tune = |more: &[_]| [&common[..], &["--out", text(&out)], more].concat();
    let trained = json(&run(FINETUNE, &tune(&["--enlarge", "upscale:56", "--json"])));
    assert_eq!(trained["steps"], 2, "{trained}");
    assert_refused(FINETUNE, &tune(&["--enlarge", "upscale:84"]), "size of pictures");
    std::fs::remove_file(folder.path().join("real-cat-1.jpg")).expect("it was copied");
    assert_refused(FINETUNE, &tune(&["--enlarge", "upscale:56"]), "real-cat-1.jpg");
}
