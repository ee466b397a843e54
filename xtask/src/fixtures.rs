//! Golden fixtures: each `crates/*/tests/fixtures/generate.py` runs the pinned reference
//! implementation and writes small safetensors beside itself, which are committed.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::process::{cargo, succeeds};
use crate::python::{install, virtual_environment};
use crate::workspace::{LIGHT_FEATURES, Package, Role, Workspace, feature_list};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask fixtures                     regenerate every committed fixture
  cargo xtask fixtures tinyvit --full      the real sizes of this crate, then its tests on them

Each generate.py has a requirements.txt beside it with pinned versions; they are installed into
target/venv. With --full a generator writes the real sizes, too large to commit, into target/fixtures;
then the crate's integration tests run, which compare with whatever stands there.")]
pub(crate) struct Args {
    /// Packages whose fixtures are made; all if none is named
    packages: Vec<String>,
    /// Make fixtures of the real sizes under target/fixtures and run the tests on them
    #[arg(long, requires = "packages")]
    full: bool,
}

/// Runs the generators; true if all of them, and with `--full` the tests, succeeded.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<bool> {
    let generators = generators(workspace, &args.packages)?;
    let python = virtual_environment(&workspace.target_directory)?;
    let mut passed = true;
    for (package, folder) in generators {
        println!("==> fixtures of {}", package.name);
        install(&python, &folder)?;
        let mut generate = Command::new(&python);
        generate.arg("generate.py").current_dir(&folder);
        generate.args(args.full.then_some("--full"));
        passed &= succeeds(&mut generate)?;
        if args.full {
            passed &= test(workspace, package)?;
        }
    }
    Ok(passed)
}

/// Runs the integration tests of `package` as CI builds them, so that the build is shared.
fn test(workspace: &Workspace, package: &Package) -> Result<bool> {
    let names: Vec<&str> = integration_tests(package).collect();
    ensure!(!names.is_empty(), "{} has no integration test of its fixtures", package.name);
    let features = feature_list(&workspace.packages, LIGHT_FEATURES);
    let mut test = cargo(&workspace.root, &["test", "--workspace", "--features", &features]);
    succeeds(test.args(names.into_iter().flat_map(|name| ["--test", name])))
}

fn integration_tests(package: &Package) -> impl Iterator<Item = &str> {
    let tests = package.targets.iter().filter(|target| target.kind.iter().any(|k| k == "test"));
    tests.map(|target| target.name.as_str())
}

/// The packages that have a generator, and its folder.
fn generators<'a>(
    workspace: &'a Workspace,
    wanted: &[String],
) -> Result<Vec<(&'a Package, PathBuf)>> {
    let all = workspace.with_role(Role::Library).filter_map(|package| {
        let folder = package.folder().join("tests/fixtures");
        folder.join("generate.py").is_file().then_some((package, folder))
    });
    let chosen: Vec<_> =
        all.filter(|(package, _)| wanted.is_empty() || wanted.contains(&package.name)).collect();
    for name in wanted {
        let found = chosen.iter().any(|(package, _)| package.name == *name);
        ensure!(found, "crates/*/ has no package {name} with tests/fixtures/generate.py");
    }
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_without_a_generator_is_an_error() {
        let workspace = Workspace::load().expect("cargo metadata describes this workspace");
        let error = generators(&workspace, &["no-such-package".to_owned()])
            .expect_err("there is no such package");
        assert!(error.to_string().contains("no-such-package"), "{error}");
    }

    #[test]
    fn tests_of_the_real_sizes_are_integration_tests() {
        let workspace = Workspace::load().expect("cargo metadata describes this workspace");
        let tinyvit = workspace.packages.iter().find(|package| package.name == "tinyvit");
        let names: Vec<&str> = integration_tests(tinyvit.expect("a member")).collect();
        assert!(names.contains(&"parity"), "{names:?}");
        assert!(!names.contains(&"tinyvit"), "{names:?}");
    }
}
