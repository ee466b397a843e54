//! The decoder that a llama.cpp file describes.

use serde_json::{Map, Value as Json, json};

use super::config::TextConfig;
use crate::error::Error;
use crate::source::{Gguf, Header, Value};

/// Fields of transformers and the keys, behind the architecture, that hold them.
const KEYS: &[(&str, &str)] = &[
    ("hidden_size", "embedding_length"),
    ("intermediate_size", "feed_forward_length"),
    ("num_hidden_layers", "block_count"),
    ("num_attention_heads", "attention.head_count"),
    ("num_key_value_heads", "attention.head_count_kv"),
    ("head_dim", "attention.key_length"),
    ("rms_norm_eps", "attention.layer_norm_rms_epsilon"),
    ("rope_theta", "rope.freq_base"),
    ("max_position_embeddings", "context_length"),
];

impl Gguf {
    /// The decoder that the file describes, of the architecture `llama` or `qwen2`.
    ///
    /// # Errors
    /// [`Error::Config`].
    pub fn config(&self) -> Result<TextConfig, Error> {
        read(self.header())
    }
}

/// The configuration of `header`, read by the same rules as a `config.json`.
fn read(header: &Header) -> Result<TextConfig, Error> {
    let architecture = header.metadata.get("general.architecture").and_then(Value::as_str);
    let architecture = architecture.unwrap_or("absent");
    if !["llama", "qwen2"].contains(&architecture) {
        return Err(Error::Config {
            field: "general.architecture".to_owned(),
            found: architecture.to_owned(),
            expected: "llama or qwen2".to_owned(),
        });
    }
    let mut config = Map::new();
    config.insert("model_type".to_owned(), architecture.into());
    for (field, key) in KEYS {
        if let Some(value) = header.metadata.get(&format!("{architecture}.{key}")) {
            config.insert((*field).to_owned(), number(value));
        }
    }
    let n_rows = header.tensors.get("token_embd.weight").and_then(|info| info.shape.first());
    config.insert("vocab_size".to_owned(), json!(n_rows));
    let tied = !header.tensors.contains_key("output.weight");
    config.insert("tie_word_embeddings".to_owned(), tied.into());
    let scaling = |part: &str| header.metadata.get(&format!("{architecture}.rope.scaling.{part}"));
    let kind = scaling("type").map_or(Some("linear"), Value::as_str).unwrap_or("no text");
    if let Some(factor) = scaling("factor").filter(|_| kind != "none") {
        // Others than these are refused by their names.
        let scaling = json!({"type": kind, "factor": number(factor)});
        config.insert("rope_scaling".to_owned(), scaling);
    }
    TextConfig::from_hugging_face(&config.into())
}

fn number(value: &Value) -> Json {
    match (value.as_size(), value.as_f64()) {
        (Some(size), _) => json!(size),
        // Single precision: 1e-5 is written 9.999999747378752e-6.
        (None, Some(number)) => json!(number),
        (None, None) => Json::String(format!("{value:?}")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::source::Info;
    use crate::source::Kind;

    fn header(more: &[(&str, Value)]) -> Header {
        let sizes = [
            ("embedding_length", 12),
            ("feed_forward_length", 16),
            ("block_count", 1),
            ("attention.head_count", 3),
        ];
        let sizes = sizes.map(|(key, size)| (format!("llama.{key}"), Value::Integer(size)));
        let architecture = ("general.architecture".to_owned(), Value::Text("llama".to_owned()));
        let more = more.iter().map(|(key, value)| (format!("llama.{key}"), value.clone()));
        let metadata = sizes.into_iter().chain([architecture]).chain(more).collect();
        let info = Info { kind: Kind::from_number(0), shape: vec![5, 12], start: 0, len: 240 };
        Header { metadata, tensors: BTreeMap::from([("token_embd.weight".to_owned(), info)]) }
    }

    #[test]
    fn positions_are_stretched_as_the_file_says_or_the_file_is_refused() {
        let factor = ("rope.scaling.factor", Value::Float(4.0));
        let kind = |name: &str| ("rope.scaling.type", Value::Text(name.to_owned()));
        let plain = read(&header(&[])).expect("a small llama");
        let linear = read(&header(std::slice::from_ref(&factor))).expect("it is linear");
        assert_ne!(linear, plain);
        assert_eq!(read(&header(&[kind("linear"), factor.clone()])).expect("linear"), linear);
        assert_eq!(read(&header(&[kind("none"), factor.clone()])).expect("none"), plain);
        let refused = read(&header(&[kind("yarn"), factor]));
        assert!(matches!(refused, Err(Error::Config { .. })), "{refused:?}");
    }
}
