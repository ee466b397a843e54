//! Sources of weights: folders, llama.cpp files, seeds, and shapes without values.

mod convert;
mod folder;
mod format;
mod gguf;
mod header;
mod limits;
mod matrix;
mod random;
mod shapes;
mod shard;
mod weight_source;

pub use folder::Folder;
pub use format::WeightFormat;
pub use gguf::{Gguf, Value};
pub use limits::Limits;
pub use matrix::Matrix;
pub use random::Random;
pub use shapes::Shapes;
pub use weight_source::{WeightSource, tensor};

pub(crate) use gguf::Header;
#[cfg(test)]
pub(crate) use gguf::{Info, Kind};
