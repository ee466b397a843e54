//! Errors of adapters.

use std::path::PathBuf;

/// An adapter that cannot be read, does not fit its model, or cannot be used as asked.
///
/// The model is unchanged after every error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdapterError {
    /// A file could not be read or written, is too large, no safetensors, or holds NaN.
    #[error(transparent)]
    File(#[from] cifake::Error),
    /// `adapter_config.json` is no JSON of the form that PEFT writes.
    #[error("{} is not a LoRA configuration of PEFT; save it again with PEFT", path.display())]
    NotConfig {
        /// The file.
        path: PathBuf,
        /// The place and the cause.
        source: serde_json::Error,
    },
    /// The configuration asks for something that is not implemented.
    #[error("unsupported value {value} of the adapter's `{field}`; {hint}")]
    Unsupported {
        /// Name of the field in `adapter_config.json`.
        field: String,
        /// Its value as JSON, cut short.
        value: String,
        /// The values that are supported.
        hint: &'static str,
    },
    /// A number of the configuration is outside its range.
    #[error("invalid value {value} of the adapter's `{field}`; it must be {range}")]
    Range {
        /// Name of the field.
        field: &'static str,
        /// Its value.
        value: f64,
        /// The accepted range.
        range: &'static str,
    },
    /// A rank above the limit.
    #[error("the adapter's rank {rank} is above the limit of {limit}")]
    Rank {
        /// The rank.
        rank: usize,
        /// [`AdapterLimits::max_rank`](crate::lora::AdapterLimits::max_rank).
        limit: usize,
    },
    /// Too many adapters on one model.
    #[error("the model has the maximum of {limit} adapters; detach one")]
    Count {
        /// [`AdapterLimits::max_adapters`](crate::lora::AdapterLimits::max_adapters).
        limit: usize,
    },
    /// All adapters of a model together are too large.
    #[error("the adapters of the model would take {bytes} bytes, above the limit of {limit}")]
    Bytes {
        /// Bytes of all adapters in f32.
        bytes: u64,
        /// [`AdapterLimits::max_bytes`](crate::lora::AdapterLimits::max_bytes).
        limit: u64,
    },
    /// A pattern is too long or not a regular expression, or there are too many patterns.
    #[error("invalid pattern `{pattern}` of the adapter: {reason}")]
    Pattern {
        /// The pattern, cut short.
        pattern: String,
        /// The fault.
        reason: String,
    },
    /// A key of the weight file that PEFT does not write.
    #[error("the adapter's weight file has the unknown key `{key}`")]
    Key {
        /// The key.
        key: String,
    },
    /// A layer has only one of its two matrices.
    #[error("the adapter lacks the weight `{key}`; copy the file again")]
    Incomplete {
        /// The key that is missing.
        key: String,
    },
    /// No layer of the model is a target.
    #[error(
        "no layer of the model is a target of the adapter; check the base model and `target_modules`"
    )]
    NoTarget,
    /// The adapter has weights for layers that are no targets of it, or that the model does not have.
    #[error(
        "the adapter has weights for {} the model does not have or the configuration does not name, such as `{}`; it belongs to another model",
        layers(paths),
        first(paths)
    )]
    Unused {
        /// The layers.
        paths: Vec<String>,
    },
    /// The configuration names layers for which the adapter has no weights.
    #[error(
        "the adapter lacks the weights of {} that its configuration names, such as `{}`",
        layers(paths),
        first(paths)
    )]
    Missing {
        /// The layers.
        paths: Vec<String>,
    },
    /// Weights of the base model beside those of the adapter, which are not this model's.
    #[error(
        "the adapter's file also has weights of its base model's `{path}`, and they differ from this model's; it was trained on another model, or with more tokens"
    )]
    Carried {
        /// The layer.
        path: String,
    },
    /// Weights that differ from their checksum.
    #[error("the adapter's weights do not match their checksum; copy the file again")]
    Damaged,
    /// A model folder whose layers cannot be determined.
    #[error("cannot determine the layers of the model in {}", path.display())]
    Model {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A weight of another shape than model and configuration ask for.
    #[error(
        "`{key}` of the adapter has the shape {found:?}, not {expected:?}; it belongs to another model or rank"
    )]
    Shape {
        /// The key.
        key: String,
        /// The shape that the model needs.
        expected: Vec<usize>,
        /// The shape that the adapter has.
        found: Vec<usize>,
    },
    /// `modules_to_save` names something other than a linear layer.
    #[error(
        "`{name}` of `modules_to_save` is not a linear layer of this model; only linear layers can be trained whole"
    )]
    ModuleToSave {
        /// The entry.
        name: String,
    },
    /// An adapter that was trained behind another vision tower.
    #[error(
        "the adapter was trained behind the vision tower {made}, but the model has {}; use the same tower",
        found.as_deref().unwrap_or("no tower")
    )]
    Tower {
        /// Name of the tower in training.
        made: String,
        /// Name of the model's tower.
        found: Option<String>,
    },
    /// Two adapters of one name.
    #[error("an adapter `{name}` is attached already; detach it or choose another name")]
    Taken {
        /// The name.
        name: String,
    },
    /// No adapter of this name.
    #[error("no adapter `{name}` is attached")]
    Unknown {
        /// The name.
        name: String,
    },
    /// Two active adapters that replace one layer.
    #[error("`{first}` and `{second}` both replace `{path}`; activate one of them")]
    Conflict {
        /// The layer.
        path: String,
        /// An adapter.
        first: String,
        /// Another one.
        second: String,
    },
    /// Merging into weights that are not kept in f32.
    #[error(
        "cannot merge into `{path}`, which is kept in a reduced precision; allow f32, or load the model in f32"
    )]
    Quantized {
        /// The layer.
        path: String,
    },
    /// An index of weight files that is no JSON of the expected form.
    #[error("{} is not an index of weight files; download the model again", path.display())]
    NotIndex {
        /// The file.
        path: PathBuf,
        /// The place and the cause.
        source: serde_json::Error,
    },
    /// A model whose weights an adapter cannot be merged into on the disk.
    #[error("cannot merge into {}: {reason}", path.display())]
    Base {
        /// The folder or file.
        path: PathBuf,
        /// The fault.
        reason: String,
    },
}

fn layers(paths: &[String]) -> String {
    match paths.len() {
        1 => "a layer".to_owned(),
        n => format!("{n} layers"),
    }
}

fn first(paths: &[String]) -> &str {
    paths.first().map_or("", String::as_str)
}
