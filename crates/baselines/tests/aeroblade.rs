//! AEROBLADE: parity with diffusers and `lpips`, weight files, and the import of published weights.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use baselines::{
    Aeroblade, AerobladeConfig, AerobladeStatistic, Backbone, Error, IMPORTS, KlAutoencoder,
    KlAutoencoderConfig, Logistic, LpipsConfig, Pictures, Statistic, TinyAutoencoderConfig,
    TinyDecoder, TinyEncoder, aeroblade_loader, load_published,
};
use burn::tensor::{Device, Tensor};
use cifake::weights::{
    Checkpoint, Configured, Mapping, Precision, Source, save_configured, to_bytes,
};
use cifake::{Decoder, Detector, DetectorBuilder, Label, Registry, balanced_sample, open_dataset};
use testkit::{Fixture, assert_close};

/// Largest difference, relative to the largest value: both sides compute the same sums in another order.
const LIMIT: f32 = 1e-4;

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn fixture() -> Fixture {
    Fixture::load(path("aeroblade.safetensors"))
}

/// AutoencoderKL, and LPIPS of AlexNet.
fn kl_fixture() -> Fixture {
    Fixture::load(path("aeroblade_kl.safetensors"))
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
        kl: Vec::new(),
        sample: Some(1),
        tiny: vec![narrow(false), narrow(true)],
        lpips: LpipsConfig { backbone: Backbone::Vgg, widths: [4, 6, 8, 8, 10] },
        layer,
        side: 16,
        logistic: Logistic { center: -0.5, scale: 2.0 },
    }
}

fn narrow_kl() -> AerobladeConfig {
    let kl = KlAutoencoderConfig {
        widths: vec![4, 8],
        n_blocks: 1,
        n_latent: 3,
        n_groups: 2,
        has_quant_convs: true,
    };
    let lpips = LpipsConfig { backbone: Backbone::Alex, widths: [4, 6, 8, 8, 10] };
    let narrow = narrow_config(0);
    AerobladeConfig { kl: vec![kl], sample: None, tiny: Vec::new(), lpips, side: 32, ..narrow }
}

/// The fixture's networks, read by their published names.
fn model(fixture: &Fixture, config: &AerobladeConfig) -> Aeroblade {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let mut model = Aeroblade::build(config, &Device::flex());
    for kl in &mut model.kl {
        let file = published(fixture, "kl.", folder.path());
        load_published(&file, kl, &KlAutoencoder::PUBLISHED).expect("the names are known");
    }
    for (tiny, name) in model.tiny.iter_mut().zip(["plain", "normed"]) {
        let file = |half| published(fixture, &format!("{name}.{half}."), folder.path());
        load_published(&file("encoder"), &mut tiny.encoder, &TinyEncoder::PUBLISHED)
            .expect("the names are known");
        load_published(&file("decoder"), &mut tiny.decoder, &TinyDecoder::PUBLISHED)
            .expect("the names are known");
    }
    let file = published(fixture, "lpips.", folder.path());
    load_published(&file, &mut model.lpips, config.lpips.published()).expect("the names are known");
    model
}

/// Two square pictures of the fixture.
fn squares(fixture: &Fixture) -> Tensor<4> {
    let images = fixture.tensor::<4>("images", &Device::flex());
    let [_, _, height, _] = images.dims();
    images.narrow(3, 0, height)
}

fn last(x: Tensor<4>) -> Tensor<4> {
    x.permute([0, 2, 3, 1])
}

fn first(x: Tensor<4>) -> Tensor<4> {
    x.permute([0, 3, 1, 2])
}

#[test]
fn tiny_autoencoders_are_those_of_diffusers() {
    let fixture = fixture();
    let model = model(&fixture, &narrow_config(2));
    let images: Tensor<4> = fixture.tensor("images", &Device::flex());
    for (tiny, name) in model.tiny.iter().zip(["plain", "normed"]) {
        let stage = |stage| fixture.tensor::<4>(&format!("{name}_{stage}"), &Device::flex());
        let latent = tiny.encoder.forward(images.clone());
        assert_close(&latent, &stage("latent"), LIMIT, &format!("{name} latent"));
        assert_close(&tiny.decoder.forward(latent), &stage("picture"), LIMIT, name);
    }
}

