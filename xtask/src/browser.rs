//! Chromium and its driver, before which the tests of the page run.

use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::process::succeeds;

/// Programs that the tests start, and the packages of Debian that hold them.
const NEEDED: [(&str, &str); 2] = [("chromium", "chromium"), ("chromedriver", "chromium-driver")];

/// Installs by `apt-get` what is missing; true if all is there afterwards.
pub(crate) fn install() -> Result<bool> {
    let missing = missing(starts);
    if missing.is_empty() {
        return Ok(true);
    }
    let mut install = Command::new("apt-get");
    install.args(["install", "--yes", "--no-install-recommends"]).args(&missing);
    install.env("DEBIAN_FRONTEND", "noninteractive");
    let help =
        "the tests of the page need Chromium and chromedriver; install them and run this again";
    Ok(succeeds(Command::new("apt-get").arg("update")).context(help)? && succeeds(&mut install)?)
}

/// The packages of all programs that do not start.
fn missing(starts: impl Fn(&str) -> bool) -> Vec<&'static str> {
    NEEDED.into_iter().filter(|(program, _)| !starts(program)).map(|(_, package)| package).collect()
}

fn starts(program: &str) -> bool {
    let mut command = Command::new(program);
    let quiet = command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_does_not_start_is_installed() {
        assert_eq!(missing(|program| program == "chromium"), ["chromium-driver"]);
        assert_eq!(missing(|_| false), ["chromium", "chromium-driver"]);
        assert!(missing(|_| true).is_empty());
    }

    #[test]
    fn a_program_that_does_not_exist_does_not_start() {
        assert!(!starts("no-such-program"));
    }
}
