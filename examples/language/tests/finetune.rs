//! `finetune_vlm` and `merge_adapter` as a user runs them.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

const FINETUNE: &str = env!("CARGO_BIN_EXE_finetune_vlm");
const MERGE: &str = env!("CARGO_BIN_EXE_merge_adapter");
/// Kills that must hit a run under way.
const N_KILLS: usize = 5;

/// Every source of chance turned on, and a checkpoint a step.
const RECIPE: &str = r#"{"learning_rate": 0.01, "epochs": 40, "batch_size": 1, "accumulation": 2,
    "checkpoint_steps": 1, "warmup": 0.1,
    "lora": {"r": 2, "lora_alpha": 4, "lora_dropout": 0.2, "target_modules": "all-linear"}}"#;
const DATA: &str = r#"
{"conversations": [{"from": "human", "value": "a or b?"}, {"from": "gpt", "value": "a."}]}
{"messages": [{"role": "user", "content": "b or a?"}, {"role": "assistant", "content": "b."}]}
{"messages": [{"role": "user", "content": "a?"}, {"role": "assistant", "content": "a."}]}
{"messages": [{"role": "user", "content": "b?"}, {"role": "assistant", "content": "b."}]}
"#;

/// A tiny model in a folder of its own below `folder`.
fn model(folder: &Path) -> PathBuf {
    let model = folder.join("model");
    std::fs::create_dir(&model).expect("the folder is writable");
    language::tiny::write_model(&model).expect("the folder is writable");
    model
}

fn run(program: &str, arguments: &[&str]) -> Output {
    Command::new(program).args(arguments).output().expect("the program starts")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("it is UTF-8")
}

fn written(folder: &Path, name: &str, content: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, content).expect("the folder is writable");
    path
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn both_smoke_and_speak_json() {
    for program in [FINETUNE, MERGE] {
        let output = run(program, &["--smoke", "--json"]);
        assert!(output.status.success(), "{}", said(&output));
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one object");
        assert!(json.is_object());
    }
}

#[test]
fn what_cannot_be_done_is_said_and_ends_with_2() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = written(folder.path(), "data.jsonl", DATA);
    let broken = written(folder.path(), "broken.jsonl", "{\"messages\": []}\n");
    let out = folder.path().join("run");
    let model = model(folder.path());
    let cases = [
        (FINETUNE, vec!["--model", "nowhere", "--data", text(&data)], "nowhere"),
        (FINETUNE, vec!["--model", text(&model), "--data", text(&broken)], "line 1"),
        (FINETUNE, vec!["--model", text(&model), "--data", text(&data), "--recipe", "x"], "recipe"),
        (MERGE, vec!["--model", text(&model), "--adapter", "nowhere"], "nowhere"),
        (FINETUNE, vec!["--unknown"], "unknown"),
    ];
    for (program, mut arguments, reason) in cases {
        arguments.extend(["--out", text(&out)]);
        let output = run(program, &arguments);
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        assert!(said(&output).contains(reason), "{}", said(&output));
        assert!(!out.exists());
    }
}

#[test]
fn kills_change_no_byte_and_the_adapter_merges() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let recipe = written(folder.path(), "recipe.json", RECIPE);
    let data = written(folder.path(), "data.jsonl", DATA);
    let [whole, broken, merged] =
        ["whole", "broken", "merged"].map(|name| folder.path().join(name));
    let model = model(folder.path());
    let start = |out: &Path, threads: &str| -> Child {
        Command::new(FINETUNE)
            .args(["--model", text(&model), "--data", text(&data), "--out", text(out)])
            .args(["--recipe", text(&recipe), "--threads", threads, "--held-out", "0.25"])
            .args(["--workers", threads])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts")
    };
    let finish = |mut child: Child| {
        assert!(child.wait().expect("it can be waited for").success());
    };
    finish(start(&whole, "2"));
    let checkpoint = broken.join("checkpoint.safetensors");
    for kill in 0..N_KILLS {
        let before = std::fs::metadata(&checkpoint).and_then(|data| data.modified()).ok();
        let mut child = start(&broken, ["1", "2"][kill % 2]);
        // Until the run has written something, and then at any moment.
        for _ in 0..6000 {
            let now = std::fs::metadata(&checkpoint).and_then(|data| data.modified()).ok();
            if now != before || child.try_wait().expect("it can be asked").is_some() {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_millis(7 * kill as u64));
        assert!(child.try_wait().expect("it can be asked").is_none(), "the run is too short");
        child.kill().expect("it can be killed");
        child.wait().expect("it can be waited for");
    }
    finish(start(&broken, "2"));
    for file in [
        "adapter/adapter_model.safetensors",
        "best/adapter_model.safetensors",
        "metrics.jsonl",
        "checkpoint.safetensors",
    ] {
        let [ours, theirs] = [&broken, &whole].map(|run| std::fs::read(run.join(file)));
        assert!(ours.expect("it was written") == theirs.expect("it was written"), "{file} differs");
    }
    let adapter = whole.join("adapter");
    let arguments = ["--model", text(&model), "--adapter", text(&adapter), "--out", text(&merged)];
    let output = run(MERGE, &arguments);
    assert!(output.status.success(), "{}", said(&output));
    assert!(merged.join("tokenizer.json").is_file() && merged.join("model.safetensors").is_file());
    let again = run(MERGE, &arguments);
    assert_eq!(again.status.code(), Some(2), "a folder that is there is not written over");
}
