//! README's program, built as a user builds it: in a crate outside the workspace, in the dev
//! profile, exactly as printed. Then it judges one picture.
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

/// The picture that README's program reads, and one for it whose verdict is known.
const PICTURE: &str = "photo.jpg";
const SAMPLE: &str = "datasets/sample/fake-airplane-1.jpg";
const VERDICT: &str = "FAKE";

/// Packages of ours behind the program: built without optimization, as by a user.
const OURS: &[&str] = &["cifake", "cifake-kernels", "tinyvit"];

/// Builds and runs README's program; true if it gives the sample's verdict.
pub(crate) fn run(workspace: &Workspace) -> Result<bool> {
    let root = &workspace.root;
    let readme = fs::read_to_string(root.join("README.md")).context("read README.md")?;
    let folder = workspace.target_directory.join("outside");
    fs::create_dir_all(folder.join("src")).with_context(|| format!("create {folder:?}"))?;
    let manifest = fs::read_to_string(root.join("Cargo.toml")).context("read Cargo.toml")?;
    write(&folder.join("Cargo.toml"), &crate_manifest(&readme, &manifest, root)?)?;
    write(
        &folder.join("src/main.rs"),
        block(&readme, "rust").context("README has no `rust` block")?,
    )?;
    for (from, to) in [(SAMPLE, PICTURE), ("Cargo.lock", "Cargo.lock")] {
        fs::copy(root.join(from), folder.join(to)).with_context(|| format!("copy {from}"))?;
    }
    let mut cargo = process::cargo(&folder, &["run", "--quiet"]);
    let printed = process::output(cargo.env("CARGO_TARGET_DIR", &workspace.target_directory))?;
    println!("{}", printed.trim_end());
    Ok(printed.contains(VERDICT))
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("write {}", path.display()))
}

/// README's `[dependencies]`, with the workspace's profile for the crates of others.
fn crate_manifest(readme: &str, workspace: &str, root: &Path) -> Result<String> {
    let lines = block(readme, "toml").context("README has no `toml` block")?;
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

/// The text of the first fenced block of `language`.
fn block<'a>(markdown: &'a str, language: &str) -> Option<&'a str> {
    let open = format!("```{language}\n");
    let (_, rest) = markdown.split_once(&open)?;
    rest.split_once("```").map(|(text, _)| text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const README: &str = "# A\n```toml\n[dependencies]\ntinyvit = { path = \"../cifake/crates/tinyvit\" }\n```\n\
                          ```rust\nfn main() {}\n```\n```rust\nfn b() {}\n```\n";
    const MANIFEST: &str = "[profile.dev]\nopt-level = 1\n[profile.dev.package.\"*\"]\ndebug = false\n\
                            [profile.dev.package.cifake-kernels]\nopt-level = 3\n\
                            [profile.dev.package.image]\nopt-level = 3\n";

    #[test]
    fn the_first_block_of_a_language_is_the_program() {
        assert_eq!(block(README, "rust"), Some("fn main() {}\n"));
        assert_eq!(block(README, "python"), None);
    }

    #[test]
    fn the_crate_has_the_printed_dependencies_and_a_users_profile() {
        let text = crate_manifest(README, MANIFEST, Path::new("/w")).expect("both are well formed");
        let manifest: Table = toml::from_str(&text).expect("it was written by this tool");
        assert_eq!(manifest["dependencies"]["tinyvit"]["path"].as_str(), Some("/w/crates/tinyvit"));
        let packages = &manifest["profile"]["dev"]["package"];
        assert_eq!(packages["cifake-kernels"]["opt-level"].as_integer(), Some(0));
        assert_eq!(packages["image"]["opt-level"].as_integer(), Some(3));
        assert!(manifest["profile"]["dev"].get("opt-level").is_none());
    }

    #[test]
    fn a_readme_without_a_path_to_the_clone_is_an_error() {
        let readme = README.replace("../cifake", "elsewhere");
        assert!(crate_manifest(&readme, MANIFEST, Path::new("/w")).is_err());
    }
}
