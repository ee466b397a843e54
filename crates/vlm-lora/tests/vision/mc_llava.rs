//! MC-LLaVA: the tower's layers, places, chosen and projected tokens, every layer, logits, answers.

use burn::tensor::Device;
use testkit::{Fixture, assert_close};
use vlm_lora::image::Crops;
use vlm_lora::models::McLlava;
use vlm_lora::{Error, WeightFormat};

use crate::fixture::{LIMIT, assert_layers, case, golden, greedy, numbers, path};

const NAMES: [&str; 3] = ["mc_llava_a", "mc_llava_b", "mc_llava_c"];

fn load(name: &str, device: &Device) -> McLlava {
    McLlava::load(&path(name), WeightFormat::F32, device)
        .expect("the model uses every weight it may")
}

fn crops(golden: &Fixture) -> Crops {
    let data = |name: &str| golden.get(name).expect("it is there").clone();
    let middles: Vec<f32> = data("middles").try_to_vec().expect("f32");
    let pixels = data("pixels");
    Crops {
        side: pixels.shape().to_vec()[3],
        values: pixels.try_to_vec().expect("f32"),
        middles: middles.as_chunks().0.to_vec(),
    }
}

fn assert_stages(device: &Device) {
    for name in NAMES {
        let (model, case, golden) = (load(name, device), case(name), golden(name));
        let (crops, encoder) = (crops(&golden), model.encoder());
        let mut seen = 0;
        let pixels = golden.tensor::<4>("pixels", device);
        encoder.tower().forward_each(pixels, &mut |stage, ours| {
            assert_close(ours, &golden.tensor(stage, device), LIMIT, &format!("{name} {stage}"));
            seen += 1;
        });
        assert_eq!(seen, model.config().vision.num_hidden_layers + 1);
        let n_tokens = model.config().n_image_tokens;
        let selected = encoder.select(&crops, n_tokens).expect("tokens for each crop");
        let projected = encoder.forward(&crops, n_tokens).expect("tokens for each crop");
        for (stage, ours) in
            [("places", encoder.places(&crops)), ("selected", selected), ("projected", projected)]
        {
            assert_close(&ours, &golden.tensor(stage, device), LIMIT, &format!("{name} {stage}"));
        }
        let prompt = model.prompt_of(&numbers(&case["tokens"]), &[crops]).expect("one place");
        assert_layers(model.decoder(), &prompt, &golden, name);
    }
}

#[test]
fn every_stage_gives_transformers_numbers() {
    assert_stages(&Device::flex());
}

#[cfg(feature = "ndarray")]
#[test]
#[allow(deprecated)] // burn keeps the backend; it is the second opinion here
fn every_stage_gives_transformers_numbers_on_ndarray() {
    assert_stages(&Device::ndarray());
}

#[test]
fn greedy_answers_are_transformers() {
    let device = Device::flex();
    for name in NAMES {
        let (model, case, golden) = (load(name, &device), case(name), golden(name));
        let prompt =
            model.prompt_of(&numbers(&case["tokens"]), &[crops(&golden)]).expect("a place");
        let theirs = numbers(&case["greedy"]);
        let ours = greedy(model.decoder(), &prompt, theirs.len());
        assert_eq!(ours, theirs, "{name}");
    }
}

#[test]
fn squares_of_another_size_are_refused() {
    let model = load("mc_llava_a", &Device::flex());
    let crops = Crops { values: vec![0.0; 48], side: 4, middles: vec![[0.5, 0.5]] };
    let refused =
        model.prompt_of(&[model.config().image_token], &[crops]).expect_err("4 is not 42");
    assert!(matches!(refused, Error::PictureFormat { found: 4, expected: 42, .. }), "{refused}");
}
