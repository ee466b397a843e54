//! Shape of a vision transformer.

use serde::{Deserialize, Serialize};

use crate::{Activation, Interpolation};

/// Longest side of pictures in pixels.
const MAX_SIDE: usize = 2048;
const MAX_PATCH: usize = 128;
const MAX_WIDTH: usize = 1 << 13;
const MAX_D_MLP: usize = 1 << 16;
const MAX_DEPTH: usize = 128;
/// The most tokens of a picture: 518 pixels in patches of 14 are 1,370.
const MAX_TOKENS: usize = 1 << 14;

/// Mean and standard deviation of the channels of pixels in `[0, 1]`.
type MeanStd = ([f32; 3], [f32; 3]);
const HALVES: MeanStd = ([0.5; 3], [0.5; 3]);
const IMAGENET: MeanStd = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
const CLIP: MeanStd =
    ([0.481_454_66, 0.457_827_5, 0.408_210_73], [0.268_629_54, 0.261_302_6, 0.275_777_1]);

/// The reduction of the last block's tokens to one vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Pooling {
    /// The class token.
    ClassToken,
    /// The mean of the patches' tokens.
    Mean,
}

/// The place of the last norm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LastNorm {
    /// Before the pooling: `norm`.
    Tokens,
    /// After it: timm's `fc_norm`.
    Pooled,
}

/// Shape of a [`Vit`](crate::Vit).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VitConfig {
    /// Height and width of the pictures, a multiple of `patch`.
    pub side: usize,
    /// Height and width of a patch.
    pub patch: usize,
    /// Channels of a token.
    pub dim: usize,
    /// Blocks.
    pub depth: usize,
    /// Heads, a divisor of `dim`.
    pub n_heads: usize,
    /// Channels inside an MLP.
    pub d_mlp: usize,
    /// Whether a learned token stands before those of the patches.
    pub class_token: bool,
    /// Whether tokens are normalized before the first block, as in CLIP.
    pub pre_norm: bool,
    /// The initial factors of LayerScale, in blocks that have it.
    pub layer_scale: Option<f64>,
    /// Activation of the MLPs.
    pub activation: Activation,
    /// Whether the patch embedding has a bias.
    pub patch_bias: bool,
    /// Whether queries, keys and values have biases.
    pub qkv_bias: bool,
    /// The reduction of the last block's tokens to one vector.
    pub pooling: Pooling,
    /// The place of the last norm.
    pub last_norm: LastNorm,
    /// Length of the embedding after a linear map without bias that ends the network, as in CLIP.
    pub projection: Option<usize>,
    /// Added to the variance in a norm.
    pub epsilon: f64,
    /// The interpolation of weights of another `side`.
    pub interpolation: Interpolation,
    /// Rate of stochastic depth in training (Huang et al. 2016, arXiv 1603.09382) in the last block, at least 0 and
    /// below 1; it rises from 0 in the first.
    #[serde(default)]
    pub drop_path: f64,
    /// Mean of the channels of pixels in `[0, 1]`.
    pub mean: [f32; 3],
    /// Their standard deviation.
    pub std: [f32; 3],
}

impl VitConfig {
    /// timm's `vit_base_patch16_224`.
    #[must_use]
    pub fn base16() -> Self {
        Self::published(16, 768, 12, 12)
    }

    /// timm's `vit_tiny_patch16_224`.
    #[must_use]
    pub fn tiny16() -> Self {
        Self::published(16, 192, 12, 3)
    }

    /// timm's `vit_small_patch16_224`.
    #[must_use]
    pub fn small16() -> Self {
        Self::published(16, 384, 12, 6)
    }

    /// timm's `vit_large_patch16_224`.
    #[must_use]
    pub fn large16() -> Self {
        Self::published(16, 1024, 24, 16)
    }

    /// On 32x32 in patches of 4: 2.7 M weights, 171 MMAC; the mean token is the embedding.
    #[must_use]
    pub fn small_32() -> Self {
        Self {
            side: 32,
            class_token: false,
            pooling: Pooling::Mean,
            ..Self::published(4, 192, 6, 3)
        }
    }

    /// The vision tower of OpenAI's CLIP ViT-B/32: 512 values.
    #[must_use]
    pub fn clip_base32() -> Self {
        Self::published(32, 768, 12, 12).into_clip(512)
    }

