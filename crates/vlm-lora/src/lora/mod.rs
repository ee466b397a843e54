//! Low-rank adapters (LoRA, Hu et al. 2021) under PEFT's contract: files that PEFT reads and writes,
//! attached to the linear layers of a frozen model, several at a time, switched, merged and taken
//! back.
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use vlm_lora::lora::{Adapter, AdapterLimits, LoraConfig, Modules, adapters, disable};
//! use vlm_lora::{Linear, Random, Storage};
//!
//! let device = Device::flex();
//! let mut parameters = Random::new(1, Storage::F32, &device);
//! let mut model = Linear::new(&mut parameters, "layers.0.q_proj", [8, 4], false)?;
//! let limits = AdapterLimits::default();
//! let adapter = Adapter::draw(LoraConfig::new(2, 4.0, Modules::all_linear()), &mut model, 7, &limits)?;
//! adapter.attach(&mut model, "first", &device, &limits)?;
//! assert!(adapters(&mut model)[0].active);
//! disable(&mut model);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod adapter;
pub(crate) mod attach;
pub(crate) mod attached;
mod config;
mod error;
mod export;
mod file;
mod limits;
mod merge;
mod modules;
mod naming;
mod patterns;
mod peft;
mod skeleton;
pub(crate) mod target;
pub(crate) mod visit;

pub use adapter::{Adapter, LayerWeights};
pub use attach::{AdapterState, activate, adapters, detach, disable};
pub use config::LoraConfig;
pub use error::AdapterError;
pub use export::{Exported, export_merged};
pub use file::{CONFIG_FILE, WEIGHTS_FILE};
pub use limits::AdapterLimits;
pub use merge::{Reduced, merge, merge_and_unload, unmerge};
pub use modules::{Modules, OneOrMany};
pub use naming::Naming;
pub use patterns::Patterns;
