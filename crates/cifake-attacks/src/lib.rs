//! Attacks on detectors of AI-generated images, white-box and black-box, in pixel units, each
//! sample by itself, on any device; the model is left as it is.
//!
//! # Measure how robust a detector is
//!
//! ```
//! # use burn::tensor::{Device, Tensor};
//! use cifake::{Classifier, Differentiable, Label};
//! use cifake_attacks::{Attack, Epsilon, Pgd, Samples, Victim};
//!
//! /// A detector that takes bright pictures for FAKE.
//! struct Bright;
//!
//! impl Classifier for Bright {
//!     fn logits(&self, images: Tensor<4>) -> Tensor<2> {
//!         let [batch, ..] = images.dims();
//!         let mean = images.reshape([batch as i32, -1]).mean_dim(1) - 0.5;
//!         Tensor::cat(vec![-mean.clone(), mean], 1)
//!     }
//! }
//! impl Differentiable for Bright {}
//!
//! let images = Tensor::<4>::ones([1, 3, 4, 6], &Device::flex()) * 0.52;
//! let samples = Samples::new(images, vec![Label::Fake], vec![7]);
//! let attack = Pgd::linf(Epsilon::from_255(8.0)?);
//! let found = attack.perturb(&Victim::new(&Bright), &samples, 0)?;
//! let logits = Bright.logits(found.images);
//! assert!(logits.clone().narrow(1, 0, 1).into_scalar::<f32>() > 0.0, "now it is REAL");
//! # Ok::<(), cifake_attacks::Error>(())
//! ```
//!
//! | attack | follows | reference |
//! |---|---|---|
//! | [`Pgd`], of which FGSM, BIM, MI-FGSM and DCT-PGD are choices | gradients | Madry et al. 2018 |
//! | [`Apgd`] on the cross-entropy or the margin | gradients | Croce and Hein 2020 |
//! | [`Fab`] | gradients | Croce and Hein 2020 |
//! | [`Square`] | answers | Andriushchenko et al. 2020 |
//! | [`OnePixel`] | answers | Su et al. 2019 |
//! | [`Ensemble::standard`]: the four above it | both | after AutoAttack |
//! | [`DctNoise`], [`PixelNoise`], [`Corruption`], [`Degradation`] | nothing | |
//!
//! [`evaluate_degradations`] measures a detector on pictures that arrive compressed, enlarged or cut.
//! [`evaluate_robustness`] measures it under attack, and the feature `parquet` adds
//! `Build`, which writes a fixed set of attacked pictures; both go on where they were broken off.
//!
//! Epsilon is in units of a pixel's range, `[0, 1]`. Every random draw is a function of a seed and
//! of the sample's id: the same seed gives the same bytes, whoever else is in the batch.

mod apgd;
mod attacked;
mod best;
mod corruption;
mod dct;
mod degradation;
mod ensemble;
mod epsilon;
mod error;
mod expectation;
mod fab;
#[cfg(feature = "parquet")]
mod fixed_set;
mod hyperplane;
mod loss;
mod named;
mod norm;
mod one_pixel;
mod pgd;
mod random;
mod robustness;
mod run;
mod samples;
mod sizes;
mod square;
mod warning;

pub use apgd::Apgd;
pub use corruption::Corruption;
pub use dct::{Band, DctNoise};
pub use degradation::{
    Degradation, DegradationKind, DegradationReport, DegradedRow, evaluate_degradations,
};
pub use ensemble::Ensemble;
pub use epsilon::{Epsilon, StepSize};
pub use error::Error;
pub use expectation::Averaged;
pub use fab::Fab;
#[cfg(feature = "parquet")]
pub use fixed_set::{
    Build, BuildManifest, BuiltFile, BuiltReport, BuiltRow, Generated, GeneratorOrigin, Licensed,
    Origin, evaluate_built,
};
pub use loss::{Goal, Loss, calls_right};
pub use named::{ATTACKS, attack_named, kind_and_norm};
pub use norm::Norm;
pub use one_pixel::{OnePixel, PixelNoise};
pub use pgd::Pgd;
pub use robustness::{
    CleanRow, Outcome, RobustnessProgress, RobustnessReport, RobustnessRow, evaluate_robustness,
};
pub use run::RunOptions;
pub use samples::{Attack, Perturbed, Samples, Victim};
pub use square::Square;
pub use warning::Warning;
