//! Conversations as tokens and back: tokenizers and chat templates.

mod bounds;
mod control;
mod environment;
mod file;
mod gguf;
mod guard;
mod json;
mod letters;
mod message;
mod meter;
mod picture_place;
mod plain;
mod special;
mod template;
mod template_place;
mod text_stream;
mod tokenizer;
mod vocabulary;

pub use control::ControlTokens;
pub use message::{IMAGE, Message, Part};
pub use picture_place::PicturePlace;
pub use template::ChatTemplate;
pub use text_stream::TextStream;
pub use tokenizer::Tokenizer;
pub use vocabulary::Vocabulary;
