//! Batch normalization over all axes but the last, in training mode, alone and followed by GELU.

use burn::backend::autodiff::{
    checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
    grads::Gradients,
    ops::{Backward, Ops, OpsKind},
};
use burn::backend::tensor::FloatTensor;
use burn::backend::{
    Autodiff, AutodiffBackend, Backend, Dispatch, Flex, TensorMetadata, backend_extension,
};
use burn::tensor::Tensor;
use burn_flex::FlexTensor;
use rayon::prelude::*;

use crate::backward::propagate;
use crate::buffer;

mod kernel;

use kernel::{
    block_len, combine, gelu_gradient, gradient_sums, normalize, normalize_gelu, statistics,
};

/// A normalized batch and the statistics that running averages need.
#[derive(Clone, Debug)]
pub struct BatchNormOutput<const D: usize> {
    /// The normalized, scaled and shifted batch, shaped like the input.
    pub output: Tensor<D>,
    /// Mean of each channel over the batch, `[channels]`, without gradient.
    pub mean: Tensor<1>,
    /// Biased variance of each channel over the batch, `[channels]`, without gradient.
    pub variance: Tensor<1>,
}

/// `(x - mean) / sqrt(variance + epsilon) * gamma + beta` with the statistics of this batch.
///
/// `x` is `[..., channels]`, `gamma` and `beta` are `[channels]`.
#[must_use]
pub fn batch_norm<const D: usize>(
    x: Tensor<D>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    epsilon: f64,
) -> BatchNormOutput<D> {
    if !buffer::is_fast(&x) {
        return composed(x, gamma, beta, epsilon);
    }
    dispatch(x, gamma, beta, epsilon, false)
}

/// [`batch_norm`] followed by [`crate::gelu`], in as many passes over memory as without it.
#[must_use]
pub fn batch_norm_gelu<const D: usize>(
    x: Tensor<D>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    epsilon: f64,
) -> BatchNormOutput<D> {
    if !buffer::is_fast(&x) {
        let normalized = composed(x, gamma, beta, epsilon);
        return BatchNormOutput { output: crate::gelu::composed(normalized.output), ..normalized };
    }
    dispatch(x, gamma, beta, epsilon, true)
}

fn composed<const D: usize>(
    x: Tensor<D>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    epsilon: f64,
) -> BatchNormOutput<D> {
    let shape = x.shape();
    let channels = shape[D - 1];
    let rows = x.reshape([shape.num_elements() / channels, channels]);
    let mean = rows.clone().mean_dim(0);
    let centred = rows - mean.clone();
    let variance = centred.clone().square().mean_dim(0);
    let scale = (variance.clone() + epsilon).sqrt().recip() * gamma.unsqueeze();
    BatchNormOutput {
        output: (centred * scale + beta.unsqueeze()).reshape(shape),
        mean: mean.detach().reshape([channels]),
        variance: variance.detach().reshape([channels]),
    }
}

fn dispatch<const D: usize>(
    x: Tensor<D>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    epsilon: f64,
    with_gelu: bool,
) -> BatchNormOutput<D> {
    let (output, mean, variance) = <Dispatch as BatchNormOps>::normalize_batch(
        x.into_dispatch(),
        gamma.into_dispatch(),
        beta.into_dispatch(),
        epsilon,
        with_gelu,
    );
    BatchNormOutput {
        output: Tensor::from_dispatch(output),
        mean: Tensor::from_dispatch(mean),
        variance: Tensor::from_dispatch(variance),
    }
}

#[backend_extension(Flex, Autodiff)]
trait BatchNormOps: Backend {
    fn normalize_batch(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f64,
        with_gelu: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
}

impl BatchNormOps for Flex {
    fn normalize_batch(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f64,
        with_gelu: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let saved = Saved::new(x, gamma, beta, epsilon, with_gelu);
        (saved.forward(), saved.mean_tensor(), saved.variance_tensor())
    }
}

impl<C: CheckpointStrategy> BatchNormOps for Autodiff<Flex, C> {
    fn normalize_batch(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f64,
        with_gelu: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let (x, x_node) = x.into_parts();
        let (gamma, gamma_node) = gamma.into_parts();
        let (beta, beta_node) = beta.into_parts();
        let saved = Saved::new(x, gamma, beta, epsilon, with_gelu);
        let output = saved.forward();
        let mean = <Self as AutodiffBackend>::from_inner(saved.mean_tensor());
        let variance = <Self as AutodiffBackend>::from_inner(saved.variance_tensor());
        let nodes = [x_node, gamma_node, beta_node];
        let output = match BatchNormBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(saved, output),
            OpsKind::UnTracked(prep) => prep.finish(output),
        };
        (output, mean, variance)
    }
}

