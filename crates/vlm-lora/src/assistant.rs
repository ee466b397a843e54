//! A whole model with everything that it needs to answer: weights, tokenizer, chat template, preprocessing.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use cifake::Picture;

use crate::chat::{ChatTemplate, Message, PicturePlace, Tokenizer};
use crate::error::Error;
use crate::generate::GenerationDefaults;
use crate::image::Enlargement;
use crate::models::{LanguageModel, Projector, TowerLanguageModel, VisionTower, load, read_config};
use crate::nn::{Linear, LoraTargets};
use crate::peft::Naming;
use crate::source::{Gguf, Matrix, WeightFormat, WeightSource};
use crate::text::{Decoder, DecoderNames, Prompt};

/// The token that ends a turn in the most common form of conversations.
const END_OF_TURN: &str = "<|im_end|>";
/// Maximum number of tokens of [`Assistant::answer`].
const MAX_ANSWER_TOKENS: usize = 512;

/// A model of any architecture of this crate, ready to be asked.
///
/// ```no_run
/// use burn::tensor::Device;
/// use vlm_lora::{Assistant, WeightFormat};
///
/// let folder = "Qwen2-VL-2B-Instruct".as_ref();
/// let assistant = Assistant::open(folder, Some(WeightFormat::Int8), &Device::flex())?;
/// let picture = cifake::Decoder::default().read("photo.jpg".as_ref())?;
/// let answer = assistant.answer("What is in this picture?", &[picture])?;
/// # Ok::<(), vlm_lora::Error>(())
/// ```
///
/// [`ask`](Self::ask) makes a prompt for a [`Generation`](crate::generate::Generation) with other settings or with a constraint.
#[derive(Debug, Clone)]
pub struct Assistant {
    model: Box<dyn LanguageModel>,
    tokenizer: Tokenizer,
    template: Option<ChatTemplate>,
    picture: PicturePlace,
    defaults: GenerationDefaults,
}

impl Assistant {
    /// The model at `path`: a folder as Hugging Face publishes it, or a llama.cpp file. Matrices are kept
    /// in `format`. `None` means f32 for a folder and the file's own format for a llama.cpp file.
    ///
    /// # Errors
    /// Those of [`load`] and [`Gguf`]; [`Error::Tokenizer`], [`Error::Json`], [`Error::ChatTemplateFile`].
    pub fn open(path: &Path, format: Option<WeightFormat>, device: &Device) -> Result<Self, Error> {
        if path.extension().is_some_and(|extension| extension == "gguf") {
            return Self::from_gguf(path, format, device);
        }
        let config = read_config(path)?;
        let model = load(path, &config, format.unwrap_or_default(), device)?;
        let tokenizer = Tokenizer::from_folder(path)?;
        let conventions = model.conventions();
        let template = match conventions.processor_template {
            true => ChatTemplate::of_processor(path)?,
            false => ChatTemplate::of_tokenizer(path)?,
        };
        let chat_ml = || conventions.chat_ml_image.map(ChatTemplate::chat_ml_with_pictures);
        let fallback = conventions.template.map(ChatTemplate::new).or_else(chat_ml);
        let mut defaults = GenerationDefaults::from_folder(path, &config)?;
        defaults.stop.extend(conventions.stop.iter().filter_map(|text| tokenizer.token(text)));
        Ok(Self::new(model, tokenizer, template.or(fallback), defaults))
    }

    fn from_gguf(
        path: &Path,
        format: Option<WeightFormat>,
        device: &Device,
    ) -> Result<Self, Error> {
        let mut weights = Gguf::open(path, format, device)?;
        let config = weights.config()?;
        let decoder = Decoder::new(&mut weights, &config, &DecoderNames::default())?;
        let tokenizer = weights.tokenizer()?;
        let template = weights.chat_template();
        let mut stop: Vec<u32> = weights.end_token().into_iter().collect();
        // llama.cpp takes this text for an end in any file.
        stop.extend(tokenizer.token(END_OF_TURN));
        weights.finish()?;
        let defaults = GenerationDefaults::ending(stop);
        Ok(Self::new(Box::new(decoder), tokenizer, template, defaults))
    }

    /// A model with its tokenizer, its chat template and its defaults of generation.
    #[must_use]
    pub fn new(
        model: Box<dyn LanguageModel>,
        tokenizer: Tokenizer,
        template: Option<ChatTemplate>,
        defaults: GenerationDefaults,
    ) -> Self {
        let spelled = model.conventions().image_text;
        let picture = match &template {
            Some(template) => PicturePlace::of(template, spelled),
            None => PicturePlace::Text(spelled.to_owned()),
        };
        Self { model, tokenizer, template, picture, defaults }
    }

