//! A whole model with what it needs to answer: weights, tokenizer, chat template, picture processor.

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use cifake::Picture;
use serde_json::Value;

use crate::generate::{GenerationDefaults, Prompt};
use crate::image::{Enlargement, MultiCropProcessor, Qwen2VlProcessor};
use crate::lora::Naming;
use crate::models::{McLlava, Prefix, Qwen2Vl, Seeing, VisionTower};
use crate::training::Pictured;
use crate::{
    ChatTemplate, Decoder, DecoderNames, Error, Folder, Gguf, IMAGE, Linear, Linears, Matrix,
    Message, Parameters, PicturePlace, Storage, TextConfig, Tokenizer,
};

/// Bytes of a configuration file.
const MAX_BYTES: u64 = 8 << 20;
/// What ends a turn in the most common form of conversations.
const END_OF_TURN: &str = "<|im_end|>";
/// What stands for a picture in the text that Qwen2-VL reads.
const QWEN_PICTURE: &str = "<|vision_start|><|image_pad|><|vision_end|>";

/// A model of any architecture of this crate, ready to be asked.
///
/// ```no_run
/// use burn::tensor::Device;
/// use std::ops::ControlFlow;
/// use vlm_lora::{Assistant, Storage};
///
/// let assistant = Assistant::open("SmolLM2-135M-Instruct".as_ref(), Some(Storage::Int8), &Device::flex())?;
/// let prompt = assistant.ask("What is the capital of France?", &[])?;
/// let greedy = assistant.defaults().greedy(64);
/// let answers = greedy.run(assistant.decoder(), &[prompt], None, &mut |_, _| ControlFlow::Continue(()))?;
/// let text = assistant.tokenizer().decode(&answers[0].tokens)?;
/// # Ok::<(), vlm_lora::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Assistant {
    model: Model,
    tokenizer: Tokenizer,
    template: Option<ChatTemplate>,
    picture: PicturePlace,
    defaults: GenerationDefaults,
    enlargement: Enlargement,
}

/// Models and their picture processors.
#[derive(Debug, Clone)]
enum Model {
    Causal(Box<Decoder>),
    Qwen2Vl(Box<Qwen2Vl>, Qwen2VlProcessor),
    McLlava(Box<McLlava>, MultiCropProcessor),
    /// A model of text behind a tower.
    Seeing(Box<Seeing>),
}

impl Assistant {
    /// The model at `path`: a folder as Hugging Face publishes it, or a llama.cpp file. Matrices are kept
    /// in `storage`; `None` means f32 for a folder and the file's own codes for a llama.cpp file.
    ///
    /// # Errors
    /// Those of [`Folder`] and [`Gguf`]; [`Error::Config`] for an architecture that is not built;
    /// [`Error::Tokenizer`], [`Error::Json`].
    pub fn open(path: &Path, storage: Option<Storage>, device: &Device) -> Result<Self, Error> {
        if path.extension().is_some_and(|extension| extension == "gguf") {
            return Self::from_gguf(path, storage, device);
        }
        let config = required(&path.join("config.json"))?;
        let storage = storage.unwrap_or_default();
        let model = match config.get("model_type").and_then(Value::as_str) {
            Some("qwen2_vl") => {
                let processor = Qwen2VlProcessor::read(path)?;
                Model::Qwen2Vl(Box::new(Qwen2Vl::load(path, storage, device)?), processor)
            }
            Some("mc-llava") => {
                let processor = MultiCropProcessor::read(path)?;
                Model::McLlava(Box::new(McLlava::load(path, storage, device)?), processor)
            }
            _ => {
                let text = TextConfig::from_hugging_face(&config)?;
                let mut weights = Folder::open(path, storage, device)?
                    .without(|name| name.ends_with("rotary_emb.inv_freq"));
                let decoder = Decoder::new(&mut weights, &text, &DecoderNames::default())?;
                weights.finish()?;
                Model::Causal(Box::new(decoder))
            }
        };
        let tokenizer = Tokenizer::from_folder(path)?;
        let template = match &model {
            Model::Causal(_) | Model::Seeing(_) => ChatTemplate::of_tokenizer(path)?,
            Model::Qwen2Vl(..) => ChatTemplate::of_processor(path)?,
            // The published folder has none, and its card says this form.
            Model::McLlava(..) => Some(
                ChatTemplate::of_processor(path)?
                    .unwrap_or_else(|| ChatTemplate::chat_ml_with_pictures("<image>\n")),
            ),
        };
        let spelled = if matches!(model, Model::Qwen2Vl(..)) { QWEN_PICTURE } else { IMAGE };
        let picture = place(template.as_ref(), spelled);
        let mut defaults = GenerationDefaults::from_folder(path, &config)?;
        if matches!(model, Model::McLlava(..)) {
            defaults.stop.extend(tokenizer.token(END_OF_TURN));
        }
        let enlargement = Enlargement::Off;
        Ok(Self { model, tokenizer, template, picture, defaults, enlargement })
    }