#[test]
fn the_autoencoder_of_stable_diffusion_is_that_of_diffusers() {
    let fixture = kl_fixture();
    let model = model(&fixture, &narrow_kl());
    let kl = &model.kl[0];
    let theirs = |name: &str| fixture.tensor::<4>(name, &Device::flex());
    let same = |ours: Tensor<4>, name: &str| assert_close(&ours, &theirs(name), LIMIT, name);
    // A stage reads diffusers' output of the stage before it, so that the first that differs is named.
    let stage = |name: &str| last(theirs(name));
    same(first(kl.encoder.down_blocks[1].forward(stage("encoder_0"))), "encoder_1");
    same(first(kl.encoder.mid_block.forward(stage("encoder_1"))), "encoder_middle");
    let [mean, log_variance] = kl.encode(theirs("images"));
    same(mean, "mean");
    same(log_variance, "log_variance");
    same(first(kl.decoder.up_blocks[0].forward(stage("decoder_middle"))), "decoder_0");
    same(first(kl.decoder.up_blocks[1].forward(stage("decoder_0"))), "decoder_1");
    same(kl.decode(theirs("mean")), "picture");
}

#[test]
fn names_and_sizes_are_those_of_stable_diffusions_autoencoder() {
    let text = std::fs::read_to_string(path("aeroblade_sd.keys.txt")).expect("it is committed");
    let rows: Vec<(&str, Vec<usize>)> = text
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(key, shape)| (key, shape.split('x').map(|n| n.parse().expect("a size")).collect()))
        .collect();
    let sd = KlAutoencoderConfig::stable_diffusion();
    let shapes: BTreeMap<&str, Vec<usize>> = rows.iter().cloned().collect();
    assert_eq!(KlAutoencoderConfig::of_published(&shapes), Some(sd.clone()));
    assert_eq!(KlAutoencoderConfig::of_published(&BTreeMap::new()), None);
    assert_eq!(sd.factor(), 8);
    let all: usize = rows.iter().map(|(_, shape)| shape.iter().product::<usize>()).sum();
    let of = |kl: &KlAutoencoderConfig| {
        let with = AerobladeConfig { kl: vec![kl.clone()], ..narrow_kl() };
        let without = AerobladeConfig { kl: Vec::new(), ..narrow_kl() };
        Aeroblade::n_values(&with) - Aeroblade::n_values(&without)
    };
    assert_eq!(of(&sd), all as u64);
    let few = KlAutoencoderConfig { widths: vec![2, 4, 8, 8], n_groups: 2, ..sd };
    let model = few.init(&Device::flex());
    assert_eq!(of(&few), burn::module::Module::num_params(&model) as u64);
    let bytes = to_bytes(&model, &Mapping::PYTORCH, &BTreeMap::new(), Precision::F32);
    let bytes = bytes.expect("it is small");
    let source = Source::Bytes { name: "few", bytes: &bytes };
    let ours = Checkpoint::open(source).expect("it was just written");
    let ours: BTreeSet<String> = ours.shapes().into_keys().map(str::to_owned).collect();
    let theirs = rows.iter().map(|(key, _)| KlAutoencoder::PUBLISHED.rename(key)).collect();
    assert_eq!(ours, theirs);
    let older = "decoder.mid_block.attentions.0.proj_attn.weight";
    let newer = "decoder.mid_block.attentions.0.to_out.0.weight";
    let rename = |key| KlAutoencoder::PUBLISHED.rename(key);
    assert_eq!(rename(older), rename(newer));
}

