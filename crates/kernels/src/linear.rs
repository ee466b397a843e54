//! Affine maps of the last axis.

use burn::backend::autodiff::{
    checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
    grads::Gradients,
    ops::{Backward, Ops, OpsKind},
};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::{Tensor, module};
use burn_flex::FlexTensor;
use rayon::prelude::*;

use crate::backward::propagate;
use crate::buffer;
use crate::gemm::{Matrix, Operand, Outer, Products, Start, products};
use crate::simd;

/// Rows a task works on: a multiple of the tile's height that keeps both sides in the L2 cache, and
/// of the block of an outer product.
const BLOCK_ROWS: usize = 384;
/// Row groups whose weight gradients are summed in order, at most.
const MAX_GROUPS: usize = 16;
/// Rows below which a group is not worth its own weight gradient.
const MIN_GROUP_ROWS: usize = 2 * BLOCK_ROWS;

/// `x weight + bias`: `x` is `[..., in]`, `weight` `[in, out]` as in burn's `Linear`, `bias`
/// `[out]`; returns `[..., out]`.
#[must_use]
pub fn linear<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
) -> Tensor<D> {
    if !buffer::is_fast(&x) {
        return module::linear(x, weight, bias);
    }
    dispatch(x, weight, bias, false)
}

/// [`linear`] with a `weight` of `[out, in]`, as PyTorch stores linear layers and pointwise
/// convolutions.
#[must_use]
pub fn linear_t<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
) -> Tensor<D> {
    if !buffer::is_fast(&x) {
        return module::linear(x, weight.transpose(), bias);
    }
    dispatch(x, weight, bias, true)
}

fn dispatch<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    transposed: bool,
) -> Tensor<D> {
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    Tensor::from_dispatch(match bias {
        Some(bias) => <Dispatch as LinearOps>::affine(x, weight, bias.into_dispatch(), transposed),
        None => <Dispatch as LinearOps>::product(x, weight, transposed),
    })
}

#[backend_extension(Flex, Autodiff)]
trait LinearOps: Backend {
    fn affine(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        transposed: bool,
    ) -> FloatTensor<Self>;

    fn product(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        transposed: bool,
    ) -> FloatTensor<Self>;
}

impl LinearOps for Flex {
    fn affine(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        transposed: bool,
    ) -> FloatTensor<Self> {
        forward(x, &weight, Some(bias), transposed)
    }

    fn product(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        transposed: bool,
    ) -> FloatTensor<Self> {
        forward(x, &weight, None, transposed)
    }
}

impl<C: CheckpointStrategy> LinearOps for Autodiff<Flex, C> {
    fn affine(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        transposed: bool,
    ) -> FloatTensor<Self> {
        let (x, x_node) = x.into_parts();
        let (weight, weight_node) = weight.into_parts();
        let (bias, bias_node) = bias.into_parts();
        let nodes = [x_node, weight_node, bias_node];
        match LinearBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let output = forward(x.clone(), &weight, Some(bias), transposed);
                prep.finish((x, weight, transposed, products()), output)
            }
            OpsKind::UnTracked(prep) => prep.finish(forward(x, &weight, Some(bias), transposed)),
        }
    }

    fn product(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        transposed: bool,
    ) -> FloatTensor<Self> {
        let (x, x_node) = x.into_parts();
        let (weight, weight_node) = weight.into_parts();
        match LinearBackward.prepare::<C>([x_node, weight_node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let output = forward(x.clone(), &weight, None, transposed);
                prep.finish((x, weight, transposed, products()), output)
            }
            OpsKind::UnTracked(prep) => prep.finish(forward(x, &weight, None, transposed)),
        }
    }
}

#[derive(Debug)]
struct LinearBackward;

/// Input, weight, whether the weight is `[out, in]`, and the products of the gradients.
type Saved = (FlexTensor, FlexTensor, bool, Products);

/// `N` is 3 with a bias and 2 without.
impl<const N: usize> Backward<Flex, N> for LinearBackward {
    type State = Saved;

    fn backward(self, ops: Ops<Saved, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        propagate(ops, grads, |(x, weight, transposed, products), grad, tracked| {
            let mut wanted = [false; 3];
            wanted[..N].copy_from_slice(&tracked);
            backward(&x, &weight, grad, transposed, products, wanted)
        });
    }
}

