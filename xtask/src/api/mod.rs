//! The public surface of every published library, as one sorted list of lines a package in
//! `docs/api`. A change of it is then seen in review.
//!
//! rustdoc writes JSON only with unstable options. `RUSTC_BOOTSTRAP` is set for rustdoc alone: build
//! scripts look at that variable, and every crate would be built anew.

mod render;
mod surface;

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::process::{cargo, output};
use crate::workspace::{LIGHT_FEATURES, Target, Workspace, feature_list};

const FOLDER: &str = "docs/api";

/// Set where cargo starts this program in place of rustdoc; it names the real one.
const REAL_RUSTDOC: &str = "CIFAKE_XTASK_RUSTDOC";

#[derive(Default, clap::Args)]
pub(crate) struct Args {
    /// Compare with the files instead of writing them
    #[arg(long)]
    pub(crate) check: bool,
}

/// Runs rustdoc if cargo started this program in its place.
pub(crate) fn rustdoc() -> Option<ExitCode> {
    let real = std::env::var_os(REAL_RUSTDOC)?;
    let mut command = Command::new(real);
    command.args(std::env::args_os().skip(1)).env("RUSTC_BOOTSTRAP", "1");
    let passed = command.env_remove(REAL_RUSTDOC).status().is_ok_and(|status| status.success());
    Some(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Writes the lists, or compares them; true if nothing differs.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<bool> {
    let features = feature_list(&workspace.packages, LIGHT_FEATURES);
    let real = std::env::var_os("RUSTDOC").unwrap_or_else(|| "rustdoc".into());
    let mut doc = cargo(&workspace.root, &["doc", "--workspace", "--no-deps", "--lib"]);
    doc.args(["--features", &features]);
    doc.env("RUSTDOC", std::env::current_exe().context("the path of this program")?);
    doc.env("RUSTDOCFLAGS", "-Z unstable-options --output-format json").env(REAL_RUSTDOC, real);
    output(&mut doc)?;
    let mut same = true;
    for package in workspace.packages.iter().filter(|package| package.is_published()) {
        let is_library = |target: &&Target| target.kind.iter().any(|kind| kind == "lib");
        let library = package.targets.iter().find(is_library);
        let library = library.with_context(|| format!("{} has no library", package.name))?;
        let file = format!("{}.json", library.name.replace('-', "_"));
        let json = workspace.target_directory.join("doc").join(file);
        let text = std::fs::read(&json).with_context(|| format!("read {}", json.display()))?;
        let document: Value =
            serde_json::from_slice(&text).with_context(|| format!("in {}", json.display()))?;
        let lines = surface::lines(&document)?;
        let path = workspace.root.join(FOLDER).join(format!("{}.txt", package.name));
        same &= settle(&path, &lines, args.check)?;
    }
    Ok(same)
}

/// Writes `lines`, or prints where the file differs from them.
fn settle(path: &PathBuf, lines: &[String], check: bool) -> Result<bool> {
    let text = lines.join("\n") + "\n";
    if !check {
        let folder = path.parent().expect("the file stands in a folder");
        std::fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
        std::fs::write(path, text).with_context(|| format!("write {}", path.display()))?;
        return Ok(true);
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    let differences = differences(&written, lines);
    if !differences.is_empty() {
        println!("{} differs; `cargo xtask api` writes it:", path.display());
        differences.iter().for_each(|line| println!("  {line}"));
    }
    Ok(differences.is_empty())
}

/// Lines that were removed from and added to a sorted list.
fn differences(written: &str, lines: &[String]) -> Vec<String> {
    let written: Vec<&str> = written.lines().collect();
    let removed = written.iter().filter(|line| !lines.iter().any(|now| now == *line));
    let added = lines.iter().filter(|line| !written.contains(&line.as_str()));
    let removed = removed.map(|line| format!("- {line}"));
    removed.chain(added.map(|line| format!("+ {line}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removed_and_added_lines_are_told_apart() {
        let lines = ["pub fn a()".to_owned(), "pub fn c()".to_owned()];
        assert_eq!(
            differences("pub fn a()\npub fn b()\n", &lines),
            ["- pub fn b()", "+ pub fn c()"]
        );
        assert!(differences("pub fn a()\npub fn c()\n", &lines).is_empty());
    }

    #[test]
    fn a_written_list_compares_equal() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("api/a.txt");
        let lines = ["pub fn a()".to_owned()];
        assert!(!settle(&path, &lines, true).expect("a missing file differs"));
        assert!(settle(&path, &lines, false).expect("the folder is writable"));
        assert!(settle(&path, &lines, true).expect("the file is readable"));
    }
}
