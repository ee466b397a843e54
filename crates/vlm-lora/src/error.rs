//! What can go wrong at the doors of this crate.

mod adapter;
mod training;

use std::io;
use std::path::PathBuf;

pub use adapter::AdapterError;
pub use training::TrainingError;

/// An error of this crate: it names the file, keeps its cause and says what to do.
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
    #[error("cannot read {}: {source}; check that it exists and that you may read it", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A configuration that is no JSON of the expected form.
    #[error("{} is no readable configuration: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Where the format is broken.
        source: serde_json::Error,
    },
    /// A configuration with a number or a name that this crate does not work with.
    #[error("`{field}` of the configuration is {found}; {expected} is needed")]
    Config {
        /// The field, as upstream calls it.
        field: String,
        /// What stands there.
        found: String,
        /// What would do.
        expected: String,
    },
    /// A folder without weights.
    #[error("{} holds no model.safetensors, no index of shards and no single .safetensors file; download the model again", path.display())]
    NoWeights {
        /// The folder.
        path: PathBuf,
    },
    /// A weight file that breaks the rules of its format.
    #[error("{} is no weight file that can be read: {reason}; download it again", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// The rule that is broken.
        reason: String,
    },
    /// Something in a file is larger than it may be.
    #[error(
        "{what} is {found}, more than the limit of {limit}; raise the limit if you trust the file"
    )]
    Limit {
        /// What is limited.
        what: String,
        /// How much of it there is.
        found: u64,
        /// The most that is accepted.
        limit: u64,
    },
    /// The model needs a weight that the file lacks.
    #[error("{} lacks the weight `{name}` that the model needs; is it of another configuration?", path.display())]
    MissingWeight {
        /// The file or folder.
        path: PathBuf,
        /// The weight, as the checkpoint would call it.
        name: String,
    },
    /// The file has weights that the model did not ask for.
    #[error("{} has {} weights that the model does not use, first: {}; is it of another configuration?", path.display(), names.len(), names.first().map_or("", String::as_str))]
    UnusedWeights {
        /// The file or folder.
        path: PathBuf,
        /// All of them, sorted.
        names: Vec<String>,
    },
    /// A weight has another shape than the model needs.
    #[error("`{name}` in {} is {found:?} and the model needs {expected:?}; is it of another configuration?", path.display())]
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
    #[error("`{name}` in {} is of the type {found}; F32, F16 and BF16 are read", path.display())]
    WeightType {
        /// The file or folder.
        path: PathBuf,
        /// The weight.
        name: String,
        /// Its type.
        found: String,
    },
    /// A weight that is NaN or infinite.
    #[error("`{name}` in {} holds a value that is not finite; download it again", path.display())]
    WeightNotFinite {
        /// The file or folder.
        path: PathBuf,
        /// The weight.
        name: String,
    },
    /// A tokenizer file that cannot be used.
    #[error("{} is no usable tokenizer: {reason}", path.display())]
    Tokenizer {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A text that cannot be made of tokens, or tokens that are no text.
    #[error("the text cannot be tokenized: {reason}")]
    Tokens {
        /// What is wrong with it.
        reason: String,
    },
    /// A chat template that cannot be used, or that does not come to an end.
    #[error("the chat template fails: {source}")]
    ChatTemplate {
        /// What the template engine said.
        source: minijinja::Error,
    },
    /// A file with a chat template of no form that is read.
    #[error("the chat template of {} cannot be used: {reason}", path.display())]
    ChatTemplateFile {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A model that is to be asked in words and has no chat template.
    #[error(
        "the model has no chat template, so that nobody knows in which form it was trained; put its chat_template.jinja into its folder, or ask it in tokens"
    )]
    NoChatTemplate,
    /// Settings of a generation that contradict each other or a limit.
    #[error("`{setting}` is {found}; {expected} is needed")]
    Setting {
        /// The setting.
        setting: &'static str,
        /// What was given.
        found: String,
        /// What would do.
        expected: String,
    },
    /// A picture that is too long for its width, or the reverse.
    #[error(
        "a picture of {width}x{height} is more than {limit} times as long as wide; crop it first"
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
    #[error("an enlarged picture would have a side of {side}; 1 to {limit} pixels are possible")]
    EnlargedSide {
        /// The side that was asked for or that follows.
        side: u64,
        /// The longest side.
        limit: u32,
    },
    /// A prompt of too many pictures.
    #[error("{found} pictures are more than the limit of {limit}; ask in several prompts")]
    TooManyPictures {
        /// How many there are.
        found: usize,
        /// The most that one prompt takes.
        limit: usize,
    },
    /// Settings of a picture processor that cannot be used.
    #[error("the picture processor's settings{} cannot be used: {reason}", path.as_ref().map(|path| format!(" in {}", path.display())).unwrap_or_default())]
    ProcessorConfig {
        /// The file, where they come from one.
        path: Option<PathBuf>,
        /// What is wrong with them.
        reason: String,
    },
    /// Pictures that were processed for a model of other sizes.
    #[error(
        "pictures were processed to {what} of {found} and the model reads {expected}; do preprocessor_config.json and config.json belong together?"
    )]
    PictureFormat {
        /// What differs.
        what: &'static str,
        /// What the pictures have.
        found: usize,
        /// What the model needs.
        expected: usize,
    },
    /// A prompt whose places for pictures do not fit the pictures.
    #[error(
        "the prompt has {places} places for {what} and {found} were given; put one `{placeholder}` for each picture"
    )]
    PicturePlaces {
        /// What stands at a place: pictures, or tokens of pictures.
        what: &'static str,
        /// Places in the prompt.
        places: usize,
        /// How many were given.
        found: usize,
        /// What marks a place.
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
