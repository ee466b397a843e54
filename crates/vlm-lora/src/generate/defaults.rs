//! `generation_config.json`: how a model's makers want it to answer.

use std::path::Path;

use serde_json::Value;

use super::rules::TokenRules;
use super::run::Generation;
use super::sampling::Sampling;
use crate::error::Error;
use crate::text::{Fields, wrong};

/// Bytes of the file, at most.
const MAX_BYTES: u64 = 8 << 20;
/// Tokens of each list, at most.
const MAX_LISTED: usize = 1 << 16;
/// transformers' choices where a file asks for draws and says no more.
const SAMPLED: Sampling =
    Sampling { temperature: 1.0, top_k: 50, top_p: 1.0, repetition_penalty: 1.0 };
/// Fields that change answers and are not supported, each with the value that turns it off. A field
/// with null is off only if it is absent.
const REFUSED: &[(&str, &str)] = &[
    ("guidance_scale", "1"),
    ("encoder_repetition_penalty", "1"),
    ("encoder_no_repeat_ngram_size", "0"),
    ("num_beams", "1"),
    ("num_beam_groups", "1"),
    ("num_return_sequences", "1"),
    ("penalty_alpha", "0"),
    ("token_healing", "false"),
    ("sequence_bias", "null"),
    ("bad_words_ids", "null"),
    ("forced_bos_token_id", "null"),
    ("forced_eos_token_id", "null"),
    ("exponential_decay_length_penalty", "null"),
    ("watermarking_config", "null"),
    ("stop_strings", "null"),
    ("max_time", "null"),
    ("constraints", "null"),
    ("force_words_ids", "null"),
    ("dola_layers", "null"),
];
/// The same of what changes draws alone.
const REFUSED_IN_DRAWS: &[(&str, &str)] = &[
    ("min_p", "null"),
    ("top_h", "null"),
    ("typical_p", "1"),
    ("epsilon_cutoff", "0"),
    ("eta_cutoff", "0"),
];

/// A folder's settings for a model's answers: `generation_config.json` of transformers 5.24 or, if
/// that is missing, the same fields of `config.json`.
///
/// Nearly every field that transformers reads there is obeyed or refused by name. The caller states
/// the length of an answer. Fields for caches and for speed are passed over, since they do not
/// change the tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct GenerationDefaults {
    /// Tokens that end an answer. Those of `generation_config.json`; where it has none, of
    /// `config.json`.
    pub stop: Vec<u32>,
    /// Tokens that never come.
    pub rules: TokenRules,
    /// Divisor of the scores of tokens that were there before, in greedy choices too.
    pub repetition_penalty: f32,
    /// Whether the makers draw, and from what.
    do_sample: bool,
    temperature: Option<f32>,
    top_k: Option<usize>,
    top_p: Option<f32>,
    /// The field that changes draws and is not supported, with its value.
    refused: Option<(String, String)>,
}

impl Default for GenerationDefaults {
    /// Answers that nothing ends and in which everything may come.
    fn default() -> Self {
        Self {
            stop: Vec::new(),
            rules: TokenRules::default(),
            repetition_penalty: 1.0,
            do_sample: false,
            temperature: None,
            top_k: None,
            top_p: None,
            refused: None,
        }
    }
}

impl GenerationDefaults {
    /// The defaults of the folder at `path`, whose `config.json` is `config`.
    ///
    /// # Errors
    /// [`Error::Cifake`] and [`Error::Json`] where the file cannot be read, [`Error::Config`] for what is
    /// not built or of no form that transformers reads.
    pub fn from_folder(path: &Path, config: &Value) -> Result<Self, Error> {
        let file = path.join("generation_config.json");
        if !file.is_file() {
            return Self::from_json(None, config);
        }
        let bytes = cifake::file::read_limited(&file, MAX_BYTES)?;
        let json = serde_json::from_slice(&bytes);
        let json: Value = json.map_err(|source| Error::Json { path: file, source })?;
        Self::from_json(Some(&json), config)
    }

