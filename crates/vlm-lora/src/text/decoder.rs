//! The decoder: tokens or embeddings in, logits out.

use burn::tensor::{Device, Tensor};

use super::attention::capped;
use super::cache::Cache;
use super::config::{BlockKind, TextConfig};
use super::layer::DecoderLayer;
use super::mask::AttentionMask;
use super::position::Positions;
use super::window::Window;
use crate::error::Error;
use crate::nn::{Embedding, Linear, LoraTargets, Norm};
use crate::source::{Matrix, WeightSource, tensor};

/// The names under which a checkpoint keeps the parts of a decoder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecoderNames {
    /// Path of embedding, layers and last norm.
    pub model: String,
    /// Path of the head.
    pub head: String,
}

impl Default for DecoderNames {
    /// `model` and `lm_head`, as in every causal model of transformers.
    fn default() -> Self {
        Self { model: "model".to_owned(), head: "lm_head".to_owned() }
    }
}

/// A decoder with its embedding and head.
#[derive(Debug, Clone)]
pub struct Decoder {
    config: TextConfig,
    embedding: Embedding,
    layers: Vec<DecoderLayer>,
    norm: Norm,
    /// Its weight may be the embedding's.
    lm_head: Linear,
    names: DecoderNames,
    device: Device,
}

impl Decoder {
    /// The decoder of `config`, whose weights stand in the source under `names`.
    ///
    /// A file may hold weights of a head that the configuration ties to the embedding. They count
    /// if they differ from the embedding, or if the embedding is missing (transformers 5.24,
    /// `modeling_utils.py`, `tie_weights`).
    ///
    /// # Errors
    /// Those of `weights`.
    pub fn new(
        weights: &mut dyn WeightSource,
        config: &TextConfig,
        names: &DecoderNames,
    ) -> Result<Self, Error> {
        let DecoderNames { model, head } = names;
        let TextConfig { vocab_size, d_model, .. } = *config;
        let path = format!("{model}.embed_tokens");
        let tied = config.tied;
        let stored = |weights: &dyn WeightSource, path: &str| {
            tied && weights.is_stored(&format!("{path}.weight"))
        };
        let head_alone = stored(weights, head) && !stored(weights, &path);
        let path = if head_alone { head.clone() } else { path };
        let embedding = Embedding::new(weights, &path, vocab_size, d_model)?;
        let layer = |i| DecoderLayer::new(weights, &format!("{model}.layers.{i}"), config, i);
        let layers = (0..config.n_layers).map(layer).collect::<Result<_, _>>()?;
        let norm = match config.block {
            BlockKind::Sequential | BlockKind::Sandwich => "norm",
            BlockKind::Parallel => "final_layernorm",
        };
        let norm = format!("{model}.{norm}");
        let norm = Norm::new(weights, &norm, d_model, config.norm, config.norm_epsilon)?;
        let shape = [d_model, vocab_size];
        let mut config = config.clone();
        let own = if !tied || (stored(weights, head) && !head_alone) {
            Some(Linear::new(weights, head, shape, config.head_bias)?)
        } else {
            None
        };
        let differs = |own: &Linear| !tied || !own.weight().equals(embedding.weight());
        let lm_head = match own {
            Some(own) if differs(&own) => {
                config.tied = false;
                own
            }
            Some(own) => Linear::shared(head, embedding.weight().clone(), own.bias().cloned()),
            None => {
                let bias = || tensor(weights, &format!("{head}.bias"), [vocab_size]);
                let bias = config.head_bias.then(bias).transpose()?;
                Linear::shared(head, embedding.weight().clone(), bias)
            }
        };
        let device = weights.device().clone();
        Ok(Self { config, embedding, layers, norm, lm_head, names: names.clone(), device })
    }

    /// The decoder's configuration.
    #[must_use]
    pub fn config(&self) -> &TextConfig {
        &self.config
    }

    /// The names of its checkpoint.
    #[must_use]
    pub fn names(&self) -> &DecoderNames {
        &self.names
    }

    /// The device of its weights.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The vectors of all tokens.
    #[must_use]
    pub fn embedding(&self) -> &Embedding {
        &self.embedding
    }

    /// The vectors of `tokens`, `[tokens, d_model]`, as the first layer reads them.
    ///
    /// # Panics
    /// If a token is not below the vocabulary's size.
    #[must_use]
    pub fn embed(&self, tokens: &[u32]) -> Tensor<2> {
        let vectors = self.embedding.forward(tokens);
        match self.config.embedding_scale {
            1.0 => vectors,
            scale => vectors * scale,
        }
    }

