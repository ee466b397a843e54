//! Weights that a run starts from.

use burn::tensor::Device;
use cifake::Error;
use cifake::weights::{Checkpoint, Configured, configured_from};

/// The module in `checkpoint`, whose configuration must be `config`.
///
/// # Errors
///
/// [`Error::WeightConfig`] for another configuration, and those of [`configured_from`].
pub(crate) fn of_config<M>(
    checkpoint: &Checkpoint,
    config: &M::Config,
    device: &Device,
) -> Result<M, Error>
where
    M: Configured<Config: PartialEq>,
{
    let (module, found) = configured_from::<M>(checkpoint, device)?;
    if found == *config {
        return Ok(module);
    }
    let reason = "it is another than that of the recipe".to_owned();
    Err(Error::WeightConfig { path: checkpoint.path().to_owned(), reason })
}
