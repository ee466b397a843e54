//! A block.

use burn::module::{Module, Param};
use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor};

use crate::attention::multi_head;
use crate::kept::Kept;
use crate::pre_norm::{Norm, PreNorm, RowMap};
use crate::{Activation, VitConfig};

/// Attention and an MLP, each after a norm and around a shortcut.
#[derive(Module, Debug)]
pub struct Block {
    /// Before attention.
    pub norm1: LayerNorm,
    /// Attention of every token to every other.
    pub attn: Attention,
    /// LayerScale of attention.
    pub ls1: Option<LayerScale>,
    /// Before the MLP.
    pub norm2: LayerNorm,
    /// The MLP.
    pub mlp: Mlp,
    /// LayerScale of the MLP.
    pub ls2: Option<LayerScale>,
    #[module(skip)]
    activation: Activation,
    n_heads: usize,
    epsilon: f64,
}

/// The linear maps of attention.
#[derive(Module, Debug)]
pub struct Attention {
    /// To queries, keys and values: `[dim, 3 * dim]`.
    pub qkv: Linear,
    /// Of the heads' outputs.
    pub proj: Linear,
}

/// Two linear maps.
#[derive(Module, Debug)]
pub struct Mlp {
    /// To the wider space.
    pub fc1: Linear,
    /// And back.
    pub fc2: Linear,
}

/// A factor a channel.
#[derive(Module, Debug)]
pub struct LayerScale {
    /// The factors, `[dim]`.
    pub gamma: Param<Tensor<1>>,
}

impl Block {
    pub(crate) fn new(config: &VitConfig, device: &Device) -> Self {
        let VitConfig { dim, d_mlp, n_heads, epsilon, activation, .. } = *config;
        let norm = || LayerNormConfig::new(dim).with_epsilon(epsilon).init(device);
        let scale = || {
            let factor = config.layer_scale?;
            let gamma = Param::from_tensor(Tensor::full([dim], factor, device));
            Some(LayerScale { gamma })
        };
        let qkv = LinearConfig::new(dim, 3 * dim).with_bias(config.qkv_bias);
        Self {
            norm1: norm(),
            attn: Attention {
                qkv: qkv.init(device),
                proj: LinearConfig::new(dim, dim).init(device),
            },
            ls1: scale(),
            norm2: norm(),
            mlp: Mlp {
                fc1: LinearConfig::new(dim, d_mlp).init(device),
                fc2: LinearConfig::new(d_mlp, dim).init(device),
            },
            ls2: scale(),
            activation,
            n_heads,
            epsilon,
        }
    }

    /// Tokens `[batch, tokens, dim]` to the same.
    #[must_use]
    pub fn forward(&self, x: Tensor<3>, kept: Kept) -> Tensor<3> {
        let norm = |layer| Norm { layer, epsilon: self.epsilon };
        let [kept1, kept2] = kept;
        let layers = PreNorm {
            norms: [norm(&self.norm1), norm(&self.norm2)],
            mlp: [&self.mlp.fc1, &self.mlp.fc2],
            activation: self.activation,
            scales: [factors(self.ls1.as_ref(), kept1), factors(self.ls2.as_ref(), kept2)],
        };
        layers.forward(x, |x| self.attention(x))
    }

    fn attention(&self, x: Tensor<3>) -> Tensor<3> {
        let dim = x.dims()[2];
        let qkv = self.attn.qkv.map_rows(x);
        let parts = [0, 1, 2].map(|part| qkv.clone().narrow(2, part * dim, dim));
        self.attn.proj.map_rows(multi_head(parts, self.n_heads))
    }
}

/// Both factors of a branch as one that broadcasts to `[batch, tokens, dim]`.
fn factors(scale: Option<&LayerScale>, kept: Option<Tensor<1>>) -> Option<Tensor<3>> {
    let scale = scale.map(|scale| scale.gamma.val().unsqueeze::<3>());
    let kept = kept.map(|kept| kept.reshape([-1, 1, 1]));
    match (scale, kept) {
        (Some(scale), Some(kept)) => Some(scale * kept),
        (scale, kept) => scale.or(kept),
    }
}
