//! Names and numbers of layers, as PEFT's configuration has them.

use serde::{Deserialize, Serialize};

/// Names of layers: a list of names that a path ends with, or one regular expression that it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Modules {
    /// A regular expression that the whole path must match; as `target_modules` also `all-linear`:
    /// every linear layer but the output head.
    Pattern(String),
    /// Whole paths, or their last segments.
    List(Vec<String>),
}

impl Modules {
    /// Every linear layer but the output head.
    #[must_use]
    pub fn all_linear() -> Self {
        Self::Pattern("all-linear".to_owned())
    }

    /// A list of names.
    #[must_use]
    pub fn list(names: &[&str]) -> Self {
        Self::List(names.iter().map(|&name| name.to_owned()).collect())
    }

    /// Whether it is the word `all-linear`, in any case.
    #[must_use]
    pub fn is_all_linear(&self) -> bool {
        matches!(self, Self::Pattern(word) if word.eq_ignore_ascii_case("all-linear"))
    }

    pub(crate) fn strings(&self) -> &[String] {
        match self {
            Self::Pattern(pattern) => std::slice::from_ref(pattern),
            Self::List(names) => names,
        }
    }
}

/// One number or several, as PEFT has it for layers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany<T> {
    /// One.
    One(T),
    /// Several.
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    /// All of them.
    #[must_use]
    pub fn as_slice(&self) -> &[T] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}
