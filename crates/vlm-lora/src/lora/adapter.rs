//! An adapter without its model: its configuration, and its weights in host memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use burn::tensor::TensorData;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use sha2::{Digest, Sha256};

use super::target::{Role, Selection};
use super::visit::{check_saved, try_visit};
use crate::error::AdapterError;
use crate::nn::{Change, Linear, LoraTargets};
use crate::peft::{AdapterLimits, LoraConfig};

/// A low-rank adapter: which layers it changes and how. Weights are f32 and finite.
#[derive(Debug, Clone, PartialEq)]
pub struct Adapter {
    pub(crate) config: LoraConfig,
    pub(crate) layers: BTreeMap<String, LayerWeights>,
    /// The vision tower in training; see [`LoraTargets::tower`].
    pub(crate) tower: Option<String>,
    /// Weights of the base model that PEFT put beside the adapter's, by PEFT's paths: where the head is a
    /// target, those of embedding and head.
    pub(crate) carried: BTreeMap<String, TensorData>,
}

/// The weights of an adapter for one layer.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum LayerWeights {
    /// The two matrices whose product is added.
    LowRank {
        /// `[r, in]`.
        a: TensorData,
        /// `[out, r]`.
        b: TensorData,
    },
    /// Weights in place of the layer's own.
    Whole {
        /// `[out, in]`.
        weight: TensorData,
        /// `[out]`, where the layer has one.
        bias: Option<TensorData>,
    },
}

impl LayerWeights {
    /// The tensors by the last part of their names in PEFT's file.
    pub(crate) fn named(&self) -> Vec<(&'static str, &TensorData)> {
        match self {
            Self::LowRank { a, b } => vec![("lora_A.weight", a), ("lora_B.weight", b)],
            Self::Whole { weight, bias } => {
                let bias = bias.iter().map(|bias| ("bias", bias));
                [("weight", weight)].into_iter().chain(bias).collect()
            }
        }
    }
}

impl Adapter {
    /// An adapter for `model` before any training, which changes nothing, under the names that PEFT
    /// has for its layers: `A` is uniform in `±1/√in` (Kaiming with `a = √5`, as in PEFT), drawn
    /// from `seed` and the layer's path. `B` is zero. Layers to be trained whole begin with the
    /// model's weights.
    ///
    /// # Errors
    /// [`AdapterError::NoTarget`], [`AdapterError::ModuleToSave`], and those of
    /// [`LoraConfig::check`].
    pub fn draw(
        config: LoraConfig,
        model: &mut dyn LoraTargets,
        seed: u64,
        limits: &AdapterLimits,
    ) -> Result<Self, AdapterError> {
        let selection = Selection::new(&config, limits)?;
        let (naming, tower) = (model.naming(), model.tower().map(str::to_owned));
        check_saved(&selection, model, |path| naming.to_peft(path))?;
        let (mut layers, mut targets) = (BTreeMap::new(), Vec::new());
        try_visit(model, |linear| {
            let path = naming.to_peft(linear.path());
            let weights = match selection.role(&path)? {
                Role::Untouched => return Ok(()),
                Role::LowRank { rank, .. } => {
                    targets.push(path.clone());
                    low_rank(linear, rank, seed)
                }
                Role::Whole => whole(linear),
            };
            layers.insert(path, weights);
            Ok(())
        })?;
        if layers.is_empty() {
            return Err(AdapterError::NoTarget);
        }
        selection.check_patterns(&targets)?;
        Ok(Self { config, layers, tower, carried: BTreeMap::new() })
    }

    /// The adapter `name` of `model` as it is now, under the names that it was attached with.
    ///
    /// # Errors
    /// [`AdapterError::Unknown`].
    pub fn of(model: &mut dyn LoraTargets, name: &str) -> Result<Self, AdapterError> {
        let mut header = None;
        let mut layers = BTreeMap::new();
        model.visit_linears(&mut |linear| {
            let path = linear.path().to_owned();
            let Some(attached) = linear.adapters.get(name) else { return };
            header = Some(Arc::clone(&attached.header));
            let weights = match &attached.change {
                Change::LowRank { a, b, .. } => {
                    LayerWeights::LowRank { a: a.to_data(), b: b.to_data() }
                }
                Change::Whole { weight, bias } => LayerWeights::Whole {
                    weight: weight.to_data(),
                    bias: bias.as_ref().map(|bias| bias.to_data()),
                },
            };
            layers.insert(attached.header.naming.to_peft(&path), weights);
        });
        let header = header.ok_or_else(|| AdapterError::Unknown { name: name.to_owned() })?;
        let (config, tower) = (header.config.clone(), header.tower.clone());
        Ok(Self { config, layers, tower, carried: BTreeMap::new() })
    }

    /// Its configuration.
    #[must_use]
    pub fn config(&self) -> &LoraConfig {
        &self.config
    }

    /// The layers that it changes, by PEFT's paths, sorted.
    #[must_use]
    pub fn layers(&self) -> &BTreeMap<String, LayerWeights> {
        &self.layers
    }

    /// The vision tower in training; see [`LoraTargets::tower`].
    #[must_use]
    pub fn tower(&self) -> Option<&str> {
        self.tower.as_deref()
    }

    /// The scale of the product of the two matrices at `path`; `None` for a layer without them.
    ///
    /// # Errors
    /// Those of the configuration's patterns.
    pub fn scale(&self, path: &str) -> Result<Option<f64>, AdapterError> {
        let Some(LayerWeights::LowRank { .. }) = self.layers.get(path) else { return Ok(None) };
        match Selection::new(&self.config, &AdapterLimits::default())?.role(path)? {
            Role::LowRank { scale, .. } => Ok(Some(scale)),
            Role::Untouched | Role::Whole => Ok(None),
        }
    }

    /// Number of weights.
    #[must_use]
    pub fn n_elements(&self) -> usize {
        let tensors = self.layers.values().flat_map(LayerWeights::named);
        tensors.map(|(_, data)| data.num_elements()).sum()
    }
}

fn low_rank(linear: &Linear, rank: usize, seed: u64) -> LayerWeights {
    let (d_input, d_output) = (linear.d_input(), linear.d_output());
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    hash.update(linear.path().as_bytes());
    let mut rng = ChaCha8Rng::from_seed(hash.finalize().into());
    let limit = 1.0 / (d_input.max(1) as f32).sqrt();
    let a: Vec<f32> = (0..rank * d_input).map(|_| rng.random_range(-limit..=limit)).collect();
    LayerWeights::LowRank {
        a: TensorData::new(a, [rank, d_input]),
        b: TensorData::new(vec![0.0f32; d_output * rank], [d_output, rank]),
    }
}

fn whole(linear: &Linear) -> LayerWeights {
    let weight = linear.weight().to_tensor().into_data();
    LayerWeights::Whole { weight, bias: linear.bias().map(|bias| bias.to_data()) }
}
