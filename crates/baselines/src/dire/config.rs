//! Shape of the UNet of ADM (Dhariwal and Nichol 2021, arXiv 2105.05233).

use serde::{Deserialize, Serialize};

/// Shape of a [`UNet`](super::UNet), by the switches of guided-diffusion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UNetConfig {
    /// Side of the pictures in pixels.
    pub image_size: usize,
    /// Channels of the first map, even.
    pub model_channels: usize,
    /// Channels of each level in units of `model_channels`; each level but the first halves the map.
    pub channel_mult: Vec<usize>,
    /// Residual blocks of each level on the way down; the way up has one more.
    pub num_res_blocks: usize,
    /// Sides of the maps with attention, in pixels.
    pub attention_resolutions: Vec<usize>,
    /// Channels of an attention head; `None` where `num_heads` says how many heads there are.
    pub num_head_channels: Option<usize>,
    /// Heads of each attention, where `num_head_channels` is `None`.
    pub num_heads: usize,
    /// Groups of each `GroupNorm`; guided-diffusion has 32.
    pub num_groups: usize,
    /// Whether the time scales and shifts the second norm of a block, instead of a sum.
    pub use_scale_shift_norm: bool,
    /// Whether residual blocks change the size of the map, instead of single convolutions.
    pub resblock_updown: bool,
    /// Whether queries, keys and values are split before the heads; the older order splits heads first.
    pub use_new_attention_order: bool,
    /// Whether three more channels of the output interpolate the variance.
    pub learn_sigma: bool,
}

/// A stage of the way down or up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Channels in and out.
    pub(crate) channels: [usize; 2],
    /// Whether residual and attention layers stand here.
    pub(crate) residual: bool,
    pub(crate) attention: bool,
    /// Whether the stage changes the size of the map.
    pub(crate) resizes: bool,
    /// Side of the map at the input of the stage.
    pub(crate) side: usize,
}

impl UNetConfig {
    const MAX_SIDE: usize = 1024;
    const MAX_CHANNELS: usize = 4096;
    const MAX_LEVELS: usize = 8;
    const MAX_BLOCKS: usize = 16;

    /// The unconditional network of 256x256 pictures that DIRE uses: 552,814,086 weights.
    #[must_use]
    pub fn adm_256() -> Self {
        Self {
            image_size: 256,
            model_channels: 256,
            channel_mult: vec![1, 1, 2, 2, 4, 4],
            num_res_blocks: 2,
            attention_resolutions: vec![32, 16, 8],
            num_head_channels: Some(64),
            num_heads: 1,
            num_groups: 32,
            use_scale_shift_norm: true,
            resblock_updown: true,
            use_new_attention_order: false,
            learn_sigma: true,
        }
    }

    /// A network of 32x32 pictures that one core trains in a night: 1.2 M weights.
    #[must_use]
    pub fn ddpm_32() -> Self {
        Self {
            image_size: 32,
            model_channels: 32,
            channel_mult: vec![1, 2, 2],
            num_res_blocks: 1,
            attention_resolutions: vec![8],
            num_head_channels: Some(32),
            num_groups: 8,
            resblock_updown: false,
            learn_sigma: false,
            ..Self::adm_256()
        }
    }

    /// Length of the time's embedding.
    pub(crate) fn time_width(&self) -> usize {
        4 * self.model_channels
    }

    /// Channels of the output: the noise, and the variance where it is learned.
    #[must_use]
    pub fn n_outputs(&self) -> usize {
        if self.learn_sigma { 6 } else { 3 }
    }

    /// Heads of an attention over `channels`.
    pub(crate) fn heads(&self, channels: usize) -> usize {
        self.num_head_channels.map_or(self.num_heads, |width| channels / width)
    }

    /// Stages of the way down, the stem first.
    pub(crate) fn way_down(&self) -> Vec<Plan> {
        let (mut n, mut side) = (self.channel_mult[0] * self.model_channels, self.image_size);
        let stem =
            Plan { channels: [3, n], residual: false, attention: false, resizes: false, side };
        let mut plans = vec![stem];
        for (level, mult) in self.channel_mult.iter().enumerate() {
            for _ in 0..self.num_res_blocks {
                let channels = [n, mult * self.model_channels];
                let attention = self.attention_resolutions.contains(&side);
                plans.push(Plan { channels, residual: true, attention, resizes: false, side });
                n = channels[1];
            }
            if level + 1 < self.channel_mult.len() {
                plans.push(Plan {
                    channels: [n, n],
                    residual: false,
                    attention: false,
                    resizes: true,
                    side,
                });
                side /= 2;
            }
        }
        plans
    }

    /// Stages of the way up; the input of each is its own map and one of the way down.
    pub(crate) fn way_up(&self) -> Vec<Plan> {
        let mut kept: Vec<usize> = self.way_down().iter().map(|plan| plan.channels[1]).collect();
        let (mut n, mut plans) = (self.deepest(), Vec::new());
        for (level, mult) in self.channel_mult.iter().enumerate().rev() {
            let side = self.image_size >> level;
            for idx in 0..=self.num_res_blocks {
                let channels = [n + kept.pop().unwrap_or(0), mult * self.model_channels];
                let attention = self.attention_resolutions.contains(&side);
                let resizes = level > 0 && idx == self.num_res_blocks;
                plans.push(Plan { channels, residual: true, attention, resizes, side });
                n = channels[1];
            }
        }
        plans
    }

    /// Channels of the smallest map.
    pub(crate) fn deepest(&self) -> usize {
        self.channel_mult.last().unwrap_or(&1) * self.model_channels
    }

