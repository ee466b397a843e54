//! What can go wrong with fine-tuning.

use std::path::PathBuf;

/// Data, recipes and checkpoints that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainingError {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] cifake::Error),
    /// A line of a data set is no conversation.
    #[error("line {line} of {} is no conversation: {reason}", path.display())]
    Conversation {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A data set with more of something than is accepted.
    #[error("{} has more than {limit} {what}; split it, or raise the limit", path.display())]
    TooMuch {
        /// The file.
        path: PathBuf,
        /// Of what.
        what: &'static str,
        /// How many are accepted.
        limit: u64,
    },
    /// A chat template that does not put an answer behind what comes before it.
    #[error(
        "the chat template writes what comes before answer {turn} in another way once the answer is there; no part of the text is the answer alone"
    )]
    Template {
        /// The turn, counted from 0.
        turn: usize,
    },
    /// An example whose answer does not fit.
    #[error(
        "example {example} has no answer within its first {max_tokens} tokens; raise the number or shorten the prompt"
    )]
    NoAnswer {
        /// The example, counted from 0.
        example: usize,
        /// Tokens of a sequence.
        max_tokens: usize,
    },
    /// A number of the recipe is outside its range.
    #[error("`{field}` of the recipe is {value}; it must be {range}")]
    Recipe {
        /// The field.
        field: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        range: &'static str,
    },
    /// Nothing to train on.
    #[error("there is no example to train on")]
    Empty,
    /// A number became infinite or NaN.
    #[error("{what} is not finite in step {step}; lower the learning rate")]
    Diverged {
        /// Which.
        what: String,
        /// Steps done before.
        step: usize,
    },
    /// A checkpoint that cannot be read.
    #[error("{} is no checkpoint: {reason}; delete it to start anew", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A checkpoint of another run.
    #[error("{} is of a run with another {differs}; choose another folder, or delete it", path.display())]
    OtherRun {
        /// The file.
        path: PathBuf,
        /// What differs.
        differs: &'static str,
    },
}