    fn from_gguf(path: &Path, storage: Option<Storage>, device: &Device) -> Result<Self, Error> {
        let mut weights = Gguf::open(path, storage, device)?;
        let config = weights.config()?;
        let decoder = Decoder::new(&mut weights, &config, &DecoderNames::default())?;
        let tokenizer = weights.tokenizer()?;
        let template = weights.chat_template();
        let mut stop: Vec<u32> = weights.end_token().into_iter().collect();
        // As llama.cpp, which takes this text for an end in any file.
        stop.extend(tokenizer.token(END_OF_TURN));
        weights.finish()?;
        let model = Model::Causal(Box::new(decoder));
        let (picture, enlargement) = (place(template.as_ref(), IMAGE), Enlargement::Off);
        let defaults = GenerationDefaults::ending(stop);
        Ok(Self { model, tokenizer, template, picture, defaults, enlargement })
    }

    /// Asks in the form of `template`: for a model whose folder has none, or another.
    #[must_use]
    pub fn with_template(mut self, template: ChatTemplate) -> Self {
        if matches!(self.model, Model::Seeing(_)) {
            self.template = Some(template);
            return self;
        }
        let spelled = if matches!(self.model, Model::Qwen2Vl(..)) { QWEN_PICTURE } else { IMAGE };
        self.picture = PicturePlace::of(&template, spelled);
        self.template = Some(template);
        self
    }

    /// Enlarges pictures first in the way that `enlargement` says; a model with a
    /// [tower](Self::with_tower) sees them at the tower's size in any case.
    #[must_use]
    pub fn with_enlargement(mut self, enlargement: Enlargement) -> Self {
        self.enlargement = enlargement;
        self
    }

    /// Shows Qwen2-VL every picture at `least` to `most` pixels, 784 of which are a token.
    ///
    /// # Errors
    /// As [`Qwen2VlProcessor::with_pixels`]; [`Error::Setting`] for another architecture.
    pub fn with_pixels(mut self, least: u64, most: u64) -> Result<Self, Error> {
        let Model::Qwen2Vl(_, processor) = &mut self.model else {
            return Err(unfit("pixels", format!("{least} to {most}"), "Qwen2-VL"));
        };
        *processor = processor.clone().with_pixels(least, most)?;
        Ok(self)
    }

    /// Shows MC-LLaVA at most `max_crops` crops of a picture beside the whole, which is all that it
    /// sees otherwise, and of a picture up to 576x576 in any case.
    ///
    /// # Errors
    /// As [`MultiCropProcessor::with_max_crops`]; [`Error::Setting`] for another architecture.
    pub fn with_max_crops(mut self, max_crops: usize) -> Result<Self, Error> {
        let Model::McLlava(_, processor) = &mut self.model else {
            return Err(unfit("max_crops", max_crops.to_string(), "MC-LLaVA"));
        };
        *processor = processor.clone().with_max_crops(max_crops)?;
        Ok(self)
    }

    /// Gives a model of text the eyes of `tower`, behind a projector whose weights are
    /// [`Prefix::PROJECTOR`]'s of `parameters`: those of an adapter that saved it, or
    /// [random](crate::Random) ones, which are worth nothing before their training or before an adapter
    /// with others is attached. `image_token`, one of the tokenizer's, stands for a picture; pictures are
    /// resized to what the tower sees.
    ///
    /// # Errors
    /// [`Error::Setting`] for a model that has eyes, or a token that the tokenizer does not have; those
    /// of `parameters`.
    pub fn with_tower(
        mut self,
        tower: Arc<dyn VisionTower>,
        parameters: &mut dyn Parameters,
        image_token: &str,
    ) -> Result<Self, Error> {
        let Model::Causal(decoder) = self.model else {
            return Err(unfit("tower", "another".to_owned(), "text alone"));
        };
        let token = self.tokenizer.token(image_token).ok_or_else(|| Error::Setting {
            setting: "image_token",
            found: image_token.to_owned(),
            expected: "a token of the tokenizer".to_owned(),
        })?;
        let prefix = Prefix::new(parameters, tower.n_channels(), *decoder, token)?;
        self.model = Model::Seeing(Box::new(Seeing { tower, prefix }));
        self.picture = PicturePlace::Text(image_token.to_owned());
        Ok(self)
    }

    /// Whether it sees through a tower whose projector is as it was drawn, since no adapter replaces it.
    #[must_use]
    pub fn has_drawn_projector(&mut self) -> bool {
        let Model::Seeing(model) = &mut self.model else { return false };
        let mut is_drawn = false;
        model.visit_linears(&mut |linear| {
            let of_projector = linear.path().starts_with(Prefix::PROJECTOR);
            is_drawn |= of_projector && linear.adapters.list.is_empty();
        });
        is_drawn
    }

    /// Whether it reads pictures.
    #[must_use]
    pub fn sees_pictures(&self) -> bool {
        !matches!(self.model, Model::Causal(_))
    }

    /// Whether it sees crops of a picture, as [`with_max_crops`](Self::with_max_crops) lets it.
    #[must_use]
    pub fn sees_crops(&self) -> bool {
        matches!(self.model, Model::McLlava(..))
    }

