//! A model folder with an adapter merged into its weights, made file by file without loading the model.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor};
use half::{bf16, f16};
use memmap2::Mmap;
use safetensors::tensor::{Dtype, SafeTensors, TensorView, View};

use super::adapter::{Adapter, LayerWeights};
use super::file::{CONFIG_FILE, WEIGHTS_FILE};
use super::skeleton::Skeleton;
use super::target::Role;
use crate::error::AdapterError;
use crate::peft::{AdapterLimits, Naming};

/// Endings of what stands beside the weights in a model folder and is copied.
const COPIED: &[&str] = &["json", "txt", "model", "jinja", "md", "tiktoken"];

/// The weights of one model when they are in one file.
const SINGLE: &str = "model.safetensors";
/// The index of weights by file, for weights in several files.
const INDEX: &str = "model.safetensors.index.json";
/// Bytes of an index, at most.
const MAX_INDEX_BYTES: u64 = 64 << 20;

/// The size of an exported model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// Weight files.
    pub n_files: usize,
    /// Weights that the adapter changed.
    pub n_changed: usize,
    /// Bytes of the weight files.
    pub bytes: u64,
}

/// Writes the model in the folder `base`, with `adapter` merged into it, as a new folder `out`.
/// Tokenizer and configuration are copied; files, names and precision are the base's. One weight at
/// a time is in memory; sums are computed in f32 on `device`.
///
/// The folder appears whole or not at all. A head that was the base's embedding gets weights of its
/// own if the adapter changes it. The configuration then says so, as with PEFT's
/// `merge_and_unload`.
///
/// # Errors
/// [`AdapterError::Base`] where `out` exists and is not empty, where a weight that the adapter changes
/// is missing, of another shape or quantized, or where a sum leaves the range of the precision;
/// what [`Adapter::attach`] refuses of an adapter that does not fit; [`AdapterError::Model`] where
/// `config.json` does not tell the layers; [`AdapterError::File`].
pub fn export_merged(
    base: &Path,
    adapter: &Adapter,
    out: &Path,
    device: &Device,
) -> Result<Exported, AdapterError> {
    let unfit = |path: &Path, reason: &str| AdapterError::Base {
        path: path.to_owned(),
        reason: reason.to_owned(),
    };
    if out.exists() && entries(out)?.next().is_some() {
        return Err(unfit(out, "it exists and is not empty; choose another folder"));
    }
    let [shards, others] = files(base)?;
    if shards.is_empty() {
        return Err(unfit(base, "it holds no safetensors file"));
    }
    let maps = shards.iter().map(|path| map(path)).collect::<Result<Vec<_>, _>>()?;
    let mut parsed = Vec::new();
    for (path, map) in shards.iter().zip(&maps) {
        let broken = |source| cifake::Error::NotSafetensors { path: path.to_path_buf(), source };
        parsed.push(SafeTensors::deserialize(map).map_err(broken)?);
    }
    let mut skeleton = Skeleton::of(base)?;
    let Plan { changes, head } = plan(adapter, &mut skeleton, base, &parsed)?;
    let parent = match out.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let failed = |source| cifake::Error::Write { path: out.to_owned(), source };
    fs::create_dir_all(parent).map_err(failed)?;
    let folder = tempfile::Builder::new().prefix(".merge").tempdir_in(parent).map_err(failed)?;
    let mut bytes = 0;
    for (path, (file, map)) in shards.iter().zip(parsed.iter().zip(&maps)) {
        let target = folder.path().join(path.file_name().unwrap_or_default());
        let written = write(file, map, &changes, head.as_ref(), &target, device);
        written.map_err(|reason| unfit(path, &reason))?;
        bytes += fs::metadata(&target).map_err(failed)?.len();
    }
    for path in others {
        let target = folder.path().join(path.file_name().unwrap_or_default());
        fs::copy(path, target).map_err(failed)?;
    }
    if changes.keys().any(|name| *name == format!("{}.weight", skeleton.head)) && skeleton.tied {
        let config = format!("{:#}\n", skeleton.untied());
        cifake::file::write_atomic(&folder.path().join("config.json"), config.as_bytes())?;
        if let Some(head) = &head {
            list_head(base, folder.path(), head)?;
        }
    }
    #[cfg(unix)]
    {
        let mode = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
        fs::set_permissions(folder.path(), mode).map_err(failed)?;
    }
    fs::rename(folder.keep(), out).map_err(failed)?;
    Ok(Exported { n_files: shards.len(), n_changed: changes.len(), bytes })
}

