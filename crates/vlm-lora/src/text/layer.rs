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
    /// Of a sequential layer.
    post_attention_layernorm: Option<Norm>,
    mlp: Mlp,
}

impl DecoderLayer {
    /// The layer at `path`.
    pub(super) fn new(
        weights: &mut dyn WeightSource,
        path: &str,
        config: &TextConfig,
    ) -> Result<Self, Error> {
        let mut norm = |name: &str| {
            let path = format!("{path}.{name}");
            Norm::new(weights, &path, config.d_model, config.norm, config.norm_epsilon)
        };
        let input_layernorm = norm("input_layernorm")?;
        let post_attention_layernorm = match config.block {
            BlockKind::Sequential => Some(norm("post_attention_layernorm")?),
            BlockKind::Parallel => None,
        };
        let self_attn = Attention::new(weights, &format!("{path}.self_attn"), config)?;
        let mlp = Mlp::new(weights, &format!("{path}.mlp"), config)?;
        Ok(Self { input_layernorm, self_attn, post_attention_layernorm, mlp })
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
        match &self.post_attention_layernorm {
            Some(norm) => {
                let x = x + attended;
                x.clone() + self.mlp.forward(norm.forward(x))
            }
            None => attended + self.mlp.forward(normed) + x,
        }
    }
}

impl LoraTargets for DecoderLayer {
    fn visit_linears(&mut self, visit: &mut dyn FnMut(&mut Linear)) {
        self.self_attn.visit_linears(visit);
        self.mlp.visit_linears(visit);
    }
}
