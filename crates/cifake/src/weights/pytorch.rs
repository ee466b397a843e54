//! PyTorch's own checkpoints (`.pt`, `.pth`), read by burn's pickle machine, which executes nothing.
//!
//! Views of a storage, such as turned ones and those of `channels_last`, are read by their strides.
//! The reader itself refuses pickles over 100 MiB, nesting over 1,000 levels and memo bombs before it
//! allocates for them; views that repeat a few stored numbers many times are refused here.

use std::io::Write;
use std::path::Path;

use burn::store::bridge;
use burn::store::pytorch_reader::{PytorchError, PytorchReader};

use super::checkpoint::{Checkpoint, checked};
use crate::Error;

/// The keys under which training scripts put a model's weights, in the order in which timm looks.
const WRAPPERS: [&str; 3] = ["state_dict", "model", "model_state_dict"];

/// How many times a file's size its tensors may take: some share their numbers, but not most of them.
const MAX_GROWTH: usize = 4;

/// The tensors of the checkpoint at `path`, whose content is `bytes`.
pub(super) fn open(path: &Path, bytes: &[u8]) -> Result<Checkpoint, Error> {
    let broken =
        |source: PytorchError| Error::NotPytorch { path: path.to_owned(), source: source.into() };
    // The reader wants a file: a copy, so that what it reads is what the hash is of, whatever becomes of
    // the other meanwhile. It lives until the last tensor is read.
    let copy =
        copied(bytes).map_err(|source| Error::Write { path: std::env::temp_dir(), source })?;
    let stored: Vec<_> = state_dict(copy.path())
        .map_err(broken)?
        .into_tensors()
        .into_iter()
        .map(|(key, tensor)| (key, bridge::from_pytorch(tensor)))
        .collect();
    let needed = stored.iter().map(|(_, tensor)| tensor.byte_len()).fold(0, usize::saturating_add);
    if needed / MAX_GROWTH > bytes.len() {
        let size = bytes.len();
        let reason = format!("its tensors would take {needed} bytes, the file has {size}");
        return Err(broken(PytorchError::InvalidFormat(reason)));
    }
    let mut tensors = Vec::new();
    for (key, tensor) in stored {
        let unreadable = |error: burn::store::burn_pack::Error| Error::WeightUnreadable {
            path: path.to_owned(),
            key: key.clone(),
            reason: error.to_string(),
        };
        let data = bridge::into_data(tensor).map_err(unreadable)?;
        tensors.push(bridge::from_data(checked(path, &key, data)?, key, None));
    }
    Ok(Checkpoint::new(path.to_owned(), bytes, tensors, Default::default()))
}

/// A temporary file of `bytes`.
fn copied(bytes: &[u8]) -> std::io::Result<tempfile::NamedTempFile> {
    let mut file = tempfile::Builder::new().suffix(".pth").tempfile()?;
    file.write_all(bytes)?;
    file.flush()?;
    Ok(file)
}

/// The weights alone, where a training script wrapped them with its other state.
fn state_dict(path: &Path) -> Result<PytorchReader, PytorchError> {
    for wrapper in WRAPPERS {
        match PytorchReader::with_top_level_key(path, wrapper) {
            Err(PytorchError::KeyNotFound(_)) => {}
            found => return found,
        }
    }
    PytorchReader::new(path)
}
