//! Detectors of AI-generated images to compare with.
//!
//! ```
//! use baselines::{ResNet, ResNetConfig};
//! use burn::tensor::{Device, Tensor};
//! use cifake::Classifier;
//! use cifake_training::{Evaluated, Network};
//!
//! let config = ResNetConfig::resnet18_32();
//! let model = Evaluated::new(&ResNet::draw(&config, 1, &Device::flex()));
//! let logits = model.logits(Tensor::ones([2, 3, 32, 32], &Device::flex()) * 0.5);
//! assert_eq!(logits.dims(), [2, 2]);
//! ```
//!
//! A [`cifake::Detector`] reads its weight files by [`resnet_loader`].
//!
//! A method without training is a [`Statistic`]; [`StatisticNetwork`] makes a detector of it, with a threshold
//! from labelled pictures. [`IMPORTS`] lists the detectors that are made of published weights.
//!
//! | detector | what it is |
//! |---|---|
//! | [`ResNet`] | a residual network (He et al. 2016, arXiv 1512.03385) trained on CIFAKE; the surrogate of the fixed set of attacked pictures |
//! | [`Aeroblade`] | the distance of a picture to its reconstruction by autoencoders (Ricker et al. 2024, arXiv 2401.17879), without training |
//! | [`Rigid`] | how little noise changes the features of a picture (He et al. 2024, arXiv 2405.20112), without training |
//!
//! [`dire`] holds the parts of DIRE: the UNet of ADM and its deterministic diffusion.

mod aeroblade;
pub mod dire;
mod error;
mod import;
mod imports;
mod resnet;
mod rigid;
mod statistic;

pub use aeroblade::{
    Aeroblade, AerobladeConfig, AerobladeStatistic, Backbone, KlAttention, KlAutoencoder,
    KlAutoencoderConfig, KlBlock, KlDecoder, KlEncoder, KlMiddle, KlStage, Lpips, LpipsConfig,
    TinyAutoencoder, TinyAutoencoderConfig, TinyBlock, TinyBranch, TinyDecoder, TinyEncoder,
    TinyStage, aeroblade_loader,
};
pub use error::Error;
pub use import::{Import, Part, Request, load_published};
pub use imports::IMPORTS;
pub use resnet::{
    BlockKind, Normalization, ResNet, ResNetClassifier, ResNetConfig, ResidualBlock, StemKind,
    resnet_loader,
};
pub use rigid::{
    EfficientNet, EfficientNetBlock, EfficientNetConfig, EfficientNetStage, Rigid, RigidConfig,
    RigidEncoder, RigidEncoderConfig, RigidForm, RigidStatistic, rigid_loader,
};
pub use statistic::{Logistic, Pictures, Statistic, StatisticNetwork};
