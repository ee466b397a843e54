//! timm's own class and this crate give the same numbers from the same checkpoint, whichever of its
//! forms is loaded.

use burn::tensor::Device;
use testkit::{Fixture, assert_close};

use crate::golden::{LIMIT, assert_parity, fixture, small};

fn assert_same_numbers(checkpoint: &str) {
    let path = fixture(checkpoint);
    let model = small().load(path.as_path(), &Device::flex()).expect("the checkpoint fits");
    assert_parity(&model, &Fixture::load(fixture("small_stages.safetensors")));
}

#[test]
fn a_timm_checkpoint_gives_timms_numbers_at_every_stage() {
    assert_same_numbers("small.safetensors");
}

#[test]
fn a_cream_checkpoint_gives_timms_numbers_at_every_stage() {
    assert_same_numbers("small_cream.safetensors");
}

#[cfg(feature = "pytorch")]
#[test]
fn a_pickled_timm_checkpoint_gives_timms_numbers_at_every_stage() {
    assert_same_numbers("small.pt");
}

#[cfg(feature = "pytorch")]
#[test]
fn a_pickled_cream_checkpoint_gives_timms_numbers_at_every_stage() {
    assert_same_numbers("small_cream.pth");
}

#[test]
fn biases_resized_to_other_windows_give_timms_numbers() {
    let device = Device::flex();
    let golden = Fixture::load(fixture("small_stages.safetensors"));
    let mut config = small();
    config.window_sizes = [7, 4, 5, 2];
    for checkpoint in ["small.safetensors", "small_cream.safetensors"] {
        let path = fixture(checkpoint);
        let model = config.load_for_fine_tuning(path.as_path(), 1, &device);
        let model = model.expect("windows are resized");
        let ours = model.forward(golden.tensor("images", &device));
        assert_close(&ours, &golden.tensor("resized.logits", &device), LIMIT, checkpoint);
    }
}

#[test]
fn a_head_of_another_size_is_drawn_anew_and_the_rest_is_kept() {
    let device = Device::flex();
    let golden = Fixture::load(fixture("small_stages.safetensors"));
    let config = small().with_n_classes(2);
    for checkpoint in ["small.safetensors", "small_cream.safetensors"] {
        let path = fixture(checkpoint);
        let load = |seed| {
            let model = config.load_for_fine_tuning(path.as_path(), seed, &device);
            model.expect("the head is replaced")
        };
        let images = || golden.tensor::<4>("images", &device);
        let (name, last) = load(1).stages_of(images()).pop().expect("a model has stages");
        assert_close(&last, &golden.tensor(&name, &device), LIMIT, &name);
        let logits = |seed| load(seed).forward(images()).into_data();
        assert_eq!(logits(1).shape().to_vec(), [2, 2]);
        assert_eq!(logits(1), logits(1));
        assert_ne!(logits(1), logits(2));
    }
}

#[test]
fn a_head_of_the_same_size_is_kept() {
    let device = Device::flex();
    let path = fixture("small.safetensors");
    let model = small().load_for_fine_tuning(path.as_path(), 1, &device).expect("it fits");
    assert_parity(&model, &Fixture::load(fixture("small_stages.safetensors")));
}
