//! `adapter_config.json` as PEFT reads and writes it.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::fields::{FIXED, as_python_would, refuse_unsupported, shortened};
use super::limits::AdapterLimits;
use super::modules::{Modules, OneOrMany};
use super::patterns::Patterns;
use crate::error::AdapterError;

/// A low-rank adapter (Hu et al. 2021, arXiv 2106.09685); fields are named as PEFT's
/// `LoraConfig` names them.
///
/// A layer `x Wᵀ` becomes `x Wᵀ + s (dropout(x) Aᵀ) Bᵀ` with `A` `[r, in]` and `B` `[out, r]`. The
/// scale `s` is `lora_alpha / r`, or `lora_alpha / √r` with `use_rslora` (Kalajdzievski 2023, arXiv
/// 2312.03732).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoraConfig {
    /// Rank, at least 1; 8 where a file has none.
    #[serde(default = "default_rank")]
    pub r: usize,
    /// Numerator of the scale, finite; 8 where a file has none.
    #[serde(default = "default_alpha")]
    pub lora_alpha: f64,
    /// Share of the input that training leaves out, in `[0, 1)`.
    #[serde(default)]
    pub lora_dropout: f64,
    /// Divides by the root of the rank.
    #[serde(default)]
    pub use_rslora: bool,
    /// Layers that are adapted.
    pub target_modules: Modules,
    /// Excluded layers. They take precedence over `target_modules`.
    #[serde(default)]
    pub exclude_modules: Option<Modules>,
    /// Other ranks: regular expressions of the end of a path; the first that matches counts. Each must
    /// match a layer that is adapted.
    #[serde(default)]
    pub rank_pattern: Patterns<usize>,
    /// Other numerators, likewise.
    #[serde(default)]
    pub alpha_pattern: Patterns<f64>,
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

/// The parts of a file in which order matters.
#[derive(Deserialize)]
struct Tables {
    #[serde(default)]
    rank_pattern: Patterns<usize>,
    #[serde(default)]
    alpha_pattern: Patterns<f64>,
}

/// The written form of a field: a value, or a table in its own order.
#[derive(Serialize)]
#[serde(untagged)]
enum Written {
    Value(Value),
    Table(Patterns<Value>),
}

/// PEFT's default.
fn default_rank() -> usize {
    8
}

/// PEFT's default.
fn default_alpha() -> f64 {
    8.0
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
            rank_pattern: Patterns::default(),
            alpha_pattern: Patterns::default(),
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
        let mut config: Self = serde_json::from_value(Value::Object(fields)).map_err(broken)?;
        // Read again, since a value has no order.
        let Tables { rank_pattern, alpha_pattern } =
            serde_json::from_slice(json).map_err(broken)?;
        (config.rank_pattern, config.alpha_pattern) = (rank_pattern, alpha_pattern);
        config.check(limits)?;
        Ok(config)
    }

    /// The file that PEFT reads, with PEFT's defaults for what this configuration has no field for.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut fields: BTreeMap<String, Written> = BTreeMap::new();
        for (name, value) in FIXED {
            let value = serde_json::from_str(value).expect("the constants are JSON");
            fields.insert((*name).to_owned(), Written::Value(value));
        }
        let own = serde_json::to_value(self).expect("plain data has a JSON form");
        if let Value::Object(own) = own {
            let own = own.into_iter().map(|(k, v)| (k, Written::Value(as_python_would(v))));
            fields.extend(own);
        }
        let table = |values: Vec<(&String, Value)>| {
            let mut table = Patterns::default();
            values.into_iter().for_each(|(k, v)| table.insert(k.as_str(), as_python_would(v)));
            Written::Table(table)
        };
        let ranks = self.rank_pattern.iter().map(|(k, &rank)| (k, rank.into()));
        let alphas = self.alpha_pattern.iter().map(|(k, &alpha)| (k, alpha.into()));
        fields.insert("rank_pattern".to_owned(), table(ranks.collect()));
        fields.insert("alpha_pattern".to_owned(), table(alphas.collect()));
        let mut text = serde_json::to_string_pretty(&fields).expect("plain data has a JSON form");
        text.push('\n');
        text
    }

    /// Whether every number is in its range and within `limits`.
    ///
    /// # Errors
    /// [`AdapterError::Rank`], [`AdapterError::Range`], [`AdapterError::Pattern`];
    /// [`AdapterError::Unsupported`] for numbers of layers that PEFT refuses: beside a regular expression
    /// as `target_modules`, or a pattern of them without them.
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
        self.check_layers()?;
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

    fn check_layers(&self) -> Result<(), AdapterError> {
        let refused = |field: &str, hint| {
            let (field, value) = (field.to_owned(), "given".to_owned());
            Err(AdapterError::Unsupported { field, value, hint })
        };
        let is_pattern = matches!(self.target_modules, Modules::Pattern(_));
        let has_pattern = self.layers_pattern.as_ref().is_some_and(|p| !p.as_slice().is_empty());
        match (&self.layers_to_transform, is_pattern) {
            (Some(_), true) => {
                refused("layers_to_transform", "list `target_modules` by their names")
            }
            (_, true) if has_pattern => {
                refused("layers_pattern", "list `target_modules` by their names")
            }
            (None, _) if has_pattern => {
                refused("layers_pattern", "say `layers_to_transform` as well")
            }
            _ => Ok(()),
        }
    }

    /// The limits of tables, each key of which is compiled.
    fn tables(limits: &AdapterLimits) -> AdapterLimits {
        AdapterLimits { max_patterns: limits.max_expressions, ..*limits }
    }

    /// The factor of the product of the two matrices.
    pub(crate) fn scale(&self, rank: usize, alpha: f64) -> f64 {
        let rank = rank as f64;
        alpha / if self.use_rslora { rank.sqrt() } else { rank }
    }
}

impl AdapterLimits {
    pub(crate) fn check_patterns<'a>(
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
    fn patterns_keep_the_order_of_the_file() {
        let order =
            |config: &LoraConfig| config.rank_pattern.keys().cloned().collect::<Vec<_>>().join(" ");
        let json = with(r#""rank_pattern": {"v_proj": 30, "self_attn.v_proj": 3}"#);
        let config = read(&json).expect("two patterns");
        assert_eq!(order(&config), "v_proj self_attn.v_proj");
        assert_eq!(order(&read(&config.to_json()).expect("just written")), order(&config));
        let json = with(r#""rank_pattern": {"self_attn.v_proj": 3, "v_proj": 30}"#);
        assert_eq!(order(&read(&json).expect("two patterns")), "self_attn.v_proj v_proj");
        assert!(read(&with(r#""rank_pattern": null"#)).expect("none").rank_pattern.is_empty());
    }

    #[test]
    fn what_a_file_leaves_out_is_pefts_default() {
        let config = read(r#"{"target_modules": ["q"]}"#).expect("it names its layers");
        assert_eq!((config.r, config.lora_alpha, config.lora_dropout), (8, 8.0, 0.0));
    }

    #[test]
    fn numbers_of_layers_that_peft_refuses_are_refused() {
        let pattern = r#"{"target_modules": ".*q", "layers_to_transform": [0]}"#;
        for json in [pattern, &with(r#""layers_pattern": "layers""#)] {
            assert!(matches!(read(json), Err(AdapterError::Unsupported { .. })), "{json}");
        }
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
