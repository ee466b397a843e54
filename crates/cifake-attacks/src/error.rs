//! What can go wrong.

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A distance that no perturbation can have.
    #[error("epsilon must be finite and not negative, in units of a pixel's range; it is {value}")]
    Epsilon {
        /// What was given.
        value: f64,
    },
    /// A text that is no distance.
    #[error("`{text}` is no radius; write a number such as 0.5, or levels of a byte such as 2/255")]
    EpsilonText {
        /// What was given.
        text: String,
    },
    /// A name that is no attack's.
    #[error("there is no attack `{name}`\n{}", crate::ATTACKS)]
    UnknownAttack {
        /// What was given.
        name: String,
    },
    /// A name that is no degradation's.
    #[error(
        "there is no degradation `{name}`; write one such as enlarge-x2-bicubic, jpeg-75, webp-80, \
         blur-0.5, crop-28, noise-4, brightness-1.2, contrast-0.8, grey, turn-90, mirror, screenshot"
    )]
    UnknownDegradation {
        /// What was given.
        name: String,
    },
    /// An attack in a ball that is named without its radius.
    #[error("`{name}` needs a radius, such as {name}@2")]
    MissingRadius {
        /// What was given.
        name: String,
    },
    /// A number of a name that the attack or degradation cannot have.
    #[error("`{name}`: the number must be {range}")]
    NumberOutOfRange {
        /// The name as it was given.
        name: String,
        /// What it may be.
        range: &'static str,
    },
    /// A radius or another number of a name that is none.
    #[error("`{text}` is no number")]
    NoNumber {
        /// What was given.
        text: String,
    },
    /// A white-box attack on a model of which only the answers are known.
    #[error(
        "{attack} follows gradients, and the model under attack gives none: build the victim with \
         `Victim::new`, or choose a black-box attack (Square, one pixel)"
    )]
    NeedsGradients {
        /// Name of the attack.
        attack: String,
    },
    /// Pictures that the block transform does not tile.
    #[error(
        "the block transform needs sides that are multiples of 8, and these pictures are \
         {width}x{height}"
    )]
    Blocks {
        /// Height of the pictures.
        height: usize,
        /// Width of the pictures.
        width: usize,
    },
    /// A file of a run under way that cannot be read back.
    #[error("{} is no part of a run; choose another folder, or remove it to do it again", path.display())]
    Shard {
        /// The file.
        path: std::path::PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// A built set whose files are not what its manifest says.
    #[error("{} is no sound part of a built set: {reason}; build it again", path.display())]
    Built {
        /// The file.
        path: std::path::PathBuf,
        /// What is wrong.
        reason: &'static str,
    },
    /// Two attacks of a suite that would write the same files.
    #[error(
        "two attacks of the suite are called `{name}`: give them different parameters, or run them one by one in folders of their own"
    )]
    SameName {
        /// Their name.
        name: String,
    },
    /// A file of an evaluation or a build with another model, attack, seed or other samples.
    #[error(
        "{} belongs to another run ({theirs}), not to this one ({ours}): choose another folder",
        path.display()
    )]
    OtherRun {
        /// The file.
        path: std::path::PathBuf,
        /// What it holds.
        theirs: String,
        /// What was asked for.
        ours: String,
    },
    /// A failure of the vocabulary: files, pictures, metrics.
    #[error(transparent)]
    Cifake(#[from] cifake::Error),
}
