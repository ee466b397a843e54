//! Arguments that several subcommands and programs share.

mod attack;
mod cam;
mod data;
mod detector;
mod explainer;
mod inputs;

use std::path::{Path, PathBuf};

use cifake::Split;
use gradcam::Method;

pub use attack::{AttackArgs, OneAttackArgs, ReferenceArgs};
pub use cam::CamArgs;
pub use data::{DataArgs, data_or_shared, portable};
pub use detector::{DetectorArgs, builder, decoder, open, registry, threads};
pub use explainer::ExplainerArgs;
pub use inputs::{Inputs, inputs};

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

/// The default [`Method`] as [`method_named`] accepts it and the help of a program spells it.
pub const METHOD: &str = "hirescam";

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
/// The names.
pub fn split_named(name: &str) -> Result<Split, &'static str> {
    Split::from_name(name).ok_or("use train, validation or test")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_method_is_spelled_as_the_others() {
        assert_eq!(method_named(METHOD), Ok(Method::default()));
        assert_eq!(METHOD, METHOD.to_lowercase());
    }
}
