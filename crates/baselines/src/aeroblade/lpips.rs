//! LPIPS, a distance of pictures by the features of VGG-16 (Zhang et al. 2018, arXiv 1801.03924), version 0.1.

use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::tensor::{Device, Tensor, activation};
use cifake::weights::Mapping;
use serde::{Deserialize, Serialize};

/// Convolutions of the stages of VGG-16.
const DEPTHS: [usize; 5] = [2, 2, 3, 3, 3];
/// The package's normalization of pixels in `[-1, 1]`.
const SHIFT: [f32; 3] = [-0.030, -0.088, -0.188];
const SCALE: [f32; 3] = [0.458, 0.448, 0.450];
/// Added to the norm of the features of a place.
const EPSILON: f32 = 1e-10;
/// Keeps the gradient of the norm finite where all features are 0; it changes no distance.
const TINY: f32 = 1e-30;

/// Shape of a [`Lpips`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LpipsConfig {
    /// Channels of the five stages.
    pub widths: [usize; 5],
}

impl LpipsConfig {
    /// VGG-16, as the package `lpips` has it.
    #[must_use]
    pub fn vgg() -> Self {
        Self { widths: [64, 128, 256, 512, 512] }
    }

    /// How many values such a network has.
    pub(super) fn n_values(&self) -> u64 {
        let (mut n_values, mut n_in) = (0, 3);
        for (&width, depth) in self.widths.iter().zip(DEPTHS) {
            let width = width as u64;
            n_values +=
                (n_in + (depth as u64 - 1) * width) * width * 9 + (depth as u64 + 1) * width;
            n_in = width;
        }
        n_values
    }

    /// A network with any weights.
    #[must_use]
    pub fn init(&self, device: &Device) -> Lpips {
        let mut n_in = 3;
        let mut stages = Vec::new();
        for (&width, depth) in self.widths.iter().zip(DEPTHS) {
            let inputs = std::iter::once(n_in).chain(std::iter::repeat_n(width, depth - 1));
            stages.push(inputs.map(|n_in| conv3x3(n_in, width, device)).collect());
            n_in = width;
        }
        let head =
            |&width: &usize| Conv2dConfig::new([width, 1], [1, 1]).with_bias(false).init(device);
        let pool = MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init();
        Lpips { stages, heads: self.widths.iter().map(head).collect(), pool }
    }
}

/// The distance of two pictures, a stage of VGG-16 at a time.
#[derive(Module, Debug)]
pub struct Lpips {
    /// 3x3 convolutions, each before a ReLU.
    pub stages: Vec<Vec<Conv2d>>,
    /// 1x1, from the squared differences of a stage to the distance of a place.
    pub heads: Vec<Conv2d>,
    /// 2x2, before every stage but the first.
    pub pool: MaxPool2d,
}

impl Lpips {
    /// Least side of a picture: the last stage sees it 16 times reduced.
    pub const MIN_SIDE: u32 = 16;

    /// Names of torchvision (`features.N`) and of the package (`linN.model.1`, or `linN.model.0` without dropout).
    pub const PUBLISHED: Mapping<'static> = Mapping {
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

    /// The feature maps of the stages, before they are normalized; the first has the picture's size.
    ///
    /// `images` are `[batch, 3, height, width]`, RGB, in `[0, 1]`.
    #[must_use]
    pub fn features(&self, images: Tensor<4>) -> Vec<Tensor<4>> {
        let device = images.device();
        let row = |values| Tensor::<1>::from_floats(values, &device).reshape([1, 3, 1, 1]);
        let mut x = (images * 2.0 - 1.0 - row(SHIFT)) / row(SCALE);
        let mut maps = Vec::new();
        for (at, stage) in self.stages.iter().enumerate() {
            if at > 0 {
                x = self.pool.forward(x);
            }
            x = stage.iter().fold(x, |x, conv| activation::relu(conv.forward(x)));
            maps.push(x.clone());
        }
        maps
    }

    /// The distance of each pair at each stage, `[batch]` each: the mean over the places of the stage.
    ///
    /// Both are `[batch, 3, height, width]`, RGB, in `[0, 1]`.
    #[must_use]
    pub fn distances(&self, left: Tensor<4>, right: Tensor<4>) -> Vec<Tensor<1>> {
        let [batch, ..] = left.dims();
        let pairs = self.features(left).into_iter().zip(self.features(right));
        let of_stage = |((left, right), head): ((Tensor<4>, Tensor<4>), &Conv2d)| {
            let difference = normalized(left) - normalized(right);
            let places = head.forward(difference.clone() * difference);
            places.reshape([batch as i32, -1]).mean_dim(1).reshape([batch])
        };
        pairs.zip(&self.heads).map(of_stage).collect()
    }
}

/// 3x3, of the same size, with a bias.
pub(super) fn conv3x3(n_in: usize, n_out: usize, device: &Device) -> Conv2d {
    let config = Conv2dConfig::new([n_in, n_out], [3, 3]);
    config.with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1)).init(device)
}

/// Features of length 1 at every place.
fn normalized(features: Tensor<4>) -> Tensor<4> {
    let norm = (features.clone() * features.clone()).sum_dim(1).add_scalar(TINY).sqrt();
    features / (norm + EPSILON)
}
