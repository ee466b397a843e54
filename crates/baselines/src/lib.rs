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
//! A [`cifake::Detector`] reads its weight files by a loader such as [`resnet_loader`].
//!
//! A method without training is a [`Statistic`]; [`StatisticNetwork`] makes a detector of it, with a threshold
//! from labelled pictures. [`IMPORTS`] lists the detectors that are made of published weights.
//!
//! | detector | what it is |
//! |---|---|
//! | [`ResNet`] | a residual network (He et al. 2016, arXiv 1512.03385) trained on CIFAKE; the surrogate of the fixed set of attacked pictures |
//! | [`Aeroblade`] | the distance of a picture to its reconstruction by autoencoders (Ricker et al. 2024, arXiv 2401.17879), without training |
//! | [`Rigid`] | how little noise changes the features of a picture (He et al. 2024, arXiv 2405.20112), without training |
//! | [`VitDetector`] | a vision transformer (Dosovitskiy et al. 2021, arXiv 2010.11929), trained on CIFAKE or fine-tuned from published weights |
//! | [`ClipDetector`] | a linear head (UnivFD, Ojha et al. 2023, arXiv 2302.10174) or an MLP on CLIP's embedding |
//! | [`FftVae`] | the encoder of a variational autoencoder on the spectra of pictures, then attention between patches |
//! | [`dire::Dire`] | a classifier of what a diffusion model does not give back of a picture (Wang et al. 2023, arXiv 2303.09295) |
//!
//! [`Fare`] makes an encoder robust (Schlarmann et al. 2024, arXiv 2402.12336); [`FareRun`] does it in a folder.

mod aeroblade;
mod channels_last;
mod clip;
pub mod dire;
mod error;
mod fare;
mod fft_vae;
mod import;
mod imports;
mod recipe;
mod resnet;
mod resumed;
mod rigid;
mod statistic;
mod vit;

pub use aeroblade::{
    Aeroblade, AerobladeConfig, AerobladeStatistic, Backbone, KlAttention, KlAutoencoder,
    KlAutoencoderConfig, KlBlock, KlDecoder, KlEncoder, KlMiddle, KlStage, Lpips, LpipsConfig,
    TinyAutoencoder, TinyAutoencoderConfig, TinyBlock, TinyBranch, TinyDecoder, TinyEncoder,
    TinyStage, aeroblade_loader,
};
pub use clip::{ClipClassifier, ClipConfig, ClipDetector, Fit, HeadTraining, clip_loader};
pub use error::Error;
pub use fare::{Embed, Fare, FareConfig, FareEvent, FareRecipe, FareRow, FareRun, FareState};
pub use fft_vae::{
    FftVae, FftVaeBlock, FftVaeClassifier, FftVaeConfig, PatchEmbedding, Planes, SpatialAttention,
    SpectrumEncoder, TokenAttention, fft_vae_loader,
};
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
pub use vit::{VitClassifier, VitDetector, vit_loader};
