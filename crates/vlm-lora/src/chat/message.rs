//! Messages of a conversation, and their form in a template.

use serde::Serialize;

use super::control::ControlTokens;

/// The marker of a picture in a text.
pub const IMAGE: &str = "<image>";

/// A part of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
#[non_exhaustive]
pub enum Part {
    /// A picture. Pictures are assigned in the order of their places.
    Image,
    /// Text.
    Text {
        /// The text.
        text: String,
    },
}

/// A message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// `system`, `user` or `assistant`.
    pub role: String,
    /// Its parts, in order.
    pub parts: Vec<Part>,
}

impl Message {
    /// A message of text.
    #[must_use]
    pub fn text(role: &str, text: &str) -> Self {
        Self { role: role.to_owned(), parts: vec![Part::Text { text: text.to_owned() }] }
    }

    /// A message of `n_images` pictures and text behind them.
    #[must_use]
    pub fn with_images(role: &str, n_images: usize, text: &str) -> Self {
        let mut message = Self::text(role, text);
        message.parts.splice(0..0, std::iter::repeat_n(Part::Image, n_images));
        message
    }

    /// A message of `text`, in which [`IMAGE`] stands where it shows a picture.
    ///
    /// ```
    /// use vlm_lora::{Message, Part};
    ///
    /// let message = Message::interleaved("user", "<image>What is this?");
    /// assert_eq!(message, Message::with_images("user", 1, "What is this?"));
    /// assert_eq!(message.spelled("[picture]"), Message::text("user", "[picture]What is this?"));
    /// ```
    #[must_use]
    pub fn interleaved(role: &str, text: &str) -> Self {
        if !text.contains(IMAGE) {
            return Self::text(role, text);
        }
        let mut parts = Vec::new();
        for (index, text) in text.split(IMAGE).enumerate() {
            if index > 0 {
                parts.push(Part::Image);
            }
            if !text.is_empty() {
                parts.push(Part::Text { text: text.to_owned() });
            }
        }
        Self { role: role.to_owned(), parts }
    }

    /// The same message as text alone, with `picture` where it shows one: for templates that know
    /// nothing of pictures.
    #[must_use]
    pub fn spelled(&self, picture: &str) -> Self {
        let part = |part: &Part| match part {
            Part::Image => picture.to_owned(),
            Part::Text { text } => text.clone(),
        };
        Self::text(&self.role, &self.parts.iter().map(part).collect::<String>())
    }

    /// The same message, in which what spells one of `control` is marked as mere text.
    pub(super) fn marked(mut self, control: &ControlTokens) -> Self {
        for part in &mut self.parts {
            if let Part::Text { text } = part {
                *text = control.mark(text);
            }
        }
        self
    }

    /// As a template sees it: text alone is a string, anything else a list of parts.
    pub(super) fn seen(&self) -> Seen<'_> {
        let content = match &*self.parts {
            [Part::Text { text }] => Content::Text(text),
            parts => Content::Parts(parts),
        };
        Seen { role: &self.role, content }
    }

    /// Bytes of its texts.
    pub(super) fn len(&self) -> usize {
        let len = |part: &Part| if let Part::Text { text } = part { text.len() } else { 0 };
        self.parts.iter().map(len).sum()
    }
}

/// A message for a template, its fields in the order in which Python's users write them.
#[derive(Serialize)]
pub(super) struct Seen<'a> {
    role: &'a str,
    content: Content<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Text(&'a str),
    Parts(&'a [Part]),
}
