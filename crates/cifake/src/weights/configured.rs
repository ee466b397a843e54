//! Weight files that say how the module is built that they belong to.

use std::collections::BTreeMap;
use std::path::Path;

use burn::module::Module;
use burn::tensor::Device;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Checkpoint, Mapping, Precision, Source, WeightsInfo, save};
use crate::Error;

/// A module that is built from a configuration, which its weight files hold as JSON.
pub trait Configured: Module {
    /// What decides its shape.
    type Config: Serialize + DeserializeOwned;

    /// Name of the configuration in a file's metadata, such as `tinyvit_config`.
    const KEY: &'static str;

    /// Whether a module can be built from `config`; a sentence says why not.
    ///
    /// # Errors
    ///
    /// That sentence.
    fn validate(config: &Self::Config) -> Result<(), String>;

    /// How many values a module of `config` has, for `config` as it came from outside: no overflow.
    fn n_values(config: &Self::Config) -> u64;

    /// The module of a valid `config`, with any weights.
    fn build(config: &Self::Config, device: &Device) -> Self;
}

/// Writes `module` with its configuration and what `notes` say (recipe, calibration, figures), by
/// PyTorch's names.
///
/// # Errors
///
/// Those of [`save`](fn@save).
pub fn save_configured<M: Configured>(
    module: &M,
    config: &M::Config,
    notes: &BTreeMap<String, String>,
    precision: Precision,
    path: &Path,
) -> Result<WeightsInfo, Error> {
    let mut metadata = notes.clone();
    let config = serde_json::to_string(config).expect("plain data has a JSON form");
    metadata.insert(M::KEY.to_owned(), config);
    save(module, path, &Mapping::PYTORCH, &metadata, precision)
}

/// Reads a file that [`save_configured`] wrote: the module, its configuration and the file's facts.
///
/// # Errors
///
/// Those of [`Checkpoint::open`] and [`configured_from`].
pub fn load_configured<M: Configured>(
    source: Source<'_>,
    device: &Device,
) -> Result<(M, M::Config, WeightsInfo), Error> {
    let checkpoint = Checkpoint::open(source)?;
    let (module, config) = configured_from(&checkpoint, device)?;
    Ok((module, config, checkpoint.info().clone()))
}

/// The module and its configuration of a file that [`save_configured`] wrote.
///
/// # Errors
///
/// [`Error::WeightConfig`] for a file without a configuration, or with one that cannot be built;
/// those of [`Checkpoint::load_into`].
pub fn configured_from<M: Configured>(
    checkpoint: &Checkpoint,
    device: &Device,
) -> Result<(M, M::Config), Error> {
    let info = checkpoint.info();
    let path = || checkpoint.path().to_owned();
    let broken = |reason: String| Error::WeightConfig { path: path(), reason };
    let json = info
        .metadata
        .get(M::KEY)
        .ok_or_else(|| broken(format!("its metadata holds no {}", M::KEY)))?;
    let config: M::Config =
        serde_json::from_str(json).map_err(|error| broken(error.to_string()))?;
    M::validate(&config).map_err(broken)?;
    // Before anything is built: a small file may claim a model of any size. Smaller differences are
    // left to the strict comparison, which names the weights.
    let (claimed, found) = (M::n_values(&config), info.n_elements as u64);
    if claimed > found.saturating_mul(4).saturating_add(1_000_000) {
        return Err(broken(format!("its model has {claimed} values, the file holds {found}")));
    }
    let mut module = M::build(&config, device);
    checkpoint.load_into(&mut module, &Mapping::PYTORCH)?;
    Ok((module, config))
}
