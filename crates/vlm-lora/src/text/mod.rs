//! Text decoders: one implementation that a configuration makes Llama, Qwen2 or Phi.

mod attention;
mod cache;
mod config;
mod decoder;
mod fields;
mod hugging_face;
mod layer;
mod mlp;
mod position;
mod rotary;
mod window;

pub use cache::Cache;
pub use config::{BlockKind, MlpKind, RotaryConfig, RotaryScaling, TextConfig};
pub use decoder::{Decoder, DecoderNames};
pub use layer::DecoderLayer;
pub use position::Positions;
pub use rotary::Rotation;
pub use window::Window;

pub(crate) use fields::{Fields, wrong};
