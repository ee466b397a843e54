//! Residual networks of basic blocks (He et al. 2016, arXiv 1512.03385) on small pictures.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor, activation};
use cifake::Familiarity;
use cifake::weights::{Configured, draw_weights};
use cifake_kernels::{ConvNorm, linear};
use cifake_training::Network;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, Normal};
use serde::{Deserialize, Serialize};

/// Pixels in `[0, 1]` become roughly standardized.
const MEAN: f64 = 0.5;
const STD: f64 = 0.25;
/// No layer of a file from outside is wider or deeper.
const MAX: usize = 4096;

/// Shape of a [`ResNet`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResNetConfig {
    /// Channels of the stages.
    pub widths: [usize; 4],
    /// Blocks of the stages; the first of the second to fourth halves the map.
    pub depths: [usize; 4],
    /// Stride of the 3x3 stem, 1 or 2; there is no pooling behind it.
    pub stem_stride: usize,
}

impl ResNetConfig {
    /// Side of the pictures that a detector judges with such a network: that of CIFAKE.
    pub const SIDE: usize = 32;

    /// ResNet-18 on 32x32, half as wide as He et al.'s: 2.8 M weights, 35 MMAC, a last map of 2x2.
    ///
    /// The stem is that of the networks for CIFAR, 3x3 without pooling, but of stride 2.
    #[must_use]
    pub fn resnet18_32() -> Self {
        Self { widths: [32, 64, 128, 256], depths: [2; 4], stem_stride: 2 }
    }

    /// Side of the map of each stage, of pictures of side [`SIDE`](Self::SIDE).
    pub(crate) fn map_sizes(&self) -> [usize; 4] {
        let stem = Self::SIDE.div_ceil(self.stem_stride);
        [1, 2, 4, 8].map(|reduction: usize| stem.div_ceil(reduction))
    }
}

/// Two 3x3 convolutions and a shortcut.
#[derive(Module, Debug)]
pub struct BasicBlock {
    /// The first, which may halve the map.
    pub conv1: ConvNorm,
    /// The second.
    pub conv2: ConvNorm,
    /// 1x1, where the shortcut changes its shape.
    pub downsample: Option<ConvNorm>,
}

impl BasicBlock {
    fn new([n_in, n_out]: [usize; 2], stride: usize, device: &Device) -> Self {
        let reshapes = stride != 1 || n_in != n_out;
        Self {
            conv1: ConvNorm::full(n_in, n_out, stride, device),
            conv2: ConvNorm::full(n_out, n_out, 1, device),
            downsample: reshapes.then(|| ConvNorm::new([n_in, n_out], 1, stride, 1, device)),
        }
    }

    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let branch = self.conv2.forward(activation::relu(self.conv1.forward(x.clone())));
        let shortcut = match &self.downsample {
            Some(downsample) => downsample.forward(x),
            None => x,
        };
        activation::relu(branch + shortcut)
    }
}

/// A residual network with one logit of FAKE. It reads pictures whose sides are multiples of 16
/// times the stem's stride divided by 2, such as 32x32.
#[derive(Module, Debug)]
pub struct ResNet {
    /// The 3x3 stem.
    pub stem: ConvNorm,
    /// The four stages.
    pub stages: Vec<Vec<BasicBlock>>,
    /// Of the mean of the last map.
    pub fc: Linear,
}

impl Configured for ResNet {
    type Config = ResNetConfig;

    const KEY: &'static str = "resnet_config";
    const BESIDE: Option<&'static str> = Some(Familiarity::PREFIX);

    fn validate(config: &ResNetConfig) -> Result<(), String> {
        let sizes = config.widths.iter().chain(&config.depths);
        if sizes.clone().any(|&size| size == 0 || size > MAX) {
            return Err(format!("widths and depths must be 1 to {MAX}"));
        }
        if !matches!(config.stem_stride, 1 | 2) {
            return Err("stem_stride must be 1 or 2".into());
        }
        Ok(())
    }

    fn n_values(config: &ResNetConfig) -> u64 {
        let conv_norm = |n_in: usize, n_out: usize, taps: u64| {
            n_in as u64 * n_out as u64 * taps + 4 * n_out as u64
        };
        let mut n_values = conv_norm(3, config.widths[0], 9);
        let mut n_in = config.widths[0];
        for (stage, (&width, &depth)) in config.widths.iter().zip(&config.depths).enumerate() {
            n_values += conv_norm(n_in, width, 9) + conv_norm(width, width, 9);
            if stage > 0 || n_in != width {
                n_values += conv_norm(n_in, width, 1);
            }
            n_values += (depth as u64 - 1) * 2 * conv_norm(width, width, 9);
            n_in = width;
        }
        n_values + n_in as u64 + 1
    }

