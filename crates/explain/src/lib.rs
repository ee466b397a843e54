//! Why.

mod artifact;
mod error;
mod explanation;

pub use artifact::{Artifact, Group};
pub use error::Error;
pub use explanation::{
    Evidence, Explainer, Explanation, Finding, MAX_FINDINGS, MAX_WORDS, Subject,
};
