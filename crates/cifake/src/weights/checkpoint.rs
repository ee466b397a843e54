//! A weight file in memory: checked once, then loaded into a module, all of it or nothing.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::store::{ApplyError, ApplyResult, ModuleSnapshot, bridge, burn_pack};
use burn::tensor::{DType, TensorData};
use safetensors::Dtype;

use super::content::{Content, PREFIX, Stored};
use super::limits::Limits;
use super::{Mapping, int8};
use crate::{Error, file};

/// Where weights come from.
#[derive(Debug, Clone, Copy)]
pub enum Source<'a> {
    /// A safetensors file; with the feature `pytorch` also a `.pt` or `.pth` file, known by content.
    File(&'a Path),
    /// The bytes of a safetensors file.
    Bytes {
        /// What errors call them.
        name: &'a str,
        /// The whole file.
        bytes: &'a [u8],
    },
}

impl Source<'_> {
    /// What errors call it.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        match self {
            Self::File(path) => path.to_path_buf(),
            Self::Bytes { name, .. } => PathBuf::from(name),
        }
    }
}

impl<'a> From<&'a Path> for Source<'a> {
    fn from(path: &'a Path) -> Self {
        Self::File(path)
    }
}

/// What is known of weights that were read or written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeightsInfo {
    /// SHA-256 of the whole file, 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// Number of tensors.
    pub n_tensors: usize,
    /// Number of elements over all tensors.
    pub n_elements: usize,
    /// The file's own texts; empty for a PyTorch pickle.
    pub metadata: BTreeMap<String, String>,
}

/// The tensors of a weight file. Every float is finite and in f32, whatever the file's precision.
#[derive(Clone)]
pub struct Checkpoint {
    path: PathBuf,
    info: WeightsInfo,
    tensors: Vec<burn_pack::Tensor>,
}

impl Checkpoint {
    /// Reads `source` within the default [`Limits`].
    ///
    /// # Errors
    /// See [`Checkpoint::open_within`].
    pub fn open(source: Source<'_>) -> Result<Self, Error> {
        Self::open_within(source, Limits::default())
    }