/// The change of a weight.
#[derive(Debug, Clone, Copy)]
struct Change<'a> {
    weights: &'a LayerWeights,
    scale: f64,
}

/// A head that gets weights of its own.
#[derive(Debug)]
struct Head {
    /// Its name in the files.
    name: String,
    /// The embedding's, from which it is made.
    source: String,
}

/// The model that is written.
struct Plan<'a> {
    /// By their names in the files.
    changes: BTreeMap<String, Change<'a>>,
    head: Option<Head>,
}

/// Every weight that `adapter` changes: those of all layers that its configuration names in the base.
fn plan<'a>(
    adapter: &'a Adapter,
    skeleton: &mut Skeleton,
    base: &Path,
    files: &[SafeTensors<'_>],
) -> Result<Plan<'a>, AdapterError> {
    let naming = adapter.naming(&mut *skeleton.model);
    let roles = adapter.fit(&mut *skeleton.model, naming, &AdapterLimits::default())?;
    let names: BTreeSet<&str> = files.iter().flat_map(SafeTensors::names).collect();
    // Newer files call the parts as newer classes do.
    let stored = |path: &str, part: &str| {
        let forms = Naming::ALL.map(|naming| naming.to_peft(path));
        let mut forms = forms.into_iter().map(|path| format!("{path}.{part}"));
        forms.find(|name| names.contains(name.as_str()))
    };
    let lacks = |name: &str| AdapterError::Base {
        path: base.to_owned(),
        reason: format!("it lacks `{name}`, which the adapter changes"),
    };
    let embedding = stored(&skeleton.embedding, "weight");
    let (mut changes, mut head) = (BTreeMap::new(), None);
    for (path, role) in &roles {
        let weights = &adapter.layers[&naming.to_peft(path)];
        let scale = if let Role::LowRank { scale, .. } = role { *scale } else { 1.0 };
        let name = match (stored(path, "weight"), &embedding) {
            (Some(name), _) => name,
            (None, Some(source)) if *path == skeleton.head && skeleton.tied => {
                let (name, source) = (format!("{path}.weight"), source.clone());
                head = Some(Head { name: name.clone(), source });
                name
            }
            _ => return Err(lacks(&format!("{path}.weight"))),
        };
        if let LayerWeights::Whole { bias: Some(_), .. } = weights {
            let name = stored(path, "bias").ok_or_else(|| lacks(&format!("{path}.bias")))?;
            changes.insert(name, Change { weights, scale });
        }
        changes.insert(name, Change { weights, scale });
    }
    for (path, data) in &adapter.carried {
        let own = naming.to_checkpoint(path).unwrap_or_default();
        let name = stored(&own, "weight").or(embedding.clone()).unwrap_or_default();
        let view = files.iter().find_map(|file| file.tensor(&name).ok());
        let same = view.is_some_and(|view| {
            view.shape() == data.shape().to_vec()
                && floats(view.data(), view.dtype()).eq(data.iter::<f32>())
        });
        if !same {
            return Err(AdapterError::Carried { path: path.clone() });
        }
    }
    Ok(Plan { changes, head })
}

