//! A TinyViT as a network of the workspace's detector: its weight files, and the weights that are shipped.

use burn::tensor::Tensor;
use cifake::weights::Configured;
use cifake::{EmbeddingClassifier, Loader, Network, class_scores};

use crate::classifier::TinyVitClassifier;
use crate::config::TinyVitConfig;
use crate::model::TinyVit;

/// The shipped weights; their model cards in docs/ tell how they were trained and how good they are.
#[cfg(feature = "embedded-native")]
const NATIVE: &[u8] = include_bytes!("../weights/native.safetensors");
#[cfg(feature = "embedded")]
const ADVERSARIAL: &[u8] = include_bytes!("../weights/adversarial.safetensors");

/// Reads weight files of a [`TinyVit`] whose head has one output or two.
///
/// With the feature `embedded` it ships two sets of weights, with `embedded-native` the first alone. `native` (or `clean`) is the more accurate one on
/// pictures that nobody touched. `adversarial` (or `robust`) was trained against attacks: it errs a little more
/// often on such pictures, and far less on pictures that were changed to deceive it.
#[must_use]
pub fn loader() -> Loader {
    let loader = Loader::of(detecting);
    #[cfg(feature = "embedded-native")]
    let loader = loader.shipping(&["native", "clean"], NATIVE);
    #[cfg(feature = "embedded")]
    let loader = loader.shipping(&["adversarial", "robust"], ADVERSARIAL);
    loader
}

/// The detector with the shipped weights `native`, on the CPU with one thread a core.
///
/// # Errors
///
/// [`cifake::Error::Threads`] where the operating system refuses threads.
#[cfg(feature = "embedded-native")]
pub fn embedded() -> Result<cifake::Detector, cifake::Error> {
    cifake::Detector::open(&loader().into(), "native")
}

fn detecting(model: &TinyVit, config: TinyVitConfig) -> Result<TinyVitClassifier, String> {
    if matches!(config.n_classes, 1 | 2) {
        return Ok(TinyVitClassifier::new(model, config));
    }
    Err(format!(
        "its head has {} outputs where a detector has one or two; fine-tune it first",
        config.n_classes
    ))
}

impl EmbeddingClassifier for TinyVitClassifier {
    fn logits_and_embedding(&self, images: Tensor<4>) -> (Tensor<2>, Tensor<2>) {
        let (outputs, embedding) = self.model().forward_with_features(images);
        (class_scores(outputs), embedding)
    }
}

impl Network for TinyVitClassifier {
    fn name(&self) -> String {
        format!("tinyvit-{}", self.config().name)
    }

    fn input_size(&self) -> (u32, u32) {
        let side = self.config().image_size;
        let side = u32::try_from(side).expect("a valid configuration has a side of at most 4096");
        (side, side)
    }

    fn embedding_dim(&self) -> usize {
        self.config().embed_dims[3]
    }

    fn activation_bytes(&self) -> u64 {
        TinyVit::activation_bytes(self.config())
    }

    fn macs(&self) -> Option<u64> {
        Some(self.config().n_macs())
    }

    fn compile(&self) -> Option<Box<dyn EmbeddingClassifier>> {
        Some(Box::new(self.model().compile(self.config())))
    }
}
