//! A chat template and a tokenizer as what encodes conversations.

use super::conversation::{Speaker, Turn};
use super::encode::Dialogue;
use crate::{Assistant, ChatTemplate, Error, IMAGE, Message, Tokenizer};

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
    /// The chat of `assistant`: pictures are its token for them if it has a
    /// [tower](Assistant::with_tower), parts of messages if its template mentions them, and `<image>`
    /// otherwise.
    ///
    /// # Errors
    /// [`Error::ChatTemplate`] for a template that cannot write a question.
    pub fn of(assistant: &Assistant) -> Result<Self, Error> {
        let (template, tokenizer) = (assistant.template().clone(), assistant.tokenizer().clone());
        match assistant.image_token() {
            Some(token) => {
                let picture = PicturePlace::Text(token.to_owned());
                Ok(Self { template, tokenizer, picture })
            }
            None => Self::new(template, tokenizer),
        }
    }

    fn new(template: ChatTemplate, tokenizer: Tokenizer) -> Result<Self, Error> {
        let mut chat = Self { template, tokenizer, picture: PicturePlace::Part };
        let question = |text: &str| [Turn { speaker: Speaker::User, text: text.to_owned() }];
        let plain = chat.render(&question("?"), true)?;
        let shown = chat.render(&question(&format!("{IMAGE}?")), true);
        // A template for text alone writes the list of parts out, leaves the picture away, or fails.
        if !shown.is_ok_and(|text| text.len() > plain.len() && !text.contains("type")) {
            chat.picture = PicturePlace::Text(IMAGE.to_owned());
        }
        Ok(chat)
    }

    fn message(&self, turn: &Turn) -> Message {
        let message = Message::illustrated(turn.speaker.name(), &turn.text);
        match &self.picture {
            PicturePlace::Text(text) => message.spelled(text),
            PicturePlace::Part => message,
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn chat(template: &str) -> Chat {
        let words = r#"{"model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}}"#;
        let tokenizer = Tokenizer::from_bytes(words.as_bytes(), Path::new("tokenizer.json"));
        let tokenizer = tokenizer.expect("it is a tokenizer");
        Chat::new(ChatTemplate::new(template), tokenizer).expect("it writes a question")
    }

    fn written(chat: &Chat, text: &str) -> String {
        let turn = Turn { speaker: Speaker::User, text: text.to_owned() };
        chat.render(&[turn], true).expect("it wrote one before")
    }

    #[test]
    fn templates_with_and_without_pictures_are_told_apart() {
        let with = chat(
            "{% for m in messages %}{% if m.content is string %}{{ m.content }}{% else %}\
             {% for part in m.content %}{% if part.type == 'image' %}[picture]{% else %}\
             {{ part.text }}{% endif %}{% endfor %}{% endif %}{% endfor %}",
        );
        assert_eq!(with.picture, PicturePlace::Part);
        assert_eq!(written(&with, "A <image> and <image>"), "A [picture] and [picture]");
        for template in [
            "{% for m in messages %}{{ m.content }}{% endfor %}",
            "{% for m in messages %}{{ m.content.strip() }}{% endfor %}",
            "{% for m in messages %}{% if m.content is string %}{{ m.content }}{% endif %}{% endfor %}",
        ] {
            let mut without = chat(template);
            assert_eq!(without.picture, PicturePlace::Text(IMAGE.to_owned()), "{template}");
            assert_eq!(written(&without, "A <image>"), "A <image>");
            without.picture = PicturePlace::Text("<filename>".to_owned());
            assert_eq!(written(&without, "A <image>"), "A <filename>");
        }
    }
}
