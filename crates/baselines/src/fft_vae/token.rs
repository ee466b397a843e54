//! From the latent map to the embedding: patches, and attention between them.

use burn::module::{Module, Param};
use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use cifake_kernels::layer_norm;

use super::layer::{attend, project};

/// Patches of a map as tokens, behind a learned token of their own.
#[derive(Module, Debug)]
pub struct PatchEmbedding {
    /// Of a patch: its rows of pixels, each with all channels.
    pub projection: Linear,
    /// The learned token, `[1, 1, dim]`.
    pub class_token: Param<Tensor<3>>,
    /// Height and width of a patch.
    side: usize,
}

impl PatchEmbedding {
    pub(crate) fn new(channels: usize, side: usize, dim: usize, device: &Device) -> Self {
        Self {
            projection: LinearConfig::new(side * side * channels, dim).init(device),
            class_token: Param::from_tensor(Tensor::zeros([1, 1, dim], device)),
            side,
        }
    }

    /// A map `[batch, height, width, channels]` to `[batch, 1 + patches, dim]`.
    pub(crate) fn forward(&self, map: Tensor<4>) -> Tensor<3> {
        let [batch, height, width, channels] = map.dims();
        let side = self.side;
        let (rows, columns) = (height / side, width / side);
        let cells: Tensor<6> = map.reshape([batch, rows, side, columns, side, channels]);
        let patches =
            cells.swap_dims(2, 3).reshape([batch, rows * columns, side * side * channels]);
        let first = self.class_token.val().repeat_dim(0, batch);
        Tensor::cat(vec![first, project(&self.projection, patches)], 1)
    }
}

/// Attention between tokens, with a norm before and one after it, and a shortcut.
#[derive(Module, Debug)]
pub struct TokenAttention {
    /// Before the projections.
    pub norm1: LayerNorm,
    /// To query, key and value, side by side for each head.
    pub qkv: Linear,
    /// Of the heads' answers.
    pub proj: Linear,
    /// Behind it.
    pub norm2: LayerNorm,
    n_heads: usize,
}

impl TokenAttention {
    pub(crate) fn new(dim: usize, n_heads: usize, device: &Device) -> Self {
        Self {
            norm1: LayerNormConfig::new(dim).init(device),
            qkv: LinearConfig::new(dim, 3 * dim).init(device),
            proj: LinearConfig::new(dim, dim).init(device),
            norm2: LayerNormConfig::new(dim).init(device),
            n_heads,
        }
    }

    pub(crate) fn forward(&self, tokens: Tensor<3>) -> Tensor<3> {
        let normed = normalize(&self.norm1, tokens.clone());
        let answer = attend(&self.qkv, &self.proj, normed, self.n_heads);
        tokens + normalize(&self.norm2, answer)
    }
}

/// burn's own epsilon, which its layer does not show.
const EPSILON: f64 = 1e-5;

/// burn's layer normalization by the kernel.
pub(crate) fn normalize(norm: &LayerNorm, x: Tensor<3>) -> Tensor<3> {
    let gamma = norm.gamma.val();
    let beta = norm.beta.as_ref().map_or_else(|| gamma.zeros_like(), |beta| beta.val());
    layer_norm(x, gamma, beta, EPSILON)
}
