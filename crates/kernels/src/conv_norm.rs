//! Convolution and batch normalization as one layer.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor};

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
    /// `channels` are `[in, out]`; padding is half the kernel. Kernels 1 and 3
    /// wide are fast; any other is left to burn.
    #[must_use]
    pub fn new(
        channels: [usize; 2],
        kernel: usize,
        stride: usize,
        groups: usize,
        d: &Device,
    ) -> Self {
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
    #[must_use]
    pub fn pointwise(d_input: usize, d_output: usize, device: &Device) -> Self {
        Self::new([d_input, d_output], 1, 1, 1, device)
    }

    /// A 3x3 convolution of each channel by itself.
    #[must_use]
    pub fn depthwise(dim: usize, stride: usize, device: &Device) -> Self {
        Self::new([dim, dim], 3, stride, dim, device)
    }

    /// A full 3x3 convolution.
    #[must_use]
    pub fn full(d_input: usize, d_output: usize, stride: usize, device: &Device) -> Self {
        Self::new([d_input, d_output], 3, stride, 1, device)
    }

    /// The convolution and its normalization: in training, where `x` is on an autodiff device, by the
    /// batch's statistics, which the running ones then take in.
    #[must_use]
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        if !self.is_training(&x) {
            return self.folded(x);
        }
        let out = self.convolve(x, self.conv.weight.val(), None);
        let (gamma, beta) = (self.bn.gamma.val(), self.bn.beta.val());
        let normed = crate::batch_norm(out, gamma, beta, self.bn.epsilon);
        self.update_statistics(normed.mean, normed.variance);
        normed.output
    }

    /// [`forward`](Self::forward), then GELU.
    #[must_use]
    pub fn forward_gelu(&self, x: Tensor<4>) -> Tensor<4> {
        if !self.is_training(&x) {
            return crate::gelu(self.folded(x));
        }
        let out = self.convolve(x, self.conv.weight.val(), None);
        let (gamma, beta) = (self.bn.gamma.val(), self.bn.beta.val());
        let normed = crate::batch_norm_gelu(out, gamma, beta, self.bn.epsilon);
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
            let x = if stride == 1 { x } else { every_second(x) };
            return crate::linear_t(x, weight.reshape([d_output, d_input]), bias);
        }
        match (kernel, self.conv.groups) {
            (3, 1) => crate::conv3x3(x, weight, bias, stride),
            (3 | 5, groups) if groups == d_output && d_input == 1 => {
                crate::depthwise_conv(x, weight, bias, stride)
            }
            (_, groups) => {
                let out = crate::conv::composed(x, weight, stride, groups);
                match bias {
                    Some(bias) => out + bias.reshape([1, 1, 1, -1]),
                    None => out,
                }
            }
        }
    }

    /// Running statistics as PyTorch keeps them, except that the variance stays biased, by one part
    /// in the number of values a channel: 1e-4 for TinyViT's maps at the batch sizes of training,
    /// 2e-3 for a last map of 2x2.
    fn update_statistics(&self, mean: Tensor<1>, variance: Tensor<1>) {
        let momentum = self.bn.momentum;
        let mix = |old: Tensor<1>, new: Tensor<1>| old * (1.0 - momentum) + new.detach() * momentum;
        let running = &self.bn;
        running.running_mean.update(mix(running.running_mean.value_sync(), mean).detach());
        running.running_var.update(mix(running.running_var.value_sync(), variance).detach());
    }
}

/// The rows and columns 0, 2, 4, ... of a map.
fn every_second(x: Tensor<4>) -> Tensor<4> {
    let [batch, height, width, channels] = x.dims();
    // Odd sides end with the last row or column that is taken; a copy of it makes up the pair.
    let x = if height % 2 == 0 { x } else { repeat_last(x, 1) };
    let x = if width % 2 == 0 { x } else { repeat_last(x, 2) };
    let (rows, columns) = (height.div_ceil(2), width.div_ceil(2));
    let pairs: Tensor<6> = x.reshape([batch, rows, 2, columns, 2, channels]);
    pairs.narrow(2, 0, 1).narrow(4, 0, 1).reshape([batch, rows, columns, channels])
}

fn repeat_last(x: Tensor<4>, dim: usize) -> Tensor<4> {
    let last = x.clone().narrow(dim, x.dims()[dim] - 1, 1);
    Tensor::cat(vec![x, last], dim)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::module::Param;
    use burn::tensor::Distribution;

    /// A layer whose norm has parameters and statistics of its own.
    fn layer(channels: [usize; 2], kernel: usize, stride: usize, device: &Device) -> ConvNorm {
        let mut layer = ConvNorm::new(channels, kernel, stride, 1, device);
        let draw = |low: f64, high: f64| {
            Tensor::<1>::random([channels[1]], Distribution::Uniform(low, high), device)
        };
        layer.bn.gamma = Param::from_tensor(draw(0.5, 2.0));
        layer.bn.beta = Param::from_tensor(draw(-1.0, 1.0));
        layer.bn.running_mean.update(draw(-0.5, 0.5));
        layer.bn.running_var.update(draw(0.2, 3.0));
        layer
    }

    fn largest(difference: Tensor<4>) -> f32 {
        difference.abs().max().into_scalar::<f32>()
    }

    /// The layer is burn's convolution and norm, in another memory order; in training too.
    #[test]
    fn it_is_a_convolution_and_a_norm() {
        let device = Device::flex();
        for (channels, kernel, stride) in
            [([3, 8], 3, 1), ([4, 8], 3, 2), ([4, 8], 1, 2), ([4, 8], 1, 1)]
        {
            for (height, width) in [(8, 6), (7, 5)] {
                let layer = layer(channels, kernel, stride, &device).valid();
                let shape = [2, channels[0], height, width];
                let x = Tensor::<4>::random(shape, Distribution::Default, &device);
                let theirs = layer.bn.forward(layer.conv.forward(x.clone()));
                let ours = layer.forward(x.permute([0, 2, 3, 1])).permute([0, 3, 1, 2]);
                let difference = largest(ours - theirs);
                assert!(difference < 1e-5, "{channels:?} {kernel} {stride}: {difference}");
            }
        }
    }

    #[test]
    fn it_trains_as_a_convolution_and_a_norm() {
        let device = Device::flex();
        for (kernel, stride) in [(3, 2), (1, 2)] {
            let layer = layer([4, 8], kernel, stride, &device).train();
            let pixels = Tensor::<4>::random([3, 4, 8, 6], Distribution::Default, &device);
            let weights = Tensor::<4>::random([3, 8, 4, 3], Distribution::Default, &device);
            let run = |forward: &dyn Fn(Tensor<4>) -> Tensor<4>| {
                let x = Tensor::from_inner(pixels.clone()).require_grad();
                let output = forward(x.clone());
                let loss = (output.clone() * Tensor::from_inner(weights.clone())).sum();
                let gradients = loss.backward();
                let of_x = x.grad(&gradients).expect("it is tracked");
                let of_w = layer.conv.weight.val().grad(&gradients).expect("it is tracked");
                (output.inner(), of_x, of_w)
            };
            let theirs = run(&|x| layer.bn.forward(layer.conv.forward(x)));
            let ours = run(&|x| layer.forward(x.permute([0, 2, 3, 1])).permute([0, 3, 1, 2]));
            assert!(largest(ours.0 - theirs.0) < 1e-4);
            assert!(largest(ours.1 - theirs.1) < 1e-4);
            assert!(largest(ours.2 - theirs.2) < 1e-3);
        }
    }
}
