//! MC-LLaVA's picture tokens: some of each crop's, with the crop's place added.
//!
//! `SiglipVisionEncoder` and `LlavaMultiModalProjector` of visheratin/mc-llava at 7d7369d.

use std::iter::repeat_n;

use burn::tensor::{Tensor, TensorData};
use cifake_vit::Activation;

use super::config::SiglipVisionConfig;
use super::siglip::SiglipVision;
use crate::error::Error;
use crate::image::Crops;
use crate::nn::{Linear, LoraTargets};
use crate::source::WeightSource;

/// Crops that go through the tower at once: attention at 729 patches takes 34 MB a crop.
const BATCH: usize = 4;

/// Tower, coordinate MLP and projector.
#[derive(Debug, Clone)]
pub struct MultiCropEncoder {
    tower: SiglipVision,
    coord_embed: [Linear; 2],
    projector: [Linear; 2],
}

impl MultiCropEncoder {
    /// The tower's place in the checkpoint.
    pub const TOWER: &str = "vision_model.vision_tower.vision_model";

    /// The encoder whose tower is `config`, for a decoder of `d_text` channels, under the
    /// published names: `vision_model` and `multi_modal_projector`.
    ///
    /// # Errors
    /// Those of `weights`.
    pub fn new(
        config: SiglipVisionConfig,
        d_text: usize,
        weights: &mut dyn WeightSource,
    ) -> Result<Self, Error> {
        let dim = config.hidden_size;
        let tower = SiglipVision::new(config, weights, Self::TOWER)?;
        let mut linear = |path: &str, sizes| Linear::new(weights, path, sizes, true);
        Ok(Self {
            tower,
            coord_embed: [
                linear("vision_model.coord_embed.0", [2, dim])?,
                linear("vision_model.coord_embed.2", [dim, dim])?,
            ],
            projector: [
                linear("multi_modal_projector.linear_1", [dim, d_text])?,
                linear("multi_modal_projector.linear_2", [d_text, d_text])?,
            ],
        })
    }

    /// The tower.
    #[must_use]
    pub fn tower(&self) -> &SiglipVision {
        &self.tower
    }

    /// Tokens that a picture has when it is not cropped: all patches but the first.
    #[must_use]
    pub fn max_tokens_of_crop(&self) -> usize {
        self.tower.config().n_patches() - 1
    }

    /// The number of tokens of each of `n_crops` that are kept, out of `n_tokens` in all: equally
    /// many, the last with the remainder.
    ///
    /// # Errors
    /// [`Error::Setting`] if a crop would have none, or the last more than it has.
    pub fn shares(&self, n_crops: usize, n_tokens: usize) -> Result<Vec<usize>, Error> {
        let wrong = |expected: String| {
            let found = format!("{n_tokens} of {n_crops} crops");
            Error::Setting { setting: "num_tokens", found, expected }
        };
        let share = n_tokens.checked_div(n_crops).unwrap_or(0);
        if share == 0 {
            return Err(wrong("at least one token a crop".to_owned()));
        }
        let last = n_tokens - share * (n_crops - 1);
        if last > self.max_tokens_of_crop() {
            return Err(wrong(format!("at most {} tokens a crop", self.max_tokens_of_crop())));
        }
        Ok(repeat_n(share, n_crops - 1).chain([last]).collect())
    }

    /// The `n_tokens` tokens of one picture, `[n_tokens, d_text]`; upstream's `n_tokens` is 728.
    ///
    /// # Errors
    /// As [`shares`](Self::shares).
    ///
    /// # Panics
    /// If the crops are of another size than the tower's.
    pub fn forward(&self, crops: &Crops, n_tokens: usize) -> Result<Tensor<2>, Error> {
        let selected = self.select(crops, n_tokens)?;
        let inner = Activation::Gelu.forward(self.projector[0].forward(selected));
        Ok(self.projector[1].forward(inner))
    }

    /// The projector's input, `[n_tokens, hidden_size]`: of each crop the last tokens of the
    /// tower's, with the embedding of the crop's middle added.
    ///
    /// # Errors
    /// As [`shares`](Self::shares).
    ///
    /// # Panics
    /// If the crops are of another size than the tower's.
    pub fn select(&self, crops: &Crops, n_tokens: usize) -> Result<Tensor<2>, Error> {
        let n_crops = crops.middles.len();
        let shares = self.shares(n_crops, n_tokens)?;
        let places = self.places(crops);
        let len = 3 * crops.side * crops.side;
        let mut parts = Vec::with_capacity(n_crops);
        for (batch, values) in crops.values.chunks(BATCH * len).enumerate() {
            let n = values.len() / len;
            let data = TensorData::new(values.to_vec(), [n, 3, crops.side, crops.side]);
            let features = self.tower.forward(Tensor::from_data(data, &places.device()));
            let [_, n_patches, dim] = features.dims();
            for i in 0..n {
                let crop = batch * BATCH + i;
                let kept = features.clone().narrow(0, i, 1).narrow(
                    1,
                    n_patches - shares[crop],
                    shares[crop],
                );
                parts.push(kept.reshape([shares[crop], dim]) + places.clone().narrow(0, crop, 1));
            }
        }
        Ok(Tensor::cat(parts, 0))
    }

    /// The embeddings of the crops' middles, `[crops, hidden_size]`.
    #[must_use]
    pub fn places(&self, crops: &Crops) -> Tensor<2> {
        let device = self.coord_embed[0].weight().to_tensor().device();
        let data = TensorData::new(crops.middles.concat(), [crops.middles.len(), 2]);
        let inner = self.coord_embed[0].forward(Tensor::<2>::from_data(data, &device));
        self.coord_embed[1].forward(Activation::Gelu.forward(inner))
    }
}

impl LoraTargets for MultiCropEncoder {
    fn visit_linears(&mut self, visit: &mut dyn FnMut(&mut Linear)) {
        self.tower.visit_linears(visit);
        self.coord_embed.iter_mut().for_each(&mut *visit);
        self.projector.iter_mut().for_each(visit);
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::source::Shapes;

    #[test]
    fn crops_share_the_tokens_and_the_last_has_the_rest() {
        let config = SiglipVisionConfig::so400m_patch14_384();
        let encoder = MultiCropEncoder::new(config, 2560, &mut Shapes::new(&Device::flex()));
        let encoder = encoder.expect("shapes are never wrong");
        assert_eq!(encoder.shares(1, 728).expect("one crop"), [728]);
        assert_eq!(encoder.shares(5, 728).expect("five crops"), [145, 145, 145, 145, 148]);
        for (n_crops, n_tokens) in [(0, 728), (729, 728), (1, 729), (2, 0)] {
            assert!(matches!(encoder.shares(n_crops, n_tokens), Err(Error::Setting { .. })));
        }
    }
}
