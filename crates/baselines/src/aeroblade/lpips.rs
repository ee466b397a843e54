//! LPIPS, a distance of pictures by the features of a network for ImageNet (Zhang et al. 2018, arXiv 1801.03924),
//! version 0.1.

use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::MaxPool2dConfig;
use burn::tensor::{Device, Tensor};
use cifake::weights::Mapping;
use cifake_kernels::relu;
use serde::{Deserialize, Serialize};

use super::layer::pooled;
use crate::channels_last::{channels_first, channels_last, convolve};

/// Stages of both networks.
pub(super) const N_STAGES: usize = 5;
/// Convolutions of the stages of VGG-16.
const VGG_DEPTHS: [usize; N_STAGES] = [2, 2, 3, 3, 3];
/// Kernel, stride and padding of the convolutions of AlexNet, one a stage.
const ALEX_CONVS: [[usize; 3]; N_STAGES] = [[11, 4, 2], [5, 1, 2], [3, 1, 1], [3, 1, 1], [3, 1, 1]];
/// Stages of AlexNet behind a pooling.
const ALEX_POOLED: [usize; 2] = [1, 2];
/// The package's normalization of pixels in `[-1, 1]`.
const SHIFT: [f32; 3] = [-0.030, -0.088, -0.188];
const SCALE: [f32; 3] = [0.458, 0.448, 0.450];
/// Added to the norm of the features of a place.
const EPSILON: f32 = 1e-10;
/// Keeps the gradient of the norm finite where all features are 0; it changes no distance.
const TINY: f32 = 1e-30;

/// The network whose features are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backbone {
    /// VGG-16.
    Vgg,
    /// AlexNet, as torchvision has it.
    Alex,
}

/// Shape of a [`Lpips`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LpipsConfig {
    /// The network.
    pub backbone: Backbone,
    /// Channels of its five stages.
    pub widths: [usize; N_STAGES],
}

impl LpipsConfig {
    /// VGG-16, as the package `lpips` has it.
    #[must_use]
    pub fn vgg() -> Self {
        Self { backbone: Backbone::Vgg, widths: [64, 128, 256, 512, 512] }
    }

    /// AlexNet, as the package `lpips` has it.
    #[must_use]
    pub fn alex() -> Self {
        Self { backbone: Backbone::Alex, widths: [64, 192, 384, 256, 256] }
    }

    /// Least side of a picture: the last stage of VGG-16 sees it 16 times reduced; two poolings of AlexNet need
    /// a first map of 7 places.
    #[must_use]
    pub fn min_side(&self) -> u32 {
        match self.backbone {
            Backbone::Vgg => 16,
            Backbone::Alex => 31,
        }
    }

    /// Names of torchvision (`features.N`) and of the package (`linN.model.1`, or `linN.model.0` without dropout).
    #[must_use]
    pub fn published(&self) -> &'static Mapping<'static> {
        match self.backbone {
            Backbone::Vgg => &VGG,
            Backbone::Alex => &ALEX,
        }
    }

    /// The number of values of such a network.
    pub(super) fn n_values(&self) -> u64 {
        let (mut n_values, mut n_in) = (0, 3);
        for (stage, &width) in self.widths.iter().enumerate() {
            let width = width as u64;
            for [kernel, ..] in self.convs(stage) {
                n_values += n_in * width * (kernel * kernel) as u64 + width;
                n_in = width;
            }
            n_values += width;
        }
        n_values
    }

    /// A network with any weights.
    #[must_use]
    pub fn init(&self, device: &Device) -> Lpips {
        let mut n_in = 3;
        let mut stages = Vec::new();
        for (stage, &width) in self.widths.iter().enumerate() {
            let mut convs = Vec::new();
            for [kernel, stride, padding] in self.convs(stage) {
                let config = Conv2dConfig::new([n_in, width], [kernel, kernel])
                    .with_stride([stride, stride])
                    .with_padding(PaddingConfig2d::Explicit(padding, padding, padding, padding));
                convs.push(config.init(device));
                n_in = width;
            }
            stages.push(convs);
        }
        let head =
            |&width: &usize| Conv2dConfig::new([width, 1], [1, 1]).with_bias(false).init(device);
        let is_alex = self.backbone == Backbone::Alex;
        Lpips { stages, heads: self.widths.iter().map(head).collect(), is_alex }
    }