/// The weight as an `[in, out]` matrix, or as its transpose, without copying it.
fn weight_matrix(weight: &FlexTensor, transposed: bool) -> Matrix<'_> {
    let layout = weight.layout();
    let stride =
        |axis: usize| usize::try_from(layout.strides()[axis]).expect("a weight is no flipped view");
    let (row_stride, col_stride) =
        if transposed { (stride(1), stride(0)) } else { (stride(0), stride(1)) };
    Matrix { values: &buffer::values(weight)[layout.start_offset()..], row_stride, col_stride }
}

fn forward(
    x: FlexTensor,
    weight: &FlexTensor,
    bias: Option<FlexTensor>,
    transposed: bool,
) -> FlexTensor {
    let x = buffer::contiguous(x);
    let mut shape = x.shape();
    let rank = shape.num_dims();
    let (n_in, n_out) = sizes(&shape[rank - 1], weight, transposed);
    let operand = Operand::pack(products(), weight_matrix(weight, transposed), n_in, n_out);
    let bias = bias.map(buffer::contiguous);
    let start = match &bias {
        Some(bias) => {
            let bias = buffer::values(bias);
            assert_eq!(bias.len(), n_out, "one bias an output");
            Start::Row(bias)
        }
        None => Start::Zero,
    };
    shape[rank - 1] = n_out;
    let mut out = buffer::scratch(shape.num_elements());
    let x = buffer::values(&x);
    out.par_chunks_mut(BLOCK_ROWS * n_out).zip(x.par_chunks(BLOCK_ROWS * n_in)).for_each(
        |(out, x)| {
            operand.multiply(x.len() / n_in, x, start, out, n_out);
        },
    );
    buffer::tensor(out, shape)
}

/// Inputs and outputs of the layer, checked against the last axis of its input.
fn sizes(last: &usize, weight: &FlexTensor, transposed: bool) -> (usize, usize) {
    let shape = weight.shape();
    let (n_in, n_out) = if transposed { (shape[1], shape[0]) } else { (shape[0], shape[1]) };
    assert_eq!(*last, n_in, "the last axis of the input is the weight's input axis");
    (n_in, n_out)
}

/// Gradients of the input, the weight and the bias, where `wanted`.
fn backward(
    x: &FlexTensor,
    weight: &FlexTensor,
    grad: FlexTensor,
    transposed: bool,
    products: Products,
    wanted: [bool; 3],
) -> [Option<FlexTensor>; 3] {
    let shape = x.shape();
    let (n_in, n_out) = sizes(&shape[shape.num_dims() - 1], weight, transposed);
    let (x, grad) = (x.to_contiguous(), buffer::contiguous(grad));
    let (x, grad) = (buffer::values(&x), buffer::values(&grad));
    let weights =
        wanted[0].then(|| Operand::pack(products, weight_matrix(weight, !transposed), n_out, n_in));
    let rows = x.len() / n_in;
    let mut x_grad = buffer::scratch(if wanted[0] { x.len() } else { 0 });
    let group_rows = rows.div_ceil(MAX_GROUPS).max(MIN_GROUP_ROWS).next_multiple_of(BLOCK_ROWS);
    // An empty x_grad still has to come in one part a group.
    let mut x_parts: Vec<&mut [f32]> = x_grad.chunks_mut(group_rows * n_in).collect();
    x_parts.resize_with(rows.div_ceil(group_rows), Default::default);
    let parts: Vec<(Vec<f32>, Vec<f32>)> = x_parts
        .into_par_iter()
        .zip(x.par_chunks(group_rows * n_in))
        .zip(grad.par_chunks(group_rows * n_out))
        .map(|((x_grad, x), grad)| {
            let group = Group { x, grad, n_in, n_out, transposed, products, wanted };
            group.backward(weights.as_ref(), x_grad)
        })
        .collect();
    let (weight_parts, bias_parts): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
    [
        wanted[0].then(|| buffer::tensor(x_grad, shape)),
        wanted[1].then(|| buffer::tensor(buffer::sum_parts(weight_parts), weight.shape())),
        wanted[2].then(|| buffer::tensor(buffer::sum_parts(bias_parts), [n_out])),
    ]
}

