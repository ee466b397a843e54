//! Rules for answers.

use cifake::Class;

use crate::quality::MIN_ITEMS;
use crate::{Artifact, MAX_FINDINGS};

/// The artifacts that a model may name, and how many it must name.
///
/// The same rules make the [`prompt`](crate::prompt) and check the answer: see
/// [`parse`](crate::parse).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Artifacts that may be named.
    pub allowed: Vec<Artifact>,
    /// Fewest findings of an answer, at most [`MAX_FINDINGS`]. The default is 6.
    pub least: usize,
}

impl Rules {
    /// Allows the artifacts that a picture of `class` can have: no paws on a ship. Without a class,
    /// all are allowed.
    #[must_use]
    pub fn for_class(class: Option<Class>) -> Self {
        let can = |artifact: &Artifact| class.is_none_or(|class| artifact.can_concern(class));
        Self { allowed: Artifact::all().filter(can).collect(), least: MIN_ITEMS }
    }

    /// Refuses answers with fewer than `least` findings.
    ///
    /// # Panics
    ///
    /// If `least` is 0 or more than [`MAX_FINDINGS`].
    #[must_use]
    pub fn with_least(self, least: usize) -> Self {
        assert!(
            (1..=MAX_FINDINGS).contains(&least),
            "at least {least} findings: not between 1 and 7"
        );
        Self { least, ..self }
    }
}

impl Default for Rules {
    /// All 70 artifacts, at least 6 of them.
    fn default() -> Self {
        Self::for_class(None)
    }
}
