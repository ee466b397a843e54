//! Layer normalization over the last axis.

use burn::backend::autodiff::{
    checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
    grads::Gradients,
    ops::{Backward, Ops, OpsKind},
};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::Tensor;
use burn_flex::FlexTensor;
use rayon::prelude::*;

use crate::backward::propagate;
use crate::buffer;
use crate::simd::{InstructionSet, multiversion};

/// Elements of a block: 128 KiB.
const BLOCK: usize = 32_768;
/// Lanes of a sum over a row.
const LANES: usize = 16;

/// `(x - mean) / sqrt(variance + epsilon) * gamma + beta` with the statistics of each row.
///
/// `x` is `[..., channels]`, `gamma` and `beta` are `[channels]`.
#[must_use]
pub fn layer_norm<const D: usize>(
    x: Tensor<D>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    epsilon: f64,
) -> Tensor<D> {
    if !buffer::is_fast(&x) {
        return composed(x, gamma, beta, epsilon);
    }
    Tensor::from_dispatch(<Dispatch as LayerNormOps>::normalize_rows(
        x.into_dispatch(),
        gamma.into_dispatch(),
        beta.into_dispatch(),
        epsilon,
    ))
}

fn composed<const D: usize>(
    x: Tensor<D>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    epsilon: f64,
) -> Tensor<D> {
    let centred = x.clone() - x.mean_dim(D - 1);
    let variance = centred.clone().square().mean_dim(D - 1);
    centred / (variance + epsilon).sqrt() * gamma.unsqueeze() + beta.unsqueeze()
}

#[backend_extension(Flex, Autodiff)]
trait LayerNormOps: Backend {
    fn normalize_rows(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self>;
}

impl LayerNormOps for Flex {
    fn normalize_rows(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self> {
        forward(x, &gamma, &beta, epsilon as f32)
    }
}

impl<C: CheckpointStrategy> LayerNormOps for Autodiff<Flex, C> {
    fn normalize_rows(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self> {
        let (x, x_node) = x.into_parts();
        let (gamma, gamma_node) = gamma.into_parts();
        let (beta, beta_node) = beta.into_parts();
        let epsilon = epsilon as f32;
        let nodes = [x_node, gamma_node, beta_node];
        match LayerNormBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let output = forward(x.clone(), &gamma, &beta, epsilon);
                prep.finish((x, gamma, epsilon), output)
            }
            OpsKind::UnTracked(prep) => prep.finish(forward(x, &gamma, &beta, epsilon)),
        }
    }
}

#[derive(Debug)]
struct LayerNormBackward;

impl Backward<Flex, 3> for LayerNormBackward {
    /// Input, gamma, epsilon.
    type State = (FlexTensor, FlexTensor, f32);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        propagate(ops, grads, |(x, gamma, epsilon), grad, _| {
            backward(x, &gamma, grad, epsilon).map(Some)
        });
    }
}

fn block_len(channels: usize) -> usize {
    (BLOCK / channels).max(1) * channels
}

fn forward(x: FlexTensor, gamma: &FlexTensor, beta: &FlexTensor, epsilon: f32) -> FlexTensor {
    let (gamma, beta) = (gamma.to_contiguous(), beta.to_contiguous());
    let (gamma, beta) = (buffer::values(&gamma), buffer::values(&beta));
    let x = buffer::contiguous(x);
    let shape = x.shape();
    let channels = shape[shape.num_dims() - 1];
    assert!(gamma.len() == channels && beta.len() == channels, "one gamma and one beta a channel");
    let x = buffer::values(&x);
    let mut out = buffer::scratch(x.len());
    let block_len = block_len(channels);
    out.par_chunks_mut(block_len)
        .zip(x.par_chunks(block_len))
        .for_each(|(out, x)| normalize(x, gamma, beta, epsilon, out));
    buffer::tensor(out, shape)
}

/// Gradients of the input, gamma and beta.
fn backward(x: FlexTensor, gamma: &FlexTensor, grad: FlexTensor, epsilon: f32) -> [FlexTensor; 3] {
    let (x, gamma, grad) = (buffer::contiguous(x), gamma.to_contiguous(), buffer::contiguous(grad));
    let (values, gamma) = (buffer::values(&x), buffer::values(&gamma));
    let channels = gamma.len();
    let block_len = block_len(channels);
    let mut out = buffer::scratch(values.len());
    let parts: Vec<Vec<f32>> = out
        .par_chunks_mut(block_len)
        .zip(values.par_chunks(block_len))
        .zip(buffer::values(&grad).par_chunks(block_len))
        .map(|((out, x), grad)| {
            let mut sums = vec![0.0; 2 * channels];
            let (gamma_grad, beta_grad) = sums.split_at_mut(channels);
            differentiate(x, gamma, grad, epsilon, out, gamma_grad, beta_grad);
            sums
        })
        .collect();
    let mut gamma_grad = buffer::sum_parts(parts);
    let beta_grad = gamma_grad.split_off(channels);
    [
        buffer::tensor(out, x.shape()),
        buffer::tensor(gamma_grad, [channels]),
        buffer::tensor(beta_grad, [channels]),
    ]
}

