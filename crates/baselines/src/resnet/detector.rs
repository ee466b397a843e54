//! A ResNet as a network of the workspace's detector.

use burn::module::Module;
use burn::tensor::Tensor;
use cifake::weights::Configured;
use cifake::{
    Classifier, Differentiable, EmbeddingClassifier, FeatureClassifier, Layer, Loader, Network,
    class_scores,
};

use super::{ResNet, ResNetConfig};

/// The shipped weights, trained on CIFAKE.
const RESNET18_32: &[u8] = include_bytes!("../../weights/resnet18_32.safetensors");

/// Reads weight files of a [`ResNet`], and ships `resnet18_32`.
#[must_use]
pub fn resnet_loader() -> Loader {
    let network = |model: &ResNet, config| Ok(ResNetClassifier::new(model, config));
    Loader::of(network).shipping(&["resnet18_32"], RESNET18_32)
}

/// A [`ResNet`] in evaluation mode, and the layers it can be cut at: its stem and blocks.
#[derive(Debug, Clone)]
pub struct ResNetClassifier {
    model: ResNet,
    config: ResNetConfig,
    layers: Vec<Layer>,
}

impl ResNetClassifier {
    /// Wraps `model`, which must have been built from `config`.
    #[must_use]
    pub fn new(model: &ResNet, config: ResNetConfig) -> Self {
        let maps = config.map_sizes();
        let layer = |name, channels, side| Layer { name, channels, height: side, width: side };
        let stages = (0..4).flat_map(|stage| (0..config.depths[stage]).map(move |at| (stage, at)));
        let blocks = stages.map(|(stage, at)| {
            layer(format!("stages.{stage}.{at}"), config.channels()[stage], maps[stage])
        });
        let stem = layer("stem".to_owned(), config.widths[0], maps[0]);
        let layers = std::iter::once(stem).chain(blocks).collect();
        Self { model: model.valid(), config, layers }
    }

    fn position(&self, at: &Layer) -> usize {
        let found = self.layers.iter().position(|layer| layer == at);
        found.unwrap_or_else(|| panic!("{} is not a layer of this model", at.name))
    }

    /// Runs the layers `range` on `x`: pixels for the stem, else the map that the layer before puts out.
    fn run(&self, mut x: Tensor<4>, range: std::ops::Range<usize>) -> Tensor<4> {
        let blocks: Vec<_> = self.model.stages.iter().flatten().collect();
        for layer in range {
            x = match layer {
                0 => self.model.stem(x),
                after => blocks[after - 1].forward(x),
            };
        }
        x
    }
}

impl Classifier for ResNetClassifier {
    fn logits(&self, images: Tensor<4>) -> Tensor<2> {
        self.logits_and_embedding(images).0
    }
}

impl Differentiable for ResNetClassifier {}

impl FeatureClassifier for ResNetClassifier {
    fn layers(&self) -> &[Layer] {
        &self.layers
    }

    fn features(&self, images: Tensor<4>, at: &Layer) -> Tensor<4> {
        self.run(images, 0..self.position(at) + 1).permute([0, 3, 1, 2])
    }

    fn head(&self, features: Tensor<4>, at: &Layer) -> Tensor<2> {
        let x = features.permute([0, 2, 3, 1]);
        let map = self.run(x, self.position(at) + 1..self.layers.len());
        class_scores(self.model.classify(self.model.pool(map)))
    }
}

impl EmbeddingClassifier for ResNetClassifier {
    fn logits_and_embedding(&self, images: Tensor<4>) -> (Tensor<2>, Tensor<2>) {
        let embedding = self.model.embedding(images);
        (class_scores(self.model.classify(embedding.clone())), embedding)
    }
}

impl Network for ResNetClassifier {
    /// `resnet18` and the like: the number counts the stem, the convolutions of the branches and the head, as
    /// He et al. do.
    fn name(&self) -> String {
        format!("resnet{}", self.config.n_layers())
    }

    fn input_size(&self) -> (u32, u32) {
        (self.config.side as u32, self.config.side as u32)
    }

    fn embedding_dim(&self) -> usize {
        self.config.channels()[3]
    }

    fn activation_bytes(&self) -> u64 {
        ResNet::activation_bytes(&self.config)
    }

    fn macs(&self) -> Option<u64> {
        Some(self.config.n_macs())
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Int};
    use cifake::{Detector, Label, Scorer, tensor_from_rgb8};
    use cifake_training::{Evaluated, Network as _};

    use super::super::{BlockKind, StemKind};
    use super::*;

    fn images() -> Tensor<4> {
        let ramp = Tensor::<1, Int>::arange(0..2 * 3 * 32 * 32, &Device::flex()).float();
        (ramp * 0.37).sin().reshape([2, 3, 32, 32]) * 0.5 + 0.5
    }

    fn largest(difference: Tensor<2>) -> f32 {
        difference.abs().max().into_scalar::<f32>()
    }

    #[test]
    fn head_of_features_is_logits_at_every_layer() {
        let small = ResNetConfig {
            widths: [4, 6, 8, 8],
            depths: [1, 2, 1, 1],
            ..ResNetConfig::resnet18_32()
        };
        let [wide, bottleneck, published] = [
            ResNetConfig { stem_stride: 1, ..small.clone() },
            ResNetConfig { block: BlockKind::Bottleneck, ..small.clone() },
            ResNetConfig { stem: StemKind::Imagenet, ..small.clone() },
        ];
        for config in [small, wide, bottleneck, published] {
            let model = ResNet::draw(&config, 1, &Device::flex());
            let classifier = ResNetClassifier::new(&model, config);
            let logits = Evaluated::new(&model).logits(images());
            assert_eq!(classifier.layers().len(), 6);
            assert!(largest(classifier.logits(images()) - logits.clone()) < 1e-6);
            for layer in classifier.layers() {
                let features = classifier.features(images(), layer);
                assert_eq!(features.dims(), [2, layer.channels, layer.height, layer.width]);
                let cut = classifier.head(features, layer);
                assert!(largest(cut - logits.clone()) < 1e-5, "{}", layer.name);
            }
        }
    }

    #[test]
    fn the_shipped_weights_judge_pictures_by_the_code_of_every_detector() {
        let detector = Detector::builder()
            .threads(2)
            .and_then(|builder| builder.open(&resnet_loader().into(), "resnet18_32"))
            .expect("they are part of the crate");
        assert!(detector.model_name().starts_with("resnet18@"), "{}", detector.model_name());
        let sample = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/sample");
        let files = cifake::image_files(&sample).expect("the samples are there");
        let (mut n_right, mut pictures) = (0, Vec::new());
        for file in &files {
            let verdict = detector.detect_path(file).expect("it is a picture");
            let name = file.file_name().and_then(|name| name.to_str()).expect("it has one");
            let label = if name.starts_with("fake") { Label::Fake } else { Label::Real };
            n_right += usize::from(verdict.label == label);
            let (width, height) = detector.input_size();
            let fitted = detector.decoder().read_fitted(file, width, height);
            pictures.push((fitted.expect("it is a picture").picture, verdict.p_fake));
        }
        assert!(n_right >= 14, "{n_right} of {}", files.len());
        let (pictures, probabilities): (Vec<_>, Vec<_>) = pictures.into_iter().unzip();
        let images = tensor_from_rgb8(&pictures, &Device::flex()).expect("one size");
        let scores = detector.scores(images).into_data().try_to_vec::<f32>().expect("floats");
        for (score, p_fake) in scores.iter().zip(probabilities) {
            assert!((score - p_fake).abs() < 1e-4, "{score} {p_fake}");
        }
    }
}
