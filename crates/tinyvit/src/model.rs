//! The network: stem, four stages, head; as a list of steps, so that it can be cut between any two.

use burn::module::Module;
use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::module::interpolate;
use burn::tensor::ops::{InterpolateMode, InterpolateOptions};
use burn::tensor::{Device, Tensor};

use crate::LAYER_NORM_EPSILON;
use crate::attention::{layer_norm, linear};
use crate::block::TinyVitBlock;
use crate::config::TinyVitConfig;
use crate::conv::{MbConv, PatchEmbed, PatchMerging};
use crate::drop_path::DropPath;

/// The first stage: MBConv blocks.
#[derive(Module, Debug)]
pub struct ConvStage {
    /// The blocks.
    pub blocks: Vec<MbConv>,
}

/// A later stage: patch merging, then attention blocks.
#[derive(Module, Debug)]
pub struct AttentionStage {
    /// The merging before the first block.
    pub downsample: PatchMerging,
    /// The blocks.
    pub blocks: Vec<TinyVitBlock>,
}

impl AttentionStage {
    fn new(config: &TinyVitConfig, stage: usize, device: &Device) -> Self {
        let [d_input, dim] = [config.embed_dims[stage - 1], config.embed_dims[stage]];
        let block = |_| {
            let (heads, window) = (config.n_heads[stage], config.window_sizes[stage]);
            TinyVitBlock::new(dim, heads, window, config.mlp_ratio, device)
        };
        Self {
            downsample: PatchMerging::new(d_input, dim, config.merge_strides[stage - 1], device),
            blocks: (0..config.depths[stage]).map(block).collect(),
        }
    }
}

/// Layer norm of the mean token, then a linear layer.
#[derive(Module, Debug)]
pub struct Head {
    /// Normalization of the pooled features.
    pub norm: LayerNorm,
    /// To the classes.
    pub fc: Linear,
}

/// A TinyViT. Field names are timm's, so that its checkpoints need no key map.
#[derive(Module, Debug)]
pub struct TinyVit {
    /// The stem.
    pub patch_embed: PatchEmbed,
    /// The four stages.
    pub stages: (ConvStage, AttentionStage, AttentionStage, AttentionStage),
    /// The classifier.
    pub head: Head,
    mean: [f32; 3],
    std: [f32; 3],
    image_size: usize,
}

/// One step of the forward pass; after each a single map `[batch, height, width, channels]` lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    PatchEmbed,
    MbConv(usize),
    Merge(usize),
    Attend(usize, usize),
    Transform(usize, usize),
}

impl Step {
    /// Name of the step's output in timm's module tree.
    pub(crate) fn name(self) -> String {
        match self {
            Self::PatchEmbed => "patch_embed".to_owned(),
            Self::MbConv(block) => format!("stages.0.blocks.{block}"),
            Self::Merge(stage) => format!("stages.{stage}.downsample"),
            Self::Attend(stage, block) => format!("stages.{stage}.blocks.{block}.local_conv"),
            Self::Transform(stage, block) => format!("stages.{stage}.blocks.{block}"),
        }
    }
}

/// The steps of a model of these depths, in order.
pub(crate) fn steps(depths: &[usize; 4]) -> Vec<Step> {
    let convs = (0..depths[0]).map(Step::MbConv);
    let later = (1..4).flat_map(|stage| {
        let halves = move |block| [Step::Attend(stage, block), Step::Transform(stage, block)];
        std::iter::once(Step::Merge(stage)).chain((0..depths[stage]).flat_map(halves))
    });
    std::iter::once(Step::PatchEmbed).chain(convs).chain(later).collect()
}

impl TinyVit {
    pub(crate) fn new(config: &TinyVitConfig, device: &Device) -> Self {
        let mbconv = |_| MbConv::new(config.embed_dims[0], config.mbconv_expand_ratio, device);
        let stage = |idx| AttentionStage::new(config, idx, device);
        let dim = config.embed_dims[3];
        Self {
            patch_embed: PatchEmbed::new(config, device),
            stages: (
                ConvStage { blocks: (0..config.depths[0]).map(mbconv).collect() },
                stage(1),
                stage(2),
                stage(3),
            ),
            head: Head {
                norm: LayerNormConfig::new(dim).with_epsilon(LAYER_NORM_EPSILON).init(device),
                fc: LinearConfig::new(dim, config.n_classes).init(device),
            },
            mean: config.normalization.mean,
            std: config.normalization.std,
            image_size: config.image_size,
        }
    }

