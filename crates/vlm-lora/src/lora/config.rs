//! `adapter_config.json` as PEFT reads and writes it.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::peft::{FIXED, as_python_would, refuse_unsupported, shortened};
use super::{AdapterError, AdapterLimits};

/// Names of layers: a list of names that a path ends with, or one regular expression that it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Modules {
    /// A regular expression that the whole path must match; as `target_modules` also `all-linear`:
    /// every linear layer but the output head.
    Pattern(String),
    /// Whole paths, or their last segments.
    List(Vec<String>),
}

impl Modules {
    /// Every linear layer but the output head.
    #[must_use]
    pub fn all_linear() -> Self {
        Self::Pattern("all-linear".to_owned())
    }

    /// A list of names.
    #[must_use]
    pub fn list(names: &[&str]) -> Self {
        Self::List(names.iter().map(|&name| name.to_owned()).collect())
    }

    /// Whether it is the word `all-linear`, in any case.
    #[must_use]
    pub fn is_all_linear(&self) -> bool {
        matches!(self, Self::Pattern(word) if word.eq_ignore_ascii_case("all-linear"))
    }

    pub(super) fn strings(&self) -> &[String] {
        match self {
            Self::Pattern(pattern) => std::slice::from_ref(pattern),
            Self::List(names) => names,
        }
    }
}

/// One number or several, as PEFT has it for layers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany<T> {
    /// One.
    One(T),
    /// Several.
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    /// All of them.
    #[must_use]
    pub fn as_slice(&self) -> &[T] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

/// A low-rank adapter (Hu et al. 2021, arXiv 2106.09685); fields are named as PEFT's
/// `LoraConfig` names them.
///
/// A layer `x Wᵀ` becomes `x Wᵀ + s (dropout(x) Aᵀ) Bᵀ` with `A` `[r, in]`, `B` `[out, r]` and
/// `s = lora_alpha / r`, or `lora_alpha / √r` with `use_rslora` (Kalajdzievski 2023, arXiv
/// 2312.03732).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoraConfig {
    /// Rank, at least 1.
    pub r: usize,
    /// Numerator of the scale, finite.
    pub lora_alpha: f64,
    /// Share of the input that training leaves out, in `[0, 1)`.
    #[serde(default)]
    pub lora_dropout: f64,
    /// Divides by the root of the rank.
    #[serde(default)]
    pub use_rslora: bool,
    /// Layers that are adapted.
    pub target_modules: Modules,
    /// Layers that are not, whatever `target_modules` says.
    #[serde(default)]
    pub exclude_modules: Option<Modules>,
    /// Other ranks: regular expressions of the end of a path; the first that matches counts, in the
    /// order of the alphabet, in which PEFT writes them.
    #[serde(default)]
    pub rank_pattern: BTreeMap<String, usize>,
    /// Other numerators, likewise.
    #[serde(default)]
    pub alpha_pattern: BTreeMap<String, f64>,
    /// Linear layers, or modules of them, that are trained and saved whole.
    #[serde(default)]
    pub modules_to_save: Option<Vec<String>>,
    /// With a list as `target_modules`: only layers of these numbers.
    #[serde(default)]
    pub layers_to_transform: Option<OneOrMany<usize>>,
    /// With `layers_to_transform`: what stands before the number in a path.
    #[serde(default)]
    pub layers_pattern: Option<OneOrMany<String>>,
    /// The base model's name or folder: a note, never opened.
    #[serde(default)]
    pub base_model_name_or_path: Option<String>,
    /// The base model's revision: a note.
    #[serde(default)]
    pub revision: Option<String>,
    /// PEFT's kind of task, `CAUSAL_LM` for language models.
    #[serde(default)]
    pub task_type: Option<String>,
}

impl LoraConfig {
    /// Adapters of rank `r` and scale `lora_alpha / r` on `target_modules`, without dropout.
    #[must_use]
    pub fn new(r: usize, lora_alpha: f64, target_modules: Modules) -> Self {
        Self {
            r,
            lora_alpha,
            lora_dropout: 0.0,
            use_rslora: false,
            target_modules,
            exclude_modules: None,
            rank_pattern: BTreeMap::new(),
            alpha_pattern: BTreeMap::new(),
            modules_to_save: None,
            layers_to_transform: None,
            layers_pattern: None,
            base_model_name_or_path: None,
            revision: None,
            task_type: Some("CAUSAL_LM".to_owned()),
        }
    }

