//! Tables whose order matters: of several patterns that match, PEFT takes the first of the file.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// Regular expressions for the ends of paths, each with a value, in the order in which they are tried.
///
/// ```
/// use vlm_lora::lora::Patterns;
///
/// let ranks: Patterns<usize> = serde_json::from_str(r#"{"v_proj": 30, "self_attn.v_proj": 3}"#)?;
/// assert_eq!(ranks.keys().collect::<Vec<_>>(), ["v_proj", "self_attn.v_proj"]);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patterns<T>(Vec<(String, T)>);

impl<T> Patterns<T> {
    /// Adds a pattern behind the others; one that is there keeps its place and gets another value.
    pub fn insert(&mut self, pattern: impl Into<String>, value: T) {
        let pattern = pattern.into();
        match self.0.iter_mut().find(|(known, _)| *known == pattern) {
            Some((_, old)) => *old = value,
            None => self.0.push((pattern, value)),
        }
    }

    /// Patterns and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &T)> {
        self.0.iter().map(|(pattern, value)| (pattern, value))
    }

    /// The patterns, in order.
    pub fn keys(&self) -> impl Iterator<Item = &String> {
        self.iter().map(|(pattern, _)| pattern)
    }

    /// The values, in order.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.iter().map(|(_, value)| value)
    }

    /// Whether there are no patterns.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T> Default for Patterns<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Serialize> Serialize for Patterns<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        self.iter().try_for_each(|(pattern, value)| map.serialize_entry(pattern, value))?;
        map.end()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patterns<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
            type Value = Patterns<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of patterns")
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Patterns::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut found = Patterns::default();
                // As many as a limit allows are looked for among the others each time.
                while let Some((pattern, value)) = map.next_entry::<String, T>()? {
                    found.insert(pattern, value);
                    if found.0.len() > MAX_READ {
                        return Err(serde::de::Error::custom("too many patterns"));
                    }
                }
                Ok(found)
            }
        }

        deserializer.deserialize_any(Entries(PhantomData))
    }
}

/// Patterns of a file, at most: sixteen times as many as an adapter may have.
const MAX_READ: usize = 8192;
