//! The UNet of ADM (Dhariwal and Nichol 2021, arXiv 2105.05233).

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::{GroupNorm, Linear, LinearConfig};
use burn::tensor::{Device, Tensor, TensorData, activation};
use cifake::weights::{Configured, Mapping, draw_weights};
use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use super::UNetConfig;
use super::config::Plan;
use super::layers::{Attention, Resample, ResidualBlock, Resize, conv3x3, norm};
use crate::channels_last::{activated, convolve};

/// A stage of the way down or up, of up to three layers.
#[derive(Module, Debug)]
pub struct Stage {
    /// The stem, in the first stage alone.
    pub conv: Option<Conv2d>,
    /// The residual block.
    pub block: Option<ResidualBlock>,
    /// Behind it, at the resolutions with attention.
    pub attention: Option<Attention>,
    /// The residual block that doubles the map on the way up.
    pub resize_block: Option<ResidualBlock>,
    /// The convolution that does so without `resblock_updown`.
    pub resample: Option<Resample>,
    /// Whether `block` changes the map's size: on the way down it stands alone.
    #[module(skip)]
    block_resizes: bool,
}

impl Stage {
    fn new(config: &UNetConfig, plan: Plan, resize: Resize, device: &Device) -> Self {
        let width = plan.channels[1];
        let [by_block, by_conv] =
            [true, false].map(|block| plan.resizes && config.resblock_updown == block);
        let (is_stem, block_resizes) =
            (!plan.residual && !plan.resizes, by_block && !plan.residual);
        let has_block = plan.residual || block_resizes;
        Self {
            conv: is_stem.then(|| conv3x3(plan.channels, 1, device)),
            block: has_block.then(|| ResidualBlock::new(config, plan.channels, device)),
            attention: plan.attention.then(|| Attention::new(config, width, device)),
            resize_block: (by_block && plan.residual)
                .then(|| ResidualBlock::new(config, [width; 2], device)),
            resample: by_conv.then(|| Resample::new(width, resize, device)),
            block_resizes,
        }
    }

    fn forward(&self, mut x: Tensor<4>, time: &Tensor<2>, resize: Resize) -> Tensor<4> {
        if let Some(conv) = &self.conv {
            x = convolve(conv, x);
        }
        if let Some(block) = &self.block {
            x = block.forward(x, time.clone(), self.block_resizes.then_some(resize));
        }
        if let Some(attention) = &self.attention {
            x = attention.forward(x);
        }
        if let Some(block) = &self.resize_block {
            x = block.forward(x, time.clone(), Some(resize));
        }
        match &self.resample {
            Some(resample) => resample.forward(x, resize),
            None => x,
        }
    }
}

/// The network that predicts the noise in a picture.
#[derive(Module, Debug)]
pub struct UNet {
    /// First layer of the time's embedding.
    pub time_in: Linear,
    /// Second layer of the time's embedding.
    pub time_out: Linear,
    /// The way down.
    pub input_blocks: Vec<Stage>,
    /// First block at the smallest map.
    pub middle_in: ResidualBlock,
    /// Between both.
    pub middle_attention: Attention,
    /// Second block at the smallest map.
    pub middle_out: ResidualBlock,
    /// The way up.
    pub output_blocks: Vec<Stage>,
    /// Before the last convolution.
    pub norm: GroupNorm,
    /// The last, 3x3.
    pub conv: Conv2d,
}

impl Configured for UNet {
    type Config = UNetConfig;

    const KEY: &'static str = "unet_config";

    fn validate(config: &UNetConfig) -> Result<(), String> {
        config.check()
    }

    fn n_values(config: &UNetConfig) -> u64 {
        let size = |shape: &Vec<usize>| {
            shape.iter().fold(1, |product: u64, &n| product.saturating_mul(n as u64))
        };
        config.keys().iter().fold(0, |sum, (_, shape)| sum.saturating_add(size(shape)))
    }

