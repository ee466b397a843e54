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
//! | detector | what it is |
//! |---|---|
//! | [`ResNet`] | a residual network (He et al. 2016, arXiv 1512.03385) trained on CIFAKE; the surrogate of the fixed set of attacked pictures |
//!
//! [`dire`] holds the parts of DIRE: the UNet of ADM and its deterministic diffusion.

pub mod dire;
mod resnet;

pub use resnet::{
    BlockKind, Normalization, ResNet, ResNetClassifier, ResNetConfig, ResidualBlock, StemKind,
    resnet_loader,
};
