//! Conversations as what a model learns from.

use std::borrow::Cow;
use std::path::Path;

use super::chat::Chat;
use super::config::TuningConfig;
use super::conversation::{Conversation, ImageSource, Speaker, Turn};
use super::encode::encode;
use super::vision::{Image, VisionExample};
use crate::error::{Error, TrainingError};

/// `conversations` as examples: their tokens by `chat`, cut to the recipe's length. A picture
/// counts as the tokens of its placeholder. Later turns that would not fit are left out with their
/// pictures. Pictures that are named are files below `images`, which must exist.
///
/// # Errors
/// Those of [`encode`]; [`TrainingError::NoAnswer`] where the cut leaves no answer;
/// [`cifake::Error::Read`] for a missing picture.
pub fn vision_examples(
    conversations: &[Conversation],
    chat: &Chat,
    images: &Path,
    config: &TuningConfig,
) -> Result<Vec<VisionExample>, Error> {
    let max_tokens = config.max_tokens;
    let illustrate = |(example, conversation): (usize, &Conversation)| {
        let mut conversation = Cow::Borrowed(conversation);
        let mut encoded = encode(&conversation, chat)?;
        // A cut may not part a picture from its place.
        while encoded.tokens.len() > max_tokens && shows_pictures_late(&conversation.turns) {
            let shorter = conversation.to_mut();
            shorter.turns.truncate(shorter.turns.len() - 2);
            shorter.images.truncate(n_places(&shorter.turns));
            encoded = encode(&conversation, chat)?;
        }
        encoded.truncate(max_tokens);
        if encoded.n_targets() == 0 {
            return Err(TrainingError::NoAnswer { example, max_tokens }.into());
        }
        let image = |source: &ImageSource| {
            let name = match source {
                ImageSource::Named(name) => name,
                ImageSource::Encoded(bytes) => return Ok(Image::Encoded(bytes.clone())),
            };
            let path = images.join(name);
            match std::fs::metadata(&path) {
                Ok(_) => Ok(Image::File(path)),
                Err(source) => Err(Error::from(cifake::Error::Read { path, source })),
            }
        };
        let images = conversation.images.iter().map(image).collect::<Result<_, _>>()?;
        Ok(VisionExample { encoded, images })
    };
    conversations.iter().enumerate().map(illustrate).collect()
}

/// Pictures that `turns` show.
fn n_places(turns: &[Turn]) -> usize {
    turns.iter().map(Turn::n_places).sum()
}

/// Whether a question behind the first answer shows a picture.
fn shows_pictures_late(turns: &[Turn]) -> bool {
    let answered = turns.iter().position(|turn| turn.speaker == Speaker::Assistant);
    answered.is_some_and(|first| n_places(&turns[first..]) > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{ChatTemplate, IMAGE, PicturePlace, Tokenizer};
    use crate::peft::{LoraConfig, Modules};

    fn chat() -> Chat {
        let json = r#"{"pre_tokenizer": {"type": "WhitespaceSplit"},
            "model": {"type": "WordLevel", "vocab": {"w": 0, "<image>": 1}, "unk_token": "w"}}"#;
        let tokenizer = Tokenizer::from_bytes(json.as_bytes(), Path::new("tokenizer.json"));
        Chat {
            template: ChatTemplate::new("{% for m in messages %}{{ m.content }} {% endfor %}"),
            tokenizer: tokenizer.expect("it is a tokenizer"),
            picture: PicturePlace::Text(IMAGE.to_owned()),
        }
    }

    #[test]
    fn a_cut_leaves_no_picture_without_its_place() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let name = |n| ImageSource::Named(format!("{n}.png"));
        let turn = |speaker, text: &str| Turn { speaker, text: text.to_owned() };
        let (user, assistant) = (Speaker::User, Speaker::Assistant);
        let turns = vec![
            turn(user, "<image> q"),
            turn(assistant, "a b"),
            turn(user, "q <image> <image>"),
            turn(assistant, "a b"),
        ];
        (0..3).for_each(|n| {
            std::fs::write(folder.path().join(format!("{n}.png")), b"").expect("it is writable");
        });
        let whole = Conversation { id: None, turns, images: (0..3).map(name).collect() };
        let lora = LoraConfig::new(2, 4.0, Modules::all_linear());
        let cut = |max_tokens| {
            let config = TuningConfig { max_tokens, ..TuningConfig::new(lora.clone(), 1e-3) };
            let found =
                vision_examples(std::slice::from_ref(&whole), &chat(), folder.path(), &config);
            let VisionExample { encoded, images } = found.expect("an answer is left").remove(0);
            let places = encoded.tokens.iter().filter(|token| **token == 1).count();
            (encoded.tokens.len(), places, images.len())
        };
        assert_eq!(cut(9), (9, 3, 3));
        assert_eq!(cut(8), (4, 1, 1));
        assert_eq!(cut(3), (3, 1, 1));
    }
}
