//! The networks whose features are compared.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use cifake_vit::{Vit, VitConfig};
use serde::{Deserialize, Serialize};

use super::RigidForm;
use super::efficientnet::{EfficientNet, EfficientNetConfig, STD};

/// Maps of a block of EfficientNet that live at once.
const N_MAPS: u64 = 8;

/// Shape of a [`RigidEncoder`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RigidEncoderConfig {
    /// EfficientNet-Lite; its embedding is the mean over the last map.
    EfficientNet(EfficientNetConfig),
    /// A vision transformer, such as DINOv2.
    Vit(VitConfig),
}

/// One of the networks.
#[derive(Module, Debug)]
pub struct RigidEncoder {
    /// There, or else `vit` is.
    pub efficient_net: Option<EfficientNet>,
    /// There, or else `efficient_net` is.
    pub vit: Option<Vit>,
}

impl RigidEncoderConfig {
    /// A short name for both kinds.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::EfficientNet(_) => "efficientnet",
            Self::Vit(_) => "vit",
        }
    }

    /// Whether it can be built for pictures of `side` pixels; a sentence says why not.
    pub(super) fn check(&self, side: u32) -> Result<(), String> {
        match self {
            Self::EfficientNet(config) => config.check(),
            Self::Vit(config) if config.side != side as usize => {
                Err(format!("the encoder sees {} pixels, not encoder_side, {side}", config.side))
            }
            Self::Vit(config) => config.validate(),
        }
    }

    /// How many values a network of a checked configuration has.
    pub(super) fn n_values(&self) -> u64 {
        match self {
            Self::EfficientNet(config) => config.n_values(),
            Self::Vit(config) => config.n_values(),
        }
    }

    /// Memory that the network's activations take for a picture of `pixels` pixels, at most.
    pub(super) fn activation_bytes(&self, pixels: u64) -> u64 {
        match self {
            Self::EfficientNet(config) => config.largest_map(pixels).saturating_mul(4 * N_MAPS),
            Self::Vit(config) => config.activation_bytes(),
        }
    }

    /// The standard deviations by which pixels are divided.
    pub(super) fn std(&self) -> [f32; 3] {
        match self {
            Self::EfficientNet(_) => STD,
            Self::Vit(config) => config.std,
        }
    }

    /// A network of a checked configuration, with any weights.
    #[must_use]
    pub fn init(&self, device: &Device) -> RigidEncoder {
        match self {
            Self::EfficientNet(config) => {
                RigidEncoder { efficient_net: Some(config.init(device)), vit: None }
            }
            Self::Vit(config) => {
                RigidEncoder { efficient_net: None, vit: Some(config.build(device)) }
            }
        }
    }
}

impl RigidEncoder {
    /// What `form` compares of `images`, `[batch, channels]`.
    ///
    /// `images` are `[batch, 3, height, width]`, RGB, about in `[0, 1]`; normalization happens inside.
    ///
    /// # Panics
    ///
    /// If there is no network.
    #[must_use]
    pub fn embedding(&self, images: Tensor<4>, form: RigidForm) -> Tensor<2> {
        let tokens = match (&self.efficient_net, &self.vit) {
            (Some(network), _) => network.features(images).flatten::<3>(1, 2),
            (None, Some(vit)) if form == RigidForm::Published => return vit.forward(images),
            (None, Some(vit)) => vit.tokens(images),
            (None, None) => panic!("an encoder has one of the networks"),
        };
        let [batch, _, channels] = tokens.dims();
        tokens.mean_dim(1).reshape([batch, channels])
    }
}
