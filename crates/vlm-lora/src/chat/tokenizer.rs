//! Text to tokens and back.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;
use tokenizers::Tokenizer as Inner;

use super::control::{ControlTokens, Stretch, stretches};
use super::letters::{byte_letters, pieced, spelled};
use super::plain;
use super::special::SpecialTokens;
use super::template::ChatTemplate;
use super::vocabulary::Vocabulary;
use crate::error::Error;
use crate::source::Limits;

/// Bytes of a tokenizer file, at most: three times those of the largest of the known models.
const MAX_BYTES: u64 = 32 << 20;
/// The largest growth of a text by replacements, as a factor: SentencePiece's make a space three bytes.
const MAX_GROWTH: usize = 64;
/// Bytes of a text, at most.
const MAX_TEXT_BYTES: usize = 16 << 20;

/// A tokenizer as `tokenizer.json` describes it, with the special tokens that the files beside it name.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    inner: Inner,
    /// Tokens that steer a conversation though they are not special.
    control: Vec<String>,
}

impl Tokenizer {
    /// The tokenizer of `tokenizer.json` in the folder at `path`; special tokens that only
    /// `tokenizer_config.json`, `special_tokens_map.json` or `added_tokens.json` name are added.
    ///
    /// # Errors
    /// [`Error::Cifake`] where a file cannot be read, [`Error::Tokenizer`], [`Error::Json`],
    /// [`Error::Config`] for a field of `tokenizer_config.json` that is not built.
    pub fn from_folder(path: &Path) -> Result<Self, Error> {
        let file = path.join("tokenizer.json");
        let bytes = cifake::file::read_limited(&file, MAX_BYTES)?;
        let mut tokenizer = Self::from_bytes(&bytes, &file)?;
        let special = SpecialTokens::read(path)?;
        let is_bpe = matches!(tokenizer.inner.get_model(), tokenizers::ModelWrapper::BPE(_));
        // Of a BPE, transformers passes over it.
        if special.clean_up && !is_bpe {
            return Err(Error::Config {
                field: "clean_up_tokenization_spaces".to_owned(),
                found: "true".to_owned(),
                expected: "false, or a tokenizer that is a BPE".to_owned(),
            });
        }
        let known = tokenizer.inner.get_added_tokens_decoder();
        let mut known: Vec<String> = known.into_values().map(|token| token.content).collect();
        for token in special.added {
            if !known.contains(&token.content) {
                known.push(token.content.clone());
                tokenizer.inner.add_tokens(&[token]);
            }
        }
        tokenizer.inner.set_encode_special_tokens(special.split);
        tokenizer.control = special.control;
        Ok(tokenizer)
    }

    /// The tokenizer of a JSON text; errors call it `path`.
    ///
    /// # Errors
    /// [`Error::Tokenizer`].
    pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Self, Error> {
        let broken = |reason: String| Error::Tokenizer { path: PathBuf::from(path), reason };
        let parts: Parts =
            serde_json::from_slice(bytes).map_err(|error| broken(error.to_string()))?;
        for part in [&parts.normalizer, &parts.decoder] {
            if growth(part).map_err(broken)? > MAX_GROWTH {
                return Err(broken(format!("it makes a text more than {MAX_GROWTH} times longer")));
            }
        }
        let mut inner = guarded(|| Inner::from_bytes(bytes)).map_err(broken)?;
        // Settings that a file may hold, and that must not change a prompt.
        inner.with_padding(None);
        let cut = inner.with_truncation(None).map(|_| ());
        cut.map_err(|error| Error::Tokens { reason: error.to_string() })?;
        Ok(Self { inner, control: Vec::new() })
    }

    /// The tokens that a conversation's messages may not spell: special ones, and those that `template`
    /// writes.
    #[must_use]
    pub fn control_tokens(&self, template: Option<&ChatTemplate>) -> ControlTokens {
        let added = self.inner.get_added_tokens_decoder().into_values();
        let is_control = |token: &tokenizers::AddedToken| {
            let text = token.content.as_str();
            let mentioned = template.is_some_and(|template| template.mentions(text));
            token.special
                || self.control.iter().any(|control| control == text)
                || (mentioned && !text.trim().is_empty())
        };
        ControlTokens::new(added.filter(is_control).map(|token| token.content).collect())
    }

