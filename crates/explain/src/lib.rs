//! Why a picture was called generated: named artifacts, each with what was measured, where, and in words.
//!
//! ```
//! use cifake::{Label, Picture};
//! use explain::{EvidenceExplainer, Explainer, Subject};
//! use gradcam::HeatMap;
//!
//! // What a detector saw, and where it looked.
//! let picture = Picture::new(vec![128; 32 * 32 * 3], 32, 32)?;
//! let map = HeatMap::centre_prior(32, 32);
//! let subject =
//!     Subject { picture: &picture, map: &map, label: Label::Fake, p_fake: 0.9, class: None };
//! let explanation = EvidenceExplainer::embedded().explain(&subject)?;
//! assert!(explanation.findings.is_empty(), "an even grey has no artifact");
//! assert_eq!(explanation.remarks.len(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | part | does |
//! |---|---|
//! | [`Artifact`] | the 70 names that may be said |
//! | [`evidence`] | measures, how they are spread over camera pictures, and what they support |
//! | [`Explainer`] | whoever names artifacts: [`EvidenceExplainer`], those of `remote` and `vlm`, several [`Combined`]; by name, [`Voice`] |
//! | [`prompt`], [`parse`] | what a language model is asked, and its answer, held to the list |
//! | [`Inquiry`], [`Report`] | from a picture and its verdict to text, JSON, Markdown or a page |
//! | [`ExplanationSet`] | explanations of many pictures as training material |
//! | `upscale`, a feature | enlarging pictures: interpolation, FSRCNN, Real-ESRGAN |
//! | [`quality`] | what explanations are worth, beside controls that know nothing of the picture |
//!
//! A picture, a path and an answer are untrusted: what is shown of them is stripped of what steers a
//! terminal, and escaped. The network is touched by `remote` alone, a feature that is off by default.

mod artifact;
mod combined;
mod error;
pub mod evidence;
mod explanation;
mod inquiry;
mod parse;
mod plain;
mod png;
mod prompt;
pub mod quality;
#[cfg(feature = "remote")]
pub mod remote;
mod report;
mod set;
#[cfg(feature = "upscale")]
pub mod upscale;
#[cfg(feature = "vlm")]
mod vlm;
mod voice;

pub use artifact::{Artifact, Group};
pub use combined::Combined;
pub use error::Error;
pub use evidence::EvidenceExplainer;
pub use explanation::{
    Evidence, Explainer, Explanation, Finding, MAX_FINDINGS, MAX_WORDS, Subject,
};
pub use inquiry::Inquiry;
pub use parse::{ContestAnswers, MAX_ANSWER_BYTES, Refusal, Rules, parse};
pub use prompt::{prompt, prompt_again};
pub use report::{Provenance, Report, contest_explanations, contest_predictions, html_page};
pub use set::{ExplanationSet, Origin, Record, Turn};
#[cfg(feature = "vlm")]
pub use vlm::VlmExplainer;
pub use voice::{Voice, VoiceOptions};
