//! Errors of fine-tuning.

use std::path::PathBuf;

use cifake_optim::CheckpointError;

/// Data, recipes and checkpoints that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainingError {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] cifake::Error),
    /// An invalid line of a data set.
    #[error("invalid conversation in line {line} of {}: {reason}", path.display())]
    Conversation {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The fault.
        reason: String,
    },
    /// A data set with more of something than is accepted.
    #[error("{} has more than {limit} {what}; split it, or raise the limit", path.display())]
    TooMuch {
        /// The file.
        path: PathBuf,
        /// Of what.
        what: &'static str,
        /// The number that is accepted.
        limit: u64,
    },
    /// A chat template that changes the text before an answer once the answer is there.
    #[error(
        "the chat template changes the text before answer {turn} when the answer is added, so the answer cannot be separated; use another template"
    )]
    Template {
        /// The turn, counted from 0.
        turn: usize,
    },
    /// An example whose answer does not fit.
    #[error(
        "example {example} has no answer within the first {max_tokens} tokens; raise max_tokens or shorten the prompt"
    )]
    NoAnswer {
        /// The example, counted from 0.
        example: usize,
        /// Tokens of a sequence.
        max_tokens: usize,
    },
    /// A number of the recipe is outside its range.
    #[error("invalid value {value} of the recipe's `{field}`; it must be {range}")]
    Recipe {
        /// The field.
        field: &'static str,
        /// Its value.
        value: String,
        /// The accepted range.
        range: &'static str,
    },
    /// A data set without examples.
    #[error("the training set has no examples")]
    Empty,
    /// A number became infinite or NaN.
    #[error("{what} is not finite in step {step}; lower the learning rate")]
    Diverged {
        /// The number that diverged.
        what: String,
        /// Steps done before.
        step: usize,
    },
    /// A checkpoint that cannot be written or read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A checkpoint of another run.
    #[error("{} belongs to a run with another {differs}; choose another folder, or delete the checkpoint", path.display())]
    OtherRun {
        /// The file.
        path: PathBuf,
        /// The part that differs, with its first differing field.
        differs: String,
    },
}
