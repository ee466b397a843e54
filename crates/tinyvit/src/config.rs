//! The shape of a TinyViT, and the presets by name.

use serde::{Deserialize, Serialize};

/// Channel means that ImageNet models subtract, RGB, of pixels in `[0, 1]`.
pub const IMAGENET_MEAN: [f32; 3] = [0.485, 0.456, 0.406];
/// Channel standard deviations that ImageNet models divide by, RGB, of pixels in `[0, 1]`.
pub const IMAGENET_STD: [f32; 3] = [0.229, 0.224, 0.225];

/// The map from pixels in `[0, 1]` to the first layer's input: `(pixel - mean) / std`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Normalization {
    /// Mean of each channel, RGB.
    pub mean: [f32; 3],
    /// Standard deviation of each channel, RGB.
    pub std: [f32; 3],
}

impl Normalization {
    /// ImageNet's, which timm's checkpoints expect.
    pub const IMAGENET: Self = Self { mean: IMAGENET_MEAN, std: IMAGENET_STD };
    /// `[0, 1]` to `[-2, 2]`: the native presets, which have no pretraining to agree with.
    pub const CENTRED: Self = Self { mean: [0.5; 3], std: [0.25; 3] };
}

/// Shape of a TinyViT (Wu et al. 2022, arXiv 2207.10666; timm `tiny_vit.py`).
///
/// Stage 0 is made of MBConv blocks, stages 1 to 3 of windowed attention; a patch merging stands
/// before each of the latter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TinyVitConfig {
    /// Name of the preset, as it is reported.
    pub name: String,
    /// Height and width of the pictures that the model reads.
    pub image_size: usize,
    /// Channels of each stage.
    pub embed_dims: [usize; 4],
    /// Blocks of each stage.
    pub depths: [usize; 4],
    /// Attention heads of each stage; the first is not used, as upstream.
    pub n_heads: [usize; 4],
    /// Side of the attention windows of each stage; the first is not used, as upstream.
    pub window_sizes: [usize; 4],
    /// Channels between the two convolutions of the stem.
    pub stem_dim: usize,
    /// Strides of the two convolutions of the stem.
    pub stem_strides: [usize; 2],
    /// Strides of the patch mergings before stages 1, 2 and 3.
    pub merge_strides: [usize; 3],
    /// Width of the MBConv blocks over their input.
    pub mbconv_expand_ratio: usize,
    /// Width of the MLPs over their input.
    pub mlp_ratio: usize,
    /// Outputs of the head: 1 (a logit of FAKE) or 2 (REAL, FAKE) for detection, 1000 for ImageNet.
    pub n_classes: usize,
    /// The map from pixels to the first layer's input.
    pub normalization: Normalization,
    /// Stochastic depth of the last block; it rises linearly from 0 (training only).
    pub drop_path_rate: f64,
}

impl TinyVitConfig {
    fn upstream(name: &str, embed_dims: [usize; 4], n_heads: [usize; 4], rate: f64) -> Self {
        Self {
            name: name.to_owned(),
            image_size: 224,
            embed_dims,
            depths: [2, 2, 6, 2],
            n_heads,
            window_sizes: [7, 7, 14, 7],
            stem_dim: embed_dims[0] / 2,
            stem_strides: [2, 2],
            merge_strides: [2, 2, 2],
            mbconv_expand_ratio: 4,
            mlp_ratio: 4,
            n_classes: 1000,
            normalization: Normalization::IMAGENET,
            drop_path_rate: rate,
        }
    }

    /// timm's `tiny_vit_5m_224`: 5.4 M parameters with its 1000 classes, 1.3 GMAC.
    #[must_use]
    pub fn tiny_vit_5m() -> Self {
        Self::upstream("tiny_vit_5m", [64, 128, 160, 320], [2, 4, 5, 10], 0.0)
    }

    /// timm's `tiny_vit_11m_224`: 11 M parameters, 2 GMAC.
    #[must_use]
    pub fn tiny_vit_11m() -> Self {
        Self::upstream("tiny_vit_11m", [64, 128, 256, 448], [2, 4, 8, 14], 0.1)
    }

