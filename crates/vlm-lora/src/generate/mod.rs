//! From a prompt to tokens.

mod constraint;
mod defaults;
mod grammar;
mod list;
mod prompt;
mod rules;
mod run;
mod sampling;
mod vocabulary;

pub use constraint::{Constraint, Mask};
pub use defaults::GenerationDefaults;
pub use list::ListConstraint;
pub use prompt::Prompt;
pub use rules::TokenRules;
pub use run::{Finish, Generated, Generation};
pub use sampling::{Sampler, Sampling};
pub use vocabulary::Vocabulary;
