//! timm's numbers, and how ours are compared with them.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use testkit::{Fixture, assert_close, relative_difference};
use tinyvit::{TinyVit, TinyVitConfig};

/// The largest accepted difference, relative to the largest value of a map. Both sides round to
/// f32 after sums of up to 2304 products, which leaves 1e-6; a wrong formula leaves 1e-3 and more.
pub(crate) const LIMIT: f32 = 1e-5;

/// A committed golden file.
pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// The small model of `generate.py`, on pictures that are not square.
pub(crate) fn small() -> TinyVitConfig {
    TinyVitConfig {
        name: "small".to_owned(),
        image_size: 64,
        embed_dims: [8, 16, 24, 32],
        depths: [1, 1, 2, 1],
        n_heads: [1, 2, 3, 4],
        window_sizes: [7, 2, 3, 4],
        stem_dim: 4,
        n_classes: 5,
        ..TinyVitConfig::tiny_vit_5m()
    }
}

/// Fails at the first stage where `model` and `golden` part; answers the largest difference.
pub(crate) fn assert_parity(model: &TinyVit, golden: &Fixture) -> f32 {
    let device = Device::flex();
    let images = || golden.tensor::<4>("images", &device);
    let maps = model.stages_of(images());
    let (_, last) = maps.last().expect("a model has stages").clone();
    let mut worst = 0.0f32;
    for (name, ours) in &maps {
        let theirs = golden.tensor::<4>(name, &device);
        assert_close(ours, &theirs, LIMIT, name);
        worst = worst.max(relative_difference(ours, &theirs));
    }
    let [batch, channels, ..] = last.dims();
    let pooled = last.mean_dim(3).mean_dim(2).reshape([batch, channels]);
    for (name, ours) in
        [("head.norm", model.head.norm.forward(pooled)), ("logits", model.forward(images()))]
    {
        let theirs = golden.tensor::<2>(name, &device);
        assert_close(&ours, &theirs, LIMIT, name);
        worst = worst.max(relative_difference(&ours, &theirs));
    }
    let not_maps = ["head.norm", "images", "logits", "resized.logits"];
    let n_maps = golden.names().filter(|name| !not_maps.contains(name)).count();
    assert_eq!(maps.len(), n_maps, "every recorded map is compared");
    worst
}
