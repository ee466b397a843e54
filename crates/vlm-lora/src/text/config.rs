//! Configuration of a decoder.

use crate::nn::NormKind;

/// The connection of a layer's two halves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BlockKind {
    /// Attention, then the MLP, each with a norm before it and a sum after it.
    Sequential,
    /// [`Sequential`](Self::Sequential), with a norm behind each half as well, before its sum (Gemma 2).
    Sandwich,
    /// Both read one norm's output, and both are added at once (Phi).
    Parallel,
}

/// The MLP of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MlpKind {
    /// `down(silu(gate(x)) * up(x))`.
    SwiGlu,
    /// `down(gelu(gate(x)) * up(x))` with the tanh approximation (Gemma).
    GeGlu,
    /// `fc2(gelu(fc1(x)))` with the tanh approximation, `gelu_new` upstream.
    GeluNew,
}

/// The stretching of a rotary embedding's frequencies for long contexts.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum RotaryScaling {
    /// Not at all.
    None,
    /// All divided by a factor.
    Linear {
        /// The factor.
        factor: f64,
    },
    /// Low ones divided by a factor, high ones not, those between in part (Llama 3.1).
    Llama3 {
        /// The factor.
        factor: f64,
        /// Wavelengths above the old context divided by it are divided by the whole factor.
        low_frequency_factor: f64,
        /// Wavelengths below the old context divided by it are not.
        high_frequency_factor: f64,
        /// Tokens of the old context.
        old_context: usize,
    },
}

/// Rotary position embedding.
#[derive(Debug, Clone, PartialEq)]
pub struct RotaryConfig {
    /// Base of the frequencies.
    pub theta: f64,
    /// Channels of a head that are turned, from the first on; even.
    pub d_rotary: usize,
    /// The numbers of the `d_rotary / 2` frequencies that belong to time, height and width (M-RoPE
    /// of Qwen2-VL, arXiv 2409.12191). `None` if a position is one number.
    pub sections: Option<[usize; 3]>,
    /// Stretching.
    pub scaling: RotaryScaling,
}

/// Layers that see the last tokens alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlidingWindow {
    /// Number of tokens that a token sees, itself included. Those of a common prefix see each other
    /// beyond it.
    pub n_tokens: usize,
    /// Whether each layer is such a layer. A layer behind the list sees all tokens.
    pub layers: Vec<bool>,
}

/// The sizes and the computations of a decoder.
#[derive(Debug, Clone, PartialEq)]
pub struct TextConfig {
    /// Tokens.
    pub vocab_size: usize,
    /// Channels between layers.
    pub d_model: usize,
    /// Channels inside an MLP.
    pub d_mlp: usize,
    /// Layers.
    pub n_layers: usize,
    /// Heads of queries.
    pub n_heads: usize,
    /// Heads of keys and values, a divisor of `n_heads`.
    pub n_kv_heads: usize,
    /// Channels of a head.
    pub d_head: usize,
    /// Kind of all norms.
    pub norm: NormKind,
    /// Added to what a norm divides by.
    pub norm_epsilon: f64,
    /// The MLP.
    pub mlp: MlpKind,
    /// The connection of attention and MLP.
    pub block: BlockKind,
    /// Whether queries, keys and values have biases.
    pub qkv_bias: bool,
    /// Whether attention's output has a bias.
    pub output_bias: bool,
    /// Whether the MLP has biases.
    pub mlp_bias: bool,
    /// Whether the head has a bias.
    pub head_bias: bool,
    /// Whether the head's weight is the embedding's.
    pub tied: bool,
    /// Positions.
    pub rotary: RotaryConfig,
    /// Tokens of a sequence that the model was made for.
    pub max_positions: usize,
    /// Factor of the vectors of tokens.
    pub embedding_scale: f64,
    /// The number whose root divides the products of queries and keys; `None` for `d_head`.
    pub query_pre_attn_scalar: Option<f64>,
    /// The bound `c` of attention scores: a score `s` becomes `c tanh(s / c)`.
    pub attention_softcap: Option<f64>,
    /// The same of the head's scores.
    pub final_softcap: Option<f64>,
    /// Layers that do not see all tokens.
    pub sliding_window: Option<SlidingWindow>,
}

