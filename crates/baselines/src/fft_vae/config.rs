//! Shape of the detector.

use serde::{Deserialize, Serialize};

/// No layer of a file from outside is wider.
const MAX: usize = 4096;
/// Longest side of the pictures, in pixels.
const MAX_SIDE: usize = 256;
/// Most patch embeddings.
const MAX_EMBEDDINGS: usize = 8;
/// Pixels of the spectrum for each of the latent map, along a side.
pub(crate) const REDUCTION: usize = 4;

/// The planes that the encoder reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Planes {
    /// `log(1 + |F|)` of each color, from 0 to about 12.5.
    Spectrum,
    /// The same less 5, divided by 2: most values then lie within -1 and 1.
    Standardized,
    /// `Standardized`, and each color less the mean of 3x3 pixels, divided by 16 of 255 levels. The last three
    /// planes are over places, where the first three are over frequencies.
    WithResidual,
}

impl Planes {
    /// The number of planes.
    pub(crate) fn count(self) -> usize {
        match self {
            Self::Spectrum | Self::Standardized => 3,
            Self::WithResidual => 6,
        }
    }
}

/// Shape of a [`FftVae`](crate::FftVae).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FftVaeConfig {
    /// Height and width of the pictures, in pixels: a multiple of 4.
    pub side: usize,
    /// The planes that the encoder reads.
    pub planes: Planes,
    /// Whether the first map gets a learned offset for each frequency and channel. Convolutions alone hardly
    /// know at which frequency they are.
    pub frequency_table: bool,
    /// Channels of the encoder at full size, and after it was halved. Half of the second is the latent's.
    pub widths: [usize; 2],
    /// Groups of the encoder's norms; they divide both widths.
    pub n_groups: usize,
    /// Sides of the patches of each embedding of the latent map, whose side is a quarter of the picture's.
    pub patches: Vec<usize>,
    /// Values of a token.
    pub dim: usize,
    /// Heads of the attention between tokens.
    pub n_heads: usize,
}

impl FftVaeConfig {
    /// On 32x32, as [`original`](Self::original) but with standardized planes beside residual ones, a table of
    /// frequencies, and tokens of 64 values.
    ///
    /// Magnitudes forget where things are. In a trial on 12,000 pictures, residual planes and longer tokens
    /// together raised accuracy after three epochs from 85 to 90 % (`docs/experiments.md`).
    #[must_use]
    pub fn fft_vae_32() -> Self {
        let planes = Planes::WithResidual;
        Self { planes, frequency_table: true, dim: 64, ..Self::original() }
    }

    /// The shape that the student system ran on 32x32: 32 and 64 channels, two embeddings of 8x8 patches, tokens
    /// of 16 values.
    #[must_use]
    pub fn original() -> Self {
        Self {
            side: 32,
            planes: Planes::Spectrum,
            frequency_table: false,
            widths: [32, 64],
            n_groups: 32,
            patches: vec![8, 8],
            dim: 16,
            n_heads: 2,
        }
    }

