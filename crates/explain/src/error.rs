//! What can go wrong.

use std::io;
use std::path::PathBuf;

use crate::set::Origin;

/// Why there is no explanation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The evidence was asked of a picture of another size than it was calibrated on.
    #[error(
        "evidence is calibrated on pictures of {expected}x{expected} pixels, not {width}x{height}"
    )]
    PictureSize {
        /// Height and width that are needed.
        expected: u32,
        /// Of the picture.
        width: u32,
        /// Of the picture.
        height: u32,
    },
    /// Bytes that hold no calibration.
    #[error("this is no calibration of evidence")]
    CalibrationForm(#[source] serde_json::Error),
    /// A calibration whose numbers are none.
    #[error(transparent)]
    Calibration(#[from] crate::evidence::CalibrationFault),
    /// A file of the vocabulary: a picture, a limit, a write that failed.
    #[error(transparent)]
    File(#[from] cifake::Error),
    /// No map of where the detector looked.
    #[error(transparent)]
    Map(#[from] gradcam::Error),
    /// A file that cannot be written.
    #[error("cannot write {path}")]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system answered.
        source: io::Error,
    },
    /// A line of a set that cannot be read back.
    #[error("line {line} of {path} is no explanation")]
    Record {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// Bytes that are no answers to the contest.
    #[error("these are no explanations in the contest's form")]
    ContestForm(#[source] serde_json::Error),
    /// A folder with explanations of another explainer, detector, method or prompt.
    #[error(
        "{folder} holds explanations of {} on {}, not of {} on {}, or of another method or prompt",
        theirs.explainer, theirs.detector, ours.explainer, ours.detector
    )]
    OtherOrigin {
        /// The folder.
        folder: PathBuf,
        /// What stands there.
        theirs: Box<Origin>,
        /// What was to be added.
        ours: Box<Origin>,
    },
    /// Scores that cannot be compared with a control.
    #[error(
        "{n_matched} scores and {n_control} of the control: one finite score of each a picture is \
         needed"
    )]
    ControlScores {
        /// Scores of the pictures' own explanations.
        n_matched: usize,
        /// Scores of the control's.
        n_control: usize,
    },
    /// Texts whose meaning an embedder did not give.
    #[error(
        "the embedder gave {n_vectors} vectors for {n_texts} texts: one of finite numbers a text, \
         all of one length, is needed"
    )]
    Embedding {
        /// Texts that were to be embedded.
        n_texts: usize,
        /// Vectors that came back.
        n_vectors: usize,
    },
    /// An embedder that failed.
    #[error("the embedder failed: {0}")]
    Embedder(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A service that needs a key.
    #[error("{explainer} needs a key: set {variable}")]
    NoKey {
        /// Who was asked for.
        explainer: &'static str,
        /// The variable in which programs look for it.
        variable: &'static str,
    },
    /// A service that this build does not know.
    #[error("{explainer} needs a build with the feature `remote`")]
    NotBuilt {
        /// Who was asked for.
        explainer: &'static str,
    },
    /// A weight file of another network than the upscaler it was to be.
    #[cfg(feature = "upscale")]
    #[error("{path} holds no such upscaler: its weight `{key}` {reason}")]
    UpscalerWeights {
        /// The file.
        path: PathBuf,
        /// The weight.
        key: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// An enlarged picture that cannot be.
    #[cfg(feature = "upscale")]
    #[error("an enlarged picture of {width}x{height} pixels is none, or too large")]
    Enlarged {
        /// Its width.
        width: u32,
        /// Its height.
        height: u32,
    },
    /// A model that gave no answer that can be used, as often as its explainer asks.
    #[error("{explainer} gave no list of artifacts")]
    Refused {
        /// Name of the explainer.
        explainer: String,
        /// Its last answer, shortened, without control characters.
        answer: String,
        /// What is wrong with it.
        source: crate::Refusal,
    },
    /// A model on this machine that cannot be asked.
    #[cfg(feature = "vlm")]
    #[error("{explainer} cannot be asked")]
    Vlm {
        /// Name of the explainer.
        explainer: String,
        /// Why.
        source: Box<vlm_lora::Error>,
    },
    /// A model behind an address that did not answer.
    #[cfg(feature = "remote")]
    #[error(transparent)]
    Remote(#[from] crate::remote::RemoteError),
}
