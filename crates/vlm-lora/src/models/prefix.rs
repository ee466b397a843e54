//! A small vision-language model made of parts: any vision tower, a projector, a causal decoder.
//!
//! The form of LLaVA-1.5 (Liu et al. 2023, arXiv 2310.03744): each picture becomes a few vectors among
//! those of the text, its features through two linear layers with a GELU between them. The tower
//! stays frozen; the projector is trained whole, as `modules_to_save` of an adapter, and kept with it.

use std::fmt;
use std::sync::Arc;

use burn::tensor::Tensor;
use cifake::{FeatureClassifier, Layer, Picture, tensor_from_rgb8};

use super::merged;
use crate::generate::Prompt;
use crate::image::check_aspect_ratio;
use crate::text::Decoder;
use crate::training::Pictured;
use crate::{Error, Linear, Linears, Matrix, Parameters, Positions};

/// What sees: a network of which only the features are asked for.
pub trait VisionTower: fmt::Debug + Send + Sync {
    /// Features of `images`, `[batch, 3, height, width]`, RGB in `[0, 1]`: `[batch, tokens, channels]`.
    fn features(&self, images: Tensor<4>) -> Tensor<3>;

    /// Channels of the features.
    fn n_channels(&self) -> usize;

    /// Height and width of the pictures that it sees.
    fn image_size(&self) -> [usize; 2];

    /// What tells it from other towers, its weights among it: adapters and runs remember it.
    fn name(&self) -> &str;
}

/// Any network that can be cut at a layer, as a tower: each place of the layer's map is a token.
#[derive(Debug, Clone)]
pub struct CutTower<C> {
    /// What tells the network from others.
    pub name: String,
    /// The network.
    pub classifier: C,
    /// Where it is cut.
    pub layer: Layer,
    /// Height and width of its pictures.
    pub image_size: [usize; 2],
}

impl<C: FeatureClassifier + fmt::Debug + Send + Sync> VisionTower for CutTower<C> {
    fn features(&self, images: Tensor<4>) -> Tensor<3> {
        let map = self.classifier.features(images, &self.layer);
        let [batch, channels, height, width] = map.dims();
        map.reshape([batch, channels, height * width]).swap_dims(1, 2)
    }

    fn n_channels(&self) -> usize {
        self.layer.channels
    }

    fn image_size(&self) -> [usize; 2] {
        self.image_size
    }

    fn name(&self) -> &str {
        &self.name
    }
}

/// Projector and decoder; pictures come as features.
#[derive(Debug, Clone)]
pub struct Prefix {
    linear_1: Linear,
    linear_2: Linear,
    decoder: Decoder,
    image_token: u32,
}

impl Prefix {
    /// Path of the projector: what `modules_to_save` of its adapter names.
    pub const PROJECTOR: &str = "multi_modal_projector";

    /// `decoder` behind a projector from features of `d_vision` channels, whose weights are
    /// `multi_modal_projector.linear_1` and `.linear_2` of `parameters`; in a prompt `image_token`
    /// stands for a picture.
    ///
    /// # Errors
    /// Those of `parameters`; [`Error::Tokens`] if the token is outside the vocabulary.
    pub fn new(
        parameters: &mut dyn Parameters,
        d_vision: usize,
        decoder: Decoder,
        image_token: u32,
    ) -> Result<Self, Error> {
        let (d_model, limit) = (decoder.config().d_model, decoder.config().vocab_size);
        if image_token as usize >= limit {
            let reason = format!("{image_token} is outside the vocabulary of {limit}");
            return Err(Error::Tokens { reason });
        }
        let mut layer = |name: &str, shape| {
            Linear::new(parameters, &format!("{}.{name}", Self::PROJECTOR), shape, true)
        };
        let linear_1 = layer("linear_1", [d_vision, d_model])?;
        let linear_2 = layer("linear_2", [d_model, d_model])?;
        Ok(Self { linear_1, linear_2, decoder, image_token })
    }

