//! The 70 names under which artifacts of generated pictures are reported.

mod entry;
mod list;

use std::fmt;
use std::str::FromStr;

use cifake::Class;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use self::entry::{Concerns, Entry};
use self::list::LIST;

pub use self::entry::Group;

/// One of the 70 artifacts in the list of the Inter IIT Tech Meet 13 contest on AI-generated pictures.
///
/// `Display` and the serialized form are its name. `FromStr` accepts a name in any case, with any
/// spaces and punctuation, and a few aliases.
///
/// ```
/// use explain::Artifact;
///
/// let artifact: Artifact = "over-smoothing of natural textures.".parse()?;
/// assert_eq!(artifact.name(), "Over-smoothing of natural textures");
/// assert!("bad vibes".parse::<Artifact>().is_err());
/// # Ok::<(), explain::UnknownArtifact>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Artifact(u8);

impl Artifact {
    /// All of them, in the order of the list.
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        (0..LIST.len() as u8).map(Self)
    }

    /// The name, spelled as in the list.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.entry().name
    }

    /// The subject.
    #[must_use]
    pub fn group(self) -> Group {
        self.entry().group
    }

    /// Whether a picture of `class` can have the artifact: no ship has paws.
    #[must_use]
    pub fn can_concern(self, class: Class) -> bool {
        match self.entry().concerns {
            Concerns::Anything => true,
            Concerns::Classes(classes) => classes.contains(&class),
        }
    }

    /// Whether a picture of any class can have the artifact.
    #[must_use]
    pub fn concerns_anything(self) -> bool {
        self.entry().concerns == Concerns::Anything
    }

    fn entry(self) -> &'static Entry {
        &LIST[usize::from(self.0)]
    }
}

/// Letters and digits of a name, in lower case.
fn letters(name: &str) -> impl Iterator<Item = char> {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase)
}

/// A text that is not the name of an [`Artifact`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no artifact is called {name:?}")]
pub struct UnknownArtifact {
    /// The text.
    pub name: String,
}

impl FromStr for Artifact {
    type Err = UnknownArtifact;

    fn from_str(name: &str) -> Result<Self, UnknownArtifact> {
        let is = |known: &str| letters(known).eq(letters(name));
        let entry = |entry: &Entry| is(entry.name) || entry.aliases.iter().any(|alias| is(alias));
        let found = LIST.iter().position(entry).map(|at| Self(at as u8));
        found.ok_or_else(|| UnknownArtifact { name: name.chars().take(120).collect() })
    }
}

impl fmt::Display for Artifact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Debug for Artifact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.name())
    }
}

impl Serialize for Artifact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Artifact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_list_has_seventy_names_and_each_finds_itself() {
        assert_eq!(Artifact::all().len(), 70);
        for artifact in Artifact::all() {
            assert_eq!(artifact.name().parse(), Ok(artifact));
            assert_eq!(artifact.name().to_uppercase().parse(), Ok(artifact));
            let json = serde_json::to_string(&artifact).expect("a string");
            assert_eq!(serde_json::from_str::<Artifact>(&json).expect("its name"), artifact);
        }
    }

    #[test]
    fn no_spelling_stands_for_two_artifacts() {
        let mut seen = HashSet::new();
        for entry in &LIST {
            for name in entry.aliases.iter().chain([&entry.name]) {
                assert!(seen.insert(letters(name).collect::<String>()), "{name} stands twice");
            }
        }
    }

    #[test]
    fn a_colon_belongs_to_one_name_and_may_be_left_out() {
        let full = "Ghosting effects: Semi-transparent duplicates of elements";
        for name in
            [full, "ghosting effects", "Ghosting effects semi transparent duplicates of elements"]
        {
            assert_eq!(name.parse().map(Artifact::name), Ok(full));
        }
    }

    #[test]
    fn a_ship_has_no_paws() {
        let paws: Artifact = "Anatomically incorrect paw structures".parse().expect("listed");
        assert!(paws.can_concern(Class::Cat) && !paws.can_concern(Class::Ship));
        assert!(!paws.concerns_anything());
    }
}
