//! Adapters on the disk, as PEFT reads and writes them: `adapter_config.json` and
//! `adapter_model.safetensors`.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::TensorData;
use cifake::weights::{Checkpoint, Limits, Source};
use sha2::{Digest, Sha256};

use super::adapter::{Adapter, LayerWeights};
use crate::error::AdapterError;
use crate::peft::{AdapterLimits, LoraConfig, shortened};

/// Name of the configuration in an adapter's folder.
pub const CONFIG_FILE: &str = "adapter_config.json";
/// Name of the weights in an adapter's folder.
pub const WEIGHTS_FILE: &str = "adapter_model.safetensors";
/// The prefix of each path in the weights: PEFT's two wrappers.
const PREFIX: &str = "base_model.model.";
/// Note in the weights: behind which tower the adapter was made. PEFT passes over it.
const TOWER: &str = "tower";
/// Note in the weights: the checksum of all of them. PEFT passes over it and leaves it out.
const CHECKSUM: &str = "sha256";
/// The part that PEFT adds to the path of a layer's own weight if it wrapped the layer.
const BASE_LAYER: &str = ".base_layer";
/// The vectors of tokens.
const EMBEDDING: &str = "embed_tokens";
/// Tensors of one adapter: twelve times those of the largest model here.
const MAX_TENSORS: usize = 1 << 14;
/// Bytes of the header of the weights.
const MAX_HEADER: u64 = 8 << 20;

impl Adapter {
    /// Reads the adapter in `folder`; weights in f16 and bf16 become f32.
    ///
    /// # Errors
    /// [`AdapterError::File`] for what cannot be read, is too large, no safetensors file or holds
    /// NaN; those of [`LoraConfig::from_json`]; [`AdapterError::Key`],
    /// [`AdapterError::Incomplete`], [`AdapterError::Rank`], [`AdapterError::Shape`],
    /// [`AdapterError::Bytes`], [`AdapterError::Damaged`].
    pub fn open(folder: &Path, limits: &AdapterLimits) -> Result<Self, AdapterError> {
        let path = folder.join(CONFIG_FILE);
        let json = cifake::file::read_limited(&path, limits.max_config_bytes)?;
        let config = LoraConfig::from_json(&json, &path, limits)?;
        Self::read(config, Source::File(&folder.join(WEIGHTS_FILE)), limits)
    }

    /// Like [`open`](Self::open) with the content of the two files.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub fn from_bytes(
        config: &[u8],
        weights: &[u8],
        limits: &AdapterLimits,
    ) -> Result<Self, AdapterError> {
        let config = LoraConfig::from_json(config, Path::new(CONFIG_FILE), limits)?;
        Self::read(config, Source::Bytes { name: WEIGHTS_FILE, bytes: weights }, limits)
    }

    fn read(
        config: LoraConfig,
        source: Source<'_>,
        limits: &AdapterLimits,
    ) -> Result<Self, AdapterError> {
        let within = Limits {
            max_bytes: limits.max_bytes,
            max_header_bytes: MAX_HEADER,
            max_memory: limits.max_bytes.saturating_mul(4),
        };
        let checkpoint = Checkpoint::open_within(source, within)?;
        let tower = checkpoint.info().metadata.get(TOWER).cloned();
        let shapes = checkpoint.shapes();
        if let Some(key) = shapes.keys().nth(MAX_TENSORS) {
            return Err(AdapterError::Key { key: shortened(key) });
        }
        // In f32, in which they are kept, they may be twice as large as in the file.
        let n_values = shapes
            .values()
            .flat_map(|shape| shape.iter().map(|&n| n as u64).reduce(u64::saturating_mul));
        let bytes = n_values.fold(0, u64::saturating_add).saturating_mul(4);
        if bytes > limits.max_bytes {
            return Err(AdapterError::Bytes { bytes, limit: limits.max_bytes });
        }
        let mut parts: BTreeMap<String, BTreeMap<Part, TensorData>> = BTreeMap::new();
        let (mut carried, mut hash) = (BTreeMap::new(), Sha256::new());
        for (key, shape) in &shapes {
            let unknown = || AdapterError::Key { key: shortened(key) };
            if key.contains(".lora_embedding_") {
                return Err(AdapterError::Unsupported {
                    field: "target_modules".to_owned(),
                    value: EMBEDDING.to_owned(),
                    hint: "only linear layers are; merge such an adapter with PEFT",
                });
            }
            let of_base = carried_path(key, &config).filter(|_| shape.len() == 2);
            if let (Some(path), Some(data)) = (of_base, checkpoint.tensor(key)) {
                digest(&mut hash, key, &data);
                carried.insert(path, data);
                continue;
            }
            let (path, part) = Part::of(key, &config).ok_or_else(unknown)?;
            if part == Part::Weight && shape.len() == 1 {
                return Err(AdapterError::Unsupported {
                    field: "modules_to_save".to_owned(),
                    value: shortened(path),
                    hint: "norms cannot be replaced; name the linear layers, such as `merger.mlp.0`",
                });
            }
            part.check(key, shape, limits)?;
            let data = checkpoint.tensor(key).ok_or_else(unknown)?;
            if !data.dtype().is_float() {
                return Err(unknown());
            }
            digest(&mut hash, key, &data);
            if parts.entry(path.to_owned()).or_default().insert(part, data).is_some() {
                return Err(unknown());
            }
        }
        let found = hex(hash);
        if checkpoint.info().metadata.get(CHECKSUM).is_some_and(|written| *written != found) {
            return Err(AdapterError::Damaged);
        }
        let assembled = parts.into_iter().map(|(path, parts)| {
            let weights = assemble(&path, parts)?;
            Ok((path, weights))
        });
        let layers = assembled.collect::<Result<BTreeMap<_, _>, AdapterError>>()?;
        match layers.is_empty() {
            true => Err(AdapterError::NoTarget),
            false => Ok(Self { config, layers, tower, carried }),
        }
    }

    /// Writes the two files into `folder`, which is made if it does not exist. Each file is whole
    /// or not there.
    ///
    /// The same adapter gives the same bytes.
    ///
    /// # Errors
    /// [`AdapterError::File`].
    pub fn save(&self, folder: &Path) -> Result<(), AdapterError> {
        let failed = |source| cifake::Error::Write { path: folder.to_owned(), source };
        std::fs::create_dir_all(folder).map_err(failed)?;
        cifake::file::write_atomic(&folder.join(CONFIG_FILE), self.config.to_json().as_bytes())?;
        Ok(cifake::file::write_atomic(&folder.join(WEIGHTS_FILE), &self.to_safetensors())?)
    }

    /// The content of `adapter_model.safetensors`.
    #[must_use]
    pub fn to_safetensors(&self) -> Vec<u8> {
        let named = self.layers.iter().flat_map(|(path, weights)| {
            let key = move |name| format!("{PREFIX}{path}.{name}");
            weights.named().into_iter().map(move |(name, data)| (key(name), data))
        });
        let named: BTreeMap<String, &TensorData> = named.collect();
        let mut hash = Sha256::new();
        named.iter().for_each(|(key, data)| digest(&mut hash, key, data));
        let tower = self.tower.iter().map(|tower| (TOWER.to_owned(), tower.clone()));
        let others = [("format".to_owned(), "pt".to_owned()), (CHECKSUM.to_owned(), hex(hash))];
        let notes = tower.chain(others).collect();
        cifake::weights::encode(&named.into_iter().collect::<Vec<_>>(), &notes)
    }
}

