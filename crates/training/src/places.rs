//! The paths of runs.

use std::path::{Path, PathBuf};

use crate::TrainError;
use crate::config::Recipe;

/// Best weights of a stage, in its folder.
const BEST: &str = "best.safetensors";
/// Weights of its last epoch.
const LAST: &str = "last.safetensors";

/// The paths of a queue, or of a single run.
#[derive(Debug, Clone, Copy)]
pub struct Places<'a> {
    /// The file of the queue, or the recipe of a single run.
    pub file: &'a Path,
    /// The folder of the queue's runs, or of the run.
    pub out: &'a Path,
    /// The folder of additional sets, if there is one.
    pub extra_root: Option<&'a Path>,
    /// Weights that the first stage starts from if its start is `previous`.
    pub weights: Option<&'a Path>,
}

impl Places<'_> {
    /// `text` with its placeholder replaced; a relative path begins at `base`.
    ///
    /// # Errors
    ///
    /// [`TrainError::Config`] for another placeholder, and for `{extra}` without a folder.
    pub fn resolve(&self, text: &str, base: &Path) -> Result<PathBuf, TrainError> {
        let under = |root: &Path, rest: &str| root.join(rest.trim_start_matches('/'));
        if let Some(rest) = text.strip_prefix("{out}") {
            return Ok(under(self.out, rest));
        }
        if let Some(rest) = text.strip_prefix("{extra}") {
            let nowhere = || format!("`{text}` needs a folder of additional sets");
            let root = self.extra_root.ok_or_else(|| TrainError::Config(nowhere()))?;
            return Ok(under(root, rest));
        }
        if text.contains(['{', '}']) {
            let reason = format!("`{text}` has a placeholder other than {{extra}} and {{out}}");
            return Err(TrainError::Config(reason));
        }
        Ok(base.join(text))
    }

    /// Weights of the teacher of `recipe`, whose file is at `path`.
    pub(crate) fn teacher(&self, recipe: &Recipe, path: &Path) -> Result<Vec<PathBuf>, TrainError> {
        let base = path.parent().unwrap_or(Path::new(""));
        let named = recipe.train.teacher.iter().flat_map(|teacher| &teacher.weights);
        named.map(|path| self.resolve(path, base)).collect()
    }

    /// Best weights of the stage called `stage`.
    pub(crate) fn best(&self, stage: &str) -> PathBuf {
        self.out.join(stage).join(BEST)
    }

    /// Whether the stage called `stage` leaves the weights in `path`.
    pub(crate) fn leaves(&self, stage: &str, path: &Path) -> bool {
        [BEST, LAST].into_iter().any(|name| self.out.join(stage).join(name) == path)
    }

    /// The mean called `name`.
    pub(crate) fn average(&self, name: &str) -> PathBuf {
        self.out.join(format!("{name}.safetensors"))
    }
}
