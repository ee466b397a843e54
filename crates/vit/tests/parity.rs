//! Parity with timm, transformers and open_clip: the same numbers after every stage, under all names.
//! `fixtures/generate.py` makes the golden files.

use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor, TensorData};
use cifake::Error;
use cifake::weights::{Checkpoint, Source};
use cifake_vit::{
    Interpolation, LastNorm, Naming, Pooling, VitConfig, published_head, resize_bicubic,
};
use testkit::{Fixture, assert_close};

/// Relative to the largest value of a stage.
const LIMIT: f32 = 1e-4;

fn fixture(name: &str) -> PathBuf {
    let file = format!("tests/fixtures/{name}.safetensors");
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

/// `published` at the sizes of the golden files.
fn small(published: VitConfig) -> VitConfig {
    let projection = published.projection.map(|_| 10);
    VitConfig {
        side: 24,
        patch: 8,
        dim: 24,
        depth: 2,
        n_heads: 3,
        d_mlp: 40,
        projection,
        ..published
    }
}

fn cases() -> Vec<(&'static str, Naming, VitConfig)> {
    let vit = small(VitConfig::base16());
    let (clip, dinov2) = (small(VitConfig::clip_large14()), small(VitConfig::dinov2_large14()));
    let mean = VitConfig {
        class_token: false,
        qkv_bias: false,
        pooling: Pooling::Mean,
        last_norm: LastNorm::Pooled,
        ..vit.clone()
    };
    vec![
        ("timm_class", Naming::Timm, vit.clone()),
        ("timm_mean", Naming::Timm, mean),
        ("timm_dinov2", Naming::Timm, dinov2.clone()),
        ("hf_vit", Naming::HuggingFaceVit, vit),
        ("hf_dinov2", Naming::HuggingFaceVit, VitConfig { d_mlp: 48, ..dinov2 }),
        ("openai", Naming::OpenAi, clip.clone()),
        ("hf_clip", Naming::HuggingFaceClip, clip),
    ]
}

fn open(name: &str) -> Checkpoint {
    Checkpoint::open(Source::File(&fixture(name))).expect("the golden file is there")
}

#[test]
fn every_stage_gives_upstreams_numbers_under_every_name() {
    let device = Device::flex();
    for (name, naming, config) in cases() {
        let checkpoint = open(name);
        assert_eq!(Naming::of(&checkpoint), Some(naming), "{name}");
        let network = config.load_checkpoint(&checkpoint, &device).expect("published names");
        let golden = Fixture::load(fixture(&format!("{name}_stages")));
        let images: Tensor<4> = golden.tensor("images", &device);
        let mut n_seen = 0;
        let embedding = network.forward_each(images.clone(), &mut |stage, ours| {
            n_seen += 1;
            let theirs = golden.tensor(stage, &device);
            assert_close(ours, &theirs, LIMIT, &format!("{name} {stage}"));
        });
        assert_eq!(n_seen, 4);
        let theirs = golden.tensor("embedding", &device);
        assert_close(&embedding, &theirs, LIMIT, &format!("{name} embedding"));
        let in_training = network.forward_train(images.clone(), Vec::new());
        assert_close(&in_training, &theirs, LIMIT, &format!("{name} embedding in training"));
        let theirs = golden.tensor("tokens", &device);
        assert_close(&network.tokens(images), &theirs, LIMIT, &format!("{name} all tokens"));
    }
}

#[test]
fn a_published_classifier_is_found_beside_the_tower() {
    let device = Device::flex();
    for (name, classes) in [("timm_class", Some(3)), ("hf_vit", Some(2)), ("openai", None)] {
        let head = published_head(&open(name));
        assert_eq!(head.map(|[weight, bias]| (weight.shape()[0], bias.shape()[0])), {
            classes.map(|classes| (classes, classes))
        });
    }
    let [weight, bias] = published_head(&open("timm_class")).expect("it has one");
    let golden = Fixture::load(fixture("timm_class_stages"));
    let embedding: Tensor<2> = golden.tensor("embedding", &device);
    let weight = Tensor::<2>::from_data(weight, &device);
    let logits =
        embedding.matmul(weight.transpose()) + Tensor::<1>::from_data(bias, &device).unsqueeze();
    assert_close(&logits, &golden.tensor("logits", &device), LIMIT, "logits");
}

/// As published by RobustVLM: the tower alone, without the prefix.
#[test]
fn a_tower_without_its_prefix_loads_alike() {
    let mut tower = Fixture::default();
    let named = Fixture::load(fixture("openai"));
    for name in named.names() {
        if let Some(bare) = name.strip_prefix("visual.") {
            tower.insert(bare, named.get(name).expect("it is listed").clone());
        }
    }
    let bytes = tower.to_safetensors();
    let source = Source::Bytes { name: "bare", bytes: &bytes };
    let (device, config) = (Device::flex(), small(VitConfig::clip_large14()));
    let network = config.load(source, &device).expect("it holds a tower alone");
    let golden = Fixture::load(fixture("openai_stages"));
    let embedding = network.forward(golden.tensor("images", &device));
    assert_close(&embedding, &golden.tensor("embedding", &device), LIMIT, "embedding");
    let gelu = config.laion().load(source, &device).expect("the names are the same");
    let other = gelu.forward(golden.tensor("images", &device));
    let apart = testkit::relative_difference(&other, &golden.tensor("embedding", &device));
    assert!(apart > 1e-3, "the activation makes a difference: {apart}");
}

#[test]
fn positions_of_another_side_are_resampled_as_upstream_does() {
    let device = Device::flex();
    let golden = Fixture::load(fixture("positions"));
    for (name, interpolation, sides) in [
        ("timm", Interpolation::Antialiased, &[4, 7, 12][..]),
        ("dinov2", Interpolation::Dinov2, &[4, 12]),
    ] {
        for &side in sides {
            let of = |side: usize| VitConfig {
                side,
                patch: 1,
                dim: 6,
                depth: 1,
                n_heads: 1,
                d_mlp: 2,
                interpolation,
                ..VitConfig::base16()
            };
            let mut file = saved(&of(7).draw(1, &device));
            file.insert("pos_embed", golden.get("table").expect("it is there").clone());
            let bytes = file.to_safetensors();
            let source = Source::Bytes { name: "table", bytes: &bytes };
            let network = of(side).load(source, &device).expect("the table is square");
            let theirs = golden.tensor(&format!("{name}.{side}"), &device);
            assert_close(&network.pos_embed.val(), &theirs, LIMIT, &format!("{name} {side}"));
        }
    }
}

#[test]
fn pictures_of_another_side_are_pytorchs() {
    let device = Device::flex();
    let golden = Fixture::load(fixture("positions"));
    for side in [5, 20] {
        let ours = resize_bicubic(golden.tensor("pixels", &device), side);
        let theirs = golden.tensor(&format!("pixels.{side}"), &device);
        assert_close(&ours, &theirs, 1e-5, &format!("pictures of {side}"));
    }
}

/// A network's own file, under timm's names.
fn saved(network: &cifake_vit::Vit) -> Fixture {
    use cifake::weights::{Mapping, Precision, to_bytes};
    let bytes = to_bytes(network, &Mapping::PYTORCH, &[].into(), Precision::F32);
    let bytes = bytes.expect("it is small");
    let checkpoint = Checkpoint::open(Source::Bytes { name: "saved", bytes: &bytes });
    let checkpoint = checkpoint.expect("it was just written");
    let mut file = Fixture::default();
    for key in checkpoint.shapes().into_keys() {
        file.insert(key, checkpoint.tensor(key).expect("it is listed"));
    }
    file
}

#[test]
fn weights_that_do_not_fit_are_refused_by_name() {
    let device = Device::flex();
    let config = small(VitConfig::clip_large14());
    let load = |config: &VitConfig| config.load(fixture("openai").as_path(), &device);
    let text = |error: Error| error.to_string();
    let deeper = VitConfig { depth: 3, ..config.clone() };
    assert!(text(load(&deeper).expect_err("a block is missing")).contains("blocks.2."));
    let other = VitConfig { projection: Some(12), ..config.clone() };
    let error = load(&other).expect_err("the projection has 10 values");
    assert!(matches!(error, Error::WeightShape { ref key, .. } if key.starts_with("projection")));
    let without = VitConfig { projection: None, ..config.clone() };
    assert!(text(load(&without).expect_err("it is left over")).contains("projection"));
    let invalid = VitConfig { n_heads: 5, ..config.clone() };
    assert!(matches!(load(&invalid), Err(Error::WeightConfig { .. })));
    let narrow = VitConfig { dim: 12, ..config.clone() };
    assert!(load(&narrow).is_err());
    let mut file = Fixture::load(fixture("hf_clip"));
    file.remove("vision_model.encoder.layers.1.self_attn.k_proj.bias");
    let bytes = file.to_safetensors();
    let error = config.load(Source::Bytes { name: "keyless", bytes: &bytes }, &device);
    assert!(text(error.expect_err("keys have no bias")).contains("blocks.1.attn.qkv.bias"));
    file.insert("vision_model.embeddings.class_embedding", TensorData::from([1.0f32]));
    let bytes = file.to_safetensors();
    assert!(config.load(Source::Bytes { name: "short", bytes: &bytes }, &device).is_err());
    let mut unknown = Fixture::default();
    unknown.insert("weight", TensorData::from([1.0f32]));
    let bytes = unknown.to_safetensors();
    let error = config.load(Source::Bytes { name: "unknown", bytes: &bytes }, &device);
    assert!(text(error.expect_err("it is no tower")).contains("timm"));
}
