//! FSRCNN.

use burn::tensor::{Device, Tensor};
use cifake::weights::{Checkpoint, Source};
use cifake::{Picture, rgb8_from_tensor, tensor_from_rgb8};

use super::network::{Layer, Weights, pixel_shuffle};
use super::{Interpolation, Upscaler};
use crate::Error;

/// Weights of luma of ITU-R BT.601.
const LUMA: [f32; 3] = [0.299, 0.587, 0.114];

/// FSRCNN (Dong, Loy and Tang 2016, "Accelerating the super-resolution convolutional neural network",
/// arXiv 1608.00367), in the form of OpenCV's model zoo: convolutions with PReLU, the last one shuffled
/// into pixels.
///
/// It enlarges luma. Chroma is enlarged by the cubic spline of Catmull and Rom; OpenCV uses one with
/// a parameter of -0.75.
#[derive(Debug, Clone)]
pub struct Fsrcnn {
    layers: Vec<Layer>,
    bias: Tensor<1>,
    factor: u32,
    device: Device,
}

impl Fsrcnn {
    /// The network in `source`, of any depth and width. Its layers are `conv1` to `convN`, `prelu1` to
    /// `preluN-1` and `out.bias`.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if it cannot be read; [`Error::UpscalerWeights`] if it is another network.
    pub fn load(source: Source<'_>, device: &Device) -> Result<Self, Error> {
        let checkpoint = Checkpoint::open(source)?;
        let mut weights = Weights::new(source, &checkpoint, device);
        // A weight, a bias and slopes of each layer but the last, which has its bias outside.
        let n_layers = (weights.len() + 1) / 3;
        let (mut layers, mut n_input) = (Vec::new(), 1);
        for number in 1..=n_layers {
            let name = format!("conv{number}");
            let [out, _, side, _] = weights.shape::<4>(&format!("{name}.weight"))?;
            let slope = (number < n_layers).then(|| format!("prelu{number}"));
            let has_bias = slope.is_some();
            layers.push(weights.layer(&name, [out, n_input, side], has_bias, slope.as_deref())?);
            n_input = out;
        }
        let bias = weights.take("out.bias", [1])?;
        weights.finish()?;
        let factor = n_input.isqrt();
        if factor * factor != n_input || factor < 2 {
            let (path, key) = (source.path(), format!("conv{n_layers}.weight"));
            return Err(Error::UpscalerWeights {
                path,
                key,
                reason: "enlarges by no whole number",
            });
        }
        Ok(Self { layers, bias, factor: factor as u32, device: device.clone() })
    }

    /// Luma `[batch, 1, height, width]` in `[0, 1]`, enlarged.
    pub(super) fn luma(&self, luma: Tensor<4>) -> Tensor<4> {
        let x = self.layers.iter().fold(luma, |x, layer| layer.forward(x));
        pixel_shuffle(x, self.factor as usize) + self.bias.clone().reshape([1, 1, 1, 1])
    }
}

impl Upscaler for Fsrcnn {
    fn name(&self) -> String {
        format!("FSRCNN x{}", self.factor)
    }

    fn factor(&self) -> u32 {
        self.factor
    }

    fn upscale(&self, picture: &Picture) -> Result<Picture, Error> {
        let smooth = Interpolation::Bicubic(self.factor).upscale(picture)?;
        let [small, large] = [picture, &smooth]
            .map(|picture| tensor_from_rgb8(std::slice::from_ref(picture), &self.device));
        let (small, large) = (small?, large?);
        let weights = Tensor::<1>::from_floats(LUMA, &self.device).reshape([1, 3, 1, 1]);
        let luma = |images: Tensor<4>| (images * weights.clone()).sum_dim(1);
        // Chroma is what a color differs from its luma: the same luma is added to each channel.
        let change = self.luma(luma(small)) - luma(large.clone());
        Ok(rgb8_from_tensor((large + change).clamp(0.0, 1.0)).remove(0))
    }
}
