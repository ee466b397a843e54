//! PyTorch's own checkpoints (`.pt`, `.pth`), read by burn's pickle machine, which executes nothing.
//!
//! The reader itself refuses pickles over 100 MiB, tensors over 10 GiB, nesting over 1,000 levels and
//! memo bombs before it allocates for them.

use std::path::Path;

use burn::store::bridge;
use burn::store::pytorch_reader::{PytorchError, PytorchReader};

use super::checkpoint::{Checkpoint, checked};
use crate::Error;

/// The keys under which training scripts put a model's weights, in the order in which timm looks.
const WRAPPERS: [&str; 3] = ["state_dict", "model", "model_state_dict"];

/// The tensors of the checkpoint at `path`, whose content is `bytes`.
pub(super) fn open(path: &Path, bytes: &[u8]) -> Result<Checkpoint, Error> {
    let broken =
        |source: PytorchError| Error::NotPytorch { path: path.to_owned(), source: source.into() };
    let reader = state_dict(path).map_err(broken)?;
    let mut tensors = Vec::new();
    for (key, tensor) in reader.into_tensors() {
        let unreadable = |error: burn::store::burn_pack::Error| Error::WeightUnreadable {
            path: path.to_owned(),
            key: key.clone(),
            reason: error.to_string(),
        };
        let data = bridge::into_data(bridge::from_pytorch(tensor)).map_err(unreadable)?;
        tensors.push(bridge::from_data(checked(path, &key, data)?, key, None));
    }
    Ok(Checkpoint::new(path.to_owned(), bytes, tensors, Default::default()))
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
