//! The promises of the detector.

use std::path::Path;

use burn::module::{ModuleVisitor, Param};
use burn::tensor::Int;
use cifake::weights::{Precision, Source, load_configured, save_configured};
use cifake::{Classifier, Detector, EmbeddingClassifier, FeatureClassifier, Label};
use cifake_attacks::{Attack, Epsilon, Pgd, Samples, TargetModel};
use cifake_training::Evaluated;

use super::*;

fn small() -> FftVaeConfig {
    FftVaeConfig {
        side: 16,
        planes: Planes::WithResidual,
        frequency_table: true,
        widths: [4, 8],
        n_groups: 2,
        patches: vec![4, 2],
        dim: 6,
        n_heads: 2,
    }
}

fn images(device: &Device) -> Tensor<4> {
    let ramp = Tensor::<1, Int>::arange(0..2 * 3 * 16 * 16, device).float();
    (ramp * 0.37).sin().reshape([2, 3, 16, 16]) * 0.5 + 0.5
}

fn largest<const D: usize>(difference: Tensor<D>) -> f32 {
    difference.abs().max().into_scalar::<f32>()
}

#[test]
fn the_formula_counts_what_a_network_holds() {
    let plain = FftVaeConfig { planes: Planes::Spectrum, frequency_table: false, ..small() };
    let other = FftVaeConfig { widths: [6, 6], n_groups: 3, patches: vec![1], ..plain };
    for config in [small(), other, FftVaeConfig::original(), FftVaeConfig::fft_vae_32()] {
        let model = FftVae::build(&config, &Device::flex());
        assert_eq!(FftVae::n_values(&config), model.num_params() as u64, "{config:?}");
    }
}

#[test]
fn every_preset_is_there_and_answers_two_classes() {
    for name in FftVae::PRESETS {
        let config = FftVae::preset(name).expect("it is listed");
        assert_eq!(FftVae::validate(&config), Ok(()));
        let model = FftVae::draw(&config, 1, &Device::flex());
        let pictures = Tensor::ones([1, 3, 32, 32], &Device::flex()) * 0.5;
        assert_eq!(model.scores(pictures).dims(), [1, FftVae::n_outputs(&config)]);
    }
    assert!(FftVae::preset("fft").is_none());
}

#[test]
fn a_configuration_of_nonsense_is_refused_and_its_size_counted() {
    let good = FftVaeConfig::fft_vae_32();
    for broken in [
        FftVaeConfig { side: 0, ..good.clone() },
        FftVaeConfig { side: 30, ..good.clone() },
        FftVaeConfig { side: 1 << 40, ..good.clone() },
        FftVaeConfig { widths: [0, 64], ..good.clone() },
        FftVaeConfig { widths: [32, 48], ..good.clone() },
        FftVaeConfig { widths: [usize::MAX; 2], ..good.clone() },
        FftVaeConfig { widths: [3, 3], n_groups: 3, ..good.clone() },
        FftVaeConfig { n_groups: 0, ..good.clone() },
        FftVaeConfig { patches: vec![], ..good.clone() },
        FftVaeConfig { patches: vec![8, 0], ..good.clone() },
        FftVaeConfig { patches: vec![3], ..good.clone() },
        FftVaeConfig { patches: vec![1; 9], ..good.clone() },
        FftVaeConfig { dim: usize::MAX, ..good.clone() },
        FftVaeConfig { n_heads: 3, ..good.clone() },
        FftVaeConfig { n_heads: 0, ..good.clone() },
    ] {
        assert!(FftVae::validate(&broken).is_err(), "{broken:?}");
        let _ = (FftVae::n_values(&broken), FftVae::activation_bytes(&broken));
    }
    let huge = FftVaeConfig { side: usize::MAX, widths: [usize::MAX; 2], ..good };
    assert_eq!([FftVae::n_values(&huge), FftVae::activation_bytes(&huge)], [u64::MAX; 2]);
}

#[test]
fn the_latent_is_drawn_from_the_seed_of_its_picture_in_training_alone() {
    let (config, device) = (small(), Device::flex());
    let model = FftVae::draw(&config, 1, &device);
    let drawn = |images: Tensor<4>, seeds: &[u64]| model.scores_in_training(&config, images, seeds);
    let both = drawn(images(&device), &[3, 4]);
    assert_eq!(both.clone().into_data(), drawn(images(&device), &[3, 4]).into_data());
    assert!(largest(both.clone() - drawn(images(&device), &[5, 6])) > 1e-3);
    let second = drawn(images(&device).narrow(0, 1, 1), &[4]);
    assert!(largest(both.narrow(0, 1, 1) - second) < 1e-5);
    let judge = || model.scores(images(&device)).into_data();
    assert_eq!(judge(), judge());
}

