//! The lines of a set of explanations.

use cifake::Label;
use serde::{Deserialize, Deserializer, Serialize};

use crate::Explanation;

/// Folder of the pictures within a set.
pub(crate) const PICTURES: &str = "images";

/// A turn of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// The speaker: `human` or `gpt`.
    pub from: String,
    /// The text.
    pub value: String,
}

/// A picture and its explanation: a line of `explanations.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The sample's id in its data set.
    pub id: String,
    /// SHA-256 of the pixels, 64 lower-case hexadecimal digits.
    #[serde(deserialize_with = "hash")]
    pub sha256: String,
    /// The picture and the overlay, relative to the folder.
    pub image: [String; 2],
    /// The question and the answer.
    pub conversations: [Turn; 2],
    /// The verdict.
    pub label: Label,
    /// Probability that the picture is FAKE, 0 to 1.
    #[serde(deserialize_with = "probability")]
    pub p_fake: f32,
    /// The answer as findings.
    pub explanation: Explanation,
}

impl Record {
    /// The record in an untrusted `line` of a set.
    ///
    /// # Errors
    ///
    /// If the line is not a record.
    pub fn from_json(line: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(line)
    }

    /// The picture and the overlay, relative to the folder of the set. They follow from the hash.
    #[must_use]
    pub fn files(&self) -> [String; 2] {
        files(&self.sha256)
    }
}

/// Names of the picture and of the overlay.
pub(crate) fn files(sha256: &str) -> [String; 2] {
    ["", ".map"].map(|kind| format!("{PICTURES}/{sha256}{kind}.png"))
}

/// Refuses what is not a number from 0 to 1.
fn probability<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f32, D::Error> {
    let p = f32::deserialize(deserializer)?;
    let is_probability = (0.0..=1.0).contains(&p);
    is_probability
        .then_some(p)
        .ok_or_else(|| serde::de::Error::custom(format!("its `p_fake` {p} is not between 0 and 1")))
}

/// Refuses what is not 64 digits: the hash becomes part of a path.
fn hash<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() == 64 && text.bytes().all(is_digit) {
        return Ok(text);
    }
    Err(serde::de::Error::custom("its `sha256` is no hash"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_hash_that_leads_elsewhere_is_no_record() {
        let sha256 = "0123456789abcdef".repeat(4);
        let turn = |from: &str| Turn { from: from.to_owned(), value: "a".to_owned() };
        let record = Record {
            id: "test/1".to_owned(),
            image: files(&sha256),
            sha256,
            conversations: [turn("human"), turn("gpt")],
            label: Label::Fake,
            p_fake: 0.75,
            explanation: Explanation::default(),
        };
        let text = serde_json::to_string(&record).expect("plain data");
        assert_eq!(Record::from_json(text.as_bytes()).expect("as written"), record);
        for hash in ["../../secret", &"A".repeat(64), &record.sha256[1..], ""] {
            let line = text.replace(
                &format!(r#""sha256":"{}""#, record.sha256),
                &format!(r#""sha256":"{hash}""#),
            );
            assert_ne!(line, text);
            assert!(Record::from_json(line.as_bytes()).is_err(), "{hash}");
        }
        for p in ["1.5", "-0.5", "1e39"] {
            let line = text.replace(r#""p_fake":0.75"#, &format!(r#""p_fake":{p}"#));
            assert!(line != text && Record::from_json(line.as_bytes()).is_err(), "{p}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_of_a_line_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Record::from_json(&bytes).is_err());
        }
    }
}
