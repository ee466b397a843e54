//! DIRE against `fixtures/dire.py`: the same numbers at every stage.

use std::path::PathBuf;

use baselines::dire::{
    Diffusion, Dire, DireClassifier, DireConfig, Reconstructor, UNet, UNetConfig, dire_loader,
    residue,
};
use baselines::{IMPORTS, ResNet, ResNetConfig};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use cifake::weights::{
    Checkpoint, Configured, MAX_ACTIVATION_BYTES, Precision, Source, load_configured,
    save_configured,
};
use cifake::{
    Classifier, Detector, EmbeddingClassifier, Error, FeatureClassifier, Network, Registry,
};
use cifake_training::{Evaluated, Network as _};
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
            let found = found.clone().permute([0, 3, 1, 2]);
            assert_close(&found, &golden.tensor::<4>(&name, &device), TOLERANCE, &name);
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
    assert_eq!(UNet::n_values(&UNetConfig::ddpm_32()), 1_192_387);
    Dire::validate(&DireConfig::published()).expect("a valid shape");
    assert!(Dire::activation_bytes(&DireConfig::published()) < MAX_ACTIVATION_BYTES);
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

/// Sums of another order, through the network forty times.
const WALKED: f32 = 1e-3;

#[test]
fn a_network_inverts_and_reconstructs_as_the_reference() {
    let (golden, device) = (golden(), Device::flex());
    let [(prefix, config), _] = configs();
    let model = load(prefix, &config, &published(prefix)).expect("all weights");
    let tensor = |name: &str| golden.tensor::<4>(&format!("residue.{name}"), &device);
    let noise = |x: Tensor<4>, time: f64| model.forward(x, &[time; 2]).narrow(1, 0, 3);
    let diffusion = Diffusion::linear(1000, 20).expect("a stride of 50");
    let images = tensor("images");
    let inverted = diffusion.invert(images.clone() * 2.0 - 1.0, noise);
    assert_close(&inverted, &tensor("inverted"), TOLERANCE, "the inversion");
    let reconstructed = diffusion.reconstruct(inverted, noise);
    assert_close(&reconstructed, &tensor("reconstructed"), WALKED, "the reconstruction");
    // A level is rounded down: where the exact one is close to whole, either side of it is right.
    let found = Reconstructor::new(&model, diffusion).residue(images.clone()) * 255.0;
    let theirs = residue(images * 2.0 - 1.0, tensor("reconstructed")) * 255.0;
    let apart = (found.clone() - theirs).abs();
    assert!(apart.clone().max().into_scalar::<f32>() < 1.01, "{apart}");
    assert!(apart.mean().into_scalar::<f32>() < 0.05, "few levels are close to whole");
    assert!(found.mean().into_scalar::<f32>() > 5.0, "the network gives back another picture");
}

/// A detector of the golden network and a small classifier of its whole residue, or of the middle.
fn detector(side: usize) -> (Dire, DireConfig) {
    let [(prefix, config), _] = configs();
    let classifier = ResNetConfig {
        widths: [4, 4, 6, 6],
        depths: [1; 4],
        stem_stride: 1,
        side,
        ..ResNetConfig::resnet18_32()
    };
    let unet = load(prefix, &config, &published(prefix)).expect("all weights");
    let model = Dire { unet, classifier: ResNet::draw(&classifier, 1, &Device::flex()) };
    (model, DireConfig::of(config, classifier))
}

#[test]
fn a_detector_judges_the_middle_of_a_residue() {
    let images = golden().tensor::<4>("residue.images", &Device::flex());
    for side in [8, 4] {
        let (model, config) = detector(side);
        Dire::validate(&config).expect("a valid shape");
        let diffusion = Diffusion::linear(1000, 20).expect("a stride of 50");
        let residue = Reconstructor::new(&model.unet, diffusion).residue(images.clone());
        let first = (8 - side) / 2;
        let seen = residue.narrow(2, first, side).narrow(3, first, side);
        let expected = Evaluated::new(&model.classifier).logits(seen);
        let classifier = DireClassifier::new(&model, config).expect("a valid shape");
        assert_close(&classifier.logits(images.clone()), &expected, 1e-6, "logits");
        let (logits, embedding) = classifier.logits_and_embedding(images.clone());
        assert_close(&logits, &expected, 1e-6, "logits beside the embedding");
        assert_eq!(embedding.dims(), [2, classifier.embedding_dim()]);
        assert_eq!((classifier.layers().len(), classifier.input_size()), (5, (8, 8)));
        for layer in classifier.layers() {
            let map = classifier.features(images.clone(), layer);
            assert_eq!(map.dims(), [2, layer.channels, layer.height, layer.width]);
            assert_close(&classifier.head(map, layer), &expected, 1e-5, &layer.name);
        }
    }
}