    /// All maps that wait for the way up, and the four maps and the products of queries and keys that the
    /// largest stage holds at once.
    fn activation_bytes(config: &UNetConfig) -> u64 {
        let (down, up) = (config.way_down(), config.way_up());
        let map = |channels: usize, side: usize| {
            let pixels = (side as u64).saturating_mul(side as u64);
            pixels.saturating_mul(channels as u64)
        };
        let kept = down
            .iter()
            .fold(0, |sum: u64, plan| sum.saturating_add(map(plan.channels[1], plan.side)));
        let working = |plan: &Plan, resized: usize| {
            let [n_in, n_out] = plan.channels;
            let largest = map(n_in.max(n_out), plan.side).max(map(n_out, resized));
            let heads = if plan.attention { config.heads(n_out) } else { 0 };
            let products = map(1, plan.side).saturating_mul(map(heads, plan.side));
            largest.saturating_mul(4).saturating_add(products)
        };
        let at_last = Plan {
            channels: [config.deepest(); 2],
            residual: true,
            attention: true,
            resizes: false,
            side: config.image_size >> (config.channel_mult.len() - 1),
        };
        let doubled = |plan: &Plan| if plan.resizes { 2 * plan.side } else { plan.side };
        let most = up.iter().map(|plan| working(plan, doubled(plan)));
        let most = most.chain(down.iter().chain([&at_last]).map(|plan| working(plan, plan.side)));
        kept.saturating_add(most.max().unwrap_or(0)).saturating_mul(4)
    }

    fn build(config: &UNetConfig, device: &Device) -> Self {
        let stages = |plans: Vec<Plan>, resize| {
            plans.into_iter().map(|plan| Stage::new(config, plan, resize, device)).collect()
        };
        let (time, deepest) = (config.time_width(), config.deepest());
        let width = config.channel_mult[0] * config.model_channels;
        Self {
            time_in: LinearConfig::new(config.model_channels, time).init(device),
            time_out: LinearConfig::new(time, time).init(device),
            input_blocks: stages(config.way_down(), Resize::Halve),
            middle_in: ResidualBlock::new(config, [deepest; 2], device),
            middle_attention: Attention::new(config, deepest, device),
            middle_out: ResidualBlock::new(config, [deepest; 2], device),
            output_blocks: stages(config.way_up(), Resize::Double),
            norm: norm(config, width, device),
            conv: conv3x3([width, config.n_outputs()], 1, device),
        }
    }
}

