//! Weights of a llama.cpp file.
//!
//! The format is ggml's `docs/gguf.md`, versions 2 and 3, little-endian. Tensors of the types F32,
//! F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0 and Q6_K are read. Those that fit a format of this crate
//! keep their codes. A matrix then holds exactly the numbers of the file in about as many bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor, TensorData};
use memmap2::{Mmap, MmapOptions};

use super::header::{self, Header, Info, Value};
use super::{block, names};
use crate::error::Error;
use crate::source::format::WeightFormat;
use crate::source::limits::Limits;
use crate::source::matrix::Matrix;
use crate::source::weight_source::WeightSource;

/// The weights of a llama.cpp file, under the names that transformers gives them; strict both ways as
/// [`Folder`](crate::Folder) is.
pub struct Gguf {
    path: PathBuf,
    file: File,
    header: Header,
    used: BTreeSet<String>,
    /// `None` if matrices keep the file's codes.
    format: Option<WeightFormat>,
    device: Device,
}

impl Gguf {
    /// Opens the file at `path` within the default limits. Matrices are kept in `format`, or where that
    /// is `None` as the file has them, on `device`.
    ///
    /// # Errors
    /// [`Error::Cifake`] and [`Error::Read`] where it cannot be read, [`Error::Weights`] where the format is
    /// broken, [`Error::Limit`].
    pub fn open(path: &Path, format: Option<WeightFormat>, device: &Device) -> Result<Self, Error> {
        Self::open_within(path, format, device, &Limits::default())
    }

    /// [`open`](Self::open) within `limits`.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_within(
        path: &Path,
        format: Option<WeightFormat>,
        device: &Device,
        limits: &Limits,
    ) -> Result<Self, Error> {
        let failed = |source| Error::Read { path: path.to_owned(), source };
        let file = cifake::file::open(path)?;
        let len = file.metadata().map_err(failed)?.len();
        let wanted = len.min(limits.max_header_bytes);
        let map = map(&file, 0, wanted).map_err(failed)?;
        let header = header::parse(map.as_deref().unwrap_or_default(), len, limits);
        let header = header.map_err(|reason| reason.into_error(path))?;
        Limits::check("the total of all weights, in bytes,", len, limits.max_bytes)?;
        let (path, device) = (path.to_owned(), device.clone());
        Ok(Self { path, file, header, used: BTreeSet::new(), format, device })
    }

    /// The metadata of the file.
    #[must_use]
    pub fn metadata(&self) -> &BTreeMap<String, Value> {
        &self.header.metadata
    }

    /// The file's header: its metadata, and where its tensors lie.
    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The token that ends an answer.
    #[must_use]
    pub fn end_token(&self) -> Option<u32> {
        let id = self.metadata().get("tokenizer.ggml.eos_token_id")?.as_size()?;
        u32::try_from(id).ok()
    }

    /// Ends the loading of a model.
    ///
    /// # Errors
    /// [`Error::UnusedWeights`] if the model did not ask for a weight.
    pub fn finish(self) -> Result<(), Error> {
        let names = self.header.tensors.into_keys().filter(|name| !self.used.contains(name));
        let names: Vec<String> = names.collect();
        if names.is_empty() { Ok(()) } else { Err(Error::UnusedWeights { path: self.path, names }) }
    }

    /// The tensor that transformers calls `name`, which must be of `shape`: its rows, of which those of
    /// queries and keys stand as in transformers.
    fn rows(&mut self, name: &str, shape: &[usize]) -> Result<(Info, Vec<u8>), Error> {
        let path = || self.path.clone();
        let known = names::of(name).filter(|known| self.header.tensors.contains_key(known));
        let missing = || Error::MissingWeight { path: path(), name: name.to_owned() };
        let known = known.ok_or_else(missing)?;
        let info = self.header.tensors.get(&known).ok_or_else(missing)?.clone();
        if info.shape != shape {
            let (found, expected) = (info.shape, shape.to_vec());
            return Err(Error::WeightShape { path: path(), name: known, found, expected });
        }
        let failed = |source| Error::Read { path: path(), source };
        if self.file.metadata().map_err(failed)?.len() < info.start + info.len {
            let reason = "it has become shorter since it was opened".to_owned();
            return Err(Error::Weights { path: path(), reason });
        }
        let map = map(&self.file, info.start, info.len).map_err(failed)?;
        let bytes = map.as_deref().unwrap_or_default();
        let heads = names::turned_heads(name, &self.header)
            .filter(|heads| shape[0].is_multiple_of(2 * heads));
        let bytes = match heads {
            Some(n_heads) => names::unturned(bytes, shape[0], n_heads),
            None => bytes.to_vec(),
        };
        self.used.insert(known);
        Ok((info, bytes))
    }

    fn floats(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, Error> {
        let (info, bytes) = self.rows(name, shape)?;
        let found = block::floats(info.kind, &bytes);
        let name = name.to_owned();
        let Some(values) = found else {
            let found = format!("ggml {}", info.kind);
            return Err(Error::WeightType { path: self.path.clone(), name, found });
        };
        if values.iter().any(|value| !value.is_finite()) {
            return Err(Error::WeightNotFinite { path: self.path.clone(), name });
        }
        Ok(values)
    }
}

impl WeightSource for Gguf {
    fn matrix(&mut self, name: &str, shape: [usize; 2]) -> Result<Matrix, Error> {
        if let Some(format) = self.format {
            return Ok(Matrix::new(self.floats(name, &shape)?, shape, format, &self.device));
        }
        let (info, bytes) = self.rows(name, &shape)?;
        match block::packed(info.kind, &bytes, shape) {
            Some(packed) => Ok(Matrix::packed(packed, &self.device)),
            None => {
                Ok(Matrix::new(self.floats(name, &shape)?, shape, WeightFormat::F32, &self.device))
            }
        }
    }

    fn values(&mut self, name: &str, shape: &[usize]) -> Result<Tensor<1>, Error> {
        let values = self.floats(name, shape)?;
        let len = values.len();
        Ok(Tensor::from_data(TensorData::new(values, [len]), &self.device))
    }

    fn contains(&self, name: &str) -> bool {
        names::of(name).is_some_and(|known| self.header.tensors.contains_key(&known))
    }

    fn device(&self) -> &Device {
        &self.device
    }
}

/// Part of a file in memory.
fn map(file: &File, start: u64, len: u64) -> std::io::Result<Option<Mmap>> {
    let len = usize::try_from(len).map_err(std::io::Error::other)?;
    if len == 0 {
        return Ok(None);
    }
    let mut options = MmapOptions::new();
    options.offset(start).len(len);
    // SAFETY: the map is read-only and lives as long as one tensor is converted, or the header read;
    // that another process changes or cuts the file meanwhile is what no reader of maps can exclude.
    unsafe { options.map(file) }.map(Some)
}
