//! A detector on CLIP's embedding as a network of the workspace's detector.

use burn::module::Module;
use burn::tensor::Tensor;
use cifake::weights::Configured;
use cifake::{
    Classifier, Differentiable, EmbeddingClassifier, FeatureClassifier, Loader, Network,
    class_scores,
};

use super::{ClipConfig, ClipDetector};

/// Reads weight files of a [`ClipDetector`].
#[must_use]
pub fn clip_loader() -> Loader {
    Loader::of(|model: &ClipDetector, config| Ok(ClipClassifier::new(model, config)))
}

/// A [`ClipDetector`] in evaluation mode. It has no layers to cut at, since the embedding is that of the class
/// token.
#[derive(Debug, Clone)]
pub struct ClipClassifier {
    model: ClipDetector,
    config: ClipConfig,
}

impl ClipClassifier {
    /// Wraps `model`, which must have been built from `config`.
    #[must_use]
    pub fn new(model: &ClipDetector, config: ClipConfig) -> Self {
        Self { model: model.valid(), config }
    }
}

impl Classifier for ClipClassifier {
    fn logits(&self, images: Tensor<4>) -> Tensor<2> {
        self.logits_and_embedding(images).0
    }
}

impl Differentiable for ClipClassifier {}

impl FeatureClassifier for ClipClassifier {}

impl EmbeddingClassifier for ClipClassifier {
    fn logits_and_embedding(&self, images: Tensor<4>) -> (Tensor<2>, Tensor<2>) {
        let embedding = self.model.embed(images);
        (class_scores(self.model.judge(embedding.clone())), embedding)
    }
}

impl Network for ClipClassifier {
    /// `univfd` for a linear head, else `clip-mlp`.
    fn name(&self) -> String {
        match self.config.hidden.is_empty() {
            true => "univfd".to_owned(),
            false => "clip-mlp".to_owned(),
        }
    }

    fn input_size(&self) -> (u32, u32) {
        let side = u32::try_from(self.config.side).expect("a valid side is at most 4096");
        (side, side)
    }

    fn embedding_dim(&self) -> usize {
        self.config.tower.embedding_dim()
    }

    fn activation_bytes(&self) -> u64 {
        ClipDetector::activation_bytes(&self.config)
    }
}
