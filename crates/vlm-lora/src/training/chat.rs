//! A chat template and a tokenizer as what encodes conversations.

use super::conversation::Turn;
use super::encode::Dialogue;
use crate::{Assistant, ChatTemplate, Error, Message, PicturePlace, Tokenizer};

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
    /// The chat of `assistant`: what is trained is what it is asked.
    #[must_use]
    pub fn of(assistant: &Assistant) -> Self {
        Self {
            template: assistant.template().clone(),
            tokenizer: assistant.tokenizer().clone(),
            picture: assistant.picture_place().clone(),
        }
    }
}

impl Dialogue for Chat {
    fn render(&self, turns: &[Turn], open: bool) -> Result<String, Error> {
        let message = |turn: &Turn| {
            self.picture.written(Message::illustrated(turn.speaker.name(), &turn.text))
        };
        self.template.render(&turns.iter().map(message).collect::<Vec<_>>(), open)
    }

    fn tokens(&self, text: &str) -> Result<Vec<u32>, Error> {
        self.tokenizer.encode(text)
    }
}
