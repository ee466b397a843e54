//! Limits of weight files.

use crate::error::Error;

/// Limits of weight files, checked before memory is allocated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the header of one file; 32 MB, of which large models use one and a vocabulary ten.
    pub max_header_bytes: u64,
    /// Tensors over all files.
    pub max_tensors: u64,
    /// Files of one model.
    pub max_shards: u64,
    /// Bytes of all files together.
    pub max_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_header_bytes: 32_000_000,
            max_tensors: 100_000,
            max_shards: 1000,
            max_bytes: 1 << 40,
        }
    }
}

impl Limits {
    /// Fails where `found` of `what` is more than `limit`.
    pub(crate) fn check(what: &str, found: u64, limit: u64) -> Result<(), Error> {
        if found <= limit {
            return Ok(());
        }
        Err(Error::Limit { what: what.to_owned(), found, limit })
    }
}
