//! Qwen2-VL and MC-LLaVA learn from pictures, in their towers too.

use std::ops::ControlFlow;
use std::sync::Arc;

use burn::tensor::{Device, TensorData};
use cifake::Picture;
use testkit::Fixture;
use vlm_lora::image::{MultiCropProcessor, PreprocessorConfig};
use vlm_lora::lora::{Adapter, CONFIG_FILE, LayerWeights, WEIGHTS_FILE};
use vlm_lora::models::{LanguageModel, McLlava, Qwen2Vl};
use vlm_lora::tune::{
    Encoded, Event, Image, TrainableVlm, TrainingError, Tuner, TuningConfig, VisionExample,
};
use vlm_lora::{Error, WeightFormat};

use super::model::{all_linear, fixture, limits};

/// `<image>` and `<|image_pad|>` of the small models.
const IMAGE_TOKEN: u32 = 57;

fn qwen2_vl(device: &Device) -> Box<dyn LanguageModel> {
    let folder = fixture("vision/qwen2_vl_a");
    let model = Qwen2Vl::load(&folder, WeightFormat::F32, device).expect("it is committed");
    Box::new(model)
}

fn mc_llava(device: &Device) -> Box<dyn LanguageModel> {
    let folder = fixture("vision/mc_llava_a");
    let model = McLlava::load(&folder, WeightFormat::F32, device).expect("it is committed");
    let settings = PreprocessorConfig::from_bytes(br#"{"size": {"height": 42, "width": 42}}"#);
    let settings = settings.expect("it is a setting");
    let processor = MultiCropProcessor::from_config(&settings).expect("a size");
    Box::new(model.with_processor(processor))
}

/// Two questions of different lengths, about a dark and a bright picture.
fn examples() -> Vec<VisionExample> {
    let example = |(shade, width, answer): (u8, u32, u32)| {
        let level = |at: u32| shade.saturating_add((at * at % 31) as u8);
        let pixels = (0..3 * 30 * width).map(level).collect();
        let picture = Picture::new(pixels, width, 30).expect("it is of this size");
        let mut encoded = Encoded::default();
        encoded.extend(&[1, IMAGE_TOKEN, 3][..], false);
        encoded.extend(&vec![4; width as usize / 20], false);
        encoded.extend(&[answer, 2], true);
        VisionExample { encoded, images: vec![Image::Pixels(Arc::new(picture))] }
    };
    [(20, 30, 10), (220, 60, 20)].into_iter().map(example).collect()
}

fn config(gradient_checkpointing: bool) -> TuningConfig {
    TuningConfig {
        epochs: 6,
        batch_size: 2,
        accumulation: 1,
        gradient_checkpointing,
        ..TuningConfig::new(all_linear(2), 1e-2)
    }
}

fn trained(model: Box<dyn LanguageModel>, config: TuningConfig) -> (Adapter, Vec<f64>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut model = TrainableVlm::new(model);
    let sets = [examples(), Vec::new()];
    let tuner = Tuner::new(&mut model, config, None, sets, folder.path(), &Device::flex());
    let mut tuner = tuner.expect("it can run");
    tuner.run(&mut |_| ControlFlow::Continue(())).expect("the folder is writable");
    let losses = tuner.history().iter().map(|row| row.loss).collect();
    (tuner.adapter(), losses)
}

#[test]
fn towers_projectors_and_decoders_learn() {
    let device = Device::flex();
    type Load = fn(&Device) -> Box<dyn LanguageModel>;
    let models: [(&str, Load); 2] = [("visual.", qwen2_vl), ("vision_model.", mc_llava)];
    for (name, model) in models {
        let (adapter, losses) = trained(model(&device), config(false));
        assert!(losses[5] < 0.7 * losses[0], "{losses:?}");
        let (_, twice) = trained(model(&device), config(true));
        for (ours, theirs) in twice.iter().zip(&losses) {
            assert!((ours - theirs).abs() < 1e-3, "{twice:?} {losses:?}");
        }
        let mut n_moved = 0;
        for (path, weights) in adapter.layers() {
            let LayerWeights::LowRank { b, .. } = weights else { panic!("{path} is not whole") };
            let moved = b.iter::<f32>().any(|value| value != 0.0);
            n_moved += usize::from(moved && path.contains(name));
        }
        assert!(n_moved >= 8, "{n_moved} layers of the tower moved");
    }
}

#[test]
fn adapters_have_the_names_of_newer_transformers_and_those_of_the_checkpoint_fit() {
    let device = Device::flex();
    let mut model = qwen2_vl(&device);
    let nested = super::model::trained(all_linear(2), &mut model, 1);
    let folder = tempfile::tempdir().expect("a temporary folder");
    nested.save(folder.path()).expect("the folder is writable");
    let file = Fixture::load(folder.path().join(WEIGHTS_FILE));
    let mut plain = Fixture::default();
    for key in file.names() {
        let path = key.strip_prefix("base_model.model.model.").expect("PEFT's prefix");
        let path = match path.strip_prefix("language_model.") {
            Some(rest) => format!("model.{rest}"),
            None => path.to_owned(),
        };
        let values: Vec<f32> = file.get(key).expect("it was named").iter().collect();
        let shape = file.get(key).expect("it was named").shape().to_vec();
        plain.insert(&format!("base_model.model.{path}"), TensorData::new(values, shape));
    }
    let json = std::fs::read(folder.path().join(CONFIG_FILE)).expect("it was written");
    let plain = Adapter::from_bytes(&json, &plain.to_safetensors(), &limits()).expect("whole");
    let logits = |adapter: &Adapter| {
        let mut model = qwen2_vl(&device);
        adapter.attach(&mut model, "a", &device, &limits()).expect("it is this model's");
        assert_eq!(Adapter::of(&mut model, "a").expect("it is attached"), *adapter);
        let tokens = [1, IMAGE_TOKEN, 3];
        let picture = Picture::new(vec![99; 3 * 30 * 30], 30, 30).expect("it is of this size");
        let prompt = model.prompt(&tokens, &[picture]).expect("one place and one picture");
        let x = prompt.embeddings().clone().unsqueeze();
        let hidden = model.decoder().forward(x, prompt.positions(), None);
        model.decoder().logits(hidden).into_data()
    };
    assert_eq!(logits(&plain), logits(&nested));
}

/// The facts that a run with pictures may not lose or confuse.
#[test]
fn a_run_with_pictures_goes_on_and_knows_them_by_their_bytes() {
    let device = Device::flex();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut examples = examples();
    let files: Vec<_> =
        (0..examples.len()).map(|i| folder.path().join(format!("{i}.png"))).collect();
    for (example, file) in examples.iter_mut().zip(&files) {
        let Image::Pixels(picture) = &example.images[0] else { panic!("they are pixels") };
        std::fs::write(file, picture.to_png()).expect("the folder is writable");
        example.images = vec![Image::File(file.clone())];
    }
    let run = |name: &str, n_steps: usize| {
        let mut model = TrainableVlm::new(qwen2_vl(&device));
        let (out, sets) = (folder.path().join(name), [examples.clone(), Vec::new()]);
        let mut tuner = Tuner::new(&mut model, config(false), None, sets, &out, &device)?;
        tuner.run(&mut |event| match event {
            Event::Step { row, .. } if row.step == n_steps => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        })?;
        Ok::<_, Error>(std::fs::read(out.join("adapter").join(WEIGHTS_FILE)).expect("written"))
    };
    let whole = run("whole", 6).expect("it can run");
    let half = run("halves", 3).expect("it can run");
    assert_ne!(half, whole);
    assert!(run("halves", 6).expect("it goes on") == whole, "the bytes differ");
    // The same name, another picture.
    std::fs::copy(&files[0], &files[1]).expect("the folder is writable");
    let refused = run("halves", 6);
    let other = matches!(refused, Err(Error::Training(TrainingError::OtherRun { .. })));
    assert!(other, "{:?}", refused.err());
    std::fs::remove_file(&files[1]).expect("it is there");
    assert!(matches!(run("new", 1), Err(Error::Cifake(cifake::Error::Read { .. }))));
}
