//! Training of detectors, clean and adversarial, from random or from given weights.
//!
//! A [`Trainer`] trains any [`Network`]. It draws batches, lets the recipe's [`Adversary`] attack
//! them, takes optimizer steps, averages the weights, validates them and writes checkpoints.
//!
//! ```
//! use cifake_training::{Adversary, TrainConfig};
//!
//! let against = Adversary { epsilon: "2/255".parse()?, share: 0.5, ..Adversary::default() };
//! let recipe = TrainConfig::default().with_epochs(4).with_adversary(against);
//! assert_eq!(recipe.validate(), Ok(()));
//! # Ok::<(), cifake_attacks::Error>(())
//! ```
//!
//! Each run has a folder with four files:
//!
//! - `checkpoint.safetensors`: the whole state of the run;
//! - `best.safetensors`: the averaged weights of the best epoch, by AUC on the validation set or,
//!   with an adversary, by robust accuracy on it;
//! - `last.safetensors`: the averaged weights of the last epoch;
//! - `metrics.csv`: a row an epoch.
//!
//! A run that is started again with the same configuration resumes its checkpoint. Its weights are
//! those of an uninterrupted run, bit for bit: every random draw is a function of the seed, the epoch
//! and the sample, and every sum is taken in a fixed order. Weight files record the data set of
//! their run, see [`TrainedOn`].
//!
//! A [`Queue`] is a chain of runs; by default each starts from the best weights of the run before.
//! [`Averaged`] is the mean of the weights of several runs. A [`Teacher`] holds one or several
//! networks for distillation, of the same kind as the student or not.

mod adversary;
mod augment;
mod average;
mod calibration;
mod checkpoint;
mod config;
mod data;
mod data_config;
mod degrade;
mod examples;
mod history;
mod loss;
mod network;
mod optimizer;
mod order;
mod parameters;
mod parted;
mod places;
mod queue;
mod range;
mod record;
mod sized;
mod stage;
mod stage_config;
mod state;
mod step;
mod teacher;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod trainer;

use std::path::PathBuf;

pub use adversary::Adversary;
pub use augment::Augment;
pub use average::Averaged;
pub use calibration::calibrate;
pub use cifake_optim::CheckpointError;
pub use config::{Recipe, TrainConfig};
pub use data::TrainingData;
pub use data_config::{DataConfig, ValidationSource};
pub use degrade::Draw;
pub use examples::Examples;
pub use history::{Row, to_csv};
pub use network::{Compiled, Evaluated, Network};
pub use parameters::Layout;
pub use places::Places;
pub use queue::Queue;
pub use range::Range;
pub use record::TrainedOn;
pub use stage::{ReadyStage, Start};
pub use stage_config::Stage;
pub use state::State;
pub use teacher::{Distillation, Teacher};
pub use trainer::{Event, Trainer};

/// Errors of training.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// A recipe, model or data set that cannot be used for a run.
    #[error("the training configuration is invalid: {0}")]
    Config(String),
    /// A recipe or queue that is not valid TOML, or has unknown keys.
    #[error("{} cannot be read: {source}", path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// The place and the cause.
        source: Box<toml::de::Error>,
    },
    /// Pixels of another number than the labels and the size ask for.
    #[error(
        "the pictures take {found} bytes where {expected} were expected; give at least one \
             picture, all of one square size"
    )]
    Examples {
        /// Bytes given.
        found: usize,
        /// Bytes that the labels and the size ask for.
        expected: usize,
    },
    /// Pictures of their own sizes and labels of different numbers.
    #[error("pictures of their own sizes: {found}, labels: {expected}; give one label a picture")]
    SizedExamples {
        /// Pictures given.
        found: usize,
        /// Labels given.
        expected: usize,
    },
    /// A checkpoint that cannot be written or read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The record of a finished run that cannot be read.
    #[error("{} is not the record of a finished run; remove it to go on", path.display())]
    Done {
        /// The file.
        path: PathBuf,
        /// Why it cannot be read.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A checkpoint of another run.
    #[error(
        "{} belongs to a run with another {differs}; give another folder, or remove the file to start \
         anew",
        path.display()
    )]
    OtherRun {
        /// The file.
        path: PathBuf,
        /// The part that differs, with its first differing field.
        differs: String,
    },
    /// The loss, a gradient, a weight or the state of the optimizer is NaN or infinite.
    #[error("{what} of step {step} is not finite; lower the learning rate or clip harder")]
    Diverged {
        /// The quantity that is not finite.
        what: String,
        /// The step.
        step: usize,
    },
    /// A record of training data that cannot be read.
    #[error("the weight file's record of its training data cannot be read")]
    Record {
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Another data set than the one that weights were trained on.
    #[error(
        "the weights were trained on another data set (SHA-256 {}..., not {}...); give that one, or a \
         test set",
        short(expected),
        short(found)
    )]
    OtherData {
        /// Fingerprint of the data set of the weights.
        expected: String,
        /// Fingerprint of the data set that was given.
        found: String,
    },
    /// A file, folder or weight file that cannot be used.
    #[error(transparent)]
    Cifake(#[from] cifake::Error),
    /// An attack of the adversary that failed.
    #[error(transparent)]
    Attack(#[from] cifake_attacks::Error),
}

/// The first digits of a hash, which a file from outside may hold as any text.
fn short(hash: &str) -> String {
    hash.chars().take(12).collect()
}
