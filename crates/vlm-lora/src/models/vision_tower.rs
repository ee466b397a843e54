//! Vision towers for text models.

use std::fmt;

use burn::tensor::Tensor;
use cifake::{FeatureClassifier, Layer};

/// A frozen vision network of which only the features are used.
pub trait VisionTower: fmt::Debug + Send + Sync {
    /// Features of `images`, `[batch, 3, height, width]`, RGB in `[0, 1]`: `[batch, tokens, channels]`.
    fn features(&self, images: Tensor<4>) -> Tensor<3>;

    /// Channels of the features.
    fn n_channels(&self) -> usize;

    /// Height and width of its input pictures.
    fn image_size(&self) -> [usize; 2];

    /// A name that tells it from other towers and from other weights. Adapters and runs store it.
    fn name(&self) -> &str;
}

/// Any network that can be cut at a layer, as a tower. Each place of the layer's feature map is a token.
#[derive(Debug, Clone)]
pub struct CutTower<C> {
    /// See [`VisionTower::name`].
    pub name: String,
    /// The network.
    pub classifier: C,
    /// The layer at which it is cut.
    pub layer: Layer,
    /// Height and width of its input pictures.
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
