//! The exact Gaussian error linear unit.

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
use crate::simd::{InstructionSet, erf, exp, multiversion};

/// Elements a task works on: 32 KiB.
const BLOCK: usize = 8192;

/// `x * Φ(x)`, with the cumulative normal distribution in its exact (erf) form.
///
/// The absolute error is below 1e-6.
#[must_use]
pub fn gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    if !buffer::is_fast(&x) {
        return composed(x);
    }
    Tensor::from_dispatch(<Dispatch as GeluOps>::exact_gelu(x.into_dispatch()))
}

/// `activation::gelu` would differentiate the tanh approximation on most backends.
pub(crate) fn composed<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    (x.clone() * std::f64::consts::FRAC_1_SQRT_2).erf().add_scalar(1.0).mul_scalar(0.5) * x
}

#[backend_extension(Flex, Autodiff)]
trait GeluOps: Backend {
    fn exact_gelu(x: FloatTensor<Self>) -> FloatTensor<Self>;
}

impl GeluOps for Flex {
    fn exact_gelu(x: FloatTensor<Self>) -> FloatTensor<Self> {
        forward(x)
    }
}

impl<C: CheckpointStrategy> GeluOps for Autodiff<Flex, C> {
    fn exact_gelu(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        match GeluBackward.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(x.clone(), forward(x)),
            OpsKind::UnTracked(prep) => prep.finish(forward(x)),
        }
    }
}

#[derive(Debug)]
struct GeluBackward;

impl Backward<Flex, 1> for GeluBackward {
    type State = FlexTensor;

    fn backward(self, ops: Ops<FlexTensor, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        propagate(ops, grads, |x, grad, _| [Some(backward(x, grad))]);
    }
}

fn forward(x: FlexTensor) -> FlexTensor {
    let x = buffer::contiguous(x);
    let from = buffer::values(&x);
    let mut out = buffer::scratch(from.len());
    out.par_chunks_mut(BLOCK).zip(from.par_chunks(BLOCK)).for_each(|(out, x)| apply(x, out));
    buffer::tensor(out, x.shape())
}

fn backward(x: FlexTensor, grad: FlexTensor) -> FlexTensor {
    let x = buffer::contiguous(x);
    let x = buffer::values(&x);
    buffer::update_blocks(grad, BLOCK, |i, block| {
        scale_by_derivative(&x[i * BLOCK..][..block.len()], block);
    })
}

/// `x * Φ(x)`.
#[inline(always)]
pub(crate) fn value<I: InstructionSet>(x: f32) -> f32 {
    let half = 0.5 * x;
    I::mul_add(half, erf::<I>(x * std::f32::consts::FRAC_1_SQRT_2), half)
}

/// `Φ(x) + x φ(x)`.
#[inline(always)]
pub(crate) fn derivative<I: InstructionSet>(x: f32) -> f32 {
    /// `1 / sqrt(2 π)`.
    const DENSITY_AT_0: f32 = 0.398_942_3;
    let cumulative = I::mul_add(0.5, erf::<I>(x * std::f32::consts::FRAC_1_SQRT_2), 0.5);
    I::mul_add(x * DENSITY_AT_0, exp::<I>(-0.5 * x * x), cumulative)
}

multiversion! {
    fn apply(x: &[f32], out: &mut [f32]) {
        for (y, x) in out.iter_mut().zip(x) {
            *y = value::<I>(*x);
        }
    }
}

multiversion! {
    fn scale_by_derivative(x: &[f32], grad: &mut [f32]) {
        for (g, x) in grad.iter_mut().zip(x) {
            *g *= derivative::<I>(*x);
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Tensor, activation};

    use super::gelu;
    use crate::check::{assert_close, random};
    use crate::simd::tests::exact_erf;

    /// burn's own erf is single precision too.
    const LIMIT: f32 = 1e-6;

    #[test]
    fn values_and_gradient_agree_with_burn() {
        let device = Device::flex().autodiff();
        let input = random::<3>([2, 3, 37], 4.0, 1, &device);
        let weight = random::<3>([2, 3, 37], 1.0, 2, &device);
        let (ours, theirs) = (input.clone().require_grad(), input.require_grad());
        let (y, y_burn) = (gelu(ours.clone()), activation::gelu(theirs.clone()));
        assert_close("values", &y, &y_burn, LIMIT);
        let grad = ours.grad(&(y * weight.clone()).sum().backward()).expect("tracked");
        let grad_burn = theirs.grad(&(y_burn * weight).sum().backward()).expect("tracked");
        assert_close("gradient", &grad, &grad_burn, LIMIT);
    }

    #[test]
    fn values_are_within_a_millionth_of_the_formula() {
        let x: Vec<f32> = (-6000..=6000).map(|i| i as f32 / 1000.0).collect();
        let y = gelu(Tensor::<1>::from_floats(x.as_slice(), &Device::flex()));
        for (x, y) in x.iter().zip(y.into_data().try_to_vec::<f32>().expect("f32")) {
            let x = f64::from(*x);
            let exact = 0.5 * x * (1.0 + exact_erf(x * std::f64::consts::FRAC_1_SQRT_2));
            let error = (f64::from(y) - exact).abs();
            assert!(error < 1e-6, "gelu({x}) is off by {error:e}");
        }
    }

    #[test]
    fn far_tails_are_exactly_zero_and_identity() {
        let x = Tensor::<1>::from_floats([-80.0, -6.0, 0.0, 6.0, 80.0], &Device::flex());
        let y = Tensor::<1>::from_floats([0.0, 0.0, 0.0, 6.0, 80.0], &Device::flex());
        assert_close("tails", &gelu(x), &y, 1e-7);
    }

    #[test]
    fn transposed_view_is_read_in_its_own_order() {
        let x = random::<2>([3, 5], 2.0, 3, &Device::flex()).transpose();
        assert_close("view", &gelu(x.clone()), &activation::gelu(x), LIMIT);
    }
}