    /// An empty cache for `capacity` tokens of `n_pads.len()` sequences, of which the first
    /// `n_pads[i]` tokens do not count.
    #[must_use]
    pub fn cache(&self, n_pads: Vec<usize>, capacity: usize) -> Cache {
        Cache::new(&self.config, n_pads, capacity, &self.device)
    }

    /// The last hidden states, `[batch, tokens, d_model]`, of `embeddings` of the same shape, which
    /// stand at `positions` behind the tokens of `cache`. Attention is causal.
    ///
    /// # Panics
    /// If the shapes do not fit each other, or the cache is full.
    #[must_use]
    pub fn forward(
        &self,
        embeddings: Tensor<3>,
        positions: &Positions,
        cache: Option<&mut Cache>,
    ) -> Tensor<3> {
        self.forward_masked(embeddings, positions, &AttentionMask::Causal, cache)
    }

    /// [`forward`](Self::forward) with another mask. Prefixes stand in the first call of a cache.
    ///
    /// # Panics
    /// As [`forward`](Self::forward); if the mask is of another batch.
    #[must_use]
    pub fn forward_masked(
        &self,
        embeddings: Tensor<3>,
        positions: &Positions,
        mask: &AttentionMask,
        mut cache: Option<&mut Cache>,
    ) -> Tensor<3> {
        let window = self.window_masked(&embeddings, positions, mask, cache.as_deref());
        let mut x = embeddings;
        for (index, layer) in self.layers.iter().enumerate() {
            let cache = cache.as_deref_mut().map(|cache| cache.layer(index));
            x = layer.forward_cached(x, &window, cache);
        }
        if let Some(cache) = cache {
            cache.grow(positions.shape()[2]);
        }
        self.norm.forward(x)
    }

    /// The layers, for a caller that runs them one by one, as gradient checkpointing does:
    /// [`window`](Self::window), each layer's `forward`, [`normalize`](Self::normalize).
    #[must_use]
    pub fn layers(&self) -> &[DecoderLayer] {
        &self.layers
    }

    /// The positions and the mask that all layers share for these tokens, with causal attention.
    ///
    /// # Panics
    /// If the shapes do not fit each other, or the cache is full.
    #[must_use]
    pub fn window(
        &self,
        embeddings: &Tensor<3>,
        positions: &Positions,
        cache: Option<&Cache>,
    ) -> Window {
        self.window_masked(embeddings, positions, &AttentionMask::Causal, cache)
    }

    /// [`window`](Self::window) with another mask.
    ///
    /// # Panics
    /// As [`forward_masked`](Self::forward_masked).
    #[must_use]
    pub fn window_masked(
        &self,
        embeddings: &Tensor<3>,
        positions: &Positions,
        mask: &AttentionMask,
        cache: Option<&Cache>,
    ) -> Window {
        let [batch, n_tokens, _] = embeddings.dims();
        let [_, p_batch, p_tokens] = positions.shape();
        assert_eq!([batch, n_tokens], [p_batch, p_tokens], "one position a token");
        if let Some(cache) = cache {
            assert!(cache.len() + n_tokens <= cache.capacity(), "the cache is full");
        }
        Window::new(&self.config, positions, mask, cache, &embeddings.device())
    }

    /// The last norm, after the last layer.
    #[must_use]
    pub fn normalize(&self, x: Tensor<3>) -> Tensor<3> {
        self.norm.forward(x)
    }

    /// The scores of every token of the vocabulary, `[..., vocab_size]`, of the hidden states that
    /// [`forward`](Self::forward) returned.
    #[must_use]
    pub fn logits<const D: usize>(&self, hidden: Tensor<D>) -> Tensor<D> {
        let scores = self.lm_head.forward(hidden);
        match self.config.final_softcap {
            Some(softcap) => capped(scores, softcap),
            None => scores,
        }
    }
}

impl LoraTargets for Decoder {
    fn visit_linears(&mut self, visit: &mut dyn FnMut(&mut Linear)) {
        for layer in &mut self.layers {
            layer.visit_linears(visit);
        }
        visit(&mut self.lm_head);
    }

    fn embedding(&self) -> Option<&Matrix> {
        Some(self.embedding.weight())
    }
}
