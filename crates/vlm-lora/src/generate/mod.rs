//! Generation of answers.

mod constraint;
mod defaults;
mod grammar;
mod list;
mod rules;
mod run;
mod sampling;

pub use crate::chat::Vocabulary;
pub use crate::text::Prompt;
pub use constraint::{Constraint, Mask};
pub use defaults::GenerationDefaults;
pub use list::ListConstraint;
pub use rules::TokenRules;
pub use run::{Finish, Generated, Generation};
pub use sampling::{Sampler, Sampling};
