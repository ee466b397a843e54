//! The networks whose features are compared.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use cifake::weights::Configured;
use cifake_vit::{Vit, VitConfig};
use serde::{Deserialize, Serialize};

use super::RigidForm;
use super::efficientnet::{EfficientNet, EfficientNetConfig, STD};
use crate::{ResNet, ResNetConfig};

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
    /// A ResNet, such as a trained detector; its embedding is the mean over the last map.
    ResNet(ResNetConfig),
}

/// One of the networks: the others are `None`.
#[derive(Module, Debug)]
pub struct RigidEncoder {
    /// EfficientNet-Lite.
    pub efficient_net: Option<EfficientNet>,
    /// A vision transformer.
    pub vit: Option<Vit>,
    /// A ResNet. Its head is not used.
    pub resnet: Option<ResNet>,
}

impl RigidEncoder {
    const NONE: Self = Self { efficient_net: None, vit: None, resnet: None };
}

impl From<EfficientNet> for RigidEncoder {
    fn from(network: EfficientNet) -> Self {
        Self { efficient_net: Some(network), ..Self::NONE }
    }
}

impl From<Vit> for RigidEncoder {
    fn from(network: Vit) -> Self {
        Self { vit: Some(network), ..Self::NONE }
    }
}

impl From<ResNet> for RigidEncoder {
    fn from(network: ResNet) -> Self {
        Self { resnet: Some(network), ..Self::NONE }
    }
}

impl RigidEncoderConfig {
    /// A short name of the kind.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::EfficientNet(_) => "efficientnet",
            Self::Vit(_) => "vit",
            Self::ResNet(_) => "resnet",
        }
    }

    /// Whether it can be built for pictures of `side` pixels; a sentence says why not.
    pub(super) fn check(&self, side: u32) -> Result<(), String> {
        match self {
            Self::EfficientNet(config) => config.check(),
            Self::Vit(config) => at_side(config.side, side).and_then(|()| config.validate()),
            Self::ResNet(config) => {
                at_side(config.side, side).and_then(|()| ResNet::validate(config))
            }
        }
    }

    /// The number of values of a network of a checked configuration.
    pub(super) fn n_values(&self) -> u64 {
        match self {
            Self::EfficientNet(config) => config.n_values(),
            Self::Vit(config) => config.n_values(),
            Self::ResNet(config) => ResNet::n_values(config),
        }
    }

    /// Memory that the network's activations take for a picture of `pixels` pixels, at most.
    pub(super) fn activation_bytes(&self, pixels: u64) -> u64 {
        match self {
            Self::EfficientNet(config) => config.largest_map(pixels).saturating_mul(4 * N_MAPS),
            Self::Vit(config) => config.activation_bytes(),
            Self::ResNet(config) => ResNet::activation_bytes(config),
        }
    }

    /// The standard deviations by which pixels are divided.
    pub(super) fn std(&self) -> [f32; 3] {
        match self {
            Self::EfficientNet(_) => STD,
            Self::Vit(config) => config.std,
            Self::ResNet(config) => config.normalization.mean_std()[1],
        }
    }

    /// A network of a checked configuration, with any weights.
    #[must_use]
    pub fn init(&self, device: &Device) -> RigidEncoder {
        match self {
            Self::EfficientNet(config) => config.init(device).into(),
            Self::Vit(config) => config.build(device).into(),
            Self::ResNet(config) => ResNet::build(config, device).into(),
        }
    }
}

/// Whether an encoder for pictures of `own` pixels is given those of `side`; a sentence says that it is not.
fn at_side(own: usize, side: u32) -> Result<(), String> {
    match own == side as usize {
        true => Ok(()),
        false => Err(format!("the encoder sees {own} pixels, not encoder_side, {side}")),
    }
}

impl RigidEncoder {
    /// The features of `images` that `form` compares, `[batch, channels]`.
    ///
    /// `images` are `[batch, 3, height, width]`, RGB, about in `[0, 1]`; normalization happens inside.
    ///
    /// # Panics
    ///
    /// If there is no network.
    #[must_use]
    pub fn embedding(&self, images: Tensor<4>, form: RigidForm) -> Tensor<2> {
        if let Some(network) = &self.resnet {
            return network.embedding(images);
        }
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
