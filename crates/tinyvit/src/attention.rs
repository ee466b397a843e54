//! Windowed multi-head attention with a learned bias by offset.

use burn::module::{Module, Param};
use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::{Device, Int, Tensor, TensorData};
use cifake_kernels as kernels;

use crate::LAYER_NORM_EPSILON;

/// Layer norm, attention among the tokens of a window, projection.
#[derive(Module, Debug)]
pub struct Attention {
    /// Normalization of the tokens.
    pub norm: LayerNorm,
    /// To queries, keys and values, interleaved by head: `[dim, n_heads * 3 * head_dim]`.
    pub qkv: Linear,
    /// Back to the channels of the map.
    pub proj: Linear,
    /// One bias a head and offset `(|dy|, |dx|)`: `[n_heads, window_size^2]`.
    pub attention_biases: Param<Tensor<2>>,
    n_heads: usize,
    window_size: usize,
}

impl Attention {
    pub(crate) fn new(dim: usize, n_heads: usize, window_size: usize, device: &Device) -> Self {
        let biases = Tensor::zeros([n_heads, window_size * window_size], device);
        Self {
            norm: LayerNormConfig::new(dim).with_epsilon(LAYER_NORM_EPSILON).init(device),
            qkv: LinearConfig::new(dim, 3 * dim).init(device),
            proj: LinearConfig::new(dim, dim).init(device),
            attention_biases: Param::from_tensor(biases),
            n_heads,
            window_size,
        }
    }

    /// Attention within windows of `[batch, height, width, dim]`; a map that windows do not tile
    /// is padded with zeros at its bottom and right, as timm does.
    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [batch, height, width, dim] = x.dims();
        let side = self.window_size;
        let padded = [height.next_multiple_of(side), width.next_multiple_of(side)];
        let x = if padded == [height, width] {
            x
        } else {
            x.pad([(0, padded[0] - height), (0, padded[1] - width), (0, 0)], 0.0)
        };
        let tokens = self.attend(partition(x, side));
        let map = merge(tokens, [batch, padded[0], padded[1], dim], side);
        if padded == [height, width] {
            return map;
        }
        map.slice([0..batch, 0..height, 0..width, 0..dim])
    }

    /// `[windows, tokens, dim]` to the same.
    fn attend(&self, tokens: Tensor<3>) -> Tensor<3> {
        let tokens = layer_norm(&self.norm, tokens);
        let qkv = linear(&self.qkv, tokens);
        let mixed = kernels::window_attention(qkv, self.bias(), self.n_heads);
        linear(&self.proj, mixed)
    }

    /// The bias of every pair of tokens, `[n_heads, tokens, tokens]`.
    pub(crate) fn bias(&self) -> Tensor<3> {
        let biases = self.attention_biases.val();
        let side = self.window_size;
        let n_tokens = side * side;
        let offset = |a: usize, b: usize| {
            ((a / side).abs_diff(b / side) * side + (a % side).abs_diff(b % side)) as i32
        };
        let idxs: Vec<i32> =
            (0..n_tokens).flat_map(|a| (0..n_tokens).map(move |b| offset(a, b))).collect();
        let data = TensorData::new(idxs, [n_tokens * n_tokens]);
        let idxs = Tensor::<1, Int>::from_data(data, &biases.device());
        biases.select(1, idxs).reshape([self.n_heads, n_tokens, n_tokens])
    }
}

/// A burn linear layer's parameters through the fast kernel.
pub(crate) fn linear<const D: usize>(layer: &Linear, x: Tensor<D>) -> Tensor<D> {
    kernels::linear(x, layer.weight.val(), layer.bias.as_ref().map(Param::val))
}

/// A burn layer norm's parameters through the fast kernel.
pub(crate) fn layer_norm<const D: usize>(layer: &LayerNorm, x: Tensor<D>) -> Tensor<D> {
    let beta = layer.beta.as_ref().expect("every layer norm of a TinyViT has a bias").val();
    kernels::layer_norm(x, layer.gamma.val(), beta, LAYER_NORM_EPSILON)
}

/// `[batch, height, width, dim]` to `[windows, side^2, dim]`, windows row by row.
fn partition(x: Tensor<4>, side: usize) -> Tensor<3> {
    let [batch, height, width, dim] = x.dims();
    if [height, width] == [side, side] {
        return x.reshape([batch, side * side, dim]);
    }
    x.reshape([batch, height / side, side, width / side, side, dim]).swap_dims(2, 3).reshape([
        batch * (height / side) * (width / side),
        side * side,
        dim,
    ])
}

/// The inverse of [`partition`].
fn merge(tokens: Tensor<3>, dims: [usize; 4], side: usize) -> Tensor<4> {
    let [batch, height, width, dim] = dims;
    if [height, width] == [side, side] {
        return tokens.reshape(dims);
    }
    tokens
        .reshape([batch, height / side, width / side, side, side, dim])
        .swap_dims(2, 3)
        .reshape(dims)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_of_a_map_that_is_not_square_go_out_and_come_back() {
        let device = Device::flex();
        let x = Tensor::<1, Int>::arange(0..2 * 4 * 6 * 3, &device).float().reshape([2, 4, 6, 3]);
        let tokens = partition(x.clone(), 2);
        assert_eq!(tokens.dims(), [12, 4, 3]);
        let second = tokens.clone().slice([1..2, 0..4, 0..1]).into_data().try_to_vec::<f32>();
        assert_eq!(second.expect("floats"), [6.0, 9.0, 24.0, 27.0]);
        merge(tokens, [2, 4, 6, 3], 2).into_data().assert_eq(&x.into_data(), true);
    }

    #[test]
    fn the_bias_of_a_pair_depends_on_its_offset_alone() {
        let device = Device::flex();
        let mut attention = Attention::new(4, 1, 2, &device);
        let biases = Tensor::from_floats([[0.0, 1.0, 2.0, 3.0]], &device);
        attention.attention_biases = Param::from_tensor(biases);
        let expected =
            [0.0, 1.0, 2.0, 3.0, 1.0, 0.0, 3.0, 2.0, 2.0, 3.0, 0.0, 1.0, 3.0, 2.0, 1.0, 0.0f32];
        assert_eq!(attention.bias().into_data().try_to_vec::<f32>().expect("floats"), expected);
    }
}