    /// How pictures stand in what its template writes.
    #[must_use]
    pub fn picture_place(&self) -> &PicturePlace {
        &self.picture
    }

    /// The decoder.
    #[must_use]
    pub fn decoder(&self) -> &Decoder {
        match &self.model {
            Model::Causal(decoder) => decoder,
            Model::Qwen2Vl(model, _) => model.decoder(),
            Model::McLlava(model, _) => model.decoder(),
            Model::Seeing(model) => model.prefix.decoder(),
        }
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

    /// How its makers want it to answer.
    #[must_use]
    pub fn defaults(&self) -> &GenerationDefaults {
        &self.defaults
    }

    /// Tokens that end an answer.
    #[must_use]
    pub fn stop(&self) -> &[u32] {
        &self.defaults.stop
    }

    /// The prompt of one question about `pictures`, in the form that the model was trained on.
    ///
    /// # Errors
    /// As [`converse`](Self::converse).
    pub fn ask(&self, question: &str, pictures: &[Picture]) -> Result<Prompt, Error> {
        self.converse(&[Message::with_images("user", pictures.len(), question)], pictures)
    }

    /// The prompt of a conversation whose messages show `pictures` in turn. What a message spells is
    /// text, even where it is written like a token that the template writes.
    ///
    /// # Errors
    /// [`Error::Setting`] for pictures that a model of text cannot see and for a prompt of more tokens
    /// than the model was made for, [`Error::PicturePlaces`] where
    /// the messages show another number, [`Error::NoChatTemplate`], [`Error::ChatTemplate`],
    /// [`Error::Tokens`], and those of the picture processor.
    pub fn converse(&self, messages: &[Message], pictures: &[Picture]) -> Result<Prompt, Error> {
        if !self.sees_pictures() && !pictures.is_empty() {
            return Err(Error::Setting {
                setting: "pictures",
                found: pictures.len().to_string(),
                expected: "none for a model of text".to_owned(),
            });
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
        let prompt = match &self.model {
            Model::Causal(decoder) => Prompt::text(decoder, tokens),
            Model::Qwen2Vl(model, processor) => {
                model.prompt(tokens, &processor.process(pictures, self.enlargement)?)?
            }
            Model::McLlava(model, processor) => {
                let crops =
                    pictures.iter().map(|picture| processor.process(picture, self.enlargement));
                model.prompt(tokens, &crops.collect::<Result<Vec<_>, _>>()?)?
            }
            Model::Seeing(model) => model.prompt(tokens, pictures)?,
        };
        prompt.check_positions(self.decoder())?;
        Ok(prompt)
    }
}

impl Pictured for Assistant {
    fn prompt(&self, tokens: &[u32], pictures: &[Picture]) -> Result<Prompt, Error> {
        Self::prompt(self, tokens, pictures)
    }

    fn decoder(&self) -> &Decoder {
        Self::decoder(self)
    }

    fn sight(&self) -> String {
        let enlargement = self.enlargement;
        match &self.model {
            Model::Causal(_) => String::new(),
            Model::Qwen2Vl(_, processor) => format!("{enlargement:?} {processor:?}"),
            Model::McLlava(_, processor) => format!("{enlargement:?} {processor:?}"),
            Model::Seeing(model) => model.sight(),
        }
    }
}

impl Linears for Assistant {
    fn visit_linears(&mut self, visit: &mut dyn FnMut(&mut Linear)) {
        match &mut self.model {
            Model::Causal(decoder) => decoder.visit_linears(visit),
            Model::Qwen2Vl(model, _) => model.visit_linears(visit),
            Model::McLlava(model, _) => model.visit_linears(visit),
            Model::Seeing(model) => model.visit_linears(visit),
        }
    }

    fn embedding(&self) -> Option<&Matrix> {
        Some(self.decoder().embedding().weight())
    }

    fn naming(&self) -> Naming {
        match &self.model {
            Model::Causal(decoder) => decoder.naming(),
            Model::Qwen2Vl(model, _) => model.naming(),
            Model::McLlava(model, _) => model.naming(),
            Model::Seeing(model) => model.naming(),
        }
    }

    fn tower(&self) -> Option<&str> {
        match &self.model {
            Model::Seeing(model) => model.tower(),
            _ => None,
        }
    }
}

/// The error of a setting that belongs to `architecture` alone.
fn unfit(setting: &'static str, found: String, architecture: &str) -> Error {
    Error::Setting { setting, found, expected: format!("a model of {architecture}") }
}

/// How pictures stand in what `template` writes; `spelled` where there is none.
fn place(template: Option<&ChatTemplate>, spelled: &str) -> PicturePlace {
    match template {
        Some(template) => PicturePlace::of(template, spelled),
        None => PicturePlace::Text(spelled.to_owned()),
    }
}

fn required(path: &Path) -> Result<Value, Error> {
    let bytes = cifake::file::read_limited(path, MAX_BYTES)?;
    serde_json::from_slice(&bytes).map_err(|source| Error::Json { path: path.to_owned(), source })
}
