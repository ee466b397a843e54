//! The crates that a user downloads and builds: the dependency trees of default builds and the
//! packages.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result};

use super::tree::{Tree, Violation};
use crate::process;
use crate::workspace::Package;

/// With what reads PyTorch files, ten crates: published weights are such files for the most part. The reader of
/// declarations in EXIF and XMP takes four.
const MAX_CRATES: usize = 264;
const MAX_PACKAGE_BYTES: u64 = 9_500_000;

/// The package of the command `cifake`, which a newcomer builds first.
const COMMAND: &str = "cifake-cli";

/// Crates that need a system library, cmake or a C++ compiler.
const SYSTEM: &[&str] = &[
    "aws-lc-sys",
    "cmake",
    "fontconfig",
    "onig_sys",
    "openssl-sys",
    "servo-fontconfig-sys",
    "yeslogic-fontconfig-sys",
];

/// The number of crates behind the command, system libraries behind any default build, and tensor
/// libraries behind this tool.
pub(crate) fn trees(tree: &Tree) -> Result<Vec<Violation>> {
    let root = &tree.workspace.root;
    let mut found = Vec::new();
    if tree.workspace.packages.iter().any(|package| package.name == COMMAND) {
        found.extend(too_many(COMMAND, &names(root, &["-e", "normal", "-p", COMMAND])?));
    }
    found.extend(system(&names(root, &["-e", "normal,build", "--workspace"])?));
    found.extend(tensor_library("xtask", &names(root, &["-e", "normal,build", "-p", "xtask"])?));
    Ok(found)
}

/// Distinct `name version` pairs of a dependency tree.
fn names(root: &Path, args: &[&str]) -> Result<BTreeSet<String>> {
    let mut command = process::cargo(root, &["tree", "--prefix", "none"]);
    Ok(distinct(&process::output(command.args(args))?))
}

fn distinct(tree: &str) -> BTreeSet<String> {
    let name_and_version = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().take(2).collect();
        (words.len() == 2).then(|| words.join(" "))
    };
    tree.lines().filter_map(name_and_version).collect()
}

fn too_many(package: &str, crates: &BTreeSet<String>) -> Option<Violation> {
    let count = crates.len();
    (count > MAX_CRATES).then(|| Violation::new(package, format!("builds from {count} crates")))
}

fn system(crates: &BTreeSet<String>) -> Vec<Violation> {
    let needs = crates.iter().filter(|name| is_any(name, SYSTEM));
    needs.map(|name| Violation::new("default build", format!("needs {name}"))).collect()
}

fn is_any(crate_: &str, names: &[&str]) -> bool {
    crate_.split(' ').next().is_some_and(|name| names.contains(&name))
}

fn tensor_library(package: &str, crates: &BTreeSet<String>) -> Option<Violation> {
    let tensor = crates.iter().find(|name| name.starts_with("burn"))?;
    Some(Violation::new(package, format!("links {tensor}")))
}

/// Packs every published package and weighs it.
pub(crate) fn packages(tree: &Tree) -> Result<Vec<Violation>> {
    let (published, rest): (Vec<&Package>, Vec<&Package>) =
        tree.workspace.packages.iter().partition(|package| package.is_published());
    let args = ["package", "--workspace", "--no-verify", "--allow-dirty", "--quiet"];
    let mut command = process::cargo(&tree.workspace.root, &args);
    command.args(rest.iter().flat_map(|package| ["--exclude", package.name.as_str()]));
    process::output(&mut command)?;
    let mut found = Vec::new();
    for package in published {
        let file = format!("package/{}-{}.crate", package.name, package.version);
        let path = tree.workspace.target_directory.join(file);
        let bytes = path.metadata().with_context(|| format!("size of {}", path.display()))?.len();
        found.extend(too_heavy(&package.name, bytes));
    }
    Ok(found)
}

fn too_heavy(package: &str, bytes: u64) -> Option<Violation> {
    let what = || Violation::new(package, format!("its .crate has {bytes} bytes"));
    (bytes > MAX_PACKAGE_BYTES).then(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "detect v0.1.0 (/a/b)\nburn v0.22.1\nserde v1.0.0\nserde v1.0.0 (*)\n\n";

    #[test]
    fn a_crate_counts_once() {
        let crates = distinct(TREE);
        assert_eq!(
            crates.into_iter().collect::<Vec<_>>(),
            ["burn v0.22.1", "detect v0.1.0", "serde v1.0.0"]
        );
    }

    #[test]
    fn a_crate_more_than_the_limit_is_too_many() {
        let crates = |n: usize| (0..n).map(|i| format!("c{i} v1")).collect::<BTreeSet<_>>();
        assert_eq!(too_many(COMMAND, &crates(MAX_CRATES)), None);
        assert!(too_many(COMMAND, &crates(MAX_CRATES + 1)).is_some());
    }

    #[test]
    fn system_libraries_are_found_by_their_whole_name() {
        assert_eq!(system(&distinct("cmake-helper v1.0.0")), []);
        assert_eq!(system(&distinct("onig_sys v69.0.0")).len(), 1);
    }

    #[test]
    fn a_tool_that_links_tensors_is_found() {
        assert!(tensor_library("xtask", &distinct(TREE)).is_some());
        assert_eq!(tensor_library("xtask", &distinct("serde v1.0.0")), None);
    }

    #[test]
    fn a_package_over_the_limit_is_found() {
        assert_eq!(too_heavy("tinyvit", 9_500_000), None);
        assert!(too_heavy("tinyvit", 9_500_001).is_some());
    }
}
