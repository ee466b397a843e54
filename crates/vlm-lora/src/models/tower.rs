//! A vision-language model made of parts: any vision tower, a projector, a causal decoder.
//!
//! The form of LLaVA-1.5 (Liu et al. 2023, arXiv 2310.03744): each picture becomes a few vectors among
//! those of the text. The tower stays frozen. The projector is trained whole, as `modules_to_save` of an
//! adapter, and is saved with it.

use std::sync::Arc;

use burn::tensor::Tensor;
use cifake::{Picture, tensor_from_rgb8};

use super::language_model::LanguageModel;
use super::projector::Projector;
use super::prompt::{expanded, merged};
use super::vision_tower::VisionTower;
use crate::error::Error;
use crate::image::check_aspect_ratio;
use crate::nn::{Linear, LoraTargets};
use crate::source::{Matrix, WeightSource};
use crate::text::{Decoder, Positions, Prompt};

/// A text decoder behind a vision tower and a projector.
#[derive(Debug, Clone)]
pub struct TowerLanguageModel {
    tower: Arc<dyn VisionTower>,
    projector: Projector,
    decoder: Decoder,
    image_token: u32,
}

impl TowerLanguageModel {
    /// `decoder` behind `tower` and a projector with the weights of the source. `image_token` is the
    /// placeholder of a picture in a prompt.
    ///
    /// # Errors
    /// Those of `weights`; [`Error::Tokens`] if the token is outside the vocabulary.
    pub fn new(
        tower: Arc<dyn VisionTower>,
        weights: &mut dyn WeightSource,
        decoder: Decoder,
        image_token: u32,
    ) -> Result<Self, Error> {
        let limit = decoder.config().vocab_size;
        if image_token as usize >= limit {
            let reason = format!("{image_token} is outside the vocabulary of {limit}");
            return Err(Error::Tokens { reason });
        }
        let projector = Projector::new(weights, tower.n_channels(), decoder.config().d_model)?;
        Ok(Self { tower, projector, decoder, image_token })
    }

    /// The prompt of `tokens`, with one `image_token` for each picture of `features`,
    /// `[pictures, tokens, d_vision]`.
    ///
    /// # Errors
    /// [`Error::PicturePlaces`] if the numbers differ; [`Error::Tokens`] for no token, or one outside the
    /// vocabulary.
    pub fn prompt_of(&self, tokens: &[u32], features: Option<Tensor<3>>) -> Result<Prompt, Error> {
        let n_pictures = features.as_ref().map_or(0, |features| features.dims()[0]);
        let n_tokens = features.as_ref().map_or(0, |features| features.dims()[1]);
        let is_picture = |token| token == self.image_token;
        let placeholder = format!("token {}", self.image_token);
        let sizes = [n_pictures, n_tokens];
        let tokens = expanded(tokens, self.image_token, sizes, &placeholder)?;
        let pictures = features.map(|features| {
            let d_model = self.decoder.config().d_model;
            self.projector.forward(features).reshape([n_pictures * n_tokens, d_model])
        });
        let embeddings = merged(&self.decoder, &tokens, is_picture, pictures)?;
        let positions = Positions::text(&[0], tokens.len());
        Ok(Prompt::new(embeddings, positions, tokens))
    }
}

impl LoraTargets for TowerLanguageModel {
    /// Those of the projector, then those of the decoder.
    fn visit_linears(&mut self, visit: &mut dyn FnMut(&mut Linear)) {
        self.projector.visit_linears(visit);
        self.decoder.visit_linears(visit);
    }

    fn embedding(&self) -> Option<&Matrix> {
        Some(self.decoder.embedding().weight())
    }

    fn tower(&self) -> Option<&str> {
        Some(self.tower.name())
    }
}

impl LanguageModel for TowerLanguageModel {
    fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    /// Pictures are resized to the tower's size. A side more than 200 times as long as the other is
    /// [`Error::AspectRatio`]. Features carry no gradients.
    fn prompt(&self, tokens: &[u32], pictures: &[Picture]) -> Result<Prompt, Error> {
        let [height, width] = self.tower.image_size().map(|side| side as u32);
        let fit = |picture: &Picture| {
            check_aspect_ratio([picture.height(), picture.width()])?;
            Ok(picture.clone().fitted(width, height).0)
        };
        let fitted = pictures.iter().map(fit).collect::<Result<Vec<Picture>, Error>>()?;
        let features = match fitted.is_empty() {
            true => None,
            false => {
                let images = tensor_from_rgb8(&fitted, self.decoder.device())?;
                Some(self.tower.features(images).inner())
            }
        };
        self.prompt_of(tokens, features)
    }

    fn reads_pictures(&self) -> bool {
        true
    }

    fn boxed_clone(&self) -> Box<dyn LanguageModel> {
        Box::new(self.clone())
    }
}
