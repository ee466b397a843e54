//! Qwen2-VL.

mod config;
mod model;
mod position;

pub use config::Qwen2VlConfig;
pub use model::Qwen2Vl;

pub(super) use model::ARCHITECTURE;
