//! AEROBLADE: parity with diffusers and `lpips`, weight files, and the import of published weights.

use std::path::{Path, PathBuf};

use baselines::{
    Aeroblade, AerobladeConfig, AerobladeStatistic, Error, IMPORTS, Logistic, Lpips, LpipsConfig,
    Pictures, Statistic, TinyAutoencoder, TinyAutoencoderConfig, TinyDecoder, TinyEncoder,
    aeroblade_loader, load_published,
};
use burn::tensor::{Device, Tensor};
use cifake::weights::{Configured, Precision, save_configured};
use cifake::{Decoder, Detector, DetectorBuilder, Label, Registry, balanced_sample, open_dataset};
use testkit::{Fixture, assert_close};

/// Largest difference, relative to the largest value: both sides compute the same sums in another order.
const LIMIT: f32 = 1e-4;

fn fixture() -> Fixture {
    Fixture::load(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/aeroblade.safetensors"),
    )
}

/// The tensors of `fixture` after `prefix` as a published file in `folder`.
fn published(fixture: &Fixture, prefix: &str, folder: &Path) -> PathBuf {
    let mut part = Fixture::default();
    for name in fixture.names() {
        if let (Some(rest), Some(data)) = (name.strip_prefix(prefix), fixture.get(name)) {
            part.insert(rest, data.clone());
        }
    }
    let path = folder.join(format!("{prefix}safetensors"));
    std::fs::write(&path, part.to_safetensors()).expect("a temporary folder can be written");
    path
}

fn narrow(has_norm: bool) -> TinyAutoencoderConfig {
    TinyAutoencoderConfig { width: 6, n_latent: 5, has_norm }
}

fn narrow_config(layer: usize) -> AerobladeConfig {
    AerobladeConfig {
        autoencoders: vec![narrow(false), narrow(true)],
        lpips: LpipsConfig { widths: [4, 6, 8, 8, 10] },
        layer,
        side: 16,
        logistic: Logistic { center: -0.5, scale: 2.0 },
    }
}

/// The fixture's networks, read by their published names.
fn model(fixture: &Fixture, config: &AerobladeConfig) -> Aeroblade {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let mut model = Aeroblade::build(config, &Device::flex());
    for (tiny, name) in model.autoencoders.iter_mut().zip(["plain", "normed"]) {
        let file = |half| published(fixture, &format!("{name}.{half}."), folder.path());
        load_published(&file("encoder"), &mut tiny.encoder, &TinyEncoder::PUBLISHED)
            .expect("the names are known");
        load_published(&file("decoder"), &mut tiny.decoder, &TinyDecoder::PUBLISHED)
            .expect("the names are known");
    }
    let file = published(fixture, "lpips.", folder.path());
    load_published(&file, &mut model.lpips, &Lpips::PUBLISHED).expect("the names are known");
    model
}

/// Two square pictures of the fixture.
fn squares(fixture: &Fixture) -> Tensor<4> {
    fixture.tensor::<4>("images", &Device::flex()).narrow(3, 0, 16)
}

#[test]
fn tiny_autoencoders_are_those_of_diffusers() {
    let fixture = fixture();
    let model = model(&fixture, &narrow_config(2));
    let images: Tensor<4> = fixture.tensor("images", &Device::flex());
    for (tiny, name) in model.autoencoders.iter().zip(["plain", "normed"]) {
        let stage = |stage| fixture.tensor::<4>(&format!("{name}_{stage}"), &Device::flex());
        let latent = tiny.encoder.forward(images.clone());
        assert_close(&latent, &stage("latent"), LIMIT, &format!("{name} latent"));
        assert_close(&tiny.decoder.forward(latent), &stage("picture"), LIMIT, name);
    }
}

#[test]
fn lpips_is_that_of_the_package() {
    let fixture = fixture();
    let model = model(&fixture, &narrow_config(2));
    let tensor = |name: &str| fixture.tensor::<4>(name, &Device::flex());
    for (at, ours) in model.lpips.features(tensor("images")).iter().enumerate() {
        let name = format!("features_{at}");
        assert_close(ours, &tensor(&name), LIMIT, &name);
    }
    let stages = model.lpips.distances(tensor("images"), tensor("others"));
    let ours = Tensor::stack::<2>(stages, 0);
    assert_close(&ours, &fixture.tensor("distances", &Device::flex()), LIMIT, "distances");
}

