//! Limits of untrusted adapters.

use crate::error::AdapterError;

/// The limits of adapters. They are checked before anything is allocated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdapterLimits {
    /// Largest rank of a layer; 256.
    pub max_rank: usize,
    /// Adapters on one model; 16.
    pub max_adapters: usize,
    /// Bytes of one file, and of all adapters of a model in f32; 8 GiB.
    pub max_bytes: u64,
    /// Bytes of `adapter_config.json`; 1 MiB.
    pub max_config_bytes: u64,
    /// Length of a regular expression in bytes; 4096.
    pub max_pattern_bytes: usize,
    /// Entries of each list of names; 4096.
    pub max_patterns: usize,
    /// Entries of each table whose keys are regular expressions; 512.
    pub max_expressions: usize,
}

impl Default for AdapterLimits {
    fn default() -> Self {
        Self {
            max_rank: 256,
            max_adapters: 16,
            max_bytes: 8 << 30,
            max_config_bytes: 1 << 20,
            max_pattern_bytes: 4096,
            max_patterns: 4096,
            max_expressions: 512,
        }
    }
}

impl AdapterLimits {
    /// Refuses a rank of 0 or above the limit.
    pub(crate) fn check_rank(&self, rank: usize) -> Result<(), AdapterError> {
        if rank == 0 {
            return Err(AdapterError::Range { field: "r", value: 0.0, range: "at least 1" });
        }
        match rank <= self.max_rank {
            true => Ok(()),
            false => Err(AdapterError::Rank { rank, limit: self.max_rank }),
        }
    }
}