    /// [`from_folder`](Self::from_folder) with the content of `generation_config.json`, if there is one,
    /// and of `config.json`.
    ///
    /// # Errors
    /// [`Error::Config`].
    pub fn from_json(generation: Option<&Value>, config: &Value) -> Result<Self, Error> {
        let top = Fields::new(config);
        let text = top.object("text_config");
        let of_config = move |name: &str| top.get(name).or(text.and_then(|text| text.get(name)));
        let get = move |name: &str| match generation {
            Some(generation) => Fields::new(generation).get(name),
            None => of_config(name),
        };
        if let Some((name, value)) = refused(REFUSED, &get) {
            return Err(wrong(&name, value, "none, since it is not built".to_owned()));
        }
        if get("cache_implementation").is_some_and(|value| value == "quantized") {
            let expected = "a cache that keeps all digits".to_owned();
            return Err(wrong("cache_implementation", "quantized".to_owned(), expected));
        }
        let found: Value = Value::Object(
            FIELDS.iter().filter_map(|&n| Some((n.to_owned(), get(n)?.clone()))).collect(),
        );
        let fields = Fields::new(&found);
        let count = |name: &str| fields.size(name, Some(0), 0..=1 << 32);
        let min_new_tokens = count("min_new_tokens")?;
        let rules = TokenRules {
            no_repeat_ngram_size: count("no_repeat_ngram_size")?,
            suppress_tokens: tokens(get("suppress_tokens"), "suppress_tokens")?,
            begin_suppress_tokens: tokens(get("begin_suppress_tokens"), "begin_suppress_tokens")?,
            min_new_tokens,
            // The other one takes its place.
            min_length: if min_new_tokens > 0 { 0 } else { count("min_length")? },
        };
        let number = |name: &str, range| -> Result<Option<f32>, Error> {
            let given = fields.get(name).is_some();
            Ok(given.then_some(fields.number(name, Some(0.0), range)? as f32))
        };
        let eos = get("eos_token_id").or_else(|| of_config("eos_token_id"));
        let mut stop = tokens(eos, "eos_token_id")?;
        stop.sort_unstable();
        stop.dedup();
        Ok(Self {
            stop,
            rules,
            repetition_penalty: number("repetition_penalty", 0.01..=100.0)?.unwrap_or(1.0),
            do_sample: fields.flag("do_sample", false)?,
            temperature: number("temperature", 0.0..=100.0)?,
            top_k: fields.get("top_k").map(|_| count("top_k")).transpose()?,
            top_p: number("top_p", 0.0..=1.0)?,
            refused: refused(REFUSED_IN_DRAWS, &get),
        })
    }

    /// Answers that `stop` ends and in which everything may come.
    #[must_use]
    pub fn ending(stop: Vec<u32>) -> Self {
        Self { stop, ..Self::default() }
    }

    /// Greedy answers of at most `max_tokens` tokens.
    #[must_use]
    pub fn greedy(&self, max_tokens: usize) -> Generation {
        let sampling = Sampling { repetition_penalty: self.repetition_penalty, ..Sampling::GREEDY };
        self.generation(max_tokens, sampling, 0)
    }

    /// Answers of at most `max_tokens` tokens, chosen by `sampling` and drawn by `seed`.
    #[must_use]
    pub fn generation(&self, max_tokens: usize, sampling: Sampling, seed: u64) -> Generation {
        let (stop, rules) = (self.stop.clone(), self.rules.clone());
        Generation { max_tokens, stop, rules, sampling, seed }
    }

    /// The way to draw tokens: as the folder says, and `otherwise` where it says nothing.
    ///
    /// # Errors
    /// [`Error::Config`] for a way to draw that is not built.
    pub fn sampling(&self, otherwise: Sampling) -> Result<Sampling, Error> {
        if let Some((name, value)) = &self.refused {
            let expected = "none where tokens are drawn, since it is not built".to_owned();
            return Err(wrong(name, value.clone(), expected));
        }
        let base = if self.do_sample { SAMPLED } else { otherwise };
        Ok(Sampling {
            temperature: self.temperature.unwrap_or(base.temperature),
            top_k: self.top_k.unwrap_or(base.top_k),
            top_p: self.top_p.unwrap_or(base.top_p),
            repetition_penalty: self.repetition_penalty,
        })
    }
}

/// The fields that are obeyed and hold one value.
const FIELDS: &[&str] = &[
    "no_repeat_ngram_size",
    "min_new_tokens",
    "min_length",
    "repetition_penalty",
    "do_sample",
    "temperature",
    "top_k",
    "top_p",
];

/// The first field of `table` that is on.
fn refused<'a>(
    table: &[(&str, &str)],
    get: &impl Fn(&str) -> Option<&'a Value>,
) -> Option<(String, String)> {
    let is_on = |value: &Value, off: &str| match value {
        Value::Number(number) => off.parse::<f64>().is_err() || number.as_f64() != off.parse().ok(),
        Value::Array(list) => !list.is_empty(),
        value => {
            let text = value.to_string();
            text != off
        }
    };
    table.iter().find_map(|(name, off)| {
        let value = get(name).filter(|value| is_on(value, off))?;
        Some(((*name).to_owned(), value.to_string().chars().take(80).collect()))
    })
}

