//! The object that a picture of CIFAKE shows.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The ten classes of CIFAR-10, which CIFAKE's real pictures come from and its fake ones imitate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "a class says what it is by its name")]
pub enum Class {
    Airplane,
    Automobile,
    Bird,
    Cat,
    Deer,
    Dog,
    Frog,
    Horse,
    Ship,
    Truck,
}

impl Class {
    /// All classes, in CIFAR-10's order.
    pub const ALL: [Self; 10] = [
        Self::Airplane,
        Self::Automobile,
        Self::Bird,
        Self::Cat,
        Self::Deer,
        Self::Dog,
        Self::Frog,
        Self::Horse,
        Self::Ship,
        Self::Truck,
    ];

    /// The name in lower case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Airplane => "airplane",
            Self::Automobile => "automobile",
            Self::Bird => "bird",
            Self::Cat => "cat",
            Self::Deer => "deer",
            Self::Dog => "dog",
            Self::Frog => "frog",
            Self::Horse => "horse",
            Self::Ship => "ship",
            Self::Truck => "truck",
        }
    }

    /// The class whose name is `name` in any case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str().eq_ignore_ascii_case(name))
    }

    /// The class that a file's name tells by CIFAKE's rule: digits, then nothing for an airplane
    /// or ` (2)` to ` (10)` for the others, then the extension. `None` for any other name.
    #[must_use]
    pub fn from_file_name(name: &str) -> Option<Self> {
        let (stem, _) = name.rsplit_once('.')?;
        let digits = stem.bytes().take_while(u8::is_ascii_digit).count();
        let (number, suffix) = stem.split_at(digits);
        if number.is_empty() {
            return None;
        }
        if suffix.is_empty() {
            return Some(Self::Airplane);
        }
        let inner = suffix.strip_prefix(" (")?.strip_suffix(')')?;
        let position = inner.parse::<usize>().ok().filter(|position| *position >= 2)?;
        Self::ALL.get(position - 1).copied()
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suffix_of_a_file_name_is_the_class() {
        assert_eq!(Class::from_file_name("0000.jpg"), Some(Class::Airplane));
        assert_eq!(Class::from_file_name("17 (2).jpg"), Some(Class::Automobile));
        assert_eq!(Class::from_file_name("17 (10).png"), Some(Class::Truck));
    }

    #[test]
    fn a_name_that_breaks_the_rule_has_no_class() {
        for name in ["17 (1).jpg", "17 (11).jpg", "cat.jpg", "17(2).jpg", "17 (2)", "17 (+2x).jpg"]
        {
            assert_eq!(Class::from_file_name(name), None, "{name}");
        }
    }
}