/// Adds a tensor to the checksum.
fn digest(hash: &mut Sha256, key: &str, data: &TensorData) {
    hash.update((key.len() as u64).to_le_bytes());
    hash.update(key.as_bytes());
    for size in data.shape().iter() {
        hash.update((*size as u64).to_le_bytes());
    }
    for value in data.iter::<f32>() {
        hash.update(value.to_le_bytes());
    }
}

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The path of the layer whose own weight the `key` holds: PEFT saves embedding and head where the head is
/// a target.
fn carried_path(key: &str, config: &LoraConfig) -> Option<String> {
    let path = key.strip_prefix(PREFIX)?.strip_suffix(".weight")?;
    if let Some(path) = path.strip_suffix(BASE_LAYER) {
        return Some(path.to_owned());
    }
    let saved = config.modules_to_save.as_deref().unwrap_or_default();
    let is_saved = saved.iter().any(|name| super::target::is_part_of(path, name));
    let is_embedding = path.rsplit('.').next() == Some(EMBEDDING);
    (is_embedding && !is_saved).then(|| path.to_owned())
}

/// A tensor of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    A,
    B,
    Weight,
    Bias,
}

impl Part {
    /// Path and part of a key of the file.
    fn of<'k>(key: &'k str, config: &LoraConfig) -> Option<(&'k str, Self)> {
        let key = key.strip_prefix(PREFIX)?;
        let endings = [(".lora_A.weight", Self::A), (".lora_B.weight", Self::B)];
        let low_rank = |(ending, part)| Some((key.strip_suffix(ending)?, part));
        if let Some(found) = endings.into_iter().find_map(low_rank) {
            return Some(found);
        }
        config.modules_to_save.as_ref()?;
        let endings = [(".weight", Self::Weight), (".bias", Self::Bias)];
        let whole = |(ending, part)| Some((key.strip_suffix(ending)?, part));
        let (path, part) = endings.into_iter().find_map(whole)?;
        // Older versions of PEFT leave the name of the wrapper in the key.
        Some((path.strip_suffix(".modules_to_save").unwrap_or(path), part))
    }

    /// Refuses ranks above the limit and what has another number of axes.
    fn check(self, key: &str, shape: &[usize], limits: &AdapterLimits) -> Result<(), AdapterError> {
        let rank = match (self, shape) {
            (Self::A, &[rank, _]) | (Self::B, &[_, rank]) => rank,
            (Self::Weight, &[_, _]) | (Self::Bias, &[_]) => return Ok(()),
            _ => return Err(AdapterError::Key { key: shortened(key) }),
        };
        limits.check_rank(rank)
    }
}

fn assemble(
    path: &str,
    mut parts: BTreeMap<Part, TensorData>,
) -> Result<LayerWeights, AdapterError> {
    let missing = |name: &str| AdapterError::Incomplete { key: format!("{PREFIX}{path}.{name}") };
    if let Some(weight) = parts.remove(&Part::Weight) {
        let bias = parts.remove(&Part::Bias);
        return match parts.is_empty() {
            true => Ok(LayerWeights::Whole { weight, bias }),
            false => Err(AdapterError::Key { key: format!("{PREFIX}{path}.lora_A.weight") }),
        };
    }
    if parts.contains_key(&Part::Bias) {
        return Err(missing("weight"));
    }
    let a = parts.remove(&Part::A).ok_or_else(|| missing("lora_A.weight"))?;
    let b = parts.remove(&Part::B).ok_or_else(|| missing("lora_B.weight"))?;
    Ok(LayerWeights::LowRank { a, b })
}
