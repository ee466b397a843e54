//! Whole models, as they are published.

mod mc_llava;
mod prefix;
mod prompt;
mod qwen2_vl;

pub use mc_llava::{McLlava, McLlavaConfig};
pub use prefix::{CutTower, Prefix, Seeing, VisionTower};
pub use qwen2_vl::{Qwen2Vl, Qwen2VlConfig};

use prompt::{merged, read_config};
