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
    /// A calibration that is none.
    #[error("no calibration of evidence: {0}")]
    Calibration(String),
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
    /// A model that twice gave no answer that can be used.
    #[error("{explainer} was asked twice and gave no list of artifacts")]
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
        source: vlm_lora::Error,
    },
    /// A model behind an address that did not answer.
    #[cfg(feature = "remote")]
    #[error(transparent)]
    Remote(#[from] crate::remote::RemoteError),
}
