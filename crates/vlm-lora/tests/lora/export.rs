//! A folder with an adapter merged into it is the model with the adapter.

use std::path::Path;

use burn::tensor::{Device, TensorData};
use half::bf16;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::json;
use testkit::{Fixture, assert_close};
use vlm_lora::lora::{
    Adapter, AdapterError, CONFIG_FILE, LoraConfig, Modules, WEIGHTS_FILE, export_merged,
};
use vlm_lora::{
    Decoder, DecoderNames, Folder, Random, Shapes, TextConfig, WeightFormat, WeightSource,
};

use super::model::{all_linear, fixture, limits, load, logits, trained};

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
        let mut weights = Folder::open(&out, WeightFormat::F32, &device).expect("it was written");
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
    other.insert("a.weight", TensorData::from([[1.0f32]]));
    std::fs::write(base.join("model.safetensors"), other.to_safetensors()).expect("writable");
    let refused = export_merged(&base, &adapter, &out, &device);
    assert!(matches!(refused, Err(AdapterError::Model { .. })), "without a configuration");
    std::fs::copy(fixture("lora_llama").join("config.json"), base.join("config.json"))
        .expect("committed");
    let refused = export_merged(&base, &adapter, &out, &device);
    assert!(matches!(refused, Err(AdapterError::Base { .. })));
    assert!(!out.exists());
}

/// The adapter of the fixture without the first of its layers, or on a base of one layer more.
#[test]
fn an_adapter_that_lacks_layers_is_refused_as_where_it_is_attached() {
    let device = Device::flex();
    let theirs = fixture("lora_llama").join("adapter");
    let json = std::fs::read(theirs.join(CONFIG_FILE)).expect("PEFT wrote it");
    let weights = Fixture::load(theirs.join(WEIGHTS_FILE));
    let first = weights.names().find(|name| name.contains("lora_A")).expect("it has layers");
    let layer = first.split(".lora_A").next().expect("a path").to_owned();
    let mut fewer = Fixture::default();
    for name in weights.names().filter(|name| !name.starts_with(&layer)) {
        fewer.insert(name, weights.get(name).expect("it was named").clone());
    }
    let adapter = Adapter::from_bytes(&json, &fewer.to_safetensors(), &limits()).expect("whole");
    let mut model = load("lora_llama", &device);
    let refused = adapter.attach(&mut model, "a", &device, &limits());
    assert!(matches!(refused, Err(AdapterError::Missing { .. })), "{refused:?}");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("merged");
    let refused = export_merged(&fixture("lora_llama"), &adapter, &out, &device);
    assert!(matches!(refused, Err(AdapterError::Missing { .. })), "{refused:?}");
    assert!(!out.exists());
}

/// A base whose head is its embedding, with its files.
fn tied(folder: &Path) -> Decoder {
    let config = json!({
        "model_type": "qwen2", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 40,
        "tie_word_embeddings": true, "max_position_embeddings": 64
    });
    let text = TextConfig::from_hugging_face(&config).expect("it is plain");
    let mut shapes = Shapes::new(&Device::flex());
    Decoder::new(&mut shapes, &text, &DecoderNames::default()).expect("shapes are never wrong");
    let mut random = Random::new(3, WeightFormat::F32, &Device::flex());
    let mut weights = Fixture::default();
    for (name, shape) in shapes.names() {
        let values = random.values(name, shape).expect("drawn");
        let values = values.into_data().iter::<f32>().collect::<Vec<_>>();
        weights.insert(name, TensorData::new(values, shape.clone()));
    }
    assert!(weights.names().all(|name| !name.contains("lm_head")));
    std::fs::create_dir_all(folder).expect("the folder is writable");
    std::fs::write(folder.join("config.json"), config.to_string()).expect("writable");
    std::fs::write(folder.join("model.safetensors"), weights.to_safetensors()).expect("writable");
    open(folder)
}

/// The decoder of a folder.
fn open(folder: &Path) -> Decoder {
    let json = std::fs::read(folder.join("config.json")).expect("it is there");
    let json = serde_json::from_slice(&json).expect("it is JSON");
    let config = TextConfig::from_hugging_face(&json).expect("it is plain");
    let mut weights = Folder::open(folder, WeightFormat::F32, &Device::flex()).expect("whole");
    let model = Decoder::new(&mut weights, &config, &DecoderNames::default()).expect("it fits");
    weights.finish().expect("nothing is left over");
    model
}

#[test]
fn a_trained_head_survives_the_merge_into_a_tied_model() {
    let device = Device::flex();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let base = folder.path().join("base");
    let lists: [LoraConfig; 2] = [
        LoraConfig::new(2, 4.0, Modules::list(&["lm_head", "q_proj"])),
        all_linear(2).with_modules_to_save(&["lm_head"]),
    ];
    for (i, config) in lists.into_iter().enumerate() {
        let mut model = tied(&base);
        let plain = logits(&model, &[&[1, 2, 3]]).into_data();
        let adapter = trained(config, &mut model, 7);
        adapter.attach(&mut model, "a", &device, &limits()).expect("the head is a layer");
        let expected = logits(&model, &[&[1, 2, 3]]);
        assert_ne!(plain, expected.to_data());
        let out = folder.path().join(format!("merged {i}"));
        export_merged(&base, &adapter, &out, &device).expect("it fits");
        let merged = open(&out);
        assert!(!merged.config().tied);
        assert_close(&logits(&merged, &[&[1, 2, 3]]), &expected, 1e-4, "merged");
    }
}

/// The files that PEFT writes if the head is a target: beside the adapter's weights, embedding and
/// head.
#[test]
fn weights_of_the_base_beside_an_adapter_must_be_the_bases() {
    let device = Device::flex();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut model = tied(folder.path());
    let config = LoraConfig::new(2, 4.0, Modules::list(&["lm_head"]));
    let drawn = trained(config, &mut model, 7);
    let saved = folder.path().join("adapter");
    drawn.save(&saved).expect("the folder is writable");
    let json = std::fs::read(saved.join(CONFIG_FILE)).expect("it was written");
    let read = |change: f32| {
        let mut weights = Fixture::load(saved.join(WEIGHTS_FILE));
        let own = model.embedding().weight().to_tensor().into_data();
        let mut values: Vec<f32> = own.iter().collect();
        values[5] += change;
        for path in ["model.embed_tokens.weight", "lm_head.base_layer.weight"] {
            let data = TensorData::new(values.clone(), own.shape().to_vec());
            weights.insert(&format!("base_model.model.{path}"), data);
        }
        Adapter::from_bytes(&json, &weights.to_safetensors(), &limits()).expect("PEFT's keys")
    };
    let (same, other) = (read(0.0), read(0.5));
    let out = folder.path().join("merged");
    let refused = export_merged(folder.path(), &other, &out, &device);
    assert!(matches!(refused, Err(AdapterError::Carried { .. })), "{refused:?}");
    export_merged(folder.path(), &same, &out, &device).expect("they are the base's");
    let refused = other.attach(&mut model, "other", &device, &limits());
    assert!(matches!(refused, Err(AdapterError::Carried { .. })), "{refused:?}");
    same.attach(&mut model, "same", &device, &limits()).expect("they are the base's");
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
    let mut weights = Folder::open(&out, WeightFormat::F32, &device).expect("its index was copied");
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
    assert!(matches!(found, AdapterError::Key { .. }), "{found}");
}
