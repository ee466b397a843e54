//! Low-rank adapters (LoRA, Hu et al. 2021) in files that PEFT reads and writes. They are attached
//! to the linear layers of a frozen model, several at a time. They can be switched, merged and
//! taken back.
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use vlm_lora::lora::{Adapter, AdapterLimits, LoraConfig, Modules, adapters, disable};
//! use vlm_lora::{Linear, Random, WeightFormat};
//!
//! let device = Device::flex();
//! let mut parameters = Random::new(1, WeightFormat::F32, &device);
//! let mut model = Linear::new(&mut parameters, "layers.0.q_proj", [8, 4], false)?;
//! let limits = AdapterLimits::default();
//! let adapter = Adapter::draw(LoraConfig::new(2, 4.0, Modules::all_linear()), &mut model, 7, &limits)?;
//! adapter.attach(&mut model, "first", &device, &limits)?;
//! assert!(adapters(&mut model)[0].active);
//! disable(&mut model);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod adapter;
mod attach;
mod export;
mod file;
mod merge;
mod skeleton;
mod target;
mod visit;

pub use adapter::{Adapter, LayerWeights};
pub use attach::{AdapterState, activate, adapters, detach, disable};
pub use export::{Exported, export_merged};
pub use file::{CONFIG_FILE, WEIGHTS_FILE};
pub use merge::{Reduced, merge, merge_and_unload, unmerge};

pub use crate::error::AdapterError;
pub use crate::peft::{AdapterLimits, LoraConfig, Modules, Naming, OneOrMany, Patterns};

pub(crate) use attach::leaf;
pub(crate) use target::{Names, Role, Selection};
pub(crate) use visit::try_visit;
