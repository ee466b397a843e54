//! README's programs, built as a user builds them: each in a crate outside the workspace, in the dev
//! profile, exactly as printed. Then each judges one picture.
//!
//! Crates from crates.io keep the profile and features of the workspace, so that they are not built
//! again. Ours are compiled without optimization, as in a user's debug build.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use toml::{Table, Value};

use crate::process;
use crate::workspace::Workspace;

/// The place of the repository in README's dependency lines, seen from the user's crate.
const CLONE: &str = "../cifake";

/// The picture that README's programs read, and one for them whose verdict is known.
const PICTURE: &str = "photo.jpg";
const SAMPLE: &str = "datasets/sample/fake-airplane-1.jpg";
const VERDICT: &str = "FAKE";

/// Packages of ours behind the programs: built without optimization, as by a user.
const OURS: &[&str] =
    &["cifake", "cifake-eval", "cifake-explain", "cifake-kernels", "gradcam", "tinyvit"];

/// Builds and runs README's programs; true if each gives the sample's verdict.
pub(crate) fn run(workspace: &Workspace) -> Result<bool> {
    let root = &workspace.root;
    let readme = fs::read_to_string(root.join("README.md")).context("read README.md")?;
    let manifest = fs::read_to_string(root.join("Cargo.toml")).context("read Cargo.toml")?;
    let mut are_right = true;
    for (number, (dependencies, program)) in programs(&readme)?.into_iter().enumerate() {
        let folder = workspace.target_directory.join(format!("outside-{}", number + 1));
        fs::create_dir_all(folder.join("src")).with_context(|| format!("create {folder:?}"))?;
        write(&folder.join("Cargo.toml"), &crate_manifest(dependencies, &manifest, root)?)?;
        write(&folder.join("src/main.rs"), program)?;
        for (from, to) in [(SAMPLE, PICTURE), ("Cargo.lock", "Cargo.lock")] {
            fs::copy(root.join(from), folder.join(to)).with_context(|| format!("copy {from}"))?;
        }
        let mut cargo = process::cargo(&folder, &["run", "--quiet"]);
        let printed = process::output(cargo.env("CARGO_TARGET_DIR", &workspace.target_directory))?;
        println!("{}", printed.trim_end());
        are_right &= printed.contains(VERDICT);
    }
    Ok(are_right)
}

/// The programs of `readme`, each with the dependencies that stand before it.
fn programs(readme: &str) -> Result<Vec<(&str, &str)>> {
    let [dependencies, programs] = ["toml", "rust"].map(|language| blocks(readme, language));
    ensure!(!programs.is_empty(), "README has no `rust` block");
    let (n, found) = (programs.len(), dependencies.len());
    ensure!(n == found, "README has {n} `rust` blocks and {found} `toml` blocks");
    Ok(dependencies.into_iter().zip(programs).collect())
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("write {}", path.display()))
}

/// README's `[dependencies]` in `lines`, with the workspace's profile for the crates of others.
fn crate_manifest(lines: &str, workspace: &str, root: &Path) -> Result<String> {
    ensure!(lines.contains(CLONE), "README's dependencies name no path below {CLONE}");
    let mut manifest: Table = toml::from_str(lines).context("README's `toml` block")?;
    let text = |text: &str| Value::String(text.to_owned());
    let place = |path: &str| root.join(path).to_string_lossy().into_owned();
    let dependencies = manifest.get_mut("dependencies").and_then(Value::as_table_mut);
    let dependencies = dependencies.context("README's `toml` block has no [dependencies]")?;
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
    fn a_readme_without_a_path_to_the_clone_is_an_error() {
        let lines = blocks(README, "toml")[0].replace("../cifake", "elsewhere");
        assert!(crate_manifest(&lines, MANIFEST, Path::new("/w")).is_err());
    }
}
