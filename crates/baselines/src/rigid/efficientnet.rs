//! EfficientNet-Lite (Tan and Le 2019, arXiv 1905.11946), with the names of the package `efficientnet_lite_pytorch`
//! 0.1. TensorFlow's padding: where a stride of 2 meets an even side, one more zero stands behind than before.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use cifake::weights::Mapping;
use cifake_kernels::{ConvNorm, relu6};
use serde::{Deserialize, Serialize};

/// Mean and standard deviation of ImageNet's pixels.
const MEAN: [f32; 3] = [0.485, 0.456, 0.406];
pub(super) const STD: [f32; 3] = [0.229, 0.224, 0.225];
/// Added to variances; TensorFlow's constant.
const NORM_EPSILON: f64 = 1e-3;
/// Times that the stem reduces a picture.
const STEM_STRIDE: u64 = 2;
/// Channels of a map, at most.
const MAX_WIDTH: usize = 4096;
/// Blocks of a stage and stages, at most.
const MAX_DEPTH: usize = 64;

/// Blocks of one width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EfficientNetStage {
    /// The number of blocks.
    pub n_blocks: usize,
    /// Side of the depthwise filters: 3 or 5.
    pub kernel: usize,
    /// Of the first block: 1 or 2.
    pub stride: usize,
    /// Channels of the depthwise convolution, as a multiple of the block's inputs.
    pub expansion: usize,
    /// Channels behind the stage.
    pub width: usize,
}

/// Shape of an [`EfficientNet`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EfficientNetConfig {
    /// Channels behind the stem.
    pub stem: usize,
    /// From the picture to the smallest maps.
    pub stages: Vec<EfficientNetStage>,
    /// Channels of the embedding.
    pub head: usize,
}

impl EfficientNetConfig {
    /// EfficientNet-Lite0.
    #[must_use]
    pub fn lite0() -> Self {
        let stage = |[n_blocks, kernel, stride, expansion, width]: [usize; 5]| EfficientNetStage {
            n_blocks,
            kernel,
            stride,
            expansion,
            width,
        };
        let rows = [
            [1, 3, 1, 1, 16],
            [2, 3, 2, 6, 24],
            [2, 5, 2, 6, 40],
            [3, 3, 2, 6, 80],
            [3, 5, 1, 6, 112],
            [4, 5, 2, 6, 192],
            [1, 3, 1, 6, 320],
        ];
        Self { stem: 32, stages: rows.map(stage).to_vec(), head: 1280 }
    }

    /// Whether it can be built; a sentence says why not.
    pub(super) fn check(&self) -> Result<(), String> {
        let is_width = |width| (1..=MAX_WIDTH).contains(&width);
        if !is_width(self.stem) || !is_width(self.head) {
            return Err(format!("stem and head must be 1 to {MAX_WIDTH}"));
        }
        if !(1..=MAX_DEPTH).contains(&self.stages.len()) {
            return Err(format!("there must be 1 to {MAX_DEPTH} stages"));
        }
        let mut width = self.stem;
        for stage in &self.stages {
            let EfficientNetStage { n_blocks, kernel, stride, expansion, .. } = *stage;
            if !matches!((kernel, stride), (3 | 5, 1 | 2)) {
                return Err("a kernel must be 3 or 5, and a stride 1 or 2".into());
            }
            if !(1..=MAX_DEPTH).contains(&n_blocks) || !is_width(stage.width) {
                return Err(format!(
                    "a stage must have 1 to {MAX_DEPTH} blocks and a width of 1 to {MAX_WIDTH}"
                ));
            }
            if !is_width(expansion) || width.max(stage.width) * expansion > MAX_WIDTH {
                return Err(format!("an expanded map must have at most {MAX_WIDTH} channels"));
            }
            width = stage.width;
        }
        Ok(())
    }

    /// The number of values of such a network, for a checked configuration.
    pub(super) fn n_values(&self) -> u64 {
        // A norm has scale, shift and two running statistics.
        let layer = |per_output: usize, n_out: usize| (n_out * (per_output + 4)) as u64;
        let mut n_in = self.stem;
        let mut n_values = layer(27, self.stem);
        for plan in self.blocks() {
            let inner = n_in * plan.expansion;
            let expand = if plan.expansion == 1 { 0 } else { layer(n_in, inner) };
            n_values += expand + layer(plan.kernel * plan.kernel, inner) + layer(inner, plan.width);
            n_in = plan.width;
        }
        n_values + layer(n_in, self.head)
    }

    /// Values of the largest map for a picture of `pixels` pixels, of a checked configuration.
    pub(super) fn largest_map(&self, pixels: u64) -> u64 {
        let mut places = pixels.div_ceil(STEM_STRIDE * STEM_STRIDE);
        let mut largest = pixels.saturating_mul(3).max(places.saturating_mul(self.stem as u64));
        let mut n_in = self.stem;
        for plan in self.blocks() {
            let inner = (n_in * plan.expansion) as u64;
            largest = largest.max(places.saturating_mul(inner));
            places = places.div_ceil((plan.stride * plan.stride) as u64);
            n_in = plan.width;
        }
        largest.max(places.saturating_mul(self.head as u64))
    }