    /// The names of the presets.
    pub(crate) const PRESETS: &'static [&'static str] = &["fft_vae_32", "fft_vae_original"];

    /// The preset called `name`.
    pub(crate) fn preset(name: &str) -> Option<Self> {
        match name {
            "fft_vae_32" => Some(Self::fft_vae_32()),
            "fft_vae_original" => Some(Self::original()),
            _ => None,
        }
    }

    /// Side of the latent map.
    pub(crate) fn latent_side(&self) -> usize {
        self.side / REDUCTION
    }

    /// Channels of the latent map.
    pub(crate) fn latent_channels(&self) -> usize {
        self.widths[1] / 2
    }

    pub(crate) fn validate(&self) -> Result<(), String> {
        let sizes = [self.widths[0], self.widths[1], self.n_groups, self.dim, self.n_heads];
        if sizes.iter().any(|size| !(1..=MAX).contains(size)) {
            return Err(format!("widths, n_groups, dim and n_heads must be 1 to {MAX}"));
        }
        if !(REDUCTION..=MAX_SIDE).contains(&self.side) || !self.side.is_multiple_of(REDUCTION) {
            return Err(format!("side must be a multiple of {REDUCTION} up to {MAX_SIDE}"));
        }
        if self.widths.iter().any(|width| !width.is_multiple_of(self.n_groups)) {
            return Err("n_groups must divide both widths".into());
        }
        if !self.widths[1].is_multiple_of(2) {
            return Err(
                "the second width must be even: a mean and a variance each take half".into()
            );
        }
        if !self.dim.is_multiple_of(self.n_heads) {
            return Err("n_heads must divide dim".into());
        }
        if !(1..=MAX_EMBEDDINGS).contains(&self.patches.len()) {
            return Err(format!("patches must hold 1 to {MAX_EMBEDDINGS} sides"));
        }
        let latent = self.latent_side();
        if self.patches.iter().any(|&patch| !latent.is_multiple_of(patch)) {
            return Err(format!("each of patches must divide the latent map's side, {latent}"));
        }
        Ok(())
    }

    /// The number of values of a network, for any configuration.
    pub(crate) fn n_values(&self) -> u64 {
        let [narrow, wide] = self.widths.map(|width| width as u64);
        let dim = self.dim as u64;
        let product = |a: u64, b: u64| a.saturating_mul(b);
        let conv = |n_in: u64, n_out: u64, taps: u64| {
            product(product(n_in, n_out), taps).saturating_add(n_out)
        };
        let block = |n_in: u64, n_out: u64| {
            let convs = conv(n_in, n_out, 9).saturating_add(conv(n_out, n_out, 9));
            let shortcut = if n_in == n_out { 0 } else { conv(n_in, n_out, 1) };
            convs.saturating_add(shortcut).saturating_add(product(2, n_in.saturating_add(n_out)))
        };
        let attention = |dim: u64| conv(dim, product(3, dim), 1).saturating_add(conv(dim, dim, 1));
        let side = self.side as u64;
        let table = if self.frequency_table { product(product(side, side), narrow) } else { 0 };
        let embeddings = self.patches.iter().map(|&patch| {
            let inputs = product(product(patch as u64, patch as u64), wide / 2);
            conv(inputs, dim, 1).saturating_add(dim)
        });
        [
            conv(self.planes.count() as u64, narrow, 9),
            table,
            block(narrow, narrow),
            conv(narrow, narrow, 9),
            block(narrow, wide),
            conv(wide, wide, 9),
            product(3, block(wide, wide)),
            product(2, wide),
            attention(wide),
            product(2, wide),
            conv(wide, wide, 9),
            attention(dim),
            product(6, dim),
            conv(dim, 2, 1),
        ]
        .into_iter()
        .chain(embeddings)
        .fold(0, u64::saturating_add)
    }

    /// Memory of one picture's activations in bytes, at most, for any configuration: maps of a block or of the
    /// transform at full size, or the attention between places.
    pub(crate) fn activation_bytes(&self) -> u64 {
        let product = |a: u64, b: u64| a.saturating_mul(b);
        let pixels = product(self.side as u64, self.side as u64);
        let wide = self.widths[0].max(self.widths[1]) as u64;
        let maps = product(pixels, product(6, wide).saturating_add(8 * self.planes.count() as u64));
        let places = pixels / (REDUCTION * REDUCTION) as u64;
        let scores = product(product(2, places), places);
        let tokens = product(self.n_tokens(), product(8, self.dim as u64));
        let pairs =
            product(product(2, self.n_heads as u64), product(self.n_tokens(), self.n_tokens()));
        [scores, tokens, pairs].into_iter().fold(maps, u64::saturating_add).saturating_mul(4)
    }

    /// Tokens of all embeddings.
    fn n_tokens(&self) -> u64 {
        let side = self.latent_side() as u64;
        let patches = |&patch: &usize| {
            let along = side / (patch as u64).max(1);
            along.saturating_mul(along).saturating_add(1)
        };
        self.patches.iter().map(patches).fold(0, u64::saturating_add)
    }
}