    /// Replaces the chat template.
    #[must_use]
    pub fn with_template(mut self, template: ChatTemplate) -> Self {
        // A tower's placeholder is a token of the caller's choice.
        if self.model.tower().is_none() {
            self.picture = PicturePlace::of(&template, self.model.conventions().image_text);
        }
        self.template = Some(template);
        self
    }

    /// Enlarges each picture before preprocessing. A model with a [tower](Self::with_tower) always resizes
    /// pictures to the tower's size.
    #[must_use]
    pub fn with_enlargement(mut self, enlargement: Enlargement) -> Self {
        self.model.set_enlargement(enlargement);
        self
    }

    /// Resizes each picture to `least` to `most` pixels. In Qwen2-VL 784 pixels are one token.
    ///
    /// # Errors
    /// [`Error::Setting`] for an architecture without this setting; [`Error::ProcessorConfig`] for limits
    /// out of range.
    pub fn with_pixels(mut self, least: u64, most: u64) -> Result<Self, Error> {
        self.model.set_pixels(least, most)?;
        Ok(self)
    }

    /// Cuts each picture into at most `max_crops` crops beside the whole picture. MC-LLaVA makes no crops
    /// of a picture up to 576x576.
    ///
    /// # Errors
    /// [`Error::Setting`] for an architecture without crops; [`Error::ProcessorConfig`] for a number out of
    /// range.
    pub fn with_max_crops(mut self, max_crops: usize) -> Result<Self, Error> {
        self.model.set_max_crops(max_crops)?;
        Ok(self)
    }

    /// Puts a text model behind `tower` and a projector with the weights of the source: those of an adapter
    /// that saved it, or [random](crate::Random) ones. Random weights are useless before training, or before
    /// an adapter with other weights is attached. `image_token`, a token of the tokenizer, is the
    /// placeholder of a picture. Pictures are resized to the tower's size.
    ///
    /// # Errors
    /// [`Error::Setting`] for a model that reads pictures already, or an unknown token; those of `weights`.
    pub fn with_tower(
        mut self,
        tower: Arc<dyn VisionTower>,
        weights: &mut dyn WeightSource,
        image_token: &str,
    ) -> Result<Self, Error> {
        if self.reads_pictures() {
            return Err(Error::Setting {
                setting: "tower",
                found: "of a model that reads pictures already".to_owned(),
                expected: "a text model".to_owned(),
            });
        }
        let token = self.tokenizer.token(image_token).ok_or_else(|| Error::Setting {
            setting: "image_token",
            found: image_token.to_owned(),
            expected: "a token of the tokenizer".to_owned(),
        })?;
        let decoder = self.model.decoder().clone();
        self.model = Box::new(TowerLanguageModel::new(tower, weights, decoder, token)?);
        self.picture = PicturePlace::Text(image_token.to_owned());
        Ok(self)
    }

    /// Whether it has a tower whose projector no adapter replaces. The projector of
    /// [`with_tower`](Self::with_tower) is then as its source made it, usually random.
    #[must_use]
    pub fn has_untrained_projector(&mut self) -> bool {
        if self.model.tower().is_none() {
            return false;
        }
        let mut is_untrained = false;
        self.model.visit_linears(&mut |linear| {
            let of_projector = linear.path().starts_with(Projector::PATH);
            is_untrained |= of_projector && linear.adapters.list.is_empty();
        });
        is_untrained
    }

    /// Whether it reads pictures.
    #[must_use]
    pub fn reads_pictures(&self) -> bool {
        self.model.reads_pictures()
    }

    /// Whether it cuts pictures into crops; see [`with_max_crops`](Self::with_max_crops).
    #[must_use]
    pub fn reads_crops(&self) -> bool {
        self.model.max_crops().is_some()
    }

    /// The place of pictures in the text of its chat template.
    #[must_use]
    pub fn picture_place(&self) -> &PicturePlace {
        &self.picture
    }

    /// The model.
    #[must_use]
    pub fn model(&self) -> &dyn LanguageModel {
        &*self.model
    }

    /// The model alone, for training.
    #[must_use]
    pub fn into_model(self) -> Box<dyn LanguageModel> {
        self.model
    }

    /// The decoder.
    #[must_use]
    pub fn decoder(&self) -> &Decoder {
        self.model.decoder()
    }

