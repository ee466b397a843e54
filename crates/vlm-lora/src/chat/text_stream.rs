//! Text of tokens as they come.

use super::tokenizer::Tokenizer;
use crate::error::Error;

/// The character that a decoder leaves in the place of an incomplete one.
const INCOMPLETE: char = '\u{fffd}';

/// Text of tokens that come one after the other.
#[derive(Debug, Clone)]
pub struct TextStream<'a> {
    tokenizer: &'a Tokenizer,
    tokens: Vec<u32>,
    /// Tokens before which text does not change any more.
    shown: usize,
    /// Tokens whose text was returned.
    read: usize,
}

impl<'a> TextStream<'a> {
    fn new(tokenizer: &'a Tokenizer) -> Self {
        Self { tokenizer, tokens: Vec::new(), shown: 0, read: 0 }
    }

    /// The text that `token` completes; empty while a character is not complete.
    ///
    /// # Errors
    /// Those of [`Tokenizer::decode`].
    pub fn push(&mut self, token: u32) -> Result<String, Error> {
        self.tokens.push(token);
        // Decoders treat a first token in their own ways, so that the old text is decoded with the new.
        let old = self.tokenizer.decode(&self.tokens[self.shown..self.read])?;
        let all = self.tokenizer.decode(&self.tokens[self.shown..])?;
        if all.ends_with(INCOMPLETE) || all.len() <= old.len() {
            return Ok(String::new());
        }
        let new = all.get(old.len()..).unwrap_or_default().to_owned();
        (self.shown, self.read) = (self.read, self.tokens.len());
        Ok(new)
    }
}

impl Tokenizer {
    /// A reader of tokens as they come.
    #[must_use]
    pub fn stream(&self) -> TextStream<'_> {
        TextStream::new(self)
    }
}
