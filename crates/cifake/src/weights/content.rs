//! The content of a safetensors file, read tensor by tensor after its header is checked.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::path::Path;

use safetensors::tensor::{Metadata, TensorInfo, TensorView};
use safetensors::{Dtype, SafeTensorError};
use sha2::{Digest, Sha256};

use super::digest::hex;
use super::int8::scale_key;
use super::limits::Limits;
use crate::Error;

/// Length of the number at the start of a safetensors file, which is the length of its header.
pub(super) const PREFIX: usize = 8;

/// A tensor as the file holds it.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<usize>,
    pub(super) bytes: Vec<u8>,
}

/// The content of a safetensors file.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) tensors: BTreeMap<String, Stored>,
    pub(super) texts: BTreeMap<String, String>,
    /// SHA-256 of the whole file.
    pub(super) sha256: String,
}

impl Content {
    /// Reads a file of `n_bytes`. The claims of its header are checked before memory is taken for
    /// them.
    ///
    /// # Errors
    /// [`Error::NotSafetensors`], [`Error::WeightsTooLarge`], [`Error::Read`].
    pub(super) fn read(
        path: &Path,
        reader: &mut dyn Read,
        n_bytes: u64,
        limits: Limits,
    ) -> Result<Self, Error> {
        let mut source = Hashed { path, reader, digest: Sha256::new() };
        let header = source.header(n_bytes, limits)?;
        check_memory(path, &header, limits)?;
        let texts = header.metadata().clone().unwrap_or_default().into_iter().collect();
        let mut tensors = BTreeMap::new();
        for name in header.offset_keys() {
            let TensorInfo { dtype, shape, data_offsets: (start, end) } =
                header.info(&name).expect("the header has each of its names");
            let bytes = source.bytes((end - start) as u64)?;
            tensors.insert(name, Stored { dtype: *dtype, shape: shape.clone(), bytes });
        }
        Ok(Self { tensors, texts, sha256: hex(&source.digest.finalize()) })
    }
}

impl Stored {
    /// The tensor as the safetensors crate shows it.
    pub(super) fn view(&self) -> TensorView<'_> {
        TensorView::new(self.dtype, self.shape.clone(), &self.bytes)
            .expect("the header was checked against the length")
    }
}

/// A source whose bytes are hashed as they are read.
struct Hashed<'a> {
    path: &'a Path,
    reader: &'a mut dyn Read,
    digest: Sha256,
}

impl Hashed<'_> {
    /// The next `n` bytes; memory grows with what is read.
    fn bytes(&mut self, n: u64) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        let failed = |source| Error::Read { path: self.path.to_owned(), source };
        let found = (&mut *self.reader).take(n).read_to_end(&mut bytes).map_err(failed)?;
        if (found as u64) < n {
            return Err(failed(io::ErrorKind::UnexpectedEof.into()));
        }
        self.digest.update(&bytes);
        Ok(bytes)
    }

    /// The header of a file of `n_bytes`, which its tensors fill to the last byte.
    fn header(&mut self, n_bytes: u64, limits: Limits) -> Result<Metadata, Error> {
        let broken = |source| Error::NotSafetensors { path: self.path.to_owned(), source };
        let Some(n_rest) = n_bytes.checked_sub(PREFIX as u64) else {
            return Err(broken(SafeTensorError::HeaderTooSmall));
        };
        let prefix = self.bytes(PREFIX as u64)?;
        let prefix = prefix.first_chunk().expect("eight bytes were read");
        let length = u64::from_le_bytes(*prefix);
        // A number larger than the file is no length at all.
        if length > n_rest {
            return Err(broken(SafeTensorError::InvalidHeaderLength));
        }
        if length > limits.max_header_bytes {
            return Err(broken(SafeTensorError::HeaderTooLarge));
        }
        let text = self.bytes(length)?;
        let text = std::str::from_utf8(&text)
            .map_err(|source| broken(SafeTensorError::InvalidHeader(source)))?;
        let header: Metadata = serde_json::from_str(text)
            .map_err(|source| broken(SafeTensorError::InvalidHeaderDeserialization(source)))?;
        if header.data_len() as u64 != n_rest - length {
            return Err(broken(SafeTensorError::MetadataIncompleteBuffer));
        }
        Ok(header)
    }
}

/// Refuses weights that would take more memory than the limit. The scales of weights in bytes are
/// multiplied out and not counted.
fn check_memory(path: &Path, header: &Metadata, limits: Limits) -> Result<(), Error> {
    let tensors = header.tensors();
    let in_bytes = tensors.iter().filter(|(_, info)| info.dtype == Dtype::I8);
    let scales: BTreeSet<String> = in_bytes.map(|(name, _)| scale_key(name)).collect();
    let in_memory = |info: &TensorInfo| {
        let n_bytes = (info.data_offsets.1 - info.data_offsets.0) as u64;
        let growth = match info.dtype {
            Dtype::I8 => 4,
            Dtype::F16 | Dtype::BF16 => 2,
            _ => 1,
        };
        n_bytes.saturating_mul(growth)
    };
    let counted = tensors.iter().filter(|(name, _)| !scales.contains(*name));
    let bytes = counted.map(|(_, info)| in_memory(info)).fold(0, u64::saturating_add);
    let limit = limits.max_memory;
    match bytes > limit {
        true => Err(Error::WeightsTooLarge { path: path.to_owned(), bytes, limit }),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A source that must not be read.
    struct Sealed;

    impl Read for Sealed {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            panic!("the content was read before its header was checked")
        }
    }

    fn prefixed(header: &str) -> Vec<u8> {
        [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat()
    }

    fn read(start: &[u8], n_bytes: u64) -> Error {
        let mut reader = start.chain(Sealed);
        Content::read(Path::new("a"), &mut reader, n_bytes, Limits::default())
            .expect_err("the header does not fit the file")
    }

    #[test]
    fn content_is_not_read_before_its_header_fits() {
        let of = |end: u64| {
            let shape = end / 4;
            prefixed(&format!(
                r#"{{"a":{{"dtype":"F32","shape":[{shape}],"data_offsets":[0,{end}]}}}}"#
            ))
        };
        let headers = [prefixed(""), prefixed("{"), prefixed("{}"), of(400), vec![0xff; 8]];
        for header in headers {
            let error = read(&header, 4 << 30);
            assert!(matches!(error, Error::NotSafetensors { .. }), "{error}");
        }
        let large = of(1 << 40);
        let error = read(&large, (1 << 40) + large.len() as u64);
        assert!(matches!(error, Error::WeightsTooLarge { .. }), "{error}");
    }

    #[test]
    fn a_file_that_shrinks_while_it_is_read_is_an_error() {
        let header = prefixed(r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#);
        let short = [&header[..], &[0; 5]].concat();
        let read = Content::read(
            Path::new("a"),
            &mut short.as_slice(),
            header.len() as u64 + 8,
            Limits::default(),
        );
        assert!(matches!(read, Err(Error::Read { .. })));
    }
}
