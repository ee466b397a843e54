//! How a program's arguments show pictures to a model.

use std::path::Path;

use anyhow::Result;
use burn::tensor::Device;
use vlm_lora::image::Enlargement;
use vlm_lora::{Assistant, WeightFormat};

use crate::enlargement::enlargement_named;
use crate::{TemplateArgs, TowerArgs};

/// How a model sees pictures.
#[derive(Debug, Clone, clap::Args)]
pub struct SightArgs {
    #[command(flatten)]
    tower: TowerArgs,
    /// What is done to a picture first: off, upscale:PIXELS (of the shorter side, bicubic) or
    /// canvas:PIXELS (as it is, amid grey).
    #[arg(long = "enlarge", value_name = "HOW", default_value = "off", value_parser = enlargement_named)]
    enlargement: Enlargement,
    /// Crops that MC-LLaVA sees beside a whole picture above 576x576, at most.
    #[arg(long, value_name = "N", default_value_t = 0)]
    max_crops: usize,
    #[command(flatten)]
    template: TemplateArgs,
}

impl SightArgs {
    /// The model at `path`, which sees as the arguments say.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or cannot see so.
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
