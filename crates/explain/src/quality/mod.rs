//! Quality of explanations: beside a reference, beside the map, and beside two controls.
//!
//! An [`Explanation`](crate::Explanation) is graded against another one of the same picture, and
//! against the regions of a map:
//!
//! - its artifacts as a set: [`SetAgreement`];
//! - the regions that it states: [`PositionAgreement`];
//! - its form: [`format_faults`];
//! - its words, if both name the same artifact: [`rouge_l`] and, with an [`Embedder`], [`cosine`].
//!
//! A grade that a picture does not define is left out of the mean, and each [`Mean`] tells its number
//! of pictures. An answer that cannot be read is not replaced by chance.
//!
//! A text that scores as well on another picture explains nothing. [`Control`] therefore compares the
//! scores of matched pairs with those of [wrong](wrong_pictures) or blank pictures, and [`Agreement`]
//! does so for two explainers. [`Trial`] does all of it for many pictures.
//!
//! ```
//! use cifake_eval::metrics::Bootstrap;
//! use explain::quality::{Control, rouge_l};
//!
//! let said = ["a smooth wing", "two suns", "no wheels"];
//! let wanted = ["the wing is smooth", "there are two suns", "the wheels are gone"];
//! let score = |at: usize, other: usize| rouge_l(said[at], wanted[other]).f;
//! let matched = [0, 1, 2].map(|at| score(at, at));
//! let wrong = [0, 1, 2].map(|at| score(at, (at + 1) % 3));
//! assert!(Control::new(&matched, &wrong, &Bootstrap::new(42))?.is_passed());
//! # Ok::<(), explain::Error>(())
//! ```

mod agreement;
mod control;
mod embedding;
#[cfg(test)]
mod example;
mod format;
mod grade;
mod mean;
mod position;
mod report;
mod rouge;
mod set;
mod trial;

pub use agreement::Agreement;
pub use control::{Control, wrong_pictures};
pub use embedding::{Embedder, cosine};
pub use format::{FormatFault, MIN_ITEMS, format_faults};
pub use grade::{Grader, Quality};
pub use mean::Mean;
pub use position::{PositionAgreement, position_control};
pub use report::QualityReport;
pub use rouge::{RougeL, rouge_l};
pub use set::SetAgreement;
pub use trial::{Exhibit, Trial, TrialControl};
