//! The settings of a fine-tuning run.

use cifake_optim::{AdamW, Rounding, Schedule};
use serde::{Deserialize, Serialize};

use crate::error::TrainingError;
use crate::peft::{AdapterLimits, LoraConfig, Modules};

/// Another learning rate for the layers that a pattern names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartRate {
    /// Names of the layers, as `target_modules` of an adapter names them.
    pub modules: Modules,
    /// Learning rate at its highest.
    pub learning_rate: f64,
}

/// A fine-tuning run. The batches, the order of the examples and the draws of dropout are functions
/// of `seed`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TuningConfig {
    /// The adapter that is trained; `modules_to_save` are trained whole.
    pub lora: LoraConfig,
    /// Seed of all chance.
    #[serde(default)]
    pub seed: u64,
    /// Times that each example is seen.
    #[serde(default = "defaults::epochs")]
    pub epochs: usize,
    /// Examples that are computed at once.
    #[serde(default = "defaults::batch_size")]
    pub batch_size: usize,
    /// Batches whose gradients make one step.
    #[serde(default = "defaults::accumulation")]
    pub accumulation: usize,
    /// Learning rate at its highest.
    pub learning_rate: f64,
    /// Other rates; the first whose modules hold a layer counts.
    #[serde(default)]
    pub rates: Vec<PartRate>,
    /// Share of the steps in which the rate rises, in `[0, 1]`.
    #[serde(default)]
    pub warmup: f64,
    /// AdamW's weight decay.
    #[serde(default)]
    pub weight_decay: f64,
    /// AdamW's decay of its two averages.
    #[serde(default = "defaults::betas")]
    pub betas: [f64; 2],
    /// Added to what AdamW divides by.
    #[serde(default = "defaults::epsilon")]
    pub epsilon: f64,
    /// Norm to which a gradient is scaled down; 0 for none.
    #[serde(default = "defaults::clip_norm")]
    pub clip_norm: f64,
    /// Tokens of an example; what comes after them is left out.
    #[serde(default = "defaults::max_tokens")]
    pub max_tokens: usize,
    /// Computes each layer a second time on the way back instead of keeping what it computed: the
    /// same gradients in less memory, a third slower.
    #[serde(default)]
    pub gradient_checkpointing: bool,
    /// Steps between checkpoints; 0 for one an epoch.
    #[serde(default)]
    pub checkpoint_steps: usize,
}

mod defaults {
    //! Those of transformers' `TrainingArguments`, and LLaMA-Factory's length.
    pub(super) fn epochs() -> usize {
        3
    }
    pub(super) fn batch_size() -> usize {
        1
    }
    pub(super) fn accumulation() -> usize {
        8
    }
    pub(super) fn betas() -> [f64; 2] {
        [0.9, 0.999]
    }
    pub(super) fn epsilon() -> f64 {
        1e-8
    }
    pub(super) fn clip_norm() -> f64 {
        1.0
    }
    pub(super) fn max_tokens() -> usize {
        2048
    }
}

/// Every layer of the decoder, whatever the model calls it, but the head.
const LANGUAGE_LAYERS: &str =
    r"(?!.*(?:visual|vision)).*\.(?:mlp|self_attn)\.(?:up|down|gate|q|k|v|o)_proj";
/// Vision tower and what joins it to the language.
const VISION: &str =
    r"(?:.*\.)?(?:visual|vision_model|vision_tower|multi_modal_projector|projector)\..*";
/// Linear layers of Qwen2-VL's vision tower and merger; none of the decoder's ends so.
const QWEN2_VL_TOWER: &[&str] =
    &["attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2", "merger.mlp.0", "merger.mlp.2"];
/// The layers of Qwen2-VL that join the vision tower to the language model.
const MERGER: &str = r"(?:.*\.)?visual\.merger\..*";

impl TuningConfig {
    /// An adapter trained with a rate, the rest as in transformers.
    #[must_use]
    pub fn new(lora: LoraConfig, learning_rate: f64) -> Self {
        Self {
            lora,
            seed: 0,
            epochs: defaults::epochs(),
            batch_size: defaults::batch_size(),
            accumulation: defaults::accumulation(),
            learning_rate,
            rates: Vec::new(),
            warmup: 0.0,
            weight_decay: 0.0,
            betas: defaults::betas(),
            epsilon: defaults::epsilon(),
            clip_norm: defaults::clip_norm(),
            max_tokens: defaults::max_tokens(),
            gradient_checkpointing: false,
            checkpoint_steps: 0,
        }
    }

