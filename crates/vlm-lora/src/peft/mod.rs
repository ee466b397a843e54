//! PEFT's description of an adapter: which layers it changes and how, under which names.

mod config;
mod fields;
mod limits;
mod modules;
mod naming;
mod patterns;

pub use config::LoraConfig;
pub use limits::AdapterLimits;
pub use modules::{Modules, OneOrMany};
pub use naming::Naming;
pub use patterns::Patterns;

pub(crate) use fields::shortened;
