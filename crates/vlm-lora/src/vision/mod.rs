//! Vision towers and what brings their output to a language model.
//!
//! [`Qwen2VlVision`] takes patches of any number of pictures of any size; [`SiglipVision`] takes
//! squares of one size, and [`MultiCropEncoder`] makes MC-LLaVA's tokens of several of them.

mod config;
mod multi_crop;
mod qwen2_vl;
mod rotary;
mod siglip;

pub use cifake_vit::Activation;
pub use config::{Qwen2VlVisionConfig, SiglipVisionConfig};
pub use multi_crop::MultiCropEncoder;
pub use qwen2_vl::Qwen2VlVision;
pub use siglip::SiglipVision;