    /// The decoder.
    #[must_use]
    pub fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    /// The decoder's vectors, `[batch, tokens, d_model]`, of `features`, `[batch, tokens, d_vision]`.
    #[must_use]
    pub fn project(&self, features: Tensor<3>) -> Tensor<3> {
        self.linear_2.forward(cifake_kernels::gelu(self.linear_1.forward(features)))
    }

    /// The prompt of `tokens`, with one `image_token` for each picture of `features`,
    /// `[pictures, tokens, d_vision]`.
    ///
    /// # Errors
    /// [`Error::PicturePlaces`] where they are not as many; [`Error::Tokens`] for no token, or one
    /// outside the vocabulary.
    pub fn prompt(&self, tokens: &[u32], features: Option<Tensor<3>>) -> Result<Prompt, Error> {
        let n_pictures = features.as_ref().map_or(0, |features| features.dims()[0]);
        let n_tokens = features.as_ref().map_or(0, |features| features.dims()[1]);
        let is_picture = |token| token == self.image_token;
        let places = tokens.iter().filter(|token| is_picture(**token)).count();
        if places != n_pictures {
            let placeholder = format!("token {}", self.image_token);
            let (what, found) = ("pictures", n_pictures);
            return Err(Error::PicturePlaces { what, places, found, placeholder });
        }
        let repeated = |token: &u32| {
            std::iter::repeat_n(*token, if is_picture(*token) { n_tokens } else { 1 })
        };
        let tokens: Vec<u32> = tokens.iter().flat_map(repeated).collect();
        let pictures = features.map(|features| {
            let d_model = self.decoder.config().d_model;
            self.project(features).reshape([n_pictures * n_tokens, d_model])
        });
        let embeddings = merged(&self.decoder, &tokens, is_picture, pictures)?;
        let positions = Positions::text(&[0], tokens.len());
        Ok(Prompt::new(embeddings, positions, tokens))
    }
}

impl Linears for Prefix {
    /// The projector's, then the decoder's.
    fn visit_linears(&mut self, visit: &mut dyn FnMut(&mut Linear)) {
        visit(&mut self.linear_1);
        visit(&mut self.linear_2);
        self.decoder.visit_linears(visit);
    }

    fn embedding(&self) -> Option<&Matrix> {
        Some(self.decoder.embedding().weight())
    }
}

/// [`Prefix`] with the tower before it: a whole model.
#[derive(Debug, Clone)]
pub struct Seeing {
    /// What sees.
    pub tower: Arc<dyn VisionTower>,
    /// What reads.
    pub prefix: Prefix,
}

impl Linears for Seeing {
    fn visit_linears(&mut self, visit: &mut dyn FnMut(&mut Linear)) {
        self.prefix.visit_linears(visit);
    }

    fn embedding(&self) -> Option<&Matrix> {
        self.prefix.embedding()
    }

    fn tower(&self) -> Option<&str> {
        Some(self.tower.name())
    }
}

impl Pictured for Seeing {
    /// Pictures are resized to the tower's size; one more than 200 times as long as wide is
    /// [`Error::AspectRatio`]. Features carry no gradients.
    fn prompt(&self, tokens: &[u32], pictures: &[Picture]) -> Result<Prompt, Error> {
        let [height, width] = self.tower.image_size().map(|side| side as u32);
        let fit = |picture: &Picture| {
            check_aspect_ratio([picture.height(), picture.width()])?;
            Ok(picture.clone().fitted(width, height).0)
        };
        let fitted = pictures.iter().map(fit).collect::<Result<Vec<Picture>, Error>>()?;
        let device = self.prefix.decoder().device();
        let features = match fitted.is_empty() {
            true => None,
            false => Some(self.tower.features(tensor_from_rgb8(&fitted, device)?).inner()),
        };
        self.prefix.prompt(tokens, features)
    }

    fn decoder(&self) -> &Decoder {
        self.prefix.decoder()
    }
}