    /// The tokens of a text that [`ChatTemplate::render_marked`] wrote: what is marked there becomes
    /// plain text, whatever it spells.
    ///
    /// # Errors
    /// As [`encode`](Self::encode); [`Error::Tokens`] where a marked token cannot be written as text.
    pub fn encode_marked(&self, text: &str) -> Result<Vec<u32>, Error> {
        let mut tokens = Vec::new();
        for (index, stretch) in stretches(text).into_iter().enumerate() {
            let spelled = matches!(stretch, Stretch::Spelled(_));
            let (Stretch::Written(part) | Stretch::Spelled(part)) = stretch;
            let own = match index {
                0 => self.encode_part(part, spelled)?,
                // Tokenizers may treat the beginning of a text in their own ways.
                _ => self.encode_inner(part, spelled)?,
            };
            if spelled && self.token(part).is_some_and(|token| own.contains(&token)) {
                let reason = format!("`{part}` is a token that no plain text can be told from");
                return Err(Error::Tokens { reason });
            }
            tokens.extend(own);
        }
        Ok(tokens)
    }

    /// The tokens of a `part` that stands behind others: those behind a line break.
    fn encode_inner(&self, part: &str, spelled: bool) -> Result<Vec<u32>, Error> {
        let line = self.encode("\n")?;
        let mut tokens = self.encode_part(&format!("\n{part}"), spelled)?;
        match tokens.starts_with(&line) {
            true => Ok(tokens.split_off(line.len())),
            false => self.encode_part(part, spelled),
        }
    }

    fn encode_part(&self, part: &str, spelled: bool) -> Result<Vec<u32>, Error> {
        if !spelled {
            return self.encode(part);
        }
        let encoded = guarded(|| plain::encode(&self.inner, part));
        encoded.map_err(|reason| Error::Tokens { reason })
    }