    /// With another dropout, in `[0, 1)`.
    #[must_use]
    pub fn with_dropout(mut self, lora_dropout: f64) -> Self {
        self.lora_dropout = lora_dropout;
        self
    }

    /// With the scale `lora_alpha / √r`.
    #[must_use]
    pub fn with_rank_stabilized(mut self) -> Self {
        self.use_rslora = true;
        self
    }

    /// Without the layers that `modules` names.
    #[must_use]
    pub fn without(mut self, modules: Modules) -> Self {
        self.exclude_modules = Some(modules);
        self
    }

    /// With `modules` trained whole, for instance a projector.
    #[must_use]
    pub fn with_modules_to_save(mut self, modules: &[&str]) -> Self {
        self.modules_to_save = Some(modules.iter().map(|&name| name.to_owned()).collect());
        self
    }

    /// Reads what PEFT wrote; `path` is for errors.
    ///
    /// # Errors
    /// [`AdapterError::NotConfig`]; [`AdapterError::Unsupported`] for whatever would change the
    /// numbers and is not implemented, such as DoRA; those of [`check`](Self::check).
    pub fn from_json(
        json: &[u8],
        path: &Path,
        limits: &AdapterLimits,
    ) -> Result<Self, AdapterError> {
        let broken = |source| AdapterError::NotConfig { path: path.to_owned(), source };
        let mut fields: Map<String, Value> = serde_json::from_slice(json).map_err(broken)?;
        for (name, value) in &fields {
            refuse_unsupported(name, value)?;
        }
        // The fields that PEFT may leave empty where this configuration has a default.
        fields.retain(|_, value| !value.is_null());
        if !fields.contains_key("target_modules") && !fields.contains_key("modules_to_save") {
            return Err(AdapterError::NoTarget);
        }
        fields.entry("target_modules").or_insert_with(|| Value::Array(Vec::new()));
        let config: Self = serde_json::from_value(Value::Object(fields)).map_err(broken)?;
        config.check(limits)?;
        Ok(config)
    }

    /// The file that PEFT reads, with PEFT's defaults for what this configuration has no field for.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut fields = Map::new();
        for (name, value) in FIXED {
            let value = serde_json::from_str(value).expect("the constants are JSON");
            fields.insert((*name).to_owned(), value);
        }
        let own = serde_json::to_value(self).expect("plain data has a JSON form");
        if let Value::Object(own) = own {
            fields.extend(own.into_iter().map(|(name, value)| (name, as_python_would(value))));
        }
        let mut text = serde_json::to_string_pretty(&fields).expect("plain data has a JSON form");
        text.push('\n');
        text
    }

    /// Whether every number is in its range and within `limits`.
    ///
    /// # Errors
    /// [`AdapterError::Rank`], [`AdapterError::Range`], [`AdapterError::Pattern`].
    pub fn check(&self, limits: &AdapterLimits) -> Result<(), AdapterError> {
        limits.check_rank(self.r)?;
        self.rank_pattern.values().try_for_each(|&rank| limits.check_rank(rank))?;
        for &alpha in self.alpha_pattern.values().chain([&self.lora_alpha]) {
            if !alpha.is_finite() || alpha.abs() > 1e6 {
                return Err(range("lora_alpha", alpha, "within a million of 0"));
            }
        }
        if !(0.0..1.0).contains(&self.lora_dropout) {
            return Err(range("lora_dropout", self.lora_dropout, "at least 0 and below 1"));
        }
        let lists = [Some(&self.target_modules), self.exclude_modules.as_ref()];
        let lists = lists.into_iter().flatten().map(Modules::strings);
        let saved = self.modules_to_save.as_deref().unwrap_or_default();
        for list in lists.chain([saved]) {
            limits.check_patterns(list.iter())?;
        }
        let tables = Self::tables(limits);
        tables.check_patterns(self.rank_pattern.keys())?;
        tables.check_patterns(self.alpha_pattern.keys())?;
        limits.check_patterns(self.layers_pattern.iter().flat_map(OneOrMany::as_slice))
    }

    /// The limits of tables, each key of which is compiled.
    fn tables(limits: &AdapterLimits) -> AdapterLimits {
        AdapterLimits { max_patterns: limits.max_expressions, ..*limits }
    }

    /// What the product of the two matrices is multiplied with.
    pub(crate) fn scale(&self, rank: usize, alpha: f64) -> f64 {
        let rank = rank as f64;
        alpha / if self.use_rslora { rank.sqrt() } else { rank }
    }
}

