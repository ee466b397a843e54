//! Multi-head self-attention inside windows, with an additive bias.

use burn::backend::autodiff::{
    checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
    grads::Gradients,
    ops::{Backward, Ops, OpsKind},
};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::{Tensor, activation};
use burn_flex::FlexTensor;
use rayon::prelude::*;

use crate::backward::propagate;
use crate::buffer;
use crate::gemm::{Matrix, Panels, Start, multiply};
use crate::simd::{self, multiversion};

/// Window groups whose bias gradients are summed in order, at most.
const MAX_GROUPS: usize = 16;

/// `softmax(q kᵀ / sqrt(head_dim) + bias) v` for every window and head.
///
/// `qkv` is `[windows, tokens, n_heads * 3 * head_dim]`, query, key and value of a head side by
/// side as in TinyViT; `bias` is `[n_heads, tokens, tokens]`. Returns
/// `[windows, tokens, n_heads * head_dim]`.
///
/// # Panics
/// If the shapes do not fit each other.
#[must_use]
pub fn window_attention(qkv: Tensor<3>, bias: Tensor<3>, n_heads: usize) -> Tensor<3> {
    let [_, tokens, width] = qkv.dims();
    assert_eq!(width % (3 * n_heads), 0, "every head has a query, a key and a value");
    assert_eq!(bias.dims(), [n_heads, tokens, tokens], "one bias a head and pair of tokens");
    if !buffer::is_fast(&qkv) {
        return composed(qkv, bias, n_heads);
    }
    let (qkv, bias) = (qkv.into_dispatch(), bias.into_dispatch());
    Tensor::from_dispatch(<Dispatch as AttentionOps>::attend(qkv, bias, n_heads))
}

fn composed(qkv: Tensor<3>, bias: Tensor<3>, n_heads: usize) -> Tensor<3> {
    let [windows, tokens, width] = qkv.dims();
    let head_dim = width / (3 * n_heads);
    let heads = qkv.reshape([windows, tokens, n_heads, 3 * head_dim]).swap_dims(1, 2);
    let part = |idx: usize| heads.clone().narrow(3, idx * head_dim, head_dim);
    let scores = part(0).matmul(part(1).transpose()) * (head_dim as f64).powf(-0.5);
    let weights = activation::softmax(scores + bias.unsqueeze(), 3);
    weights.matmul(part(2)).swap_dims(1, 2).reshape([windows, tokens, n_heads * head_dim])
}

#[backend_extension(Flex, Autodiff)]
trait AttentionOps: Backend {
    fn attend(qkv: FloatTensor<Self>, bias: FloatTensor<Self>, n_heads: usize)
    -> FloatTensor<Self>;
}

impl AttentionOps for Flex {
    fn attend(
        qkv: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        n_heads: usize,
    ) -> FloatTensor<Self> {
        forward(&buffer::contiguous(qkv), bias, n_heads, None)
    }
}

impl<C: CheckpointStrategy> AttentionOps for Autodiff<Flex, C> {
    fn attend(
        qkv: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        n_heads: usize,
    ) -> FloatTensor<Self> {
        let (qkv, qkv_node) = qkv.into_parts();
        let (bias, bias_node) = bias.into_parts();
        let qkv = buffer::contiguous(qkv);
        match AttentionBackward.prepare::<C>([qkv_node, bias_node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let geometry = Geometry::new(&qkv, n_heads);
                let mut weights = buffer::scratch(qkv.shape()[0] * geometry.weights_len());
                let output = forward(&qkv, bias, n_heads, Some(&mut weights));
                let shape = [qkv.shape()[0], n_heads, geometry.tokens, geometry.tokens];
                prep.finish((qkv, buffer::tensor(weights, shape)), output)
            }
            OpsKind::UnTracked(prep) => prep.finish(forward(&qkv, bias, n_heads, None)),
        }
    }
}

#[derive(Debug)]
struct AttentionBackward;

impl Backward<Flex, 2> for AttentionBackward {
    /// Queries, keys, values; the softmax of the scores.
    type State = (FlexTensor, FlexTensor);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        propagate(ops, grads, |(qkv, weights), grad, _| backward(&qkv, &weights, grad).map(Some));
    }
}

/// Sizes of a window.
#[derive(Clone, Copy)]
struct Geometry {
    tokens: usize,
    n_heads: usize,
    head_dim: usize,
}

impl Geometry {
    fn new(qkv: &FlexTensor, n_heads: usize) -> Self {
        let shape = qkv.shape();
        Self { tokens: shape[1], n_heads, head_dim: shape[2] / (3 * n_heads) }
    }

    /// Elements of a token's output.
    fn width(self) -> usize {
        self.n_heads * self.head_dim
    }

    fn window_len(self) -> usize {
        self.tokens * self.width()
    }

    fn weights_len(self) -> usize {
        self.n_heads * self.head_weights_len()
    }

    fn head_weights_len(self) -> usize {
        self.tokens * self.tokens
    }

