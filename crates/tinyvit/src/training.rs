//! TinyViT as a network that `cifake-training` trains.

use burn::tensor::{Device, Tensor};
use cifake_training::Network;

use crate::config::TinyVitConfig;
use crate::drop_path::DropPath;
use crate::model::{TinyVit, drop_rates};

impl Network for TinyVit {
    const PRESETS: &'static [&'static str] =
        &["native", "native_large", "tiny_vit_5m", "tiny_vit_11m", "tiny_vit_21m"];

    fn preset(name: &str) -> Option<TinyVitConfig> {
        TinyVitConfig::from_name(name)
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_there() {
        assert!(TinyVit::PRESETS.iter().all(|name| TinyVit::preset(name).is_some()));
    }
}