/// The rows whose weight gradient one task sums.
struct Group<'a> {
    x: &'a [f32],
    grad: &'a [f32],
    n_in: usize,
    n_out: usize,
    transposed: bool,
    products: Products,
    wanted: [bool; 3],
}

impl Group<'_> {
    /// Writes the input gradient and returns the weight's and the bias's.
    fn backward(&self, weights: Option<&Operand>, x_grad: &mut [f32]) -> (Vec<f32>, Vec<f32>) {
        let &Self { n_in, n_out, wanted, .. } = self;
        let mut weight_grad = vec![0.0; if wanted[1] { n_in * n_out } else { 0 }];
        let mut bias_grad = vec![0.0; if wanted[2] { n_out } else { 0 }];
        let mut outer = Outer::new(self.products);
        for first in (0..self.x.len() / n_in).step_by(BLOCK_ROWS) {
            let rows = BLOCK_ROWS.min(self.x.len() / n_in - first);
            let x = &self.x[first * n_in..][..rows * n_in];
            let grad = &self.grad[first * n_out..][..rows * n_out];
            if let Some(weights) = weights {
                let out = &mut x_grad[first * n_in..][..rows * n_in];
                weights.multiply(rows, grad, Start::Zero, out, n_in);
            }
            if wanted[1] {
                let (left, right, height, width) =
                    if self.transposed { (grad, x, n_out, n_in) } else { (x, grad, n_in, n_out) };
                outer.accumulate(left, right, height, width, &mut weight_grad);
            }
            if wanted[2] {
                simd::add_rows(grad, &mut bias_grad);
            }
        }
        (weight_grad, bias_grad)
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, module};

    use super::{linear, linear_t};
    use crate::check::{assert_close, assert_same_gradients, random};

    /// Sums of up to 1200 products of magnitude 1.
    const LIMIT: f32 = 2e-4;

    #[test]
    fn values_and_gradients_agree_with_burn() {
        let device = Device::flex().autodiff();
        for (rows, n_in, n_out) in [(3, 5, 17), (601, 48, 24), (50, 19, 3)] {
            let inputs = [
                random([2 * rows * n_in], 1.0, 1, &device),
                random([n_in * n_out], 1.0, 2, &device),
                random([n_out], 1.0, 3, &device),
            ];
            let theirs = |[x, w, b]: [_; 3]| {
                let x = burn::tensor::Tensor::<1>::reshape(x, [2, rows, n_in]);
                module::linear(x, w.reshape([n_in, n_out]), Some(b))
            };
            assert_same_gradients(
                inputs.clone(),
                LIMIT,
                |[x, w, b]| linear(x.reshape([2, rows, n_in]), w.reshape([n_in, n_out]), Some(b)),
                theirs,
            );
            assert_same_gradients(
                inputs,
                LIMIT,
                |[x, w, b]| {
                    let weight = w.reshape([n_in, n_out]).transpose();
                    linear_t(x.reshape([2, rows, n_in]), weight, Some(b))
                },
                theirs,
            );
        }
    }

    #[test]
    fn frozen_weight_still_passes_the_input_gradient() {
        let device = Device::flex().autodiff();
        let x = random::<2>([4, 6], 1.0, 1, &device).require_grad();
        let weight = random::<2>([6, 5], 1.0, 2, &device);
        let y = linear(x.clone(), weight.clone(), None);
        assert_close("values", &y, &x.clone().matmul(weight.clone()), 1e-5);
        let ours = x.grad(&y.sum().backward()).expect("tracked");
        let theirs = x.grad(&x.clone().matmul(weight).sum().backward()).expect("tracked");
        assert_close("gradient", &ours, &theirs, 1e-5);
    }

    #[test]
    fn weight_view_gives_the_weight_of_its_contiguous_copy() {
        let device = Device::flex();
        let x = random::<3>([2, 3, 6], 1.0, 1, &device);
        let stacked = random::<2>([9, 13], 1.0, 2, &device);
        let view = stacked.slice([2..8, 1..12]);
        let theirs = x.clone().matmul(view.clone().unsqueeze());
        assert_close("values", &linear(x, view, None), &theirs, 1e-5);
    }
}
