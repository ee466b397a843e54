//! The convolutional parts: stem, MBConv blocks and patch merging, all channels-last inside.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use cifake_kernels::{self as kernels, ConvNorm};

use crate::config::TinyVitConfig;
use crate::drop_path::DropPath;

/// The stem: two 3x3 convolutions.
#[derive(Module, Debug)]
pub struct PatchEmbed {
    /// First convolution, followed by GELU.
    pub conv1: ConvNorm,
    /// Second convolution.
    pub conv2: ConvNorm,
}

impl PatchEmbed {
    pub(crate) fn new(config: &TinyVitConfig, device: &Device) -> Self {
        let [first, second] = config.stem_strides;
        Self {
            conv1: ConvNorm::full(3, config.stem_dim, first, device),
            conv2: ConvNorm::full(config.stem_dim, config.embed_dims[0], second, device),
        }
    }

    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.conv2.forward(self.conv1.forward_gelu(x))
    }
}

/// MBConv: widen, depthwise 3x3, narrow, add, GELU.
#[derive(Module, Debug)]
pub struct MbConv {
    /// Pointwise, widening.
    pub conv1: ConvNorm,
    /// Depthwise 3x3.
    pub conv2: ConvNorm,
    /// Pointwise, narrowing.
    pub conv3: ConvNorm,
}

impl MbConv {
    pub(crate) fn new(dim: usize, expand_ratio: usize, device: &Device) -> Self {
        let mid = dim * expand_ratio;
        Self {
            conv1: ConvNorm::pointwise(dim, mid, device),
            conv2: ConvNorm::depthwise(mid, 1, device),
            conv3: ConvNorm::pointwise(mid, dim, device),
        }
    }

    pub(crate) fn forward(&self, x: Tensor<4>, drop: &DropPath, branch: usize) -> Tensor<4> {
        let wide = self.conv2.forward_gelu(self.conv1.forward_gelu(x.clone()));
        kernels::gelu(drop.add(x, self.conv3.forward(wide), branch))
    }
}

/// Patch merging: pointwise, depthwise 3x3 with the stride, pointwise.
#[derive(Module, Debug)]
pub struct PatchMerging {
    /// Pointwise, to the channels of the next stage.
    pub conv1: ConvNorm,
    /// Depthwise 3x3 with the stride.
    pub conv2: ConvNorm,
    /// Pointwise.
    pub conv3: ConvNorm,
}

impl PatchMerging {
    pub(crate) fn new(d_input: usize, d_output: usize, stride: usize, device: &Device) -> Self {
        Self {
            conv1: ConvNorm::pointwise(d_input, d_output, device),
            conv2: ConvNorm::depthwise(d_output, stride, device),
            conv3: ConvNorm::pointwise(d_output, d_output, device),
        }
    }

    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.conv3.forward(self.conv2.forward_gelu(self.conv1.forward_gelu(x)))
    }
}
