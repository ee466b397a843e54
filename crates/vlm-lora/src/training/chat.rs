//! A chat template and a tokenizer as what encodes conversations.

use super::conversation::{IMAGE, Turn};
use super::encode::Dialogue;
use crate::{Assistant, ChatTemplate, Error, Message, Part, Tokenizer};

/// How a picture stands in the text that a template makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PicturePlace {
    /// The template writes its place: pictures are parts of a message (Qwen2-VL).
    Part,
    /// This text stands in its place, which the tokenizer knows as one token (LLaVA).
    Text(String),
}

/// A template, a tokenizer, and how the two speak of pictures.
#[derive(Debug, Clone)]
pub struct Chat {
    /// Turns to text.
    pub template: ChatTemplate,
    /// Text to tokens.
    pub tokenizer: Tokenizer,
    /// Pictures to text.
    pub picture: PicturePlace,
}

impl Chat {
    /// The chat of `assistant`: pictures are parts of messages if its template mentions them, and
    /// `<image>` otherwise.
    ///
    /// # Errors
    /// [`Error::ChatTemplate`] for a template that cannot write a question.
    pub fn of(assistant: &Assistant) -> Result<Self, Error> {
        let (template, tokenizer) = (assistant.template().clone(), assistant.tokenizer().clone());
        let mut chat = Self { template, tokenizer, picture: PicturePlace::Part };
        let question = Turn { speaker: super::Speaker::User, text: format!("{IMAGE}?") };
        let without = Turn { speaker: super::Speaker::User, text: "?".to_owned() };
        let shown = chat.render(&[question], true);
        // A template for text alone writes the list of parts out, leaves the picture away, or fails.
        let plain = chat.render(&[without], true)?;
        let is_part = shown.is_ok_and(|text| text != plain && !text.contains("type"));
        if !is_part {
            chat.picture = PicturePlace::Text(IMAGE.to_owned());
        }
        Ok(chat)
    }

    fn message(&self, turn: &Turn) -> Message {
        let role = turn.speaker.name();
        match &self.picture {
            PicturePlace::Text(text) => Message::text(role, &turn.text.replace(IMAGE, text)),
            PicturePlace::Part if turn.text.contains(IMAGE) => {
                let mut parts = Vec::new();
                for (index, text) in turn.text.split(IMAGE).enumerate() {
                    if index > 0 {
                        parts.push(Part::Image);
                    }
                    if !text.is_empty() {
                        parts.push(Part::Text { text: text.to_owned() });
                    }
                }
                Message { role: role.to_owned(), parts }
            }
            PicturePlace::Part => Message::text(role, &turn.text),
        }
    }
}

impl Dialogue for Chat {
    fn render(&self, turns: &[Turn], open: bool) -> Result<String, Error> {
        let messages: Vec<Message> = turns.iter().map(|turn| self.message(turn)).collect();
        self.template.render(&messages, open)
    }

    fn tokens(&self, text: &str) -> Result<Vec<u32>, Error> {
        self.tokenizer.encode(text)
    }
}