#[test]
fn noise_is_standard_normal() {
    let noise = noise(&[1, 2], [2, 20, 20, 10], &Device::flex());
    let mean = noise.clone().mean().into_scalar::<f32>();
    let variance = noise.square().mean().into_scalar::<f32>();
    assert!(mean.abs() < 0.05 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
}

fn n_weights(model: &FftVae) -> usize {
    struct Count(usize);
    impl ModuleVisitor for Count {
        fn visit_float<const D: usize>(&mut self, _: &Param<Tensor<D>>) {
            self.0 += 1;
        }
    }
    let mut count = Count(0);
    model.visit(&mut count);
    count.0
}

#[test]
fn every_weight_has_a_gradient_and_so_have_the_pictures() {
    let (config, device) = (small(), Device::flex().autodiff());
    let model = FftVae::draw(&config, 1, &device);
    let images = images(&device).require_grad();
    let scores = model.scores_in_training(&config, images.clone(), &[1, 2]);
    let loss = (scores.clone().narrow(1, 1, 1) - scores.narrow(1, 0, 1)).square().sum();
    let gradients = loss.backward();
    assert!(largest(images.grad(&gradients).expect("they are tracked")) > 0.0);
    let found = burn::optim::GradientsParams::from_grads(gradients, &model);
    assert_eq!(found.len(), n_weights(&model));
}

#[test]
fn a_saved_network_is_a_detector_without_a_map() {
    let config = small();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("fft_vae.safetensors");
    let drawn = FftVae::draw(&config, 1, &Device::flex());
    save_configured(&drawn, &config, &[].into(), Precision::F32, &path).expect("room");
    let detector = Detector::builder()
        .threads(1)
        .and_then(|builder| builder.open(&fft_vae_loader().into(), Path::new(&path)))
        .expect("it is ours");
    assert!(detector.model_name().starts_with("fft-vae@"), "{}", detector.model_name());
    assert_eq!(detector.input_size(), (16, 16));
    let judge = Evaluated::new(&drawn);
    let pictures = images(&Device::flex());
    let apart = detector.logits(pictures.clone()) - judge.logits(pictures.clone());
    assert!(largest(apart) < 1e-6);
    let start =
        config.load_for_fine_tuning(path.as_path(), 1, &Device::flex()).expect("it is ours");
    assert!(largest(start.scores(pictures.clone()) - drawn.scores(pictures.clone())) < 1e-6);
    let other = FftVaeConfig { dim: 8, ..config.clone() };
    let refused = other.load_for_fine_tuning(path.as_path(), 1, &Device::flex());
    assert!(matches!(refused, Err(Error::WeightConfig { .. })));
    let network = FftVaeClassifier::new(&drawn, config);
    assert!(network.layers().is_empty());
    let (logits, embedding) = network.logits_and_embedding(pictures);
    assert_eq!((logits.dims(), embedding.dims()), ([2, 2], [2, 6]));
    assert!(largest(drawn.classify(embedding) - logits) < 1e-6);
}

#[test]
fn an_attack_on_a_loaded_network_leaves_it_and_the_neighbours_alone() {
    let config = small();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("fft_vae.safetensors");
    let drawn = FftVae::draw(&config, 1, &Device::flex());
    save_configured(&drawn, &config, &[].into(), Precision::F32, &path).expect("room");
    let (loaded, ..) =
        load_configured::<FftVae>(Source::File(&path), &Device::flex()).expect("ours");
    let model = Evaluated::new(&loaded);
    let images = images(&Device::flex());
    let samples = Samples::new(images.clone(), vec![Label::Real, Label::Fake], vec![4, 7]);
    let answers = || model.logits(images.clone()).into_data();
    let before = answers();
    let attack = Pgd::linf(Epsilon::from_255(8.0).expect("finite"));
    let perturb = |samples: &Samples| {
        attack.perturb(&TargetModel::new(&model), samples, 1).expect("it has gradients").images
    };
    let (both, alone) = (perturb(&samples), perturb(&samples.select(&[1])));
    assert!(largest(both.clone().narrow(0, 1, 1) - alone) < 1e-6);
    assert!(largest(both.clone() - images.clone()) > 1e-3);
    answers().assert_eq(&before, true);
    let sides = |images: Tensor<4>| {
        let logits = model.logits(images);
        let margin = logits.clone().narrow(1, 1, 1) - logits.narrow(1, 0, 1);
        margin.into_data().try_to_vec::<f32>().expect("floats")
    };
    let (before, after) = (sides(images.clone()), sides(both));
    assert!(after[0] > before[0] && after[1] < before[1], "{before:?} {after:?}");
}