    /// Outputs of the head, `[batch, n_classes]`.
    ///
    /// `images` are `[batch, 3, height, width]`, RGB, in `[0, 1]`; normalization happens inside.
    #[must_use]
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.forward_train(images, &DropPath::off())
    }

    /// As [`forward`](Self::forward), with residual branches left out as `drop` says.
    #[must_use]
    pub fn forward_train(&self, images: Tensor<4>, drop: &DropPath) -> Tensor<2> {
        let steps = steps(&self.depths());
        self.classify(self.run(self.normalize(images), &steps, drop))
    }

    /// The feature map after each step with its timm name, `[batch, channels, height, width]`:
    /// what a parity test compares.
    #[must_use]
    pub fn stages_of(&self, images: Tensor<4>) -> Vec<(String, Tensor<4>)> {
        let mut x = self.normalize(images);
        let mut maps = Vec::new();
        for step in steps(&self.depths()) {
            x = self.run(x, &[step], &DropPath::off());
            maps.push((step.name(), x.clone().permute([0, 3, 1, 2])));
        }
        maps
    }

    /// Blocks of each stage.
    #[must_use]
    pub fn depths(&self) -> [usize; 4] {
        let (conv, first, second, third) = &self.stages;
        [conv.blocks.len(), first.blocks.len(), second.blocks.len(), third.blocks.len()]
    }

    /// Pixels `[batch, 3, height, width]` to what the stem reads, `[batch, height, width, 3]`.
    pub(crate) fn normalize(&self, images: Tensor<4>) -> Tensor<4> {
        let device = images.device();
        let channels = |values: [f32; 3]| Tensor::<1>::from_floats(values, &device);
        let mean = channels(self.mean).reshape([1, 1, 1, 3]);
        let std = channels(self.std).reshape([1, 1, 1, 3]);
        (images.permute([0, 2, 3, 1]) - mean) / std
    }

    /// Square pictures `[batch, 3, side, side]` at the size that the model was configured for,
    /// bilinear where they have another.
    #[must_use]
    pub fn resized(&self, images: Tensor<4>) -> Tensor<4> {
        let size = self.image_size;
        if images.dims()[2..] == [size, size] {
            return images;
        }
        let options = InterpolateOptions::new(InterpolateMode::Bilinear)
            .with_align_corners(false)
            .with_output_size([size, size]);
        interpolate(images, options)
    }

    /// Runs consecutive steps.
    pub(crate) fn run(&self, mut x: Tensor<4>, steps: &[Step], drop: &DropPath) -> Tensor<4> {
        for step in steps {
            x = match *step {
                Step::PatchEmbed => self.patch_embed.forward(x),
                Step::MbConv(block) => self.stages.0.blocks[block].forward(x, drop, block),
                Step::Merge(stage) => self.stage(stage).downsample.forward(x),
                Step::Attend(stage, block) => {
                    self.stage(stage).blocks[block].attend(x, drop, self.branch(stage, block))
                }
                Step::Transform(stage, block) => {
                    let branch = self.branch(stage, block) + 1;
                    self.stage(stage).blocks[block].transform(x, drop, branch)
                }
            };
        }
        x
    }

    /// A last map to class scores.
    pub(crate) fn classify(&self, x: Tensor<4>) -> Tensor<2> {
        linear(&self.head.fc, self.pool(x))
    }

    /// A last map to what the head's linear layer reads.
    fn pool(&self, x: Tensor<4>) -> Tensor<2> {
        let [batch, height, width, dim] = x.dims();
        let tokens = x.reshape([batch, height * width, dim]);
        let pooled = tokens.mean_dim(1).reshape([batch, dim]);
        layer_norm(&self.head.norm, pooled)
    }

    /// As [`forward`](Self::forward), with the last features `[batch, dim]`: the mean token after its norm,
    /// which the head's linear layer reads.
    #[must_use]
    pub fn forward_with_features(&self, images: Tensor<4>) -> (Tensor<2>, Tensor<2>) {
        let steps = steps(&self.depths());
        let features = self.pool(self.run(self.normalize(images), &steps, &DropPath::off()));
        (linear(&self.head.fc, features.clone()), features)
    }

    fn stage(&self, stage: usize) -> &AttentionStage {
        [&self.stages.1, &self.stages.2, &self.stages.3][stage - 1]
    }

    /// Index of the first residual branch of a block among all of the model.
    fn branch(&self, stage: usize, block: usize) -> usize {
        let depths = self.depths();
        depths[0] + 2 * (depths[1..stage].iter().sum::<usize>() + block)
    }
}

/// Drop rate of each residual branch: linear in the block, as timm; an MBConv has one branch, an
/// attention block two.
#[cfg(any(test, feature = "train"))]
pub(crate) fn drop_rates(config: &TinyVitConfig) -> Vec<f64> {
    let n_blocks: usize = config.depths.iter().sum();
    let rate = |block: usize| config.drop_path_rate * block as f64 / (n_blocks.max(2) - 1) as f64;
    let branches = |block: usize| if block < config.depths[0] { 1 } else { 2 };
    (0..n_blocks).flat_map(|block| std::iter::repeat_n(rate(block), branches(block))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_branch_has_a_rate_and_the_last_the_whole() {
        let mut config = TinyVitConfig::native();
        config.drop_path_rate = 0.3;
        let rates = drop_rates(&config);
        assert_eq!(rates.len(), 2 + 2 * (2 + 6 + 2));
        assert_eq!((rates[0], rates[rates.len() - 1]), (0.0, 0.3));
        assert!(rates.is_sorted());
    }

    #[test]
    fn batch_of_two_equals_two_of_one() {
        let device = Device::flex();
        let model = TinyVitConfig::native().init(3, &device);
        let image = |phase: f32| {
            let ramp = Tensor::<1, burn::tensor::Int>::arange(0..3 * 32 * 32, &device).float();
            (ramp * 0.37 + phase).sin().reshape([1, 3, 32, 32]) * 0.5 + 0.5
        };
        let both = model.forward(Tensor::cat(vec![image(0.0), image(1.0)], 0));
        let each = Tensor::cat(vec![model.forward(image(0.0)), model.forward(image(1.0))], 0);
        let difference = (both - each).abs().max().into_scalar::<f32>();
        assert!(difference < 1e-5, "{difference}");
    }
}
