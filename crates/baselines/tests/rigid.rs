//! RIGID: parity of EfficientNet-Lite, the statistic, weight files, and the import of published weights.

use std::path::Path;

use baselines::{
    EfficientNet, EfficientNetConfig, EfficientNetStage, Error, IMPORTS, Import, Logistic,
    Pictures, ResNetConfig, Rigid, RigidConfig, RigidEncoderConfig, RigidForm, RigidStatistic,
    Statistic, load_published, rigid_loader,
};
use burn::tensor::{Device, Int, Tensor};
use cifake::weights::{Configured, Precision, save_configured};
use cifake::{Decoder, Detector, Drawing, Label, Registry, balanced_sample, open_dataset};
use cifake_vit::VitConfig;
use testkit::{Fixture, assert_close};

/// Largest difference, relative to the largest value: both sides compute the same sums in another order.
const LIMIT: f32 = 1e-4;

fn fixture() -> Fixture {
    Fixture::load(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/rigid.safetensors"))
}

/// The published settings with a quarter of the channels.
fn narrow() -> EfficientNetConfig {
    let rows = [[1, 3, 1, 1, 4], [1, 5, 2, 3, 6], [2, 3, 2, 2, 8], [1, 5, 2, 2, 12]];
    let stages = rows.map(|[n_blocks, kernel, stride, expansion, width]| EfficientNetStage {
        n_blocks,
        kernel,
        stride,
        expansion,
        width,
    });
    EfficientNetConfig { stem: 8, stages: stages.to_vec(), head: 320 }
}

fn config(encoder: RigidEncoderConfig, form: RigidForm) -> RigidConfig {
    RigidConfig {
        encoder,
        form,
        encoder_side: 24,
        side: 8,
        lambda: 0.05,
        draws: 2,
        seed: 7,
        logistic: Logistic { center: 0.5, scale: -2.0 },
    }
}

fn vit() -> RigidEncoderConfig {
    let small = VitConfig::dinov2_small14();
    RigidEncoderConfig::Vit(VitConfig {
        side: 24,
        patch: 8,
        dim: 12,
        depth: 1,
        n_heads: 3,
        d_mlp: 16,
        layer_scale: Some(1.0),
        ..small
    })
}

fn encoders() -> [RigidEncoderConfig; 3] {
    let widths = [4, 4, 8, 8];
    let resnet = ResNetConfig { widths, side: 24, ..ResNetConfig::resnet18_32() };
    [RigidEncoderConfig::EfficientNet(narrow()), vit(), RigidEncoderConfig::ResNet(resnet)]
}

/// The fixture's network, read by its published names.
fn network(fixture: &Fixture) -> EfficientNet {
    let mut part = Fixture::default();
    for name in fixture.names() {
        if let (Some(rest), Some(data)) = (name.strip_prefix("encoder."), fixture.get(name)) {
            part.insert(rest, data.clone());
        }
    }
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("encoder.safetensors");
    std::fs::write(&path, part.to_safetensors()).expect("a temporary folder can be written");
    let mut network = narrow().init(&Device::flex());
    load_published(&path, &mut network, &EfficientNet::PUBLISHED).expect("the names are known");
    network
}

fn images(device: &Device) -> Tensor<4> {
    let ramp = Tensor::<1, Int>::arange(0..2 * 3 * 8 * 8, device).float();
    (ramp * 0.37).sin().reshape([2, 3, 8, 8]) * 0.5 + 0.5
}

fn values(tensor: Tensor<1>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

#[test]
fn efficientnet_lite_is_that_of_the_package() {
    let fixture = fixture();
    let network = network(&fixture);
    let theirs = |name: &str| fixture.tensor::<4>(name, &Device::flex());
    // A block reads the package's output of the block before it, so that the first that differs is named.
    for (at, block) in network.blocks.iter().enumerate().skip(1) {
        let before = theirs(&format!("block_{}", at - 1)).permute([0, 2, 3, 1]);
        let name = format!("block_{at}");
        assert_close(&block.forward(before).permute([0, 3, 1, 2]), &theirs(&name), LIMIT, &name);
    }
    let features = network.features(theirs("images")).permute([0, 3, 1, 2]);
    assert_close(&features, &theirs("features"), LIMIT, "features");
}

#[test]
fn the_value_is_the_mean_cosine_of_clean_and_noisy_features() {
    let device = Device::flex();
    for encoder in encoders() {
        for form in [RigidForm::Published, RigidForm::Original] {
            let config = config(encoder.clone(), form);
            let model = Rigid::build(&config, &device);
            let statistic = RigidStatistic::new(&model, config.clone());
            let ours = values(statistic.value(images(&device)));
            let enlarged = statistic.enlarged(images(&device));
            assert_eq!(enlarged.dims(), [2, 3, 24, 24]);
            let rows = |x| -> Vec<Vec<f32>> {
                let data = statistic.embedding(x).into_data();
                let flat: Vec<f32> = data.iter::<f32>().collect();
                flat.chunks(flat.len() / 2).map(<[f32]>::to_vec).collect()
            };
            let clean = rows(enlarged.clone());
            for (at, ours) in ours.iter().enumerate() {
                let cosine = |draw| {
                    let noisy = rows(enlarged.clone() + statistic.noise(draw, &device));
                    let dot = |a: &[f32], b: &[f32]| -> f64 {
                        a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
                    };
                    let (a, b) = (&clean[at], &noisy[at]);
                    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
                };
                let theirs = (cosine(0) + cosine(1)) / 2.0;
                assert!((f64::from(*ours) - theirs).abs() < 1e-5, "{ours} {theirs}");
                assert!(theirs < 0.999_99, "noise changes features: {theirs}");
            }
            let alone = values(statistic.value(images(&device).narrow(0, 1, 1)));
            assert!((alone[0] - ours[1]).abs() < 1e-5, "{alone:?} {ours:?}");
        }
    }
}

#[test]
fn noise_has_the_strength_that_is_asked_for_and_is_a_function_of_seed_and_draw() {
    let device = Device::flex();
    let noise = |form, lambda, seed, draw| -> Vec<f32> {
        let config = RigidConfig { lambda, seed, ..config(vit(), form) };
        let statistic = RigidStatistic::new(&Rigid::build(&config, &device), config);
        statistic.noise(draw, &device).into_data().iter::<f32>().collect()
    };
    let published = noise(RigidForm::Published, 0.05, 7, 0);
    let n = published.len() as f32;
    let deviation = (published.iter().map(|x| x * x).sum::<f32>() / n).sqrt();
    assert!((deviation / 0.05 - 1.0).abs() < 0.1, "{deviation}");
    // Half the numbers are nearer to 0 than a level of 8 bits, where lambda is small: nothing rounds them.
    let weak = noise(RigidForm::Published, 0.001, 7, 0);
    assert!(weak.iter().filter(|x| **x != 0.0).count() == weak.len());
    assert_eq!(published, noise(RigidForm::Published, 0.05, 7, 0));
    assert_ne!(published, noise(RigidForm::Published, 0.05, 7, 1));
    assert_ne!(published, noise(RigidForm::Published, 0.05, 8, 0));
    let original = noise(RigidForm::Original, 0.05, 7, 0);
    assert!((original[0] / published[0] - 0.229).abs() < 1e-5, "ImageNet's deviation of red");
}

#[test]
fn a_weight_file_is_a_detector_with_gradients() {
    let device = Device::flex().autodiff();
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    for encoder in encoders() {
        let config = config(encoder, RigidForm::Published);
        let model = Rigid::build(&config, &Device::flex());
        assert_eq!(Rigid::n_values(&config), burn::module::Module::num_params(&model) as u64);
        let path = folder.path().join("weights.safetensors");
        save_configured(&model, &config, &Default::default(), Precision::F32, &path).expect("room");
        let builder = Detector::builder().device(&device);
        let registry = Registry::new().with(rigid_loader());
        let detector = builder.open(&registry, &path).expect("it was just written");
        assert!(detector.model_name().starts_with("rigid-"), "{}", detector.model_name());
        let images = images(&device).require_grad();
        let logits = detector.classifier().logits(images.clone());
        let value =
            values(RigidStatistic::new(&model, config).value(self::images(&Device::flex())));
        let fake = logits.clone().narrow(1, 1, 1).into_data().iter::<f32>().collect::<Vec<_>>();
        for (fake, value) in fake.iter().zip(&value) {
            assert!((fake - -2.0 * (value - 0.5)).abs() < 1e-4, "{fake} {value}");
        }
        let gradient = images.grad(&logits.sum().backward()).expect("the pictures are tracked");
        let gradient: Vec<f32> = gradient.into_data().iter::<f32>().collect();
        assert!(gradient.iter().all(|x| x.is_finite()) && gradient.iter().any(|&x| x != 0.0));
    }
}

#[test]
fn configurations_that_cannot_be_built_are_refused() {
    let refused = |change: fn(&mut RigidConfig)| {
        let mut config = config(vit(), RigidForm::Published);
        change(&mut config);
        Rigid::validate(&config).expect_err("it cannot be built")
    };
    assert!(refused(|config| config.lambda = 0.0).contains("lambda"));
    assert!(refused(|config| config.lambda = f32::NAN).contains("lambda"));
    assert!(refused(|config| config.draws = 0).contains("draws"));
    assert!(refused(|config| config.side = 0).contains("side"));
    assert!(refused(|config| config.encoder_side = 32).contains("24 pixels"));
    let refused = |change: fn(&mut EfficientNetConfig)| {
        let mut network = narrow();
        change(&mut network);
        let encoder = RigidEncoderConfig::EfficientNet(network);
        Rigid::validate(&config(encoder, RigidForm::Published)).expect_err("it cannot be built")
    };
    assert!(refused(|network| network.stem = usize::MAX).contains("stem"));
    assert!(refused(|network| network.stages.clear()).contains("stages"));
    assert!(refused(|network| network.stages[0].kernel = 7).contains("kernel"));
    assert!(refused(|network| network.stages[0].width = 0).contains("width"));
    assert!(refused(|network| network.stages[1].expansion = 4096).contains("expanded"));
    let lite0 = RigidEncoderConfig::EfficientNet(EfficientNetConfig::lite0());
    let published = RigidConfig { encoder_side: 224, ..config(lite0, RigidForm::Published) };
    Rigid::validate(&published).expect("the published network");
    assert_eq!(Rigid::n_values(&published), LITE0_VALUES);
}

/// Values of EfficientNet-Lite0 in the package's file without the last layer: 3,371,008 parameters and 42,016
/// running statistics.
const LITE0_VALUES: u64 = 3_413_024;

fn rigid() -> &'static Import {
    IMPORTS.iter().find(|import| import.name == "rigid").expect("it is listed")
}

#[test]
fn settings_of_nonsense_are_errors_before_a_file_is_read() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let [unread, out] = ["unread", "out.safetensors"].map(|name| folder.path().join(name));
    std::fs::write(&unread, "no weights").expect("there is room");
    let start = |name: &str, value: &str| {
        let parts = vec![("encoder".to_owned(), unread.clone())];
        let settings = vec![(name.to_owned(), value.to_owned())];
        rigid().start(parts, settings, None, (&Device::flex(), &out)).expect_err("nonsense")
    };
    assert!(start("lambda", "0").to_string().contains("rigid cannot be built: lambda"));
    assert!(matches!(start("encoder", "vgg"), Error::Setting { .. }));
    assert!(matches!(start("encoder", "resnet"), Error::Core(_)));
    assert!(matches!(start("form", "old"), Error::Setting { .. }));
    assert!(start("encoder-side", "225").to_string().contains("multiple of patch"));
    assert!(matches!(start("lambda", "0.1"), Error::MissingPictures { .. }));
}

