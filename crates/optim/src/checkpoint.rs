//! The state of a run in one safetensors file.
//!
//! The file holds the run's vectors as `f32` tensors, its progress as JSON in the `u8` tensor
//! `progress`, and in the `u8` tensor `sha256` a checksum over both. The metadata key
//! `checkpoint_version` is 2. Version 1 had the progress in the metadata key `progress` and no
//! checksum; such files are still read.

use std::error::Error;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

/// Metadata key of the version.
const VERSION_KEY: &str = "checkpoint_version";
/// The version that is written.
const VERSION: &str = "2";
/// Tensor of the progress; in version 1 the metadata key of it.
const PROGRESS: &str = "progress";
/// Tensor of the checksum.
const CHECKSUM: &str = "sha256";

/// A checkpoint that cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// A file that cannot be written or read.
    #[error(transparent)]
    File(#[from] cifake::Error),
    /// A file that is cut off, or of another kind.
    #[error("{} is not a whole checkpoint; remove it to start anew", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Why it cannot be read.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A file that lacks a part.
    #[error("{} is not a whole checkpoint: it has no {part}; remove it to start anew", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// Name of the part.
        part: String,
    },
    /// A file whose checksum is not that of its content.
    #[error(
        "{} was damaged after it was written: its checksum is wrong; remove it to start anew",
        path.display()
    )]
    Checksum {
        /// The file.
        path: PathBuf,
    },
    /// A file that a later version of this crate wrote.
    #[error("{} has the checkpoint version {version}; this program reads {VERSION}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: String,
    },
    /// A vector of another type or length than the run's.
    #[error("`{name}` in {} is no vector of {expected} f32 values", path.display())]
    Vector {
        /// The file.
        path: PathBuf,
        /// The vector.
        name: String,
        /// Values that the run has.
        expected: usize,
    },
    /// A vector with a value that is NaN or infinite.
    #[error("`{name}` of {} has a value that is not finite", path.display())]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// The vector.
        name: String,
    },
}

/// Writes the state of a run to `path`, whole or not at all.
///
/// # Errors
///
/// [`CheckpointError::NotFinite`], and the old file stays: a diverged state does not replace a good
/// one. [`CheckpointError::File`] for a file that cannot be written.
///
/// # Panics
///
/// If `progress` has no JSON form, or two vectors share a name.
pub fn save_checkpoint(
    path: &Path,
    progress: &impl Serialize,
    vectors: &[(&str, &[f32])],
) -> Result<(), CheckpointError> {
    let is_broken = |(_, values): &&(&str, &[f32])| values.iter().any(|x| !x.is_finite());
    if let Some((name, _)) = vectors.iter().find(is_broken) {
        let (path, name) = (path.to_owned(), (*name).to_owned());
        return Err(CheckpointError::NotFinite { path, name });
    }
    let progress = serde_json::to_vec(progress).expect("the progress has a JSON form");
    let bytes: Vec<Vec<u8>> = vectors.iter().map(|(_, values)| bytes_of(values)).collect();
    let checksum = checksum(&progress, bytes.iter().map(Vec::as_slice));
    let floats = vectors.iter().zip(&bytes).map(|((name, _), bytes)| (*name, Dtype::F32, 4, bytes));
    let texts = [(PROGRESS, Dtype::U8, 1, &progress), (CHECKSUM, Dtype::U8, 1, &checksum)];
    let views = floats.chain(texts).map(|(name, dtype, size, bytes)| {
        let view = TensorView::new(dtype, vec![bytes.len() / size], bytes);
        (name, view.expect("a vector has as many values as bytes of them"))
    });
    let metadata = [(VERSION_KEY.to_owned(), VERSION.to_owned())].into();
    let bytes = serialize(views, Some(metadata)).expect("vectors have a safetensors form");
    Ok(cifake::file::write_atomic(path, &bytes)?)
}

/// A checkpoint whose checksum was found right, or of version 1.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    path: PathBuf,
    bytes: Vec<u8>,
    progress: Vec<u8>,
}