#[test]
fn the_value_is_the_negated_distance_to_the_best_reconstruction() {
    let fixture = fixture();
    let images = squares(&fixture);
    let distance = |tiny: &TinyAutoencoder, lpips: &Lpips| {
        let levels = (tiny.reconstruct(images.clone()).clamp(0.0, 1.0) * 255.0).floor() / 255.0;
        lpips.distances(images.clone(), levels)
    };
    let model = model(&fixture, &narrow_config(0));
    let [first, second] = [0, 1].map(|at| distance(&model.autoencoders[at], &model.lpips));
    for layer in 0..=5 {
        let of = |stages: &[Tensor<1>]| match layer {
            0 => stages.iter().skip(1).fold(stages[0].clone(), |sum, stage| sum + stage.clone()),
            layer => stages[layer - 1].clone(),
        };
        let theirs = -of(&first).min_pair(of(&second));
        let statistic = AerobladeStatistic::new(&model, narrow_config(layer));
        let ours = statistic.value(images.clone());
        assert_close(&ours, &theirs, LIMIT, &format!("layer {layer}"));
        let alone = statistic.value(images.clone().narrow(0, 1, 1));
        assert_close(&alone, &ours.narrow(0, 1, 1), LIMIT, "a picture alone");
    }
}

#[test]
fn gradients_reach_the_pictures_through_the_rounding() {
    let fixture = fixture();
    let device = Device::flex().autodiff();
    let images = Tensor::from_data(squares(&fixture).into_data(), &device).require_grad();
    let config = narrow_config(2);
    let model = model(&fixture, &config);
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("weights.safetensors");
    save_configured(&model, &config, &Default::default(), Precision::F32, &path).expect("room");
    let detector = open(Detector::builder().device(&device), &path).expect("it was just written");
    let gradient = images.grad(&detector.classifier().logits(images.clone()).sum().backward());
    let gradient = gradient.expect("the pictures are tracked").into_data();
    let values: Vec<f32> = gradient.iter::<f32>().collect();
    assert!(
        values.iter().all(|value| value.is_finite()) && values.iter().any(|&value| value != 0.0)
    );
    assert!(detector.classifier().layers().is_empty());
}

fn open(builder: DetectorBuilder, path: &Path) -> Result<Detector, cifake::Error> {
    builder.open(&Registry::new().with(aeroblade_loader()), path)
}

#[test]
fn configurations_that_cannot_be_built_are_refused() {
    let refused = |change: fn(&mut AerobladeConfig)| {
        let mut config = narrow_config(2);
        change(&mut config);
        Aeroblade::validate(&config).expect_err("it cannot be built")
    };
    Aeroblade::validate(&narrow_config(0)).expect("the sum of all");
    assert!(refused(|config| config.side = 20).contains("multiple of 8"));
    assert!(refused(|config| config.side = 8).contains("from 16"));
    assert!(refused(|config| config.layer = 6).contains("layer"));
    assert!(refused(|config| config.autoencoders.clear()).contains("autoencoders"));
    assert!(refused(|config| config.lpips.widths[4] = usize::MAX).contains("widths"));
    assert!(refused(|config| config.logistic.scale = 0.0).contains("scale"));
    let built = Aeroblade::build(&narrow_config(2), &Device::flex());
    let counted = burn::module::Module::num_params(&built) as u64;
    assert_eq!(Aeroblade::n_values(&narrow_config(2)), counted);
}

#[test]
fn real_weights_are_imported_and_judge_where_they_are_at_hand() {
    let Some(shared) = std::env::var_os("CIFAKE_SHARED") else {
        eprintln!("skipped: CIFAKE_SHARED is not set");
        return;
    };
    let weights = Path::new(&shared).join("weights");
    let import = IMPORTS.iter().find(|import| import.name == "aeroblade").expect("it is listed");
    let part = |name: &str, file: &str| (name.to_owned(), weights.join(file));
    let parts = vec![
        part("encoder", "taef2/taef2_encoder.safetensors"),
        part("decoder", "taef2/taef2_decoder.safetensors"),
        part("lpips", "lpips/lpips_vgg_v0.1_full.safetensors"),
    ];
    let mini = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/mini");
    let dataset = open_dataset(&mini, None).expect("the mini set is committed");
    let labels: Vec<Label> = dataset.samples().iter().map(|sample| sample.label).collect();
    let indices = balanced_sample(&labels, 64, 0);
    let pictures = Pictures { dataset: &*dataset, indices, decoder: Decoder::default() };
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("aeroblade.safetensors");
    let start = std::time::Instant::now();
    let made = import.start(parts, Vec::new(), Some(pictures), (&Device::flex(), &path));
    eprintln!("{:.1} s for 64 pictures: {made:?}", start.elapsed().as_secs_f32());
    match made {
        Err(Error::NoSeparation { .. }) => {
            assert!(!path.exists(), "a failed import writes nothing")
        }
        made => {
            let info = made.expect("published weights can be read");
            assert!(info.metadata["direction"].contains("reconstructed better"));
            let detector = open(Detector::builder(), &path).expect("it was just written");
            assert!(detector.model_name().starts_with("aeroblade-tiny-vgg2"));
        }
    }
}
