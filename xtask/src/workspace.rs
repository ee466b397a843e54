//! The facts of cargo and git about the workspace.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::process;

/// The members of the workspace as `cargo metadata` describes them.
#[derive(Debug, Deserialize)]
pub(crate) struct Workspace {
    #[serde(rename = "workspace_root")]
    pub(crate) root: PathBuf,
    pub(crate) target_directory: PathBuf,
    pub(crate) packages: Vec<Package>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) manifest_path: PathBuf,
    /// `None`: any registry; an empty list: `publish = false`.
    pub(crate) publish: Option<Vec<String>>,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) features: BTreeMap<String, Vec<String>>,
    pub(crate) targets: Vec<Target>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) req: String,
    /// `None` is an ordinary dependency, else "dev" or "build".
    pub(crate) kind: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) kind: Vec<String>,
}

/// The place of a member, and so the members that it may import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Under `crates/`.
    Library,
    /// Under `examples/`.
    Example,
    /// This tool.
    Task,
}

impl Workspace {
    /// Asks cargo about the workspace that this tool was built from.
    pub(crate) fn load() -> Result<Self> {
        let manifest = env!("CARGO_MANIFEST_DIR");
        let root = Path::new(manifest).parent().context("xtask stands in the workspace")?;
        let mut command = process::cargo(root, &["metadata", "--no-deps", "--format-version", "1"]);
        serde_json::from_str(&process::output(&mut command)?).context("read cargo metadata")
    }

    /// `path` relative to the root, with forward slashes.
    pub(crate) fn relative(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).to_string_lossy().replace('\\', "/")
    }

    /// The role of a package by its place in the tree.
    pub(crate) fn role(&self, package: &Package) -> Role {
        let manifest = self.relative(&package.manifest_path);
        match manifest.split('/').next() {
            Some("crates") => Role::Library,
            Some("examples") => Role::Example,
            _ => Role::Task,
        }
    }

    /// The folder of the programs that a test run has built.
    pub(crate) fn programs(&self) -> PathBuf {
        self.target_directory.join("debug")
    }

    pub(crate) fn with_role(&self, role: Role) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(move |package| self.role(package) == role)
    }

    /// Files that git tracks or would add, relative to the root, sorted.
    pub(crate) fn files(&self) -> Result<Vec<String>> {
        let mut git = Command::new("git");
        git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
        let listed = process::output(git.current_dir(&self.root))?;
        let mut files: Vec<String> = listed
            .split('\0')
            .filter(|file| !file.is_empty() && self.root.join(file).is_file())
            .map(str::to_owned)
            .collect();
        files.sort();
        files.dedup();
        Ok(files)
    }
}

impl Package {
    pub(crate) fn is_published(&self) -> bool {
        self.publish.as_ref().is_none_or(|registries| !registries.is_empty())
    }

    /// The folder of the package's manifest.
    pub(crate) fn folder(&self) -> &Path {
        self.manifest_path.parent().expect("a manifest is a file in a folder")
    }

    pub(crate) fn binaries(&self) -> impl Iterator<Item = &str> {
        let binaries = self.targets.iter().filter(|target| target.kind.iter().any(|k| k == "bin"));
        binaries.map(|target| target.name.as_str())
    }
}

/// Features that are tested beside the default ones, light enough to build every time; `remote` needs a C
/// compiler for its TLS, the others are pure Rust.
pub(crate) const LIGHT_FEATURES: &[&str] =
    &["ndarray", "network", "parquet", "pytorch", "remote", "train", "vlm"];

/// `package/feature` for every package that has one of `wanted`, as cargo's `--features` takes it.
pub(crate) fn feature_list<'a>(
    packages: impl IntoIterator<Item = &'a Package>,
    wanted: &[&str],
) -> String {
    let mut list = Vec::new();
    for package in packages {
        let features = wanted.iter().filter(|feature| package.features.contains_key(**feature));
        list.extend(features.map(|feature| format!("{}/{feature}", package.name)));
    }
    list.join(",")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A member with the dependencies `(name, kind, version requirement)`.
    pub(crate) fn package(
        folder: &str,
        name: &str,
        dependencies: &[(&str, Option<&str>, &str)],
    ) -> Package {
        let dependencies = dependencies.iter().map(|(name, kind, req)| Dependency {
            name: (*name).to_owned(),
            req: (*req).to_owned(),
            kind: kind.map(str::to_owned),
        });
        Package {
            name: name.to_owned(),
            version: "0.1.0".to_owned(),
            manifest_path: Path::new("/w").join(folder).join("Cargo.toml"),
            publish: (name == "testkit").then(Vec::new),
            dependencies: dependencies.collect(),
            features: BTreeMap::new(),
            targets: Vec::new(),
        }
    }

    pub(crate) fn workspace(packages: Vec<Package>) -> Workspace {
        Workspace { root: "/w".into(), target_directory: "/w/target".into(), packages }
    }

    #[test]
    fn the_folder_of_a_package_gives_its_role() {
        let workspace = workspace(vec![
            package("crates/cifake", "cifake", &[]),
            package("examples/cifake", "cifake-cli", &[]),
            package("xtask", "xtask", &[]),
        ]);
        let roles: Vec<Role> = workspace.packages.iter().map(|p| workspace.role(p)).collect();
        assert_eq!(roles, [Role::Library, Role::Example, Role::Task]);
    }

    #[test]
    fn the_feature_list_names_only_features_that_exist() {
        let mut cifake = package("crates/cifake", "cifake", &[]);
        cifake.features.insert("parquet".to_owned(), Vec::new());
        let kernels = package("crates/kernels", "cifake-kernels", &[]);
        assert_eq!(feature_list([&cifake, &kernels], &["parquet", "train"]), "cifake/parquet");
    }

    #[test]
    fn this_workspace_loads_and_holds_the_vocabulary() {
        let workspace = Workspace::load().expect("cargo metadata describes this workspace");
        assert!(workspace.with_role(Role::Library).any(|package| package.name == "cifake"));
    }
}