    /// The input of a block, both convolutions and the shortcut.
    fn activation_bytes(config: &ResNetConfig) -> u64 {
        let pixels = 6 * ResNetConfig::SIDE.pow(2) as u64;
        let map = |(&width, side): (&usize, usize)| 4 * width as u64 * side.pow(2) as u64;
        let maps = config.widths.iter().zip(config.map_sizes()).map(map);
        4 * (pixels + maps.max().unwrap_or(0))
    }

    fn build(config: &ResNetConfig, device: &Device) -> Self {
        let mut n_in = config.widths[0];
        let stage = |(stage, (&width, &depth)): (usize, (&usize, &usize))| {
            let block = |idx: usize| {
                let stride = if idx == 0 && stage > 0 { 2 } else { 1 };
                let channels = [std::mem::replace(&mut n_in, width), width];
                BasicBlock::new(channels, stride, device)
            };
            (0..depth).map(block).collect()
        };
        Self {
            stem: ConvNorm::full(3, config.widths[0], config.stem_stride, device),
            stages: config.widths.iter().zip(&config.depths).enumerate().map(stage).collect(),
            fc: LinearConfig::new(config.widths[3], 1).init(device),
        }
    }
}

impl ResNet {
    /// Pixels `[batch, 3, height, width]` to what the stem reads, `[batch, height, width, 3]`.
    pub(crate) fn normalized(&self, images: Tensor<4>) -> Tensor<4> {
        (images.permute([0, 2, 3, 1]) - MEAN) / STD
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
    const PRESETS: &'static [&'static str] = &["resnet18_32"];

    fn preset(name: &str) -> Option<ResNetConfig> {
        (name == "resnet18_32").then(ResNetConfig::resnet18_32)
    }

    fn n_outputs(_: &ResNetConfig) -> usize {
        1
    }

    /// Normal with variance `2 / fan_out` (He et al. 2015), as torchvision; the last norm of a
    /// branch starts at 0, so that a block starts as its shortcut.
    fn draw(config: &ResNetConfig, seed: u64, device: &Device) -> Self {
        draw_weights(Self::build(config, device), seed, initial)
    }

    fn scores(&self, images: Tensor<4>) -> Tensor<2> {
        let mut x = activation::relu(self.stem.forward(self.normalized(images)));
        for block in self.stages.iter().flatten() {
            x = block.forward(x);
        }
        self.classify(self.pool(x))
    }

    fn scores_in_training(&self, _: &ResNetConfig, images: Tensor<4>, _: &[u64]) -> Tensor<2> {
        self.scores(images)
    }
}

fn initial(path: &str, shape: &[usize], rng: &mut ChaCha8Rng) -> Option<Vec<f32>> {
    let n_values = shape.iter().product();
    if path.ends_with("conv2.bn.gamma") {
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
        let small = ResNetConfig { widths: [4, 4, 8, 6], depths: [1, 3, 2, 1], stem_stride: 1 };
        for config in [small, ResNetConfig::resnet18_32()] {
            let model = ResNet::build(&config, &Device::flex());
            assert_eq!(ResNet::n_values(&config), model.num_params() as u64, "{config:?}");
        }
        assert_eq!(ResNet::n_values(&ResNetConfig::resnet18_32()) / 100_000, 28);
    }

    #[test]
    fn a_configuration_of_nonsense_is_refused() {
        let good = ResNetConfig::resnet18_32();
        assert!(ResNet::validate(&good).is_ok());
        for broken in [
            ResNetConfig { widths: [64, 0, 1, 1], ..good.clone() },
            ResNetConfig { depths: [usize::MAX; 4], ..good.clone() },
            ResNetConfig { stem_stride: 3, ..good },
        ] {
            assert!(ResNet::validate(&broken).is_err(), "{broken:?}");
        }
    }

    #[test]
    fn an_attack_on_a_loaded_network_leaves_it_and_the_neighbours_alone() {
        let config = ResNetConfig { widths: [4, 4, 8, 8], depths: [1; 4], stem_stride: 2 };
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