    /// The vision tower of OpenAI's CLIP ViT-L/14: 768 values.
    #[must_use]
    pub fn clip_large14() -> Self {
        Self::published(14, 1024, 24, 16).into_clip(768)
    }

    /// The same with the exact GELU, as LAION's weights of open_clip have it.
    #[must_use]
    pub fn laion(self) -> Self {
        Self { activation: Activation::Gelu, ..self }
    }

    /// DINOv2 ViT-S/14 with its table of positions for 518x518.
    #[must_use]
    pub fn dinov2_small14() -> Self {
        Self::published(14, 384, 12, 6).into_dinov2()
    }

    /// DINOv2 ViT-B/14.
    #[must_use]
    pub fn dinov2_base14() -> Self {
        Self::published(14, 768, 12, 12).into_dinov2()
    }

    /// DINOv2 ViT-L/14.
    #[must_use]
    pub fn dinov2_large14() -> Self {
        Self::published(14, 1024, 24, 16).into_dinov2()
    }

    /// The names of the presets.
    pub const PRESETS: &'static [&'static str] = &[
        "vit_32",
        "vit_tiny_patch16_224",
        "vit_small_patch16_224",
        "vit_base_patch16_224",
        "vit_large_patch16_224",
        "clip_vit_base_patch32",
        "clip_vit_large_patch14",
        "dinov2_vits14",
        "dinov2_vitb14",
        "dinov2_vitl14",
    ];

    /// The preset called `name`, one of [`PRESETS`](Self::PRESETS).
    #[must_use]
    pub fn preset(name: &str) -> Option<Self> {
        Some(match name {
            "vit_32" => Self::small_32(),
            "vit_tiny_patch16_224" => Self::tiny16(),
            "vit_small_patch16_224" => Self::small16(),
            "vit_base_patch16_224" => Self::base16(),
            "vit_large_patch16_224" => Self::large16(),
            "clip_vit_base_patch32" => Self::clip_base32(),
            "clip_vit_large_patch14" => Self::clip_large14(),
            "dinov2_vits14" => Self::dinov2_small14(),
            "dinov2_vitb14" => Self::dinov2_base14(),
            "dinov2_vitl14" => Self::dinov2_large14(),
            _ => return None,
        })
    }

    fn published(patch: usize, dim: usize, depth: usize, n_heads: usize) -> Self {
        Self {
            side: 224,
            patch,
            dim,
            depth,
            n_heads,
            d_mlp: 4 * dim,
            class_token: true,
            pre_norm: false,
            layer_scale: None,
            activation: Activation::Gelu,
            patch_bias: true,
            qkv_bias: true,
            pooling: Pooling::ClassToken,
            last_norm: LastNorm::Tokens,
            projection: None,
            epsilon: 1e-6,
            interpolation: Interpolation::Antialiased,
            drop_path: 0.0,
            mean: HALVES.0,
            std: HALVES.1,
        }
    }

    fn into_clip(self, projection: usize) -> Self {
        Self {
            pre_norm: true,
            activation: Activation::QuickGelu,
            patch_bias: false,
            projection: Some(projection),
            epsilon: 1e-5,
            mean: CLIP.0,
            std: CLIP.1,
            ..self
        }
    }

    fn into_dinov2(self) -> Self {
        Self {
            side: 518,
            layer_scale: Some(1e-5),
            interpolation: Interpolation::Dinov2,
            mean: IMAGENET.0,
            std: IMAGENET.1,
            ..self
        }
    }

    /// The same for pictures of another side. Loading weights resamples their positions.
    #[must_use]
    pub fn with_side(self, side: usize) -> Self {
        Self { side, ..self }
    }

    /// Patches in a row of a picture.
    #[must_use]
    pub fn grid(&self) -> usize {
        self.side / self.patch
    }

    /// Tokens of a picture, with the class token.
    #[must_use]
    pub fn n_tokens(&self) -> usize {
        self.grid().pow(2) + usize::from(self.class_token)
    }

    /// Length of the embedding.
    #[must_use]
    pub fn embedding_dim(&self) -> usize {
        self.projection.unwrap_or(self.dim)
    }

    /// Whether a network can be built.
    ///
    /// # Errors
    /// A sentence that says why not.
    pub fn validate(&self) -> Result<(), String> {
        let sizes = [
            ("side", self.side, MAX_SIDE),
            ("patch", self.patch, MAX_PATCH),
            ("dim", self.dim, MAX_WIDTH),
            ("depth", self.depth, MAX_DEPTH),
            ("n_heads", self.n_heads, MAX_WIDTH),
            ("d_mlp", self.d_mlp, MAX_D_MLP),
            ("projection", self.projection.unwrap_or(1), MAX_WIDTH),
        ];
        if let Some((name, size, most)) =
            sizes.into_iter().find(|&(_, size, most)| size == 0 || size > most)
        {
            return Err(format!("{name} is {size}; it must be 1 to {most}"));
        }
        if !self.side.is_multiple_of(self.patch) {
            let Self { side, patch, .. } = self;
            return Err(format!("side is {side}; it must be a multiple of patch, {patch}"));
        }
        if !self.dim.is_multiple_of(self.n_heads) {
            let Self { dim, n_heads, .. } = self;
            return Err(format!("n_heads is {n_heads}; it must divide dim, {dim}"));
        }
        if self.n_tokens() > MAX_TOKENS {
            return Err(format!(
                "side and patch make {} tokens; at most {MAX_TOKENS} are allowed",
                self.n_tokens()
            ));
        }
        if self.pooling == Pooling::ClassToken && !self.class_token {
            return Err("pooling is class_token, but there is no such token".into());
        }
        if !(1e-12..=1e-2).contains(&self.epsilon) {
            return Err(format!("epsilon is {}; it must be 1e-12 to 0.01", self.epsilon));
        }
        if !self.layer_scale.is_none_or(f64::is_finite) {
            return Err("layer_scale must be a finite number".into());
        }
        if !(0.0..1.0).contains(&self.drop_path) {
            return Err(format!(
                "drop_path is {}; it must be 0 or more and below 1",
                self.drop_path
            ));
        }
        let broken_std = self.std.iter().any(|&x| !x.is_finite() || x <= 0.0);
        if broken_std || self.mean.iter().any(|x| !x.is_finite()) {
            return Err("mean must be finite, and std positive".into());
        }
        Ok(())
    }

    /// Values of all weights, without overflow for any numbers that are [valid](Self::validate); those of
    /// others saturate.
    #[must_use]
    pub fn n_values(&self) -> u64 {
        let (dim, patch, d_mlp) = (self.dim as u64, self.patch as u64, self.d_mlp as u64);
        let product = |factors: &[u64]| {
            factors.iter().fold(1u64, |product, &factor| product.saturating_mul(factor))
        };
        let grid = self.side.checked_div(self.patch).unwrap_or(0) as u64;
        let given = |is_there: bool, n: u64| if is_there { n } else { 0 };
        let block = [
            product(&[4, dim, dim]),
            given(self.qkv_bias, product(&[3, dim])),
            product(&[2, dim, d_mlp]),
            d_mlp,
            product(&[6, dim]),
            given(self.layer_scale.is_some(), product(&[2, dim])),
        ];
        let block = block.into_iter().fold(0, u64::saturating_add);
        let parts = [
            product(&[3, patch, patch, dim]),
            given(self.patch_bias, dim),
            product(&[grid, grid, dim]),
            given(self.class_token, product(&[2, dim])),
            given(self.pre_norm, product(&[2, dim])),
            product(&[self.depth as u64, block]),
            product(&[2, dim]),
            self.projection.map_or(0, |out| product(&[dim, out as u64])),
        ];
        parts.into_iter().fold(0, u64::saturating_add)
    }

    /// Memory that the activations of one picture take at once, in bytes, at most; too large a number is the
    /// greatest.
    #[must_use]
    pub fn activation_bytes(&self) -> u64 {
        let grid = self.side.checked_div(self.patch).unwrap_or(0) as u64;
        let tokens = grid.saturating_mul(grid).saturating_add(1);
        // Input, normalized, queries, keys, values, their copies by head, output; or both sides of an
        // activation.
        let rows = 12u64.saturating_mul(self.dim as u64);
        let rows = rows.saturating_add(4u64.saturating_mul(self.d_mlp as u64));
        let row_of_scores = tokens.saturating_mul(self.n_heads as u64);
        let block_of_scores = row_of_scores.saturating_add(crate::attention::MAX_SCORES as u64);
        let scores = tokens.saturating_mul(row_of_scores).min(block_of_scores);
        let pixels = (self.side as u64).saturating_mul(self.side as u64).saturating_mul(3 * 3);
        let block = rows.saturating_mul(tokens).saturating_add(scores.saturating_mul(3));
        block.saturating_add(pixels).saturating_mul(4)
    }
}
