//! The sources of the standard library from Debian, for machines whose toolchain cannot be extended.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::folder::files;
use super::standard::{fetched, find, release};
use crate::process::{output, succeeds};

/// The backports that hold the sources of current compilers.
const SUITE: &str = "trixie-backports";

/// Brings the sources below `target` where the toolchain has no library for browsers; false where Debian has none of
/// this version.
///
/// The machine's own lists and packages stay as they are.
pub(crate) fn fetch(target: &Path) -> Result<bool> {
    if find(target).is_ok() {
        return Ok(true);
    }
    let folder = target.join("rust-src");
    let (lists, source) = (folder.join("lists"), folder.join("sources.list"));
    std::fs::create_dir_all(lists.join("partial"))?;
    let mut known = Command::new("apt-get");
    known.args(["indextargets", "--format", "$(REPO_URI) $(LABEL)", "Created-By: Packages"]);
    let known = output(&mut known)?;
    let mirror = mirror(&known).context("apt knows no mirror of Debian")?;
    std::fs::write(&source, format!("deb {mirror} {SUITE} main\n"))?;
    let apt = |task: &[&str]| {
        let mut apt = Command::new("apt-get");
        let own = [
            format!("Dir::Etc::SourceList={}", source.display()),
            "Dir::Etc::SourceParts=/dev/null".to_owned(),
            format!("Dir::State::Lists={}", lists.display()),
            format!("Dir::Cache={}", folder.display()),
        ];
        apt.args(own.iter().flat_map(|option| ["-o", option]));
        succeeds(apt.args(task).current_dir(&folder))
    };
    ensure!(apt(&["update"])?, "the list of packages did not come");
    let release = release()?;
    if !apt(&["download", &format!("rust-src={release}*")])? {
        return Ok(false);
    }
    for package in files(&folder)?.iter().filter(|file| is_package(file)) {
        let mut unpack = Command::new("dpkg-deb");
        ensure!(succeeds(unpack.arg("--extract").arg(package).arg(&folder))?, "it is no package");
    }
    Ok(fetched(target, &release).join("Cargo.lock").is_file())
}

fn is_package(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "deb")
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
}
