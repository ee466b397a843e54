//! The tiny autoencoders of latent diffusion models: TAESD of 8 times reduction, and TAEF2.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{GroupNorm, GroupNormConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor};
use cifake::weights::Mapping;
use cifake_kernels::relu;
use serde::{Deserialize, Serialize};

use super::layer::same_size;
use crate::channels_last::{channels_first, channels_last, convolve, doubled, normalized};

/// Groups of the norm of a pooled branch.
const N_GROUPS: usize = 4;
/// Its channels, as a multiple of the block's.
const EXPANSION: usize = 4;
/// Times that the encoder halves the picture.
const N_STAGES: usize = 3;
/// Blocks of a stage.
const N_BLOCKS: usize = 3;
/// The decoder squeezes latents into this range by a hyperbolic tangent.
const LATENT_RANGE: f32 = 3.0;

/// Shape of a [`TinyAutoencoder`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TinyAutoencoderConfig {
    /// Channels of all maps.
    pub width: usize,
    /// Channels of the latent.
    pub n_latent: usize,
    /// Whether the blocks of the smallest maps have a branch with a group norm, as TAEF2's.
    pub has_norm: bool,
}

impl TinyAutoencoderConfig {
    /// TAESD, of Stable Diffusion 1 and 2 (madebyollin/taesd).
    #[must_use]
    pub fn taesd() -> Self {
        Self { width: 64, n_latent: 4, has_norm: false }
    }

    /// TAEF2, of FLUX.2.
    #[must_use]
    pub fn taef2() -> Self {
        Self { width: 64, n_latent: 32, has_norm: true }
    }

    /// The number of values of such an autoencoder.
    pub(super) fn n_values(&self) -> u64 {
        let (width, latent) = (self.width as u64, self.n_latent as u64);
        let square = width * width;
        let n_blocks = 2 * (1 + N_STAGES * N_BLOCKS) as u64;
        let ends = 2 * (27 * width + 9 * width * latent + width) + latent + 3;
        let norms = if self.has_norm { 2 * N_BLOCKS as u64 * (8 * square + 8 * width) } else { 0 };
        n_blocks * 3 * (9 * square + width) + 2 * N_STAGES as u64 * 9 * square + ends + norms
    }

    /// An autoencoder with any weights.
    #[must_use]
    pub fn init(&self, device: &Device) -> TinyAutoencoder {
        let &Self { width, n_latent, has_norm } = self;
        let stage = |stride: usize, has_norm: bool| TinyStage {
            conv: Conv2dConfig::new([width, width], [3, 3])
                .with_stride([stride, stride])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .with_bias(false)
                .init(device),
            blocks: (0..N_BLOCKS).map(|_| TinyBlock::new(width, has_norm, device)).collect(),
        };
        TinyAutoencoder {
            encoder: TinyEncoder {
                conv_in: same_size(3, width, device),
                first: TinyBlock::new(width, false, device),
                stages: (1..=N_STAGES).map(|at| stage(2, has_norm && at == N_STAGES)).collect(),
                conv_out: same_size(width, n_latent, device),
            },
            decoder: TinyDecoder {
                conv_in: same_size(n_latent, width, device),
                stages: (0..N_STAGES).map(|at| stage(1, has_norm && at == 0)).collect(),
                last: TinyBlock::new(width, false, device),
                conv_out: same_size(width, 3, device),
            },
        }
    }
}

/// Encodes a picture without sampling, and decodes it.
#[derive(Module, Debug)]
pub struct TinyAutoencoder {
    /// From a picture to its latent.
    pub encoder: TinyEncoder,
    /// From a latent to a picture.
    pub decoder: TinyDecoder,
}

/// From a picture to its latent.
#[derive(Module, Debug)]
pub struct TinyEncoder {
    /// 3x3.
    pub conv_in: Conv2d,
    /// At the size of the picture.
    pub first: TinyBlock,
    /// Each halves the map before its blocks.
    pub stages: Vec<TinyStage>,
    /// 3x3.
    pub conv_out: Conv2d,
}

/// From a latent to a picture.
#[derive(Module, Debug)]
pub struct TinyDecoder {
    /// 3x3.
    pub conv_in: Conv2d,
    /// Each doubles the map behind its blocks.
    pub stages: Vec<TinyStage>,
    /// At the size of the picture.
    pub last: TinyBlock,
    /// 3x3.
    pub conv_out: Conv2d,
}

/// Blocks of one size.
#[derive(Module, Debug)]
pub struct TinyStage {
    /// 3x3 without a bias: before the blocks and of stride 2 in the encoder, behind them in the decoder.
    pub conv: Conv2d,
    /// One after the other.
    pub blocks: Vec<TinyBlock>,
}

/// Three convolutions and a shortcut.
#[derive(Module, Debug)]
pub struct TinyBlock {
    /// Before the convolutions.
    pub branch: Option<TinyBranch>,
    /// 3x3, before a ReLU.
    pub conv1: Conv2d,
    /// 3x3, before a ReLU.
    pub conv2: Conv2d,
    /// 3x3, before the shortcut is added.
    pub conv3: Conv2d,
}

/// A residual branch of 1x1 convolutions around a group norm.
#[derive(Module, Debug)]
pub struct TinyBranch {
    /// To more channels.
    pub expand: Conv2d,
    /// Its statistics are those of the whole map.
    pub norm: GroupNorm,
    /// Back.
    pub reduce: Conv2d,
}

