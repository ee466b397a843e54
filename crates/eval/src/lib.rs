//! The quality of a detector of AI-generated images.
//!
//! - [`metrics`] on plain slices, with bootstrap intervals.
//! - [`evaluate`](evaluate()) runs any [`Scorer`](cifake::Scorer) over any data set; [`Breakdown`] counts answers,
//!   and [`Latency`] times a scorer.
//! - [`Manifest`], [`unique_samples`] and [`near_duplicates`] find copies within a data set.
//! - [`fit_answers`] fits when a detector answers UNSURE; [`SeparationTable`] compares scores of strangeness.
//! - `plot` (feature `plot`) draws curves and sheets of pictures.

mod answers;
mod evaluate;
mod latency;
mod manifest;
pub mod metrics;
mod near_duplicate;
#[cfg(feature = "plot")]
pub mod plot;
mod separation;
mod unique;

pub use answers::{AnswerOptions, fit_answers};
pub use evaluate::{
    Answered, Breakdown, EvaluateOptions, FailedSample, GroupRow, Report, ScoredSample, evaluate,
};
pub use latency::Latency;
pub use manifest::{Manifest, ManifestRow, pixel_hash};
pub use near_duplicate::{NearDuplicate, near_duplicates};
pub use separation::{SeparationRow, SeparationTable};
pub use unique::unique_samples;
