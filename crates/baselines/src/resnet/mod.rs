//! Residual networks (He et al. 2016, arXiv 1512.03385) for small pictures and as published for ImageNet.

mod block;
mod config;
mod detector;
mod pretrained;

use burn::module::Module;
use burn::nn::pool::MaxPool2dConfig;
use burn::nn::{Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor, TensorData};
use cifake::Familiarity;
use cifake::weights::{Configured, draw_weights};
use cifake_kernels::{ConvNorm, linear, relu};
use cifake_training::Network;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, Normal};

pub use block::ResidualBlock;
pub use config::{BlockKind, Normalization, ResNetConfig, StemKind};
pub use detector::{ResNetClassifier, resnet_loader};
pub(crate) use pretrained::TORCHVISION;

/// A residual network with one logit of FAKE.
#[derive(Module, Debug)]
pub struct ResNet {
    /// The stem's convolution.
    pub stem: ConvNorm,
    /// The four stages.
    pub stages: Vec<Vec<ResidualBlock>>,
    /// Of the mean of the last map.
    pub fc: Linear,
    /// Whether the stem ends with a 3x3 maximum of stride 2.
    pools: bool,
    /// Mean and standard deviation of the channels of pixels.
    normalization: [[f32; 3]; 2],
}

impl Configured for ResNet {
    type Config = ResNetConfig;

    const KEY: &'static str = "resnet_config";
    const BESIDE: Option<&'static str> = Some(Familiarity::PREFIX);

    fn validate(config: &ResNetConfig) -> Result<(), String> {
        config.validate()
    }

    fn n_values(config: &ResNetConfig) -> u64 {
        let conv_norm = |n_in: usize, n_out: usize, taps: u64| {
            n_in as u64 * n_out as u64 * taps + 4 * n_out as u64
        };
        let taps = if config.stem == StemKind::Imagenet { 49 } else { 9 };
        let mut n_values = conv_norm(3, config.widths[0], taps);
        let mut n_in = config.widths[0];
        let stages = config.widths.iter().zip(&config.depths).zip(config.channels());
        for (stage, ((&width, &depth), n_out)) in stages.enumerate() {
            let branch = |n_in: usize| match config.block {
                BlockKind::Basic => conv_norm(n_in, width, 9) + conv_norm(width, width, 9),
                BlockKind::Bottleneck => {
                    let ends = conv_norm(n_in, width, 1) + conv_norm(width, n_out, 1);
                    ends + conv_norm(width, width, 9)
                }
            };
            n_values += branch(n_in) + (depth as u64 - 1) * branch(n_out);
            if stage > 0 || n_in != n_out {
                n_values += conv_norm(n_in, n_out, 1);
            }
            n_in = n_out;
        }
        n_values + n_in as u64 + 1
    }

    /// The input of a block, its convolutions and the shortcut; or the stem before it is pooled.
    fn activation_bytes(config: &ResNetConfig) -> u64 {
        let pixels = 6 * config.side.pow(2) as u64;
        let map = |(channels, side): (usize, usize)| 5 * channels as u64 * side.pow(2) as u64;
        let maps = config.channels().into_iter().zip(config.map_sizes()).map(map);
        let stem = match config.stem {
            StemKind::Small => 0,
            StemKind::Imagenet => 3 * (config.widths[0] * config.side.div_ceil(2).pow(2)) as u64,
        };
        4 * (pixels + maps.max().unwrap_or(0).max(stem))
    }

    fn build(config: &ResNetConfig, device: &Device) -> Self {
        build(config, 1, device)
    }
}