#[derive(Debug)]
struct BatchNormBackward;

impl Backward<Flex, 3> for BatchNormBackward {
    type State = Saved;

    fn backward(self, ops: Ops<Saved, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        propagate(ops, grads, |saved, grad, wanted| saved.backward(grad, wanted[0]));
    }
}

/// The state that the backward pass needs: the input and one affine map a channel.
#[derive(Clone, Debug)]
struct Saved {
    x: FlexTensor,
    with_gelu: bool,
    mean: Vec<f32>,
    variance: Vec<f32>,
    /// `1 / sqrt(variance + epsilon)`.
    inverse_std: Vec<f32>,
    gamma: Vec<f32>,
    /// The output (before GELU) is `x * scale + shift`.
    scale: Vec<f32>,
    shift: Vec<f32>,
}

impl Saved {
    fn new(
        x: FlexTensor,
        gamma: FlexTensor,
        beta: FlexTensor,
        epsilon: f64,
        with_gelu: bool,
    ) -> Self {
        let x = buffer::contiguous(x);
        let gamma = buffer::values(&buffer::contiguous(gamma)).to_vec();
        let beta = buffer::values(&buffer::contiguous(beta)).to_vec();
        let shape = x.shape();
        let channels = shape[shape.num_dims() - 1];
        assert!(
            gamma.len() == channels && beta.len() == channels,
            "one gamma and one beta a channel"
        );
        let (mean, variance) = statistics(buffer::values(&x), channels);
        let inverse_std: Vec<f64> =
            variance.iter().map(|variance| 1.0 / (variance + epsilon).sqrt()).collect();
        let scale: Vec<f64> =
            inverse_std.iter().zip(&gamma).map(|(i, gamma)| i * f64::from(*gamma)).collect();
        let shift = (0..channels).map(|c| f64::from(beta[c]) - mean[c] * scale[c]).collect();
        Self {
            x,
            with_gelu,
            mean: single(mean),
            variance: single(variance),
            inverse_std: single(inverse_std),
            gamma,
            scale: single(scale),
            shift: single(shift),
        }
    }

    fn mean_tensor(&self) -> FlexTensor {
        buffer::tensor(self.mean.clone(), [self.mean.len()])
    }

    fn variance_tensor(&self) -> FlexTensor {
        buffer::tensor(self.variance.clone(), [self.variance.len()])
    }

    fn block_len(&self) -> usize {
        block_len(self.gamma.len())
    }

    fn forward(&self) -> FlexTensor {
        let x = buffer::values(&self.x);
        let mut out = buffer::scratch(x.len());
        out.par_chunks_mut(self.block_len()).zip(x.par_chunks(self.block_len())).for_each(
            |(out, x)| {
                if self.with_gelu {
                    normalize_gelu(x, &self.scale, &self.shift, out);
                } else {
                    normalize(x, &self.scale, &self.shift, out);
                }
            },
        );
        buffer::tensor(out, self.x.shape())
    }

    /// Gradients of the input (where wanted), gamma and beta.
    fn backward(&self, grad: FlexTensor, x_wanted: bool) -> [Option<FlexTensor>; 3] {
        let x = buffer::values(&self.x);
        let block_len = self.block_len();
        let channels = self.gamma.len();
        let block = |i: usize, len: usize| &x[i * block_len..][..len];
        let grad = if self.with_gelu {
            buffer::update_blocks(grad, block_len, |i, grad| {
                gelu_gradient(block(i, grad.len()), &self.scale, &self.shift, grad);
            })
        } else {
            buffer::contiguous(grad)
        };
        let sums: Vec<[Vec<f32>; 2]> = buffer::values(&grad)
            .par_chunks(block_len)
            .enumerate()
            .map(|(i, grad)| {
                let mut sums = [vec![0.0; channels], vec![0.0; channels]];
                let [plain, weighted] = &mut sums;
                gradient_sums(block(i, grad.len()), grad, &self.mean, plain, weighted);
                sums
            })
            .collect();
        let beta_grad = total(&sums, 0);
        let gamma_grad: Vec<f64> = total(&sums, 1)
            .iter()
            .zip(&self.inverse_std)
            .map(|(sum, inverse)| sum * f64::from(*inverse))
            .collect();
        let x_grad = x_wanted.then(|| self.input_gradient(grad, &gamma_grad, &beta_grad));
        let vector = |values| Some(buffer::tensor(single(values), [channels]));
        [x_grad, vector(gamma_grad), vector(beta_grad)]
    }

