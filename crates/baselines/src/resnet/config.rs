//! Shape of a ResNet.

use serde::{Deserialize, Serialize};

/// No layer of a file from outside is wider or deeper.
const MAX: usize = 4096;
/// Longest side of the pictures, in pixels.
const MAX_SIDE: usize = 1024;

/// The residual block.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum BlockKind {
    /// Two 3x3 convolutions, as in ResNet-18 and ResNet-34.
    #[default]
    Basic,
    /// A 1x1, a 3x3 and a 1x1 convolution to four times the width, as in ResNet-50. The stride is that of the
    /// 3x3 one, as in torchvision ("v1.5").
    Bottleneck,
}

impl BlockKind {
    /// Channels of a block's output for each of its width.
    pub(crate) fn expansion(self) -> usize {
        match self {
            Self::Basic => 1,
            Self::Bottleneck => 4,
        }
    }

    /// Convolutions of its branch.
    pub(crate) fn depth(self) -> usize {
        match self {
            Self::Basic => 2,
            Self::Bottleneck => 3,
        }
    }
}

/// The layers before the first block.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum StemKind {
    /// A 3x3 convolution, as in the networks for CIFAR.
    #[default]
    Small,
    /// A 7x7 convolution of stride 2 and a 3x3 maximum of stride 2, as published for ImageNet.
    Imagenet,
}

/// The form of the pixels before the stem, made from pixels in `[0, 1]`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Normalization {
    /// Less 0.5, divided by 0.25.
    #[default]
    Centered,
    /// Less ImageNet's mean, divided by its standard deviation, a channel each.
    Imagenet,
}

impl Normalization {
    /// Mean and standard deviation of the channels.
    pub(crate) fn mean_std(self) -> [[f32; 3]; 2] {
        match self {
            Self::Centered => [[0.5; 3], [0.25; 3]],
            Self::Imagenet => [[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]],
        }
    }
}

/// Shape of a [`ResNet`](crate::ResNet).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResNetConfig {
    /// Widths of the stages: channels of their blocks' 3x3 convolutions.
    pub widths: [usize; 4],
    /// Blocks of the stages; the first of the second to fourth halves the map.
    pub depths: [usize; 4],
    /// Stride of a small stem, 1 or 2. An ImageNet stem has 2.
    pub stem_stride: usize,
    /// The block.
    #[serde(default)]
    pub block: BlockKind,
    /// The stem.
    #[serde(default)]
    pub stem: StemKind,
    /// The normalization of pixels.
    #[serde(default)]
    pub normalization: Normalization,
    /// Height and width of the pictures that a detector judges with such a network.
    #[serde(default = "cifake_side")]
    pub side: usize,
}

/// Side of CIFAKE's pictures.
fn cifake_side() -> usize {
    32
}

impl ResNetConfig {
    /// ResNet-18 on 32x32, half as wide as He et al.'s: 2.8 M weights, 35 MMAC, a last map of 2x2.
    ///
    /// The stem is that of the networks for CIFAR, 3x3 without pooling, but of stride 2.
    #[must_use]
    pub fn resnet18_32() -> Self {
        Self {
            widths: [32, 64, 128, 256],
            depths: [2; 4],
            stem_stride: 2,
            block: BlockKind::Basic,
            stem: StemKind::Small,
            normalization: Normalization::Centered,
            side: cifake_side(),
        }
    }

    /// ResNet-50 on 32x32: 23.5 M weights, a 3x3 stem of stride 2, a last map of 2x2.
    #[must_use]
    pub fn resnet50_32() -> Self {
        Self {
            widths: [64, 128, 256, 512],
            depths: [3, 4, 6, 3],
            block: BlockKind::Bottleneck,
            normalization: Normalization::Imagenet,
            ..Self::resnet18_32()
        }
    }

    /// ResNet-18 as published for ImageNet, on 224x224.
    #[must_use]
    pub fn resnet18() -> Self {
        Self { block: BlockKind::Basic, depths: [2; 4], ..Self::resnet50() }
    }

    /// ResNet-34 as published for ImageNet, on 224x224.
    #[must_use]
    pub fn resnet34() -> Self {
        Self { depths: [3, 4, 6, 3], ..Self::resnet18() }
    }

