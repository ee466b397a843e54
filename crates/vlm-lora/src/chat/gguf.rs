//! The byte-level BPE and the chat template that a llama.cpp file carries.

use std::path::Path;

use serde_json::{Map, Value as Json, json};

use super::template::ChatTemplate;
use super::tokenizer::Tokenizer;
use crate::error::Error;
use crate::source::{Gguf, Header, Value};

/// Number that marks a token as one of the format's own: `LLAMA_TOKEN_TYPE_CONTROL`.
const CONTROL: usize = 3;
/// Number of tokens that a user added: `LLAMA_TOKEN_TYPE_USER_DEFINED`.
const USER_DEFINED: usize = 4;

/// GPT-2's cutting of text into words, in `tokenizers` part of the byte-level step.
const GPT2: &str = "gpt-2";
/// Llama 3's and Qwen2's expressions, from their `tokenizer.json`.
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

impl Gguf {
    /// The tokenizer that the file carries, a byte-level BPE.
    ///
    /// # Errors
    /// [`Error::Tokenizer`].
    pub fn tokenizer(&self) -> Result<Tokenizer, Error> {
        read(self.header(), self.path())
    }

    /// The chat template that the file carries.
    #[must_use]
    pub fn chat_template(&self) -> Option<ChatTemplate> {
        let source = self.metadata().get("tokenizer.chat_template")?.as_str()?;
        let mut template = ChatTemplate::new(source);
        for (name, key) in [("bos_token", "bos_token_id"), ("eos_token", "eos_token_id")] {
            let token = self.metadata().get(&format!("tokenizer.ggml.{key}"));
            let texts = self.metadata().get("tokenizer.ggml.tokens").map(Value::as_list);
            let text = token.and_then(Value::as_size).and_then(|id| texts?.get(id)?.as_str());
            template = template.with_token(name, text.unwrap_or_default());
        }
        Some(template)
    }
}

/// The tokenizer of `header`; errors call it `path`.
fn read(header: &Header, path: &Path) -> Result<Tokenizer, Error> {
    let broken =
        |reason: &str| Error::Tokenizer { path: path.to_owned(), reason: reason.to_owned() };
    let get = |key: &str| header.metadata.get(&format!("tokenizer.ggml.{key}"));
    let text = |key: &str| get(key).and_then(Value::as_str);
    if text("model") != Some("gpt2") {
        return Err(broken("a tokenizer other than a byte-level BPE, model `gpt2`"));
    }
    let tokens = get("tokens").map(Value::as_list).unwrap_or_default();
    let types = get("token_type").map(Value::as_list).unwrap_or_default();
    let merges = get("merges").map(Value::as_list).unwrap_or_default();
    let (mut vocabulary, mut added) = (Map::new(), Vec::new());
    for (id, token) in tokens.iter().enumerate() {
        let token = token.as_str().ok_or_else(|| broken("a token that is no text"))?;
        vocabulary.insert(token.to_owned(), json!(id));
        let kind = types.get(id).and_then(Value::as_size);
        if matches!(kind, Some(CONTROL | USER_DEFINED)) {
            added.push(json!({"id": id, "content": token, "special": kind == Some(CONTROL),
                "single_word": false, "lstrip": false, "rstrip": false, "normalized": false}));
        }
    }
    let merges: Option<Vec<Json>> = merges.iter().map(merge).collect();
    let merges = merges.ok_or_else(|| broken("a merge that is not two tokens"))?;
    let byte_level = |use_regex: bool| {
        json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
            "use_regex": use_regex})
    };
    let split = |expression: &str| {
        json!({"type": "Split", "pattern": {"Regex": expression}, "behavior": "Isolated",
            "invert": false})
    };
    let steps = match text("pre").unwrap_or(GPT2) {
        "smollm" => vec![json!({"type": "Digits", "individual_digits": true}), byte_level(true)],
        GPT2 | "default" => vec![byte_level(true)],
        "llama-bpe" => vec![split(LLAMA3), byte_level(false)],
        "qwen2" => vec![split(QWEN2), byte_level(false)],
        other => return Err(broken(&format!("words are cut by the unknown rule `{other}`"))),
    };
    let json = json!({
        "version": "1.0",
        "added_tokens": added,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": steps},
        "decoder": byte_level(true),
        "model": {"type": "BPE", "vocab": vocabulary, "merges": merges},
    });
    Tokenizer::from_bytes(json.to_string().as_bytes(), path)
}

fn merge(value: &Value) -> Option<Json> {
    let (left, right) = value.as_str()?.split_once(' ')?;
    Some(json!([left, right]))
}
