//! Explanations of a detector's verdicts: named artifacts, each with a measurement, a place and words.
//!
//! One call on a [`Detector`](cifake::Detector) gives the verdict, the map and the reasons:
//!
//! ```
//! # fn explained(detector: cifake::Detector) -> Result<(), Box<dyn std::error::Error>> {
//! # use explain::Analysis;
//! let picture = detector.decoder().read("photo.jpg".as_ref())?;
//! let report = Analysis::of(&detector).report("photo.jpg", &picture)?;
//! println!("{report}");
//! # Ok(())
//! # }
//! ```
//!
//! The parts work alone:
//!
//! ```
//! use cifake::{Label, Picture};
//! use explain::{EvidenceExplainer, Explainer, Subject};
//! use gradcam::HeatMap;
//!
//! // The picture as a detector saw it, and the map of its verdict.
//! let picture = Picture::new(vec![128; 32 * 32 * 3], 32, 32)?;
//! let map = HeatMap::center_prior(32, 32);
//! let subject =
//!     Subject { picture: &picture, map: &map, label: Label::Fake, p_fake: 0.9, class: None };
//! let explanation = EvidenceExplainer::embedded().explain(&subject)?;
//! assert!(explanation.findings.is_empty(), "an even gray has no artifact");
//! assert_eq!(explanation.remarks.len(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | part | purpose |
//! |---|---|
//! | [`Analysis`] | verdict, map and reasons of a picture in one call |
//! | [`Artifact`] | the 70 names of artifacts |
//! | [`evidence`] | measures, their distribution over camera pictures, and the artifacts that they support |
//! | [`Explainer`] | names artifacts: [`EvidenceExplainer`], those of `remote` and `vlm`, several [`Combined`]; by name, [`ExplainerKind`] |
//! | [`prompt`], [`parse`] | the question to a language model, and its answer, held to the list |
//! | [`Report`] | an explanation as text, JSON, Markdown or a page |
//! | [`ExplanationSet`] | explanations of many pictures as training material |
//! | `upscale`, a feature | enlarging pictures: interpolation, FSRCNN, Real-ESRGAN |
//! | [`quality`] | grades of explanations, beside controls that do not depend on the picture |
//!
//! The package is called `cifake-explain`, since the registry has another package called `explain`.
//!
//! Pictures, paths and answers are untrusted: whatever is shown of them is escaped, without characters
//! that steer a terminal. Only `remote`, a feature that is off by default, uses the network.

mod analysis;
mod artifact;
mod combined;
mod error;
pub mod evidence;
mod explanation;
mod kind;
mod origin;
mod parse;
mod plain;
mod png;
mod prompt;
pub mod quality;
mod record;
#[cfg(feature = "remote")]
pub mod remote;
mod report;
mod set;
#[cfg(feature = "upscale")]
pub mod upscale;
#[cfg(feature = "vlm")]
mod vlm;

pub use analysis::Analysis;
pub use artifact::{Artifact, Group, UnknownArtifact};
pub use cifake::Class;
pub use combined::Combined;
pub use error::Error;
pub use evidence::EvidenceExplainer;
pub use explanation::{
    Evidence, Explainer, Explanation, Finding, MAX_FINDINGS, MAX_WORDS, Subject,
};
pub use kind::{ExplainerKind, ExplainerOptions, UnknownExplainer};
pub use origin::Origin;
pub use parse::{ContestAnswers, MAX_ANSWER_BYTES, Refusal, Rules, parse};
pub use prompt::{prompt, prompt_again};
pub use record::{Record, Turn};
pub use report::{
    Failure, Provenance, Report, ShownReport, contest_explanations, contest_predictions, html_page,
    html_text, markdown_text,
};
pub use set::ExplanationSet;
#[cfg(feature = "vlm")]
pub use vlm::VlmExplainer;
