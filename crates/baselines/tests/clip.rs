//! CLIP's tower under the published names, and a head that is fitted on it. The golden files are those of
//! `cifake-vit`.

use std::path::{Path, PathBuf};

use baselines::{
    ClipConfig, ClipDetector, Fit, HeadTraining, IMPORTS, Pictures, VitDetector, clip_loader,
};
use burn::tensor::{Device, Int, Tensor, TensorData};
use cifake::weights::{Precision, Source, encode, save_configured};
use cifake::{Classifier, Decoder, Detector, Error, Label, open_dataset};
use cifake_training::Network;
use cifake_vit::VitConfig;
use testkit::{Fixture, assert_close};

const LIMIT: f32 = 1e-4;

fn fixture(name: &str) -> PathBuf {
    let file = format!("../vit/tests/fixtures/{name}.safetensors");
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

/// The tower of the golden files, 10 values, on pictures of its size.
fn small(hidden: &[usize]) -> ClipConfig {
    let published = ClipConfig::univfd();
    let sizes = VitConfig { side: 24, patch: 8, dim: 24, depth: 2, ..published.tower.clone() };
    let tower = VitConfig { n_heads: 3, d_mlp: 40, projection: Some(10), ..sizes };
    ClipConfig { tower, hidden: hidden.to_vec(), side: 24, ..published }
}

fn load(config: &ClipConfig, name: &str) -> Result<ClipDetector, Error> {
    config.load(Source::File(&fixture(name)), None, 1, &Device::flex())
}

fn head_file(layers: &[(&str, usize, usize)]) -> Vec<u8> {
    let layer = |&(name, inputs, outputs): &(&str, usize, usize)| {
        let values = (0..inputs * outputs).map(|at| (at as f32 * 0.7).sin()).collect::<Vec<_>>();
        let weight = TensorData::new(values, [outputs, inputs]);
        let bias = TensorData::new(vec![0.25f32; outputs], [outputs]);
        [(format!("{name}weight"), weight), (format!("{name}bias"), bias)]
    };
    encode(&layers.iter().flat_map(layer).collect::<Vec<_>>(), &[].into())
}

#[test]
fn a_tower_under_each_name_gives_upstreams_embedding() {
    let device = Device::flex();
    let mut bare = Fixture::default();
    let named = Fixture::load(fixture("openai"));
    for name in named.names() {
        if let Some(key) = name.strip_prefix("visual.") {
            bare.insert(key, named.get(name).expect("it is listed").clone());
        }
    }
    let bare = bare.to_safetensors();
    let bare = Source::Bytes { name: "bare", bytes: &bare };
    let config = small(&[]);
    let bare = config.load(bare, None, 1, &device).expect("a tower alone");
    let [openai, hf] = ["openai", "hf_clip"].map(|name| load(&config, name).expect("published"));
    for (name, golden, model) in
        [("openai", "openai", openai), ("bare", "openai", bare), ("hf_clip", "hf_clip", hf)]
    {
        let golden = Fixture::load(fixture(&format!("{golden}_stages")));
        let ours = model.embed(golden.tensor("images", &device));
        assert_close(&ours, &golden.tensor("embedding", &device), LIMIT, name);
    }
}

#[test]
fn a_published_head_judges_the_embedding() {
    let (config, device) = (small(&[]), Device::flex());
    let path = fixture("openai");
    let head = head_file(&[("", 10, 1)]);
    let head = Source::Bytes { name: "fc_weights", bytes: &head };
    let model = config.load(Source::File(&path), Some(head), 1, &device).expect("it fits");
    let embedding = Tensor::<2>::from_floats([[1.0; 10]], &device);
    let expected: f32 = (0..10).map(|at| (at as f32 * 0.7).sin()).sum::<f32>() + 0.25;
    let ours = model.judge(embedding).into_scalar::<f32>();
    assert!((ours - expected).abs() < 1e-5, "{ours} {expected}");

    let mlp = small(&[6, 4]);
    let layers = [("fc.10.", 4, 1), ("fc.2.", 6, 4), ("fc.0.", 10, 6)];
    let head = head_file(&layers);
    let head = Source::Bytes { name: "mlp", bytes: &head };
    let model = mlp.load(Source::File(&path), Some(head), 1, &device).expect("in order of numbers");
    assert_eq!(model.head.len(), 3);
}

#[test]
fn parts_that_do_not_belong_together_are_refused_with_a_remedy() {
    let device = Device::flex();
    let reason = |result: Result<ClipDetector, Error>| match result {
        Err(Error::WeightConfig { reason, .. }) => reason,
        other => panic!("{other:?}"),
    };
    let config = small(&[]);
    let mut wide = config.clone();
    wide.tower.projection = Some(12);
    for name in ["openai", "hf_clip"] {
        let reason = reason(load(&wide, name));
        assert!(reason.contains("gives 10 values") && reason.contains("choose"), "{reason}");
    }
    let mut file = Fixture::load(fixture("hf_clip"));
    file.remove("visual_projection.weight");
    let bytes = file.to_safetensors();
    let hidden = Source::Bytes { name: "hidden", bytes: &bytes };
    assert!(reason(config.load(hidden, None, 1, &device)).contains("no projection"));
    for layers in [&[("", 24, 1)][..], &[("0.", 10, 4), ("1.", 4, 1)], &[]] {
        let bytes = head_file(layers);
        let head = Some(Source::Bytes { name: "head", bytes: &bytes });
        let path = fixture("openai");
        let result = config.load(Source::File(&path), head, 1, &device);
        assert!(reason(result).contains("10 to 1"), "{layers:?}");
    }
}

/// Pictures of two textures, `[n, 3, side, side]`, of which every other is FAKE.
fn pictures(n: usize, side: usize) -> (Tensor<4>, Vec<Label>) {
    let device = Device::flex();
    let picture = |at: usize| {
        let ramp = Tensor::<1, Int>::arange(0..(3 * side * side) as i64, &device).float();
        let wave = (ramp * if at % 2 == 1 { 2.9 } else { 0.31 } + at as f32 * 0.77).sin();
        wave.reshape([1, 3, side, side]) * 0.3 + 0.5
    };
    let label = |at| if at % 2 == 1 { Label::Fake } else { Label::Real };
    (Tensor::cat((0..n).map(picture).collect(), 0), (0..n).map(label).collect())
}

#[test]
fn a_head_learns_on_a_tower_that_stays_as_it_is() {
    let device = Device::flex();
    for (hidden, fit) in [(&[][..], Fit::Resize), (&[16, 8], Fit::Resize), (&[], Fit::CenterCrop)] {
        let config = ClipConfig { fit, side: 16, ..small(hidden) };
        let mut model = load(&config, "openai").expect("published");
        let (images, labels) = pictures(48, 16);
        let embeddings = model.embed(images.clone());
        let before = model.tower.forward(Tensor::ones([1, 3, 24, 24], &device) * 0.5).into_data();
        let training = HeadTraining {
            epochs: 60,
            batch_size: 16,
            learning_rate: 5e-2,
            ..HeadTraining::default()
        };
        let mut again = model.clone();
        let losses = training.fit(&mut model, embeddings.clone(), &labels);
        assert!(losses[59] < 0.5 * losses[0], "{hidden:?} {fit:?}: {losses:?}");
        assert_eq!(training.fit(&mut again, embeddings, &labels), losses, "a seed decides all");
        let after = model.tower.forward(Tensor::ones([1, 3, 24, 24], &device) * 0.5).into_data();
        after.assert_eq(&before, true);

        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("clip.safetensors");
        save_configured(&model, &config, &[].into(), Precision::F32, &path).expect("room");
        let detector = Detector::builder().threads(1).expect("one thread");
        let detector = detector.open(&clip_loader().into(), &path).expect("it was just written");
        let name = if hidden.is_empty() { "univfd@" } else { "clip-mlp@" };
        assert!(detector.model_name().starts_with(name), "{}", detector.model_name());
        assert_eq!(detector.input_size(), (16, 16));
        let logits =
            detector.classifier().logits(images).into_data().try_to_vec::<f32>().expect("floats");
        let is_right = |(at, pair): (usize, &[f32])| (pair[1] > pair[0]) == (at % 2 == 1);
        let n_right = logits.chunks(2).enumerate().filter(|&pair| is_right(pair)).count();
        assert!(n_right >= 44, "{hidden:?} {fit:?}: {n_right} of 48");
    }
}

#[test]
fn an_import_says_what_does_not_fit() {
    let import = IMPORTS.iter().find(|import| import.name == "clip").expect("it is listed");
    let mini = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/mini");
    let dataset = open_dataset(&mini, None).expect("the mini set is committed");
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let out = folder.path().join("clip.safetensors");
    let start = |settings: &[(&str, &str)]| {
        let parts = vec![("tower".to_owned(), fixture("hf_clip"))];
        let settings = settings.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
        let indices = (0..dataset.len()).collect();
        let pictures = Pictures { dataset: &*dataset, indices, decoder: Decoder::default() };
        let device = Device::flex();
        let result = import.start(parts, settings.collect(), Some(pictures), (&device, &out));
        result.expect_err("the tower is no published one").to_string()
    };
    assert!(start(&[("form", "mlp")]).contains("univfd or original"));
    assert!(start(&[("fit", "stretch")]).contains("center_crop"));
    assert!(start(&[("tower", "vit_32")]).contains("clip_vit_large_patch14"));
    assert!(start(&[("tower", "vit")]).contains("vit_config"));
    assert!(start(&[("activation", "relu")]).contains("quick_gelu"));
    assert!(start(&[("side", "0")]).contains("side must be"));
    assert!(start(&[]).contains("gives 10 values, the tower of the configuration 768"));
    assert!(start(&[("form", "original")]).contains("the tower of the configuration 512"));
}

#[test]
fn a_tower_of_this_project_takes_the_whole_path_to_a_verdict() {
    let (device, folder) = (Device::flex(), tempfile::tempdir().expect("a temporary folder"));
    let sizes = VitConfig { dim: 8, n_heads: 2, depth: 1, d_mlp: 8, ..VitConfig::small_32() };
    let encoder = VitDetector::draw(&sizes, 1, &device);
    let tower = folder.path().join("vit.safetensors");
    save_configured(&encoder, &sizes, &[].into(), Precision::F32, &tower).expect("room");
    let mini = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/mini");
    let dataset = open_dataset(&mini, None).expect("the mini set is committed");
    let import = IMPORTS.iter().find(|import| import.name == "clip").expect("it is listed");
    for (form, name) in [("univfd", "univfd@"), ("original", "clip-mlp@")] {
        let out = folder.path().join(form);
        let indices = (0..dataset.len()).collect();
        let pictures = Pictures { dataset: &*dataset, indices, decoder: Decoder::default() };
        let settings = [("tower", "vit"), ("form", form), ("epochs", "2")];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let parts = vec![("tower".to_owned(), tower.clone())];
        import.start(parts, settings, Some(pictures), (&device, &out)).expect("it fits");
        let detector = Detector::builder().threads(1).expect("one thread");
        let detector = detector.open(&clip_loader().into(), &out).expect("it was just written");
        assert!(detector.model_name().starts_with(name), "{}", detector.model_name());
        let images = pictures_of_noise(2);
        let expected = encoder.network.forward(images.clone());
        let (_, embedding) = detector.classifier().logits_and_embedding(images);
        assert_close(&embedding, &expected, LIMIT, form);
        let verdict = detector.detect_bytes(&dataset.bytes(0).expect("it is there"));
        assert!((0.0..=1.0).contains(&verdict.expect("a picture").p_fake));
    }
}

fn pictures_of_noise(n: usize) -> Tensor<4> {
    let ramp = Tensor::<1, Int>::arange(0..(n * 3 * 32 * 32) as i64, &Device::flex()).float();
    (ramp * 0.37).sin().reshape([n, 3, 32, 32]) * 0.5 + 0.5
}