    /// A sentence that says why no network can have this shape.
    pub(crate) fn check(&self) -> Result<(), String> {
        let within = |size: usize, max: usize| (1..=max).contains(&size);
        if !within(self.image_size, Self::MAX_SIDE)
            || !within(self.num_res_blocks, Self::MAX_BLOCKS)
        {
            return Err(format!(
                "image_size is at most {}, num_res_blocks {}",
                Self::MAX_SIDE,
                Self::MAX_BLOCKS
            ));
        }
        if !within(self.channel_mult.len(), Self::MAX_LEVELS) {
            return Err(format!("channel_mult has 1 to {} levels", Self::MAX_LEVELS));
        }
        if !self.image_size.is_multiple_of(1 << (self.channel_mult.len() - 1)) {
            return Err("image_size must halve evenly at each level".into());
        }
        if self.attention_resolutions.len() > Self::MAX_LEVELS {
            return Err(format!("attention_resolutions has at most {} sides", Self::MAX_LEVELS));
        }
        if !self.model_channels.is_multiple_of(2)
            || !within(self.model_channels, Self::MAX_CHANNELS)
        {
            return Err(format!("model_channels must be even, 2 to {}", Self::MAX_CHANNELS));
        }
        let wide = |&mult: &usize| !within(mult, Self::MAX_CHANNELS / self.model_channels);
        if self.channel_mult.iter().any(wide) {
            return Err(format!("a level has at most {} channels", Self::MAX_CHANNELS));
        }
        self.check_divisors()
    }

    fn check_divisors(&self) -> Result<(), String> {
        if self.num_groups == 0 || self.num_heads == 0 || self.num_head_channels == Some(0) {
            return Err("num_groups, num_heads and num_head_channels are at least 1".into());
        }
        let plans: Vec<Plan> = self.way_down().into_iter().skip(1).chain(self.way_up()).collect();
        let widths = || plans.iter().flat_map(|plan| plan.channels);
        if widths().any(|width| width % self.num_groups != 0) {
            return Err("num_groups must divide the channels of each level".into());
        }
        let divisor = self.num_head_channels.unwrap_or(self.num_heads);
        let attended = plans.iter().filter(|plan| plan.attention).map(|plan| plan.channels[1]);
        if attended.chain([self.deepest()]).any(|width| width % divisor != 0) {
            return Err("the heads must divide the channels of each attention".into());
        }
        Ok(())
    }

    /// Names of guided-diffusion and shapes of all weights, in order of the names; `self` is valid.
    #[must_use]
    pub fn keys(&self) -> Vec<(String, Vec<usize>)> {
        let mut keys = Keys { config: self, keys: Vec::new() };
        let time = self.time_width();
        keys.layer("time_embed.0", &[time, self.model_channels]);
        keys.layer("time_embed.2", &[time, time]);
        for (idx, plan) in self.way_down().into_iter().enumerate() {
            keys.stage(&format!("input_blocks.{idx}"), plan, "op");
        }
        let deepest = self.deepest();
        keys.block("middle_block.0", [deepest; 2]);
        keys.attention("middle_block.1", deepest);
        keys.block("middle_block.2", [deepest; 2]);
        for (idx, plan) in self.way_up().into_iter().enumerate() {
            keys.stage(&format!("output_blocks.{idx}"), plan, "conv");
        }
        let width = self.channel_mult[0] * self.model_channels;
        keys.layer("out.0", &[width]);
        keys.layer("out.2", &[self.n_outputs(), width, 3, 3]);
        keys.keys.sort();
        keys.keys
    }
}

/// The list of weights as it grows.
struct Keys<'a> {
    config: &'a UNetConfig,
    keys: Vec<(String, Vec<usize>)>,
}

impl Keys<'_> {
    fn layer(&mut self, name: &str, weight: &[usize]) {
        self.keys.push((format!("{name}.weight"), weight.to_vec()));
        self.keys.push((format!("{name}.bias"), vec![weight[0]]));
    }

    fn block(&mut self, name: &str, [n_in, n_out]: [usize; 2]) {
        let embedded = if self.config.use_scale_shift_norm { 2 * n_out } else { n_out };
        self.layer(&format!("{name}.in_layers.0"), &[n_in]);
        self.layer(&format!("{name}.in_layers.2"), &[n_out, n_in, 3, 3]);
        self.layer(&format!("{name}.emb_layers.1"), &[embedded, self.config.time_width()]);
        self.layer(&format!("{name}.out_layers.0"), &[n_out]);
        self.layer(&format!("{name}.out_layers.3"), &[n_out, n_out, 3, 3]);
        if n_in != n_out {
            self.layer(&format!("{name}.skip_connection"), &[n_out, n_in, 1, 1]);
        }
    }

    fn attention(&mut self, name: &str, width: usize) {
        self.layer(&format!("{name}.norm"), &[width]);
        self.layer(&format!("{name}.qkv"), &[3 * width, width, 1]);
        self.layer(&format!("{name}.proj_out"), &[width, width, 1]);
    }

    fn stage(&mut self, name: &str, plan: Plan, resample: &str) {
        let (mut layer, width) = (0, plan.channels[1]);
        let mut next = || {
            layer += 1;
            format!("{name}.{}", layer - 1)
        };
        if plan.residual {
            self.block(&next(), plan.channels);
        } else if !plan.resizes {
            self.layer(&next(), &[width, plan.channels[0], 3, 3]);
        }
        if plan.attention {
            self.attention(&next(), width);
        }
        if plan.resizes && self.config.resblock_updown {
            self.block(&next(), [width; 2]);
        } else if plan.resizes {
            self.layer(&format!("{}.{resample}", next()), &[width, width, 3, 3]);
        }
    }
}
