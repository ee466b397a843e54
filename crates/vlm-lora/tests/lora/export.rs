//! A folder with an adapter merged into it is the model with the adapter.

use burn::tensor::{Device, TensorData};
use half::bf16;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::json;
use testkit::{Fixture, assert_close};
use vlm_lora::lora::{Adapter, AdapterError, CONFIG_FILE, WEIGHTS_FILE, export_merged};
use vlm_lora::{Decoder, DecoderNames, Folder, Storage, TextConfig};

use super::model::{fixture, limits, logits};

/// Eight bits of a weight are kept, which leaves some hundredths after two layers.
const BF16_LIMIT: f32 = 3e-2;

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

/// A base as large models are published: bf16, in two files with an index.
#[test]
fn shards_in_half_precision_stay_so() {
    let device = Device::flex();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [base, out] = ["base", "merged"].map(|name| folder.path().join(name));
    std::fs::create_dir(&base).expect("the folder is writable");
    let write =
        |name: &str, bytes: &[u8]| std::fs::write(base.join(name), bytes).expect("writable");
    let config = std::fs::read(fixture("lora_llama").join("config.json")).expect("committed");
    write("config.json", &config);
    let whole = Fixture::load(fixture("lora_llama").join("model.safetensors"));
    let names: Vec<&str> = whole.names().collect();
    let halves = names.split_at(names.len() / 2);
    let mut map = serde_json::Map::new();
    for (file, names) in [("a.safetensors", halves.0), ("b.safetensors", halves.1)] {
        let rounded = names.iter().map(|name| {
            map.insert((*name).to_owned(), file.into());
            let data = whole.get(name).expect("it was named");
            let bytes = data.iter::<f32>().flat_map(|value| bf16::from_f32(value).to_le_bytes());
            (*name, data.shape().to_vec(), bytes.collect::<Vec<u8>>())
        });
        let rounded: Vec<_> = rounded.collect();
        let views = rounded.iter().map(|(name, shape, bytes)| {
            (*name, TensorView::new(Dtype::BF16, shape.clone(), bytes).expect("two bytes a value"))
        });
        write(file, &safetensors::serialize(views, None).expect("distinct names"));
    }
    let index = json!({"metadata": {}, "weight_map": map});
    write("model.safetensors.index.json", index.to_string().as_bytes());

    let adapter = Adapter::open(&fixture("lora_llama").join("adapter"), &limits()).expect("PEFT's");
    let exported = export_merged(&base, &adapter, &out, &device).expect("it fits");
    assert_eq!((exported.n_files, exported.n_changed), (2, adapter.layers().len()));
    for file in ["a.safetensors", "b.safetensors"] {
        let [before, after] = [&base, &out].map(|f| std::fs::read(f.join(file)).expect("there"));
        let before = SafeTensors::deserialize(&before).expect("it is whole");
        let after = SafeTensors::deserialize(&after).expect("it is whole");
        let (mut theirs, mut ours) = (before.names(), after.names());
        theirs.sort_unstable();
        ours.sort_unstable();
        assert_eq!(ours, theirs);
        assert!(after.iter().all(|(_, view)| view.dtype() == Dtype::BF16));
    }
    let text = TextConfig::from_hugging_face(&serde_json::from_slice(&config).expect("JSON"));
    let mut weights = Folder::open(&out, Storage::F32, &device).expect("its index was copied");
    let model = Decoder::new(&mut weights, &text.expect("the base's"), &DecoderNames::default());
    weights.finish().expect("nothing was added");
    let golden = Fixture::load(fixture("lora_llama").join("expected.safetensors"));
    let tokens = golden.tensor::<2>("tokens", &device).into_data();
    let tokens: Vec<u32> = tokens.iter::<f32>().map(|token| token as u32).collect();
    let tokens: Vec<&[u32]> = tokens.chunks(11).collect();
    let theirs = golden.tensor("logits.adapted", &device);
    assert_close(&logits(&model.expect("it fits"), &tokens), &theirs, BF16_LIMIT, "in bf16");
}

#[test]
fn matrices_of_two_ranks_and_a_bias_without_a_place_are_refused() {
    let device = Device::flex();
    let theirs = fixture("lora_llama").join("adapter");
    let json = std::fs::read(theirs.join(CONFIG_FILE)).expect("PEFT wrote it");
    let refused = |key: &str, shape: &[usize]| {
        let mut weights = Fixture::load(theirs.join(WEIGHTS_FILE));
        let data = TensorData::new(vec![0.1f32; shape.iter().product()], shape.to_vec());
        weights.insert(&format!("base_model.model.{key}"), data);
        let adapter = Adapter::from_bytes(&json, &weights.to_safetensors(), &limits());
        let folder = tempfile::tempdir().expect("a temporary folder");
        let out = folder.path().join("merged");
        let adapter = adapter.expect("its parts are whole");
        let result = export_merged(&fixture("lora_llama"), &adapter, &out, &device);
        assert!(!out.exists());
        result.expect_err("it does not fit")
    };
    let found = refused("model.layers.0.mlp.down_proj.lora_B.weight", &[32, 7]);
    assert!(matches!(found, AdapterError::Shape { .. }), "{found}");
    let found = refused("lm_head.bias", &[64]);
    assert!(matches!(found, AdapterError::Base { .. }), "{found}");
}
