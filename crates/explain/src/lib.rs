//! Why.

mod artifact;
mod combined;
mod error;
pub mod evidence;
mod explanation;
mod inquiry;
mod parse;
mod plain;
mod prompt;
pub mod quality;
#[cfg(feature = "remote")]
pub mod remote;
mod report;
mod set;

pub use artifact::{Artifact, Group};
pub use combined::Combined;
pub use error::Error;
pub use evidence::EvidenceExplainer;
pub use explanation::{
    Evidence, Explainer, Explanation, Finding, MAX_FINDINGS, MAX_WORDS, Subject,
};
pub use inquiry::Inquiry;
pub use parse::{MAX_ANSWER_BYTES, Refusal, Rules, parse};
pub use prompt::{prompt, prompt_again};
pub use report::{Provenance, Report, contest_explanations, contest_predictions, html_page};
pub use set::{ExplanationSet, Origin, Record, Turn};