    /// Query, key and value of one head, as `[tokens, head_dim]` matrices.
    fn query_key_value(self, qkv: &[f32], head: usize) -> [Matrix<'_>; 3] {
        [0, 1, 2]
            .map(|part| Matrix::rows(&qkv[(head * 3 + part) * self.head_dim..], 3 * self.width()))
    }

    fn scale(self) -> f32 {
        (self.head_dim as f32).sqrt().recip()
    }
}

/// Packed operands, kept from window to window.
#[derive(Default)]
struct Workspace {
    left: Panels,
    right: Panels,
    scores: Vec<f32>,
}

fn forward(
    qkv: &FlexTensor,
    bias: FlexTensor,
    n_heads: usize,
    weights: Option<&mut Vec<f32>>,
) -> FlexTensor {
    let geometry = Geometry::new(qkv, n_heads);
    let windows = qkv.shape()[0];
    let bias = buffer::contiguous(bias);
    let bias = buffer::values(&bias);
    let mut out = buffer::scratch(windows * geometry.window_len());
    let mut kept: Vec<Option<&mut [f32]>> = match weights {
        Some(weights) => weights.chunks_exact_mut(geometry.weights_len()).map(Some).collect(),
        None => (0..windows).map(|_| None).collect(),
    };
    out.par_chunks_mut(geometry.window_len())
        .zip(buffer::values(qkv).par_chunks(3 * geometry.window_len()))
        .zip(kept.par_iter_mut())
        .for_each_init(Workspace::default, |workspace, ((out, qkv), weights)| {
            forward_window(qkv, bias, geometry, workspace, weights.as_deref_mut(), out);
        });
    buffer::tensor(out, [windows, geometry.tokens, geometry.width()])
}

fn forward_window(
    qkv: &[f32],
    bias: &[f32],
    geometry: Geometry,
    workspace: &mut Workspace,
    mut kept: Option<&mut [f32]>,
    out: &mut [f32],
) {
    let Geometry { tokens, n_heads, head_dim } = geometry;
    let len = geometry.head_weights_len();
    let Workspace { left, right, scores } = workspace;
    scores.resize(len, 0.0);
    for head in 0..n_heads {
        let [query, key, value] = geometry.query_key_value(qkv, head);
        let scores = match &mut kept {
            Some(kept) => &mut kept[head * len..][..len],
            None => &mut scores[..],
        };
        let key = Matrix::columns(key.values, key.row_stride);
        left.repack(key, head_dim, tokens);
        left.scale(geometry.scale());
        let start = Start::Rows(&bias[head * len..][..len], tokens);
        multiply(tokens, query, left, start, scores, tokens);
        softmax_rows(scores, tokens);
        right.repack(value, tokens, head_dim);
        let out = &mut out[head * head_dim..];
        let weights = Matrix::rows(scores, tokens);
        multiply(tokens, weights, right, Start::Zero, out, geometry.width());
    }
}

/// Gradients of queries, keys and values, and of the bias.
fn backward(qkv: &FlexTensor, weights: &FlexTensor, grad: FlexTensor) -> [FlexTensor; 2] {
    let (shape, weights_shape) = (qkv.shape(), weights.shape());
    let geometry = Geometry::new(qkv, weights_shape[1]);
    let grad = buffer::contiguous(grad);
    let mut qkv_grad = buffer::scratch(shape.num_elements());
    let group = shape[0].div_ceil(MAX_GROUPS);
    let bias_parts: Vec<Vec<f32>> = qkv_grad
        .par_chunks_mut(group * 3 * geometry.window_len())
        .zip(buffer::values(qkv).par_chunks(group * 3 * geometry.window_len()))
        .zip(buffer::values(weights).par_chunks(group * geometry.weights_len()))
        .zip(buffer::values(&grad).par_chunks(group * geometry.window_len()))
        .map(|(((qkv_grad, qkv), weights), grad)| {
            let mut workspace = Workspace::default();
            let mut bias_grad = vec![0.0; geometry.weights_len()];
            let window_len = geometry.window_len();
            for (i, grad) in grad.chunks_exact(window_len).enumerate() {
                let window = Window {
                    qkv: &qkv[i * 3 * window_len..][..3 * window_len],
                    weights: &weights[i * geometry.weights_len()..][..geometry.weights_len()],
                    grad,
                    geometry,
                };
                let qkv_grad = &mut qkv_grad[i * 3 * window_len..][..3 * window_len];
                for head in 0..geometry.n_heads {
                    window.backward(head, &mut workspace, &mut bias_grad, qkv_grad);
                }
            }
            bias_grad
        })
        .collect();
    let bias_shape = [geometry.n_heads, geometry.tokens, geometry.tokens];
    [buffer::tensor(qkv_grad, shape), buffer::tensor(buffer::sum_parts(bias_parts), bias_shape)]
}

/// One window in the backward pass.
struct Window<'a> {
    qkv: &'a [f32],
    weights: &'a [f32],
    grad: &'a [f32],
    geometry: Geometry,
}

