//! The Python that runs reference implementations and other runtimes: one virtual environment.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use crate::process::output;

/// Makes target/venv unless it stands; the path of its Python.
pub(crate) fn virtual_environment(target: &Path) -> Result<PathBuf> {
    let folder = target.join("venv");
    let python = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    if !python.exists() {
        output(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    }
    Ok(python)
}

/// Installs the pinned versions of the requirements.txt in `folder`.
pub(crate) fn install(python: &Path, folder: &Path) -> Result<()> {
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
    fn requirements_must_stand_beside_a_program() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let error = install(Path::new("python3"), folder.path()).expect_err("the folder is empty");
        assert!(error.to_string().contains("requirements.txt"), "{error}");
    }
}
