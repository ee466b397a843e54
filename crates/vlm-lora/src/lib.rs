//! Vision-language models on burn, their generation and their fine-tuning with LoRA.
//!
//! A model is made of a configuration and of [`Parameters`], which is where its weights come from:
//! a folder as Hugging Face publishes it, a llama.cpp file, a seed, or [`Shapes`], which takes no
//! memory. [`Decoder`] is Llama, Qwen2 or Phi as its [`TextConfig`] says; [`models`] puts pictures
//! before it. Weights are frozen and kept in a [`Storage`] of four to 32 bits; what is trained is an
//! adapter of [`lora`].
//!
//! ```
//! use std::ops::ControlFlow;
//!
//! use burn::tensor::Device;
//! use vlm_lora::generate::{Generation, Prompt};
//! use vlm_lora::{Decoder, DecoderNames, Random, Storage, TextConfig};
//!
//! let config = TextConfig::llama(100, [32, 64], 2, [4, 2]);
//! let mut weights = Random::new(1, Storage::Int8, &Device::flex());
//! let decoder = Decoder::new(&mut weights, &config, &DecoderNames::default())?;
//! let prompt = Prompt::text(&decoder, &[3, 1, 4]);
//! let mut shown = Vec::new();
//! let answers = Generation::greedy(5, Vec::new()).run(&decoder, &[prompt], None, &mut |_, token| {
//!     shown.push(token);
//!     ControlFlow::Continue(())
//! })?;
//! assert_eq!(answers[0].tokens, shown);
//! # Ok::<(), vlm_lora::Error>(())
//! ```
//!
//! [`Assistant`] is a model of any of these architectures with its tokenizer, its chat template and
//! its picture processor: the way from a folder, a question and pictures to an answer. What a model says
//! is untrusted text; [`generate::ListConstraint`] holds it to a list of names while it is generated.

mod assistant;
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
mod picture_place;
pub mod text;
mod tokenizer;
pub mod training;
pub mod vision;

pub use assistant::Assistant;
pub use chat::{ChatTemplate, ControlTokens, IMAGE, Message, Part};
pub use embedding::Embedding;
pub use error::Error;
pub use linear::{Linear, Linears};
pub use matrix::Matrix;
pub use norm::{Norm, NormKind};
pub use parameters::{Folder, Gguf, Limits, Parameters, Random, Shapes, Storage};
pub use picture_place::PicturePlace;
pub use text::{Cache, Decoder, DecoderNames, Positions, TextConfig};
pub use tokenizer::{TextStream, Tokenizer};
