//! Configuration of a decoder.

use crate::nn::NormKind;

/// The connection of a layer's two halves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BlockKind {
    /// Attention, then the MLP, each with a norm before it and a sum after it.
    Sequential,
    /// Both read one norm's output, and both are added at once (Phi).
    Parallel,
}

/// The MLP of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MlpKind {
    /// `down(silu(gate(x)) * up(x))`.
    SwiGlu,
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