/// A token or a list of tokens; negative numbers stand for none, as in transformers.
fn tokens(value: Option<&Value>, name: &str) -> Result<Vec<u32>, Error> {
    let Some(value) = value else { return Ok(Vec::new()) };
    let wrong = || {
        let found = value.to_string().chars().take(80).collect();
        wrong(name, found, format!("a token or a list of at most {MAX_LISTED}"))
    };
    let ids = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    if ids.len() > MAX_LISTED {
        return Err(wrong());
    }
    let ids = ids.iter().map(|id| id.as_i64().ok_or_else(wrong));
    let ids = ids.collect::<Result<Vec<_>, _>>()?;
    Ok(ids.into_iter().filter_map(|id| u32::try_from(id).ok()).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(generation: Value) -> Result<GenerationDefaults, Error> {
        GenerationDefaults::from_json(Some(&generation), &json!({"eos_token_id": 7}))
    }

    #[test]
    fn rules_and_penalties_hold_in_greedy_choices() {
        let defaults = read(json!({
            "repetition_penalty": 1.5, "no_repeat_ngram_size": 3, "suppress_tokens": [1, 2, -1],
            "begin_suppress_tokens": [4], "min_new_tokens": 5, "min_length": 9,
            "max_new_tokens": 3, "transformers_version": "5.24.0", "bos_token_id": 1
        }));
        let greedy = defaults.expect("all of them are built").greedy(8);
        assert_eq!((greedy.max_tokens, greedy.sampling.temperature), (8, 0.0));
        assert_eq!(greedy.sampling.repetition_penalty, 1.5);
        let rules = TokenRules {
            no_repeat_ngram_size: 3,
            suppress_tokens: vec![1, 2],
            begin_suppress_tokens: vec![4],
            min_new_tokens: 5,
            min_length: 0,
        };
        assert_eq!(greedy.rules, rules);
        assert_eq!(read(json!({"min_length": 9})).expect("it is built").rules.min_length, 9);
    }

    #[test]
    fn ends_are_those_of_the_generation_alone_where_it_has_them() {
        assert_eq!(read(json!({"eos_token_id": [3, 2, 3]})).expect("two").stop, [2, 3]);
        assert_eq!(read(json!({"eos_token_id": 5})).expect("one").stop, [5]);
        assert_eq!(read(json!({})).expect("the model's").stop, [7]);
        let of_text = json!({"text_config": {"eos_token_id": 6, "repetition_penalty": 2.0}});
        let defaults = GenerationDefaults::from_json(None, &of_text).expect("it is plain");
        assert_eq!((defaults.stop, defaults.repetition_penalty), (vec![6], 2.0));
        let beside = json!({"repetition_penalty": 2.0});
        let with_file = GenerationDefaults::from_json(Some(&json!({})), &beside);
        assert_eq!(with_file.expect("it is plain").repetition_penalty, 1.0);
    }

    #[test]
    fn what_is_not_built_is_refused_by_its_name() {
        for (field, value) in [
            ("num_beams", json!(4)),
            ("guidance_scale", json!(1.5)),
            ("bad_words_ids", json!([[1]])),
            ("forced_eos_token_id", json!(2)),
            ("stop_strings", json!("x")),
            ("token_healing", json!(true)),
            ("watermarking_config", json!({"greenlist_ratio": 0.2})),
            ("cache_implementation", json!("quantized")),
            ("eos_token_id", json!("x")),
            ("suppress_tokens", json!([1.5])),
            ("repetition_penalty", json!(0)),
            ("min_new_tokens", json!(-1)),
        ] {
            let error = read(json!({field: value})).expect_err(field);
            assert!(error.to_string().contains(field), "{error}");
        }
        read(json!({
            "num_beams": 1, "guidance_scale": 1.0, "bad_words_ids": [], "token_healing": false,
            "sequence_bias": null, "penalty_alpha": 0.0, "cache_implementation": "dynamic"
        }))
        .expect("all of it is off");
    }

    #[test]
    fn draws_are_the_makers_unless_they_say_nothing() {
        let otherwise = Sampling { temperature: 0.7, top_p: 0.9, ..Sampling::GREEDY };
        let of = |json: Value| read(json).expect("it is built").sampling(otherwise);
        assert_eq!(of(json!({})).expect("nothing is said"), otherwise);
        assert_eq!(of(json!({"do_sample": true})).expect("built"), SAMPLED);
        let theirs = of(json!({"do_sample": true, "top_k": 1, "temperature": 0.01}));
        let theirs = theirs.expect("built");
        assert_eq!((theirs.top_k, theirs.temperature, theirs.top_p), (1, 0.01, 1.0));
        for field in ["min_p", "top_h", "typical_p"] {
            let defaults = read(json!({field: 0.5})).expect("it matters to draws alone");
            assert!(defaults.sampling(otherwise).is_err(), "{field}");
        }
        of(json!({"typical_p": 1.0, "epsilon_cutoff": 0.0, "min_p": null})).expect("off");
    }
}