/// Lists the `head` in the index of `folder`, if `base` has one, in the file of the embedding.
fn list_head(base: &Path, folder: &Path, head: &Head) -> Result<(), AdapterError> {
    let path = base.join(INDEX);
    if !path.is_file() {
        return Ok(());
    }
    let json = cifake::file::read_limited(&path, MAX_INDEX_BYTES)?;
    let broken = |source| AdapterError::NotIndex { path: path.clone(), source };
    let mut index: serde_json::Value = serde_json::from_slice(&json).map_err(broken)?;
    index["weight_map"][&head.name] = index["weight_map"][&head.source].clone();
    let text = format!("{index:#}\n");
    Ok(cifake::file::write_atomic(&folder.join(INDEX), text.as_bytes())?)
}

/// One file with its changes.
fn write(
    file: &SafeTensors<'_>,
    bytes: &[u8],
    changes: &BTreeMap<String, Change<'_>>,
    head: Option<&Head>,
    target: &Path,
    device: &Device,
) -> Result<(), String> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| error.to_string())?;
    let overflow = Cell::new(false);
    let mut tensors = Vec::new();
    let of_head = head.and_then(|head| Some((head.name.as_str(), file.tensor(&head.source).ok()?)));
    for (name, view) in file.iter().chain(of_head) {
        let change = changes.get(name).copied();
        if let Some(change) = change {
            check(name, &view, change)?;
        }
        let is_bias = name.ends_with(".bias");
        tensors.push((name, Merged { view, change, is_bias, device, overflow: &overflow }));
    }
    safetensors::serialize_to_file(tensors, header.metadata().clone(), target)
        .map_err(|error| error.to_string())?;
    match overflow.get() {
        true => Err("a merged weight is too large for its precision".to_owned()),
        false => Ok(()),
    }
}

/// Whether a weight can take its change.
fn check(name: &str, view: &TensorView<'_>, change: Change<'_>) -> Result<(), String> {
    if !matches!(view.dtype(), Dtype::F32 | Dtype::F16 | Dtype::BF16) {
        return Err(format!(
            "`{name}` is stored as {:?}, not in full or half precision",
            view.dtype()
        ));
    }
    let expected = match change.weights {
        LayerWeights::LowRank { a, b } => vec![b.shape()[0], a.shape()[1]],
        LayerWeights::Whole { bias: Some(bias), .. } if name.ends_with(".bias") => {
            bias.shape().to_vec()
        }
        LayerWeights::Whole { weight, .. } => weight.shape().to_vec(),
    };
    match view.shape() == expected {
        true => Ok(()),
        false => Err(format!("`{name}` is {:?}, and the adapter's {expected:?}", view.shape())),
    }
}

/// A weight that is computed when it is written.
struct Merged<'a> {
    view: TensorView<'a>,
    change: Option<Change<'a>>,
    is_bias: bool,
    device: &'a Device,
    overflow: &'a Cell<bool>,
}

impl View for Merged<'_> {
    fn dtype(&self) -> Dtype {
        self.view.dtype()
    }

    fn shape(&self) -> &[usize] {
        self.view.shape()
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let Some(Change { weights, scale }) = self.change else {
            return Cow::Borrowed(self.view.data());
        };
        let values: Vec<f32> = match weights {
            LayerWeights::LowRank { a, b } => {
                let own = floats(self.view.data(), self.view.dtype());
                let matrix = |data: &burn::tensor::TensorData| {
                    Tensor::<2>::from_data(data.clone(), self.device)
                };
                let product = matrix(b).matmul(matrix(a)) * scale;
                own.zip(product.into_data().iter::<f32>()).map(|(own, more)| own + more).collect()
            }
            LayerWeights::Whole { bias: Some(bias), .. } if self.is_bias => bias.iter().collect(),
            LayerWeights::Whole { weight, .. } => weight.iter().collect(),
        };
        let (bytes, is_finite) = rounded(&values, self.view.dtype());
        self.overflow.set(self.overflow.get() || !is_finite);
        Cow::Owned(bytes)
    }

    fn data_len(&self) -> usize {
        self.view.data().len()
    }
}