    /// ResNet-50 as torchvision has it ("v1.5"), on 224x224.
    #[must_use]
    pub fn resnet50() -> Self {
        Self { stem: StemKind::Imagenet, side: 224, ..Self::resnet50_32() }
    }

    /// The names of the presets.
    pub(crate) const PRESETS: &'static [&'static str] =
        &["resnet18_32", "resnet50_32", "resnet18", "resnet34", "resnet50"];

    /// The preset called `name`.
    pub(crate) fn preset(name: &str) -> Option<Self> {
        match name {
            "resnet18_32" => Some(Self::resnet18_32()),
            "resnet50_32" => Some(Self::resnet50_32()),
            "resnet18" => Some(Self::resnet18()),
            "resnet34" => Some(Self::resnet34()),
            "resnet50" => Some(Self::resnet50()),
            _ => None,
        }
    }

    /// Side of the map of each stage.
    pub(crate) fn map_sizes(&self) -> [usize; 4] {
        let stem = match self.stem {
            StemKind::Small => self.side.div_ceil(self.stem_stride),
            StemKind::Imagenet => self.side.div_ceil(2).div_ceil(2),
        };
        [1, 2, 4, 8].map(|reduction: usize| stem.div_ceil(reduction))
    }

    /// Channels of the map of each stage.
    pub(crate) fn channels(&self) -> [usize; 4] {
        self.widths.map(|width| width * self.block.expansion())
    }

    /// Number of layers as He et al. count them: the stem, the convolutions of the branches and the head.
    pub(crate) fn n_layers(&self) -> usize {
        2 + self.block.depth() * self.depths.iter().sum::<usize>()
    }

    /// Multiply-accumulates of the forward pass of one picture: of convolutions and the head.
    pub(crate) fn n_macs(&self) -> u64 {
        let square = |side: usize| (side as u64).pow(2);
        let maps = self.map_sizes().map(square);
        let [taps, first] = match self.stem {
            StemKind::Small => [9, maps[0]],
            StemKind::Imagenet => [49, square(self.side.div_ceil(2))],
        };
        let (mut n_in, mut pixels) = (self.widths[0] as u64, maps[0]);
        let mut n_macs = 3 * taps * n_in * first;
        for (stage, n_out) in self.channels().map(|n| n as u64).into_iter().enumerate() {
            let (width, map) = (self.widths[stage] as u64, maps[stage]);
            let branch = |n_in: u64, pixels: u64| match self.block {
                BlockKind::Basic => 9 * width * (n_in + width) * map,
                BlockKind::Bottleneck => width * (n_in * pixels + 9 * width * map + n_out * map),
            };
            n_macs += branch(n_in, pixels) + (self.depths[stage] as u64 - 1) * branch(n_out, map);
            if stage > 0 || n_in != n_out {
                n_macs += n_in * n_out * map;
            }
            (n_in, pixels) = (n_out, map);
        }
        n_macs + n_in
    }

    pub(crate) fn validate(&self) -> Result<(), String> {
        let sizes = self.widths.iter().chain(&self.depths);
        if sizes.clone().any(|&size| size == 0 || size > MAX) {
            return Err(format!("widths and depths must be 1 to {MAX}"));
        }
        if !matches!(self.stem_stride, 1 | 2) {
            return Err("stem_stride must be 1 or 2".into());
        }
        if self.stem == StemKind::Imagenet && self.stem_stride != 2 {
            return Err("stem_stride of an imagenet stem must be 2".into());
        }
        if !(1..=MAX_SIDE).contains(&self.side) {
            return Err(format!("side must be 1 to {MAX_SIDE}"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multiply_accumulates_are_those_that_torchvision_states() {
        // 1.814, 3.664 and 4.089 GMAC with a head of 1000 classes.
        for (config, classes, stated) in [
            (ResNetConfig::resnet18(), 512_000, 1.814e9),
            (ResNetConfig::resnet34(), 512_000, 3.664e9),
            (ResNetConfig::resnet50(), 2_048_000, 4.089e9),
        ] {
            let found = (config.n_macs() + classes) as f64;
            assert!((found / stated - 1.0).abs() < 1e-3, "{found} {stated}");
        }
        assert_eq!(ResNetConfig::resnet18_32().n_macs(), 34_824_448);
    }
}
