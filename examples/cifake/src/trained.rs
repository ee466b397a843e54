//! The networks that can be trained: the only list of them.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Result, bail};
use baselines::{FftVae, FftVaeConfig, ResNet, ResNetConfig, VitDetector};
use burn::tensor::Device;
use cifake::weights::Configured;
use cifake_training::{Network, Recipe};
use serde_json::Value;
use tinyvit::{TinyVit, TinyVitConfig};

/// A network that a recipe can name, and how its weights are opened.
pub trait Trained: Network + 'static {
    /// The network of `config` with the weights in the file at `path`; `seed` draws what it lacks.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or holds another network.
    fn open(config: &Self::Config, path: &Path, seed: u64, device: &Device) -> Result<Self>;
}

/// Work that is done with one of the networks.
pub trait Task {
    /// The result of the work.
    type Output;

    /// Does it with networks of kind `N`.
    ///
    /// # Errors
    ///
    /// Those of the work.
    fn run<N: Trained>(self) -> Result<Self::Output>;
}

macro_rules! networks {
    ($($network:ty: $open:path),+) => {
        $(impl Trained for $network {
            fn open(config: &Self::Config, path: &Path, seed: u64, device: &Device) -> Result<Self> {
                Ok($open(config, path, seed, device)?)
            }
        })+

        /// Does `task` with the network whose preset the section model of `recipe` names.
        ///
        /// # Errors
        ///
        /// A section without a preset, or with one that no network has; those of the task.
        pub fn with_recipe<T: Task>(recipe: &Recipe, task: T) -> Result<T::Output> {
            let preset = recipe.model.get("preset").and_then(Value::as_str);
            $(if preset.is_some_and(|name| <$network>::preset(name).is_some()) {
                return task.run::<$network>();
            })+
            let known = [$(<$network>::PRESETS),+].concat().join(", ");
            bail!("the section model needs a preset: {known}")
        }

        /// Does `task` with the network whose configuration the `metadata` of a weight file hold.
        ///
        /// # Errors
        ///
        /// Metadata without a configuration; those of the task.
        pub fn with_metadata<T: Task>(
            metadata: &BTreeMap<String, String>,
            task: T,
        ) -> Result<T::Output> {
            $(if metadata.contains_key(<$network>::KEY) {
                return task.run::<$network>();
            })+
            let known = [$(<$network>::KEY),+].join(", ");
            bail!("the weight file names no network that can be trained: its metadata hold none of {known}")
        }
    };
}

networks!(
    TinyVit: TinyVitConfig::load_for_fine_tuning,
    ResNet: ResNetConfig::load_for_fine_tuning,
    FftVae: FftVaeConfig::load_for_fine_tuning,
    VitDetector: VitDetector::load_for_fine_tuning
);