fn floats(bytes: &[u8], dtype: Dtype) -> Box<dyn Iterator<Item = f32> + '_> {
    let halves = bytes.as_chunks::<2>().0.iter();
    match dtype {
        Dtype::F16 => Box::new(halves.map(|bytes| f16::from_le_bytes(*bytes).to_f32())),
        Dtype::BF16 => Box::new(halves.map(|bytes| bf16::from_le_bytes(*bytes).to_f32())),
        _ => Box::new(bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes))),
    }
}

/// The values in `dtype`, and whether all of them are finite there.
fn rounded(values: &[f32], dtype: Dtype) -> (Vec<u8>, bool) {
    let mut bytes = Vec::with_capacity(4 * values.len());
    let mut is_finite = true;
    for &value in values {
        match dtype {
            Dtype::F16 => {
                let value = f16::from_f32(value);
                is_finite &= value.is_finite();
                bytes.extend(value.to_le_bytes());
            }
            Dtype::BF16 => {
                let value = bf16::from_f32(value);
                is_finite &= value.is_finite();
                bytes.extend(value.to_le_bytes());
            }
            _ => {
                is_finite &= value.is_finite();
                bytes.extend(value.to_le_bytes());
            }
        }
    }
    (bytes, is_finite)
}

/// The weights and what is copied of a model folder, sorted.
///
/// Weights are those that the index names, `model.safetensors`, or where there is neither, every
/// safetensors file.
fn files(folder: &Path) -> Result<[Vec<PathBuf>; 2], AdapterError> {
    let index = folder.join(INDEX);
    let named: Option<BTreeSet<String>> = if index.is_file() {
        let json = cifake::file::read_limited(&index, MAX_INDEX_BYTES)?;
        let broken = |source| AdapterError::NotIndex { path: index.clone(), source };
        let index: Index = serde_json::from_slice(&json).map_err(broken)?;
        Some(index.weight_map.into_values().collect())
    } else if folder.join(SINGLE).is_file() {
        Some([SINGLE.to_owned()].into())
    } else {
        None
    };
    let mut files: Vec<PathBuf> = entries(folder)?.filter(|path| path.is_file()).collect();
    files.sort();
    let is_weights = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        has_ending(path, &["safetensors"])
            && name != WEIGHTS_FILE
            && named.as_ref().is_none_or(|named| named.contains(name))
    };
    let weights: Vec<PathBuf> = files.iter().filter(|path| is_weights(path)).cloned().collect();
    files.retain(|path| has_ending(path, COPIED) && !path.ends_with(CONFIG_FILE));
    match named.is_some_and(|named| named.len() != weights.len()) {
        true => {
            let reason = "its index names files that are not there".to_owned();
            Err(AdapterError::Base { path: folder.to_owned(), reason })
        }
        false => Ok([weights, files]),
    }
}

#[derive(serde::Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

fn entries(folder: &Path) -> Result<impl Iterator<Item = PathBuf>, AdapterError> {
    let failed = |source| cifake::Error::Read { path: folder.to_owned(), source };
    let entries = fs::read_dir(folder).map_err(failed)?;
    Ok(entries.filter_map(|entry| Some(entry.ok()?.path())))
}

fn has_ending(path: &Path, endings: &[&str]) -> bool {
    path.extension().is_some_and(|ending| endings.iter().any(|known| ending == *known))
}

fn map(path: &Path) -> Result<Mmap, AdapterError> {
    let failed = |source| cifake::Error::Read { path: path.to_owned(), source };
    let file = cifake::file::open(path)?;
    // SAFETY: the map is read-only and is dropped when the folder is written; that another process
    // changes or cuts the file meanwhile is the one case no reader of maps can exclude.
    Ok(unsafe { Mmap::map(&file) }.map_err(failed)?)
}
