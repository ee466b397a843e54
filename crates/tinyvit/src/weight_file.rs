//! The project's own weight files: safetensors with timm's names, which say in their metadata what
//! model they belong to.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::Device;
use cifake::weights::{self, Checkpoint, Mapping, Precision, Source, WeightsInfo};

use crate::config::TinyVitConfig;
use crate::model::TinyVit;

/// Metadata key of the model's configuration, as JSON.
const CONFIG: &str = "tinyvit_config";

/// Writes `model` with its configuration and what `notes` say (recipe, calibration, figures).
///
/// # Errors
///
/// If a weight is not finite or does not fit `precision`, or the file cannot be written.
pub fn save(
    model: &TinyVit,
    config: &TinyVitConfig,
    notes: &BTreeMap<String, String>,
    precision: Precision,
    path: &Path,
) -> Result<WeightsInfo, cifake::Error> {
    let mut metadata = notes.clone();
    let config = serde_json::to_string(config).expect("plain data has a JSON form");
    metadata.insert(CONFIG.to_owned(), config);
    weights::save(model, path, &Mapping::PYTORCH, &metadata, precision)
}

/// Reads a file that [`save`] wrote: the model, its configuration and the file's facts.
///
/// # Errors
///
/// A file that is not safetensors, is without a configuration or has one that cannot be built; a
/// missing, unused, misshapen or non-finite weight.
pub fn load(
    source: Source<'_>,
    device: &Device,
) -> Result<(TinyVit, TinyVitConfig, WeightsInfo), crate::Error> {
    let checkpoint = Checkpoint::open(source)?;
    let info = checkpoint.info().clone();
    let name = || match source {
        Source::Bytes { name, .. } => name.to_owned(),
        Source::File(path) => path.display().to_string(),
    };
    let broken = |reason: String| crate::Error::WeightFile { name: name(), reason };
    let json = info.metadata.get(CONFIG).ok_or_else(|| {
        broken(format!(
            "its metadata holds no {CONFIG}; upstream's files load by `TinyVitConfig::load`"
        ))
    })?;
    let config: TinyVitConfig =
        serde_json::from_str(json).map_err(|error| broken(error.to_string()))?;
    config.validate().map_err(broken)?;
    // Before anything is built: a small file may claim a model of any size. Smaller differences are
    // left to the strict comparison, which names the weights.
    let (claimed, found) = (config.n_values(), info.n_elements as u64);
    if claimed > found.saturating_mul(4).saturating_add(1_000_000) {
        return Err(broken(format!("its model has {claimed} values, the file holds {found}")));
    }
    let mut model = TinyVit::new(&config, device);
    checkpoint.load_into(&mut model, &Mapping::PYTORCH)?;
    Ok((model, config, info))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_saved_is_loaded() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("weights.safetensors");
        let device = Device::flex();
        let config = TinyVitConfig::native();
        let model = config.init(9, &device);
        let notes = [("note".to_owned(), "value".to_owned())].into();
        save(&model, &config, &notes, Precision::F32, &path).expect("the folder is writable");
        let (again, read, info) = load(Source::File(&path), &device).expect("it was just written");
        assert_eq!(read, config);
        assert_eq!(info.metadata["note"], "value");
        let images = burn::tensor::Tensor::<4>::ones([1, 3, 32, 32], &device) * 0.3;
        let [a, b] = [&model, &again].map(|m| m.forward(images.clone()).into_data());
        a.assert_eq(&b, true);
    }

    #[test]
    fn a_small_file_that_claims_a_huge_model_is_refused() {
        let device = Device::flex();
        let model = TinyVitConfig::native().init(9, &device);
        let mut claimed = TinyVitConfig::native();
        claimed.window_sizes = [4096; 4];
        let json = serde_json::to_string(&claimed).expect("plain data has a JSON form");
        let metadata = [(CONFIG.to_owned(), json)].into();
        let bytes = weights::to_bytes(&model, &Mapping::PYTORCH, &metadata, Precision::F32)
            .expect("finite weights");
        let source = Source::Bytes { name: "claim", bytes: &bytes };
        let error = load(source, &device).expect_err("the numbers differ");
        assert!(error.to_string().contains("claim"), "{error}");
    }

    #[test]
    fn a_file_without_a_configuration_is_refused_by_name() {
        let device = Device::flex();
        let model = TinyVitConfig::native().init(9, &device);
        let bytes = weights::to_bytes(&model, &Mapping::PYTORCH, &BTreeMap::new(), Precision::F32)
            .expect("finite weights");
        let source = Source::Bytes { name: "plain", bytes: &bytes };
        let error = load(source, &device).expect_err("there is no configuration");
        assert!(error.to_string().contains("plain"), "{error}");
    }
}
