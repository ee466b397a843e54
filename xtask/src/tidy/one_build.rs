//! One build: whatever packages are selected, the crates below burn get the same features, so that
//! burn is compiled once. The package `unified` holds the list that makes it so.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use super::tree::{Tree, Violation};
use crate::process;
use crate::workspace::{LIGHT_FEATURES, Package, Role, feature_list};

/// The list of features that every package shares.
const LIST: &str = "crates/unified/Cargo.toml";

/// `name version` -> the sets of features that it is built with, one for each platform.
type Features = BTreeMap<String, BTreeSet<String>>;

/// Selections that would build burn a second time.
pub(crate) fn selections(tree: &Tree) -> Result<Vec<Violation>> {
    let workspace = tree.workspace;
    let tree = |args: &[&str]| -> Result<Features> {
        let mut command =
            process::cargo(&workspace.root, &["tree", "--prefix", "none", "--format", "{p}|{f}"]);
        Ok(features(&process::output(command.args(args))?))
    };
    let light = feature_list(&workspace.packages, LIGHT_FEATURES);
    let all = ["-e", "normal,build,dev", "--workspace", "--features", &light];
    let tests = tree(&all)?;
    let below: BTreeSet<String> =
        tree(&["-e", "normal,build", "-p", "burn"])?.into_keys().collect();
    let mut programs = Features::new();
    let mut found = Vec::new();
    let holds_list = |package: &Package| workspace.relative(&package.manifest_path) == LIST;
    let judged = |package: &&Package| workspace.role(package) != Role::Task && !holds_list(package);
    for package in workspace.packages.iter().filter(judged) {
        let own = tree(&["-e", "normal,build,dev", "-p", &package.name])?;
        if !own.keys().any(|name| is_burn(name)) {
            continue; // it cannot build burn a second time
        }
        found.extend(differences(&format!("tests of {}", package.name), &own, &tests, &below));
        if workspace.role(package) == Role::Example {
            let own = tree(&["-e", "normal,build", "-p", &package.name])?;
            found.extend(differences(&package.name, &own, &programs, &below));
            own.into_iter().for_each(|(name, sets)| {
                programs.entry(name).or_insert(sets);
            });
        }
    }
    Ok(found)
}

/// True for burn's own entry, `burn VERSION`.
fn is_burn(package: &str) -> bool {
    package.split(' ').next() == Some("burn")
}

/// Reads `name version ...|features` lines; packages of this workspace are left out.
fn features(tree: &str) -> Features {
    let mut found = Features::new();
    for line in tree.lines().filter(|line| !line.contains(" (/")) {
        let Some((package, features)) = line.split_once('|') else { continue };
        let name: Vec<&str> = package.split_whitespace().take(2).collect();
        let features = features.trim_end_matches(" (*)").to_owned();
        found.entry(name.join(" ")).or_default().insert(features);
    }
    found
}

/// Crates of `below` that `own` builds with features that `base` does not.
fn differences(
    selection: &str,
    own: &Features,
    base: &Features,
    below: &BTreeSet<String>,
) -> Vec<Violation> {
    let differs = |(name, sets): &(&String, &BTreeSet<String>)| {
        below.contains(*name) && base.get(*name).is_some_and(|other| !sets.is_subset(other))
    };
    let describe = |(name, sets): (&String, &BTreeSet<String>)| {
        let (ours, others) = (list(sets), list(&base[name]));
        Violation::new(LIST, format!("{selection}: {name} with {ours}, elsewhere with {others}"))
    };
    own.iter().filter(differs).map(describe).collect()
}

fn list(sets: &BTreeSet<String>) -> String {
    let shown: Vec<String> = sets.iter().map(|set| format!("[{set}]")).collect();
    shown.join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &str = "gradcam v0.1.0 (/a/b)|\nburn v0.22.1|std\nahash v0.8.11|serde,std\n\
                       ahash v0.8.11|serde,std (*)\nclap v4.5.0|std\nserde_derive v1.0.0 (proc-macro)|\n";

    fn found(own: &str) -> Vec<Violation> {
        let below = ["burn v0.22.1", "ahash v0.8.11"].map(str::to_owned).into();
        differences("-p gradcam", &features(own), &features(ALL), &below)
    }

    #[test]
    fn the_tree_is_read_without_our_own_packages() {
        let read = features(ALL);
        assert_eq!(read.len(), 4);
        assert_eq!(read["ahash v0.8.11"].len(), 1);
    }

    #[test]
    fn other_features_below_burn_are_found() {
        let found = found("ahash v0.8.11|std\n");
        assert!(found[0].what.contains("ahash v0.8.11 with [std]"), "{}", found[0].what);
    }

    #[test]
    fn a_selection_without_burn_is_told_from_one_with_it() {
        assert!(features(ALL).keys().any(|name| is_burn(name)));
        assert!(!is_burn("burn-tensor v0.22.1"));
    }

    #[test]
    fn the_same_features_and_crates_above_burn_pass() {
        assert_eq!(found("ahash v0.8.11|serde,std\nclap v4.5.0|derive\n"), []);
        assert_eq!(found("half v2.4.0|std\n"), []);
    }
}
