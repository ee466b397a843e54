//! Recipes: the configuration of a run as a TOML file.

use std::path::Path;

use cifake_kernels::Products;
use cifake_optim::Schedule;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::adversary::Adversary;
use crate::augment::Augment;
use crate::data_config::DataConfig;
use crate::range::{MAX_COUNT, MAX_STEPS, Range};
use crate::teacher::Distillation;
use crate::{Network, TrainError};

/// Largest recipe or queue that is read.
const MAX_BYTES: u64 = 1 << 20;

/// A recipe file: model, data and training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The key `preset` and changed fields of it, see [`Recipe::model_config`].
    pub model: serde_json::Map<String, serde_json::Value>,
    /// The part of the training set that is used.
    #[serde(default)]
    pub data: DataConfig,
    /// The settings of the training.
    #[serde(default)]
    pub train: TrainConfig,
}

/// The content of the TOML file at `path`.
pub(crate) fn from_toml<T: DeserializeOwned>(path: &Path) -> Result<T, TrainError> {
    let bytes = cifake::file::read_limited(path, MAX_BYTES)?;
    let broken = |source| TrainError::Toml { path: path.to_owned(), source: Box::new(source) };
    toml::from_slice(&bytes).map_err(broken)
}

impl Recipe {
    /// The recipe in the file at `path`.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, or that is not a recipe.
    pub fn open(path: &Path) -> Result<Self, TrainError> {
        from_toml(path)
    }

    /// The preset of `N` that the section `model` names. The other keys of the section are fields of
    /// the configuration and replace the preset's values.
    ///
    /// # Errors
    ///
    /// [`TrainError::Config`] with the key that is unknown, missing or out of range, in any section.
    pub fn model_config<N: Network>(&self) -> Result<N::Config, TrainError> {
        self.data.validate().map_err(TrainError::Config)?;
        self.train.validate().map_err(TrainError::Config)?;
        let name = self.model.get("preset").and_then(Value::as_str);
        let preset = name.and_then(N::preset).ok_or_else(|| {
            let known = N::PRESETS.join(", ");
            TrainError::Config(format!("the section model needs a preset: {known}"))
        })?;
        let mut value = serde_json::to_value(preset).expect("plain data has a JSON form");
        for (key, change) in self.model.iter().filter(|(key, _)| *key != "preset") {
            value[key] = change.clone();
        }
        let config: N::Config = serde_json::from_value(value)
            .map_err(|error| TrainError::Config(format!("the section model: {error}")))?;
        validate_model::<N>(&config)?;
        Ok(config)
    }
}

/// Whether a network of `config` can be built and is a detector.
pub(crate) fn validate_model<N: Network>(config: &N::Config) -> Result<(), TrainError> {
    N::check(config).map_err(TrainError::Config)?;
    match N::n_outputs(config) {
        1 | 2 => Ok(()),
        n => Err(TrainError::Config(format!(
            "the section model: a detector has 1 or 2 outputs, not {n}; set n_classes"
        ))),
    }
}

/// The settings of a training run. Together with the data and the model they determine the weights.
///
/// Begin with [`TrainConfig::default`] or [`TrainConfig::original`] and change fields:
///
/// ```
/// use cifake_training::TrainConfig;
///
/// let mut config = TrainConfig::default().with_epochs(4).with_batch_size(64);
/// config.weight_decay = 0.01;
/// assert!(config.validate().is_ok());
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct TrainConfig {
    /// Root of every random draw.
    pub seed: u64,
    /// Passes over the training set, 1 to 2^20.
    pub epochs: usize,
    /// Pictures a step, 1 to 2^20; an incomplete batch at the end of an epoch is left out.
    pub batch_size: usize,
    /// Highest learning rate, reached at the end of the warm-up; above 0, at most 100.
    pub learning_rate: f64,
    /// Learning rate at the end of the cosine, 0 to `learning_rate`.
    pub min_learning_rate: f64,
    /// Length of the linear warm-up in epochs, 0 to `epochs`.
    pub warmup_epochs: f64,
    /// Decoupled weight decay (AdamW) of matrices and kernels, 0 to 100; norms and biases have none.
    pub weight_decay: f64,
    /// Decay rates of AdamW's two moments, in `[0, 1)`.
    pub betas: [f64; 2],
    /// Added to the root of AdamW's second moment; above 0, at most 1.
    pub epsilon: f64,
    /// Largest l2 norm of the whole gradient, 0 to 1e9; a larger one is scaled down to it. 0 turns it off.
    pub clip_norm: f64,
    /// Targets are moved by this towards one half, `t (1 - s) + s / 2`; in `[0, 1)`.
    pub label_smoothing: f64,
    /// Decay of the exponential moving average of the weights; the average is validated and saved. The
    /// decay starts lower, at `(1 + step) / (10 + step)`. It is in `[0, 1)`; 0 turns averaging off.
    pub ema_decay: f64,
    /// Precision of the operands of matrix products, forward and backward; all else is `f32`.
    pub products: Products,
    /// Augmentation of training pictures.
    pub augment: Augment,
    /// Adversarial training, if any.
    pub adversary: Option<Adversary>,
    /// Distillation, if any.
    pub teacher: Option<Distillation>,
    /// Longest time between two checkpoints, 0 to 1e6 minutes.
    pub checkpoint_minutes: f64,
    /// Steps between two checkpoints in addition, at most 2^30; 0 for none.
    pub checkpoint_steps: usize,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            epochs: 10,
            batch_size: 128,
            learning_rate: 1.5e-3,
            min_learning_rate: 1e-5,
            warmup_epochs: 0.5,
            weight_decay: 0.05,
            betas: [0.9, 0.999],
            epsilon: 1e-8,
            clip_norm: 5.0,
            label_smoothing: 0.05,
            ema_decay: 0.999,
            products: Products::F32,
            augment: Augment::default(),
            adversary: None,
            teacher: None,
            checkpoint_minutes: 3.0,
            checkpoint_steps: 0,
        }
    }
}