    /// The recipe that the original project gave LLaMA-Factory: rank 8 and alpha 16 on every linear
    /// layer, rate 5e-5, cosine. LLaMA-Factory freezes vision tower and projector unless told
    /// otherwise, and its own examples warm up for a tenth.
    #[must_use]
    pub fn llama_factory() -> Self {
        let lora = LoraConfig::new(8, 16.0, Modules::all_linear());
        let lora = lora.without(Modules::Pattern(VISION.to_owned()));
        Self { warmup: 0.1, ..Self::new(lora, 5e-5) }
    }

    /// The recipe that the original project gave axolotl: rank 32, alpha 16 and dropout 0.05 on the
    /// language layers, rate 2e-4, cosine.
    #[must_use]
    pub fn axolotl() -> Self {
        let layers = Modules::Pattern(LANGUAGE_LAYERS.to_owned());
        Self::new(LoraConfig::new(32, 16.0, layers).with_dropout(0.05), 2e-4)
    }

    /// The recipe of 2U1's `Qwen2-VL-Finetune`. The language layers have rank 64 and alpha 64 at
    /// 1e-4. The vision tower at 2e-6 and the merger at 1e-5 are trained whole. The schedule is a
    /// cosine with a warm-up of 0.03.
    ///
    /// Here "whole" means every linear layer of the two, each by its name, so that PEFT saves and
    /// reads the same. Their norms and the patch embedding stay frozen.
    #[must_use]
    pub fn qwen2_vl_finetune() -> Self {
        let layers = Modules::Pattern(LANGUAGE_LAYERS.to_owned());
        let lora = LoraConfig::new(64, 64.0, layers).with_modules_to_save(QWEN2_VL_TOWER);
        let rate = |pattern: &str, learning_rate| PartRate {
            modules: Modules::Pattern(pattern.to_owned()),
            learning_rate,
        };
        let rates = vec![rate(MERGER, 1e-5), rate(VISION, 2e-6)];
        Self { warmup: 0.03, rates, ..Self::new(lora, 1e-4) }
    }

    /// Examples of one step.
    #[must_use]
    pub fn examples_per_step(&self) -> usize {
        self.batch_size * self.accumulation
    }

    /// The factor of all learning rates over `n_steps` steps, of which a share of `warmup`, rounded up,
    /// rises from 0: transformers' `get_cosine_schedule_with_warmup`.
    #[must_use]
    pub(crate) fn schedule(&self, n_steps: usize) -> Schedule {
        let n_warmup = (n_steps as f64 * self.warmup).ceil();
        Schedule::new(1.0, 0.0, n_warmup, n_steps).starting_at_zero()
    }

    /// The optimizer.
    #[must_use]
    pub(crate) fn optimizer(&self) -> AdamW {
        let Self { betas, epsilon, clip_norm, .. } = *self;
        AdamW { betas, epsilon, clip_norm, rounding: Rounding::Quotient }
    }

    /// Whether every number is in its range.
    ///
    /// # Errors
    /// [`TrainingError::Recipe`], and those of [`LoraConfig::check`].
    pub fn check(&self, limits: &AdapterLimits) -> Result<(), crate::error::Error> {
        self.lora.check(limits)?;
        let counts = [
            ("epochs", self.epochs),
            ("batch_size", self.batch_size),
            ("accumulation", self.accumulation),
        ];
        for (field, count) in counts {
            demand((1..=1 << 20).contains(&count), field, count, "1 to a million")?;
        }
        demand(self.max_tokens >= 2, "max_tokens", self.max_tokens, "at least 2")?;
        let rates = self.rates.iter().map(|rate| rate.learning_rate);
        for rate in rates.chain([self.learning_rate]) {
            demand((0.0..=1.0).contains(&rate), "learning_rate", rate, "from 0 to 1")?;
        }
        for beta in self.betas {
            demand((0.0..1.0).contains(&beta), "betas", beta, "at least 0 and below 1")?;
        }
        demand((0.0..=1.0).contains(&self.warmup), "warmup", self.warmup, "from 0 to 1")?;
        let (decay, clip) = (self.weight_decay, self.clip_norm);
        demand((0.0..=1.0).contains(&decay), "weight_decay", decay, "from 0 to 1")?;
        demand(clip.is_finite() && clip >= 0.0, "clip_norm", clip, "at least 0")?;
        let positive = self.epsilon > 0.0 && self.epsilon <= 1.0;
        Ok(demand(positive, "epsilon", self.epsilon, "above 0 and at most 1")?)
    }
}

