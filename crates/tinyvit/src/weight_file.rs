//! The configuration of a TinyViT in the project's own weight files.

use burn::tensor::Device;
use cifake::Familiarity;
use cifake::weights::Configured;

use crate::config::TinyVitConfig;
use crate::model::TinyVit;

impl Configured for TinyVit {
    type Config = TinyVitConfig;

    const KEY: &'static str = "tinyvit_config";
    const BESIDE: Option<&'static str> = Some(Familiarity::PREFIX);

    fn validate(config: &TinyVitConfig) -> Result<(), String> {
        config.validate()
    }

    fn n_values(config: &TinyVitConfig) -> u64 {
        config.n_values()
    }

    fn activation_bytes(config: &TinyVitConfig) -> u64 {
        config.activation_bytes()
    }

    fn build(config: &TinyVitConfig, device: &Device) -> Self {
        Self::new(config, device)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use cifake::weights::{Mapping, Precision, Source, load_configured, save_configured, to_bytes};

    use super::*;

    #[test]
    fn what_was_saved_is_loaded() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("weights.safetensors");
        let device = Device::flex();
        let config = TinyVitConfig::native();
        let model = config.init(9, &device);
        let notes = [("note".to_owned(), "value".to_owned())].into();
        save_configured(&model, &config, &notes, Precision::F32, &path)
            .expect("the folder is writable");
        let (again, read, info): (TinyVit, _, _) =
            load_configured(Source::File(&path), &device).expect("it was just written");
        assert_eq!(read, config);
        assert_eq!(info.metadata["note"], "value");
        let images = burn::tensor::Tensor::<4>::ones([1, 3, 32, 32], &device) * 0.3;
        let [a, b] = [&model, &again].map(|m| m.forward(images.clone()).into_data());
        a.assert_eq(&b, true);
    }

    #[test]
    fn int8_takes_a_byte_a_value_and_little_more() {
        let bytes = |config: &TinyVitConfig| {
            let model = config.init(9, &Device::flex());
            let bytes = to_bytes(&model, &Mapping::PYTORCH, &BTreeMap::new(), Precision::Int8);
            bytes.expect("finite weights").len()
        };
        let (native, large) = (TinyVitConfig::native(), TinyVitConfig::native_large());
        let found = bytes(&native);
        assert!(found > native.n_values() as usize && found < 2_350_000, "{found}");
        let found = bytes(&large);
        assert!(found > large.n_values() as usize && found < 4_500_000, "{found}");
    }

    #[test]
    fn a_small_file_that_claims_a_huge_model_is_refused() {
        let device = Device::flex();
        let model = TinyVitConfig::native().init(9, &device);
        let mut claimed = TinyVitConfig::native();
        claimed.window_sizes = [4096; 4];
        let json = serde_json::to_string(&claimed).expect("plain data has a JSON form");
        let metadata = [(TinyVit::KEY.to_owned(), json)].into();
        let bytes =
            to_bytes(&model, &Mapping::PYTORCH, &metadata, Precision::F32).expect("finite weights");
        let source = Source::Bytes { name: "claim", bytes: &bytes };
        let error = load_configured::<TinyVit>(source, &device).expect_err("the numbers differ");
        assert!(error.to_string().contains("claim"), "{error}");
    }

    #[test]
    fn a_small_file_that_declares_a_huge_picture_or_window_is_refused_before_it_is_built() {
        let device = Device::flex();
        let model = TinyVitConfig::native().init(9, &device);
        let picture = TinyVitConfig::native().with_image_size(4096);
        let mut window = TinyVitConfig::native();
        window.window_sizes[2] = 500;
        for claimed in [picture, window] {
            let json = serde_json::to_string(&claimed).expect("plain data has a JSON form");
            let metadata = [(TinyVit::KEY.to_owned(), json)].into();
            let bytes = to_bytes(&model, &Mapping::PYTORCH, &metadata, Precision::F32);
            let bytes = bytes.expect("finite weights");
            let source = Source::Bytes { name: "claim", bytes: &bytes };
            let refused = load_configured::<TinyVit>(source, &device).map(|_| ());
            let too_large = |error| matches!(error, cifake::Error::ActivationsTooLarge { .. });
            assert!(refused.is_err_and(too_large), "{claimed:?}");
        }
    }

    #[test]
    fn published_and_shipped_configurations_are_far_below_the_limit() {
        let large = TinyVitConfig::tiny_vit_21m().with_image_size(512).with_fitting_windows();
        for config in [TinyVitConfig::native(), TinyVitConfig::native_large(), large] {
            let bytes = TinyVit::activation_bytes(&config);
            assert!(bytes > 4 * 3 * config.image_size.pow(2) as u64, "{}", config.name);
            assert!(bytes < cifake::weights::MAX_ACTIVATION_BYTES / 2, "{}: {bytes}", config.name);
        }
        // Batches of 64 stay what they are.
        assert!(TinyVit::activation_bytes(&TinyVitConfig::native_large()) < 16 << 20);
    }

    #[test]
    fn a_file_without_a_configuration_is_refused_by_name() {
        let device = Device::flex();
        let model = TinyVitConfig::native().init(9, &device);
        let bytes = to_bytes(&model, &Mapping::PYTORCH, &BTreeMap::new(), Precision::F32)
            .expect("finite weights");
        let source = Source::Bytes { name: "plain", bytes: &bytes };
        let error =
            load_configured::<TinyVit>(source, &device).expect_err("there is no configuration");
        assert!(error.to_string().contains("plain"), "{error}");
    }
}