    /// A network of a checked configuration, with any weights.
    #[must_use]
    pub fn init(&self, device: &Device) -> EfficientNet {
        let mut n_in = self.stem;
        let mut blocks = Vec::new();
        for EfficientNetStage { kernel, stride, expansion, width, .. } in self.blocks() {
            let inner = n_in * expansion;
            blocks.push(EfficientNetBlock {
                expand: (expansion != 1).then(|| layer([n_in, inner], [1, 1, 1], device)),
                depthwise: layer([inner, inner], [kernel, stride, inner], device),
                project: layer([inner, width], [1, 1, 1], device),
                has_shortcut: stride == 1 && n_in == width,
            });
            n_in = width;
        }
        let stem = layer([3, self.stem], [3, STEM_STRIDE as usize, 1], device);
        EfficientNet { stem, blocks, head: layer([n_in, self.head], [1, 1, 1], device) }
    }

    /// Every block as a stage of one.
    fn blocks(&self) -> impl Iterator<Item = EfficientNetStage> {
        self.stages.iter().flat_map(|stage| {
            let stride = |at| if at == 0 { stage.stride } else { 1 };
            (0..stage.n_blocks).map(move |at| EfficientNetStage {
                n_blocks: 1,
                stride: stride(at),
                ..*stage
            })
        })
    }
}

/// A network for ImageNet without its last layer. Maps are `[batch, height, width, channels]`.
#[derive(Module, Debug)]
pub struct EfficientNet {
    /// 3x3 of stride 2.
    pub stem: ConvNorm,
    /// One after the other.
    pub blocks: Vec<EfficientNetBlock>,
    /// 1x1.
    pub head: ConvNorm,
}

/// Three convolutions, and a shortcut where the map keeps its shape.
#[derive(Module, Debug)]
pub struct EfficientNetBlock {
    /// 1x1, to more channels.
    pub expand: Option<ConvNorm>,
    /// Of every channel by itself.
    pub depthwise: ConvNorm,
    /// 1x1.
    pub project: ConvNorm,
    #[module(skip)]
    has_shortcut: bool,
}

impl EfficientNet {
    /// The package's names. The last layer, of ImageNet's classes, is left out.
    pub const PUBLISHED: Mapping<'static> = Mapping {
        renames: &[
            (r"^_conv_stem\.", "stem.conv."),
            (r"^_bn0\.", "stem.bn."),
            (r"^_conv_head\.", "head.conv."),
            (r"^_bn1\.", "head.bn."),
            (r"^_blocks\.", "blocks."),
            (r"\._(expand|depthwise|project)_conv\.", ".$1.conv."),
            (r"\._bn0\.", ".expand.bn."),
            (r"\._bn1\.", ".depthwise.bn."),
            (r"\._bn2\.", ".project.bn."),
        ],
        ignored: &[r"(^|\.)num_batches_tracked$", r"^_fc\."],
        ..Mapping::PYTORCH
    };

    /// The last map of `images`, `[batch, height, width, head]`.
    ///
    /// `images` are `[batch, 3, height, width]`, RGB, in `[0, 1]`; normalization happens inside.
    #[must_use]
    pub fn features(&self, images: Tensor<4>) -> Tensor<4> {
        let device = images.device();
        let row = |values| Tensor::<1>::from_floats(values, &device).reshape([1, 1, 1, 3]);
        let x = (images.permute([0, 2, 3, 1]) - row(MEAN)) / row(STD);
        let x = relu6(padded(&self.stem, x));
        let x = self.blocks.iter().fold(x, |x, block| block.forward(x));
        relu6(self.head.forward(x))
    }
}

impl EfficientNetBlock {
    /// `x` is `[batch, height, width, channels]`, and so is the result.
    #[must_use]
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let inner = match &self.expand {
            Some(expand) => relu6(expand.forward(x.clone())),
            None => x.clone(),
        };
        let out = self.project.forward(relu6(padded(&self.depthwise, inner)));
        if self.has_shortcut { x + out } else { out }
    }
}

/// `channels` are `[in, out]`, the rest is side of the filters, stride and groups.
fn layer(channels: [usize; 2], [kernel, stride, groups]: [usize; 3], device: &Device) -> ConvNorm {
    let mut layer = ConvNorm::new(channels, kernel, stride, groups, device);
    layer.bn.epsilon = NORM_EPSILON;
    layer
}

/// The output of `layer` for `x` with TensorFlow's padding.
fn padded(layer: &ConvNorm, mut x: Tensor<4>) -> Tensor<4> {
    let [_, height, width, _] = x.dims();
    if layer.conv.stride[0] == 1 {
        return layer.forward(x);
    }
    // Behind one more row or column of zeros, the results but the first are those of TensorFlow.
    for (dim, side) in [(1, height), (2, width)] {
        if side % 2 == 0 {
            let zeros = x.clone().narrow(dim, 0, 1).zeros_like();
            x = Tensor::cat(vec![zeros, x], dim);
        }
    }
    let out = layer.forward(x);
    out.narrow(1, usize::from(height % 2 == 0), height.div_ceil(2)).narrow(
        2,
        usize::from(width % 2 == 0),
        width.div_ceil(2),
    )
}
