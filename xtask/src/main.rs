//! The workspace's own tool: what CI runs, the rules that a machine can check, fixtures, data sets
//! and reported numbers. It spawns cargo, Python and the examples and links no tensor library.

// A command line prints; the libraries may not.
#![allow(clippy::print_stdout)]

mod api;
mod bench;
mod browser;
mod ci;
mod commands;
mod count;
mod dataset;
mod fixtures;
mod fuzz;
mod load;
mod outside;
mod process;
mod python;
mod speed;
mod tidy;
mod web;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

const EXAMPLES: &str = "\
Examples:
  cargo xtask tidy                                    check the rules of docs/architecture.md
  cargo xtask ci                                      everything that .ci/run does
  cargo xtask ci --device wgpu                        the device contract under (software) Vulkan
  cargo xtask api                                     write docs/api after a change of an interface
  cargo xtask fixtures tinyvit --full                 regenerate fixtures, then parity at real sizes
  cargo xtask dataset verify cifake --data ~/cifake   is this copy the published one?
  cargo xtask fuzz --seconds 600                      changed files for every door
  cargo xtask load --clients 64 --hostile 20          requests to a running `cifake serve`
  cargo xtask web --out public                        the page with the detector inside, for any host
  cargo xtask bench native-test                       run examples/lab/configs/native-test.toml
  cargo xtask bench speed                             times beside other runtimes";

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Tasks of this workspace", after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Check the rules of docs/architecture.md that a machine can check
    Tidy(tidy::Args),
    /// Run what .ci/run runs: format, tidy, lints, tests, documentation, every example's --smoke
    Ci(ci::Args),
    /// Write the public surface of every published library to docs/api, or compare it
    Api(api::Args),
    /// Build and run the documentation's programs outside the workspace, in the dev profile
    Outside,
    /// Compare the commands of the documentation with the --help of the programs in target/debug
    Commands,
    /// Regenerate the golden fixtures with the pinned reference implementations (needs Python)
    Fixtures(fixtures::Args),
    /// List, verify or fetch the data sets that datasets/*.toml describe
    #[command(subcommand)]
    Dataset(dataset::Command),
    /// Bring changed files to every door through which untrusted bytes enter
    Fuzz(fuzz::Args),
    /// Send requests to a running `cifake serve`, some in bad faith, and time the answers
    Load(load::Args),
    /// Build the page with the detector inside, a folder that any web server serves
    Web(web::Args),
    /// Run a file of examples/lab/configs and fail outside the range that it states, or time the
    /// network beside other runtimes
    Bench(bench::Args),
}

fn main() -> ExitCode {
    if let Some(code) = api::rustdoc() {
        return code;
    }
    match run(Cli::parse().task) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether `words`, the arguments behind `cargo xtask`, are understood.
fn understands(words: &[String]) -> std::result::Result<(), String> {
    let words = std::iter::once("cargo xtask").chain(words.iter().map(String::as_str));
    match Cli::try_parse_from(words) {
        Err(error) if error.use_stderr() => {
            Err(error.to_string().lines().next().unwrap_or_default().to_owned())
        }
        _ => Ok(()),
    }
}

/// Runs a task; false if what it checked did not pass.
fn run(task: Task) -> Result<bool> {
    let workspace = Workspace::load()?;
    match task {
        Task::Tidy(args) => tidy::run(&workspace, &args, understands),
        Task::Ci(args) => ci::run(&workspace, &args, understands),
        Task::Api(args) => api::run(&workspace, &args),
        Task::Commands => {
            let (right, wrong) = commands::check(&workspace, &workspace.programs())?;
            println!("{right} commands are right, {wrong} wrong");
            Ok(wrong == 0)
        }
        Task::Outside => outside::run(&workspace),
        Task::Fixtures(args) => fixtures::run(&workspace, &args),
        Task::Dataset(command) => dataset::run(&workspace.root, &command),
        Task::Fuzz(args) => fuzz::run(&workspace, &args),
        Task::Load(args) => load::run(&workspace, &args),
        Task::Web(args) => web::run(&workspace, &args),
        Task::Bench(args) => bench::run(&workspace, &args),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tasks_of_the_examples_exist() {
        let workspace = Workspace::load().expect("cargo metadata describes this workspace");
        let examples = EXAMPLES.lines().filter_map(|line| line.trim().split("   ").next());
        let text = format!("```sh\n{}\n```\n", examples.collect::<Vec<_>>().join("\n"));
        let lines = commands::lines("help", &text);
        assert!(lines.len() > 5);
        for words in lines.iter().map(|line| &line.words).filter(|words| words[0] == "cargo") {
            assert_eq!(understands(&words[2..]), Ok(()), "{words:?}");
            if let Some(name) = commands::config(words) {
                let file = workspace.root.join(bench::CONFIGS).join(name).with_extension("toml");
                assert!(file.is_file(), "{}", file.display());
            }
        }
    }
}
