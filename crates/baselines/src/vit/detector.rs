//! A vision transformer as a network of the workspace's detector.

use burn::module::Module;
use burn::tensor::Tensor;
use cifake::weights::Configured;
use cifake::{
    Classifier, Differentiable, EmbeddingClassifier, FeatureClassifier, Layer, Loader, Network,
    class_scores,
};
use cifake_vit::{RowMap, VitConfig};

use super::VitDetector;

/// Reads weight files of a [`VitDetector`].
#[must_use]
pub fn vit_loader() -> Loader {
    Loader::of(|model: &VitDetector, config| Ok(VitClassifier::new(model, config)))
}

/// A [`VitDetector`] in evaluation mode. It can be cut after each block, where the tokens of the patches are a map.
///
/// A network with a class token has no layers: its embedding is no function of the map.
#[derive(Debug, Clone)]
pub struct VitClassifier {
    model: VitDetector,
    config: VitConfig,
    layers: Vec<Layer>,
}

impl VitClassifier {
    /// Wraps `model`, which must have been built from `config`.
    #[must_use]
    pub fn new(model: &VitDetector, config: VitConfig) -> Self {
        let (channels, side) = (config.dim, config.grid());
        let layer =
            |at| Layer { name: format!("blocks.{at}"), channels, height: side, width: side };
        let depth = if config.class_token { 0 } else { config.depth };
        Self { model: model.valid(), layers: (0..depth).map(layer).collect(), config }
    }

    /// The number of blocks before the cut `at`.
    fn n_before(&self, at: &Layer) -> usize {
        let found = self.layers.iter().position(|layer| layer == at);
        found.unwrap_or_else(|| panic!("{} is not a layer of this model", at.name)) + 1
    }

    fn run(&self, tokens: Tensor<3>, range: std::ops::Range<usize>) -> Tensor<3> {
        let blocks = &self.model.network.blocks[range];
        blocks.iter().fold(tokens, |tokens, block| block.forward(tokens, [None, None]))
    }

    fn embed(&self, images: Tensor<4>) -> Tensor<3> {
        self.model.network.embed(self.model.fitted(images))
    }

    fn outputs(&self, tokens: Tensor<3>) -> (Tensor<2>, Tensor<2>) {
        let embedding = self.model.network.pool(tokens);
        (class_scores(self.model.head.map_rows(embedding.clone())), embedding)
    }
}

impl Classifier for VitClassifier {
    fn logits(&self, images: Tensor<4>) -> Tensor<2> {
        self.logits_and_embedding(images).0
    }
}

impl Differentiable for VitClassifier {}

impl FeatureClassifier for VitClassifier {
    fn layers(&self) -> &[Layer] {
        &self.layers
    }

    fn features(&self, images: Tensor<4>, at: &Layer) -> Tensor<4> {
        let tokens = self.run(self.embed(images), 0..self.n_before(at));
        let batch = tokens.dims()[0];
        tokens.swap_dims(1, 2).reshape([batch, at.channels, at.height, at.width])
    }

    fn head(&self, features: Tensor<4>, at: &Layer) -> Tensor<2> {
        let batch = features.dims()[0];
        let tokens = features.reshape([batch, at.channels, at.height * at.width]).swap_dims(1, 2);
        self.outputs(self.run(tokens, self.n_before(at)..self.config.depth)).0
    }
}

impl EmbeddingClassifier for VitClassifier {
    fn logits_and_embedding(&self, images: Tensor<4>) -> (Tensor<2>, Tensor<2>) {
        self.outputs(self.run(self.embed(images), 0..self.config.depth))
    }
}

impl Network for VitClassifier {
    /// The preset's name, or width, depth, patch and side: `vit-192x6-4-32`.
    fn name(&self) -> String {
        let VitConfig { dim, depth, patch, side, .. } = self.config;
        let plain = VitConfig { drop_path: 0.0, ..self.config.clone() };
        let is_it = |name: &&&str| VitConfig::preset(name).is_some_and(|preset| preset == plain);
        match VitConfig::PRESETS.iter().find(is_it) {
            Some(name) => (*name).to_owned(),
            None => format!("vit-{dim}x{depth}-{patch}-{side}"),
        }
    }

