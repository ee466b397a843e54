//! A weight file in memory: checked once, then loaded into a module, all of it or nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::store::{ApplyError, ApplyResult, ModuleSnapshot, bridge, burn_pack};
use burn::tensor::{DType, TensorData};

use super::Mapping;
use crate::Error;

/// The facts about weights that were read or written.
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
