//! One layer of a decoder.

use burn::tensor::Tensor;

use super::attention::Attention;
use super::cache::LayerCache;
use super::config::{BlockKind, TextConfig};
use super::mlp::Mlp;
use super::window::Window;
use crate::error::Error;
use crate::nn::{Linear, LoraTargets, Norm};
use crate::source::WeightSource;

/// Attention and MLP.
#[derive(Debug, Clone)]
pub struct DecoderLayer {
    input_layernorm: Norm,
    self_attn: Attention,
    norms: Norms,
    mlp: Mlp,
}

/// The norms behind the first one, by the kind of the layer.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "there is one a layer")]
enum Norms {
    Sequential {
        post_attention_layernorm: Norm,
    },
    Sandwich {
        post_attention_layernorm: Norm,
        pre_feedforward_layernorm: Norm,
        post_feedforward_layernorm: Norm,
    },
    Parallel,
}

impl DecoderLayer {
    /// The layer `index` at `path`.
    pub(super) fn new(
        weights: &mut dyn WeightSource,
        path: &str,
        config: &TextConfig,
        index: usize,
    ) -> Result<Self, Error> {
        let mut norm = |name: &str| {
            let path = format!("{path}.{name}");
            Norm::new(weights, &path, config.d_model, config.norm, config.norm_epsilon)
        };
        let input_layernorm = norm("input_layernorm")?;
        let norms = match config.block {
            BlockKind::Sequential => {
                Norms::Sequential { post_attention_layernorm: norm("post_attention_layernorm")? }
            }
            BlockKind::Sandwich => Norms::Sandwich {
                post_attention_layernorm: norm("post_attention_layernorm")?,
                pre_feedforward_layernorm: norm("pre_feedforward_layernorm")?,
                post_feedforward_layernorm: norm("post_feedforward_layernorm")?,
            },
            BlockKind::Parallel => Norms::Parallel,
        };
        let self_attn = Attention::new(weights, &format!("{path}.self_attn"), config, index)?;
        let mlp = Mlp::new(weights, &format!("{path}.mlp"), config)?;
        Ok(Self { input_layernorm, self_attn, norms, mlp })
    }

    /// Maps `x`, `[batch, tokens, d_model]`, to the same shape, without earlier tokens.
    #[must_use]
    pub fn forward(&self, x: Tensor<3>, window: &Window) -> Tensor<3> {
        self.forward_cached(x, window, None)
    }

    pub(super) fn forward_cached(
        &self,
        x: Tensor<3>,
        window: &Window,
        cache: Option<&mut LayerCache>,
    ) -> Tensor<3> {
        let normed = self.input_layernorm.forward(x.clone());
        let attended = self.self_attn.forward(normed.clone(), window, cache);
        match &self.norms {
            Norms::Sequential { post_attention_layernorm } => {
                let x = x + attended;
                x.clone() + self.mlp.forward(post_attention_layernorm.forward(x))
            }
            Norms::Sandwich {
                post_attention_layernorm,
                pre_feedforward_layernorm,
                post_feedforward_layernorm,
            } => {
                let x = x + post_attention_layernorm.forward(attended);
                let mixed = self.mlp.forward(pre_feedforward_layernorm.forward(x.clone()));
                x + post_feedforward_layernorm.forward(mixed)
            }
            Norms::Parallel => attended + self.mlp.forward(normed) + x,
        }
    }
}

impl LoraTargets for DecoderLayer {
    fn visit_linears(&mut self, visit: &mut dyn FnMut(&mut Linear)) {
        self.self_attn.visit_linears(visit);
        self.mlp.visit_linears(visit);
    }
}
