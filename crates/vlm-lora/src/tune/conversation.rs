//! Conversations with pictures, and the forms that LLaVA and ShareGPT give them.

use std::fmt;
use std::path::{Component, Path};
use std::str::FromStr;
use std::sync::Arc;

use cifake::text::counted;
use serde::Deserialize;

use crate::chat::IMAGE;
use crate::error::Error;

/// The role of a speaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Speaker {
    /// Instructions before the conversation.
    System,
    /// The user, who asks.
    User,
    /// The assistant, whose answers are learned.
    Assistant,
}

impl Speaker {
    /// The name in chat templates.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

impl fmt::Display for Speaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Speaker {
    type Err = Error;

    /// The speaker of a role in the form of transformers (`user`) or ShareGPT (`human`).
    fn from_str(role: &str) -> Result<Self, Error> {
        match role {
            "system" => Ok(Self::System),
            "user" | "human" => Ok(Self::User),
            "assistant" | "gpt" => Ok(Self::Assistant),
            _ => Err(Error::Setting {
                setting: "role",
                found: role.chars().take(40).collect(),
                expected: "system, user or assistant".to_owned(),
            }),
        }
    }
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Turn {
    /// The speaker.
    pub speaker: Speaker,
    /// The text, with [`IMAGE`] in the place of each picture.
    pub text: String,
}

impl Turn {
    /// Pictures that it shows.
    pub(super) fn n_places(&self) -> usize {
        self.text.matches(IMAGE).count()
    }
}

/// The source of a picture in a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ImageSource {
    /// In a file of this name, relative to a folder and never out of it.
    Named(String),
    /// Here, as the bytes of a file.
    Encoded(Arc<[u8]>),
}

/// One example: perhaps a system's turn, then questions and answers, an answer last.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Conversation {
    /// The example's own name.
    pub id: Option<String>,
    /// The turns of the speakers.
    pub turns: Vec<Turn>,
    /// The pictures, in the order of their places.
    pub images: Vec<ImageSource>,
}

/// The sizes that a file of conversations may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConversationLimits {
    /// Conversations; a million.
    pub max_conversations: usize,
    /// Bytes of a file, all of which are kept in memory; 2 GiB.
    pub max_bytes: u64,
    /// Bytes of a line, or of the texts of a row; 1 MiB.
    pub max_line_bytes: usize,
    /// Turns of a conversation; 64.
    pub max_turns: usize,
    /// Pictures of a conversation; 16.
    pub max_images: usize,
}

impl Default for ConversationLimits {
    fn default() -> Self {
        Self {
            max_conversations: 1_000_000,
            max_bytes: 2 << 30,
            max_line_bytes: 1 << 20,
            max_turns: 64,
            max_images: 16,
        }
    }
}

/// The content of a line of JSON, or of a row of a table without its pictures.
#[derive(Deserialize)]
pub(super) struct Line {
    id: Option<serde_json::Value>,
    #[serde(alias = "conversations")]
    messages: Vec<Said>,
    #[serde(alias = "image")]
    images: Option<Names>,
    system: Option<String>,
}

