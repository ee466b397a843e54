//! A detector's network as the vision tower of a text model.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use burn::tensor::Device;
use cifake::FeatureClassifier;
use cifake_cli::args::{builder, open};
use vlm_lora::models::CutTower;
use vlm_lora::{Assistant, Random, WeightFormat};

/// Seed of the projector before its training.
const SEED: u64 = 1;

/// Vision tower of a text model.
#[derive(Debug, Clone, clap::Args)]
pub struct TowerArgs {
    /// Vision tower for a text model: the detector native, adversarial, resnet18_32, or a weight file. A
    /// projector joins both; it is trained whole and saved with the adapter. Pictures are resized to the
    /// detector's size.
    #[arg(long, value_name = "WEIGHTS")]
    tower: Option<PathBuf>,
    /// With --tower: the placeholder token of a picture.
    #[arg(long, value_name = "TOKEN", default_value = "<filename>")]
    image_token: String,
}

impl TowerArgs {
    /// `assistant` behind the detector's network, cut at its last layer, if a detector is named.
    ///
    /// # Errors
    ///
    /// If the detector cannot be read, the tokenizer lacks the token, or `assistant` reads pictures already.
    pub fn before(&self, assistant: Assistant, device: &Device) -> Result<Assistant> {
        let Some(weights) = self.tower.as_deref() else {
            return Ok(assistant);
        };
        let detector = open(builder().device(device), weights)?;
        let (width, height) = detector.input_size();
        let classifier = detector.classifier().clone();
        let layer = classifier
            .layers()
            .last()
            .context("the detector has no layer at which it could be cut")?
            .clone();
        let image_size = [height as usize, width as usize];
        let name = format!("{} at {}", detector.model_name(), layer.name);
        let tower = Arc::new(CutTower { name, classifier, layer, image_size });
        let mut projector = Random::new(SEED, WeightFormat::F32, device);
        Ok(assistant.with_tower(tower, &mut projector, &self.image_token)?)
    }
}
