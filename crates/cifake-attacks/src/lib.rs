//! Attacks on detectors of AI-generated images, white-box and black-box.
//!
//! # Attack a detector
//!
//! ```
//! # use burn::tensor::{Device, Tensor};
//! use cifake::{Classifier, Differentiable, Label};
//! use cifake_attacks::{Attack, Epsilon, Pgd, Samples, TargetModel, is_correct};
//!
//! /// A detector that answers FAKE for bright pictures.
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
//! let found = attack.perturb(&TargetModel::new(&Bright), &samples, 0)?;
//! assert_eq!(is_correct(&Bright, &found.images, &samples.labels), [false]);
//! # Ok::<(), cifake_attacks::Error>(())
//! ```
//!
//! | attack | uses | source |
//! |---|---|---|
//! | [`Pgd`], including FGSM, BIM, MI-FGSM and DCT-PGD | gradients | Madry et al. 2018 |
//! | [`Apgd`] on the cross-entropy or the margin | gradients | Croce and Hein 2020 |
//! | [`Fab`] | gradients | Croce and Hein 2020 |
//! | [`Square`] | answers | Andriushchenko et al. 2020 |
//! | [`OnePixel`] | answers | Su et al. 2019 |
//! | [`RandomNoise`] | answers | Rauber et al. 2017 |
//! | [`Ensemble::standard`]: APGD, FAB and Square | both | after AutoAttack |
//! | [`DctNoise`], [`PixelNoise`], [`Corruption`], [`Degradation`] | nothing | |
//!
//! [`ATTACKS`] is the table of attacks with a name; [`AttackName`] reads such a name. [`kit`] has the
//! building blocks for attacks of your own.
//!
//! # Measure a detector
//!
//! - [`evaluate_robustness`] measures the accuracy under attack. It resumes after an interruption.
//! - [`evaluate_degradations`] measures the accuracy on compressed, enlarged or cropped pictures.
//! - `Build` (feature `parquet`) writes a fixed set of attacked pictures, and `evaluate_built` measures
//!   the accuracy on it.
//!
//! # Units and randomness
//!
//! A radius is in units of a pixel's range, `[0, 1]`. Every random draw is a function of a seed and the
//! sample's id: the same seed gives the same bytes, whatever else is in the batch. Attacks leave the
//! model unchanged.
//!
//! # The reference
//!
//! The four attacks called *reference* repeat those of a public entry to the problem "AI-image
//! detection" of Inter IIT Tech Meet 13 (<https://github.com/Atul-AI08/Adobe-InterIIT>), with its
//! parameters.

mod attack;
mod degradation;
mod epsilon;
mod error;
#[cfg(feature = "parquet")]
mod fixed_set;
pub mod kit;
mod robustness;
mod run;

pub use attack::{
    ATTACKS, Apgd, AttackEntry, AttackName, Band, Corruption, DctNoise, Ensemble, Fab, OnePixel,
    Pgd, PixelNoise, RandomNoise, Square, attacks_help,
};
pub use degradation::{
    Degradation, DegradationKind, DegradationReport, DegradedRow, evaluate_degradations,
};
pub use epsilon::{Epsilon, StepSize};
pub use error::Error;
#[cfg(feature = "parquet")]
pub use fixed_set::{
    Build, BuildManifest, BuiltFile, BuiltReport, BuiltRow, Generated, GeneratorOrigin, Licensed,
    Origin, evaluate_built,
};
pub use kit::{Attack, Averaged, Goal, Loss, Norm, Perturbed, Samples, TargetModel, is_correct};
pub use robustness::{
    CleanRow, Outcome, RobustnessProgress, RobustnessReport, RobustnessRow, Warning,
    evaluate_robustness,
};
pub use run::{ModelId, RunOptions};
