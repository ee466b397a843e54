//! The checkpoint of a run in a folder.

use std::path::{Path, PathBuf};

use cifake_optim::{Checkpoint, first_difference};
use cifake_training::{TrainError, TrainedOn};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Largest checkpoint that is read.
const MAX_BYTES: u64 = 8 << 30;

/// The parts of a run that its checkpoint must have.
pub(crate) struct Identity<'a, R> {
    /// The recipe.
    pub(crate) recipe: &'a R,
    /// The data set.
    pub(crate) data: &'a TrainedOn,
    /// SHA-256 of the weights that it started from; empty for random ones.
    pub(crate) start: &'a str,
}

/// The place of the checkpoint of the run in `folder`.
pub(crate) fn place(folder: &Path) -> PathBuf {
    folder.join("checkpoint.safetensors")
}

/// The checkpoint in `folder` with the vectors `names`, and its progress, if there is one.
pub(crate) fn checkpoint<P: DeserializeOwned>(
    folder: &Path,
    names: &[&str],
) -> Result<Option<(Checkpoint, P)>, TrainError> {
    let path = place(folder);
    if !path.exists() {
        return Ok(None);
    }
    let file = Checkpoint::open(&path, names, MAX_BYTES)?;
    let progress = file.progress()?;
    Ok(Some((file, progress)))
}

/// [`TrainError::OtherRun`] where the checkpoint in `folder` is of another run than this one.
pub(crate) fn must_be_same<R: Serialize>(
    folder: &Path,
    found: &Identity<'_, R>,
    own: &Identity<'_, R>,
) -> Result<(), TrainError> {
    let differs = first_difference(found.recipe, own.recipe)
        .map(|difference| format!("recipe ({difference})"))
        .or_else(|| (found.data != own.data).then(|| "data set".to_owned()))
        .or_else(|| (found.start != own.start).then(|| "set of weights to start from".to_owned()));
    match differs {
        Some(differs) => Err(TrainError::OtherRun { path: place(folder), differs }),
        None => Ok(()),
    }
}