    /// timm's `tiny_vit_21m_224`: 21 M parameters, 4.3 GMAC.
    #[must_use]
    pub fn tiny_vit_21m() -> Self {
        Self::upstream("tiny_vit_21m", [96, 192, 384, 576], [3, 6, 12, 18], 0.2)
    }

    /// The shipped preset, native to 32x32: maps of 32 (stem), 16, 8, 4 and 4, each window a whole
    /// map. The first convolution works at full resolution, since what tells a generated picture
    /// at this size is fine detail.
    #[must_use]
    pub fn native() -> Self {
        Self {
            name: "native".to_owned(),
            image_size: 32,
            embed_dims: [48, 96, 128, 160],
            depths: [2, 2, 6, 2],
            n_heads: [1, 3, 4, 5],
            window_sizes: [4, 8, 4, 4],
            stem_dim: 24,
            stem_strides: [1, 2],
            merge_strides: [2, 2, 1],
            mbconv_expand_ratio: 4,
            mlp_ratio: 4,
            n_classes: 1,
            normalization: Normalization::CENTRED,
            drop_path_rate: 0.0,
        }
    }

    /// As [`native`](Self::native), wider, and deeper where maps are large: 4.2 M values and 165 MMAC,
    /// at most 4.4 M and 200, so that it fits into a published package in int8.
    #[must_use]
    pub fn native_large() -> Self {
        Self {
            name: "native_large".to_owned(),
            embed_dims: [64, 128, 192, 192],
            depths: [3, 6, 4, 2],
            n_heads: [2, 4, 6, 6],
            stem_dim: 32,
            ..Self::native()
        }
    }

