//! The encoder of a variational autoencoder (Kingma and Welling 2014, arXiv 1312.6114), on spectra.

use burn::module::{Module, Param};
use burn::nn::conv::Conv2d;
use burn::nn::{GroupNorm, GroupNormConfig};
use burn::tensor::{Device, Tensor};

use super::config::FftVaeConfig;
use super::layer::{FftVaeBlock, SpatialAttention, conv, halving};
use crate::channels_last::{activated, convolve, halved};

/// Logarithms of variances are kept in this range.
const LOG_VARIANCE: [f32; 2] = [-30.0, 20.0];

/// Planes `[batch, side, side, planes]` to a mean and a variance of each value of a latent map.
#[derive(Module, Debug)]
pub struct SpectrumEncoder {
    /// From the planes, 3x3.
    pub conv_in: Conv2d,
    /// Offsets of its map, `[side, side, channels]`.
    pub frequency_table: Option<Param<Tensor<3>>>,
    /// At full size.
    pub block1: FftVaeBlock,
    /// To half of the size, 3x3.
    pub halve1: Conv2d,
    /// At half of the size, to the second width.
    pub block2: FftVaeBlock,
    /// To a quarter of the size, 3x3.
    pub halve2: Conv2d,
    /// At a quarter of the size.
    pub block3: FftVaeBlock,
    /// The next one.
    pub block4: FftVaeBlock,
    /// Between the blocks at a quarter of the size.
    pub attention: SpatialAttention,
    /// Behind the attention.
    pub block5: FftVaeBlock,
    /// Before the last convolution.
    pub norm_out: GroupNorm,
    /// To means and logarithms of variances, 3x3.
    pub conv_out: Conv2d,
}

impl SpectrumEncoder {
    pub(crate) fn new(config: &FftVaeConfig, device: &Device) -> Self {
        let ([narrow, wide], n_groups) = (config.widths, config.n_groups);
        let block = |n_in, n_out| FftVaeBlock::new([n_in, n_out], n_groups, device);
        let table = || {
            let shape = [config.side, config.side, narrow];
            Param::from_tensor(Tensor::zeros(shape, device))
        };
        Self {
            frequency_table: config.frequency_table.then(table),
            conv_in: conv([config.planes.count(), narrow], 3, device),
            block1: block(narrow, narrow),
            halve1: halving(narrow, device),
            block2: block(narrow, wide),
            halve2: halving(wide, device),
            block3: block(wide, wide),
            block4: block(wide, wide),
            attention: SpatialAttention::new(wide, n_groups, device),
            block5: block(wide, wide),
            norm_out: GroupNormConfig::new(n_groups, wide).init(device),
            conv_out: conv([wide, wide], 3, device),
        }
    }

    /// Mean and logarithm of the variance, `[batch, side / 4, side / 4, channels]` each.
    pub(crate) fn forward(&self, planes: Tensor<4>) -> [Tensor<4>; 2] {
        let mut x = convolve(&self.conv_in, planes);
        if let Some(table) = &self.frequency_table {
            x = x + table.val().unsqueeze();
        }
        let x = self.block1.forward(x);
        let x = self.block2.forward(halved(&self.halve1, x));
        let x = self.block3.forward(halved(&self.halve2, x));
        let x = self.attention.forward(self.block4.forward(x));
        let x = activated(&self.norm_out, self.block5.forward(x));
        let both = convolve(&self.conv_out, x);
        let channels = both.dims()[3] / 2;
        let [low, high] = LOG_VARIANCE;
        let log_variance = both.clone().narrow(3, channels, channels).clamp(low, high);
        [both.narrow(3, 0, channels), log_variance]
    }
}
