//! Vision-language models on burn, their generation and their fine-tuning with LoRA.
//!
//! A model is made of a configuration and of [`Parameters`], which is where its weights come from:
//! a folder as Hugging Face publishes it, a llama.cpp file, or a seed.

mod chat;
mod embedding;
mod error;
pub mod generate;
pub mod image;
mod linear;
pub mod lora;
mod matrix;
pub mod models;
mod norm;
pub mod parameters;
pub mod text;
mod tokenizer;
pub mod training;
pub mod vision;

pub use chat::{ChatTemplate, Message, Part};
pub use embedding::Embedding;
pub use error::Error;
pub use linear::{Linear, Linears};
pub use matrix::Matrix;
pub use norm::{Norm, NormKind};
pub use parameters::{Folder, Gguf, Limits, Parameters, Random, Shapes, Storage};
pub use text::{Cache, Decoder, DecoderNames, Positions, TextConfig};
pub use tokenizer::{TextStream, Tokenizer};