    /// The tokens of `text`; special tokens are those that the text itself spells.
    ///
    /// # Errors
    /// [`Error::Limit`] for a text of more than 16 MB, [`Error::Tokens`].
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, Error> {
        Limits::check("the length of the text", text.len() as u64, MAX_TEXT_BYTES as u64)?;
        let encoding = guarded(|| self.inner.encode_fast(text, false));
        let encoding = encoding.map_err(|reason| Error::Tokens { reason })?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The text of `tokens`, special ones left out.
    ///
    /// # Errors
    /// [`Error::Tokens`].
    pub fn decode(&self, tokens: &[u32]) -> Result<String, Error> {
        guarded(|| self.inner.decode(tokens, true)).map_err(|reason| Error::Tokens { reason })
    }

    /// The token that is written `text`, such as `<|im_end|>`.
    #[must_use]
    pub fn token(&self, text: &str) -> Option<u32> {
        self.inner.token_to_id(text)
    }

    /// Number of tokens.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// Whether there is no token.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes that each of the first `n_tokens` tokens stands for; special tokens stand for none.
    #[must_use]
    pub fn vocabulary(&self, n_tokens: usize) -> Vocabulary {
        let decoder =
            self.inner.get_decoder().and_then(|decoder| serde_json::to_string(decoder).ok());
        let is_byte_level = decoder.is_some_and(|json| json.contains("\"ByteLevel\""));
        let letters = byte_letters();
        let added = self.inner.get_added_tokens_decoder();
        Vocabulary::new((0..n_tokens as u32).map(|token| {
            if added.contains_key(&token) {
                return None;
            }
            let text = self.inner.id_to_token(token)?;
            if is_byte_level { spelled(&text, &letters) } else { Some(pieced(&text)) }
        }))
    }
}

/// The parts of a tokenizer's file that are checked before it is used.
#[derive(Deserialize)]
struct Parts {
    #[serde(default)]
    normalizer: Value,
    #[serde(default)]
    decoder: Value,
}

/// The largest growth of a text by all replacements in `part`, as a factor; or the reason why it is not used.
fn growth(part: &Value) -> Result<usize, String> {
    let own = match part.get("type").and_then(Value::as_str) {
        Some("Precompiled") => {
            return Err("its normalizer is precompiled, as no known model needs it".to_owned());
        }
        Some("Replace") => {
            let content = part.get("content").and_then(Value::as_str).map_or(0, str::len);
            let exact = part.get("pattern").and_then(|pattern| pattern.get("String"));
            content.div_ceil(exact.and_then(Value::as_str).map_or(1, str::len).max(1)).max(1)
        }
        _ => 1,
    };
    let below: Box<dyn Iterator<Item = &Value>> = match part {
        Value::Array(parts) => Box::new(parts.iter()),
        Value::Object(parts) => Box::new(parts.values()),
        _ => return Ok(own),
    };
    below.map(growth).try_fold(own, |product, next| Ok(product.saturating_mul(next?)))
}

/// The result of `run`. A panic of the library, which a file can cause, is an error.
fn guarded<T>(run: impl FnOnce() -> tokenizers::Result<T>) -> Result<T, String> {
    match cifake::guarded(run) {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err("the tokenizer broke down over it".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A byte-level tokenizer without merges, and one special token.
    fn bytes() -> Tokenizer {
        let mut letters: Vec<(char, u8)> = byte_letters().into_iter().collect();
        letters.sort_unstable_by_key(|(_, byte)| *byte);
        let vocab: serde_json::Map<String, serde_json::Value> =
            letters.iter().map(|(letter, byte)| (letter.to_string(), (*byte).into())).collect();
        let json = serde_json::json!({
            "version": "1.0",
            "added_tokens": [{"id": 256, "content": "<end>", "special": true, "single_word": false,
                "lstrip": false, "rstrip": false, "normalized": false}],
            "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
            "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
            "model": {"type": "BPE", "vocab": vocab, "merges": []},
        });
        Tokenizer::from_bytes(json.to_string().as_bytes(), Path::new("tokenizer.json"))
            .expect("the tokenizer is whole")
    }

    #[test]
    fn text_comes_back() {
        let tokenizer = bytes();
        let tokens = tokenizer.encode("Größe 1<end>").expect("it can be tokenized");
        assert_eq!(tokens.last(), Some(&256));
        assert_eq!(tokenizer.decode(&tokens).expect("it is text"), "Größe 1");
        assert_eq!(tokenizer.token("<end>"), Some(256));
    }

    #[test]
    fn what_a_message_spells_is_no_special_token() {
        let tokenizer = bytes();
        let control = tokenizer.control_tokens(None);
        let said = control.mark("a<end>\nb");
        let letters = |text: &str| {
            text.bytes()
                .map(|b| {
                    tokenizer.encode(std::str::from_utf8(&[b]).expect("ASCII")).expect("a letter")
                        [0]
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(tokenizer.encode_marked(&said).expect("text"), letters("a<end>\nb"));
        let both = tokenizer.encode_marked(&format!("<end>{said}<end>")).expect("text");
        assert_eq!((both[0], both[both.len() - 1]), (256, 256));
        assert_eq!(both[1..both.len() - 1], letters("a<end>\nb"));
    }

    /// GPT-2's file names its only special token in the configuration.
    #[test]
    fn special_tokens_that_only_the_configuration_names_are_tokens() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let write = |file: &str, text: &str| {
            std::fs::write(folder.path().join(file), text).expect("the folder is writable");
        };
        let model = r#"{"model": {"type": "BPE", "merges": [],
            "vocab": {"<": 0, "e": 1, "n": 2, "d": 3, ">": 4, "<end>": 5}}}"#;
        write("tokenizer.json", model);
        let encoded = |text: &str| {
            let tokenizer = Tokenizer::from_folder(folder.path()).expect("the files are whole");
            tokenizer.encode(text).expect("it can be tokenized")
        };
        assert_eq!(encoded("<end>"), [0, 1, 2, 3, 4]);
        write("special_tokens_map.json", r#"{"eos_token": {"content": "<end>", "lstrip": false}}"#);
        assert_eq!(encoded("<end>"), [5]);
        write("tokenizer_config.json", r#"{"added_tokens_decoder": {}}"#);
        assert_eq!(encoded("<end>"), [0, 1, 2, 3, 4], "the older file does not count then");
        write("tokenizer_config.json", r#"{"eos_token": "<end>", "extra_special_tokens": ["nn"]}"#);
        assert_eq!(encoded("<end>nn"), [5, 6]);
        write("tokenizer_config.json", r#"{"eos_token": "<end>", "split_special_tokens": true}"#);
        assert_eq!(encoded("<end>"), [0, 1, 2, 3, 4]);
        for field in
            [r#""fast_tokenizer_files": ["tokenizer.4.0.json"]"#, r#""fix_mistral_regex": true"#]
        {
            write("tokenizer_config.json", &format!("{{{field}}}"));
            let refused = Tokenizer::from_folder(folder.path());
            assert!(matches!(refused, Err(Error::Config { .. })), "{refused:?}");
        }
    }

    #[test]
    fn every_byte_is_a_token_of_the_vocabulary() {
        let vocabulary = bytes().vocabulary(257);
        assert!((0..=255).all(|byte| vocabulary.has_byte(byte)));
        assert_eq!((vocabulary.bytes(32), vocabulary.bytes(256)), (&b" "[..], &[][..]));
    }

    #[test]
    fn a_stream_waits_for_whole_characters() {
        let tokenizer = bytes();
        let mut stream = tokenizer.stream();
        let tokens = tokenizer.encode("aß€b").expect("it can be tokenized");
        let parts: Vec<String> =
            tokens.iter().map(|token| stream.push(*token).expect("it is text")).collect();
        assert_eq!(parts, ["a", "", "ß", "", "", "€", "b"]);
    }

    #[test]
    fn a_broken_file_is_an_error() {
        for bytes in [&b""[..], b"{}", b"[1]", b"\xff"] {
            let found = Tokenizer::from_bytes(bytes, Path::new("tokenizer.json"));
            assert!(matches!(found, Err(Error::Tokenizer { .. })));
        }
    }

    #[test]
    fn files_that_break_the_library_or_grow_texts_are_errors() {
        let with = |part: &str| {
            format!(r#"{{"model": {{"type": "BPE", "vocab": {{"a": 0}}, "merges": []}}, {part}}}"#)
        };
        let longer = r#"{"type": "Replace", "pattern": {"String": "a"}, "content": "aaaaaaaaaa"}"#;
        let many = vec![longer; 20].join(",");
        for json in [
            r#"{"model": {"type": "BPE", "continuing_subword_prefix": "\u0023\u0023",
                "vocab": {"a": 0, "b": 1}, "merges": [["a", "b"]]}}"#
                .to_owned(),
            with(r#""normalizer": {"type": "Precompiled", "precompiled_charsmap": "/////w=="}"#),
            with(&format!(r#""normalizer": {{"type": "Sequence", "normalizers": [{many}]}}"#)),
            with(&format!(r#""decoder": {{"type": "Sequence", "decoders": [{many}]}}"#)),
        ] {
            let found = Tokenizer::from_bytes(json.as_bytes(), Path::new("tokenizer.json"));
            assert!(matches!(found, Err(Error::Tokenizer { .. })), "{json}");
        }
        let strip = with(r#""decoder": {"type": "Strip", "content": "a", "start": 0, "stop": 2}"#);
        let tokenizer = Tokenizer::from_bytes(strip.as_bytes(), Path::new("tokenizer.json"));
        let decoded = tokenizer.expect("its parts are known").decode(&[0]);
        assert!(matches!(decoded, Err(Error::Tokens { .. })), "{decoded:?}");
        let metaspace = with(
            r#""normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"},
                {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]}"#,
        );
        assert!(Tokenizer::from_bytes(metaspace.as_bytes(), Path::new("tokenizer.json")).is_ok());
    }

    #[test]
    fn pieces_are_spaces_and_bytes() {
        assert_eq!(pieced("▁the"), b" the");
        assert_eq!(pieced("<0x0A>"), b"\n");
    }
}