#[test]
fn lpips_is_that_of_the_package() {
    for (fixture, config) in [(fixture(), narrow_config(2)), (kl_fixture(), narrow_kl())] {
        let lpips = model(&fixture, &config).lpips;
        let tensor = |name: &str| fixture.tensor::<4>(name, &Device::flex());
        let features = |name| lpips.features(tensor(name), 5);
        let (left, right) = (features("images"), features("others"));
        for (at, ours) in left.iter().enumerate() {
            let name = format!("features_{at}");
            assert_close(&first(ours.clone()), &tensor(&name), LIMIT, &name);
        }
        let ours = Tensor::stack::<2>(lpips.distances(&left, &right), 0);
        assert_close(&ours, &fixture.tensor("distances", &Device::flex()), LIMIT, "distances");
        assert_eq!(lpips.features(tensor("images"), 2).len(), 2);
    }
}

#[test]
fn the_value_is_the_negated_distance_to_the_best_reconstruction() {
    let fixture = fixture();
    let images = squares(&fixture);
    let model = model(&fixture, &narrow_config(0));
    let [one, other] = [0, 1].map(|at| {
        let picture = model.tiny[at].reconstruct(images.clone()).clamp(0.0, 1.0);
        let levels = (picture * 255.0).floor() / 255.0;
        let features = |images| model.lpips.features(images, 5);
        model.lpips.distances(&features(images.clone()), &features(levels))
    });
    for layer in 0..=5 {
        let of = |stages: &[Tensor<1>]| match layer {
            0 => stages.iter().skip(1).fold(stages[0].clone(), |sum, stage| sum + stage.clone()),
            layer => stages[layer - 1].clone(),
        };
        let theirs = -of(&one).min_pair(of(&other));
        let statistic = AerobladeStatistic::new(&model, narrow_config(layer));
        let ours = statistic.value(images.clone());
        assert_close(&ours, &theirs, LIMIT, &format!("layer {layer}"));
        let alone = statistic.value(images.clone().narrow(0, 1, 1));
        assert_close(&alone, &ours.narrow(0, 1, 1), LIMIT, "a picture alone");
    }
}

#[test]
fn sampled_latents_are_a_function_of_the_seed_and_the_picture() {
    let fixture = kl_fixture();
    let model = model(&fixture, &narrow_kl());
    let images = squares(&fixture);
    let value = |sample, images| {
        let statistic = AerobladeStatistic::new(&model, AerobladeConfig { sample, ..narrow_kl() });
        statistic.value(images).into_data().iter::<f32>().collect::<Vec<_>>()
    };
    let one = value(Some(1), images.clone());
    assert_eq!(one, value(Some(1), images.clone()));
    assert!([None, Some(2)].into_iter().all(|sample| one != value(sample, images.clone())));
    let alone = value(Some(1), images.narrow(0, 1, 1));
    assert!((alone[0] - one[1]).abs() < LIMIT * one[1].abs(), "{alone:?} {one:?}");
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
    assert!(refused(|config| config.tiny.clear()).contains("autoencoders"));
    assert!(refused(|config| config.lpips.backbone = Backbone::Alex).contains("from 32"));
    let refused_kl = |change: fn(&mut KlAutoencoderConfig)| {
        let mut config = narrow_kl();
        change(&mut config.kl[0]);
        Aeroblade::validate(&config).expect_err("it cannot be built")
    };
    assert!(refused_kl(|kl| kl.widths.clear()).contains("stages"));
    assert!(refused_kl(|kl| kl.widths = vec![8; 9]).contains("stages"));
    assert!(refused_kl(|kl| kl.widths = vec![8; 8]).contains("from 128"));
    assert!(refused_kl(|kl| kl.n_groups = 3).contains("3 groups"));
    assert!(refused_kl(|kl| kl.n_latent = usize::MAX).contains("n_latent"));
    assert!(refused_kl(|kl| kl.n_blocks = 0).contains("n_blocks"));
    assert!(refused(|config| config.lpips.widths[4] = usize::MAX).contains("widths"));
    assert!(refused(|config| config.logistic.scale = 0.0).contains("scale"));
    for config in [narrow_config(2), narrow_kl()] {
        let built = Aeroblade::build(&config, &Device::flex());
        assert_eq!(Aeroblade::n_values(&config), burn::module::Module::num_params(&built) as u64);
    }
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
