//! Maps of pictures by a model.

use burn::tensor::Tensor;
use cifake::{FeatureClassifier, Layer};
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use crate::{Error, HeatMap, Method, Target};

/// Smallest side of the layer that is chosen by default. A coarser map of a 32x32 picture shows little.
const LEAST_SIDE: usize = 8;

/// Makes class activation maps: a method, a layer, and whether the mirrored picture counts too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cam {
    method: Method,
    layer: Option<String>,
    flips: bool,
}

impl Cam {
    /// Makes maps by `method` at the last layer of at least 8x8. A model without such a layer is cut
    /// at its last one.
    #[must_use]
    pub fn new(method: Method) -> Self {
        Self { method, layer: None, flips: false }
    }

    /// Cuts the model at the layer called `layer` instead.
    #[must_use]
    pub fn at(self, layer: impl Into<String>) -> Self {
        Self { layer: Some(layer.into()), ..self }
    }

    /// Averages each map with the map of the mirrored picture.
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
    /// [`Error::Layer`] if the model lists no layer of the name that was given, or no layer at all.
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

    /// One map for each of `images` `[batch, 3, height, width]`, at the layer's own size. Each map
    /// shows the places that raise the picture's target in `targets`; a
    /// [`Label`](cifake::Label) is one, too.
    ///
    /// # Errors
    ///
    /// [`Error::Layer`]; [`Error::Counts`] unless there is one target a picture; [`Error::Channel`];
    /// [`Error::NotFinite`].
    pub fn maps<T: Copy + Into<Target>>(
        &self,
        model: &dyn FeatureClassifier,
        images: &Tensor<4>,
        targets: &[T],
    ) -> Result<Vec<HeatMap>, Error> {
        let targets: Vec<Target> = targets.iter().map(|&target| target.into()).collect();
        self.maps_of(model, images, &targets)
    }

    fn maps_of(
        &self,
        model: &dyn FeatureClassifier,
        images: &Tensor<4>,
        targets: &[Target],
    ) -> Result<Vec<HeatMap>, Error> {
        let batch = images.dims()[0];
        if targets.len() != batch {
            return Err(Error::Counts { images: batch, targets: targets.len(), maps: batch });
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
        targets: &[Target],
        layer: &Layer,
    ) -> Result<Vec<HeatMap>, Error> {
        let features = model.features(images, layer);
        let [batch, channels, height, width] = features.dims();
        targets.iter().try_for_each(|target| target.check(channels))?;
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

/// Gradients of the targets at a layer. The targets are summed over the batch: a sample's gradient
/// is that of its own target.
fn gradients_of(
    model: &dyn FeatureClassifier,
    features: Tensor<4>,
    targets: &[Target],
    layer: &Layer,
) -> Tensor<4> {
    let features = Tensor::from_inner(features).require_grad();
    let logits = model.head(features.clone(), layer);
    let gradients = Target::sum(targets, &logits, &features).backward();
    features.grad(&gradients).unwrap_or_else(|| features.inner().zeros_like())
}

fn floats(tensor: Tensor<4>) -> Vec<f32> {
    tensor.into_data().convert::<f32>().try_to_vec().expect("it was converted to f32")
}
