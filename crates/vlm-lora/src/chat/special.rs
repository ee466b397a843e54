//! Special tokens as `tokenizer_config.json` and its older companions name them.

use std::collections::BTreeMap;
use std::path::Path;

use cifake::text::counted;
use serde_json::{Map, Value};
use tokenizers::AddedToken;

use crate::error::Error;

/// Bytes of a configuration file.
const MAX_BYTES: u64 = 8 << 20;
/// Tokens that files may add.
const MAX_ADDED: usize = 1 << 16;
/// The names that every tokenizer of transformers knows.
const NAMES: [&str; 7] =
    ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

/// The tokens in the files beside `tokenizer.json` (transformers 5.24,
/// `tokenization_utils_base.py`, `_from_pretrained`).
///
/// Some other fields of `tokenizer_config.json` matter to text without special tokens around it.
/// They are obeyed or refused by name. `add_bos_token` and its kind concern tokens that a template
/// already writes; lengths and sides concern batches.
#[derive(Debug, Clone, Default)]
pub(crate) struct SpecialTokens {
    /// Names and texts, for chat templates.
    pub(crate) named: Vec<(String, String)>,
    /// Tokens that `tokenizer.json` may lack, in the order in which they are added.
    pub(super) added: Vec<AddedToken>,
    /// Tokens that steer a conversation though they are not special.
    pub(super) control: Vec<String>,
    /// Whether special tokens are cut into others.
    pub(super) split: bool,
    /// Whether spaces before signs are taken out of decoded text.
    pub(super) clean_up: bool,
}

impl SpecialTokens {
    /// The special tokens of the folder at `path`.
    ///
    /// # Errors
    /// [`Error::Cifake`] where a file cannot be read, [`Error::Json`], [`Error::Config`].
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        let read = |file: &str| -> Result<Option<Map<String, Value>>, Error> {
            Ok(json_file(&path.join(file))?.and_then(|json| match json {
                Value::Object(fields) => Some(fields),
                _ => None,
            }))
        };
        let mut config = read("tokenizer_config.json")?.unwrap_or_default();
        refuse(&config)?;
        let mut added = Vec::new();
        if let Some(Value::Object(decoder)) = config.get("added_tokens_decoder") {
            let mut by_id = BTreeMap::new();
            for (id, token) in decoder {
                let id: u64 = id.parse().map_err(|_| wrong("added_tokens_decoder", id))?;
                by_id.insert(
                    id,
                    added_token(token, false)
                        .ok_or_else(|| wrong("added_tokens_decoder", token))?,
                );
            }
            added.extend(by_id.into_values());
        } else {
            // Older files, which the configuration's own list takes the place of.
            config.extend(read("special_tokens_map.json")?.unwrap_or_default());
            added.extend(older(&read("added_tokens.json")?.unwrap_or_default(), &config)?);
        }
        let (named, tokens, extra) = named(&config)?;
        added.extend(tokens.into_iter().chain(extra));
        if added.len() > MAX_ADDED {
            return Err(wrong("added_tokens_decoder", counted(added.len(), "token")));
        }
        let flag = |name: &str| config.get(name).and_then(Value::as_bool).unwrap_or_default();
        let control = config.get("chat_control_tokens").and_then(Value::as_array);
        let control =
            control.into_iter().flatten().filter_map(|token| Some(token.as_str()?.to_owned()));
        Ok(Self {
            named,
            added,
            control: control.collect(),
            split: flag("split_special_tokens"),
            clean_up: flag("clean_up_tokenization_spaces"),
        })
    }
}

/// Refuses what would give other tokens or other text.
fn refuse(config: &Map<String, Value>) -> Result<(), Error> {
    for name in [
        "fast_tokenizer_files",
        "fix_mistral_regex",
        "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output",
    ] {
        let is_off = |value: &Value| match value {
            Value::Null | Value::Bool(false) => true,
            Value::Array(list) => list.is_empty(),
            _ => false,
        };
        if let Some(value) = config.get(name).filter(|value| !is_off(value)) {
            return Err(wrong(name, value));
        }
    }
    Ok(())
}

type Named = (Vec<(String, String)>, Vec<AddedToken>, Vec<AddedToken>);

/// Names and texts of special tokens, the same as tokens, and those without a name.
fn named(config: &Map<String, Value>) -> Result<Named, Error> {
    let (mut names, mut tokens, mut extra) = (Vec::new(), Vec::new(), Vec::new());
    let mut add = |name: &str, value: &Value| {
        if let Some(token) = added_token(value, true) {
            names.push((name.to_owned(), token.content.clone()));
            tokens.push(token);
        }
    };
    for name in NAMES {
        config.get(name).iter().for_each(|value| add(name, value));
    }
    for (name, value) in config {
        // A model's own, such as `image_token`.
        if name.ends_with("_token") && !NAMES.contains(&name.as_str()) && value.is_string() {
            add(name, value);
        }
    }
    let more = config.get("extra_special_tokens").filter(|value| !value.is_null());
    match more.or(config.get("additional_special_tokens")) {
        Some(Value::Object(named)) => named.iter().for_each(|(name, value)| add(name, value)),
        Some(Value::Array(list)) => extra.extend(list.iter().filter_map(|v| added_token(v, true))),
        Some(Value::Null) | None => {}
        Some(other) => return Err(wrong("extra_special_tokens", other)),
    }
    Ok((names, tokens, extra))
}

/// The tokens of `added_tokens.json`, by their numbers.
fn older(file: &Map<String, Value>, config: &Map<String, Value>) -> Result<Vec<AddedToken>, Error> {
    let special: Vec<String> = named(config)?.0.into_iter().map(|(_, text)| text).collect();
    let mut by_id = BTreeMap::new();
    for (text, id) in file {
        let id = id.as_u64().ok_or_else(|| wrong("added_tokens.json", id))?;
        by_id.insert(id, AddedToken::from(text.as_str(), special.contains(text)));
    }
    Ok(by_id.into_values().collect())
}

/// A token that is a text, or a table of its properties; `special` where none says so.
fn added_token(value: &Value, special: bool) -> Option<AddedToken> {
    if let Some(text) = value.as_str() {
        return Some(AddedToken::from(text, special));
    }
    let flag = |name: &str| value.get(name).and_then(Value::as_bool);
    let special = special || flag("special").unwrap_or_default();
    let token = AddedToken::from(value.get("content")?.as_str()?, special)
        .lstrip(flag("lstrip").unwrap_or_default())
        .rstrip(flag("rstrip").unwrap_or_default())
        .single_word(flag("single_word").unwrap_or_default());
    Some(token.normalized(flag("normalized").unwrap_or(!special)))
}

/// The JSON file at `path`, where there is one.
///
/// # Errors
/// [`Error::Cifake`], [`Error::Json`].
pub(crate) fn json_file(path: &Path) -> Result<Option<Value>, Error> {
    if !path.is_file() {
        return Ok(None);
    }
    let bytes = cifake::file::read_limited(path, MAX_BYTES)?;
    let value = serde_json::from_slice(&bytes);
    value.map(Some).map_err(|source| Error::Json { path: path.to_owned(), source })
}

fn wrong(field: &str, found: impl ToString) -> Error {
    let found = found.to_string().chars().take(80).collect();
    let expected = "what `tokenizer.json` alone says, or another form".to_owned();
    Error::Config { field: field.to_owned(), found, expected }
}