impl UNet {
    /// From the names of guided-diffusion to those of this module.
    pub const GUIDED_DIFFUSION: Mapping<'static> = Mapping {
        renames: &[
            (r"\.in_layers\.0\.", ".norm_in."),
            (r"\.in_layers\.2\.", ".conv_in."),
            (r"\.emb_layers\.1\.", ".embed."),
            (r"\.out_layers\.0\.", ".norm_out."),
            (r"\.out_layers\.3\.", ".conv_out."),
            (r"\.skip_connection\.", ".skip."),
            (r"^time_embed\.0\.", "time_in."),
            (r"^time_embed\.2\.", "time_out."),
            (r"^middle_block\.0\.", "middle_in."),
            (r"^middle_block\.1\.", "middle_attention."),
            (r"^middle_block\.2\.", "middle_out."),
            (r"^out\.0\.", "norm."),
            (r"^out\.2\.", "conv."),
            (r"^input_blocks\.0\.0\.", "input_blocks.0.conv."),
            (r"^((?:in|out)put_blocks\.\d+)\.1\.(norm|qkv|proj_out)\.", "$1.attention.$2."),
            (r"^((?:in|out)put_blocks\.\d+)\.\d+\.(?:op|conv)\.", "$1.resample.conv."),
            (r"^(output_blocks\.\d+)\.[12]\.(norm_|conv_|embed|skip)", "$1.resize_block.$2"),
            (r"^((?:in|out)put_blocks\.\d+)\.0\.(norm_|conv_|embed|skip)", "$1.block.$2"),
        ],
        ..Mapping::PYTORCH
    };

    /// A network of a valid `config` with weights drawn from `seed`: uniform in one over the root of the inputs
    /// both ways, as torch's layers; biases are 0. The last layer of each residue and of the network is
    /// 0, so that a block starts as its shortcut.
    #[must_use]
    pub fn draw(config: &UNetConfig, seed: u64, device: &Device) -> Self {
        draw_weights(Self::build(config, device), seed, initial)
    }

    /// The embedding of `times`, steps of the diffusion that the network learned, before its activation:
    /// `[batch, 4 * model_channels]`.
    #[must_use]
    pub fn embed(&self, times: &[f64], device: &Device) -> Tensor<2> {
        let half = self.time_in.weight.dims()[0] / 2;
        let rate = |idx: usize| 10_000_f64.powf(-(idx as f64) / half as f64);
        let waves = times.iter().flat_map(|time| {
            let angle = move |idx: usize| time * rate(idx);
            let cosines = (0..half).map(move |idx| angle(idx).cos() as f32);
            cosines.chain((0..half).map(move |idx| angle(idx).sin() as f32))
        });
        let waves = TensorData::new(waves.collect::<Vec<f32>>(), [times.len(), 2 * half]);
        let hidden = self.time_in.forward(Tensor::from_data(waves, device));
        self.time_out.forward(activation::silu(hidden))
    }

    /// Noise that the network finds in `x`, pixels in `[-1, 1]`, `[batch, 3, side, side]`, at one time
    /// for each picture; with `learn_sigma` three channels more follow.
    #[must_use]
    pub fn forward(&self, x: Tensor<4>, times: &[f64]) -> Tensor<4> {
        self.forward_with(x, times, |_, _| {})
    }

    /// [`forward`](Self::forward), which shows the output of each stage by its name: `input.N`, `middle`,
    /// `output.N`, each `[batch, height, width, channels]`.
    pub fn forward_with(
        &self,
        x: Tensor<4>,
        times: &[f64],
        mut see: impl FnMut(String, &Tensor<4>),
    ) -> Tensor<4> {
        let time = activation::silu(self.embed(times, &x.device()));
        let mut x = x.permute([0, 2, 3, 1]);
        let mut kept = Vec::with_capacity(self.input_blocks.len());
        for (idx, stage) in self.input_blocks.iter().enumerate() {
            x = stage.forward(x, &time, Resize::Halve);
            see(format!("input.{idx}"), &x);
            kept.push(x.clone());
        }
        x = self.middle_in.forward(x, time.clone(), None);
        x = self.middle_out.forward(self.middle_attention.forward(x), time.clone(), None);
        see("middle".into(), &x);
        for (idx, (stage, kept)) in
            self.output_blocks.iter().zip(kept.into_iter().rev()).enumerate()
        {
            x = stage.forward(Tensor::cat(vec![x, kept], 3), &time, Resize::Double);
            see(format!("output.{idx}"), &x);
        }
        convolve(&self.conv, activated(&self.norm, x)).permute([0, 3, 1, 2])
    }
}

/// Initial values of the weight at `path`; norms keep theirs.
fn initial(path: &str, shape: &[usize], rng: &mut ChaCha8Rng) -> Option<Vec<f32>> {
    let n_values = shape.iter().product();
    let (layer, part) = path.rsplit_once('.')?;
    let is_last = layer == "conv" || layer.ends_with("conv_out") || layer.ends_with("proj_out");
    let n_inputs: usize = match (part, shape) {
        ("weight", [n_in, _]) => *n_in,
        ("weight", [_, inputs @ ..]) => inputs.iter().product(),
        ("bias", _) => return Some(vec![0.0; n_values]),
        _ => return None,
    };
    let reach = if is_last { 0.0 } else { (n_inputs as f32).sqrt().recip() };
    Some((0..n_values).map(|_| reach * rng.random_range(-1.0..=1.0)).collect())
}
