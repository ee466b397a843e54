//! PyTorch's own checkpoints (`.pt`, `.pth`), read by burn's pickle machine, which executes nothing.
//!
//! Views of a storage, such as turned ones and those of `channels_last`, are read by their strides.
//! The reader itself refuses pickles over 100 MiB, nesting over 1,000 levels and memo bombs before it
//! allocates for them; views that repeat a few stored numbers many times are refused here.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use burn::store::bridge;
use burn::store::pytorch_reader::{PytorchError, PytorchReader};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::checkpoint::{Checkpoint, checked};
use super::digest::hex;
use super::limits::Limits;
use crate::Error;

/// The keys under which training scripts put a model's weights, in the order in which timm looks.
const WRAPPERS: [&str; 3] = ["state_dict", "model", "model_state_dict"];

/// The largest ratio of the tensors' size to the file's: some share their numbers, but not most of them.
const MAX_GROWTH: usize = 4;

/// The tensors of the checkpoint `file` at `path`.
pub(super) fn open(path: &Path, mut file: File, limits: Limits) -> Result<Checkpoint, Error> {
    let broken =
        |source: PytorchError| Error::NotPytorch { path: path.to_owned(), source: source.into() };
    let failed = |source| Error::Read { path: path.to_owned(), source };
    if !has_directory(&mut file).map_err(failed)? {
        let reason = "a zip archive without a directory; it is cut short".to_owned();
        return Err(broken(PytorchError::InvalidFormat(reason)));
    }
    // One read, in which the file is hashed. The reader wants a file: it gets a copy, so that it reads
    // what was hashed, whatever becomes of the other meanwhile. It lives until the last tensor is read.
    let (copy, n_bytes, sha256) = copied(&mut file, limits.max_bytes).map_err(failed)?;
    let stored: Vec<_> = state_dict(copy.path())
        .map_err(broken)?
        .into_tensors()
        .into_iter()
        .map(|(key, tensor)| (key, bridge::from_pytorch(tensor)))
        .collect();
    let needed = stored.iter().map(|(_, tensor)| tensor.byte_len()).fold(0, usize::saturating_add);
    if (needed / MAX_GROWTH) as u64 > n_bytes {
        let reason = format!("its tensors would take {needed} bytes, the file has {n_bytes}");
        return Err(broken(PytorchError::InvalidFormat(reason)));
    }
    let mut tensors = Vec::new();
    for (key, tensor) in stored {
        let unreadable = |error: burn::store::burn_pack::Error| Error::WeightUnreadable {
            path: path.to_owned(),
            key: key.clone(),
            reason: error.to_string(),
        };
        let data = bridge::into_data(tensor).map_err(unreadable)?;
        tensors.push(bridge::from_data(checked(path, &key, data)?, key, None));
    }
    Ok(Checkpoint::new(path.to_owned(), sha256, tensors, Default::default()))
}

/// Whether a zip archive ends with its directory; true for a bare pickle, which has none.
///
/// A file of gigabytes that holds nothing is found out without reading it.
fn has_directory(file: &mut File) -> std::io::Result<bool> {
    /// The record at the end, with the longest comment.
    const LONGEST_END: u64 = 22 + 0xffff;
    let n_bytes = file.seek(SeekFrom::End(0))?;
    file.rewind()?;
    let mut start = Vec::new();
    (&mut *file).take(4).read_to_end(&mut start)?;
    if start != b"PK\x03\x04" {
        return Ok(true);
    }
    file.seek(SeekFrom::Start(n_bytes.saturating_sub(LONGEST_END)))?;
    let mut end = Vec::new();
    file.take(LONGEST_END).read_to_end(&mut end)?;
    Ok(end.windows(4).any(|window| window == b"PK\x05\x06"))
}

/// A temporary copy of at most `limit` bytes of `file`, its length and its SHA-256.
fn copied(file: &mut File, limit: u64) -> std::io::Result<(NamedTempFile, u64, String)> {
    let mut copy = tempfile::Builder::new().suffix(".pth").tempfile()?;
    file.rewind()?;
    let (mut n_bytes, mut digest) = (0, Sha256::new());
    let (mut source, mut part) = (file.take(limit), vec![0; 1 << 20]);
    loop {
        let found = source.read(&mut part)?;
        if found == 0 {
            break;
        }
        copy.write_all(&part[..found])?;
        digest.update(&part[..found]);
        n_bytes += found as u64;
    }
    copy.flush()?;
    Ok((copy, n_bytes, hex(&digest.finalize())))
}

/// The weights alone, where a training script wrapped them with its other state.
fn state_dict(path: &Path) -> Result<PytorchReader, PytorchError> {
    for wrapper in WRAPPERS {
        match PytorchReader::with_top_level_key(path, wrapper) {
            Err(PytorchError::KeyNotFound(_)) => {}
            found => return found,
        }
    }
    PytorchReader::new(path)
}
