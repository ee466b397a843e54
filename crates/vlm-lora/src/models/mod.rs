//! Whole models, as they are published, and the table of their architectures.
//!
//! To add an architecture, implement [`LanguageModel`] in a file of this folder and add its row to
//! [`ARCHITECTURES`].

mod architecture;
mod causal;
mod language_model;
mod mc_llava;
mod paligemma;
mod projector;
mod prompt;
mod qwen2_vl;
mod tower;
mod vision_tower;

use std::path::Path;

use burn::tensor::Device;
use serde_json::Value;

pub use architecture::{Architecture, Build};
pub use language_model::{ChatConventions, LanguageModel};
pub use mc_llava::{McLlava, McLlavaConfig};
pub use paligemma::{PaliGemma, PaliGemmaConfig};
pub use projector::Projector;
pub use qwen2_vl::{Qwen2Vl, Qwen2VlConfig};
pub use tower::TowerLanguageModel;
pub use vision_tower::{CutTower, VisionTower};

pub(crate) use prompt::read_config;

use crate::error::Error;
use crate::source::WeightFormat;

/// All architectures.
pub const ARCHITECTURES: &[Architecture] = &[
    causal::ARCHITECTURE,
    qwen2_vl::ARCHITECTURE,
    mc_llava::ARCHITECTURE,
    paligemma::ARCHITECTURE,
];

/// The architecture of a `config.json`, by its `model_type`. An unknown type gives that of text models,
/// whose `build` then refuses it.
#[must_use]
pub fn architecture(config: &Value) -> &'static Architecture {
    let name = config.get("model_type").and_then(Value::as_str).unwrap_or_default();
    let found = ARCHITECTURES.iter().find(|known| known.model_types.contains(&name));
    found.unwrap_or(&ARCHITECTURES[0])
}

/// The model in `folder` with the given `config.json`, its matrices kept in `format` on `device`, with the
/// folder's preprocessing.
///
/// # Errors
/// [`Error::Config`] for an unknown architecture or impossible sizes; those of
/// [`Folder`](crate::Folder), which must hold exactly the weights of the model; those of
/// [`LanguageModel::read_processor`].
pub fn load(
    folder: &Path,
    config: &Value,
    format: WeightFormat,
    device: &Device,
) -> Result<Box<dyn LanguageModel>, Error> {
    let architecture = architecture(config);
    let mut weights = architecture.weights(folder, format, device)?;
    let mut model = (architecture.build)(config, &mut weights)?;
    weights.finish()?;
    model.read_processor(folder)?;
    Ok(model)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_model_type_has_one_row() {
        let all: Vec<&str> =
            ARCHITECTURES.iter().flat_map(|row| row.model_types.iter().copied()).collect();
        let mut sorted = all.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), all.len(), "{all:?}");
        for name in all {
            assert!(architecture(&json!({"model_type": name})).model_types.contains(&name));
        }
        let unknown = json!({"model_type": "mamba"});
        let mut shapes = crate::source::Shapes::new(&Device::flex());
        let refused = (architecture(&unknown).build)(&unknown, &mut shapes);
        assert!(matches!(refused, Err(Error::Config { .. })), "{refused:?}");
    }
}
