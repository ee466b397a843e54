//! Limits of an accepted weight file.

/// The sizes that are accepted before anything is allocated for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Size of the file in bytes; 4 GiB, which holds every model of this workspace.
    pub max_bytes: u64,
    /// Size of a safetensors header in bytes; 8 MiB, room for some 80,000 weights.
    pub max_header_bytes: u64,
    /// The bytes that the weights take in memory, floats of any precision as f32; 8 GiB, which a file of half precision
    /// at the first limit takes.
    pub max_memory: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_bytes: 4 << 30, max_header_bytes: 8 << 20, max_memory: 8 << 30 }
    }
}
