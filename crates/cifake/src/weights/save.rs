//! Writing weights as safetensors: the same module and texts give the same bytes.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use burn::module::Module;
use burn::store::{ModuleSnapshot, bridge};
use burn::tensor::{DType, TensorData};
use serde::Serialize;

use super::{Mapping, WeightsInfo, int8, sha256_hex};
use crate::{Error, file};

/// The precision in which weights are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// As they are.
    #[default]
    F32,
    /// Half the bytes. The running statistics of norms stay in f32: a variance may be too small for
    /// an f16.
    F16,
    /// A byte for each value of a matrix or kernel, with a scale for each index of the first axis of the
    /// file's layout, which in PyTorch's is the output channel: a value moves by at most half its
    /// scale. Biases and tensors of fewer than 1024 values are as with `F16`.
    Int8,
}

/// One entry of a safetensors header.
#[derive(Serialize)]
#[serde(untagged)]
enum Entry<'a> {
    Texts(&'a BTreeMap<String, String>),
    Tensor { dtype: &'static str, shape: Vec<usize>, data_offsets: [usize; 2] },
}

/// Writes the weights of `module` to `path`, which then holds all of them or what it held before.
///
/// `mapping` goes from the module's names to the file's; with [`Mapping::PYTORCH`] PyTorch and timm
/// read the file.
///
/// # Errors
/// [`Error::Write`], and those of [`to_bytes`].
///
/// # Panics
/// If `mapping` holds a pattern that is no regular expression.
pub fn save<M: Module>(
    module: &M,
    path: &Path,
    mapping: &Mapping<'_>,
    metadata: &BTreeMap<String, String>,
    precision: Precision,
) -> Result<WeightsInfo, Error> {
    let tensors = collect(module, path, mapping)?;
    let bytes = encode(&stored(&tensors, path, precision)?, metadata);
    file::write_atomic(path, &bytes)?;
    let n_elements = tensors.iter().map(|(_, data)| data.num_elements()).sum();
    let (n_tensors, metadata) = (tensors.len(), metadata.clone());
    Ok(WeightsInfo { sha256: sha256_hex(&bytes), n_tensors, n_elements, metadata })
}

/// The bytes of the file that [`save`] writes.
///
/// # Errors
/// [`Error::DuplicateWeights`] where `mapping` gives two weights one name;
/// [`Error::WeightNotFinite`] for NaN, infinity, and what exceeds the range of `precision`;
/// [`Error::WeightType`] for a type that is not written.
///
/// # Panics
/// If `mapping` holds a pattern that is no regular expression.
pub fn to_bytes<M: Module>(
    module: &M,
    mapping: &Mapping<'_>,
    metadata: &BTreeMap<String, String>,
    precision: Precision,
) -> Result<Vec<u8>, Error> {
    let path = Path::new("the model");
    let tensors = collect(module, path, mapping)?;
    Ok(encode(&stored(&tensors, path, precision)?, metadata))
}

/// The weights of `module` by their names in the file, as they are.
pub(super) fn collect<M: Module>(
    module: &M,
    path: &Path,
    mapping: &Mapping<'_>,
) -> Result<Vec<(String, TensorData)>, Error> {
    let tensors = module.collect(None, Some(mapping.saving_adapter()), true);
    let mut collected = Vec::new();
    for tensor in mapping.apply(tensors, path)? {
        let key = tensor.name.clone();
        let data = bridge::into_data(tensor).map_err(|error| Error::WeightUnreadable {
            path: path.to_owned(),
            key: key.clone(),
            reason: error.to_string(),
        })?;
        let data = super::checkpoint::checked(path, &key, data)?;
        collected.push((key, data));
    }
    Ok(collected)
}

/// The content of a file in `precision` for `tensors`, in the order in which it is written.
pub(super) fn stored(
    tensors: &[(String, TensorData)],
    path: &Path,
    precision: Precision,
) -> Result<Vec<(String, TensorData)>, Error> {
    let mut written: Vec<(String, TensorData)> = Vec::new();
    for (key, data) in tensors {
        let is_float = data.dtype().is_float();
        if precision == Precision::Int8 && is_float && int8::is_quantized(key, data) {
            let values = data.as_slice::<f32>().expect("floats are checked to be f32");
            let [bytes, scales] = int8::quantized(values, data.shape());
            written.push((key.clone(), bytes));
            written.push((int8::scale_key(key), scales));
        } else {
            written.push((key.clone(), in_precision(path, key, data.clone(), precision)?));
        }
    }
    // The format wants larger types first, so that every tensor is aligned.
    written.sort_by(|(a_key, a), (b_key, b)| {
        b.dtype().size().cmp(&a.dtype().size()).then_with(|| a_key.cmp(b_key))
    });
    let mut names = BTreeSet::new();
    match written.iter().find(|(key, _)| !names.insert(key.as_str())) {
        Some((key, _)) => Err(Error::DuplicateWeights { path: path.to_owned(), key: key.clone() }),
        None => Ok(written),
    }
}

/// `data` in `precision`, where it is a float that can be and is not stored in bytes.
fn in_precision(
    path: &Path,
    key: &str,
    data: TensorData,
    precision: Precision,
) -> Result<TensorData, Error> {
    let statistic = key.ends_with("running_mean") || key.ends_with("running_var");
    if precision == Precision::F32 || !data.dtype().is_float() || statistic {
        return match dtype_name(data.dtype()) {
            Some(_) => Ok(data),
            None => {
                let dtype = format!("{:?}", data.dtype());
                Err(Error::WeightType { path: path.to_owned(), key: key.to_owned(), dtype })
            }
        };
    }
    let half = data.convert_dtype(DType::F16);
    super::checkpoint::checked(path, key, half.clone())?;
    Ok(half)
}

/// The format's name of a type, where it is one that is written.
fn dtype_name(dtype: DType) -> Option<&'static str> {
    match dtype {
        DType::F32 => Some("F32"),
        DType::F16 => Some("F16"),
        DType::I64 => Some("I64"),
        DType::I32 => Some("I32"),
        DType::I8 => Some("I8"),
        DType::U8 => Some("U8"),
        _ => None,
    }
}

/// The bytes of a safetensors file of `tensors`, whose keys are distinct, in their order.
///
/// The header is written here because the crate's own orders the texts by a hash that differs from run
/// to run.
///
/// # Panics
/// For a tensor that is neither f32, f16 nor of whole numbers.
#[must_use]
pub fn encode<T: Borrow<TensorData>>(
    tensors: &[(String, T)],
    metadata: &BTreeMap<String, String>,
) -> Vec<u8> {
    let mut entries = BTreeMap::new();
    if !metadata.is_empty() {
        entries.insert("__metadata__", Entry::Texts(metadata));
    }
    let mut end = 0;
    for (key, data) in tensors {
        let data = data.borrow();
        let start = end;
        end += data.as_bytes().len();
        let dtype = dtype_name(data.dtype()).expect("it is of a type that is written");
        let shape = data.shape().to_vec();
        entries.insert(key, Entry::Tensor { dtype, shape, data_offsets: [start, end] });
    }
    let mut header = serde_json::to_vec(&entries).expect("texts and numbers are always JSON");
    header.resize(header.len().next_multiple_of(8), b' ');

    let mut bytes = Vec::with_capacity(8 + header.len() + end);
    bytes.extend((header.len() as u64).to_le_bytes());
    bytes.extend(header);
    for (_, data) in tensors {
        bytes.extend_from_slice(data.borrow().as_bytes());
    }
    bytes
}