#[test]
fn a_trained_detector_is_an_encoder() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    for (label, kind) in [("REAL", Drawing::Noise), ("FAKE", Drawing::Shapes)] {
        let of_label = folder.path().join("data").join(label);
        std::fs::create_dir_all(&of_label).expect("there is room");
        for number in 0..16 {
            let png = kind.picture(32, 1, number).to_png();
            std::fs::write(of_label.join(format!("{number}.png")), png).expect("there is room");
        }
    }
    let dataset = open_dataset(&folder.path().join("data"), None).expect("it was just written");
    let indices = (0..dataset.samples().len()).collect();
    let pictures = Pictures { dataset: &*dataset, indices, decoder: Decoder::default() };
    let path = folder.path().join("rigid.safetensors");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("weights/resnet18_32.safetensors");
    let parts = vec![("encoder".to_owned(), file)];
    let settings = vec![("encoder".to_owned(), "resnet".to_owned())];
    match rigid().start(parts, settings, Some(pictures), (&Device::flex(), &path)) {
        Err(Error::NoSeparation { .. }) => assert!(!path.exists(), "nothing is written"),
        made => {
            made.expect("the file of the ResNet can be read");
            let registry = Registry::new().with(rigid_loader());
            let detector = Detector::builder().open(&registry, &path);
            let name = detector.expect("it was just written").model_name().to_owned();
            assert!(name.starts_with("rigid-resnet-"), "{name}");
        }
    }
}

