//! DIRE against `fixtures/dire.py`: the same numbers at every stage.

use std::path::PathBuf;

use baselines::dire::{Diffusion, UNet, UNetConfig};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use cifake::Error;
use cifake::weights::{
    Checkpoint, Configured, Precision, Source, load_configured, save_configured,
};
use testkit::{Fixture, assert_close};

/// Sums of another order, over at most 30 layers.
const TOLERANCE: f32 = 1e-4;
const TIMES: [f64; 2] = [3.0, 850.0];

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn golden() -> Fixture {
    Fixture::load(fixture("dire.safetensors"))
}

/// All published switches of the 256x256 network, and none.
fn configs() -> [(&'static str, UNetConfig); 2] {
    let a = UNetConfig {
        image_size: 8,
        model_channels: 8,
        channel_mult: vec![1, 2],
        num_res_blocks: 1,
        attention_resolutions: vec![4],
        num_head_channels: Some(4),
        num_groups: 4,
        ..UNetConfig::adm_256()
    };
    let b = UNetConfig {
        channel_mult: vec![1, 1],
        num_res_blocks: 2,
        num_head_channels: None,
        num_heads: 2,
        use_scale_shift_norm: false,
        resblock_updown: false,
        use_new_attention_order: true,
        learn_sigma: false,
        ..a.clone()
    };
    [("a", a), ("b", b)]
}

/// The weights of a golden network under their published names.
fn published(prefix: &str) -> Fixture {
    let mut all = golden();
    let mut names: Vec<String> = all.names().map(str::to_owned).collect();
    let prefix = format!("{prefix}.weights.");
    names.retain(|name| !name.starts_with(&prefix));
    for name in names {
        all.remove(&name);
    }
    all
}

fn load(prefix: &str, config: &UNetConfig, weights: &Fixture) -> Result<UNet, Error> {
    let bytes = weights.to_safetensors();
    let (file, path) = (tempfile::tempdir().expect("a folder"), "weights.safetensors");
    let path = file.path().join(path);
    std::fs::write(&path, bytes).expect("room");
    let mut renames = vec![];
    let own = format!("^{prefix}\\.weights\\.");
    renames.push((own.as_str(), ""));
    renames.extend(UNet::GUIDED_DIFFUSION.renames);
    let mapping = cifake::weights::Mapping { renames: &renames, ..UNet::GUIDED_DIFFUSION };
    let mut model = UNet::build(config, &Device::flex());
    Checkpoint::open(Source::File(&path))?.load_into(&mut model, &mapping)?;
    Ok(model)
}

#[test]
fn every_stage_is_that_of_the_reference() {
    let (golden, device) = (golden(), Device::flex());
    for (prefix, config) in configs() {
        UNet::validate(&config).expect("a valid shape");
        let model = load(prefix, &config, &published(prefix)).expect("all weights and no other");
        let stage = |name: &str| format!("{prefix}.stages.{name}");
        let time = golden.tensor::<2>(&stage("time"), &device);
        assert_close(&model.embed(&TIMES, &device), &time, TOLERANCE, "the time");
        let (x, mut seen) = (golden.tensor::<4>(&stage("x"), &device), 0);
        let out = model.forward_with(x.clone(), &TIMES, |name, found| {
            let name = stage(&name);
            assert_close(found, &golden.tensor::<4>(&name, &device), TOLERANCE, &name);
            seen += 1;
        });
        assert_close(&out, &golden.tensor::<4>(&stage("out"), &device), TOLERANCE, &stage("out"));
        let mine = format!("{prefix}.stages.");
        let stages = golden.names().filter(|name| name.starts_with(&mine)).count();
        assert_eq!(seen + 3, stages, "the time, x and the output stand beside the stages");
    }
}

#[test]
fn a_file_without_a_weight_is_refused() {
    let [(prefix, config), _] = configs();
    let mut weights = published(prefix);
    weights.remove("a.weights.out.2.bias").expect("it is there");
    let error = load(prefix, &config, &weights).expect_err("a weight is missing");
    assert!(matches!(error, Error::MissingWeights { .. }), "{error:?}");
}

#[test]
fn names_and_shapes_of_the_256_pixel_network_are_the_published_ones() {
    let text = std::fs::read_to_string(fixture("adm_256.keys.txt")).expect("it is committed");
    let mut theirs: Vec<&str> = text.lines().collect();
    theirs.sort_unstable();
    let line = |(name, shape): (String, Vec<usize>)| {
        let shape: Vec<String> = shape.iter().map(usize::to_string).collect();
        format!("{name} {}", shape.join("x"))
    };
    let mut ours: Vec<String> = UNetConfig::adm_256().keys().into_iter().map(line).collect();
    ours.sort_unstable();
    assert_eq!(ours, theirs);
    UNet::validate(&UNetConfig::adm_256()).expect("a valid shape");
    assert_eq!(UNet::n_values(&UNetConfig::adm_256()), 552_814_086);
}

#[test]
fn the_formula_counts_what_a_network_holds() {
    for (name, config) in configs() {
        let model = UNet::build(&config, &Device::flex());
        assert_eq!(UNet::n_values(&config), model.num_params() as u64, "{name}");
    }
}

#[test]
fn a_weight_file_of_ours_gives_the_same_answers() {
    let [(prefix, config), _] = configs();
    let model = load(prefix, &config, &published(prefix)).expect("all weights");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("unet.safetensors");
    save_configured(&model, &config, &[].into(), Precision::F32, &path).expect("room");
    let (again, found, ..) =
        load_configured::<UNet>(Source::File(&path), &Device::flex()).expect("it is ours");
    assert_eq!(found, config);
    let x = golden().tensor::<4>("a.stages.x", &Device::flex());
    let answers = |model: &UNet| model.forward(x.clone(), &TIMES).into_data();
    answers(&again).assert_eq(&answers(&model), true);
}

#[test]
fn a_configuration_of_nonsense_is_refused() {
    let [(_, good), _] = configs();
    assert!(UNet::activation_bytes(&good) > 0);
    for broken in [
        UNetConfig { image_size: 9, ..good.clone() },
        UNetConfig { image_size: usize::MAX, ..good.clone() },
        UNetConfig { model_channels: 0, ..good.clone() },
        UNetConfig { model_channels: 7, ..good.clone() },
        UNetConfig { channel_mult: vec![], ..good.clone() },
        UNetConfig { channel_mult: vec![usize::MAX, 1], ..good.clone() },
        UNetConfig { num_res_blocks: usize::MAX, ..good.clone() },
        UNetConfig { num_groups: 3, ..good.clone() },
        UNetConfig { num_groups: 0, ..good.clone() },
        UNetConfig { num_head_channels: Some(0), ..good.clone() },
        UNetConfig { num_head_channels: Some(32), ..good.clone() },
        UNetConfig { num_head_channels: None, num_heads: 3, ..good },
    ] {
        assert!(UNet::validate(&broken).is_err(), "{broken:?}");
    }
}

/// The network of one formula that the reference uses.
fn noise(x: Tensor<4>, time: f64) -> Tensor<4> {
    (x * 1.3 + 0.01 * time).sin() * 0.8
}

#[test]
fn twenty_steps_both_ways_are_those_of_the_reference() {
    let (golden, device) = (golden(), Device::flex());
    let tensor = |name: &str| golden.tensor::<4>(&format!("diffusion.{name}"), &device);
    let diffusion = Diffusion::linear(1000, 20).expect("a stride of 50");
    let inverted = diffusion.invert(tensor("start"), noise);
    assert_close(&inverted, &tensor("inverted"), TOLERANCE, "the inversion");
    let reconstructed = diffusion.reconstruct(tensor("inverted"), noise);
    assert_close(&reconstructed, &tensor("reconstructed"), TOLERANCE, "the reconstruction");
}
