//! Reported numbers: a file of `examples/lab/configs` states a command and the range that its
//! result must fall into. Nothing is recorded; docs/experiments.md is written by a person. Times
//! beside other runtimes are measured by [`speed`].

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde_json::Value;

use crate::process::{cargo, last_json, shown};
use crate::workspace::{Role, Workspace};
use crate::{dataset, speed};

pub(crate) const CONFIGS: &str = "examples/lab/configs";

/// In arguments and required paths: the folder of large data.
const SHARED: &str = "$CIFAKE_SHARED";

#[derive(clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "\
Examples:
  cargo xtask bench native-test                            examples/lab/configs/native-test.toml
  cargo xtask bench examples/lab/configs/native-test.toml
  cargo xtask bench speed                                  times beside other runtimes
  cargo xtask bench speed --quick --rounds 5               the few cases that change most
  cargo xtask bench speed --detectors                      detectors beside PyTorch
  cargo xtask bench speed --help                           what is timed and how

A config:
  title = \"Accuracy of the shipped model on the published test set\"
  command = [\"evaluate\", \"--data\", \"$CIFAKE_SHARED/datasets/cifake\", \"--json\"]
  requires = [\"$CIFAKE_SHARED/datasets/cifake\"]        # paths that must exist
  expect = [{ pointer = \"/accuracy/value\", min = 0.9, max = 1.0 }]

The program is built in release mode; the last JSON value that it prints is judged. $CIFAKE_SHARED
is the environment variable, or ../shared where it is not set."
)]
pub(crate) struct Args {
    #[command(subcommand)]
    task: Option<Task>,
    /// A file, or the name of one in examples/lab/configs
    #[arg(required = true)]
    config: Option<PathBuf>,
}

#[derive(clap::Subcommand)]
enum Task {
    /// Time the network beside OpenVINO, ONNX Runtime and PyTorch, with the same weights
    Speed(speed::Args),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    title: String,
    /// The program of an example, then its arguments.
    command: Vec<String>,
    /// Paths without which the command cannot run.
    #[serde(default)]
    requires: Vec<String>,
    expect: Vec<Expectation>,
}

/// A number in the result and its range, both ends included.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expectation {
    /// JSON pointer (RFC 6901).
    pointer: String,
    min: Option<f64>,
    max: Option<f64>,
}

/// Runs one config or the comparison; true if every number is inside its range.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<bool> {
    match (&args.task, &args.config) {
        (Some(Task::Speed(args)), _) => speed::run(workspace, args).map(|()| true),
        (None, Some(config)) => judge_config(workspace, config),
        (None, None) => bail!("name a config, or `speed`"),
    }
}

fn judge_config(workspace: &Workspace, config: &Path) -> Result<bool> {
    let config = read(&workspace.root, config)?;
    let shared = dataset::shared(&workspace.root);
    let place = |text: &str| text.replace(SHARED, &shared.to_string_lossy());
    println!("{}", config.title);
    for path in config.requires.iter().map(|path| place(path)) {
        let exists = workspace.root.join(&path).exists();
        ensure!(exists, "{path} is missing: this number cannot be measured here");
    }
    let (program, arguments) = config.command.split_first().context("`command` is empty")?;
    let mut command = cargo(&workspace.root, &["run", "--release", "--quiet", "--package"]);
    command.args([package_of(workspace, program)?, "--bin", program.as_str(), "--"]);
    command.args(arguments.iter().map(|argument| place(argument)));
    println!("{}", shown(&command));
    let done = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    ensure!(done.status.success(), "{program} ended with {}", done.status);
    let result = last_json(&String::from_utf8_lossy(&done.stdout))
        .with_context(|| format!("{program} printed no JSON: is --json in the command?"))?;
    let mut passed = true;
    for expectation in &config.expect {
        let (inside, words) = judge(&result, expectation);
        println!("{} {words}", if inside { "ok  " } else { "FAIL" });
        passed &= inside;
    }
    Ok(passed)
}

fn read(root: &Path, config: &Path) -> Result<Config> {
    let named = root.join(CONFIGS).join(config).with_extension("toml");
    let path = if config.is_file() { config.to_owned() } else { named };
    let text =
        std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let config: Config = toml::from_str(&text).with_context(|| format!("in {}", path.display()))?;
    for Expectation { pointer, min, max } in &config.expect {
        ensure!(min.is_some() || max.is_some(), "{pointer} in {} has no range", path.display());
    }
    ensure!(!config.expect.is_empty(), "{} expects nothing", path.display());
    Ok(config)
}

fn package_of<'a>(workspace: &'a Workspace, program: &str) -> Result<&'a str> {
    let mut examples = workspace.with_role(Role::Example);
    match examples.find(|package| package.binaries().any(|name| name == program)) {
        Some(package) => Ok(&package.name),
        None => bail!("no package under examples/ has the program {program}"),
    }
}

/// Whether the number is inside its range, and the sentence that says so.
fn judge(result: &Value, expectation: &Expectation) -> (bool, String) {
    let Expectation { pointer, min, max } = expectation;
    let Some(number) = result.pointer(pointer).and_then(Value::as_f64) else {
        return (false, format!("{pointer}: the result holds no such number"));
    };
    let inside = min.is_none_or(|min| number >= min) && max.is_none_or(|max| number <= max);
    let end = |end: &Option<f64>| end.map_or_else(|| "any".to_owned(), |end| end.to_string());
    (inside, format!("{pointer}: {number}, stated {} to {}", end(min), end(max)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(min: Option<f64>, max: Option<f64>) -> bool {
        let result = serde_json::json!({ "accuracy": { "value": 0.95 } });
        let pointer = "/accuracy/value".to_owned();
        judge(&result, &Expectation { pointer, min, max }).0
    }

    #[test]
    fn a_number_is_judged_by_its_range() {
        assert!(judged(Some(0.9), Some(0.95)));
        assert!(judged(Some(0.9), None));
        assert!(!judged(Some(0.96), None));
        assert!(!judged(None, Some(0.94)));
    }

    #[test]
    fn a_missing_number_fails() {
        let expectation = Expectation { pointer: "/auc".to_owned(), min: Some(0.0), max: None };
        let (inside, words) = judge(&serde_json::json!({ "auc": "high" }), &expectation);
        assert!(!inside);
        assert!(words.contains("no such number"), "{words}");
    }

    #[test]
    fn a_config_without_a_range_is_an_error() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.toml");
        let write = |expect: &str| {
            let text = format!("title = \"a\"\ncommand = [\"evaluate\"]\nexpect = [{expect}]");
            std::fs::write(&path, text).expect("the folder is writable");
            read(folder.path(), &path)
        };
        assert!(write("{ pointer = \"/a\", min = 0.5 }").is_ok());
        assert!(write("{ pointer = \"/a\" }").is_err());
        assert!(write("").is_err());
    }
}
