//! TinyViT as a network that `cifake-training` trains.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use cifake::Classifier;
use cifake_training::{Compiled, Network};

use crate::config::TinyVitConfig;
use crate::drop_path::DropPath;
use crate::model::{TinyVit, drop_rates};
use crate::plan::Plan;

impl Network for TinyVit {
    const PRESETS: &'static [&'static str] =
        &["native", "native_large", "tiny_vit_5m", "tiny_vit_11m", "tiny_vit_21m"];

    fn preset(name: &str) -> Option<TinyVitConfig> {
        TinyVitConfig::from_name(name)
    }

    fn n_outputs(config: &TinyVitConfig) -> usize {
        config.n_classes
    }

    fn draw(config: &TinyVitConfig, seed: u64, device: &Device) -> Self {
        config.init(seed, device)
    }

    fn scores(&self, images: Tensor<4>) -> Tensor<2> {
        self.forward(self.resized(images))
    }

    fn scores_in_training(
        &self,
        config: &TinyVitConfig,
        images: Tensor<4>,
        seeds: &[u64],
    ) -> Tensor<2> {
        let drop = DropPath::draw(&drop_rates(config), seeds, &images.device());
        self.forward_train(self.resized(images), &drop)
    }

    fn compiled(&self, config: &TinyVitConfig, device: &Device) -> Option<Compiled> {
        let resizing = || Planned { plan: self.compile(config), model: self.valid() };
        (*device == Device::flex()).then(|| Box::new(resizing()) as Compiled)
    }
}

/// A plan for pictures of any size.
struct Planned {
    plan: Plan,
    model: TinyVit,
}

impl Classifier for Planned {
    fn logits(&self, images: Tensor<4>) -> Tensor<2> {
        self.plan.logits(self.model.resized(images))
    }
}

#[cfg(test)]
mod tests {
    use cifake::class_scores;

    use super::*;

    #[test]
    fn every_preset_is_there() {
        assert!(TinyVit::PRESETS.iter().all(|name| TinyVit::preset(name).is_some()));
    }

    /// Pictures of another size than the model's too; the plan's own limit is relative to 1e-5.
    #[test]
    fn a_compiled_network_answers_as_it_does() {
        let device = Device::flex();
        let config = TinyVitConfig { depths: [1, 1, 1, 1], ..TinyVitConfig::native() };
        let network = config.init(1, &device);
        let compiled = network.compiled(&config, &device).expect("it is on the CPU");
        let images = Tensor::<1, burn::tensor::Int>::arange(0..2 * 3 * 24 * 24, &device).float();
        let images = (images * 0.37).sin().reshape([2, 3, 24, 24]) * 0.5 + 0.5;
        let own = class_scores(network.valid().scores(images.clone()));
        let difference = (compiled.logits(images) - own).abs().max().into_scalar::<f32>();
        assert!(difference < 1e-4, "{difference}");
    }
}
