//! DIRE as a network of the workspace's detector.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use cifake::weights::Configured;
use cifake::{
    Classifier, Differentiable, EmbeddingClassifier, Familiarity, FeatureClassifier, Layer, Loader,
    Network,
};
use serde::{Deserialize, Serialize};

use super::{Diffusion, Reconstructor, UNet, UNetConfig};
use crate::{ResNet, ResNetClassifier, ResNetConfig};

/// Shape of a [`Dire`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DireConfig {
    /// The network of the diffusion model.
    pub unet: UNetConfig,
    /// The network that judges residues.
    pub classifier: ResNetConfig,
    /// Steps that the diffusion model learned.
    pub learned_steps: usize,
    /// Steps that the inversion takes, and the reconstruction.
    pub steps: usize,
}

impl DireConfig {
    /// As published: ADM on 256x256, 20 of 1000 steps, and ResNet-50 on the 224x224 in the middle.
    #[must_use]
    pub fn published() -> Self {
        Self::of(UNetConfig::adm_256(), ResNetConfig::resnet50())
    }

    /// These two networks and the published steps.
    #[must_use]
    pub fn of(unet: UNetConfig, classifier: ResNetConfig) -> Self {
        Self { unet, classifier, learned_steps: 1000, steps: 20 }
    }
}

/// A diffusion model and the classifier of what it does not give back (Wang et al. 2023, arXiv 2303.09295).
#[derive(Module, Debug)]
pub struct Dire {
    /// Predicts the noise in a picture.
    pub unet: UNet,
    /// Judges residues.
    pub classifier: ResNet,
}

impl Configured for Dire {
    type Config = DireConfig;

    const KEY: &'static str = "dire_config";
    const BESIDE: Option<&'static str> = Some(Familiarity::PREFIX);

    fn validate(config: &DireConfig) -> Result<(), String> {
        UNet::validate(&config.unet).map_err(|reason| format!("unet: {reason}"))?;
        ResNet::validate(&config.classifier).map_err(|reason| format!("classifier: {reason}"))?;
        Diffusion::linear(config.learned_steps, config.steps).map_err(|e| e.to_string())?;
        let (side, cropped) = (config.unet.image_size, config.classifier.side);
        match cropped <= side {
            true => Ok(()),
            false => {
                Err(format!("the classifier's side of {cropped} exceeds the UNet's of {side}"))
            }
        }
    }

    fn n_values(config: &DireConfig) -> u64 {
        UNet::n_values(&config.unet).saturating_add(ResNet::n_values(&config.classifier))
    }

    /// The picture, its noise and a step's results beside the UNet's maps; the classifier's come later.
    fn activation_bytes(config: &DireConfig) -> u64 {
        let pixels = (config.unet.image_size as u64).saturating_pow(2).saturating_mul(3);
        let pictures = pixels.saturating_mul(6).saturating_mul(4);
        let unet = UNet::activation_bytes(&config.unet).saturating_add(pictures);
        unet.max(ResNet::activation_bytes(&config.classifier))
    }

    fn build(config: &DireConfig, device: &Device) -> Self {
        Self {
            unet: UNet::build(&config.unet, device),
            classifier: ResNet::build(&config.classifier, device),
        }
    }
}

/// Reads weight files of a [`Dire`].
#[must_use]
pub fn dire_loader() -> Loader {
    Loader::of(DireClassifier::new)
}

/// A [`Dire`] in evaluation mode. The layers it can be cut at are those of its classifier: a map of
/// activations lies on the residue, pixel by pixel where the classifier sees all of it.
///
/// Gradients run through all steps of the diffusion, whose maps they keep in memory: as many times those of
/// one picture as there are steps both ways.
#[derive(Debug, Clone)]
pub struct DireClassifier {
    reconstructor: Reconstructor,
    classifier: ResNetClassifier,
    config: DireConfig,
}

impl DireClassifier {
    /// Wraps `model`, which must have been built from `config`.
    ///
    /// # Errors
    ///
    /// A sentence that says why there is no such diffusion.
    pub fn new(model: &Dire, config: DireConfig) -> Result<Self, String> {
        let diffusion = Diffusion::linear(config.learned_steps, config.steps);
        let diffusion = diffusion.map_err(|error| error.to_string())?;
        Ok(Self {
            reconstructor: Reconstructor::new(&model.unet, diffusion),
            classifier: ResNetClassifier::new(&model.classifier, config.classifier.clone()),
            config,
        })
    }

    /// The classifier's view of `images`: the middle of their residue.
    fn seen(&self, images: Tensor<4>) -> Tensor<4> {
        let (side, cropped) = (self.config.unet.image_size, self.config.classifier.side);
        let first = (side - cropped) / 2;
        let residue = self.reconstructor.residue(images);
        residue.narrow(2, first, cropped).narrow(3, first, cropped)
    }
}

impl Classifier for DireClassifier {
    fn logits(&self, images: Tensor<4>) -> Tensor<2> {
        self.classifier.logits(self.seen(images))
    }
}

impl Differentiable for DireClassifier {}

impl FeatureClassifier for DireClassifier {
    fn layers(&self) -> &[Layer] {
        self.classifier.layers()
    }

    fn features(&self, images: Tensor<4>, at: &Layer) -> Tensor<4> {
        self.classifier.features(self.seen(images), at)
    }

    fn head(&self, features: Tensor<4>, at: &Layer) -> Tensor<2> {
        self.classifier.head(features, at)
    }
}

impl EmbeddingClassifier for DireClassifier {
    fn logits_and_embedding(&self, images: Tensor<4>) -> (Tensor<2>, Tensor<2>) {
        self.classifier.logits_and_embedding(self.seen(images))
    }
}

impl Network for DireClassifier {
    fn name(&self) -> String {
        format!("dire-{}", self.classifier.name())
    }

    fn input_size(&self) -> (u32, u32) {
        (self.config.unet.image_size as u32, self.config.unet.image_size as u32)
    }

    fn embedding_dim(&self) -> usize {
        self.classifier.embedding_dim()
    }

    fn activation_bytes(&self) -> u64 {
        Dire::activation_bytes(&self.config)
    }
}