/// A network of a valid `config` with `n_classes` outputs and any weights.
fn build(config: &ResNetConfig, n_classes: usize, device: &Device) -> ResNet {
    let mut n_in = config.widths[0];
    let mut stages = Vec::with_capacity(4);
    for (stage, (&width, &depth)) in config.widths.iter().zip(&config.depths).enumerate() {
        let mut blocks = Vec::new();
        for idx in 0..depth {
            let stride = if idx == 0 && stage > 0 { 2 } else { 1 };
            blocks.push(ResidualBlock::new(config.block, [n_in, width], stride, device));
            n_in = width * config.block.expansion();
        }
        stages.push(blocks);
    }
    let stem = match config.stem {
        StemKind::Small => ConvNorm::full(3, config.widths[0], config.stem_stride, device),
        StemKind::Imagenet => ConvNorm::new([3, config.widths[0]], 7, 2, 1, device),
    };
    ResNet {
        stem,
        stages,
        fc: LinearConfig::new(n_in, n_classes).init(device),
        pools: config.stem == StemKind::Imagenet,
        normalization: config.normalization.mean_std(),
    }
}

impl ResNet {
    /// Pixels `[batch, 3, height, width]` to the map of the stem, `[batch, height, width, channels]`.
    pub(crate) fn stem(&self, images: Tensor<4>) -> Tensor<4> {
        let [mean, std] = self.normalization.map(|values| {
            let device = images.device();
            Tensor::<1>::from_data(TensorData::from(values), &device).reshape([1, 1, 1, 3])
        });
        let x = (images.permute([0, 2, 3, 1]) - mean) / std;
        let x = relu(self.stem.forward(x));
        if !self.pools {
            return x;
        }
        let padding = PaddingConfig2d::Explicit(1, 1, 1, 1);
        let pool = MaxPool2dConfig::new([3, 3]).with_strides([2, 2]).with_padding(padding).init();
        pool.forward(x.permute([0, 3, 1, 2])).permute([0, 2, 3, 1])
    }

    /// The mean of the last map of pixels `[batch, 3, height, width]`, `[batch, channels]`.
    pub(crate) fn embedding(&self, images: Tensor<4>) -> Tensor<2> {
        let blocks = self.stages.iter().flatten();
        self.pool(blocks.fold(self.stem(images), |x, block| block.forward(x)))
    }

    /// The mean of a last map, `[batch, channels]`.
    pub(crate) fn pool(&self, x: Tensor<4>) -> Tensor<2> {
        let [batch, height, width, channels] = x.dims();
        x.reshape([batch, height * width, channels]).mean_dim(1).reshape([batch, channels])
    }

    /// The logit of FAKE, `[batch, 1]`.
    pub(crate) fn classify(&self, pooled: Tensor<2>) -> Tensor<2> {
        let bias = self.fc.bias.as_ref().map(|bias| bias.val());
        linear(pooled, self.fc.weight.val(), bias)
    }
}

impl Network for ResNet {
    const PRESETS: &'static [&'static str] = ResNetConfig::PRESETS;

    fn preset(name: &str) -> Option<ResNetConfig> {
        ResNetConfig::preset(name)
    }

    fn n_outputs(_: &ResNetConfig) -> usize {
        1
    }

    /// Normal with variance `2 / fan_out` (He et al. 2015), as torchvision; the last norm of a
    /// branch starts at 0, so that a block starts as its shortcut.
    fn draw(config: &ResNetConfig, seed: u64, device: &Device) -> Self {
        let last = format!("conv{}.bn.gamma", config.block.depth());
        let initial =
            |path: &str, shape: &[usize], rng: &mut ChaCha8Rng| initial(&last, path, shape, rng);
        draw_weights(Self::build(config, device), seed, initial)
    }

    fn scores(&self, images: Tensor<4>) -> Tensor<2> {
        let mut x = self.stem(images);
        for block in self.stages.iter().flatten() {
            x = block.forward(x);
        }
        self.classify(self.pool(x))
    }

    fn scores_in_training(&self, _: &ResNetConfig, images: Tensor<4>, _: &[u64]) -> Tensor<2> {
        self.scores(images)
    }
}

/// Initial values of the weight at `path`; the gammas of norms called `last` are 0.
fn initial(last: &str, path: &str, shape: &[usize], rng: &mut ChaCha8Rng) -> Option<Vec<f32>> {
    let n_values = shape.iter().product();
    if path.ends_with(last) {
        return Some(vec![0.0; n_values]);
    }
    let variance = match shape {
        [n_out, _, height, width] => 2.0 / (n_out * height * width) as f32,
        _ if path.ends_with("fc.weight") => 1.0 / shape[0] as f32,
        _ if path.ends_with("fc.bias") => return Some(vec![0.0; n_values]),
        _ => return None,
    };
    let normal = Normal::new(0.0, variance.sqrt()).expect("a root is a deviation");
    Some((0..n_values).map(|_| normal.sample(rng)).collect())
}

