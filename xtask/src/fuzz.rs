//! Longer trials of the doors through which untrusted bytes enter.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};

use crate::count::test_result;
use crate::process::{cargo, shown};
use crate::workspace::{LIGHT_FEATURES, Workspace, feature_list};

/// The integration test of a package that holds its doors.
const TEST: &str = "doors";

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask fuzz --seconds 600                 ten minutes for each door
  cargo xtask fuzz --door image --seed 7         other changes than those of seed 0

The doors are the tests NAME_door_holds in crates/*/tests/doors.rs, which an ordinary test run tries
with 256 changed files each. The build is that of `cargo xtask ci`: nothing is built anew for it.
A file that breaks a door stays in target/fuzz, also where it ended the process.")]
pub(crate) struct Args {
    /// Seconds for each door
    #[arg(long, default_value_t = 60, value_name = "N")]
    seconds: u64,
    /// One door instead of all, such as image
    #[arg(long, value_name = "NAME")]
    door: Option<String>,
    /// Seed of the changes
    #[arg(long, default_value_t = 0, value_name = "N")]
    seed: u64,
    /// Doors that are tried at once; memory is watched for all of them together
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=64))]
    jobs: u64,
}

impl Args {
    /// All doors for `seconds` each, two at a time, with seed 0.
    pub(crate) fn brief(seconds: u64) -> Self {
        Self { seconds, door: None, seed: 0, jobs: 2 }
    }
}

/// Tries the doors; true if all of them held.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<bool> {
    let folder = workspace.target_directory.join("fuzz");
    std::fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    let features = feature_list(&workspace.packages, LIGHT_FEATURES);
    let mut test = cargo(&workspace.root, &["test", "--workspace", "--features", &features]);
    test.args(["--no-fail-fast", "--test", TEST, "--", "--nocapture"]);
    test.args(["--test-threads", &args.jobs.to_string()]);
    match &args.door {
        Some(door) => test.args(["--exact", &format!("{door}_door_holds")]),
        None => test.arg("_door_holds"),
    };
    test.env("FUZZ_SECONDS", args.seconds.to_string()).env("FUZZ_SEED", args.seed.to_string());
    // Panics of other libraries that ours catch are no failure, and would print a trace each.
    test.env("FUZZ_FOLDER", &folder).env("RUST_BACKTRACE", "0");
    println!("==> {}", shown(&test));
    let mut child = test.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let output = child.stdout.take().expect("standard output is piped");
    let mut n_held = 0;
    for line in BufReader::new(output).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        println!("{line}");
        n_held += test_result(&line).unwrap_or_default().passed;
    }
    let held = child.wait()?.success();
    for entry in std::fs::read_dir(&folder)? {
        println!("broke its door: {}", entry?.path().display());
    }
    let named = args.door.as_deref().unwrap_or("any name");
    ensure!(!held || n_held > 0, "there is no door of {named}");
    println!("{n_held} doors held for {} s each", args.seconds);
    Ok(held)
}
