//! TinyViT on burn: timm checkpoints, presets native to 32x32, training, and a one-call detector of
//! AI-generated images.

mod attention;
mod block;
mod classifier;
mod config;
mod conv;
mod detector;
mod drop_path;
mod error;
mod init;
mod model;
mod pretrained;
#[cfg(feature = "train")]
pub mod training;
pub mod weight_file;

pub use attention::Attention;
pub use block::{NormMlp, TinyVitBlock};
pub use classifier::TinyVitClassifier;
pub use config::{IMAGENET_MEAN, IMAGENET_STD, Normalization, TinyVitConfig};
pub use conv::{ConvNorm, MbConv, PatchEmbed, PatchMerging};
pub use detector::{Detector, Input, Summary, Verdict, json_line};
pub use drop_path::DropPath;
pub use error::Error;
pub use model::{AttentionStage, ConvStage, Head, TinyVit};

/// Added to the variance in every layer norm, PyTorch's default.
const LAYER_NORM_EPSILON: f64 = 1e-5;
