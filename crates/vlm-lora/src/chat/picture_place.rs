//! How a conversation's pictures stand in the text that a chat template makes of it.

use super::message::Message;

/// How a picture stands in the text that a template makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PicturePlace {
    /// The template writes its place: pictures are parts of a message.
    Part,
    /// This text stands in its place, which the tokenizer knows: the template is for text alone.
    Text(String),
}

impl PicturePlace {
    /// `message` as the template is to see it.
    #[must_use]
    pub fn written(&self, message: Message) -> Message {
        match self {
            Self::Part => message,
            Self::Text(text) => message.spelled(text),
        }
    }
}