impl Checkpoint {
    /// Reads the file at `path` of at most `max_bytes` bytes; `names` are those of its vectors, in
    /// the order in which they were written.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, is no checkpoint, is of a later version, or was damaged.
    pub fn open(path: &Path, names: &[&str], max_bytes: u64) -> Result<Self, CheckpointError> {
        let bytes = cifake::file::read_limited(path, max_bytes)?;
        let format = |error| format_error(path, error);
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(format)?;
        let metadata = |key: &str| header.metadata().as_ref().and_then(|map| map.get(key));
        if let Some(version) = metadata(VERSION_KEY).filter(|version| *version != VERSION) {
            let (path, version) = (path.to_owned(), version.clone());
            return Err(CheckpointError::Version { path, version });
        }
        let file = SafeTensors::deserialize(&bytes).map_err(format)?;
        let has_checksum = metadata(VERSION_KEY).is_some() || file.tensor(CHECKSUM).is_ok();
        let progress = match metadata(PROGRESS).filter(|_| !has_checksum) {
            Some(json) => json.clone().into_bytes(),
            None => {
                let data = |name: &str| data(&file, name).ok_or_else(|| missing(path, name));
                let vectors = names.iter().map(|name| data(name)).collect::<Result<Vec<_>, _>>()?;
                let progress = data(PROGRESS)?;
                if data(CHECKSUM)? != checksum(progress, vectors.into_iter()) {
                    return Err(CheckpointError::Checksum { path: path.to_owned() });
                }
                progress.to_vec()
            }
        };
        Ok(Self { path: path.to_owned(), bytes, progress })
    }

    /// The progress of the run.
    ///
    /// # Errors
    ///
    /// [`CheckpointError::Format`] for a file of another trainer.
    pub fn progress<P: DeserializeOwned>(&self) -> Result<P, CheckpointError> {
        serde_json::from_slice(&self.progress).map_err(|error| format_error(&self.path, error))
    }

    /// The vector `name` of `n_values` values.
    ///
    /// # Errors
    ///
    /// [`CheckpointError::Missing`], [`CheckpointError::Vector`] for another type or length, and
    /// [`CheckpointError::NotFinite`].
    pub fn vector(&self, name: &str, n_values: usize) -> Result<Vec<f32>, CheckpointError> {
        let format = |error| format_error(&self.path, error);
        let file = SafeTensors::deserialize(&self.bytes).map_err(format)?;
        let view = file.tensor(name).map_err(|_| missing(&self.path, name))?;
        let (path, owned) = (self.path.clone(), name.to_owned());
        if view.dtype() != Dtype::F32 || view.shape() != [n_values] {
            return Err(CheckpointError::Vector { path, name: owned, expected: n_values });
        }
        let values: Vec<f32> =
            view.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        match values.iter().all(|x| x.is_finite()) {
            true => Ok(values),
            false => Err(CheckpointError::NotFinite { path, name: owned }),
        }
    }
}

fn data<'a>(file: &SafeTensors<'a>, name: &str) -> Option<&'a [u8]> {
    file.tensor(name).ok().map(|view| view.data())
}

fn missing(path: &Path, part: &str) -> CheckpointError {
    CheckpointError::Missing { path: path.to_owned(), part: part.to_owned() }
}

fn format_error(path: &Path, source: impl Error + Send + Sync + 'static) -> CheckpointError {
    CheckpointError::Format { path: path.to_owned(), source: Box::new(source) }
}

fn bytes_of(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|x| x.to_le_bytes()).collect()
}

