//! Layers of all models: linear maps with adapters, norms, embeddings.

mod adapter;
mod embedding;
mod linear;
mod lora_targets;
mod norm;

pub use embedding::Embedding;
pub use linear::Linear;
pub use lora_targets::LoraTargets;
pub use norm::{Norm, NormKind};

pub(crate) use adapter::{Attached, Change, Header, Kept, split_mix};
