//! Pictures, as a diffusion model gives them back.

use burn::module::Module;
use burn::tensor::Tensor;

use super::{Diffusion, UNet, residue};

/// A diffusion model that inverts pictures to noise and reconstructs them.
#[derive(Debug, Clone)]
pub struct Reconstructor {
    unet: UNet,
    diffusion: Diffusion,
}

impl Reconstructor {
    /// `unet`, in the steps of `diffusion`.
    #[must_use]
    pub fn new(unet: &UNet, diffusion: Diffusion) -> Self {
        Self { unet: unet.valid(), diffusion }
    }

    /// DIRE of `images`, `[batch, 3, side, side]`, RGB, in `[0, 1]`: of the same shape, in `[0, 1]`, in whole
    /// multiples of 1/255.
    #[must_use]
    pub fn residue(&self, images: Tensor<4>) -> Tensor<4> {
        let x = images * 2.0 - 1.0;
        let noise = |x: Tensor<4>, time| self.noise(x, time);
        let latent = self.diffusion.invert(x.clone(), noise);
        residue(x, self.diffusion.reconstruct(latent, noise))
    }

    /// The pictures that the model makes of `noise`, `[batch, 3, side, side]`: RGB, in `[0, 1]`.
    #[must_use]
    pub fn pictures(&self, noise: Tensor<4>) -> Tensor<4> {
        let x = self.diffusion.reconstruct(noise, |x, time| self.noise(x, time));
        (x * 0.5 + 0.5).clamp(0.0, 1.0)
    }

    /// The noise in `x` without what the network says of its variance.
    fn noise(&self, x: Tensor<4>, time: f64) -> Tensor<4> {
        let times = vec![time; x.dims()[0]];
        self.unet.forward(x, &times).narrow(1, 0, 3)
    }
}