    fn input_size(&self) -> (u32, u32) {
        let side = u32::try_from(self.config.side).expect("a valid side is at most 2048");
        (side, side)
    }

    fn embedding_dim(&self) -> usize {
        self.config.embedding_dim()
    }

    fn activation_bytes(&self) -> u64 {
        VitDetector::activation_bytes(&self.config)
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Int};
    use cifake::Detector;
    use cifake::weights::{Precision, save_configured};
    use cifake_training::{Evaluated, Network as _};
    use cifake_vit::Pooling;

    use super::*;

    fn small() -> VitConfig {
        VitConfig { dim: 16, n_heads: 2, depth: 3, d_mlp: 24, ..VitConfig::small_32() }
    }

    fn images(side: usize) -> Tensor<4> {
        let ramp = Tensor::<1, Int>::arange(0..(2 * 3 * side * side) as i64, &Device::flex());
        (ramp.float() * 0.37).sin().reshape([2, 3, side, side]) * 0.5 + 0.5
    }

    #[test]
    fn head_of_features_is_logits_at_every_layer() {
        let config = small();
        let model = VitDetector::draw(&config, 1, &Device::flex());
        let classifier = VitClassifier::new(&model, config);
        let logits = Evaluated::new(&model).logits(images(32));
        assert_eq!(classifier.layers().len(), 3);
        for layer in classifier.layers() {
            let features = classifier.features(images(32), layer);
            assert_eq!(features.dims(), [2, 16, 8, 8]);
            let cut = classifier.head(features, layer);
            testkit::assert_close(&cut, &logits, 1e-5, &layer.name);
        }
    }

    #[test]
    fn a_network_with_a_class_token_has_no_map() {
        let config = VitConfig { class_token: true, pooling: Pooling::ClassToken, ..small() };
        let model = VitDetector::draw(&config, 1, &Device::flex());
        assert!(VitClassifier::new(&model, config).layers().is_empty());
    }

    #[test]
    fn a_saved_network_is_a_detector_by_its_preset() {
        let config = small();
        let model = VitDetector::draw(&config, 1, &Device::flex());
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("vit.safetensors");
        save_configured(&model, &config, &[].into(), Precision::F32, &path).expect("room");
        let detector = Detector::builder().threads(1).expect("one thread");
        let detector = detector.open(&vit_loader().into(), &path).expect("it was just written");
        assert!(detector.model_name().starts_with("vit-16x3-4-32@"), "{}", detector.model_name());
        let own = VitClassifier::new(&model, config);
        let theirs = detector.classifier().logits(images(32));
        testkit::assert_close(&theirs, &own.logits(images(32)), 1e-5, "logits");
        assert_eq!(own.logits(images(20)).dims(), [2, 2]);
        let preset = VitConfig { drop_path: 0.1, ..VitConfig::small_32() };
        let model = VitDetector::draw(&preset, 1, &Device::flex());
        assert_eq!(VitClassifier::new(&model, preset).name(), "vit_32");
    }

    #[test]
    fn training_leaves_branches_out_by_seed() {
        let config = VitConfig { drop_path: 0.9, ..small() };
        let model = VitDetector::draw(&config, 1, &Device::flex());
        let scores = |seeds: &[u64]| {
            let scores = model.scores_in_training(&config, images(32), seeds);
            scores.into_data().try_to_vec::<f32>().expect("floats")
        };
        let drawn: Vec<_> = (0..8).map(|seed| scores(&[seed, 100])).collect();
        assert_eq!(drawn[0], scores(&[0, 100]));
        assert!(drawn.iter().any(|other| other[0] != drawn[0][0]));
        let apart = |other: &Vec<f32>| (other[1] - drawn[0][1]).abs();
        assert!(drawn.iter().all(|other| apart(other) < 1e-5), "a seed acts on its own sample");
    }
}