fn demand(
    holds: bool,
    field: &'static str,
    value: impl ToString,
    range: &'static str,
) -> Result<(), TrainingError> {
    match holds {
        true => Ok(()),
        false => Err(TrainingError::Recipe { field, value: value.to_string(), range }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lora::{Role, Selection};

    fn role(config: &TuningConfig, path: &str) -> Role {
        let limits = AdapterLimits::default();
        config.check(&limits).expect("a preset can be run");
        let selection = Selection::new(&config.lora, &limits).expect("its patterns are regular");
        selection.role(path).expect("nothing takes long")
    }

    #[test]
    fn presets_train_the_layers_of_their_recipes() {
        let language = "model.layers.3.self_attn.q_proj";
        let vision = ["visual.blocks.0.attn.qkv", "visual.merger.mlp.0"];
        let presets = [
            TuningConfig::llama_factory(),
            TuningConfig::axolotl(),
            TuningConfig::qwen2_vl_finetune(),
        ];
        for (preset, [rank, scale]) in presets.iter().zip([[8.0, 2.0], [32.0, 0.5], [64.0, 1.0]]) {
            let rank = rank as usize;
            assert_eq!(role(preset, language), Role::LowRank { rank, scale });
            let nested = "model.language_model.layers.3.mlp.up_proj";
            assert_eq!(role(preset, nested), Role::LowRank { rank, scale });
            assert_eq!(role(preset, "lm_head"), Role::Untouched);
        }
        for path in vision.into_iter().flat_map(|path| [path.to_owned(), format!("model.{path}")]) {
            let path = path.as_str();
            assert_eq!(role(&presets[0], path), Role::Untouched);
            assert_eq!(role(&presets[1], path), Role::Untouched);
            assert_eq!(role(&presets[2], path), Role::Whole);
        }
    }

    /// The schedule of earlier versions, on which checkpoints depend.
    #[test]
    fn the_schedule_keeps_its_bits() {
        let lora = LoraConfig::new(1, 1.0, Modules::all_linear());
        for (n_steps, warmup) in [(1, 0.0), (7, 0.03), (100, 0.1), (313, 1.0)] {
            let config = TuningConfig { warmup, ..TuningConfig::new(lora.clone(), 1e-3) };
            let schedule = config.schedule(n_steps);
            let n_warmup = (n_steps as f64 * warmup).ceil() as usize;
            for step in 0..n_steps {
                let expected = if step < n_warmup {
                    step as f64 / n_warmup as f64
                } else {
                    let left = n_steps.saturating_sub(n_warmup).max(1) as f64;
                    let progress = (step - n_warmup) as f64 / left;
                    (0.5 * (1.0 + (std::f64::consts::PI * progress).cos())).max(0.0)
                };
                assert_eq!(
                    schedule.rate(step).to_bits(),
                    expected.to_bits(),
                    "{step} of {n_steps}"
                );
            }
        }
    }

    #[test]
    fn a_recipe_is_read_with_defaults_and_checked() {
        let json = r#"{"learning_rate": 1e-3,
            "lora": {"r": 4, "lora_alpha": 8, "target_modules": "all-linear"}}"#;
        let mut config: TuningConfig = serde_json::from_str(json).expect("it is whole");
        assert_eq!(config.examples_per_step(), 8);
        config.accumulation = 0;
        let refused = config.check(&AdapterLimits::default());
        let expected = TrainingError::Recipe {
            field: "accumulation",
            value: "0".to_owned(),
            range: "1 to a million",
        };
        assert_eq!(refused.expect_err("nothing to do").to_string(), expected.to_string());
    }
}
