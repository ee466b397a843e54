//! Faults of answers.

use cifake::text::counted;

/// Longest answer that is read, in bytes.
pub const MAX_ANSWER_BYTES: usize = 64 << 10;

/// The fault of an answer that cannot be used. Its text tells the model how to mend it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The answer is empty.
    #[error("the answer is empty")]
    Empty,
    /// The answer exceeds [`MAX_ANSWER_BYTES`].
    #[error("the answer has {bytes} bytes; {MAX_ANSWER_BYTES} are read")]
    TooLong {
        /// Its length in bytes.
        bytes: usize,
    },
    /// The JSON of the answer breaks off too early.
    #[error("the answer breaks off after {}, and {least} are needed", counted(*found, "listed artifact"))]
    BrokenOff {
        /// Number of artifacts with an explanation before the end.
        found: usize,
        /// Number of artifacts that are needed.
        least: usize,
    },
    /// The answer explains too few artifacts of the list.
    #[error(
        "the answer explains {} of the list, and at least {least} are needed{}{}",
        counted(*found, "artifact"),
        if unlisted.is_empty() { "" } else { "; not in the list: " }, unlisted.join(", ")
    )]
    TooFew {
        /// Number of artifacts with an explanation.
        found: usize,
        /// Number of artifacts that are needed.
        least: usize,
        /// Names that are not in the list or not allowed, shortened.
        unlisted: Vec<String>,
    },
}
