//! Conversations as what a model learns from.

use std::path::Path;

use super::chat::Chat;
use super::conversation::{Conversation, ImageSource};
use super::encode::encode;
use super::pictured::{Illustrated, Image};
use super::{TrainingError, TuningConfig};
use crate::Error;

/// `conversations` as examples: their tokens by `chat`, cut to the recipe's length, in which a
/// picture counts as the tokens of its placeholder; pictures that are named are files below
/// `images`, which must exist.
///
/// # Errors
/// Those of [`encode`]; [`TrainingError::NoAnswer`] where the cut leaves no answer;
/// [`cifake::Error::Read`] for a missing picture.
pub fn illustrated(
    conversations: &[Conversation],
    chat: &Chat,
    images: &Path,
    config: &TuningConfig,
) -> Result<Vec<Illustrated>, Error> {
    let max_tokens = config.max_tokens;
    let illustrate = |(example, conversation): (usize, &Conversation)| {
        let mut encoded = encode(conversation, chat)?;
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
        Ok(Illustrated { encoded, images })
    };
    conversations.iter().enumerate().map(illustrate).collect()
}
