//! Recipe files.

use cifake_kernels::Products;
use cifake_training::{DataConfig, Range};
use serde::{Deserialize, Serialize};

use super::FareConfig;

/// Most steps, pictures a step and steps of the attack.
const MAX_COUNT: usize = 1 << 20;

/// A recipe file: data, robust training, and its bookkeeping.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FareRecipe {
    /// The part of the training set that is used, of both labels. Labels have no part in the training.
    #[serde(default)]
    pub data: DataConfig,
    /// The settings of the robust training.
    pub fare: FareConfig,
    /// Precision of the operands of the products of linear layers; all else is `f32`.
    #[serde(default)]
    pub products: Products,
    /// Steps between two rows, each with a checkpoint and a weight file; 1 to 2^20.
    #[serde(default = "hundred")]
    pub row_steps: usize,
}

fn hundred() -> usize {
    100
}

impl FareRecipe {
    /// Checks the ranges of all fields.
    ///
    /// # Errors
    ///
    /// A sentence with the field that is out of range.
    pub fn validate(&self) -> Result<(), String> {
        let FareConfig { epsilon, step_size, attack_steps, momentum, .. } = self.fare;
        let FareConfig { learning_rate, weight_decay, warmup_steps, steps, batch_size, .. } =
            self.fare;
        let count = Range::Closed(1.0, MAX_COUNT as f64);
        for (name, value) in [
            ("row_steps", self.row_steps),
            ("attack_steps", attack_steps),
            ("steps", steps),
            ("batch_size", batch_size),
        ] {
            count.check_count(name, value)?;
        }
        Range::Closed(0.0, MAX_COUNT as f64).check_count("warmup_steps", warmup_steps)?;
        for (name, value, range) in [
            ("epsilon", epsilon.value(), Range::Above(0.0, 1.0)),
            ("step_size", step_size.value(), Range::Above(0.0, 1.0)),
            ("momentum", momentum, Range::Closed(0.0, 1e3)),
            ("learning_rate", learning_rate, Range::Above(0.0, 100.0)),
            ("weight_decay", weight_decay, Range::Closed(0.0, 100.0)),
        ] {
            range.check(name, value)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use cifake_attacks::Epsilon;

    use super::*;

    #[test]
    fn a_recipe_of_nonsense_is_refused() {
        let recipe = |fare| FareRecipe {
            data: DataConfig::default(),
            fare,
            products: Products::F32,
            row_steps: 1,
        };
        let good = FareConfig::fare2();
        assert_eq!(recipe(good).validate(), Ok(()));
        let none = Epsilon::new(0.0).expect("a radius");
        for broken in [
            FareConfig { epsilon: none, ..good },
            FareConfig { step_size: none, ..good },
            FareConfig { attack_steps: 0, ..good },
            FareConfig { momentum: f64::NAN, ..good },
            FareConfig { learning_rate: 0.0, ..good },
            FareConfig { weight_decay: -1.0, ..good },
            FareConfig { warmup_steps: usize::MAX, ..good },
            FareConfig { steps: 0, ..good },
            FareConfig { batch_size: usize::MAX, ..good },
        ] {
            assert!(recipe(broken).validate().is_err(), "{broken:?}");
        }
        assert!(FareRecipe { row_steps: 0, ..recipe(good) }.validate().is_err());
    }

    #[test]
    fn what_a_recipe_leaves_out_has_a_default_and_other_keys_are_refused() {
        let fare = serde_json::to_value(FareConfig::fare2()).expect("it has a JSON form");
        let text = format!("{{\"fare\": {fare}}}");
        let recipe: FareRecipe = serde_json::from_str(&text).expect("all fields are there");
        assert_eq!((recipe.fare, recipe.row_steps), (FareConfig::fare2(), 100));
        assert!(serde_json::from_str::<FareRecipe>(&text.replace("seed", "sed")).is_err());
    }
}
