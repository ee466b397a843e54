//! Rectified linear units.

use burn::backend::autodiff::{
    checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
    grads::Gradients,
    ops::{Backward, Ops, OpsKind},
};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;
use burn_flex::FlexTensor;

use crate::backward::propagate;
use crate::buffer;
use crate::simd::multiversion;

/// Elements a task works on: 32 KiB.
const BLOCK: usize = 8192;

/// `max(x, 0)`. The gradient at 0 is 0.
#[must_use]
pub fn relu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    rectified(x, f32::INFINITY)
}

/// `min(max(x, 0), 6)` (Krizhevsky 2010, "Convolutional deep belief networks on CIFAR-10"). The gradient at 0 and
/// at 6 is 0.
#[must_use]
pub fn relu6<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    rectified(x, 6.0)
}

fn rectified<const D: usize>(x: Tensor<D>, high: f32) -> Tensor<D> {
    if !buffer::is_fast(&x) {
        return composed(x, high);
    }
    Tensor::from_dispatch(<Dispatch as ReluOps>::rectify(x.into_dispatch(), high))
}

fn composed<const D: usize>(x: Tensor<D>, high: f32) -> Tensor<D> {
    let is_off = x.clone().lower_equal_elem(0.0);
    let x = x.mask_fill(is_off, 0.0);
    let is_full = x.clone().greater_equal_elem(high);
    x.mask_fill(is_full, high)
}

#[backend_extension(Flex, Autodiff)]
trait ReluOps: Backend {
    fn rectify(x: FloatTensor<Self>, high: f32) -> FloatTensor<Self>;
}

impl ReluOps for Flex {
    fn rectify(x: FloatTensor<Self>, high: f32) -> FloatTensor<Self> {
        forward(x, high)
    }
}

impl<C: CheckpointStrategy> ReluOps for Autodiff<Flex, C> {
    fn rectify(x: FloatTensor<Self>, high: f32) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let out = forward(x, high);
        match ReluBackward.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((out.clone(), high), out),
            OpsKind::UnTracked(prep) => prep.finish(out),
        }
    }
}

#[derive(Debug)]
struct ReluBackward;

impl Backward<Flex, 1> for ReluBackward {
    /// The output and its highest value.
    type State = (FlexTensor, f32);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        propagate(ops, grads, |(out, high), grad, _| [Some(backward(&out, grad, high))]);
    }
}

fn forward(x: FlexTensor, high: f32) -> FlexTensor {
    buffer::update_blocks(x, BLOCK, |_, block| clip(block, high))
}

fn backward(out: &FlexTensor, grad: FlexTensor, high: f32) -> FlexTensor {
    let out = buffer::values(out);
    buffer::update_blocks(grad, BLOCK, |i, block| {
        keep_inside(&out[i * BLOCK..][..block.len()], high, block);
    })
}

multiversion! {
    fn clip(values: &mut [f32], high: f32) {
        for x in values {
            // A NaN stays one, as in burn's own operations.
            let low = if *x <= 0.0 { 0.0 } else { *x };
            *x = if low >= high { high } else { low };
        }
    }
}

multiversion! {
    /// Zero wherever `out` is at a border.
    fn keep_inside(out: &[f32], high: f32, grad: &mut [f32]) {
        for (grad, out) in grad.iter_mut().zip(out) {
            *grad = if *out <= 0.0 || *out >= high { 0.0 } else { *grad };
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Tensor, activation};

    use super::{composed, relu, relu6};
    use crate::check::{assert_close, assert_same_gradients, random};

    #[test]
    fn values_and_gradients_agree_with_burn() {
        let device = Device::flex().autodiff();
        let inputs = || [random([3 * 5 * 37], 9.0, 1, &device)];
        assert_same_gradients(inputs(), 0.0, |[x]| relu(x), |[x]| activation::relu(x));
        assert_same_gradients(inputs(), 0.0, |[x]| relu6(x), |[x]| x.clamp(0.0, 6.0));
        assert_same_gradients(inputs(), 0.0, |[x]| relu6(x), |[x]| composed(x, 6.0));
    }

    #[test]
    fn borders_have_no_gradient_and_a_view_keeps_its_order() {
        let device = Device::flex().autodiff();
        let x = Tensor::<1>::from_floats([-1.0, 0.0, 3.0, 6.0, 7.0], &device).require_grad();
        let gradient = x.grad(&relu6(x.clone()).sum().backward()).expect("tracked");
        let expected = Tensor::from_floats([0.0, 0.0, 1.0, 0.0, 0.0], &device.inner());
        assert_close("gradient", &gradient, &expected, 0.0);
        let view = random::<2>([3, 5], 2.0, 3, &Device::flex()).transpose();
        assert_close("view", &relu(view.clone()), &activation::relu(view), 0.0);
    }

    #[test]
    fn a_tensor_that_is_used_elsewhere_keeps_its_values() {
        let x = Tensor::<1>::from_floats([-1.0, 2.0], &Device::flex());
        let y = relu(x.clone());
        assert_close("input", &x, &Tensor::from_floats([-1.0, 2.0], &Device::flex()), 0.0);
        assert_close("output", &y, &Tensor::from_floats([0.0, 2.0], &Device::flex()), 0.0);
    }
}
