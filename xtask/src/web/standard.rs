//! The standard library of WebAssembly: of the toolchain, or built from its sources.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process::output;

/// The target of browsers.
pub(super) const TARGET: &str = "wasm32-unknown-unknown";

/// The source of the library that code is linked with.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Standard {
    /// The toolchain has it compiled.
    Compiled,
    /// The toolchain has its sources.
    Sources,
    /// Its sources stand in this folder.
    SourcesIn(PathBuf),
}

impl Standard {
    /// Makes a build use it.
    pub(super) fn prepare(&self, build: &mut Command) {
        if *self == Self::Compiled {
            return;
        }
        // Only a nightly toolchain, or one that is told to be like one, builds its standard library.
        build.arg("-Zbuild-std=std,panic_abort").env("RUSTC_BOOTSTRAP", "1");
        if let Self::SourcesIn(folder) = self {
            // cargo's own tests set the place of the sources by this name; there is no other way.
            build.env("__CARGO_TESTS_ONLY_SRC_ROOT", folder);
        }
    }
}

/// The standard library that a build can use: the toolchain's, or what [`super::debian`] brought below `target`.
pub(super) fn find(target: &Path) -> Result<Standard> {
    let ask = |args: &[&str]| output(rustc().args(args));
    let compiled = ask(&["--print", "target-libdir", "--target", TARGET])?;
    if Path::new(compiled.trim()).is_dir() {
        return Ok(Standard::Compiled);
    }
    let sysroot = ask(&["--print", "sysroot"])?;
    if Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/Cargo.lock").is_file() {
        return Ok(Standard::Sources);
    }
    let fetched = fetched(target, &release()?);
    if fetched.join("Cargo.lock").is_file() {
        return Ok(Standard::SourcesIn(fetched));
    }
    bail!(
        "this toolchain has no standard library for {TARGET}; `rustup target add {TARGET}` brings it, and \
         `rustup component add rust-src` brings its sources, which are built then"
    )
}

/// The folder of the library of `release` in Debian's package, which is unpacked below `target`.
pub(super) fn fetched(target: &Path, release: &str) -> PathBuf {
    target.join(format!("rust-src/usr/src/rustc-{release}/library"))
}

/// The version of the compiler, such as `1.95.0`.
pub(super) fn release() -> Result<String> {
    let version = output(rustc().arg("--version"))?;
    Ok(second_word(&version).context("rustc names its version")?.to_owned())
}

fn second_word(version: &str) -> Option<&str> {
    version.split_whitespace().nth(1)
}

fn rustc() -> Command {
    Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_is_the_version_without_its_commit() {
        assert_eq!(second_word("rustc 1.95.0 (59807616e 2026-04-14)\n"), Some("1.95.0"));
        assert!(release().is_ok_and(|release| release.starts_with("1.")));
    }

    #[test]
    fn only_a_library_without_a_compiled_form_is_built() {
        let mut build = Command::new("cargo");
        Standard::Compiled.prepare(&mut build);
        assert_eq!(build.get_args().count() + build.get_envs().count(), 0);
        Standard::SourcesIn("a".into()).prepare(&mut build);
        assert_eq!((build.get_args().count(), build.get_envs().count()), (1, 2));
    }
}
