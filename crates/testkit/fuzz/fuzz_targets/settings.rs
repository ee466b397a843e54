//! `cargo +nightly fuzz run settings` in `crates/testkit`: the configuration files of a model's folder.
#![no_main]

use vlm_lora::TextConfig;
use vlm_lora::generate::GenerationDefaults;
use vlm_lora::image::{MultiCropProcessor, PreprocessorConfig, Qwen2VlProcessor};
use vlm_lora::models::{McLlavaConfig, Qwen2VlConfig};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(config) = PreprocessorConfig::from_bytes(bytes) {
        let _ = Qwen2VlProcessor::from_config(&config);
        let _ = MultiCropProcessor::from_config(&config);
    }
    let Ok(json) = serde_json::from_slice(bytes) else { return };
    let _ = GenerationDefaults::from_json(None, &json);
    let _ = TextConfig::from_hugging_face(&json);
    let _ = Qwen2VlConfig::from_hugging_face(&json);
    let _ = McLlavaConfig::from_hugging_face(&json);
});
