//! Golden fixtures: each `crates/*/tests/fixtures/generate.py` runs the pinned reference
//! implementation and writes small safetensors beside itself, which are committed.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use crate::process::{cargo, output, succeeds};
use crate::workspace::{LIGHT_FEATURES, Package, Role, Workspace, feature_list};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask fixtures                     regenerate every committed fixture
  cargo xtask fixtures tinyvit --full      the real sizes of one crate, then its tests on them

Each generate.py has a requirements.txt beside it with pinned versions; they are installed into
target/venv. With --full a generator writes the real sizes, too large to commit, into target/fixtures;
then the crate's tests run, which compare with whatever stands there.")]
pub(crate) struct Args {
    /// Packages whose fixtures are made; all if none is named
    packages: Vec<String>,
    /// Make fixtures of the real sizes under target/fixtures and run the tests on them
    #[arg(long)]
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
            let features = feature_list([package], LIGHT_FEATURES);
            let test = ["test", "-p", &package.name, "--features", &features];
            passed &= succeeds(&mut cargo(&workspace.root, &test))?;
        }
    }
    Ok(passed)
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

/// Makes target/venv unless it stands; the path of its Python.
fn virtual_environment(target: &Path) -> Result<PathBuf> {
    let folder = target.join("venv");
    let python = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    if !python.exists() {
        output(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    }
    Ok(python)
}

fn install(python: &Path, folder: &Path) -> Result<()> {
    let requirements = folder.join("requirements.txt");
    ensure!(
        requirements.is_file(),
        "{} is missing: pin its versions there",
        requirements.display()
    );
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]);
    output(pip.arg(requirements))?;
    Ok(())
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
    fn requirements_must_stand_beside_a_generator() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let error = install(Path::new("python3"), folder.path()).expect_err("the folder is empty");
        assert!(error.to_string().contains("requirements.txt"), "{error}");
    }
}