#[cfg(test)]
mod tests {
    use burn::tensor::Int;
    use cifake::weights::{Precision, Source, load_configured, save_configured};
    use cifake::{Classifier, Label};
    use cifake_attacks::{Attack, Epsilon, Pgd, Samples, TargetModel};
    use cifake_training::Evaluated;

    use super::*;

    #[test]
    fn the_formula_counts_what_a_network_holds() {
        let small = ResNetConfig {
            widths: [4, 4, 8, 6],
            depths: [1, 3, 2, 1],
            stem_stride: 1,
            ..ResNetConfig::resnet18_32()
        };
        let published = ResNetConfig { widths: [4, 4, 8, 6], ..ResNetConfig::resnet50() };
        for config in [small, published, ResNetConfig::resnet18_32()] {
            let model = ResNet::build(&config, &Device::flex());
            assert_eq!(ResNet::n_values(&config), model.num_params() as u64, "{config:?}");
        }
        assert_eq!(ResNet::n_values(&ResNetConfig::resnet18_32()) / 100_000, 28);
        // 25,557,032 weights and 53,120 running statistics of torchvision's, less the classes.
        let classes = 999 * (2048 + 1);
        assert_eq!(ResNet::n_values(&ResNetConfig::resnet50()), 25_557_032 + 53_120 - classes);
    }

    #[test]
    fn a_configuration_of_nonsense_is_refused() {
        let good = ResNetConfig::resnet18_32();
        assert!(ResNet::validate(&good).is_ok());
        for broken in [
            ResNetConfig { widths: [64, 0, 1, 1], ..good.clone() },
            ResNetConfig { depths: [usize::MAX; 4], ..good.clone() },
            ResNetConfig { stem_stride: 3, ..good.clone() },
            ResNetConfig { side: 0, ..good.clone() },
            ResNetConfig { stem: StemKind::Imagenet, stem_stride: 1, ..good },
        ] {
            assert!(ResNet::validate(&broken).is_err(), "{broken:?}");
        }
    }

    #[test]
    fn an_attack_on_a_loaded_network_leaves_it_and_the_neighbours_alone() {
        let config =
            ResNetConfig { widths: [4, 4, 8, 8], depths: [1; 4], ..ResNetConfig::resnet18_32() };
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("resnet.safetensors");
        let drawn = ResNet::draw(&config, 1, &Device::flex());
        save_configured(&drawn, &config, &[].into(), Precision::F32, &path).expect("room");
        let source = Source::File(&path);
        let (loaded, ..) = load_configured::<ResNet>(source, &Device::flex()).expect("it is ours");
        let model = Evaluated::new(&loaded);
        let ramp = Tensor::<1, Int>::arange(0..2 * 3 * 32 * 32, &Device::flex()).float();
        let images = (ramp * 0.37).sin().reshape([2, 3, 32, 32]) * 0.5 + 0.5;
        let samples = Samples::new(images.clone(), vec![Label::Real, Label::Fake], vec![4, 7]);
        let answers = || model.logits(images.clone()).into_data();
        let before = answers();
        let attack = Pgd::l2(Epsilon::new(0.5).expect("finite"));
        let perturb = |samples: &Samples| {
            attack.perturb(&TargetModel::new(&model), samples, 1).expect("it has gradients").images
        };
        let (both, alone) = (perturb(&samples), perturb(&samples.select(&[1])));
        let apart = (both.clone().narrow(0, 1, 1) - alone).abs().max().into_scalar::<f32>();
        assert!(apart < 1e-6, "{apart}");
        let moved = (both - images.clone()).abs().max().into_scalar::<f32>();
        assert!(moved > 1e-3, "{moved}");
        answers().assert_eq(&before, true);
    }
}
