//! The networks that a recipe can name.

use std::path::Path;

use anyhow::Result;
use baselines::ResNet;
use burn::tensor::Device;
use cifake_training::Network;
use tinyvit::TinyVit;

/// A network that a recipe can name, and how its weights are opened.
pub(super) trait Trained: Network {
    /// The network of `config` with the weights in the file at `path`; `seed` draws what it lacks.
    fn open(config: &Self::Config, path: &Path, seed: u64, device: &Device) -> Result<Self>;
}

impl Trained for TinyVit {
    fn open(config: &Self::Config, path: &Path, seed: u64, device: &Device) -> Result<Self> {
        Ok(config.load_for_fine_tuning(path, seed, device)?)
    }
}

impl Trained for ResNet {
    fn open(config: &Self::Config, path: &Path, seed: u64, device: &Device) -> Result<Self> {
        Ok(config.load_for_fine_tuning(path, seed, device)?)
    }
}
