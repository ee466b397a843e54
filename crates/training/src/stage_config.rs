//! A run of a queue as its file says it.

use serde::{Deserialize, Serialize};

/// The value of [`Stage::start`] for the best weights of the stage before.
pub(crate) const PREVIOUS: &str = "previous";
/// The value of [`Stage::start`] for weights drawn from the recipe's seed.
pub(crate) const RANDOM: &str = "random";

/// A run of a [`Queue`](crate::Queue).
///
/// Its paths may begin with `{extra}`, the folder of additional sets, or with `{out}`, the folder of
/// the queue's runs. Other relative paths begin at the queue's file; those of a teacher begin at the
/// recipe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Name of the run's folder: letters, digits, `-`, `_` and `.`, no dot in front.
    pub name: String,
    /// Its recipe.
    pub recipe: String,
    /// Additional pictures to train on.
    #[serde(default)]
    pub extra: Vec<String>,
    /// The weights that it starts from: `previous`, `random`, the name of an average, the name of an
    /// earlier stage (its best weights), or a weight file. The default is `previous`: the best weights
    /// of the stage before if the model has the same shape, and random weights otherwise.
    #[serde(default = "previous")]
    pub start: String,
}

fn previous() -> String {
    PREVIOUS.to_owned()
}
