//! The programs that the documentation prints, built as a user builds them: each in a crate outside the
//! workspace, in the dev profile, exactly as printed. Then each runs.
//!
//! Crates from crates.io keep the profile and features of the workspace, so that they are not built
//! again. Ours are compiled without optimization, as in a user's debug build.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use toml::{Table, Value};

use crate::process;
use crate::workspace::Workspace;

/// The pages with whole programs, and a word that each of a page's programs prints.
const PAGES: &[(&str, &str)] = &[
    ("README.md", "FAKE"),
    ("docs/own-data.md", "FAKE"),
    ("docs/add-an-attack.md", "checkerboard"),
];

/// The place of the repository in printed dependencies and programs, seen from the user's crate.
const CLONE: &str = "../cifake";

/// Files that the programs read: a picture whose verdict is known, and weights.
const FILES: &[(&str, &str)] = &[
    ("datasets/sample/fake-airplane-1.jpg", "photo.jpg"),
    ("crates/tinyvit/weights/native.safetensors", "src/mine.safetensors"),
    ("Cargo.lock", "Cargo.lock"),
];

/// Packages of ours behind the programs: built without optimization, as by a user.
const OURS: &[&str] = &[
    "cifake",
    "cifake-attacks",
    "cifake-eval",
    "cifake-explain",
    "cifake-kernels",
    "gradcam",
    "tinyvit",
];

/// Builds and runs the programs of all pages; true if each prints what it should.
pub(crate) fn run(workspace: &Workspace) -> Result<bool> {
    let (mut are_right, mut number) = (true, 0);
    for (page, expected) in PAGES {
        let path = workspace.root.join(page);
        let text = fs::read_to_string(path).with_context(|| format!("read {page}"))?;
        for program in programs(&text).with_context(|| format!("in {page}"))? {
            number += 1;
            let output = printed(workspace, &format!("outside-{number}"), program)?;
            println!("{}", output.trim_end());
            are_right &= output.contains(expected);
        }
    }
    Ok(are_right)
}

/// The output of a program with its dependencies, built in folder `name` of the target directory.
fn printed(workspace: &Workspace, name: &str, program: (&str, &str)) -> Result<String> {
    let (root, (dependencies, program)) = (&workspace.root, program);
    let manifest = fs::read_to_string(root.join("Cargo.toml")).context("read Cargo.toml")?;
    let folder = workspace.target_directory.join(name);
    fs::create_dir_all(folder.join("src")).with_context(|| format!("create {folder:?}"))?;
    write(&folder.join("Cargo.toml"), &crate_manifest(dependencies, &manifest, root)?)?;
    write(&folder.join("src/main.rs"), &program.replace(CLONE, &root.to_string_lossy()))?;
    for (from, to) in FILES {
        fs::copy(root.join(from), folder.join(to)).with_context(|| format!("copy {from}"))?;
    }
    let mut cargo = process::cargo(&folder, &["run", "--quiet"]);
    process::output(cargo.env("CARGO_TARGET_DIR", &workspace.target_directory))
}

/// The programs of a page, each with the dependencies that stand before it.
fn programs(page: &str) -> Result<Vec<(&str, &str)>> {
    let [dependencies, programs] = ["toml", "rust"].map(|language| blocks(page, language));
    ensure!(!programs.is_empty(), "there is no `rust` block");
    let (n, found) = (programs.len(), dependencies.len());
    ensure!(n == found, "there are {n} `rust` blocks and {found} `toml` blocks");
    Ok(dependencies.into_iter().zip(programs).collect())
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("write {}", path.display()))
}

/// A page's `[dependencies]` in `lines`, with the workspace's profile for the crates of others.
fn crate_manifest(lines: &str, workspace: &str, root: &Path) -> Result<String> {
    ensure!(lines.contains(CLONE), "the dependencies name no path below {CLONE}");
    let mut manifest: Table = toml::from_str(lines).context("in the `toml` block")?;
    let text = |text: &str| Value::String(text.to_owned());
    let place = |path: &str| root.join(path).to_string_lossy().into_owned();
    let dependencies = manifest.get_mut("dependencies").and_then(Value::as_table_mut);
    let dependencies = dependencies.context("the `toml` block has no [dependencies]")?;
    for (_, dependency) in dependencies.iter_mut() {
        if let Some(Value::String(path)) = dependency.get_mut("path") {
            let inside = path.strip_prefix(CLONE).map(|path| path.trim_start_matches('/'));
            *path = place(inside.with_context(|| format!("{path} is not below {CLONE}"))?);
        }
    }
    let unified: Table = [
        ("path".to_owned(), text(&place("crates/unified"))),
        ("features".to_owned(), Value::Array(vec![text("tests")])),
    ]
    .into_iter()
    .collect();
    dependencies.insert("unified".to_owned(), Value::Table(unified));
    let package = [("name", "outside"), ("version", "0.0.0"), ("edition", "2024")];
    let package = package.map(|(key, value)| (key.to_owned(), text(value)));
    manifest.insert("package".to_owned(), Value::Table(package.into_iter().collect()));
    manifest.insert("workspace".to_owned(), Value::Table(Table::new()));
    let profile = [("dev".to_owned(), Value::Table(users_profile(workspace)?))];
    manifest.insert("profile".to_owned(), Value::Table(profile.into_iter().collect()));
    toml::to_string(&manifest).context("write a manifest")
}

