//! The standard library of WebAssembly: of the toolchain, or built from its sources.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::process::{output, succeeds};

/// The target of browsers.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

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

/// The standard library that a build can use: the toolchain's, or what [`fetch`] brought below `target`.
pub(super) fn find(target: &Path) -> Result<Standard> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let ask = |args: &[&str]| output(Command::new(&rustc).args(args));
    let compiled = ask(&["--print", "target-libdir", "--target", TARGET])?;
    if Path::new(compiled.trim()).is_dir() {
        return Ok(Standard::Compiled);
    }
    let sysroot = ask(&["--print", "sysroot"])?;
    if Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/Cargo.lock").is_file() {
        return Ok(Standard::Sources);
    }
    let fetched = fetched(target, &release(&ask(&["--version"])?)?);
    if fetched.join("Cargo.lock").is_file() {
        return Ok(Standard::SourcesIn(fetched));
    }
    bail!(
        "this toolchain has no standard library for {TARGET}; `rustup target add {TARGET}` brings it, and \
         `rustup component add rust-src` brings its sources, which are built then"
    )
}

/// Brings the sources from Debian where the toolchain has neither; false where Debian has none of this version.
///
/// The package of exactly this release stands in the backports of the next Debian. It is unpacked below `target`, and
/// the machine's own lists and packages stay as they are.
pub(crate) fn fetch(target: &Path) -> Result<bool> {
    if find(target).is_ok() {
        return Ok(true);
    }
    let release = release(&output(Command::new("rustc").arg("--version"))?)?;
    let folder = target.join("rust-src");
    let lists = folder.join("lists");
    std::fs::create_dir_all(lists.join("partial"))?;
    let targets = output(Command::new("apt-get").args([
        "indextargets",
        "--format",
        "$(REPO_URI) $(LABEL)",
        "Created-By: Packages",
    ]))?;
    let source = folder.join("sources.list");
    let mirror = mirror(&targets).context("apt has no mirror of Debian")?;
    std::fs::write(&source, format!("deb {mirror} trixie-backports main\n"))?;
    let apt = |task: &[&str]| -> Result<bool> {
        let mut apt = Command::new("apt-get");
        apt.args(["-o", &format!("Dir::Etc::SourceList={}", source.display())]);
        apt.args(["-o", "Dir::Etc::SourceParts=/dev/null"]);
        apt.args(["-o", &format!("Dir::State::Lists={}", lists.display())]);
        succeeds(apt.args(task).current_dir(&folder))
    };
    ensure!(apt(&["update"])?, "the list of packages did not come");
    if !apt(&["download", &format!("rust-src={release}*")])? {
        return Ok(false);
    }
    for package in super::files(&folder)?.iter().filter(|file| is_package(file)) {
        let mut unpack = Command::new("dpkg-deb");
        ensure!(succeeds(unpack.arg("--extract").arg(package).arg(&folder))?, "it is no package");
    }
    Ok(fetched(target, &release).join("Cargo.lock").is_file())
}

/// The folder of the library in Debian's package.
fn fetched(target: &Path, release: &str) -> PathBuf {
    target.join(format!("rust-src/usr/src/rustc-{release}/library"))
}

fn is_package(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "deb")
}

/// `1.95.0` of `rustc 1.95.0 (59807616e 2026-04-14)`.
fn release(version: &str) -> Result<String> {
    let release = version.split_whitespace().nth(1).context("rustc names its version")?;
    Ok(release.to_owned())
}

/// The mirror of Debian among lines of an address and a label.
fn mirror(targets: &str) -> Option<&str> {
    targets.lines().find_map(|line| line.strip_suffix(" Debian"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_that_of_debian_itself() {
        let lines = "http://a.example/tool/ Tool\nhttp://b.example/debian-security/ Debian-Security\n\
                     http://b.example/debian/ Debian\n";
        assert_eq!(mirror(lines), Some("http://b.example/debian/"));
        assert_eq!(mirror(""), None);
    }

    #[test]
    fn the_release_is_the_version_without_its_commit() {
        let release = release("rustc 1.95.0 (59807616e 2026-04-14)\n");
        assert_eq!(release.expect("it has one"), "1.95.0");
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
