//! Weight files: safetensors in and out, strict both ways.
//!
//! A weight that the module needs and the file lacks is an error, and so is one that the file has and
//! the module does not use, a wrong shape, a NaN. A file is untrusted: its size and header are checked
//! before memory is taken for its tensors, and a module is either loaded whole or not touched.
//!
//! [`Precision::Int8`] stores a matrix or kernel as one byte a value and one scale an output channel;
//! loading multiplies them out.
//!
//! ```
//! use burn::nn::LinearConfig;
//! use burn::tensor::Device;
//! use cifake::weights::{self, Mapping, Precision, Source};
//!
//! let device = Device::flex();
//! let texts = [("model".to_owned(), "linear".to_owned())].into();
//! let linear = LinearConfig::new(3, 2).init(&device);
//! let bytes = weights::to_bytes(&linear, &Mapping::PYTORCH, &texts, Precision::F16)?;
//!
//! let mut other = LinearConfig::new(3, 2).init(&device);
//! let source = Source::Bytes { name: "linear", bytes: &bytes };
//! let info = weights::load(&mut other, source, &Mapping::PYTORCH)?;
//! assert_eq!((info.n_tensors, info.metadata["model"].as_str()), (2, "linear"));
//!
//! let mut wider = LinearConfig::new(4, 2).init(&device);
//! let error = weights::load(&mut wider, source, &Mapping::PYTORCH).unwrap_err();
//! assert!(error.to_string().contains("`weight` in linear has the shape [3, 2]"));
//! # Ok::<(), cifake::Error>(())
//! ```

mod checkpoint;
mod configured;
mod content;
mod digest;
mod draw;
#[cfg(feature = "network")]
mod hub;
mod int8;
mod limits;
mod mapping;
#[cfg(feature = "pytorch")]
mod pytorch;
mod save;
mod source;

use burn::module::Module;

pub use checkpoint::{Checkpoint, WeightsInfo};
pub use configured::{
    Beside, Configured, MAX_ACTIVATION_BYTES, configured_bytes, configured_from, load_configured,
    load_configured_beside, save_configured,
};
pub use digest::sha256_hex;
pub use draw::draw_weights;
#[cfg(feature = "network")]
pub use hub::{Hub, HubError};
pub use limits::Limits;
pub use mapping::{Layout, Mapping};
pub use save::{Precision, encode, save, to_bytes};
pub use source::Source;

use crate::Error;

/// Loads `source` into `module`: every weight of both, or nothing.
///
/// Floats of a file in f16 or bf16 become the module's f32.
///
/// # Errors
/// Those of [`Checkpoint::open_within`] and [`Checkpoint::load_into`]; `module` is then unchanged.
///
/// # Panics
/// If `mapping` holds a pattern that is no regular expression.
pub fn load<M: Module>(
    module: &mut M,
    source: Source<'_>,
    mapping: &Mapping<'_>,
) -> Result<WeightsInfo, Error> {
    let checkpoint = Checkpoint::open(source)?;
    checkpoint.load_into(module, mapping)?;
    Ok(checkpoint.info().clone())
}

#[cfg(test)]
mod tests;