impl TinyAutoencoder {
    /// Sides of a picture are multiples of this, and at least this.
    pub const FACTOR: u32 = 1 << N_STAGES;

    /// The picture that the latent of `images` decodes to, `[batch, 3, height, width]`, not clamped.
    ///
    /// `images` are of that shape, RGB, in `[0, 1]`.
    #[must_use]
    pub fn reconstruct(&self, images: Tensor<4>) -> Tensor<4> {
        self.decoder.forward(self.encoder.forward(images))
    }
}

impl TinyEncoder {
    /// The numbers of the layers in the files of madebyollin/taesd.
    pub const PUBLISHED: Mapping<'static> = Mapping {
        renames: &[
            (r"^0\.", "conv_in."),
            (r"^1\.", "first."),
            (r"^14\.", "conv_out."),
            (r"^2\.", "stages.0.conv."),
            (r"^6\.", "stages.1.conv."),
            (r"^10\.", "stages.2.conv."),
            (r"^(3|4|5)\.", "stages.0.blocks.n$1."),
            (r"^(7|8|9)\.", "stages.1.blocks.n$1."),
            (r"^(11|12|13)\.", "stages.2.blocks.n$1."),
            (r"\.n(3|7|11)\.", ".0."),
            (r"\.n(4|8|12)\.", ".1."),
            (r"\.n(5|9|13)\.", ".2."),
            INNER[0],
            INNER[1],
            INNER[2],
            INNER[3],
            INNER[4],
            INNER[5],
        ],
        ..Mapping::PYTORCH
    };

    /// The latent of `images`, `[batch, n_latent, height / 8, width / 8]`.
    #[must_use]
    pub fn forward(&self, images: Tensor<4>) -> Tensor<4> {
        let x = self.first.forward(convolve(&self.conv_in, channels_last(images)));
        let down = |x, stage: &TinyStage| stage.run_blocks(convolve(&stage.conv, x));
        channels_first(convolve(&self.conv_out, self.stages.iter().fold(x, down)))
    }
}

impl TinyDecoder {
    /// The numbers of the layers in the files of madebyollin/taesd.
    pub const PUBLISHED: Mapping<'static> = Mapping {
        renames: &[
            (r"^1\.", "conv_in."),
            (r"^18\.", "last."),
            (r"^19\.", "conv_out."),
            (r"^7\.", "stages.0.conv."),
            (r"^12\.", "stages.1.conv."),
            (r"^17\.", "stages.2.conv."),
            (r"^(3|4|5)\.", "stages.0.blocks.n$1."),
            (r"^(8|9|10)\.", "stages.1.blocks.n$1."),
            (r"^(13|14|15)\.", "stages.2.blocks.n$1."),
            (r"\.n(3|8|13)\.", ".0."),
            (r"\.n(4|9|14)\.", ".1."),
            (r"\.n(5|10|15)\.", ".2."),
            INNER[0],
            INNER[1],
            INNER[2],
            INNER[3],
            INNER[4],
            INNER[5],
        ],
        ..Mapping::PYTORCH
    };

    /// The picture of `latent`, `[batch, 3, height, width]`, not clamped.
    #[must_use]
    pub fn forward(&self, latent: Tensor<4>) -> Tensor<4> {
        let x = channels_last((latent / LATENT_RANGE).tanh() * LATENT_RANGE);
        let x = relu(convolve(&self.conv_in, x));
        let up = |x, stage: &TinyStage| convolve(&stage.conv, doubled(stage.run_blocks(x)));
        let x = self.last.forward(self.stages.iter().fold(x, up));
        channels_first(convolve(&self.conv_out, x))
    }
}

/// Names within a block.
const INNER: [(&str, &str); 6] = [
    (r"\.conv\.0\.", ".conv1."),
    (r"\.conv\.2\.", ".conv2."),
    (r"\.conv\.4\.", ".conv3."),
    (r"\.pool\.0\.", ".branch.expand."),
    (r"\.pool\.1\.", ".branch.norm."),
    (r"\.pool\.3\.", ".branch.reduce."),
];

impl TinyStage {
    fn run_blocks(&self, x: Tensor<4>) -> Tensor<4> {
        self.blocks.iter().fold(x, |x, block| block.forward(x))
    }
}

impl TinyBlock {
    fn new(width: usize, has_norm: bool, device: &Device) -> Self {
        let pointwise =
            |n_in, n_out| Conv2dConfig::new([n_in, n_out], [1, 1]).with_bias(false).init(device);
        let branch = || TinyBranch {
            expand: pointwise(width, EXPANSION * width),
            norm: GroupNormConfig::new(N_GROUPS, EXPANSION * width).init(device),
            reduce: pointwise(EXPANSION * width, width),
        };
        let conv = || same_size(width, width, device);
        Self { branch: has_norm.then(branch), conv1: conv(), conv2: conv(), conv3: conv() }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = match &self.branch {
            Some(TinyBranch { expand, norm, reduce }) => {
                let branch = normalized(norm, convolve(expand, x.clone()));
                x + convolve(reduce, relu(branch))
            }
            None => x,
        };
        let y = relu(convolve(&self.conv1, x.clone()));
        let y = convolve(&self.conv3, relu(convolve(&self.conv2, y)));
        relu(y + x)
    }
}
