//! The sources of weights, and the ways to read them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use burn::store::bridge;
use burn::tensor::{DType, TensorData};
use safetensors::Dtype;

use super::checkpoint::{Checkpoint, checked};
use super::content::{Content, PREFIX, Stored};
use super::int8;
use super::limits::Limits;
use crate::{Error, file};

/// A source of weights.
#[derive(Debug, Clone, Copy)]
pub enum Source<'a> {
    /// A safetensors file; with the feature `pytorch` also a `.pt` or `.pth` file, known by content.
    File(&'a Path),
    /// The bytes of a safetensors file.
    Bytes {
        /// The name of the weights in errors.
        name: &'a str,
        /// The whole file.
        bytes: &'a [u8],
    },
}

impl Source<'_> {
    /// The name of the weights in errors.
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
