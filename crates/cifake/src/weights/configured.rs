//! Weight files that say how the module is built that they belong to.

use std::collections::BTreeMap;
use std::path::Path;

use burn::module::Module;
use burn::tensor::{DType, Device, TensorData};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{
    Checkpoint, Mapping, Precision, Source, WeightsInfo, encode, save,
    save::{collect, stored},
};
use crate::Error;

/// Memory for the activations of one picture, in bytes, at most: 1 GiB. No weight depends on the size of the
/// pictures, so a small file may declare any.
pub const MAX_ACTIVATION_BYTES: u64 = 1 << 30;

/// Tensors that stand beside a module in its weight file, by their names without the prefix.
pub type Beside = BTreeMap<String, TensorData>;

/// A module that is built from a configuration, which its weight files hold as JSON.
pub trait Configured: Module {
    /// The configuration that decides its shape.
    type Config: Serialize + DeserializeOwned;

    /// Name of the configuration in a file's metadata, such as `tinyvit_config`.
    const KEY: &'static str;

    /// The prefix of tensors that a file may hold beside the module's, `None` where it may hold none.
    const BESIDE: Option<&'static str> = None;

    /// Whether a module can be built from `config`; a sentence says why not.
    ///
    /// # Errors
    ///
    /// That sentence.
    fn validate(config: &Self::Config) -> Result<(), String>;

    /// As [`validate`](Self::validate), and that the activations of a picture fit into
    /// [`MAX_ACTIVATION_BYTES`], since a weight file of a larger network is refused.
    ///
    /// # Errors
    ///
    /// A sentence.
    fn check(config: &Self::Config) -> Result<(), String> {
        Self::validate(config)?;
        match Self::activation_bytes(config) {
            0..=MAX_ACTIVATION_BYTES => Ok(()),
            bytes => Err(format!(
                "the activations of a picture need {bytes} bytes, more than the limit of \
                 {MAX_ACTIVATION_BYTES}: take a smaller picture or network"
            )),
        }
    }

    /// The number of values of a module of `config`, for `config` as it came from outside: no overflow.
    fn n_values(config: &Self::Config) -> u64;

    /// Memory that the activations of one picture take at once in a module of `config`, in bytes, at most, for
    /// `config` as it came from outside: a number beyond the type's range is its greatest.
    fn activation_bytes(config: &Self::Config) -> u64;

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

/// The bytes of the file that [`save_configured`] would write, with the tensors `beside` the module's, whose
/// names get the prefix [`Configured::BESIDE`].
///
/// # Errors
///
/// Those of [`to_bytes`](super::to_bytes), also for a value beside that is NaN or infinite.
///
/// # Panics
///
/// If the module's files hold no tensors beside it, or one that is not of 32-bit floats.
pub fn configured_bytes<M: Configured>(
    module: &M,
    config: &M::Config,
    notes: &BTreeMap<String, String>,
    precision: Precision,
    beside: &BTreeMap<String, TensorData>,
) -> Result<Vec<u8>, Error> {
    let mut metadata = notes.clone();
    let config = serde_json::to_string(config).expect("plain data has a JSON form");
    metadata.insert(M::KEY.to_owned(), config);
    let path = Path::new("the model");
    let mut tensors = stored(&collect(module, path, &Mapping::PYTORCH)?, path, precision)?;
    for (name, data) in beside {
        let key = format!("{}{name}", M::BESIDE.expect("its files hold tensors beside the module"));
        assert_eq!(data.dtype(), DType::F32, "what stands beside a module is of 32-bit floats");
        tensors.push((key.clone(), super::checkpoint::checked(path, &key, data.clone())?));
    }
    // The format wants larger types first, so that every tensor is aligned.
    tensors.sort_by_key(|(_, data)| std::cmp::Reverse(data.dtype().size()));
    Ok(encode(&tensors, &metadata))
}

/// As [`load_configured`], with the tensors that stand beside the module, by their names without the prefix.
///
/// # Errors
///
/// Those of [`load_configured`].
pub fn load_configured_beside<M: Configured>(
    source: Source<'_>,
    device: &Device,
) -> Result<(M, M::Config, WeightsInfo, Beside), Error> {
    let mut checkpoint = Checkpoint::open(source)?;
    let beside = match M::BESIDE {
        Some(prefix) => checkpoint.take(prefix)?,
        None => BTreeMap::new(),
    };
    let (module, config) = built(&checkpoint, device)?;
    Ok((module, config, checkpoint.info().clone(), beside))
}

/// Reads a file that [`save_configured`] wrote: the module, its configuration and the file's facts. Tensors beside the
/// module are left out.
///
/// # Errors
///
/// Those of [`Checkpoint::open`] and [`configured_from`].
pub fn load_configured<M: Configured>(
    source: Source<'_>,
    device: &Device,
) -> Result<(M, M::Config, WeightsInfo), Error> {
    let (module, config, info, _) = load_configured_beside(source, device)?;
    Ok((module, config, info))
}

/// The module and its configuration of a file that [`save_configured`] wrote. Tensors beside the module are left out.
///
/// # Errors
///
/// [`Error::WeightConfig`] for a file without a configuration, or with one that cannot be built;
/// [`Error::ActivationsTooLarge`] for one whose activations exceed [`MAX_ACTIVATION_BYTES`] a picture; those of [`Checkpoint::load_into`].
pub fn configured_from<M: Configured>(
    checkpoint: &Checkpoint,
    device: &Device,
) -> Result<(M, M::Config), Error> {
    let mut checkpoint = checkpoint.clone();
    if let Some(prefix) = M::BESIDE {
        checkpoint.take(prefix)?;
    }
    built(&checkpoint, device)
}

/// The module that the checkpoint describes, of whose tensors it must need every one.
fn built<M: Configured>(checkpoint: &Checkpoint, device: &Device) -> Result<(M, M::Config), Error> {
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
    let (bytes, limit) = (M::activation_bytes(&config), MAX_ACTIVATION_BYTES);
    if bytes > limit {
        return Err(Error::ActivationsTooLarge { path: path(), bytes, limit });
    }
    let mut module = M::build(&config, device);
    checkpoint.load_into(&mut module, &Mapping::PYTORCH)?;
    Ok((module, config))
}
