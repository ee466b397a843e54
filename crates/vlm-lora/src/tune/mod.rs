//! Fine-tuning of adapters on conversations with pictures. An interrupted run resumes and ends with the
//! same bytes.
//!
//! ```no_run
//! # use std::ops::ControlFlow;
//! # use burn::tensor::Device;
//! # use vlm_lora::tune::{Encoded, Tuner, TuningConfig};
//! # fn run(mut model: vlm_lora::Decoder, examples: Vec<Encoded>) -> Result<(), vlm_lora::Error> {
//! let config = TuningConfig::llama_factory();
//! let (folder, device) = (std::path::Path::new("run"), Device::flex());
//! let sets = [examples, Vec::new()];
//! let mut tuner = Tuner::new(&mut model, config, None, sets, folder, &device)?;
//! tuner.run(&mut |_| ControlFlow::Continue(()))?;
//! # Ok(())
//! # }
//! ```

mod chat;
mod checkpoint;
mod config;
mod conversation;
mod conversation_file;
mod encode;
mod examples;
mod gradient;
mod history;
mod layout;
mod loss;
mod memory;
#[cfg(feature = "parquet")]
mod table;
mod trainable;
mod tuner;
mod vision;
mod workers;

pub use chat::Chat;
pub use cifake_optim::CheckpointError;
pub use config::{PartRate, TuningConfig};
pub use conversation::{Conversation, ConversationLimits, ImageSource, Speaker, Turn};
pub use conversation_file::conversations;
pub use encode::{Dialogue, Encoded, encode};
pub use examples::vision_examples;
pub use history::{Row, to_jsonl};
pub use loss::cross_entropy_sum;
pub use memory::MemoryEstimate;
pub use trainable::{ModelInputs, Trainable};
pub use tuner::{Event, TRAINED, Tuner};
pub use vision::{Image, TrainableVlm, VisionExample};

pub use crate::error::TrainingError;