impl TextConfig {
    /// A Llama without biases: RMS norm, SwiGLU, untied, heads of `d_model / n_heads` channels, all of
    /// them turned with the base 10,000.
    ///
    /// # Panics
    /// If `n_heads` is 0.
    #[must_use]
    pub fn llama(
        vocab_size: usize,
        [d_model, d_mlp]: [usize; 2],
        n_layers: usize,
        [n_heads, n_kv_heads]: [usize; 2],
    ) -> Self {
        let d_head = d_model / n_heads;
        Self {
            vocab_size,
            d_model,
            d_mlp,
            n_layers,
            n_heads,
            n_kv_heads,
            d_head,
            norm: NormKind::Rms,
            norm_epsilon: 1e-6,
            mlp: MlpKind::SwiGlu,
            block: BlockKind::Sequential,
            qkv_bias: false,
            output_bias: false,
            mlp_bias: false,
            head_bias: false,
            tied: false,
            rotary: RotaryConfig {
                theta: 10_000.0,
                d_rotary: d_head,
                sections: None,
                scaling: RotaryScaling::None,
            },
            max_positions: 2048,
            embedding_scale: 1.0,
            query_pre_attn_scalar: None,
            attention_softcap: None,
            final_softcap: None,
            sliding_window: None,
        }
    }

    /// The decoder of Qwen2-VL-2B.
    #[must_use]
    pub fn qwen2_vl_2b() -> Self {
        Self { tied: true, ..Self::qwen2_vl(151_936, [1536, 8960], [12, 2]) }
    }

    /// The decoder of Qwen2-VL-7B.
    #[must_use]
    pub fn qwen2_vl_7b() -> Self {
        Self::qwen2_vl(152_064, [3584, 18_944], [28, 4])
    }

    fn qwen2_vl(vocab_size: usize, d: [usize; 2], heads: [usize; 2]) -> Self {
        let mut config = Self::llama(vocab_size, d, 28, heads);
        config.qkv_bias = true;
        config.rotary.theta = 1e6;
        config.rotary.sections = Some([16, 24, 24]);
        config.max_positions = 32_768;
        config
    }

    /// Phi-2, the decoder of MC-LLaVA-3b.
    #[must_use]
    pub fn phi_2() -> Self {
        let mut config = Self::llama(51_200, [2560, 10_240], 32, [32, 32]).into_phi();
        config.rotary.d_rotary = 32;
        config
    }

    /// Gemma 2B, the decoder of PaliGemma.
    #[must_use]
    pub fn gemma_2b() -> Self {
        let config = Self::llama(256_000, [2048, 16_384], 18, [8, 1]).into_gemma();
        Self { max_positions: 8192, ..config }
    }

    /// Gemma 2 2B, the decoder of PaliGemma 2 3B.
    #[must_use]
    pub fn gemma2_2b() -> Self {
        let mut config = Self::llama(256_000, [2304, 9216], 26, [8, 4]).into_gemma();
        config.block = BlockKind::Sandwich;
        config.query_pre_attn_scalar = Some(256.0);
        (config.attention_softcap, config.final_softcap) = (Some(50.0), Some(30.0));
        let layers = (0..config.n_layers).map(|index| index % 2 == 0).collect();
        config.sliding_window = Some(SlidingWindow { n_tokens: 4096, layers });
        (config.d_head, config.rotary.d_rotary) = (256, 256);
        config.max_positions = 8192;
        config
    }

    /// Number of tokens that a token sees in the layer `index`, itself included; `None` for all.
    pub(super) fn window(&self, index: usize) -> Option<usize> {
        let sliding = self.sliding_window.as_ref()?;
        sliding.layers.get(index).is_some_and(|slides| *slides).then_some(sliding.n_tokens)
    }

    /// Factor of the products of queries and keys.
    pub(super) fn query_scale(&self) -> f64 {
        self.query_pre_attn_scalar.unwrap_or(self.d_head as f64).powf(-0.5)
    }

    /// The same sizes in the form of Gemma: norms whose weights are kept less 1, GeGLU, scaled vectors of
    /// tokens, a tied head.
    pub(super) fn into_gemma(self) -> Self {
        Self {
            norm: NormKind::RmsFromOne,
            mlp: MlpKind::GeGlu,
            tied: true,
            embedding_scale: (self.d_model as f64).sqrt(),
            ..self
        }
    }

    /// The same sizes in the form of Phi: layer norm, biases, one norm for attention and MLP.
    pub(super) fn into_phi(self) -> Self {
        Self {
            norm: NormKind::Layer,
            norm_epsilon: 1e-5,
            mlp: MlpKind::GeluNew,
            block: BlockKind::Parallel,
            qkv_bias: true,
            output_bias: true,
            mlp_bias: true,
            head_bias: true,
            ..self
        }
    }
}
