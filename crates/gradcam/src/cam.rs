//! From a model and pictures to maps.

use burn::tensor::Tensor;
use cifake::{FeatureClassifier, Label, Layer};
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use crate::{Error, HeatMap, Method};

/// The least side of a layer that is chosen by itself: coarser maps tell a picture of 32x32 little.
const LEAST_SIDE: usize = 8;

/// How maps are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cam {
    method: Method,
    layer: Option<String>,
    flips: bool,
}

impl Cam {
    /// Maps by `method` at the last layer of at least 8x8, or the last of all where none is.
    #[must_use]
    pub fn new(method: Method) -> Self {
        Self { method, layer: None, flips: false }
    }

    /// The same at the layer called `layer`.
    #[must_use]
    pub fn at(self, layer: impl Into<String>) -> Self {
        Self { layer: Some(layer.into()), ..self }
    }

    /// The same, averaged with the map of the mirrored picture.
    #[must_use]
    pub fn with_flips(self) -> Self {
        Self { flips: true, ..self }
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> Method {
        self.method
    }

    /// The layer of `model` at which maps are made.
    ///
    /// # Errors
    ///
    /// [`Error::Layer`] where the model does not list the one that was named.
    pub fn layer(&self, model: &dyn FeatureClassifier) -> Result<Layer, Error> {
        let layers = model.layers();
        let known = || {
            let names: Vec<&str> = layers.iter().map(|layer| layer.name.as_str()).collect();
            names.join(", ")
        };
        let found = match &self.layer {
            Some(name) => layers.iter().find(|layer| layer.name == *name),
            None => {
                let is_fine = |layer: &&Layer| layer.height.min(layer.width) >= LEAST_SIDE;
                layers.iter().rfind(is_fine).or(layers.last())
            }
        };
        found.cloned().ok_or_else(|| Error::Layer {
            name: self.layer.clone().unwrap_or_default(),
            known: known(),
        })
    }

    /// For each of `images` `[batch, 3, height, width]`, what speaks for its label in `targets`: the
    /// map of the score `z` of FAKE against REAL, or of `-z` for REAL, at the layer's own size.
    ///
    /// # Errors
    ///
    /// [`Error::Layer`]; [`Error::Counts`]; [`Error::NotFinite`].
    pub fn maps(
        &self,
        model: &dyn FeatureClassifier,
        images: &Tensor<4>,
        targets: &[Label],
    ) -> Result<Vec<HeatMap>, Error> {
        let batch = images.dims()[0];
        if targets.len() != batch {
            return Err(Error::Counts { images: batch, labels: targets.len(), maps: batch });
        }
        let layer = self.layer(model)?;
        let maps = self.maps_at(model, images.clone(), targets, &layer)?;
        if !self.flips {
            return Ok(maps);
        }
        let mirrored = self.maps_at(model, images.clone().flip([3]), targets, &layer)?;
        let both = maps.into_iter().zip(mirrored);
        Ok(both.map(|(map, other)| HeatMap::mean(&[map, other.mirrored()])).collect())
    }

    fn maps_at(
        &self,
        model: &dyn FeatureClassifier,
        images: Tensor<4>,
        targets: &[Label],
        layer: &Layer,
    ) -> Result<Vec<HeatMap>, Error> {
        let features = model.features(images, layer);
        let [batch, channels, height, width] = features.dims();
        let activations = floats(features.clone());
        let gradients = if self.method.needs_gradients() {
            floats(gradients_of(model, features, targets, layer))
        } else {
            vec![0.0; activations.len()]
        };
        if activations.iter().chain(&gradients).any(|x| !x.is_finite()) {
            return Err(Error::NotFinite { layer: layer.name.clone() });
        }
        let (len, n_places) = (channels * height * width, height * width);
        let map = |sample: usize| {
            let of = |values: &'_ [f32]| values[sample * len..(sample + 1) * len].to_vec();
            let raw = self.method.map(&of(&activations), &of(&gradients), n_places);
            HeatMap::scaled(raw, height, width)
        };
        Ok((0..batch).into_par_iter().map(map).collect())
    }
}

/// Gradients of the scores at a layer; summed over the batch, so that samples stay apart.
fn gradients_of(
    model: &dyn FeatureClassifier,
    features: Tensor<4>,
    targets: &[Label],
    layer: &Layer,
) -> Tensor<4> {
    let features = Tensor::from_inner(features).require_grad();
    let logits = model.head(features.clone(), layer);
    let [batch, _] = logits.dims();
    let sign = |&label: &Label| if label == Label::Fake { 1.0f32 } else { -1.0 };
    let signs: Vec<f32> = targets.iter().map(sign).collect();
    let signs = Tensor::<1>::from_floats(signs.as_slice(), &logits.device());
    let [real, fake] = [0, 1].map(|class| logits.clone().narrow(1, class, 1).reshape([batch]));
    let gradients = ((fake - real) * signs).sum().backward();
    features.grad(&gradients).unwrap_or_else(|| features.inner().zeros_like())
}

fn floats(tensor: Tensor<4>) -> Vec<f32> {
    tensor.into_data().convert::<f32>().try_to_vec().expect("it was converted to f32")
}
