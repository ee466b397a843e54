//! The compact network of Real-ESRGAN.

use burn::tensor::{Device, Tensor};
use cifake::weights::{Checkpoint, Source};
use cifake::{Picture, rgb8_from_tensor, tensor_from_rgb8};

use super::Upscaler;
use super::network::{Layer, Weights, pixel_shuffle};
use crate::Error;

/// The compact network of Real-ESRGAN (Wang et al. 2021, "Real-ESRGAN: training real-world blind
/// super-resolution with pure synthetic data", arXiv 2107.10833; `SRVGGNetCompact` in its repository):
/// convolutions with PReLU whose result is added to the picture with its pixels repeated.
#[derive(Debug, Clone)]
pub struct RealEsrgan {
    layers: Vec<Layer>,
    factor: u32,
    device: Device,
}

impl RealEsrgan {
    /// The network in `source`, of any depth and width. Its layers are `body.0` to `body.2N`; every
    /// other one is a PReLU.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if it cannot be read; [`Error::UpscalerWeights`] if it is another network.
    pub fn load(source: Source<'_>, device: &Device) -> Result<Self, Error> {
        let checkpoint = Checkpoint::open(source)?;
        let mut weights = Weights::new(source, &checkpoint, device);
        // A weight, a bias and slopes of each layer; the last has no slopes.
        let n_layers = (weights.len() + 1) / 3;
        let (mut layers, mut n_input) = (Vec::new(), 3);
        for number in 0..n_layers {
            let name = format!("body.{}", 2 * number);
            let [out, _, side, _] = weights.shape::<4>(&format!("{name}.weight"))?;
            let slope = (number + 1 < n_layers).then(|| format!("body.{}", 2 * number + 1));
            layers.push(weights.layer(&name, [out, n_input, side], true, slope.as_deref())?);
            n_input = out;
        }
        weights.finish()?;
        let factor = (n_input / 3).isqrt();
        if 3 * factor * factor != n_input || factor < 2 {
            let (path, key) = (source.path(), "body".to_owned());
            return Err(Error::UpscalerWeights {
                path,
                key,
                reason: "enlarges by no whole number",
            });
        }
        Ok(Self { layers, factor: factor as u32, device: device.clone() })
    }
}

impl Upscaler for RealEsrgan {
    fn name(&self) -> String {
        format!("Real-ESRGAN x{}", self.factor)
    }

    fn factor(&self) -> u32 {
        self.factor
    }

    fn upscale(&self, picture: &Picture) -> Result<Picture, Error> {
        let image = tensor_from_rgb8(std::slice::from_ref(picture), &self.device)?;
        let x = self.layers.iter().fold(image.clone(), |x, layer| layer.forward(x));
        let factor = self.factor as usize;
        let [batch, channels, height, width] = image.dims();
        let repeated: Tensor<4> = image
            .reshape([batch, channels, height, 1, width, 1])
            .expand([batch, channels, height, factor, width, factor])
            .reshape([batch, channels, height * factor, width * factor]);
        Ok(rgb8_from_tensor((pixel_shuffle(x, factor) + repeated).clamp(0.0, 1.0)).remove(0))
    }
}
