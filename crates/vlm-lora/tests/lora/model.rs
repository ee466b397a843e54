//! Small models for the tests of this folder.

use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor, TensorData};
use vlm_lora::lora::{AdapterLimits, LoraConfig, Modules};
use vlm_lora::{
    Decoder, DecoderNames, Folder, LoraTargets, Matrix, Positions, Random, TextConfig, WeightFormat,
};

/// The folder of a fixture.
pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// The base model in the folder of a fixture.
pub(crate) fn load(name: &str, device: &Device) -> Decoder {
    let folder = fixture(name);
    let json = std::fs::read(folder.join("config.json")).expect("the fixture is committed");
    let json = serde_json::from_slice(&json).expect("the fixture is JSON");
    let config = TextConfig::from_hugging_face(&json).expect("the configuration is read");
    let mut weights =
        Folder::open(&folder, WeightFormat::F32, device).expect("the weights are there");
    let decoder = Decoder::new(&mut weights, &config, &DecoderNames::default());
    weights.finish().expect("the model uses every weight");
    decoder.expect("the weights fit")
}

/// A decoder of two layers with random weights.
pub(crate) fn random(storage: WeightFormat, device: &Device) -> Decoder {
    let mut weights = Random::new(5, storage, device);
    Decoder::new(&mut weights, &shape(), &DecoderNames::default()).expect("it has every weight")
}

/// That of [`random`]'s decoder.
pub(crate) fn shape() -> TextConfig {
    let mut config = TextConfig::llama(40, [32, 64], 2, [4, 2]);
    config.qkv_bias = true;
    config
}

/// The scores of every next token, `[batch, tokens, vocab]`, for sequences of one length.
pub(crate) fn logits(decoder: &Decoder, tokens: &[&[u32]]) -> Tensor<3> {
    let embeddings = tokens.iter().map(|tokens| decoder.embed(tokens).unsqueeze::<3>()).collect();
    let positions = Positions::text(&vec![0; tokens.len()], tokens[0].len());
    let hidden = decoder.forward(Tensor::cat(embeddings, 0), &positions, None);
    decoder.logits(hidden)
}

/// The weights of every linear layer, one after the other.
pub(crate) fn weights(model: &mut dyn LoraTargets) -> Vec<TensorData> {
    let mut all = Vec::new();
    model.visit_linears(&mut |linear| {
        all.push(linear.weight().to_tensor().into_data());
        all.extend(linear.bias().map(|bias| bias.to_data()));
    });
    all
}

/// Whether every linear layer is kept in f32.
pub(crate) fn is_single(model: &mut dyn LoraTargets) -> bool {
    let mut single = true;
    model.visit_linears(&mut |linear| single &= matches!(linear.weight(), Matrix::F32(_)));
    single
}

/// Low-rank matrices on all linear layers.
pub(crate) fn all_linear(r: usize) -> LoraConfig {
    LoraConfig::new(r, 8.0, Modules::all_linear())
}

pub(crate) fn limits() -> AdapterLimits {
    AdapterLimits::default()
}

/// An adapter of `config` for `model` whose `B` is not zero, as after training.
pub(crate) fn trained(
    config: LoraConfig,
    model: &mut dyn LoraTargets,
    seed: u64,
) -> vlm_lora::lora::Adapter {
    use vlm_lora::lora::{Adapter, CONFIG_FILE, WEIGHTS_FILE};
    let drawn = Adapter::draw(config, model, seed, &limits()).expect("the model has its layers");
    // The way through the file: an adapter's weights cannot be set one by one.
    let folder = tempfile::tempdir().expect("a temporary folder");
    drawn.save(folder.path()).expect("the folder is writable");
    let mut fixture = testkit::Fixture::load(folder.path().join(WEIGHTS_FILE));
    let names: Vec<String> = fixture.names().map(str::to_owned).collect();
    let mut state = seed;
    for name in names {
        let data = fixture.get(&name).expect("it was just named");
        let shape = data.shape().to_vec();
        let scale = if name.ends_with("lora_B.weight") { 0.3 } else { 0.1 };
        let values = data.iter::<f32>().map(|old| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            old + scale * ((state >> 40) as f32 / (1u64 << 23) as f32 - 1.0)
        });
        let data = TensorData::new(values.collect::<Vec<_>>(), shape);
        fixture.insert(&name, data);
    }
    let json = std::fs::read(folder.path().join(CONFIG_FILE)).expect("it was written");
    Adapter::from_bytes(&json, &fixture.to_safetensors(), &limits()).expect("it is whole")
}
