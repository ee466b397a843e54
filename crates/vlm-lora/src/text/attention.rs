//! Attention of tokens to those before them, several queries a key.

use burn::tensor::{Tensor, activation};
use cifake_kernels::text::{self, Scores};

use super::cache::{LayerCache, append};
use super::config::{BlockKind, TextConfig};
use super::window::Window;
use crate::error::Error;
use crate::nn::{Linear, LoraTargets};
use crate::source::WeightSource;

/// The score of a masked key. With `-inf` a row without other keys would become NaN.
const ABSENT: f32 = -1e9;

/// Self-attention with rotary positions.
#[derive(Debug, Clone)]
pub(super) struct Attention {
    q_proj: Linear,
    k_proj: Linear,
    v_proj: Linear,
    o_proj: Linear,
    n_heads: usize,
    n_kv_heads: usize,
    d_head: usize,
    /// Factor of the products of queries and keys.
    scale: f64,
    softcap: Option<f64>,
    /// Number of tokens that a token sees, itself included; `None` for all.
    sliding: Option<usize>,
}

impl Attention {
    /// That of the layer `index`, at `path`.
    pub(super) fn new(
        weights: &mut dyn WeightSource,
        path: &str,
        config: &TextConfig,
        index: usize,
    ) -> Result<Self, Error> {
        let TextConfig { d_model, n_heads, n_kv_heads, d_head, qkv_bias, .. } = *config;
        let mut projection = |name: &str, n_heads: usize| {
            let shape = [d_model, n_heads * d_head];
            Linear::new(weights, &format!("{path}.{name}"), shape, qkv_bias)
        };
        let q_proj = projection("q_proj", n_heads)?;
        let k_proj = projection("k_proj", n_kv_heads)?;
        let v_proj = projection("v_proj", n_kv_heads)?;
        let output = match config.block {
            BlockKind::Sequential | BlockKind::Sandwich => "o_proj",
            BlockKind::Parallel => "dense",
        };
        let shape = [n_heads * d_head, d_model];
        let output = format!("{path}.{output}");
        let o_proj = Linear::new(weights, &output, shape, config.output_bias)?;
        let (scale, softcap) = (config.query_scale(), config.attention_softcap);
        let sliding = config.window(index);
        Ok(Self {
            q_proj,
            k_proj,
            v_proj,
            o_proj,
            n_heads,
            n_kv_heads,
            d_head,
            scale,
            softcap,
            sliding,
        })
    }

    /// The attention of `x`, `[batch, tokens, d_model]`, to itself and to what `cache` holds.
    pub(super) fn forward(
        &self,
        x: Tensor<3>,
        window: &Window,
        cache: Option<&mut LayerCache>,
    ) -> Tensor<3> {
        let query = self.q_proj.forward(x.clone());
        let key = self.k_proj.forward(x.clone());
        let value = self.v_proj.forward(x);
        let mixed = match cache {
            Some(LayerCache::Host(cache)) => {
                let scores = Scores {
                    scale: self.scale as f32,
                    softcap: self.softcap.map(|softcap| softcap as f32),
                    window: self.sliding,
                    prefixes: window.prefixes(),
                };
                text::attend(query, key, value, window.rotary(), scores, cache)
            }
            Some(LayerCache::Device(both)) => {
                self.composed(query, key, value, window, |new| append(both, window.len(), new))
            }
            None => self.composed(query, key, value, window, |new| new),
        };
        self.o_proj.forward(mixed)
    }

    /// Attention by burn's operations; `with_earlier` adds the earlier keys and values.
    fn composed(
        &self,
        query: Tensor<3>,
        key: Tensor<3>,
        value: Tensor<3>,
        window: &Window,
        with_earlier: impl FnOnce([Tensor<4>; 2]) -> [Tensor<4>; 2],
    ) -> Tensor<3> {
        let split = |x: Tensor<3>, n_heads: usize| {
            let [batch, n_tokens, _] = x.dims();
            x.reshape([batch, n_tokens, n_heads, self.d_head]).swap_dims(1, 2)
        };
        let query = window.rotation().apply(split(query, self.n_heads));
        let key = window.rotation().apply(split(key, self.n_kv_heads));
        let keys_values = with_earlier([key, split(value, self.n_kv_heads)]);
        self.attend(query, keys_values, window)
    }

    /// The queries that share a key are rows of one product.
    fn attend(
        &self,
        query: Tensor<4>,
        [keys, values]: [Tensor<4>; 2],
        window: &Window,
    ) -> Tensor<3> {
        let Self { n_heads, n_kv_heads, d_head, .. } = *self;
        let [batch, _, n_tokens, _] = query.dims();
        let n_keys = keys.dims()[2];
        let n_rows = n_heads / n_kv_heads * n_tokens;
        let query = query * self.scale;
        let query = query.reshape([batch, n_kv_heads, n_rows, d_head]);
        let mut scores = query.matmul(keys.swap_dims(2, 3));
        if let Some(softcap) = self.softcap {
            scores = capped(scores, softcap);
        }
        if let Some(mask) = window.mask(self.sliding) {
            let by_head = scores.reshape([batch, n_heads, n_tokens, n_keys]);
            let mask = mask.clone().expand([batch, n_heads, n_tokens, n_keys]);
            scores = by_head.mask_fill(mask, ABSENT).reshape([batch, n_kv_heads, n_rows, n_keys]);
        }
        let mixed = activation::softmax(scores, 3).matmul(values);
        let mixed = mixed.reshape([batch, n_heads, n_tokens, d_head]).swap_dims(1, 2);
        mixed.reshape([batch, n_tokens, n_heads * d_head])
    }
}

/// `softcap * tanh(x / softcap)`: nearly `x` where it is small, and never beyond `softcap`.
pub(super) fn capped<const D: usize>(x: Tensor<D>, softcap: f64) -> Tensor<D> {
    (x / softcap).tanh() * softcap
}

impl LoraTargets for Attention {
    fn visit_linears(&mut self, visit: &mut dyn FnMut(&mut Linear)) {
        for linear in [&mut self.q_proj, &mut self.k_proj, &mut self.v_proj, &mut self.o_proj] {
            visit(linear);
        }
    }
}
