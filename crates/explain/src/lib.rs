//! Why.

mod artifact;
mod combined;
mod error;
pub mod evidence;
mod explanation;
mod inquiry;
pub mod quality;
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
pub use report::{Provenance, Report, contest_explanations, contest_predictions, html_page};
pub use set::{ExplanationSet, Origin, Record, Turn};
