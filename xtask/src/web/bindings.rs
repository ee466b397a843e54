//! The script between the page and the module, which `wasm-bindgen` writes.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::process::{cargo, output, shown, succeeds};
use crate::workspace::Workspace;

const PROGRAM: &str = "wasm-bindgen";

/// The installed program of the version that the lock file names: both halves must agree.
pub(super) fn program(workspace: &Workspace) -> Result<PathBuf> {
    let version = version(workspace)?;
    let own = tools(workspace).join("bin").join(PROGRAM);
    for program in [own, PathBuf::from(PROGRAM)] {
        let answer = output(Command::new(&program).arg("--version"));
        if answer.is_ok_and(|answer| answer.split_whitespace().last() == Some(&version)) {
            return Ok(program);
        }
    }
    bail!("`cargo xtask web` needs wasm-bindgen {version}; install it by `{}`", line(&version))
}

/// Installs the program within the target folder where it is missing; true if it is there afterwards.
pub(crate) fn install(workspace: &Workspace) -> Result<bool> {
    if program(workspace).is_ok() {
        return Ok(true);
    }
    let version = version(workspace)?;
    let mut install = cargo(&workspace.root, &["install", "wasm-bindgen-cli", "--locked"]);
    install.args(["--version", &version, "--root"]).arg(tools(workspace));
    succeeds(install.env("CARGO_TARGET_DIR", workspace.target_directory.join("tools-build")))
}

/// Writes script and module into `out`, the latter smaller where `wasm-opt` is installed.
pub(super) fn write(program: &Path, module: &Path, name: &str, out: &Path) -> Result<()> {
    let mut bindgen = Command::new(program);
    bindgen.args(["--target", "web", "--no-typescript", "--remove-name-section"]);
    bindgen.args(["--remove-producers-section", "--experimental-reset-state-function"]);
    bindgen.args(["--out-name", name, "--out-dir"]).arg(out).arg(module);
    ensure!(succeeds(&mut bindgen)?, "`{}` failed", shown(&bindgen));
    if output(Command::new("wasm-opt").arg("--version")).is_err() {
        return Ok(());
    }
    let module = out.join(format!("{name}_bg.wasm"));
    let mut optimize = Command::new("wasm-opt");
    optimize.args([
        "-O3",
        "--enable-simd",
        "--enable-bulk-memory",
        "--enable-nontrapping-float-to-int",
    ]);
    optimize
        .args(["--enable-sign-ext", "--enable-mutable-globals", "-o"])
        .arg(&module)
        .arg(&module);
    ensure!(succeeds(&mut optimize)?, "`{}` failed", shown(&optimize));
    Ok(())
}

/// A folder for programs that only this workspace uses.
fn tools(workspace: &Workspace) -> PathBuf {
    workspace.target_directory.join("tools")
}

fn version(workspace: &Workspace) -> Result<String> {
    let id = output(&mut cargo(&workspace.root, &["pkgid", PROGRAM]))?;
    let (_, version) =
        id.trim().rsplit_once('@').context("a package's id ends with its version")?;
    Ok(version.to_owned())
}

fn line(version: &str) -> String {
    format!("cargo install wasm-bindgen-cli --version {version}")
}
