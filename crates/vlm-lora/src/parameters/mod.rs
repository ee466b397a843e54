//! Where the weights of a model come from.

mod convert;
mod folder;
mod gguf;
mod header;
mod random;
mod shapes;
mod shard;

use burn::tensor::{Device, Tensor};

pub use folder::Folder;
pub use gguf::{Gguf, Value};
pub use random::Random;
pub use shapes::Shapes;

use crate::{Error, Matrix};

/// Where the weights of a model come from; names are the checkpoint's. Each is asked for once.
pub trait Parameters {
    /// The weight matrix `name`, `[out, in]`, in the storage that the source was told to keep it in.
    ///
    /// # Errors
    /// If the source lacks it, or has it in another shape or a type that is not read.
    fn matrix(&mut self, name: &str, shape: [usize; 2]) -> Result<Matrix, Error>;

    /// Any other weight as f32, its elements in row-major order; see [`tensor`].
    ///
    /// # Errors
    /// As [`matrix`](Self::matrix).
    fn values(&mut self, name: &str, shape: &[usize]) -> Result<Tensor<1>, Error>;

    /// Whether the source has a weight called `name`: for parts that some checkpoints leave out.
    fn contains(&self, name: &str) -> bool;

    /// Whether a file holds a weight called `name`, though the configuration may say that it is another
    /// one. Sources that make whatever they are asked for hold none.
    fn is_stored(&self, _name: &str) -> bool {
        false
    }

    /// Where the weights are put.
    fn device(&self) -> &Device;
}

/// The weight `name` of `parameters`, f32, `shape`.
///
/// # Errors
/// Those of [`Parameters::values`].
pub fn tensor<const D: usize>(
    parameters: &mut dyn Parameters,
    name: &str,
    shape: [usize; D],
) -> Result<Tensor<D>, Error> {
    Ok(parameters.values(name, &shape)?.reshape(shape))
}

/// How weight matrices, embeddings included, are kept in memory. Norms and biases stay f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Storage {
    /// Four bytes a weight, exact.
    #[default]
    F32,
    /// Two bytes a weight, 11 bits of precision.
    F16,
    /// Two bytes a weight, 8 bits of precision: exact for what was published as bf16.
    Bf16,
    /// One byte a weight and a scale a row.
    Int8,
    /// Four bits a weight, a scale and a minimum per 32 of a row.
    Int4,
}

/// What a file may ask for before anything is allocated for it.
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
