//! A folder with an adapter merged into it is the model with the adapter.

use burn::tensor::Device;
use testkit::{Fixture, assert_close};
use vlm_lora::lora::{Adapter, AdapterError, export_merged};
use vlm_lora::{Decoder, DecoderNames, Folder, Storage, TextConfig};

use super::model::{fixture, limits, logits};

#[test]
fn a_merged_folder_gives_the_logits_of_peft() {
    let device = Device::flex();
    for name in ["lora_llama", "lora_qwen2"] {
        let adapter = Adapter::open(&fixture(name).join("adapter"), &limits()).expect("PEFT's");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let out = folder.path().join("merged");
        let exported = export_merged(&fixture(name), &adapter, &out, &device).expect("it fits");
        assert_eq!((exported.n_files, exported.n_changed), (1, adapter.layers().len()));
        let again = export_merged(&fixture(name), &adapter, &out, &device);
        assert!(matches!(again, Err(AdapterError::Base { .. })), "it is not empty");
        let json = std::fs::read(out.join("config.json")).expect("it was copied");
        let json = serde_json::from_slice(&json).expect("it is JSON");
        let config = TextConfig::from_hugging_face(&json).expect("it is the base's");
        let mut weights = Folder::open(&out, Storage::F32, &device).expect("it was written");
        let model = Decoder::new(&mut weights, &config, &DecoderNames::default()).expect("it fits");
        weights.finish().expect("nothing was added");
        let golden = Fixture::load(fixture(name).join("expected.safetensors"));
        let tokens = golden.tensor::<2>("tokens", &device).into_data();
        let tokens: Vec<u32> = tokens.iter::<f32>().map(|token| token as u32).collect();
        let tokens: Vec<&[u32]> = tokens.chunks(11).collect();
        let theirs = golden.tensor("logits.adapted", &device);
        assert_close(&logits(&model, &tokens), &theirs, 1e-4, name);
    }
}

#[test]
fn another_model_is_refused_and_nothing_written() {
    let device = Device::flex();
    let adapter = Adapter::open(&fixture("lora_llama").join("adapter"), &limits());
    let adapter = adapter.expect("PEFT wrote it");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("merged");
    let base = folder.path().join("base");
    std::fs::create_dir(&base).expect("the folder is writable");
    let refused = export_merged(&base, &adapter, &out, &device);
    assert!(matches!(refused, Err(AdapterError::Base { .. })));
    let mut other = Fixture::default();
    other.insert("a.weight", burn::tensor::TensorData::from([[1.0f32]]));
    std::fs::write(base.join("model.safetensors"), other.to_safetensors()).expect("writable");
    let refused = export_merged(&base, &adapter, &out, &device);
    assert!(matches!(refused, Err(AdapterError::Base { .. })));
    assert!(!out.exists());
}
