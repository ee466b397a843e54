//! Encoding of conversations by a chat template and a tokenizer.

use super::conversation::Turn;
use super::encode::Dialogue;
use crate::assistant::Assistant;
use crate::chat::{ChatTemplate, Message, PicturePlace, Tokenizer};
use crate::error::Error;

/// A chat template, a tokenizer, and the form of pictures in both.
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
    /// The chat of `assistant`. Training and inference then use the same form.
    ///
    /// # Errors
    /// [`Error::NoChatTemplate`].
    pub fn of(assistant: &Assistant) -> Result<Self, Error> {
        Ok(Self {
            template: assistant.template().ok_or(Error::NoChatTemplate)?.clone(),
            tokenizer: assistant.tokenizer().clone(),
            picture: assistant.picture_place().clone(),
        })
    }
}

impl Dialogue for Chat {
    fn render(&self, turns: &[Turn], open: bool) -> Result<String, Error> {
        let message = |turn: &Turn| Message::interleaved(turn.speaker.name(), &turn.text);
        let messages: Vec<Message> = turns.iter().map(message).collect();
        let control = self.tokenizer.control_tokens(Some(&self.template));
        self.template.render_marked(&messages, open, &control, &self.picture)
    }

    fn tokens(&self, text: &str) -> Result<Vec<u32>, Error> {
        self.tokenizer.encode_marked(text)
    }
}
