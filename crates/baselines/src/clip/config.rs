//! Shape of a detector on CLIP's embedding.

use cifake_vit::VitConfig;
use serde::{Deserialize, Serialize};

/// Longest side of the pictures, in pixels.
const MAX_SIDE: usize = 4096;
/// Channels of a layer of the head, at most.
const MAX_WIDTH: usize = 1 << 13;
/// Layers of the head before its last, at most.
const MAX_LAYERS: usize = 8;

/// The way to bring a picture to the tower's size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Fit {
    /// All of it by a bicubic filter, as CLIP's own preprocessing.
    #[default]
    Resize,
    /// Its middle, as it is; what is missing is black. Upstream's `validate.py` of UnivFD crops without a resize, so
    /// of a picture of 32x32 in a tower of 224, 98 % is black.
    CenterCrop,
}

impl std::str::FromStr for Fit {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "resize" => Ok(Self::Resize),
            "center_crop" => Ok(Self::CenterCrop),
            _ => Err("it must be resize or center_crop".to_owned()),
        }
    }
}

/// Shape of a [`ClipDetector`](crate::ClipDetector).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClipConfig {
    /// The vision tower.
    pub tower: VitConfig,
    /// Channels of the head's layers before the last; none for a linear head.
    pub hidden: Vec<usize>,
    /// The way to bring a picture to the tower's size.
    pub fit: Fit,
    /// Height and width of the pictures that the detector reads.
    pub side: usize,
}

impl ClipConfig {
    /// UnivFD (Ojha et al. 2023, arXiv 2302.10174): CLIP ViT-L/14 and one linear layer of its 768 values.
    #[must_use]
    pub fn univfd() -> Self {
        Self { tower: VitConfig::clip_large14(), hidden: Vec::new(), fit: Fit::Resize, side: 32 }
    }

    /// The configuration of the student system: CLIP ViT-B/32 and an MLP of 512, 128, 32 and 1 values.
    #[must_use]
    pub fn original() -> Self {
        Self { tower: VitConfig::clip_base32(), hidden: vec![128, 32], ..Self::univfd() }
    }

    /// Channels of the head, from the embedding to the logit.
    pub(crate) fn widths(&self) -> Vec<usize> {
        let hidden = self.hidden.iter().copied();
        std::iter::once(self.tower.embedding_dim()).chain(hidden).chain([1]).collect()
    }

    pub(crate) fn validate(&self) -> Result<(), String> {
        self.tower.validate().map_err(|reason| format!("tower: {reason}"))?;
        if self.hidden.len() > MAX_LAYERS {
            return Err(format!("hidden lists more than {MAX_LAYERS} layers"));
        }
        if self.hidden.iter().any(|&width| width == 0 || width > MAX_WIDTH) {
            return Err(format!("hidden must be of 1 to {MAX_WIDTH} channels"));
        }
        if !(1..=MAX_SIDE).contains(&self.side) {
            return Err(format!("side must be 1 to {MAX_SIDE}"));
        }
        Ok(())
    }
}