/// SHA-256 over the progress and the vectors, each with its length in bytes.
fn checksum<'a>(progress: &'a [u8], vectors: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut hash = Sha256::new();
    for part in [progress].into_iter().chain(vectors) {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().to_vec()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const NAMES: [&str; 2] = ["weights", "average"];
    const VECTORS: [[f32; 3]; 2] = [[1.0, -2.0, 3.5], [0.25, 0.0, -1e-9]];

    type State = (BTreeMap<String, usize>, Vec<Vec<f32>>);

    fn progress() -> BTreeMap<String, usize> {
        [("step".to_owned(), 7)].into()
    }

    fn vectors() -> [(&'static str, &'static [f32]); 2] {
        [(NAMES[0], &VECTORS[0]), (NAMES[1], &VECTORS[1])]
    }

    fn load(path: &Path) -> Result<State, CheckpointError> {
        let checkpoint = Checkpoint::open(path, &NAMES, 1 << 20)?;
        let vectors = NAMES.iter().map(|name| checkpoint.vector(name, 3));
        Ok((checkpoint.progress()?, vectors.collect::<Result<_, _>>()?))
    }

    fn state() -> State {
        (progress(), VECTORS.map(Vec::from).into())
    }

    fn in_folder(test: impl FnOnce(&Path)) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        test(&folder.path().join("checkpoint.safetensors"));
    }

    /// The file of version 1: the progress in the metadata, no checksum.
    fn version_1() -> Vec<u8> {
        let bytes = VECTORS.map(|values| bytes_of(&values));
        let views = NAMES.into_iter().zip(&bytes).map(|(name, bytes)| {
            (name, TensorView::new(Dtype::F32, vec![3], bytes).expect("four bytes a value"))
        });
        let json = serde_json::to_string(&progress()).expect("it has a JSON form");
        serialize(views, Some([(PROGRESS.to_owned(), json)].into())).expect("two vectors")
    }

    #[test]
    fn no_byte_of_a_checkpoint_can_change_unnoticed() {
        in_folder(|path| {
            save_checkpoint(path, &progress(), &vectors()).expect("the folder is writable");
            assert_eq!(load(path).expect("it was just written"), state());
            let bytes = std::fs::read(path).expect("it was written");
            for at in 0..bytes.len() {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << (at % 8);
                std::fs::write(path, damaged).expect("the folder is writable");
                let found = load(path);
                // White space of the header may become other white space.
                assert!(found.is_err() || found.is_ok_and(|found| found == state()), "byte {at}");
            }
            for len in 0..bytes.len() {
                std::fs::write(path, &bytes[..len]).expect("the folder is writable");
                assert!(load(path).is_err(), "{len} bytes");
            }
        });
    }

    #[test]
    fn zeroed_vectors_are_noticed() {
        in_folder(|path| {
            save_checkpoint(path, &progress(), &vectors()).expect("the folder is writable");
            let mut bytes = std::fs::read(path).expect("it was written");
            let place = |part: &[u8]| bytes.windows(part.len()).position(|found| found == part);
            let place = place(&bytes_of(&VECTORS[0])).expect("the vector is in the file");
            bytes[place..place + 12].fill(0);
            std::fs::write(path, bytes).expect("the folder is writable");
            assert!(matches!(load(path), Err(CheckpointError::Checksum { .. })));
        });
    }

    #[test]
    fn a_file_of_version_1_is_read_and_one_of_a_later_version_is_not() {
        in_folder(|path| {
            std::fs::write(path, version_1()).expect("the folder is writable");
            assert_eq!(load(path).expect("it is whole"), state());
            save_checkpoint(path, &progress(), &vectors()).expect("the folder is writable");
            let mut bytes = std::fs::read(path).expect("it was written");
            let key = format!("\"{VERSION_KEY}\":\"");
            let place = bytes.windows(key.len()).position(|found| found == key.as_bytes());
            bytes[place.expect("the header holds it") + key.len()] = b'3';
            std::fs::write(path, bytes).expect("the folder is writable");
            assert!(matches!(load(path), Err(CheckpointError::Version { .. })));
        });
    }

    /// Earlier versions of the adapters' trainer wrote a checksum and no version.
    #[test]
    fn a_checksum_without_a_version_is_checked() {
        in_folder(|path| {
            save_checkpoint(path, &progress(), &vectors()).expect("the folder is writable");
            let bytes = std::fs::read(path).expect("it was written");
            let file = SafeTensors::deserialize(&bytes).expect("it is whole");
            let mut old = serialize(file.tensors(), None).expect("the same tensors");
            std::fs::write(path, &old).expect("the folder is writable");
            assert_eq!(load(path).expect("it is whole"), state());
            let last = old.len() - 1;
            old[last] ^= 1;
            std::fs::write(path, old).expect("the folder is writable");
            assert!(matches!(load(path), Err(CheckpointError::Checksum { .. })));
        });
    }

    #[test]
    fn a_diverged_state_does_not_replace_a_good_one() {
        in_folder(|path| {
            save_checkpoint(path, &progress(), &vectors()).expect("the folder is writable");
            for broken in [f32::NAN, f32::INFINITY] {
                let diverged = [(NAMES[0], &[1.0, broken, 0.0][..]), vectors()[1]];
                let refused = save_checkpoint(path, &progress(), &diverged);
                assert!(matches!(refused, Err(CheckpointError::NotFinite { .. })));
            }
            assert_eq!(load(path).expect("the old file stays"), state());
        });
    }

    #[test]
    fn a_vector_of_another_length_is_refused_by_name() {
        in_folder(|path| {
            save_checkpoint(path, &progress(), &vectors()).expect("the folder is writable");
            let checkpoint = Checkpoint::open(path, &NAMES, 1 << 20).expect("it is whole");
            let error = checkpoint.vector("average", 4).expect_err("it has three values");
            assert!(error.to_string().contains("`average`"), "{error}");
            assert!(checkpoint.vector("absent", 3).is_err());
        });
    }
}
