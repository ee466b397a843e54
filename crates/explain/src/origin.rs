//! The origin of a set of explanations.

use serde::{Deserialize, Serialize};

/// The origin of a set of explanations. A set has one origin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// Name of the explainer.
    pub explainer: String,
    /// The detector and its weights.
    pub detector: String,
    /// The method that made the maps.
    pub method: String,
    /// The question to which the explanations are answers.
    pub prompt: String,
}