/// Sum of `f` over `row`, in [`LANES`] partial sums.
#[inline(always)]
fn sum(row: &[f32], f: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [0f32; LANES];
    let chunks = row.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, v) in lanes.iter_mut().zip(chunk) {
            *lane = f(*v, *lane);
        }
    }
    for (lane, v) in lanes.iter_mut().zip(rest) {
        *lane = f(*v, *lane);
    }
    lanes.iter().sum()
}

/// Mean and `1 / sqrt(variance + epsilon)`.
#[inline(always)]
fn moments<I: InstructionSet>(row: &[f32], epsilon: f32) -> (f32, f32) {
    let len = row.len() as f32;
    let mean = sum(row, |v, sum| sum + v) / len;
    let variance = sum(row, |v, sum| I::mul_add(v - mean, v - mean, sum)) / len;
    (mean, (variance + epsilon).sqrt().recip())
}

multiversion! {
    /// Normalizes the rows of `x`, `[rows, channels]`, into `out`.
    pub(crate) fn normalize(x: &[f32], gamma: &[f32], beta: &[f32], epsilon: f32, out: &mut [f32]) {
        let channels = gamma.len();
        for (out, row) in out.chunks_exact_mut(channels).zip(x.chunks_exact(channels)) {
            let (mean, inverse) = moments::<I>(row, epsilon);
            for (((y, x), gamma), beta) in out.iter_mut().zip(row).zip(gamma).zip(beta) {
                *y = I::mul_add((x - mean) * inverse, *gamma, *beta);
            }
        }
    }
}

multiversion! {
    /// Writes the input gradient to `out` and adds to the gradients of gamma and beta.
    fn differentiate(
        x: &[f32],
        gamma: &[f32],
        grad: &[f32],
        epsilon: f32,
        out: &mut [f32],
        gamma_grad: &mut [f32],
        beta_grad: &mut [f32],
    ) {
        let channels = gamma.len();
        let rows = x.chunks_exact(channels).zip(grad.chunks_exact(channels));
        for (out, (row, grad)) in out.chunks_exact_mut(channels).zip(rows) {
            let (mean, inverse) = moments::<I>(row, epsilon);
            for ((y, g), gamma) in out.iter_mut().zip(grad).zip(gamma) {
                *y = g * gamma;
            }
            for (sum, g) in beta_grad.iter_mut().zip(grad) {
                *sum += g;
            }
            for ((sum, g), x) in gamma_grad.iter_mut().zip(grad).zip(row) {
                *sum = I::mul_add(*g, (x - mean) * inverse, *sum);
            }
            let mean_grad = sum(out, |v, sum| sum + v) / channels as f32;
            let mean_product = dot::<I>(out, row, mean) * inverse / channels as f32;
            for (y, x) in out.iter_mut().zip(row) {
                let normalized = (x - mean) * inverse;
                *y = (*y - I::mul_add(normalized, mean_product, mean_grad)) * inverse;
            }
        }
    }
}

/// `Σ a (b - mean)`.
#[inline(always)]
fn dot<I: InstructionSet>(a: &[f32], b: &[f32], mean: f32) -> f32 {
    let mut lanes = [0f32; LANES];
    for (a, b) in a.chunks(LANES).zip(b.chunks(LANES)) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane = I::mul_add(*a, b - mean, *lane);
        }
    }
    lanes.iter().sum()
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::{composed, layer_norm};
    use crate::check::{assert_same_gradients, random};

    /// Sums over 2 * 700 rows in another order.
    const LIMIT: f32 = 3e-5;

    #[test]
    fn values_and_gradients_agree_with_burn() {
        let device = Device::flex().autodiff();
        for shape in [[2, 3, 5], [2, 700, 51], [2, 3, 64]] {
            let channels = shape[2];
            assert_same_gradients(
                [
                    random([shape.iter().product()], 2.0, 1, &device) + 0.5,
                    random([channels], 1.0, 2, &device) + 1.0,
                    random([channels], 1.0, 3, &device),
                ],
                LIMIT,
                |[x, g, b]| layer_norm(x.reshape(shape), g, b, 1e-5),
                |[x, g, b]| composed(x.reshape(shape), g, b, 1e-5),
            );
        }
    }
}
