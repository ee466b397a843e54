//! Vision-language models on burn, their generation and their fine-tuning with LoRA.
//!
//! A model consists of a configuration and of weights from a [`WeightSource`]. A source is a folder
//! as Hugging Face publishes it, a llama.cpp file, a seed, or [`Shapes`], which takes no memory.
//! [`Decoder`] is Llama, Mistral, Qwen2, Phi or Gemma, depending on its [`TextConfig`]. The
//! vision-language models of [`models`] put pictures before a decoder. Weights are frozen and kept
//! in a [`WeightFormat`] of 4 to 32 bits. Training changes an adapter of [`lora`].
//!
//! ```
//! use std::ops::ControlFlow;
//!
//! use burn::tensor::Device;
//! use vlm_lora::generate::{Generation, Prompt};
//! use vlm_lora::{Decoder, DecoderNames, Random, WeightFormat, TextConfig};
//!
//! let config = TextConfig::llama(100, [32, 64], 2, [4, 2]);
//! let mut weights = Random::new(1, WeightFormat::Int8, &Device::flex());
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
//! [`Assistant`] is a model of any of these architectures with its tokenizer, its chat template and its
//! preprocessing. It answers a question about pictures in one call. An answer is untrusted text;
//! [`generate::ListConstraint`] restricts it to a list of names during generation.

mod assistant;
mod chat;
mod error;
pub mod generate;
pub mod image;
pub mod lora;
pub mod models;
mod nn;
mod peft;
pub mod source;
pub mod text;
pub mod tune;
pub mod vision;

pub use assistant::Assistant;
pub use chat::{
    ChatTemplate, ControlTokens, IMAGE, Message, Part, PicturePlace, TextStream, Tokenizer,
};
pub use error::Error;
pub use nn::{Embedding, Linear, LoraTargets, Norm, NormKind};
pub use source::{Folder, Gguf, Limits, Matrix, Random, Shapes, WeightFormat, WeightSource};
pub use text::{Cache, Decoder, DecoderNames, Positions, TextConfig};
