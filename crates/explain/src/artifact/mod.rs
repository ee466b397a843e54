//! The 70 names under which artifacts of generated pictures are reported.

mod list;

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use self::list::LIST;

/// What an artifact is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Group {
    /// Shapes, borders and parts of objects.
    Structure,
    /// Bodies of animals.
    Anatomy,
    /// Parts of machines.
    Mechanics,
    /// Surfaces and materials.
    Texture,
    /// Sources of light, shadows and reflections.
    Light,
    /// Depth, scale and perspective.
    Space,
    /// Sharpness, noise and other traces of rendering.
    Rendering,
    /// Colours.
    Colour,
    /// Regularities that the eye may not see.
    Pattern,
    /// How the picture is composed.
    Composition,
}

/// Which of the ten classes of CIFAR-10 an artifact can concern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Concerns {
    Anything,
    Classes(&'static [&'static str]),
}

/// An entry of the list.
struct Entry {
    name: &'static str,
    group: Group,
    concerns: Concerns,
    /// Other spellings that are not told apart from the name by case and punctuation alone.
    aliases: &'static [&'static str],
}

/// One of the 70 artifacts of the list of the Inter IIT Tech Meet 13 contest on AI-generated pictures.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Artifact(u8);

impl Artifact {
    /// All of them, in the order of the list.
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        (0..LIST.len() as u8).map(Self)
    }

    /// The artifact of that name, whatever its case, spaces and punctuation, or of an alias.
    ///
    /// ```
    /// use explain::Artifact;
    ///
    /// let artifact = Artifact::from_name("over-smoothing of natural textures.").expect("it is in the list");
    /// assert_eq!(artifact.name(), "Over-smoothing of natural textures");
    /// assert_eq!(Artifact::from_name("bad vibes"), None);
    /// ```
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let is = |known: &str| letters(known).eq(letters(name));
        let entry = |entry: &Entry| is(entry.name) || entry.aliases.iter().any(|alias| is(alias));
        LIST.iter().position(entry).map(|at| Self(at as u8))
    }

    /// Its name, as the list spells it.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.entry().name
    }

    /// What it is about.
    #[must_use]
    pub fn group(self) -> Group {
        self.entry().group
    }

    /// Whether a picture of `class`, one of CIFAR-10's ten, can have it: no ship has paws. Of a class
    /// that is not among them only what concerns anything can be said.
    #[must_use]
    pub fn can_concern(self, class: &str) -> bool {
        match self.entry().concerns {
            Concerns::Anything => true,
            Concerns::Classes(classes) => classes.contains(&class),
        }
    }

    /// Whether a picture of any class can have it.
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
        let name = String::deserialize(deserializer)?;
        Self::from_name(&name)
            .ok_or_else(|| serde::de::Error::custom(format!("no artifact is called {name:?}")))
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
            assert_eq!(Artifact::from_name(artifact.name()), Some(artifact));
            assert_eq!(Artifact::from_name(&artifact.name().to_uppercase()), Some(artifact));
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
            assert_eq!(Artifact::from_name(name).map(Artifact::name), Some(full));
        }
    }

    #[test]
    fn a_ship_has_no_paws() {
        let paws = Artifact::from_name("Anatomically incorrect paw structures").expect("listed");
        assert!(paws.can_concern("cat") && !paws.can_concern("ship") && !paws.concerns_anything());
    }
}