#[test]
fn real_weights_are_imported_and_judge_where_they_are_at_hand() {
    let file = std::env::var_os("CIFAKE_SHARED")
        .map(|shared| {
            Path::new(&shared).join("weights/efficientnet-lite0/efficientnet-lite0.safetensors")
        })
        .filter(|file| file.is_file());
    let Some(file) = file else {
        eprintln!("skipped: CIFAKE_SHARED is not set, or holds no EfficientNet-Lite0");
        return;
    };
    let mini = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/mini");
    let dataset = open_dataset(&mini, None).expect("the mini set is committed");
    let labels: Vec<Label> = dataset.samples().iter().map(|sample| sample.label).collect();
    let indices = balanced_sample(&labels, 16, 0);
    let pictures = Pictures { dataset: &*dataset, indices, decoder: Decoder::default() };
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("rigid.safetensors");
    let settings = [("encoder", "efficientnet_lite0"), ("encoder-side", "64"), ("lambda", "0.02")];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let parts = vec![("encoder".to_owned(), file)];
    match rigid().start(parts, settings, Some(pictures), (&Device::flex(), &path)) {
        Err(Error::NoSeparation { .. }) => assert!(!path.exists(), "nothing is written"),
        made => {
            let info = made.expect("published weights can be read");
            assert!(info.metadata["direction"].contains("noise changes"));
            assert_eq!(info.n_elements as u64, LITE0_VALUES);
        }
    }
}
