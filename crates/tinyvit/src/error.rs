//! What can go wrong with a model or a detector.

/// An error of this crate: it names the file, keeps its cause and says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A weight file that is none of this crate's.
    #[error("{name} is not a weight file of this crate: {reason}")]
    WeightFile {
        /// The file.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A calibration in a weight file's metadata that is no usable number.
    #[error(
        "`{key}` in the metadata of {name} is `{value}` where {expected} was expected; calibrate the weights again"
    )]
    Calibration {
        /// The file.
        name: String,
        /// The metadata key.
        key: &'static str,
        /// What stands there.
        value: String,
        /// What may stand there.
        expected: &'static str,
    },
    /// Too few pictures to fit something to.
    #[error("{found} pictures are too few to fit to; give at least {needed} of each kind")]
    TooFewPictures {
        /// How many there are.
        found: usize,
        /// How many are needed.
        needed: usize,
    },
    /// Features without a spread in some direction, or one beyond all numbers.
    #[error(
        "the features of the training pictures do not spread in all directions; add a larger ridge"
    )]
    FlatFeatures,
    /// Probabilities that are exactly 0 or 1, so that no threshold lies beyond them.
    #[error(
        "the probabilities of too many pictures are exactly 0 or 1, so that no threshold tells the sure ones; \
         fit the calibration to other pictures"
    )]
    SaturatedProbabilities,
    /// A threshold that no probability can be compared with.
    #[error("the threshold {value} is no probability; give a number in [0, 1]")]
    Threshold {
        /// The threshold that was given.
        value: f32,
    },
    /// The operating system refused the threads of a detector.
    #[error("cannot start {n_threads} threads (0: one a core): {source}; ask for fewer")]
    Threads {
        /// Number of threads that was asked for.
        n_threads: usize,
        /// What rayon said.
        source: rayon::ThreadPoolBuildError,
    },
    /// A model whose answer is no number.
    #[error(
        "{model} gives a probability that is not a number; its weights are broken, train or download them again"
    )]
    NotFinite {
        /// The model.
        model: String,
    },
    /// A file name pattern without a match.
    #[error("no file matches `{pattern}`; check the folder and the pattern")]
    NoMatch {
        /// The pattern.
        pattern: String,
    },
    /// A picture, a file or a weight.
    #[error(transparent)]
    Cifake(#[from] cifake::Error),
}