/// The dev profile of the workspace with [`OURS`] unoptimized.
fn users_profile(workspace: &str) -> Result<Table> {
    let manifest: Table = toml::from_str(workspace).context("in Cargo.toml")?;
    let dev = manifest.get("profile").and_then(|profile| profile.get("dev"));
    let mut dev = dev.and_then(Value::as_table).context("Cargo.toml has no [profile.dev]")?.clone();
    dev.remove("opt-level");
    let packages = dev.get_mut("package").and_then(Value::as_table_mut);
    let packages = packages.context("Cargo.toml has no [profile.dev.package]")?;
    let is_external =
        |name: &str| !["cifake", "gradcam", "tinyvit"].iter().any(|own| name.starts_with(own));
    packages.retain(|name, _| is_external(name));
    for name in OURS {
        let plain = [("opt-level".to_owned(), Value::Integer(0))];
        packages.insert((*name).to_owned(), Value::Table(plain.into_iter().collect()));
    }
    Ok(dev)
}

/// The texts of the fenced blocks of `language`.
fn blocks<'a>(markdown: &'a str, language: &str) -> Vec<&'a str> {
    let open = format!("```{language}\n");
    let text = |rest: &'a str| rest.split_once("```").map(|(text, _)| text);
    markdown.split(&open).skip(1).filter_map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const README: &str = "# A\n```toml\n[dependencies]\ntinyvit = { path = \"../cifake/crates/tinyvit\" }\n```\n\
                          ```rust\nfn main() {}\n```\n\
                          ```toml\n[dependencies]\ncifake-explain = { path = \"../cifake/crates/explain\" }\n```\n\
                          ```rust\nfn b() {}\n```\n";
    const MANIFEST: &str = "[profile.dev]\nopt-level = 1\n[profile.dev.package.\"*\"]\ndebug = false\n\
                            [profile.dev.package.cifake-kernels]\nopt-level = 3\n\
                            [profile.dev.package.image]\nopt-level = 3\n";

    #[test]
    fn a_program_stands_behind_its_dependencies() {
        let programs = programs(README).expect("as many of both");
        assert_eq!(programs.len(), 2);
        assert_eq!((programs[0].1, programs[1].1), ("fn main() {}\n", "fn b() {}\n"));
        assert!(programs[1].0.contains("explain"));
        assert_eq!(blocks(README, "python"), [""; 0]);
        assert!(super::programs("```rust\nfn main() {}\n```\n").is_err());
    }

    #[test]
    fn every_page_has_a_program_with_its_dependencies() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for (page, _) in PAGES {
            let text = fs::read_to_string(root.join(page)).expect("the page is committed");
            let found = super::programs(&text).expect("as many of both");
            assert!(found.iter().all(|(_, program)| program.contains("fn main()")), "{page}");
        }
    }

    #[test]
    fn the_crate_has_the_printed_dependencies_and_a_users_profile() {
        let lines = blocks(README, "toml")[0];
        let text = crate_manifest(lines, MANIFEST, Path::new("/w")).expect("both are well formed");
        let manifest: Table = toml::from_str(&text).expect("it was written by this tool");
        assert_eq!(manifest["dependencies"]["tinyvit"]["path"].as_str(), Some("/w/crates/tinyvit"));
        let packages = &manifest["profile"]["dev"]["package"];
        assert_eq!(packages["cifake-kernels"]["opt-level"].as_integer(), Some(0));
        assert_eq!(packages["image"]["opt-level"].as_integer(), Some(3));
        assert!(manifest["profile"]["dev"].get("opt-level").is_none());
    }

    #[test]
    fn dependencies_without_a_path_to_the_clone_are_an_error() {
        let lines = blocks(README, "toml")[0].replace("../cifake", "elsewhere");
        assert!(crate_manifest(&lines, MANIFEST, Path::new("/w")).is_err());
    }
}
