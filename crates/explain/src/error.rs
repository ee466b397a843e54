//! Errors of this crate.

use std::io;
use std::path::PathBuf;

use crate::evidence::fault::CalibrationFault;
use crate::origin::Origin;
use crate::parse::refusal::Refusal;

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The detector failed.
    #[error("the detector gave no verdict")]
    Verdict(#[source] cifake::Error),
    /// The bytes are not a calibration.
    #[error("invalid calibration file")]
    CalibrationForm(#[source] serde_json::Error),
    /// The numbers of a calibration are invalid.
    #[error(transparent)]
    Calibration(#[from] CalibrationFault),
    /// A file or picture cannot be read or written.
    #[error(transparent)]
    File(#[from] cifake::Error),
    /// The map cannot be made.
    #[error(transparent)]
    Map(#[from] gradcam::Error),
    /// A file cannot be written.
    #[error("cannot write {path}")]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A line of a set is not a record.
    #[error("line {line} of {path} is not an explanation")]
    Record {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// The error in it.
        source: serde_json::Error,
    },
    /// The bytes are not answers in the contest's form.
    #[error("invalid explanations: expected the contest's form")]
    ContestForm(#[source] serde_json::Error),
    /// Another process has the set open.
    #[error("{folder} is in use by another process; wait until it ends")]
    InUse {
        /// The folder of the set.
        folder: PathBuf,
    },
    /// The folder holds explanations of another explainer, detector, method or prompt.
    #[error(
        "{folder} holds explanations of {} on {}, not of {} on {}, or of another method or prompt",
        theirs.explainer, theirs.detector, ours.explainer, ours.detector
    )]
    OtherOrigin {
        /// The folder.
        folder: PathBuf,
        /// The origin of the set in the folder.
        theirs: Box<Origin>,
        /// The origin of the explanations to add.
        ours: Box<Origin>,
    },
    /// The scores cannot be compared with a control.
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
    /// An embedder gave unusable vectors.
    #[error(
        "the embedder gave {n_vectors} vectors for {n_texts} texts: one of finite numbers a text, \
         all of one length, is needed"
    )]
    Embedding {
        /// Number of texts.
        n_texts: usize,
        /// Number of vectors.
        n_vectors: usize,
    },
    /// An embedder failed.
    #[error("the embedder failed")]
    Embedder(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The service needs a key.
    #[error("{explainer} needs a key: set {variable}")]
    NoKey {
        /// Name of the explainer.
        explainer: &'static str,
        /// The environment variable from which programs take it.
        variable: &'static str,
    },
    /// This build has no remote explainers.
    #[error("{explainer} needs a build with the feature `remote`")]
    NotBuilt {
        /// Name of the explainer.
        explainer: &'static str,
    },
    /// The weight file is of another network than the upscaler.
    #[cfg(feature = "upscale")]
    #[error("{path} is not a weight file of this upscaler: its weight `{key}` {reason}")]
    UpscalerWeights {
        /// The file.
        path: PathBuf,
        /// The weight.
        key: String,
        /// The fault of the weight.
        reason: &'static str,
    },
    /// The enlarged size is 0 or too large.
    #[cfg(feature = "upscale")]
    #[error("invalid enlarged size {width}x{height}")]
    Enlarged {
        /// Its width.
        width: u32,
        /// Its height.
        height: u32,
    },
    /// The model gave no usable answer.
    #[error("{explainer} gave no list of artifacts")]
    Refused {
        /// Name of the explainer.
        explainer: String,
        /// Its last answer, shortened, without control characters.
        answer: String,
        /// The fault of the answer.
        source: Refusal,
    },
    /// A model on this machine cannot be asked.
    #[cfg(feature = "vlm")]
    #[error("{explainer} cannot be asked")]
    Vlm {
        /// Name of the explainer.
        explainer: String,
        /// The error of the model.
        source: Box<vlm_lora::Error>,
    },
    /// A model behind an address cannot be asked.
    #[cfg(feature = "remote")]
    #[error(transparent)]
    Remote(#[from] crate::remote::error::RemoteError),
}
