//! Why.

mod artifact;
mod combined;
mod error;
mod explanation;
mod set;

pub use artifact::{Artifact, Group};
pub use combined::Combined;
pub use error::Error;
pub use explanation::{
    Evidence, Explainer, Explanation, Finding, MAX_FINDINGS, MAX_WORDS, Subject,
};
pub use set::{ExplanationSet, Origin, Record, Turn};