impl AdapterLimits {
    pub(super) fn check_patterns<'a>(
        &self,
        patterns: impl Iterator<Item = &'a String>,
    ) -> Result<(), AdapterError> {
        for (count, pattern) in patterns.enumerate() {
            let refuse = |reason| AdapterError::Pattern { pattern: shortened(pattern), reason };
            if pattern.len() > self.max_pattern_bytes {
                let reason = format!("it is longer than {} bytes", self.max_pattern_bytes);
                return Err(refuse(reason));
            }
            if count >= self.max_patterns {
                return Err(refuse(format!("there are more than {}", self.max_patterns)));
            }
        }
        Ok(())
    }
}

fn range(field: &'static str, value: f64, range: &'static str) -> AdapterError {
    AdapterError::Range { field, value, range }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<LoraConfig, AdapterError> {
        LoraConfig::from_json(json.as_bytes(), Path::new("a.json"), &AdapterLimits::default())
    }

    fn with(field: &str) -> String {
        format!(
            r#"{{"peft_type": "LORA", "r": 8, "lora_alpha": 16, "target_modules": ["q"], {field}}}"#
        )
    }

    #[test]
    fn what_is_written_is_read_again() {
        let mut config = LoraConfig::new(8, 16.0, Modules::list(&["q_proj", "v_proj"]))
            .with_dropout(0.05)
            .with_rank_stabilized()
            .without(Modules::Pattern(r".*visual.*".to_owned()))
            .with_modules_to_save(&["projector"]);
        config.rank_pattern.insert("layers.0.*".to_owned(), 4);
        config.alpha_pattern.insert("q_proj".to_owned(), 2.5);
        assert_eq!(read(&config.to_json()).expect("it was just written"), config);
    }

    #[test]
    fn features_that_are_off_are_accepted_and_others_named() {
        let config = read(&with(r#""use_dora": false, "new_feature": {}, "peft_version": "0.18""#));
        assert_eq!(config.expect("nothing is turned on").r, 8);
        for field in [
            r#""use_dora": true"#,
            r#""bias": "all""#,
            r#""fan_in_fan_out": true"#,
            r#""init_lora_weights": "pissa""#,
            r#""target_parameters": ["experts"]"#,
            r#""layer_replication": [[0, 4]]"#,
            r#""new_feature": 3"#,
        ] {
            let refused = read(&with(field));
            assert!(matches!(refused, Err(AdapterError::Unsupported { .. })), "{field}");
        }
    }

    #[test]
    fn limits_hold() {
        let rank = read(r#"{"r": 10000, "lora_alpha": 16, "target_modules": ["q"]}"#);
        assert!(matches!(rank, Err(AdapterError::Rank { rank: 10000, limit: 256 })));
        let rank = read(&with(r#""rank_pattern": {"k": 257}"#));
        assert!(matches!(rank, Err(AdapterError::Rank { rank: 257, .. })));
        let many: Vec<String> = (0..513).map(|n| format!(r#""layers.{n}": 2"#)).collect();
        let many = read(&with(&format!(r#""rank_pattern": {{{}}}"#, many.join(","))));
        assert!(matches!(many, Err(AdapterError::Pattern { .. })));
        let zero = read(&with(r#""rank_pattern": {"k": 0}"#));
        assert!(matches!(zero, Err(AdapterError::Range { field: "r", .. })));
        let dropout = read(&with(r#""lora_dropout": 1"#));
        assert!(matches!(dropout, Err(AdapterError::Range { field: "lora_dropout", .. })));
        let long = read(&with(&format!(r#""exclude_modules": "{}""#, "a".repeat(5000))));
        assert!(matches!(long, Err(AdapterError::Pattern { .. })));
        let negative = read(r#"{"r": -1, "lora_alpha": 16, "target_modules": ["q"]}"#);
        assert!(matches!(negative, Err(AdapterError::NotConfig { .. })));
    }

    #[test]
    fn both_scales_are_those_of_the_papers() {
        let config = LoraConfig::new(16, 8.0, Modules::all_linear());
        assert_eq!(config.scale(16, 8.0), 0.5);
        assert_eq!(config.with_rank_stabilized().scale(16, 8.0), 2.0);
    }
}