#[derive(Deserialize)]
struct Said {
    #[serde(alias = "from")]
    role: String,
    #[serde(alias = "value")]
    content: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Names {
    One(String),
    Many(Vec<String>),
}

/// One line as a conversation, or what is wrong with it.
pub(super) fn parse(bytes: &[u8], limits: &ConversationLimits) -> Result<Conversation, String> {
    let mut line: Line = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let images = match line.images.take() {
        None => Vec::new(),
        Some(Names::One(image)) => vec![image],
        Some(Names::Many(images)) => images,
    };
    assemble(line, images.into_iter().map(ImageSource::Named).collect(), limits)
}

/// The conversation of `line` and `images`, or its fault.
pub(super) fn assemble(
    line: Line,
    images: Vec<ImageSource>,
    limits: &ConversationLimits,
) -> Result<Conversation, String> {
    let system = line.system.filter(|text| !text.is_empty());
    let system = system.map(|text| Ok(Turn { speaker: Speaker::System, text }));
    let turns = line.messages.into_iter().map(|said| {
        let speaker = said.role.parse().map_err(|error: Error| error.to_string())?;
        Ok(Turn { speaker, text: said.content })
    });
    let turns: Vec<Turn> = system.into_iter().chain(turns).collect::<Result<_, String>>()?;
    let id = line.id.map(|id| match id {
        serde_json::Value::String(id) => id,
        other => other.to_string(),
    });
    let conversation = Conversation { id, turns, images };
    check(&conversation, limits)?;
    Ok(conversation)
}

fn check(conversation: &Conversation, limits: &ConversationLimits) -> Result<(), String> {
    let Conversation { turns, images, .. } = conversation;
    if turns.len() > limits.max_turns {
        return Err(format!("it has more than {} turns", limits.max_turns));
    }
    if images.len() > limits.max_images {
        return Err(format!("it has more than {} pictures", limits.max_images));
    }
    let after_system = match turns.first().map(|turn| turn.speaker) {
        Some(Speaker::System) => &turns[1..],
        _ => &turns[..],
    };
    let in_turn = [Speaker::User, Speaker::Assistant].into_iter().cycle();
    let ordered = after_system.iter().zip(in_turn).all(|(turn, speaker)| turn.speaker == speaker);
    if after_system.is_empty() || !ordered || !after_system.len().is_multiple_of(2) {
        return Err("user and assistant do not take turns, the assistant last".to_owned());
    }
    let places = |speaker: Speaker| {
        let said = turns.iter().filter(|turn| turn.speaker == speaker);
        said.map(Turn::n_places).sum::<usize>()
    };
    if places(Speaker::System) + places(Speaker::Assistant) > 0 {
        return Err(format!("only the user shows pictures, and {IMAGE} is said by another"));
    }
    let n_places = places(Speaker::User);
    if n_places != images.len() {
        let found = counted(images.len(), "picture");
        return Err(format!("it has {found} for {}", counted(n_places, IMAGE)));
    }
    let inside = |source: &ImageSource| {
        let ImageSource::Named(name) = source else { return true };
        let mut components = Path::new(name).components().peekable();
        components.peek().is_some() && components.all(|part| matches!(part, Component::Normal(_)))
    };
    match images.iter().find(|source| !inside(source)) {
        Some(_) => Err("the name of a picture leads out of its folder".to_owned()),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(line: &str) -> Result<Conversation, String> {
        parse(line.as_bytes(), &ConversationLimits::default())
    }

    #[test]
    fn both_forms_are_the_same_conversation() {
        let llava = read(
            r#"{"id": 7, "image": "a/b.png", "conversations": [
                {"from": "human", "value": "<image>\nWhat?"}, {"from": "gpt", "value": "That."}]}"#,
        );
        let sharegpt = read(
            r#"{"id": "7", "images": ["a/b.png"], "messages": [
                {"role": "user", "content": "<image>\nWhat?"}, {"role": "assistant", "content": "That."}]}"#,
        );
        let conversation = llava.expect("it is LLaVA's form");
        assert_eq!(conversation.turns[0].text, "<image>\nWhat?");
        assert_eq!(conversation, sharegpt.expect("it is ShareGPT's form"));
    }

    #[test]
    fn what_cannot_be_learned_from_is_refused() {
        let said = |turns: &str| read(&format!(r#"{{"messages": [{turns}]}}"#));
        let user = r#"{"role": "user", "content": "a"}"#;
        let assistant = r#"{"role": "assistant", "content": "b"}"#;
        assert!(said(&format!("{user},{assistant}")).is_ok());
        for turns in ["", user, assistant, &format!("{assistant},{user}")] {
            assert!(said(turns).is_err(), "{turns}");
        }
        assert!(said(&format!("{user},{assistant},{user}")).is_err());
        let image = r#"{"role": "user", "content": "<image>"}"#;
        assert!(said(&format!("{image},{assistant}")).is_err());
        for name in ["/etc/passwd", "../a.png", ""] {
            let line = format!(r#"{{"image": "{name}", "messages": [{image},{assistant}]}}"#);
            assert!(read(&line).is_err(), "{name}");
        }
    }

    proptest! {
        #[test]
        fn every_line_is_answered(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes, &ConversationLimits::default());
        }
    }
}
