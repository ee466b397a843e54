//! The interface of all models: what chat, generation, adapters and training need of one.

use std::fmt;
use std::path::Path;

use cifake::Picture;

use crate::error::Error;
use crate::image::Enlargement;
use crate::nn::LoraTargets;
use crate::text::{Decoder, Prompt};

/// A language model that may read pictures among text.
///
/// A new architecture implements this trait and adds a line to
/// [`ARCHITECTURES`](crate::models::ARCHITECTURES).
pub trait LanguageModel: LoraTargets + fmt::Debug + Send + Sync {
    /// The text decoder, which reads the prompt.
    fn decoder(&self) -> &Decoder;

    /// The prompt of `tokens`, with one placeholder for each of `pictures`. Preprocessing, vision tower,
    /// positions and attention mask are the model's.
    ///
    /// # Errors
    /// [`Error::PicturePlaces`] if the numbers of placeholders and pictures differ, [`Error::Tokens`] for no
    /// token or one outside the vocabulary, [`Error::Setting`] for pictures that a text model cannot read,
    /// and the errors of preprocessing.
    fn prompt(&self, tokens: &[u32], pictures: &[Picture]) -> Result<Prompt, Error>;

    /// Whether it reads pictures.
    fn reads_pictures(&self) -> bool;

    /// A copy with the same weights. Adapters of one do not affect the other afterwards.
    fn boxed_clone(&self) -> Box<dyn LanguageModel>;

    /// The settings of preprocessing as text, if they are not fixed. A resumed training run must have the
    /// same as before.
    fn preprocessing(&self) -> String {
        String::new()
    }

    /// The conventions of the model's prompts, for points that its folder leaves open.
    fn conventions(&self) -> ChatConventions {
        ChatConventions::default()
    }

    /// Reads the settings of preprocessing in the model's `folder`.
    ///
    /// # Errors
    /// [`Error::ProcessorConfig`], and [`Error::Cifake`] if a file cannot be read.
    fn read_processor(&mut self, _folder: &Path) -> Result<(), Error> {
        Ok(())
    }

    /// Enlarges each picture before preprocessing.
    fn set_enlargement(&mut self, _enlargement: Enlargement) {}

    /// Resizes each picture to `least` to `most` pixels.
    ///
    /// # Errors
    /// [`Error::Setting`] for an architecture without this setting or for limits out of range.
    fn set_pixels(&mut self, least: u64, most: u64) -> Result<(), Error> {
        Err(unsupported("pixels", format!("{least} to {most}"), "Qwen2-VL"))
    }

    /// The maximum number of crops beside the whole picture; `None` for an architecture without crops.
    fn max_crops(&self) -> Option<usize> {
        None
    }

    /// Cuts each picture into at most `max_crops` crops beside the whole picture.
    ///
    /// # Errors
    /// [`Error::Setting`] for an architecture without crops or for a number out of range.
    fn set_max_crops(&mut self, max_crops: usize) -> Result<(), Error> {
        Err(unsupported("max_crops", max_crops.to_string(), "MC-LLaVA"))
    }
}

impl Clone for Box<dyn LanguageModel> {
    fn clone(&self) -> Self {
        self.boxed_clone()
    }
}

/// The conventions of a model's prompts, for points that its folder leaves open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChatConventions {
    /// The text of a picture's placeholder, which the tokenizer knows.
    pub image_text: &'static str,
    /// Whether the chat template is read by the rules of transformers' processors. Otherwise the rules of
    /// its tokenizers count.
    pub processor_template: bool,
    /// The text of a picture in ChatML, which is the template of a folder without one. `None` for an
    /// architecture that needs a template.
    pub chat_ml_image: Option<&'static str>,
    /// The template of a folder without one, for an architecture with a form of its own.
    pub template: Option<&'static str>,
    /// Texts of tokens that end an answer beside those of the folder.
    pub stop: &'static [&'static str],
}

impl ChatConventions {
    /// Those of text models: the tokenizer's template, no fallback.
    #[must_use]
    pub const fn text() -> Self {
        Self {
            image_text: "<image>",
            processor_template: false,
            chat_ml_image: None,
            template: None,
            stop: &[],
        }
    }
}

impl Default for ChatConventions {
    fn default() -> Self {
        Self::text()
    }
}

/// The error of a setting that only models of `architecture` have.
fn unsupported(setting: &'static str, found: String, architecture: &str) -> Error {
    Error::Setting { setting, found, expected: format!("a model of {architecture}") }
}
