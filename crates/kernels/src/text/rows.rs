//! Operations on rows.

use std::f32::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::Tensor;
use burn_flex::FlexTensor;
use rayon::prelude::*;

use crate::buffer;
use crate::quantized::dot_f32;
use crate::simd::{exp, multiversion};

/// Elements of a task: 64 KiB.
const BLOCK: usize = 16_384;
/// Elements of a weight that a task reads for a few rows.
const TASK_ELEMENTS: usize = 16_384;
/// Lanes of a sum over a row.
const LANES: usize = 16;

/// `x / sqrt(mean(x²) + epsilon) * gamma` row by row: `x` is `[..., channels]`, `gamma` `[channels]`.
#[must_use]
pub fn rms_norm<const D: usize>(x: Tensor<D>, gamma: Tensor<1>, epsilon: f64) -> Tensor<D> {
    Tensor::from_dispatch(<Dispatch as RowOps>::divide_rows(
        x.into_dispatch(),
        gamma.into_dispatch(),
        epsilon,
    ))
}

/// `silu(gate) * up`, element by element.
#[must_use]
pub fn swiglu<const D: usize>(gate: Tensor<D>, up: Tensor<D>) -> Tensor<D> {
    gated(gate, up, silu_block)
}

/// `gelu(gate) * up`, element by element, with the tanh approximation of GELU.
#[must_use]
pub fn geglu<const D: usize>(gate: Tensor<D>, up: Tensor<D>) -> Tensor<D> {
    gated(gate, up, gelu_block)
}

/// Multiplies activations of the first slice by the second one.
type GateBlock = fn(&mut [f32], &[f32]);

fn gated<const D: usize>(gate: Tensor<D>, up: Tensor<D>, block: GateBlock) -> Tensor<D> {
    let (gate, up) = (gate.into_dispatch(), up.into_dispatch());
    Tensor::from_dispatch(<Dispatch as RowOps>::gated(gate, up, block))
}

/// `x weightᵀ` for a few rows `x` of `[..., in]`: `weight`, `[out, in]`, is read where it lies, once a
/// row, instead of being packed first.
///
/// # Panics
/// If the sizes do not fit.
#[must_use]
pub fn few_products<const D: usize>(x: Tensor<D>, weight: Tensor<2>) -> Tensor<D> {
    Tensor::from_dispatch(<Dispatch as RowOps>::few(x.into_dispatch(), weight.into_dispatch()))
}

#[backend_extension(Flex)]
trait RowOps: Backend {
    fn divide_rows(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self>;

    fn gated(gate: FloatTensor<Self>, up: FloatTensor<Self>, block: GateBlock)
    -> FloatTensor<Self>;

    fn few(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self>;
}

impl RowOps for Flex {
    fn divide_rows(x: FlexTensor, gamma: FlexTensor, epsilon: f64) -> FlexTensor {
        let gamma = buffer::contiguous(gamma);
        let gamma = buffer::values(&gamma);
        let x = buffer::contiguous(x);
        let values = buffer::values(&x);
        let mut out = buffer::scratch(values.len());
        let block = (BLOCK / gamma.len()).max(1) * gamma.len();
        out.par_chunks_mut(block)
            .zip(values.par_chunks(block))
            .for_each(|(out, x)| divide(x, gamma, epsilon as f32, out));
        buffer::tensor(out, x.shape())
    }

    fn gated(gate: FlexTensor, up: FlexTensor, block: GateBlock) -> FlexTensor {
        let up = buffer::contiguous(up);
        let up = buffer::values(&up);
        buffer::update_blocks(gate, BLOCK, |i, gate| {
            block(gate, &up[i * BLOCK..][..gate.len()]);
        })
    }

    fn few(x: FlexTensor, weight: FlexTensor) -> FlexTensor {
        let (x, weight) = (buffer::contiguous(x), buffer::contiguous(weight));
        let [n_out, n_in] = [0, 1].map(|axis| weight.shape()[axis]);
        let mut shape = x.shape();
        let rank = shape.num_dims();
        assert_eq!(shape[rank - 1], n_in, "the last axis of the input is the weight's input axis");
        shape[rank - 1] = n_out;
        let (x, weight) = (buffer::values(&x), buffer::values(&weight));
        let mut out = buffer::scratch(shape.num_elements());
        let part = (TASK_ELEMENTS / n_in).max(1);
        for (x, out) in x.chunks_exact(n_in).zip(out.chunks_exact_mut(n_out)) {
            out.par_chunks_mut(part).enumerate().for_each(|(i, out)| {
                dot_f32(&weight[i * part * n_in..][..out.len() * n_in], x, out);
            });
        }
        buffer::tensor(out, shape)
    }
}

multiversion! {
    fn divide(x: &[f32], gamma: &[f32], epsilon: f32, out: &mut [f32]) {
        let n = gamma.len();
        for (out, x) in out.chunks_exact_mut(n).zip(x.chunks_exact(n)) {
            let mut lanes = [0f32; LANES];
            for x in x.chunks(LANES) {
                for (lane, v) in lanes.iter_mut().zip(x) {
                    *lane = I::mul_add(*v, *v, *lane);
                }
            }
            let mean = lanes.iter().sum::<f32>() / n as f32;
            let factor = (mean + epsilon).sqrt().recip();
            for ((out, x), gamma) in out.iter_mut().zip(x).zip(gamma) {
                *out = x * factor * gamma;
            }
        }
    }
}

multiversion! {
    fn silu_block(gate: &mut [f32], up: &[f32]) {
        for (gate, up) in gate.iter_mut().zip(up) {
            *gate = *gate / (1.0 + exp::<I>(-*gate)) * up;
        }
    }
}

/// `2 sqrt(2 / π)`: `(1 + tanh(a)) / 2` is `1 / (1 + exp(-2 a))`.
const GELU_FACTOR: f32 = 2.0 * FRAC_2_SQRT_PI * FRAC_1_SQRT_2;

multiversion! {
    fn gelu_block(gate: &mut [f32], up: &[f32]) {
        for (gate, up) in gate.iter_mut().zip(up) {
            let x = *gate;
            let cubic = I::mul_add(0.044_715 * x * x, x, x);
            *gate = x / (1.0 + exp::<I>(-GELU_FACTOR * cubic)) * up;
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, activation};

    use super::{few_products, geglu, rms_norm, swiglu};
    use crate::check::{assert_close, random};

    #[test]
    fn values_agree_with_burn() {
        let device = Device::flex();
        for channels in [5, 64, 577] {
            let x = random::<3>([2, 3, channels], 2.0, 1, &device);
            let gamma = random::<1>([channels], 1.0, 2, &device);
            let root = (x.clone().square().mean_dim(2) + 1e-5).sqrt();
            let theirs = x.clone() / root * gamma.clone().unsqueeze();
            assert_close("norm", &rms_norm(x.clone(), gamma, 1e-5), &theirs, 1e-5);
            let up = random::<3>([2, 3, channels], 2.0, 3, &device);
            let theirs = activation::silu(x.clone()) * up.clone();
            assert_close("gate", &swiglu(x.clone(), up.clone()), &theirs, 1e-6);
            let theirs = activation::gelu_approximate(x.clone()) * up.clone();
            assert_close("gelu", &geglu(x.clone(), up), &theirs, 1e-6);
            let weight = random::<2>([70, channels], 1.0, 4, &device);
            let theirs = x.clone().matmul(weight.clone().transpose().unsqueeze());
            assert_close("products", &few_products(x, weight), &theirs, 1e-4);
        }
    }
}
