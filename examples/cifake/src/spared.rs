//! Inputs that no output may replace.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::bail;
use cifake::text::path_text;

/// The files that a command reads, by their real paths.
#[derive(Debug, Clone, Default)]
pub(crate) struct Spared(HashSet<PathBuf>);

impl Spared {
    /// The files at `paths`. A path that leads nowhere is left out: nothing can be lost there.
    pub(crate) fn of<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Self {
        Self(paths.into_iter().filter_map(|path| path.as_ref().canonicalize().ok()).collect())
    }

    /// Refuses `output` if it is one of the files, by whatever way it leads there.
    ///
    /// # Errors
    ///
    /// The output that would replace an input.
    pub(crate) fn refuse(&self, output: &Path) -> anyhow::Result<()> {
        match output.canonicalize() {
            Ok(real) if self.0.contains(&real) => {
                bail!(
                    "{} is an input and would be replaced; choose another output",
                    path_text(output)
                )
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Spared;

    #[test]
    fn an_output_that_would_replace_an_input_is_refused_whatever_leads_there() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let input = folder.path().join("a.png");
        std::fs::write(&input, b"").expect("it is writable");
        let spared = Spared::of([&input, &folder.path().join("missing.png")]);
        let error = spared.refuse(&folder.path().join("./a.png")).expect_err("it is the input");
        assert!(error.to_string().contains("is an input"), "{error}");
        for other in ["b.png", "missing.png"] {
            assert!(spared.refuse(&folder.path().join(other)).is_ok(), "{other}");
        }
    }
}
