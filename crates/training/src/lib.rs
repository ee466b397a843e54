//! Training of detectors, clean and adversarial, from nothing or from weights.
//!
//! Any [`Network`] can be trained: a [`Trainer`] draws batches, lets an [`Adversary`] attack them
//! where the recipe names one, steps, averages, validates and writes down.
//!
//! ```
//! use cifake_training::{Adversary, TrainConfig};
//!
//! let against = Adversary { epsilon: "2/255".parse()?, share: 0.5, ..Adversary::default() };
//! let recipe = TrainConfig { epochs: 4, adversary: Some(against), ..TrainConfig::default() };
//! assert_eq!(recipe.validate(), Ok(()));
//! # Ok::<(), cifake_attacks::Error>(())
//! ```
//!
//! A run lives in a folder: `checkpoint.safetensors` (its whole state), `best.safetensors` (the
//! averaged weights of the best epoch, by AUC on the validation set or, against an adversary, by
//! robust accuracy on it), `last.safetensors` and `metrics.csv`. Started again with the same
//! configuration it goes on where the checkpoint stands, and the weights are those of an unbroken
//! run, bit by bit: every random draw is a function of the seed, the epoch and the sample, and every
//! sum is taken in a fixed order.
//!
//! A [`Queue`] is a chain of runs, each from the best weights of the one before if nothing else is
//! said. [`Averaged`] is the mean of several runs' weights. A [`Teacher`] is one network or several of
//! which another one learns, of the same kind or not.

mod adversary;
mod augment;
mod average;
mod calibration;
mod checkpoint;
mod config;
mod data;
mod degrade;
mod examples;
mod history;
mod loss;
mod network;
mod optimizer;
mod order;
mod parameters;
mod places;
mod queue;
mod record;
mod sized;
mod stage;
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
pub use data::{DataConfig, TrainingData};
pub use degrade::Draw;
pub use examples::Examples;
pub use history::{Row, to_csv};
pub use network::{Compiled, Evaluated, Network};
pub use places::Places;
pub use queue::{Queue, Stage};
pub use record::TrainedOn;
pub use stage::{ReadyStage, Start};
pub use state::State;
pub use teacher::{Distillation, Teacher};
pub use trainer::{Event, Trainer};

/// What can go wrong in training.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The recipe or the model is not one that can be run.
    #[error("the training configuration cannot be run: {0}")]
    Config(String),
    /// A recipe or queue that is not valid TOML, or has other keys.
    #[error("{} cannot be read: {source}", path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// Where it is wrong.
        source: Box<toml::de::Error>,
    },
    /// A training set of another size than its labels say.
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
    /// Pictures of their own sizes that are not as many as their labels.
    #[error("{found} pictures of their own sizes stand against {expected} labels; each needs one")]
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
    /// A file or folder, or a weight file.
    #[error(transparent)]
    Cifake(#[from] cifake::Error),
    /// The adversary could not attack.
    #[error(transparent)]
    Attack(#[from] cifake_attacks::Error),
}

/// The first digits of a hash, which a file from outside may hold as any text.
fn short(hash: &str) -> String {
    hash.chars().take(12).collect()
}