    /// `scale * (grad - mean(grad) - normalized x * mean(grad * normalized x))`, as
    /// `grad * scale + x * slope + offset`.
    fn input_gradient(
        &self,
        grad: FlexTensor,
        gamma_grad: &[f64],
        beta_grad: &[f64],
    ) -> FlexTensor {
        let x = buffer::values(&self.x);
        let rows = (x.len() / self.gamma.len()) as f64;
        let of = |f: &dyn Fn(usize) -> f64| single((0..self.gamma.len()).map(f).collect());
        let slope = |c: usize| {
            -f64::from(self.scale[c]) * f64::from(self.inverse_std[c]) * gamma_grad[c] / rows
        };
        let offset = |c: usize| {
            -f64::from(self.scale[c]) * beta_grad[c] / rows - slope(c) * f64::from(self.mean[c])
        };
        let (slopes, offsets) = (of(&slope), of(&offset));
        let block_len = self.block_len();
        buffer::update_blocks(grad, block_len, |i, grad| {
            let x = &x[i * block_len..][..grad.len()];
            combine(x, &self.scale, &slopes, &offsets, grad);
        })
    }
}

fn single(values: Vec<f64>) -> Vec<f32> {
    values.into_iter().map(|v| v as f32).collect()
}

/// The sum of one of two sums over all blocks, in order.
fn total(parts: &[[Vec<f32>; 2]], idx: usize) -> Vec<f64> {
    let mut total = vec![0.0; parts[0][idx].len()];
    for part in parts {
        for (t, v) in total.iter_mut().zip(&part[idx]) {
            *t += f64::from(*v);
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Tensor, activation};

    use super::{batch_norm, batch_norm_gelu, composed};
    use crate::check::{assert_close, assert_same_gradients, random};

    /// Means over 4200 rows in another order.
    const LIMIT: f32 = 5e-5;
    const EPSILON: f64 = 1e-5;

    fn inputs(len: usize, channels: usize, device: &Device) -> [Tensor<1>; 3] {
        [
            random([len], 2.0, 1, device) + 0.5,
            random([channels], 1.0, 2, device) + 1.0,
            random([channels], 1.0, 3, device),
        ]
    }

    #[test]
    fn values_and_gradients_agree_with_burn() {
        let device = Device::flex().autodiff();
        for shape in [[2, 3, 5, 11], [3, 2, 7, 8], [20, 30, 7, 19]] {
            let inputs = inputs(shape.iter().product(), shape[3], &device);
            assert_same_gradients(
                inputs.clone(),
                LIMIT,
                |[x, g, b]| batch_norm(x.reshape(shape), g, b, EPSILON).output,
                |[x, g, b]| composed(x.reshape(shape), g, b, EPSILON).output,
            );
            assert_same_gradients(
                inputs,
                LIMIT,
                |[x, g, b]| batch_norm_gelu(x.reshape(shape), g, b, EPSILON).output,
                |[x, g, b]| activation::gelu(composed(x.reshape(shape), g, b, EPSILON).output),
            );
        }
    }

    #[test]
    fn statistics_survive_a_large_mean() {
        let device = Device::flex();
        let x = random::<2>([9000, 5], 1.0, 1, &device);
        let ones = Tensor::ones([5], &device);
        let near = batch_norm(x.clone(), ones.clone(), ones.clone(), EPSILON);
        let far = batch_norm(x + 1000.0, ones.clone(), ones, EPSILON);
        assert_close("variance", &near.variance, &far.variance, 1e-4);
        assert_close("mean", &(near.mean + 1000.0), &far.mean, 1e-3);
    }

    #[test]
    fn statistics_carry_no_gradient() {
        let device = Device::flex().autodiff();
        let [x, gamma, beta] = inputs(12, 3, &device);
        let x = x.reshape([4, 3]).require_grad();
        let normalized = batch_norm(x, gamma, beta, EPSILON);
        assert!(!normalized.mean.is_require_grad() && !normalized.variance.is_require_grad());
    }
}