    /// The tokenizer.
    #[must_use]
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The chat template, if there is one.
    #[must_use]
    pub fn template(&self) -> Option<&ChatTemplate> {
        self.template.as_ref()
    }

    /// The settings of generation that its makers recommend.
    #[must_use]
    pub fn defaults(&self) -> &GenerationDefaults {
        &self.defaults
    }

    /// Tokens that end an answer.
    #[must_use]
    pub fn stop(&self) -> &[u32] {
        &self.defaults.stop
    }

    /// The answer to one question about `pictures`: greedy decoding, at most 512 tokens.
    ///
    /// # Errors
    /// Those of [`converse`](Self::converse) and of
    /// [`Generation::run`](crate::generate::Generation::run).
    pub fn answer(&self, question: &str, pictures: &[Picture]) -> Result<String, Error> {
        self.answer_streaming(question, pictures, &mut |_| ControlFlow::Continue(()))
    }

    /// [`answer`](Self::answer) that calls `on_text` with each part of the text as it is generated. The
    /// generation stops where `on_text` breaks.
    ///
    /// # Errors
    /// As [`answer`](Self::answer).
    pub fn answer_streaming(
        &self,
        question: &str,
        pictures: &[Picture],
        on_text: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<String, Error> {
        let prompt = self.ask(question, pictures)?;
        let generation = self.defaults.greedy(MAX_ANSWER_TOKENS);
        let mut stream = self.tokenizer.stream();
        let mut failed = None;
        let answers =
            generation.run(self.decoder(), &[prompt], None, &mut |_, token| match stream
                .push(token)
            {
                Ok(text) if text.is_empty() => ControlFlow::Continue(()),
                Ok(text) => on_text(&text),
                Err(error) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
            })?;
        match failed {
            Some(error) => Err(error),
            None => self.tokenizer.decode(&answers[0].tokens),
        }
    }

    /// The prompt of one question about `pictures`, in the form that the model was trained on.
    ///
    /// # Errors
    /// As [`converse`](Self::converse).
    pub fn ask(&self, question: &str, pictures: &[Picture]) -> Result<Prompt, Error> {
        self.converse(&[Message::with_images("user", pictures.len(), question)], pictures)
    }

    /// The prompt of a conversation whose messages show `pictures` in turn. The text of a message is
    /// encoded as plain text, even where it is spelled like a token of the template.
    ///
    /// # Errors
    /// [`Error::Setting`] for pictures that a text model cannot read and for a prompt of more positions than
    /// the model supports; [`Error::PicturePlaces`] if the messages show another number of pictures;
    /// [`Error::NoChatTemplate`], [`Error::ChatTemplate`], [`Error::Tokens`]; those of preprocessing.
    pub fn converse(&self, messages: &[Message], pictures: &[Picture]) -> Result<Prompt, Error> {
        if !self.reads_pictures() && !pictures.is_empty() {
            // Before the template, which may not know pictures either.
            return Err(Error::no_pictures(pictures.len()));
        }
        let template = self.template.as_ref().ok_or(Error::NoChatTemplate)?;
        let control = self.tokenizer.control_tokens(Some(template));
        let text = template.render_marked(messages, true, &control, &self.picture)?;
        self.prompt(&self.tokenizer.encode_marked(&text)?, pictures)
    }

    /// The prompt of `tokens`, with one placeholder for each of `pictures`.
    ///
    /// # Errors
    /// As [`converse`](Self::converse).
    pub fn prompt(&self, tokens: &[u32], pictures: &[Picture]) -> Result<Prompt, Error> {
        let n_tokens = self.decoder().config().vocab_size;
        if tokens.is_empty() || tokens.iter().any(|token| *token as usize >= n_tokens) {
            let reason = format!("no token, or one outside the vocabulary of {n_tokens}");
            return Err(Error::Tokens { reason });
        }
        let prompt = self.model.prompt(tokens, pictures)?;
        prompt.check_positions(self.decoder())?;
        Ok(prompt)
    }
}

impl LoraTargets for Assistant {
    fn visit_linears(&mut self, visit: &mut dyn FnMut(&mut Linear)) {
        self.model.visit_linears(visit);
    }

    fn naming(&self) -> Naming {
        self.model.naming()
    }

    fn embedding(&self) -> Option<&Matrix> {
        self.model.embedding()
    }

    fn tower(&self) -> Option<&str> {
        self.model.tower()
    }
}