impl TrainConfig {
    /// The reference recipe for a timm `tiny_vit_21m_224` with one logit: Adam at 1e-4
    /// without decay, cosine over 10 epochs, batch 32, no augmentation, no averaging.
    #[must_use]
    pub fn original() -> Self {
        Self {
            epochs: 10,
            batch_size: 32,
            learning_rate: 1e-4,
            min_learning_rate: 0.0,
            warmup_epochs: 0.0,
            weight_decay: 0.0,
            clip_norm: 0.0,
            label_smoothing: 0.0,
            ema_decay: 0.0,
            augment: Augment::none(),
            ..Self::default()
        }
    }

    /// Sets the number of passes over the training set.
    #[must_use]
    pub fn with_epochs(self, epochs: usize) -> Self {
        Self { epochs, ..self }
    }

    /// Sets the number of pictures a step.
    #[must_use]
    pub fn with_batch_size(self, batch_size: usize) -> Self {
        Self { batch_size, ..self }
    }

    /// Sets the augmentation.
    #[must_use]
    pub fn with_augment(self, augment: Augment) -> Self {
        Self { augment, ..self }
    }

    /// Trains against `adversary`.
    #[must_use]
    pub fn with_adversary(self, adversary: Adversary) -> Self {
        Self { adversary: Some(adversary), ..self }
    }

    /// Checks the ranges of all fields.
    ///
    /// # Errors
    ///
    /// A sentence with the field that is out of range.
    pub fn validate(&self) -> Result<(), String> {
        let count = Range::Closed(1.0, MAX_COUNT as f64);
        count.check_count("epochs", self.epochs)?;
        count.check_count("batch_size", self.batch_size)?;
        let steps = Range::Closed(0.0, MAX_STEPS as f64);
        steps.check_count("checkpoint_steps", self.checkpoint_steps)?;
        let fraction = Range::Below(0.0, 1.0);
        for (name, value, range) in [
            ("learning_rate", self.learning_rate, Range::Above(0.0, 100.0)),
            ("min_learning_rate", self.min_learning_rate, Range::Closed(0.0, self.learning_rate)),
            ("warmup_epochs", self.warmup_epochs, Range::Closed(0.0, self.epochs as f64)),
            ("weight_decay", self.weight_decay, Range::Closed(0.0, 100.0)),
            ("the first of betas", self.betas[0], fraction),
            ("the second of betas", self.betas[1], fraction),
            ("epsilon", self.epsilon, Range::Above(0.0, 1.0)),
            ("clip_norm", self.clip_norm, Range::Closed(0.0, 1e9)),
            ("label_smoothing", self.label_smoothing, fraction),
            ("ema_decay", self.ema_decay, fraction),
            ("checkpoint_minutes", self.checkpoint_minutes, Range::Closed(0.0, 1e6)),
        ] {
            range.check(name, value)?;
        }
        if let Some(teacher) = &self.teacher {
            teacher.validate()?;
        }
        if let Some(adversary) = &self.adversary {
            adversary.validate()?;
            if self.augment.mixes() {
                return Err("an adversary needs pictures of one label: mixup_probability and \
                            cutmix_probability must be 0"
                    .into());
            }
        }
        self.augment.validate()
    }

