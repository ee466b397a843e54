//! Arguments of a model's preprocessing.

use std::path::Path;

use anyhow::Result;
use burn::tensor::Device;
use vlm_lora::image::Enlargement;
use vlm_lora::{Assistant, WeightFormat};

use crate::{TemplateArgs, TowerArgs};

/// The preparation of pictures for a model.
#[derive(Debug, Clone, clap::Args)]
pub struct SightArgs {
    #[command(flatten)]
    tower: TowerArgs,
    /// Enlargement of small pictures: off, upscale:PIXELS (of the shorter side, bicubic) or
    /// canvas:PIXELS (unscaled on a gray square).
    #[arg(long = "enlarge", value_name = "HOW", default_value = "off")]
    enlargement: Enlargement,
    /// Maximum number of crops beside the whole picture, for MC-LLaVA and pictures above 576x576.
    #[arg(long, value_name = "N", default_value_t = 0)]
    max_crops: usize,
    #[command(flatten)]
    template: TemplateArgs,
}

impl SightArgs {
    /// The model at `path` with the preprocessing of the arguments.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or does not support the preprocessing.
    pub fn open(
        &self,
        path: &Path,
        storage: Option<WeightFormat>,
        device: &Device,
    ) -> Result<Assistant> {
        let assistant = self.template.given(Assistant::open(path, storage, device)?)?;
        let assistant = self.tower.before(assistant, device)?;
        let assistant = assistant.with_enlargement(self.enlargement);
        match self.max_crops {
            0 => Ok(assistant),
            max_crops => Ok(assistant.with_max_crops(max_crops)?),
        }
    }
}
