//! Arguments that several subcommands and programs share.

mod attack;
mod cam;
mod detector;
mod explainer;

use std::io;
use std::path::{Path, PathBuf};

use cifake::Split;
use gradcam::Method;
use tinyvit::Input;

pub use attack::{AttackArgs, OriginalArgs, attack_known};
pub use cam::CamArgs;
pub use detector::{DetectorArgs, threads};
pub use explainer::ExplainerArgs;

/// The sixteen pictures of the repository.
#[must_use]
pub fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/sample")
}

/// The labelled pictures of the repository, 32 of each split.
#[must_use]
pub fn mini() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/mini")
}

/// The pictures that `paths` name: files, folders, patterns; `-` is one on standard input.
#[must_use]
pub fn inputs(paths: &[PathBuf]) -> Vec<Input> {
    let expand = |path: &PathBuf| match path.to_str() {
        Some("-") => vec![Input::reader("-", io::stdin())],
        _ => Input::expand(path),
    };
    paths.iter().flat_map(expand).collect()
}

/// The method of class activation mapping called `name`.
///
/// # Errors
///
/// The known names.
pub fn method_named(name: &str) -> Result<Method, String> {
    name.parse().map_err(|error: gradcam::UnknownMethod| error.to_string())
}

/// The split called `name`: for the arguments of a program.
///
/// # Errors
///
/// What the names are.
pub fn split_named(name: &str) -> Result<Split, &'static str> {
    Split::from_name(name).ok_or("train, validation or test")
}
