//! The form of pictures in the text of a chat template.

use super::message::Message;

/// The form of a picture in the text of a chat template.
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
