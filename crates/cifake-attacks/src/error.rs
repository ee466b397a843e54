//! The errors of this crate.

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A radius that is negative or not finite.
    #[error("the radius must be finite and not negative; it is {value}")]
    Epsilon {
        /// The given value.
        value: f64,
    },
    /// A text that is not a radius.
    #[error(
        "`{text}` is not a radius; write a number such as 0.5, or levels of a byte such as 2/255"
    )]
    EpsilonText {
        /// The given text.
        text: String,
    },
    /// A name of no attack.
    #[error("there is no attack `{name}`\n{known}")]
    UnknownAttack {
        /// The given text.
        name: String,
        /// The known names, for the message.
        known: String,
    },
    /// A name of no norm.
    #[error("there is no norm `{name}`; write l2 or linf")]
    UnknownNorm {
        /// The given text.
        name: String,
    },
    /// A name of no degradation.
    #[error(
        "there is no degradation `{name}`; write one such as enlarge-x2-bicubic, jpeg-75, webp-80, \
         blur-0.5, crop-28, noise-4, brightness-1.2, contrast-0.8, grey, turn-90, mirror, screenshot"
    )]
    UnknownDegradation {
        /// The given text.
        name: String,
    },
    /// An attack without the number after `@` that it needs.
    #[error("`{name}` needs a radius or another number after @, such as {name}@{example}")]
    MissingRadius {
        /// Name of the attack.
        name: String,
        /// An example of the number.
        example: &'static str,
    },
    /// A number outside the range of the attack or degradation.
    #[error("`{name}`: the number must be {range}")]
    NumberOutOfRange {
        /// The given text.
        name: String,
        /// The range in words.
        range: &'static str,
    },
    /// A text in the place of a number.
    #[error("`{text}` is not a number")]
    NotANumber {
        /// The given text.
        text: String,
    },
    /// A white-box attack on a model without gradients.
    #[error(
        "{attack} follows gradients, and the target model has none: use `TargetModel::new`, or a \
         black-box attack (Square, one pixel)"
    )]
    NeedsGradients {
        /// Name of the attack.
        attack: String,
    },
    /// Pictures whose sides are not multiples of 8.
    #[error(
        "the block DCT needs sides that are multiples of 8; these pictures have {width}x{height} \
         pixels"
    )]
    Blocks {
        /// Height of the pictures.
        height: usize,
        /// Width of the pictures.
        width: usize,
    },
    /// A file of an unfinished run that cannot be read back.
    #[error("{} is not a file of a run; remove it to repeat its part, or choose another folder", path.display())]
    Shard {
        /// The file.
        path: std::path::PathBuf,
        /// The cause.
        source: serde_json::Error,
    },
    /// A file of an unfinished run whose content does not match its digest.
    #[error("{} was changed after it was written; remove it to repeat its part", path.display())]
    ChangedShard {
        /// The file.
        path: std::path::PathBuf,
    },
    /// A built set whose files differ from its manifest.
    #[error("{} is damaged: {reason}; build the set again in the same folder", path.display())]
    Built {
        /// The file.
        path: std::path::PathBuf,
        /// The difference.
        reason: &'static str,
    },
    /// Two attacks of a suite with the same file names.
    #[error("two attacks of the suite have the name `{name}`; run them one by one")]
    SameName {
        /// Their name.
        name: String,
    },
    /// A file of a run with other parameters, such as another model, attack, seed or data set.
    #[error(
        "{} belongs to another run ({field}: {theirs} there, {ours} here); choose another folder",
        path.display()
    )]
    OtherRun {
        /// The file.
        path: std::path::PathBuf,
        /// The first parameter that differs.
        field: String,
        /// Its value in the file, shortened.
        theirs: String,
        /// Its value in this run, shortened.
        ours: String,
    },
    /// A file of another version of this crate.
    #[error(
        "{} was written by another version of this program; choose another folder, or remove it",
        path.display()
    )]
    OtherVersion {
        /// The file.
        path: std::path::PathBuf,
    },
    /// An error of `cifake`: files, pictures, metrics.
    #[error(transparent)]
    Cifake(#[from] cifake::Error),
}
