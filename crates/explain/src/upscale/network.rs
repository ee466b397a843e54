//! Small convolutional networks by the names of their weights.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor, TensorData};
use cifake::weights::{Checkpoint, Source};

use crate::Error;

/// A convolution that keeps the size, and the slopes of a PReLU after it.
#[derive(Debug, Clone)]
pub(super) struct Layer {
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    slope: Option<Tensor<1>>,
}

impl Layer {
    /// `[batch, channels, height, width]` in and out.
    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [_, _, height, width] = self.weight.dims();
        let options = ConvOptions::new([1, 1], [height / 2, width / 2], [1, 1], 1);
        let x = conv2d(x, self.weight.clone(), self.bias.clone(), options);
        let Some(slope) = &self.slope else { return x };
        let slope = slope.clone().reshape([1, -1, 1, 1]);
        x.clone().clamp_min(0.0) + x.clamp_max(0.0) * slope
    }
}

/// `[batch, channels * factor^2, height, width]` to `[batch, channels, height * factor, width * factor]`.
pub(super) fn pixel_shuffle(x: Tensor<4>, factor: usize) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    let channels = channels / (factor * factor);
    x.reshape([batch, channels, factor, factor, height, width])
        .permute([0, 1, 4, 2, 5, 3])
        .reshape([batch, channels, height * factor, width * factor])
}

/// A weight file of which everything must be used.
pub(super) struct Weights<'a> {
    path: PathBuf,
    checkpoint: &'a Checkpoint,
    shapes: BTreeMap<&'a str, Vec<usize>>,
    used: BTreeSet<String>,
    device: Device,
}

impl<'a> Weights<'a> {
    pub(super) fn new(source: Source<'_>, checkpoint: &'a Checkpoint, device: &Device) -> Self {
        let (shapes, used) = (checkpoint.shapes(), BTreeSet::new());
        Self { path: source.path(), checkpoint, shapes, used, device: device.clone() }
    }

    /// The shape of `key`, of so many axes.
    pub(super) fn shape<const D: usize>(&self, key: &str) -> Result<[usize; D], Error> {
        let shape = self.shapes.get(key).ok_or_else(|| self.refused(key, "is missing"))?;
        let shape = <[usize; D]>::try_from(&shape[..]);
        shape.map_err(|_| self.refused(key, "has another number of axes"))
    }

    /// The number of weights.
    pub(super) fn len(&self) -> usize {
        self.shapes.len()
    }

    /// The layer `name` of `[out, in]` channels and a kernel of so many pixels a side, with the slopes
    /// `slope` if it has some.
    pub(super) fn layer(
        &mut self,
        name: &str,
        [out, input, side]: [usize; 3],
        has_bias: bool,
        slope: Option<&str>,
    ) -> Result<Layer, Error> {
        let weight = self.take(&format!("{name}.weight"), [out, input, side, side])?;
        let bias = match has_bias {
            true => Some(self.take(&format!("{name}.bias"), [out])?),
            false => None,
        };
        let slope = match slope {
            Some(slope) => Some(self.take(&format!("{slope}.weight"), [out])?),
            None => None,
        };
        Ok(Layer { weight, bias, slope })
    }

    /// The weight `key`, of this shape and finite.
    pub(super) fn take<const D: usize>(
        &mut self,
        key: &str,
        shape: [usize; D],
    ) -> Result<Tensor<D>, Error> {
        if self.shape::<D>(key)? != shape {
            return Err(self.refused(key, "has another shape"));
        }
        let data = self.checkpoint.tensor(key).ok_or_else(|| self.refused(key, "is missing"))?;
        let values: Vec<f32> = data.iter::<f32>().collect();
        if values.iter().any(|value| !value.is_finite()) {
            return Err(self.refused(key, "holds what is no number"));
        }
        self.used.insert(key.to_owned());
        Ok(Tensor::from_data(TensorData::new(values, shape), &self.device))
    }

    /// Refuses a file that holds more than was taken.
    pub(super) fn finish(self) -> Result<(), Error> {
        match self.shapes.keys().find(|key| !self.used.contains(**key)) {
            Some(key) => Err(self.refused(key, "belongs to another network")),
            None => Ok(()),
        }
    }

    fn refused(&self, key: &str, reason: &'static str) -> Error {
        Error::UpscalerWeights { path: self.path.clone(), key: key.to_owned(), reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_become_places_row_by_row() {
        let x = Tensor::<1>::from_floats([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], &Device::flex());
        // Four channels of one row of two.
        let shuffled = pixel_shuffle(x.reshape([1, 4, 1, 2]), 2);
        assert_eq!(shuffled.dims(), [1, 1, 2, 4]);
        let values: Vec<f32> = shuffled.into_data().try_to_vec().expect("f32");
        assert_eq!(values, [1.0, 3.0, 2.0, 4.0, 5.0, 7.0, 6.0, 8.0]);
    }
}
