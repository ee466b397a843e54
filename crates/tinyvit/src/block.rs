//! A block of stages 1 to 3: windowed attention, a local convolution, an MLP.

use burn::module::Module;
use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use cifake_kernels::{self as kernels, ConvNorm};

use crate::LAYER_NORM_EPSILON;
use crate::attention::{Attention, layer_norm, linear};
use crate::drop_path::DropPath;

/// Layer norm and two linear layers with GELU between them.
#[derive(Module, Debug)]
pub struct NormMlp {
    /// Normalization of the tokens.
    pub norm: LayerNorm,
    /// Widening.
    pub fc1: Linear,
    /// Narrowing.
    pub fc2: Linear,
}

impl NormMlp {
    fn new(dim: usize, ratio: usize, device: &Device) -> Self {
        Self {
            norm: LayerNormConfig::new(dim).with_epsilon(LAYER_NORM_EPSILON).init(device),
            fc1: LinearConfig::new(dim, ratio * dim).init(device),
            fc2: LinearConfig::new(ratio * dim, dim).init(device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let wide = kernels::gelu(linear(&self.fc1, layer_norm(&self.norm, x)));
        linear(&self.fc2, wide)
    }
}

/// Attention with its shortcut, a depthwise 3x3 convolution, an MLP with its shortcut.
///
/// Between the two halves the output of `local_conv` is all that lives: the place to cut for a CAM.
#[derive(Module, Debug)]
pub struct TinyVitBlock {
    /// Attention within windows.
    pub attn: Attention,
    /// Depthwise 3x3 convolution across windows.
    pub local_conv: ConvNorm,
    /// The MLP.
    pub mlp: NormMlp,
}

impl TinyVitBlock {
    pub(crate) fn new(
        dim: usize,
        n_heads: usize,
        window_size: usize,
        mlp_ratio: usize,
        device: &Device,
    ) -> Self {
        Self {
            attn: Attention::new(dim, n_heads, window_size, device),
            local_conv: ConvNorm::depthwise(dim, 1, device),
            mlp: NormMlp::new(dim, mlp_ratio, device),
        }
    }

    /// First half: attention and local convolution, `[batch, height, width, dim]`.
    pub(crate) fn attend(&self, x: Tensor<4>, drop: &DropPath, branch: usize) -> Tensor<4> {
        let mixed = self.attn.forward(x.clone());
        self.local_conv.forward(drop.add(x, mixed, branch))
    }

    /// Second half: the MLP, `[batch, height, width, dim]`.
    pub(crate) fn transform(&self, x: Tensor<4>, drop: &DropPath, branch: usize) -> Tensor<4> {
        let changed = self.mlp.forward(x.clone());
        drop.add(x, changed, branch)
    }
}
