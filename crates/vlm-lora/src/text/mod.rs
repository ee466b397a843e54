//! Text decoders: one implementation that a configuration makes Llama, Mistral, Qwen2, Phi or Gemma.

mod attention;
mod cache;
mod config;
mod decoder;
mod fields;
mod gguf;
mod hugging_face;
mod hugging_face_gemma;
mod hugging_face_rotary;
mod hugging_face_window;
mod layer;
mod mask;
mod mlp;
mod position;
mod prompt;
mod rotary;
mod window;

pub use cache::Cache;
pub use config::{BlockKind, MlpKind, RotaryConfig, RotaryScaling, SlidingWindow, TextConfig};
pub use decoder::{Decoder, DecoderNames};
pub use layer::DecoderLayer;
pub use mask::AttentionMask;
pub use position::Positions;
pub use prompt::Prompt;
pub use rotary::Rotation;
pub use window::Window;

pub(crate) use fields::{Fields, wrong};
