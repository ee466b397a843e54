//! The page with the detector inside: a folder that any web server serves.

mod bindings;
mod debian;
mod folder;
mod page;
mod standard;
mod weight;

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::process::{cargo, shown, succeeds};
use crate::workspace::Workspace;

pub(crate) use self::bindings::install as install_bindings;
pub(crate) use self::debian::fetch as fetch_standard;
use self::standard::TARGET;

/// The package that is compiled, and the file that cargo makes of it.
const PACKAGE: &str = "cifake-web";
const MODULE: &str = "cifake_web";

/// Every browser of the last years has these instructions.
const FLAGS: &str = "target.wasm32-unknown-unknown.rustflags=[\"-Ctarget-feature=+simd128\"]";
/// A visitor waits for every byte: one unit, no texts for a debugger, and small code but where the model computes.
const SMALL: [&str; 6] = [
    "profile.release.lto=\"fat\"",
    "profile.release.codegen-units=1",
    "profile.release.panic=\"abort\"",
    "profile.release.opt-level=\"s\"",
    "profile.release.package.cifake-kernels.opt-level=3",
    "profile.release.package.tinyvit.opt-level=3",
];

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder to write, `target/web` if not given; files of these names are replaced
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl Args {
    /// The folder in which the tests look.
    pub(crate) fn usual() -> Self {
        Self { out: None }
    }
}

/// Builds the folder; true if it is as small as it must be.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<bool> {
    let out = args.out.clone().unwrap_or_else(|| workspace.target_directory.join("web"));
    std::fs::create_dir_all(&out).with_context(|| format!("make {}", out.display()))?;
    let bindgen = bindings::program(workspace)?;
    let module = compile(workspace)?;
    bindings::write(&bindgen, &module, MODULE, &out)?;
    page::copy(&workspace.root, &out)?;
    println!("{} holds the page; any web server can serve it", out.display());
    weight::check(&out)
}

/// The compiled module.
fn compile(workspace: &Workspace) -> Result<PathBuf> {
    let mut build = cargo(&workspace.root, &["rustc", "--lib", "--crate-type", "cdylib"]);
    build.args(["--release", "--package", PACKAGE, "--target", TARGET]);
    build.args(SMALL.into_iter().chain([FLAGS]).flat_map(|option| ["--config", option]));
    standard::find(&workspace.target_directory)?.prepare(&mut build);
    ensure!(succeeds(&mut build)?, "`{}` failed", shown(&build));
    Ok(workspace.target_directory.join(TARGET).join("release").join(format!("{MODULE}.wasm")))
}
