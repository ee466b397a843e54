//! A trained TinyViT as the classifier of the workspace's traits.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use cifake::{Classifier, Differentiable, FeatureClassifier, Layer, class_scores};

use crate::config::TinyVitConfig;
use crate::drop_path::DropPath;
use crate::model::{Step, TinyVit, steps};

/// A TinyViT in evaluation mode with a head of one logit or two, and the layers it can be cut at.
///
/// Gradients reach the input when the input is on an autodiff device; the model itself never is,
/// so that no call changes it.
#[derive(Debug, Clone)]
pub struct TinyVitClassifier {
    model: TinyVit,
    config: TinyVitConfig,
    steps: Vec<Step>,
    layers: Vec<Layer>,
}

impl TinyVitClassifier {
    /// Wraps `model`, which must have been built from `config`.
    ///
    /// # Panics
    ///
    /// If `config.n_classes` is neither 1 nor 2.
    #[must_use]
    pub fn new(model: &TinyVit, config: TinyVitConfig) -> Self {
        assert!(matches!(config.n_classes, 1 | 2), "a detector's head has one logit or two");
        let steps = steps(&config.depths);
        let layers = steps.iter().map(|&step| layer(&config, step)).collect();
        Self { model: model.valid(), config, steps, layers }
    }

    /// Shape of the model.
    #[must_use]
    pub fn config(&self) -> &TinyVitConfig {
        &self.config
    }

    /// The network.
    #[must_use]
    pub fn model(&self) -> &TinyVit {
        &self.model
    }

    /// The same classifier on another device.
    #[must_use]
    pub fn to_device(mut self, device: &Device) -> Self {
        self.model = self.model.to_device(device);
        self
    }

    fn position(&self, at: &Layer) -> usize {
        let found = self.layers.iter().position(|layer| layer == at);
        found.unwrap_or_else(|| panic!("{} is not a layer of this model", at.name))
    }
}

fn layer(config: &TinyVitConfig, step: Step) -> Layer {
    let stage = match step {
        Step::PatchEmbed | Step::MbConv(_) => 0,
        Step::Merge(stage) | Step::Attend(stage, _) | Step::Transform(stage, _) => stage,
    };
    let side = config.map_sizes()[stage];
    Layer { name: step.name(), channels: config.embed_dims[stage], height: side, width: side }
}

impl Classifier for TinyVitClassifier {
    fn logits(&self, images: Tensor<4>) -> Tensor<2> {
        class_scores(self.model.forward(images))
    }
}

impl Differentiable for TinyVitClassifier {}

impl FeatureClassifier for TinyVitClassifier {
    fn layers(&self) -> &[Layer] {
        &self.layers
    }

    fn features(&self, images: Tensor<4>, at: &Layer) -> Tensor<4> {
        let before = &self.steps[..=self.position(at)];
        let x = self.model.run(self.model.normalize(images), before, &DropPath::off());
        x.permute([0, 3, 1, 2])
    }

    fn head(&self, features: Tensor<4>, at: &Layer) -> Tensor<2> {
        let after = &self.steps[self.position(at) + 1..];
        let x = self.model.run(features.permute([0, 2, 3, 1]), after, &DropPath::off());
        class_scores(self.model.classify(x))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classifier(n_classes: usize) -> TinyVitClassifier {
        let config = TinyVitConfig::native().with_n_classes(n_classes);
        TinyVitClassifier::new(&config.init(5, &Device::flex()), config)
    }

    fn images() -> Tensor<4> {
        let ramp =
            Tensor::<1, burn::tensor::Int>::arange(0..2 * 3 * 32 * 32, &Device::flex()).float();
        (ramp * 0.37).sin().reshape([2, 3, 32, 32]) * 0.5 + 0.5
    }

    #[test]
    fn head_of_features_is_logits_at_every_layer() {
        for n_classes in [1, 2] {
            let classifier = classifier(n_classes);
            let logits = classifier.logits(images());
            for layer in classifier.layers() {
                let features = classifier.features(images(), layer);
                assert_eq!(features.dims(), [2, layer.channels, layer.height, layer.width]);
                let cut = classifier.head(features, layer);
                let difference = (cut - logits.clone()).abs().max().into_scalar::<f32>();
                assert!(difference < 1e-5, "{}: {difference}", layer.name);
            }
        }
    }

    #[test]
    fn an_input_gradient_leaves_the_model_as_it_was() {
        let classifier = classifier(1);
        let before = classifier.logits(images()).into_data();
        let input = Tensor::from_inner(images()).require_grad();
        let loss = classifier.logits(input.clone()).sum();
        let gradient = input.grad(&loss.backward()).expect("the input is tracked");
        assert!(gradient.abs().max().into_scalar::<f32>() > 0.0);
        classifier.logits(images()).into_data().assert_eq(&before, true);
    }

    #[test]
    fn a_layer_of_at_least_eight_by_eight_is_there_for_cams() {
        let layers = classifier(1).layers().to_vec();
        assert!(layers.iter().any(|l| l.name.ends_with("local_conv") && l.height >= 8));
    }
}
