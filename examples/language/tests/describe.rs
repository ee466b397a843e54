//! The command line of `describe`: what it prints and how it ends.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// The fields of `--json` that stay.
const FIELDS: [&str; 5] = ["tokens", "text", "prompt_tokens", "tokens_per_second", "peak_rss_mb"];

fn describe(arguments: &[&str]) -> Output {
    let program = Command::new(env!("CARGO_BIN_EXE_describe")).args(arguments).output();
    program.expect("the example was built")
}

fn with_model<T>(test: impl FnOnce(&str) -> T) -> T {
    let folder = tempfile::tempdir().expect("a temporary folder");
    language::tiny::write_model(folder.path()).expect("the folder is writable");
    test(folder.path().to_str().expect("a path of UTF-8"))
}

fn json(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    serde_json::from_slice(&output.stdout).expect("one JSON object")
}

#[test]
fn an_answer_is_one_json_object_with_the_promised_fields() {
    with_model(|model| {
        let common = ["--model", model, "--prompt", "Hello", "--max-tokens", "12", "--json"];
        let run = |more: &[&str]| json(&describe(&[&common, more].concat()));
        let answer = run(&["--greedy"]);
        for field in FIELDS {
            assert!(answer.get(field).is_some(), "{field} is missing: {answer}");
        }
        assert!(answer["tokens"].as_u64().is_some_and(|n| n <= 12), "{answer}");
        assert!(answer["prompt_tokens"].as_u64().is_some_and(|n| n > 5), "{answer}");
        let text = |more: &[&str]| run(more)["text"].clone();
        assert_eq!(text(&["--greedy"]), answer["text"]);
        assert_eq!(text(&["--seed", "3"]), text(&["--seed", "3"]));
        for storage in ["f16", "bf16", "int8", "int4"] {
            run(&["--greedy", "--storage", storage, "--threads", "1"]);
        }
    });
}

#[test]
fn a_constrained_answer_is_a_list_of_artifacts() {
    with_model(|model| {
        for seed in ["1", "2", "3"] {
            let arguments = ["--model", model, "--prompt", "What?", "--max-tokens", "150"];
            let more = ["--constrained", "--json", "--seed", seed, "--temperature", "2"];
            let text = json(&describe(&[&arguments[..], &more].concat()))["text"].clone();
            let text = text.as_str().expect("text");
            for line in text.lines() {
                let known = |name: &str| line.starts_with(&format!("{name}: "));
                assert!(explain::Artifact::all().any(|artifact| known(artifact.name())), "{line}");
            }
            assert!((1..=7).contains(&text.lines().count()), "{text}");
        }
    });
}

#[test]
fn what_cannot_be_done_ends_with_two_and_says_why() {
    with_model(|model| {
        let image = Path::new(model).join("config.json");
        let image = image.to_str().expect("a path of UTF-8");
        for (arguments, reason) in [
            (vec!["--model", "nowhere", "--prompt", "a"], "nowhere"),
            (vec!["--model", model], "--prompt"),
            (vec!["--model", model, "--prompt", "a", "--image", image], "config.json"),
            (vec!["--model", model, "--prompt", "a", "--storage", "int3"], "int8"),
            (vec!["--model", model, "--prompt", "a", "--adapter", model], "adapter"),
            (
                vec!["--model", model, "--prompt", "a", "--max-tokens", "5", "--constrained"],
                "max_tokens",
            ),
            (vec!["--model", model, "--prompt", "a", "--top-p", "3"], "top_p"),
        ] {
            let output = describe(&arguments);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
            assert!(said.contains(reason) && !said.contains("panicked"), "{arguments:?}: {said}");
        }
    });
}

#[test]
fn help_shows_examples() {
    let output = describe(&["--help"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stdout).contains("Examples:"));
}