impl Window<'_> {
    fn backward(
        &self,
        head: usize,
        workspace: &mut Workspace,
        bias_grad: &mut [f32],
        qkv_grad: &mut [f32],
    ) {
        let geometry = self.geometry;
        let Geometry { tokens, head_dim, .. } = geometry;
        let (width, len) = (geometry.width(), geometry.head_weights_len());
        let Workspace { left: panels, scores, .. } = workspace;
        scores.resize(len, 0.0);
        let [query, key, value] = geometry.query_key_value(self.qkv, head);
        let grad = Matrix::rows(&self.grad[head * head_dim..], width);
        let weights = &self.weights[head * len..][..len];
        let mut store = |part: usize, left: Matrix<'_>, panels: &Panels| {
            let out = &mut qkv_grad[(head * 3 + part) * head_dim..];
            multiply(tokens, left, panels, Start::Zero, out, 3 * width);
        };

        panels.repack(grad, tokens, head_dim);
        store(2, Matrix::columns(weights, tokens), panels);

        let value = Matrix::columns(value.values, value.row_stride);
        panels.repack(value, head_dim, tokens);
        multiply(tokens, grad, panels, Start::Zero, scores, tokens);
        softmax_gradient_rows(weights, tokens, scores);
        simd::add_rows(scores, &mut bias_grad[head * len..][..len]);

        panels.repack(key, tokens, head_dim);
        panels.scale(geometry.scale());
        store(0, Matrix::rows(scores, tokens), panels);

        panels.repack(query, tokens, head_dim);
        panels.scale(geometry.scale());
        store(1, Matrix::columns(scores, tokens), panels);
    }
}

/// Lanes of a sum or maximum over a row.
const LANES: usize = 16;

/// `f` over the lanes, chunk by chunk of `row`, starting from `start`.
#[inline(always)]
fn fold(row: &[f32], start: f32, f: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [start; LANES];
    let (chunks, rest) = row.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, v) in lanes.iter_mut().zip(chunk) {
            *lane = f(*lane, *v);
        }
    }
    for (lane, v) in lanes.iter_mut().zip(rest) {
        *lane = f(*lane, *v);
    }
    lanes.into_iter().fold(start, f)
}

multiversion! {
    fn softmax_rows(scores: &mut [f32], len: usize) {
        for row in scores.chunks_exact_mut(len) {
            let max = fold(row, f32::NEG_INFINITY, |a, b| if b > a { b } else { a });
            for v in row.iter_mut() {
                *v = simd::exp::<I>(*v - max);
            }
            let inverse = fold(row, 0.0, |a, b| a + b).recip();
            for v in row.iter_mut() {
                *v *= inverse;
            }
        }
    }
}

multiversion! {
    /// `grad = weights * (grad - Σ grad * weights)`, row by row.
    fn softmax_gradient_rows(weights: &[f32], len: usize, grad: &mut [f32]) {
        for (grad, weights) in grad.chunks_exact_mut(len).zip(weights.chunks_exact(len)) {
            for (g, w) in grad.iter_mut().zip(weights) {
                *g *= w;
            }
            let dot = fold(grad, 0.0, |a, b| a + b);
            for (g, w) in grad.iter_mut().zip(weights) {
                *g = I::mul_add(-dot, *w, *g);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Tensor};

    use super::{composed, window_attention};
    use crate::check::{assert_close, assert_same_gradients, random};

    /// Sums of up to 64 products, through an exponential.
    const LIMIT: f32 = 2e-5;

    #[test]
    fn values_and_gradients_agree_with_burn() {
        let device = Device::flex().autodiff();
        for (windows, tokens, n_heads, head_dim) in
            [(3, 6, 2, 5), (37, 16, 4, 32), (2, 49, 3, 32), (2, 1, 1, 8)]
        {
            let qkv_shape = [windows, tokens, n_heads * 3 * head_dim];
            let bias_shape = [n_heads, tokens, tokens];
            assert_same_gradients(
                [
                    random([qkv_shape.iter().product()], 1.0, 1, &device),
                    random([bias_shape.iter().product()], 1.0, 2, &device),
                ],
                LIMIT,
                |[qkv, bias]| {
                    window_attention(qkv.reshape(qkv_shape), bias.reshape(bias_shape), n_heads)
                },
                |[qkv, bias]| composed(qkv.reshape(qkv_shape), bias.reshape(bias_shape), n_heads),
            );
        }
    }

    #[test]
    fn inference_gives_the_values_of_training() {
        let device = Device::flex();
        let qkv = random::<3>([2, 5, 24], 3.0, 1, &device);
        let bias = random::<3>([2, 5, 5], 1.0, 2, &device);
        let tracked = Tensor::from_inner(qkv.clone()).require_grad();
        let trained = window_attention(tracked, Tensor::from_inner(bias.clone()), 2);
        assert_close("values", &window_attention(qkv, bias, 2), &trained.inner(), 0.0);
    }
}
