//! Errors of this crate.

mod adapter;
mod training;

use std::io;
use std::path::PathBuf;

pub use adapter::AdapterError;
pub use training::TrainingError;

/// An error of this crate. It names the file, keeps its cause and tells the user what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Pictures, files or devices.
    #[error(transparent)]
    Cifake(#[from] cifake::Error),
    /// An adapter that cannot be read or does not fit.
    #[error(transparent)]
    Adapter(#[from] AdapterError),
    /// Fine-tuning that cannot begin or go on.
    #[error(transparent)]
    Training(#[from] TrainingError),
    /// A file or folder could not be read.
    #[error("cannot read {}; check that it exists and that you may read it", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A configuration file that is not JSON of the expected form.
    #[error("{} is not a valid configuration file", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// The place and the cause.
        source: serde_json::Error,
    },
    /// A configuration with a number or a name that this crate does not work with.
    #[error("unsupported value {found} of the configuration's `{field}`; expected {expected}")]
    Config {
        /// The field, as upstream calls it.
        field: String,
        /// Its value.
        found: String,
        /// The accepted values.
        expected: String,
    },
    /// A folder without weights.
    #[error("{} holds no model.safetensors, no index of shards and no single .safetensors file; download the model again", path.display())]
    NoWeights {
        /// The folder.
        path: PathBuf,
    },
    /// A weight file that breaks the rules of its format.
    #[error("invalid weight file {}: {reason}; download it again", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// The rule of the format that it breaks.
        reason: String,
    },
    /// Something in a file is larger than it may be.
    #[error(
        "{what} is {found}, more than the limit of {limit}; raise the limit if you trust the file"
    )]
    Limit {
        /// The limited quantity.
        what: String,
        /// The amount found.
        found: u64,
        /// The most that is accepted.
        limit: u64,
    },
    /// The model needs a weight that the file lacks.
    #[error("{} lacks the weight `{name}` of the model; check that config.json belongs to it", path.display())]
    MissingWeight {
        /// The file or folder.
        path: PathBuf,
        /// The weight, as the checkpoint would call it.
        name: String,
    },
    /// The file has weights that the model did not ask for.
    #[error("{} has {} that the model does not use, first: {}; check that config.json belongs to it", path.display(), cifake::text::counted(names.len(), "weight"), names.first().map_or("", String::as_str))]
    UnusedWeights {
        /// The file or folder.
        path: PathBuf,
        /// All of them, sorted.
        names: Vec<String>,
    },
    /// A weight has another shape than the model needs.
    #[error("`{name}` in {} has the shape {found:?} instead of {expected:?}; check that config.json belongs to it", path.display())]
    WeightShape {
        /// The file or folder.
        path: PathBuf,
        /// The weight.
        name: String,
        /// Its shape in the file.
        found: Vec<usize>,
        /// The shape that the model needs.
        expected: Vec<usize>,
    },
    /// A weight of an element type that is not read.
    #[error("`{name}` in {} has the unsupported type {found}; F32, F16 and BF16 are supported", path.display())]
    WeightType {
        /// The file or folder.
        path: PathBuf,
        /// The weight.
        name: String,
        /// Its type.
        found: String,
    },
    /// A weight that is NaN or infinite.
    #[error("`{name}` in {} has a value that is not finite; download the file again", path.display())]
    WeightNotFinite {
        /// The file or folder.
        path: PathBuf,
        /// The weight.
        name: String,
    },
    /// A tokenizer file that cannot be used.
    #[error("invalid tokenizer {}: {reason}", path.display())]
    Tokenizer {
        /// The file.
        path: PathBuf,
        /// The fault.
        reason: String,
    },
    /// A text or tokens that cannot be converted into each other.
    #[error("the text cannot be tokenized: {reason}")]
    Tokens {
        /// The fault.
        reason: String,
    },
    /// A chat template that cannot be used, or that does not come to an end.
    #[error("the chat template failed")]
    ChatTemplate {
        /// The error of the template engine.
        source: minijinja::Error,
    },
    /// A file with a chat template of no form that is read.
    #[error("invalid chat template of {}: {reason}", path.display())]
    ChatTemplateFile {
        /// The file or folder.
        path: PathBuf,
        /// The fault.
        reason: String,
    },
    /// A model without a chat template.
    #[error(
        "the model has no chat template; put its chat_template.jinja into its folder, or prompt it with tokens"
    )]
    NoChatTemplate,
    /// A setting that is out of range or does not fit the model.
    #[error("invalid {setting} {found}; expected {expected}")]
    Setting {
        /// The setting.
        setting: &'static str,
        /// The given value.
        found: String,
        /// The accepted values.
        expected: String,
    },
    /// A picture that is too long for its width, or the reverse.
    #[error(
        "the sides of a {width}x{height} picture differ by a factor of more than {limit}; crop it first"
    )]
    AspectRatio {
        /// Width of the picture.
        width: u32,
        /// Height of the picture.
        height: u32,
        /// The largest ratio of the sides.
        limit: u32,
    },
    /// An enlargement to nothing or to too much.
    #[error("invalid side of {side} pixels of an enlarged picture; 1 to {limit} are possible")]
    EnlargedSide {
        /// The side that was asked for or that follows.
        side: u64,
        /// The longest side.
        limit: u32,
    },
    /// A prompt of too many pictures.
    #[error("{found} pictures exceed the limit of {limit} a prompt; split the prompt")]
    TooManyPictures {
        /// The number of pictures.
        found: usize,
        /// The most that one prompt takes.
        limit: usize,
    },
    /// Settings of a picture processor that cannot be used.
    #[error("invalid settings of the picture processor{}: {reason}", path.as_ref().map(|path| format!(" in {}", path.display())).unwrap_or_default())]
    ProcessorConfig {
        /// The file, where they come from one.
        path: Option<PathBuf>,
        /// The fault.
        reason: String,
    },
    /// Pictures that were processed for a model of other sizes.
    #[error(
        "the picture processor makes {what} of {found}, but the model needs {expected}; check that preprocessor_config.json and config.json belong together"
    )]
    PictureFormat {
        /// The property that differs.
        what: &'static str,
        /// Its value in the pictures.
        found: usize,
        /// The value that the model needs.
        expected: usize,
    },
    /// A prompt with another number of placeholders than pictures.
    #[error(
        "the prompt has {places} placeholders for {what}, but {found} were given; put one `{placeholder}` for each picture"
    )]
    PicturePlaces {
        /// The content of a place: pictures, or tokens of pictures.
        what: &'static str,
        /// Places in the prompt.
        places: usize,
        /// The number that was given.
        found: usize,
        /// The mark of a place.
        placeholder: String,
    },
}

impl Error {
    /// The error of `found` pictures for a text model.
    pub(crate) fn no_pictures(found: usize) -> Self {
        let (found, expected) = (found.to_string(), "none for a model of text".to_owned());
        Self::Setting { setting: "pictures", found, expected }
    }
}
