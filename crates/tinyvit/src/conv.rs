//! The convolutional parts: stem, MBConv blocks and patch merging, all channels-last inside.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor};
use cifake_kernels as kernels;

use crate::config::TinyVitConfig;
use crate::drop_path::DropPath;

/// Convolution without bias, then batch normalization; in evaluation the two are one convolution.
///
/// Inputs and outputs are `[batch, height, width, channels]`.
#[derive(Module, Debug)]
pub struct ConvNorm {
    /// The convolution; its weight is `[out, in / groups, kernel, kernel]`, as upstream.
    pub conv: Conv2d,
    /// The normalization.
    pub bn: BatchNorm,
}

impl ConvNorm {
    fn new(channels: [usize; 2], kernel: usize, stride: usize, groups: usize, d: &Device) -> Self {
        let padding = kernel / 2;
        let conv = Conv2dConfig::new(channels, [kernel, kernel])
            .with_stride([stride, stride])
            .with_padding(PaddingConfig2d::Explicit(padding, padding, padding, padding))
            .with_groups(groups)
            .with_bias(false)
            .init(d);
        Self { conv, bn: BatchNormConfig::new(channels[1]).init(d) }
    }

    /// A 1x1 convolution.
    pub(crate) fn pointwise(d_input: usize, d_output: usize, device: &Device) -> Self {
        Self::new([d_input, d_output], 1, 1, 1, device)
    }

    /// A 3x3 convolution of each channel by itself.
    pub(crate) fn depthwise(dim: usize, stride: usize, device: &Device) -> Self {
        Self::new([dim, dim], 3, stride, dim, device)
    }

    /// A full 3x3 convolution.
    pub(crate) fn full(d_input: usize, d_output: usize, stride: usize, device: &Device) -> Self {
        Self::new([d_input, d_output], 3, stride, 1, device)
    }

    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        if !self.is_training(&x) {
            return self.folded(x);
        }
        let out = self.convolve(x, self.conv.weight.val(), None);
        let (gamma, beta) = (self.bn.gamma.val(), self.bn.beta.val());
        let normed = kernels::batch_norm(out, gamma, beta, self.bn.epsilon);
        self.update_statistics(normed.mean, normed.variance);
        normed.output
    }

    /// [`forward`](Self::forward), then GELU.
    pub(crate) fn forward_gelu(&self, x: Tensor<4>) -> Tensor<4> {
        if !self.is_training(&x) {
            return kernels::gelu(self.folded(x));
        }
        let out = self.convolve(x, self.conv.weight.val(), None);
        let (gamma, beta) = (self.bn.gamma.val(), self.bn.beta.val());
        let normed = kernels::batch_norm_gelu(out, gamma, beta, self.bn.epsilon);
        self.update_statistics(normed.mean, normed.variance);
        normed.output
    }

    /// As burn's own layer: batch statistics where a backward is possible and the layer trains.
    fn is_training(&self, x: &Tensor<4>) -> bool {
        x.device().is_autodiff() && self.bn.training.is_enabled()
    }

    fn folded(&self, x: Tensor<4>) -> Tensor<4> {
        let variance = self.bn.running_var.value();
        let scale = self.bn.gamma.val() / (variance + self.bn.epsilon).sqrt();
        let shift = self.bn.beta.val() - self.bn.running_mean.value() * scale.clone();
        let weight = self.conv.weight.val() * scale.reshape([-1, 1, 1, 1]);
        self.convolve(x, weight, Some(shift))
    }

    fn convolve(&self, x: Tensor<4>, weight: Tensor<4>, bias: Option<Tensor<1>>) -> Tensor<4> {
        let [d_output, d_input, kernel, _] = weight.dims();
        let stride = self.conv.stride[0];
        if kernel == 1 {
            return kernels::linear_t(x, weight.reshape([d_output, d_input]), bias);
        }
        let out = if self.conv.groups == 1 {
            kernels::conv3x3(x, weight, stride)
        } else {
            kernels::depthwise_conv3x3(x, weight, stride)
        };
        match bias {
            Some(bias) => out + bias.reshape([1, 1, 1, -1]),
            None => out,
        }
    }

    /// Running statistics as PyTorch keeps them, except that the variance stays biased: at the
    /// batch sizes of training (over 30,000 values a channel) the difference is below 1e-4.
    fn update_statistics(&self, mean: Tensor<1>, variance: Tensor<1>) {
        let momentum = self.bn.momentum;
        let mix = |old: Tensor<1>, new: Tensor<1>| old * (1.0 - momentum) + new.detach() * momentum;
        let running = &self.bn;
        running.running_mean.update(mix(running.running_mean.value_sync(), mean).detach());
        running.running_var.update(mix(running.running_var.value_sync(), variance).detach());
    }
}

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
