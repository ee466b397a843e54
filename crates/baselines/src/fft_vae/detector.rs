//! The network of the workspace's detector.

use burn::module::Module;
use burn::tensor::Tensor;
use cifake::weights::Configured;
use cifake::{Classifier, Differentiable, EmbeddingClassifier, FeatureClassifier, Loader, Network};

use super::{FftVae, FftVaeConfig};

/// Reads weight files of an [`FftVae`].
#[must_use]
pub fn fft_vae_loader() -> Loader {
    Loader::of(|model: &FftVae, config| Ok(FftVaeClassifier::new(model, config)))
}

/// An [`FftVae`] in evaluation mode: the latent is its mean.
///
/// It lists no layer. Its maps are over frequencies, so that an activation map would mark no place of a
/// picture.
#[derive(Debug, Clone)]
pub struct FftVaeClassifier {
    model: FftVae,
    config: FftVaeConfig,
}

impl FftVaeClassifier {
    /// Wraps `model`, which must have been built from `config`.
    #[must_use]
    pub fn new(model: &FftVae, config: FftVaeConfig) -> Self {
        Self { model: model.valid(), config }
    }
}

impl Classifier for FftVaeClassifier {
    fn logits(&self, images: Tensor<4>) -> Tensor<2> {
        self.logits_and_embedding(images).0
    }
}

impl Differentiable for FftVaeClassifier {}

impl FeatureClassifier for FftVaeClassifier {}

impl EmbeddingClassifier for FftVaeClassifier {
    fn logits_and_embedding(&self, images: Tensor<4>) -> (Tensor<2>, Tensor<2>) {
        let [mean, _] = self.model.latent(images);
        let embedding = self.model.embedding(mean);
        (self.model.classify(embedding.clone()), embedding)
    }
}

impl Network for FftVaeClassifier {
    /// `fft-vae`.
    fn name(&self) -> String {
        "fft-vae".to_owned()
    }

    fn input_size(&self) -> (u32, u32) {
        (self.config.side as u32, self.config.side as u32)
    }

    fn embedding_dim(&self) -> usize {
        self.config.dim
    }

    fn activation_bytes(&self) -> u64 {
        FftVae::activation_bytes(&self.config)
    }
}