    /// Reads `source` within `limits`.
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::FileTooLarge`], [`Error::WeightsTooLarge`], [`Error::NotSafetensors`],
    /// [`Error::WeightType`], [`Error::WeightNotFinite`]; [`Error::WeightUnreadable`] for weights in bytes
    /// with broken scales or none; for a PyTorch pickle [`Error::NotPytorch`], or
    /// [`Error::PytorchNotCompiled`] in a build without it.
    pub fn open_within(source: Source<'_>, limits: Limits) -> Result<Self, Error> {
        match source {
            Source::File(path) => Self::from_file(path, limits),
            Source::Bytes { name, bytes } => {
                let (path, mut reader) = (PathBuf::from(name), bytes);
                Self::from_content(
                    &path,
                    Content::read(&path, &mut reader, bytes.len() as u64, limits)?,
                )
            }
        }
    }

    fn from_file(path: &Path, limits: Limits) -> Result<Self, Error> {
        let failed = |source| Error::Read { path: path.to_owned(), source };
        let mut file = file::open(path)?;
        let n_bytes = file.metadata().map_err(failed)?.len();
        if n_bytes > limits.max_bytes {
            let limit = limits.max_bytes;
            return Err(Error::FileTooLarge { path: path.to_owned(), bytes: n_bytes, limit });
        }
        let mut start = Vec::new();
        (&mut file).take(PREFIX as u64 + 1).read_to_end(&mut start).map_err(failed)?;
        if is_pickle(&start) {
            return open_pickle(path, file, limits);
        }
        let mut reader = start.as_slice().chain(file);
        Self::from_content(path, Content::read(path, &mut reader, n_bytes, limits)?)
    }

    fn from_content(path: &Path, content: Content) -> Result<Self, Error> {
        let Content { tensors: mut stored, texts, sha256 } = content;
        let in_bytes = |(_, stored): &(&String, &Stored)| stored.dtype == Dtype::I8;
        let names = stored.iter().filter(in_bytes).map(|(name, _)| int8::scale_key(name));
        let scales: Vec<String> = names.collect();
        let scales: BTreeMap<_, _> =
            scales.into_iter().filter_map(|name| stored.remove_entry(&name)).collect();
        let mut tensors = Vec::new();
        for (name, stored) in stored {
            let data = if stored.dtype == Dtype::I8 {
                let scales = scales.get(&int8::scale_key(&name)).map(Stored::view);
                int8::dequantized(path, &name, &stored.view(), scales.as_ref())?
            } else {
                let dtype = dtype_of(path, &name, stored.dtype)?;
                TensorData::from_bytes_vec(stored.bytes, stored.shape, dtype)
            };
            tensors.push(bridge::from_data(checked(path, &name, data)?, name, None));
        }
        Ok(Self::new(path.to_owned(), sha256, tensors, texts))
    }

    pub(super) fn new(
        path: PathBuf,
        sha256: String,
        mut tensors: Vec<burn_pack::Tensor>,
        metadata: BTreeMap<String, String>,
    ) -> Self {
        tensors.sort_by(|a, b| a.name.cmp(&b.name));
        let n_elements = tensors.iter().map(|tensor| tensor.shape.num_elements()).sum();
        let n_tensors = tensors.len();
        let info = WeightsInfo { sha256, n_tensors, n_elements, metadata };
        Self { path, info, tensors }
    }

    /// The file, or what errors call its bytes.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file's hash, size and texts.
    #[must_use]
    pub fn info(&self) -> &WeightsInfo {
        &self.info
    }

    /// The file's weights, by the file's names, with their shapes in the file's layout.
    #[must_use]
    pub fn shapes(&self) -> BTreeMap<&str, Vec<usize>> {
        self.tensors.iter().map(|tensor| (tensor.name.as_str(), tensor.shape.to_vec())).collect()
    }

    /// The weight that the file calls `key`, in the file's layout.
    #[must_use]
    pub fn tensor(&self, key: &str) -> Option<TensorData> {
        let tensor = self.tensors.iter().find(|tensor| tensor.name == key)?;
        bridge::to_data(tensor).ok()
    }

    /// Takes the tensors out whose names begin with `prefix`, by the rest of their names.
    ///
    /// # Errors
    /// [`Error::WeightUnreadable`].
    pub fn take(&mut self, prefix: &str) -> Result<BTreeMap<String, TensorData>, Error> {
        let (taken, kept) = std::mem::take(&mut self.tensors)
            .into_iter()
            .partition(|tensor: &burn_pack::Tensor| tensor.name.starts_with(prefix));
        self.tensors = kept;
        let taken: Vec<burn_pack::Tensor> = taken;
        let named = |tensor: burn_pack::Tensor| {
            let key = tensor.name.clone();
            let data = bridge::into_data(tensor).map_err(|error| Error::WeightUnreadable {
                path: self.path.clone(),
                key: key.clone(),
                reason: error.to_string(),
            })?;
            Ok((key[prefix.len()..].to_owned(), data))
        };
        taken.into_iter().map(named).collect()
    }

    /// Loads every weight into `module`, which must need them all and no other.
    ///
    /// # Errors
    /// [`Error::WeightShape`], [`Error::WeightType`], [`Error::MissingWeights`],
    /// [`Error::UnusedWeights`], [`Error::DuplicateWeights`]; `module` is then unchanged.
    ///
    /// # Panics
    /// If `mapping` holds a pattern that is no regular expression.
    pub fn load_into<M: Module>(&self, module: &mut M, mapping: &Mapping<'_>) -> Result<(), Error> {
        let tensors = mapping.apply(self.tensors.clone(), &self.path)?;
        let mut loaded = module.clone();
        let result = loaded.apply(tensors, None, Some(mapping.loading_adapter()), true);
        strict(&self.path, result)?;
        *module = loaded;
        Ok(())
    }
}

/// Turns whatever is not a full match into an error.
fn strict(path: &Path, result: ApplyResult) -> Result<(), Error> {
    let path = path.to_owned();
    if let Some(error) = result.errors.into_iter().next() {
        return Err(match error {
            ApplyError::ShapeMismatch { path: key, expected, found } => {
                let (expected, found) = (expected.to_vec(), found.to_vec());
                Error::WeightShape { path, key, expected, found }
            }
            ApplyError::DTypeMismatch { path: key, found, .. } => {
                Error::WeightType { path, key, dtype: format!("{found:?}") }
            }
            ApplyError::AdapterError { path: key, message }
            | ApplyError::LoadError { path: key, message } => {
                Error::WeightUnreadable { path, key, reason: message }
            }
        });
    }
    if !result.missing.is_empty() {
        let keys = result.missing.into_iter().map(|(key, _)| key).collect();
        return Err(Error::MissingWeights { path, keys });
    }
    if !result.unused.is_empty() {
        return Err(Error::UnusedWeights { path, keys: result.unused });
    }
    Ok(())
}

/// The burn type of a safetensors type, where it is one that is read.
fn dtype_of(path: &Path, key: &str, dtype: Dtype) -> Result<DType, Error> {
    match dtype {
        Dtype::F32 => Ok(DType::F32),
        Dtype::F16 => Ok(DType::F16),
        Dtype::BF16 => Ok(DType::BF16),
        Dtype::I64 => Ok(DType::I64),
        Dtype::I32 => Ok(DType::I32),
        Dtype::U8 => Ok(DType::U8),
        other => {
            let (path, key) = (path.to_owned(), key.to_owned());
            Err(Error::WeightType { path, key, dtype: format!("{other:?}") })
        }
    }
}

/// `data` with floats in f32, all of them finite.
pub(super) fn checked(path: &Path, key: &str, data: TensorData) -> Result<TensorData, Error> {
    if !data.dtype().is_float() {
        return Ok(data);
    }
    let data = data.convert_dtype(DType::F32);
    let unreadable = |error: burn::tensor::DataError| Error::WeightUnreadable {
        path: path.to_owned(),
        key: key.to_owned(),
        reason: error.to_string(),
    };
    let values = data.as_slice::<f32>().map_err(unreadable)?;
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(data),
        Some(index) => {
            let (path, key, value) = (path.to_owned(), key.to_owned(), values[index]);
            Err(Error::WeightNotFinite { path, key, index, value })
        }
    }
}

/// Whether a file that begins with `bytes` is PyTorch's: a zip archive, or a bare pickle of protocol
/// 2 to 5.
fn is_pickle(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04")
        || (matches!(bytes, [0x80, 2..=5, ..]) && bytes.get(PREFIX) != Some(&b'{'))
}

#[cfg(feature = "pytorch")]
fn open_pickle(path: &Path, file: File, limits: Limits) -> Result<Checkpoint, Error> {
    super::pytorch::open(path, file, limits)
}

#[cfg(not(feature = "pytorch"))]
fn open_pickle(path: &Path, _file: File, _limits: Limits) -> Result<Checkpoint, Error> {
    Err(Error::PytorchNotCompiled { path: path.to_owned() })
}