#[test]
fn gradients_reach_the_picture_through_the_rounding() {
    let (model, config) = detector(8);
    let classifier = DireClassifier::new(&model, config).expect("a valid shape");
    let images = golden().tensor::<4>("residue.images", &Device::flex());
    let images = Tensor::<4>::from_inner(images).require_grad();
    let loss = classifier.logits(images.clone()).narrow(1, 1, 1).sum();
    let gradient = images.grad(&loss.backward()).expect("it is tracked");
    assert!(gradient.abs().mean().into_scalar::<f32>() > 0.0);
}

#[test]
fn a_weight_file_makes_a_detector() {
    let (model, config) = detector(8);
    assert_eq!(Dire::n_values(&config), model.num_params() as u64);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("dire.safetensors");
    save_configured(&model, &config, &[].into(), Precision::F32, &path).expect("room");
    let registry = Registry::from(dire_loader());
    let detector = Detector::open(&registry, &path).expect("it was just written");
    assert!(detector.model_name().starts_with("dire-resnet10"), "{}", detector.model_name());
    let picture = cifake::Picture::new(vec![90; 3 * 8 * 8], 8, 8).expect("8x8");
    let verdict = detector.detect(&picture).expect("it is judged");
    assert!((0.0..=1.0).contains(&verdict.p_fake));
}

#[test]
fn a_detector_of_nonsense_is_refused() {
    let (_, good) = detector(8);
    let unet = UNetConfig { image_size: 9, ..good.unet.clone() };
    let classifier = ResNetConfig { side: 16, ..good.classifier.clone() };
    for broken in [
        DireConfig { unet, ..good.clone() },
        DireConfig { classifier, ..good.clone() },
        DireConfig { steps: 999, ..good.clone() },
        DireConfig { steps: 0, ..good.clone() },
        DireConfig { learned_steps: 1_000_000, steps: 1_000_000, ..good.clone() },
        DireConfig { learned_steps: usize::MAX, ..good },
    ] {
        assert!(Dire::validate(&broken).is_err(), "{broken:?}");
    }
}

#[test]
fn files_of_both_networks_become_a_detector() {
    let (model, config) = detector(8);
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name);
    let [unet, classifier, out] =
        ["unet", "classifier", "dire"].map(|name| file(&format!("{name}.safetensors")));
    let (none, precision) = ([].into(), Precision::F32);
    save_configured(&model.unet, &config.unet, &none, precision, &unet).expect("room");
    let shape = &config.classifier;
    save_configured(&model.classifier, shape, &none, precision, &classifier).expect("room");
    let import = IMPORTS.iter().find(|import| import.name == "dire").expect("it is listed");
    let start = |unet: &PathBuf, steps: &str| {
        let parts = [("unet", unet), ("classifier", &classifier)];
        let parts = parts.map(|(name, path)| (name.to_owned(), path.clone())).into();
        let settings = vec![("steps".to_owned(), steps.to_owned())];
        import.start(parts, settings, None, (&Device::flex(), &out))
    };
    start(&unet, "10").expect("both are of this project");
    let (read, found, _) =
        load_configured::<Dire>(Source::File(&out), &Device::flex()).expect("it was just written");
    assert_eq!(found, DireConfig { steps: 10, ..config.clone() });
    let images = golden().tensor::<4>("residue.images", &Device::flex());
    let [ours, theirs] = [read, model].map(|model| {
        DireClassifier::new(&model, found.clone()).expect("a valid shape").logits(images.clone())
    });
    assert_close(&ours, &theirs, 0.0, "logits");
    let error = start(&unet, "999").expect_err("no stride").to_string();
    assert!(error.contains("by a whole stride; 999 is no such number"), "{error}");
    // The golden file holds a UNet's weights and no configuration: too few for the published one.
    let error = start(&fixture("dire.safetensors"), "10").expect_err("no such network").to_string();
    assert!(error.contains("552814086"), "{error}");
}