    /// Learning rate of a step: linear warm-up, then half a cosine.
    #[must_use]
    pub fn learning_rate_at(&self, step: usize, steps_per_epoch: usize) -> f64 {
        let n_warmup = self.warmup_epochs * steps_per_epoch as f64;
        let n_steps = self.epochs * steps_per_epoch;
        Schedule::new(self.learning_rate, self.min_learning_rate, n_warmup, n_steps).rate(step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Small;

    #[test]
    fn the_rate_rises_to_its_peak_and_falls_to_its_floor() {
        let config = TrainConfig { epochs: 4, warmup_epochs: 1.0, ..TrainConfig::default() };
        let rates: Vec<f64> = (0..=40).map(|step| config.learning_rate_at(step, 10)).collect();
        assert!(rates[..10].is_sorted());
        assert_eq!(rates[9], config.learning_rate);
        assert!(rates[10..].is_sorted_by(|a, b| a >= b));
        assert!((rates[40] - config.min_learning_rate).abs() < 1e-12);
    }

    #[test]
    fn a_section_changes_a_preset() {
        let config = |json: &str| {
            let model = serde_json::from_str(json).expect("the JSON is valid");
            let recipe =
                Recipe { model, data: DataConfig::default(), train: TrainConfig::default() };
            recipe.model_config::<Small>()
        };
        assert_eq!(config(r#"{"preset": "small"}"#).expect("it is known").width, 4);
        assert_eq!(config(r#"{"preset": "small", "width": 7}"#).expect("a field").width, 7);
        for broken in [
            r#"{"width": 7}"#,
            r#"{"preset": "large"}"#,
            r#"{"preset": "small", "widht": 7}"#,
            r#"{"preset": "small", "width": 0}"#,
            r#"{"preset": "small", "n_outputs": 1000}"#,
            r#"{"preset": "small", "n_outputs": 0}"#,
        ] {
            assert!(config(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn a_recipe_is_checked_before_its_pictures_are_read() {
        for section in [
            "[train]\nbatch_size = 0",
            "[data]\nvalidation_fraction = 2.0",
            "[data]\nvalidation_fraction = 0.0",
        ] {
            let text = format!("model = {{ preset = 'small' }}\n{section}");
            let recipe: Recipe = toml::from_str(&text).expect("it is a recipe");
            let error = recipe.model_config::<Small>().expect_err(section);
            assert!(matches!(error, TrainError::Config(_)), "{error}");
        }
    }

    #[test]
    fn the_presets_are_valid_and_nonsense_is_not() {
        assert_eq!(TrainConfig::default().validate(), Ok(()));
        assert_eq!(TrainConfig::original().validate(), Ok(()));
        for broken in [
            TrainConfig { learning_rate: f64::NAN, ..TrainConfig::default() },
            TrainConfig { epochs: 1 << 62, ..TrainConfig::default() },
            TrainConfig { epochs: usize::MAX, ..TrainConfig::default() },
            TrainConfig { batch_size: 1 << 40, ..TrainConfig::default() },
        ] {
            assert!(broken.validate().is_err(), "{broken:?}");
        }
    }

    /// Every number of a recipe by its path, with the part of the error that names it.
    const NUMBERS: [(&str, &str); 31] = [
        ("data.side", "side"),
        ("data.validation_fraction", "validation_fraction"),
        ("data.limit", "limit"),
        ("train.epochs", "epochs"),
        ("train.batch_size", "batch_size"),
        ("train.learning_rate", "learning_rate"),
        ("train.min_learning_rate", "min_learning_rate"),
        ("train.warmup_epochs", "warmup_epochs"),
        ("train.weight_decay", "weight_decay"),
        ("train.betas", "betas"),
        ("train.epsilon", "epsilon"),
        ("train.clip_norm", "clip_norm"),
        ("train.label_smoothing", "label_smoothing"),
        ("train.ema_decay", "ema_decay"),
        ("train.checkpoint_minutes", "checkpoint_minutes"),
        ("train.checkpoint_steps", "checkpoint_steps"),
        ("train.augment.shift", "shift"),
        ("train.augment.colour", "colour"),
        ("train.augment.jpeg_probability", "jpeg_probability"),
        ("train.augment.mixup_probability", "mixup_probability"),
        ("train.augment.cutmix_probability", "cutmix_probability"),
        ("train.adversary.epsilon", "epsilon"),
        ("train.adversary.steps", "steps"),
        ("train.adversary.single_step_size", "single_step_size"),
        ("train.adversary.ramp_epochs", "ramp_epochs"),
        ("train.adversary.share", "share"),
        ("train.adversary.trades", "trades"),
        ("train.adversary.guard_steps", "guard_steps"),
        ("train.adversary.guard_gap", "guard_gap"),
        ("train.adversary.validation", "validation"),
        ("train.teacher.temperature", "temperature"),
    ];

    /// Recipes with a number that is NaN, infinite, negative or huge are refused at the door by its name.
    #[test]
    fn no_number_of_a_recipe_is_without_a_range() {
        for (path, name) in NUMBERS {
            for value in ["nan", "-inf", "1e300", "-1e300", "9000000000000000000"] {
                let value = if path.ends_with("betas") {
                    format!("[0.9, {value}]")
                } else {
                    value.to_owned()
                };
                let (section, key) = path.rsplit_once('.').expect("a section and a key");
                let rest = match section {
                    "train.teacher" => "weights = ['a']\nweight = 1.0\n",
                    _ => "",
                };
                let text =
                    format!("[model]\npreset = 'small'\n[{section}]\n{rest}{key} = {value}\n");
                let error = match toml::from_str::<Recipe>(&text) {
                    Err(error) => error.to_string(),
                    Ok(recipe) => match recipe.model_config::<Small>() {
                        Err(error) => error.to_string(),
                        Ok(_) => panic!("{path} = {value} is accepted"),
                    },
                };
                assert!(error.contains(name), "{path} = {value}: {error}");
            }
        }
    }
}