    /// The preset called `name`: `5m`, `11m`, `21m` (or their timm names), `native`, `native_large`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name.trim_start_matches("tiny_vit_").trim_end_matches("_224") {
            "5m" => Some(Self::tiny_vit_5m()),
            "11m" => Some(Self::tiny_vit_11m()),
            "21m" => Some(Self::tiny_vit_21m()),
            "native" => Some(Self::native()),
            "native_large" => Some(Self::native_large()),
            _ => None,
        }
    }

    /// Sets the number of outputs of the head.
    #[must_use]
    pub fn with_n_classes(mut self, n_classes: usize) -> Self {
        self.n_classes = n_classes;
        self
    }

    /// Sets the picture size and keeps the windows: exactly what timm does, so that its checkpoints
    /// load. A window larger than its map is padded, which wastes work: see
    /// [`with_fitting_windows`](Self::with_fitting_windows).
    #[must_use]
    pub fn with_image_size(mut self, image_size: usize) -> Self {
        self.image_size = image_size;
        self
    }

    /// Chooses windows by resolution: for each stage the largest divisor of its map that is not
    /// larger than twice the window it has now, so that nothing is padded. Attention biases of
    /// another window size must be resized when weights are loaded.
    #[must_use]
    pub fn with_fitting_windows(mut self) -> Self {
        let maps = self.map_sizes();
        for (window, map) in self.window_sizes.iter_mut().zip(maps).skip(1) {
            let limit = 2 * *window;
            *window =
                (1..=map.min(limit)).rev().find(|side| map.is_multiple_of(*side)).unwrap_or(1);
        }
        self
    }

    /// Side of the feature map of each stage.
    #[must_use]
    pub fn map_sizes(&self) -> [usize; 4] {
        let stem = self.stem_strides.iter().fold(self.image_size, |side, s| side.div_ceil(*s));
        let mut maps = [stem; 4];
        for stage in 1..4 {
            maps[stage] = maps[stage - 1].div_ceil(self.merge_strides[stage - 1]);
        }
        maps
    }

    /// Numbers that a weight file of this model holds: parameters and running statistics.
    #[must_use]
    pub fn n_values(&self) -> u64 {
        let norm = |c: u64| 4 * c;
        let conv = |input: u64, output: u64, taps: u64| input * output * taps + norm(output);
        let linear = |input: u64, output: u64| input * output + output;
        let [dims, heads, windows, depths] =
            [self.embed_dims, self.n_heads, self.window_sizes, self.depths]
                .map(|list| list.map(|n| n as u64));
        let [stem, expand, mlp] =
            [self.stem_dim, self.mbconv_expand_ratio, self.mlp_ratio].map(|n| n as u64);
        let wide = dims[0] * expand;
        let mbconv = conv(dims[0], wide, 1) + conv(1, wide, 9) + conv(wide, dims[0], 1);
        let stage = |i: usize| {
            let d = dims[i];
            let merge = conv(dims[i - 1], d, 1) + conv(1, d, 9) + conv(d, d, 1);
            let biases = heads[i] * windows[i] * windows[i];
            let attention = 2 * d + linear(d, 3 * d) + linear(d, d) + biases;
            let transform = 2 * d + linear(d, mlp * d) + linear(mlp * d, d);
            merge + depths[i] * (attention + conv(1, d, 9) + transform)
        };
        let head = 2 * dims[3] + linear(dims[3], self.n_classes as u64);
        let stem = conv(3, stem, 9) + conv(stem, dims[0], 9);
        stem + depths[0] * mbconv + (1..4).map(stage).sum::<u64>() + head
    }

    /// Multiply-accumulates of the forward pass of one picture: of convolutions, linear layers and
    /// both products of attention; norms, activations and sums are not counted.
    ///
    /// The configuration must be a valid one: see [`validate`](Self::validate).
    #[must_use]
    pub fn n_macs(&self) -> u64 {
        let square = |side: usize| (side as u64).pow(2);
        let maps = self.map_sizes();
        let [dims, windows, depths] =
            [self.embed_dims, self.window_sizes, self.depths].map(|list| list.map(|n| n as u64));
        let [stem, expand, mlp] =
            [self.stem_dim, self.mbconv_expand_ratio, self.mlp_ratio].map(|n| n as u64);
        let first_map = self.image_size.div_ceil(self.stem_strides[0]);
        let stem = 9 * stem * (3 * square(first_map) + dims[0] * square(maps[0]));
        let mbconv = square(maps[0]) * dims[0] * expand * (2 * dims[0] + 9);
        let stage = |i: usize| {
            let (d, pixels, window) = (dims[i], square(maps[i]), windows[i].pow(2));
            let merge = square(maps[i - 1]) * dims[i - 1] * d + pixels * d * (d + 9);
            // Tokens of a window outside of the map are padded and computed with.
            let tokens = square(maps[i].div_ceil(self.window_sizes[i]) * self.window_sizes[i]);
            let attention = tokens * d * (4 * d + 2 * window);
            merge + depths[i] * (attention + pixels * d * (9 + 2 * mlp * d))
        };
        let head = dims[3] * self.n_classes as u64;
        stem + depths[0] * mbconv + (1..4).map(stage).sum::<u64>() + head
    }

    /// Memory that the activations of one picture take at once, in bytes, at most: the largest sum of what one step
    /// reads, keeps and writes in `f32`. A number beyond the type's range is its greatest.
    #[must_use]
    pub fn activation_bytes(&self) -> u64 {
        // In floating point, since a configuration from outside may overflow any integer.
        let square = |side: usize| (side as f64).powi(2);
        let maps = self.map_sizes();
        let dims = self.embed_dims.map(|dim| dim as f64);
        let first_map = square(self.image_size.div_ceil(self.stem_strides[0]));
        let pixels = 3.0 * square(self.image_size);
        let stem = self.stem_dim as f64 * first_map;
        let map = |stage: usize| dims[stage] * square(maps[stage]);
        let embed = (2.0 * pixels + stem).max(2.0 * stem + map(0));
        let mbconv = map(0) * (2.0 + 2.0 * self.mbconv_expand_ratio as f64);
        let stage = |i: usize| {
            let merge = map(i - 1) + 2.0 * dims[i] * square(maps[i - 1]) + 2.0 * map(i);
            let window = self.window_sizes[i];
            let tokens = square(maps[i].next_multiple_of(window));
            let pairs = self.n_heads[i] as f64 * square(window);
            // Scores of all windows; beside them the biases of one and their places.
            let attend = 6.0 * dims[i] * tokens
                + 2.0 * pairs * tokens
                + (pairs + square(window)) * square(window);
            let transform = map(i) * (3.0 + 2.0 * self.mlp_ratio as f64);
            merge.max(attend).max(transform)
        };
        let most = (1..4).map(stage).fold(embed.max(mbconv), f64::max);
        (4.0 * most) as u64
    }

    /// Checks what a configuration from outside must satisfy before anything is built from it.
    ///
    /// # Errors
    ///
    /// A sentence that says which field is wrong and why.
    pub fn validate(&self) -> Result<(), String> {
        let sizes = [self.image_size, self.stem_dim, self.mbconv_expand_ratio, self.mlp_ratio];
        let lists = [self.embed_dims, self.n_heads, self.window_sizes].concat();
        if sizes.iter().chain(&lists).any(|&n| n == 0 || n > 4096) {
            return Err("sizes, dimensions, heads and windows must be between 1 and 4096".into());
        }
        if self.depths.iter().any(|&n| n == 0 || n > 64) {
            return Err("depths must be between 1 and 64".into());
        }
        if self.n_classes == 0 || self.n_classes > 100_000 {
            return Err("n_classes must be between 1 and 100000".into());
        }
        if self.stem_strides.iter().chain(&self.merge_strides).any(|&s| s != 1 && s != 2) {
            return Err("strides must be 1 or 2".into());
        }
        if (1..4).any(|i| !self.embed_dims[i].is_multiple_of(self.n_heads[i])) {
            return Err("embed_dims must be multiples of n_heads".into());
        }
        if !(0.0..1.0).contains(&self.drop_path_rate) {
            return Err("drop_path_rate must be in [0, 1)".into());
        }
        if self.normalization.std.iter().any(|&s| !s.is_finite() || s <= 0.0) {
            return Err("normalization.std must be positive".into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn native_presets_end_in_a_map_of_at_least_four() {
        for config in [TinyVitConfig::native(), TinyVitConfig::native_large()] {
            assert!(config.map_sizes()[3] >= 4);
            assert!(config.map_sizes().contains(&8));
            let [maps, windows] = [config.map_sizes(), config.window_sizes];
            let padded = (1..4).any(|i| !maps[i].is_multiple_of(windows[i]));
            assert!(!padded);
        }
    }

    #[test]
    fn multiply_accumulates_are_those_that_are_published() {
        // Table 4 of the paper, in giga.
        let published = [
            (TinyVitConfig::tiny_vit_5m(), 1.3),
            (TinyVitConfig::tiny_vit_11m(), 2.0),
            (TinyVitConfig::tiny_vit_21m(), 4.3),
        ];
        for (config, giga) in published {
            let found = config.n_macs() as f64 / 1e9;
            assert!((found - giga).abs() < 0.05, "{}: {found}", config.name);
        }
        // By hand: stem 3.32 M, then stages of 10.32, 17.66, 20.45 and 10.80 M; 160 in the head.
        assert_eq!(TinyVitConfig::native().n_macs(), 62_549_664);
    }

    #[test]
    fn the_large_preset_stays_within_its_limits() {
        let config = TinyVitConfig::native_large();
        assert_eq!(config.validate(), Ok(()));
        assert!(config.n_macs() <= 200_000_000, "{}", config.n_macs());
        assert!(config.n_values() <= 4_400_000, "{}", config.n_values());
        assert!(config.n_values() > TinyVitConfig::native().n_values());
    }

    #[test]
    fn fitting_windows_divide_their_maps() {
        let config = TinyVitConfig::tiny_vit_5m().with_image_size(64).with_fitting_windows();
        assert_eq!(config.map_sizes(), [16, 8, 4, 2]);
        assert_eq!(config.window_sizes[1..], [8, 4, 2]);
        let at_224 = TinyVitConfig::tiny_vit_5m().with_fitting_windows();
        assert_eq!(at_224.window_sizes[1..], [14, 14, 7]);
    }

    #[test]
    fn the_formula_counts_what_a_model_holds() {
        let mut config = TinyVitConfig::native_large().with_n_classes(7);
        config.depths = [1, 2, 3, 1];
        let model = config.init(1, &Device::flex());
        assert_eq!(config.n_values(), burn::module::Module::num_params(&model) as u64);
    }

    #[test]
    fn a_configuration_of_nonsense_is_refused() {
        let mut config = TinyVitConfig::native();
        config.embed_dims[2] = 127;
        assert!(config.validate().is_err());
        assert!(TinyVitConfig::native().validate().is_ok());
        assert!(TinyVitConfig::native().with_n_classes(0).validate().is_err());
    }
}
