//! Vision-language models on burn, their generation and their fine-tuning with LoRA.
//!
//! A model is made of a configuration and of [`Parameters`], which is where its weights come from:
//! a folder as Hugging Face publishes it, a llama.cpp file, or a seed.

mod embedding;
mod error;
mod linear;
mod matrix;
mod norm;
pub mod parameters;

pub use embedding::Embedding;
pub use error::Error;
pub use linear::{Linear, Linears};
pub use matrix::Matrix;
pub use norm::{Norm, NormKind};
pub use parameters::{Folder, Limits, Parameters, Random, Shapes, Storage};
