//! The small vision-language model learns to tell pictures apart, and keeps what it learned in an
//! adapter's file.

use std::ops::ControlFlow;
use std::sync::Arc;

use burn::tensor::{Device, Tensor};
use cifake::Picture;
use vlm_lora::lora::{Adapter, AdapterError, LoraConfig, Modules, disable};
use vlm_lora::models::{Projector, TowerLanguageModel, VisionTower};
use vlm_lora::tune::{Encoded, Image, TRAINED, TrainableVlm, Tuner, TuningConfig, VisionExample};
use vlm_lora::{Error, Random, WeightFormat};

use super::model::{limits, random};

/// Stands for a picture in the text.
const IMAGE_TOKEN: u32 = 39;

/// Sees the mean colour of each quarter.
#[derive(Debug)]
struct Quarters(&'static str);

impl VisionTower for Quarters {
    fn features(&self, images: Tensor<4>) -> Tensor<3> {
        let [batch, channels, height, width] = images.dims();
        let quarters = images.reshape([batch, channels, 2, height / 2, 2, width / 2]);
        let means = quarters.mean_dim(3).mean_dim(5).reshape([batch, channels, 4]);
        means.swap_dims(1, 2)
    }

    fn n_channels(&self) -> usize {
        3
    }

    fn image_size(&self) -> [usize; 2] {
        [4, 6]
    }

    fn name(&self) -> &str {
        self.0
    }
}

fn model(device: &Device) -> TrainableVlm {
    behind("quarters", device)
}

fn behind(tower: &'static str, device: &Device) -> TrainableVlm {
    let mut weights = Random::new(3, WeightFormat::F32, device);
    let decoder = random(WeightFormat::F32, device);
    let model =
        TowerLanguageModel::new(Arc::new(Quarters(tower)), &mut weights, decoder, IMAGE_TOKEN);
    TrainableVlm::new(Box::new(model.expect("it is drawn")))
}

fn picture(shade: u8) -> Arc<Picture> {
    let pixels = (0..12 * 8 * 3).map(|at: u32| shade.saturating_add((at % 7) as u8)).collect();
    Arc::new(Picture::new(pixels, 12, 8).expect("it is of this size"))
}

/// A question about a dark or a bright picture, answered by 10 or 20 and the end.
fn example(shade: u8, answer: u32) -> VisionExample {
    let mut encoded = Encoded::default();
    encoded.extend(&[5, IMAGE_TOKEN, 6, 7], false);
    encoded.extend(&[answer, 2], true);
    VisionExample { encoded, images: vec![Image::Pixels(picture(shade))] }
}

fn answer(model: &TrainableVlm, shade: u8) -> u32 {
    let model = &model.model;
    let prompt = model.prompt(&[5, IMAGE_TOKEN, 6, 7], &[picture(shade).as_ref().clone()]);
    let prompt = prompt.expect("one place and one picture");
    let decoder = model.decoder();
    let hidden = decoder.forward(prompt.embeddings().clone().unsqueeze(), prompt.positions(), None);
    let last = hidden.narrow(1, prompt.len() - 1, 1);
    let best = decoder.logits(last).argmax(2).into_data();
    best.iter::<i64>().next().expect("one token") as u32
}

#[test]
fn two_pictures_are_told_apart() {
    let device = Device::flex();
    let mut model = model(&device);
    let lora = LoraConfig::new(4, 8.0, Modules::all_linear());
    let lora = lora.with_modules_to_save(&[Projector::PATH]);
    let config = TuningConfig {
        epochs: 40,
        batch_size: 2,
        accumulation: 1,
        ..TuningConfig::new(lora, 1e-2)
    };
    let train: Vec<VisionExample> = [(10, 10), (30, 10), (200, 20), (240, 20)]
        .into_iter()
        .map(|(shade, answer)| example(shade, answer))
        .collect();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let sets = [train, vec![example(20, 10), example(220, 20)]];
    let mut tuner =
        Tuner::new(&mut model, config, None, sets, folder.path(), &device).expect("it can run");
    tuner.run(&mut |_| ControlFlow::Continue(())).expect("the folder is writable");
    let held_out = tuner.history().last().and_then(|row| row.held_out_loss);
    // A frozen head of 40 tokens behind a norm can be sure to 0.14 nats; guessing has 3.7.
    assert!(held_out.is_some_and(|loss| loss < 0.2), "{held_out:?}");
    let unseen = [15, 25, 210, 230];
    assert_eq!(unseen.map(|shade| answer(&model, shade)), [10, 10, 20, 20]);
    disable(&mut model);
    let untrained = unseen.map(|shade| answer(&model, shade));
    assert_ne!(untrained, [10, 10, 20, 20]);

    let saved = Adapter::open(&folder.path().join("adapter"), &limits()).expect("it was written");
    assert!(saved.layers().contains_key("multi_modal_projector.linear_1"));
    let mut other = self::model(&device);
    saved.attach(&mut other, TRAINED, &device, &limits()).expect("it is this model's");
    assert_eq!(unseen.map(|shade| answer(&other, shade)), [10, 10, 20, 20]);

    assert_eq!(saved.tower(), Some("quarters"));
    assert_eq!(Adapter::of(&mut other, TRAINED).expect("it is attached"), saved);
    let refused = saved.attach(&mut behind("halves", &device), TRAINED, &device, &limits());
    assert!(matches!(refused, Err(AdapterError::Tower { .. })), "{refused:?}");
    let mut blind = random(WeightFormat::F32, &device);
    let refused = saved.attach(&mut blind, TRAINED, &device, &limits());
    assert!(matches!(refused, Err(AdapterError::Tower { found: None, .. })), "{refused:?}");
}

#[test]
fn a_strip_is_not_squeezed_into_a_square() {
    let model = model(&Device::flex()).model;
    for (width, height) in [(1, 20_000), (20_000, 1)] {
        let strip = Picture::new(vec![0; 60_000], width, height).expect("it is of this size");
        let refused = model.prompt(&[1, IMAGE_TOKEN], &[strip]);
        assert!(matches!(refused, Err(Error::AspectRatio { .. })), "{refused:?}");
    }
}

#[test]
fn places_and_pictures_must_be_as_many() {
    let model = model(&Device::flex()).model;
    let dark = picture(0).as_ref().clone();
    let refused = model.prompt(&[1, 2], std::slice::from_ref(&dark));
    assert!(matches!(refused, Err(Error::PicturePlaces { places: 0, found: 1, .. })));
    let refused = model.prompt(&[1, IMAGE_TOKEN], &[]);
    assert!(matches!(refused, Err(Error::PicturePlaces { places: 1, found: 0, .. })));
    let prompt = model.prompt(&[1, IMAGE_TOKEN], &[dark]).expect("one and one");
    assert_eq!(prompt.tokens(), [1, 39, 39, 39, 39]);
    let refused = model.prompt(&[1, 40], &[]);
    assert!(matches!(refused, Err(Error::Tokens { .. })));
}