    /// Kernel, stride and padding of the convolutions of a stage.
    fn convs(&self, stage: usize) -> Vec<[usize; 3]> {
        match self.backbone {
            Backbone::Vgg => vec![[3, 1, 1]; VGG_DEPTHS[stage]],
            Backbone::Alex => vec![ALEX_CONVS[stage]],
        }
    }
}

/// The distance of two pictures, a stage of the network at a time.
#[derive(Module, Debug)]
pub struct Lpips {
    /// Convolutions, each before a ReLU.
    pub stages: Vec<Vec<Conv2d>>,
    /// 1x1, from the squared differences of a stage to the distance of a place.
    pub heads: Vec<Conv2d>,
    #[module(skip)]
    is_alex: bool,
}

/// The names of VGG-16.
const VGG: Mapping<'static> = Mapping {
    renames: &[
        (r"^features\.(0|2)\.", "stages.0.0$1."),
        (r"^features\.(5|7)\.", "stages.1.0$1."),
        (r"^features\.(10|12|14)\.", "stages.2.0$1."),
        (r"^features\.(17|19|21)\.", "stages.3.0$1."),
        (r"^features\.(24|26|28)\.", "stages.4.0$1."),
        (r"\.0(0|5|10|17|24)\.", ".0."),
        (r"\.0(2|7|12|19|26)\.", ".1."),
        (r"\.0(14|21|28)\.", ".2."),
        (r"^lin(\d)\.model\.\d\.", "heads.$1."),
    ],
    ..Mapping::PYTORCH
};

/// The names of AlexNet.
const ALEX: Mapping<'static> = Mapping {
    renames: &[
        (r"^features\.0\.", "stages.0.0."),
        (r"^features\.3\.", "stages.1.0."),
        (r"^features\.6\.", "stages.2.0."),
        (r"^features\.8\.", "stages.3.0."),
        (r"^features\.10\.", "stages.4.0."),
        (r"^lin(\d)\.model\.\d\.", "heads.$1."),
    ],
    ..Mapping::PYTORCH
};

impl Lpips {
    /// The maps `[batch, height, width, channels]` of the first `n_stages` stages, not yet normalized.
    ///
    /// `images` are `[batch, 3, height, width]`, RGB, in `[0, 1]`.
    #[must_use]
    pub fn features(&self, images: Tensor<4>, n_stages: usize) -> Vec<Tensor<4>> {
        let device = images.device();
        let row = |values| Tensor::<1>::from_floats(values, &device).reshape([1, 1, 1, 3]);
        let mut x = (channels_last(images) * 2.0 - 1.0 - row(SHIFT)) / row(SCALE);
        let mut maps = Vec::new();
        for (at, stage) in self.stages.iter().enumerate().take(n_stages) {
            x = self.reduced(x, at);
            x = stage.iter().fold(x, |x, conv| relu(convolve(conv, x)));
            maps.push(x.clone());
        }
        maps
    }

    /// The distance of each pair of pictures at each stage, `[batch]` each: the mean over the places of the stage.
    ///
    /// `left` and `right` are [`features`](Self::features) of the same stages.
    #[must_use]
    pub fn distances(&self, left: &[Tensor<4>], right: &[Tensor<4>]) -> Vec<Tensor<1>> {
        let of_stage = |((left, right), head): ((&Tensor<4>, &Tensor<4>), &Conv2d)| {
            let [batch, height, width, _] = left.dims();
            let difference = unit_length(left.clone()) - unit_length(right.clone());
            let places = convolve(head, difference.clone() * difference);
            places.reshape([batch, height * width]).mean_dim(1).reshape([batch])
        };
        left.iter().zip(right).zip(&self.heads).map(of_stage).collect()
    }

    /// The input of the stage `at`: VGG-16 pools before every stage but the first.
    fn reduced(&self, x: Tensor<4>, at: usize) -> Tensor<4> {
        match self.is_alex {
            false if at > 0 => pooled(x),
            true if ALEX_POOLED.contains(&at) => {
                let pool = MaxPool2dConfig::new([3, 3]).with_strides([2, 2]).init();
                channels_last(pool.forward(channels_first(x)))
            }
            _ => x,
        }
    }
}

/// Features of length 1 at every place.
fn unit_length(features: Tensor<4>) -> Tensor<4> {
    let norm = (features.clone() * features.clone()).sum_dim(3).add_scalar(TINY).sqrt();
    features / (norm + EPSILON)
}
