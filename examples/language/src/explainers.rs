//! Vision-language models that name artifacts.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use burn::tensor::Device;
use cifake::{file, weights};
use explain::{Explainer, VlmExplainer};
use vlm_lora::image::Enlargement;
use vlm_lora::lora::{Adapter, AdapterLimits, WEIGHTS_FILE};
use vlm_lora::{Assistant, WeightFormat};

use crate::{TemplateArgs, TowerArgs, model_name, warn_of_untrained};

/// The models that are asked.
#[derive(Debug, Clone, clap::Args)]
pub struct VlmArgs {
    /// Folder of a vision-language model, or of a text model with --tower. May be given several times;
    /// earlier models take precedence.
    #[arg(long = "model", value_name = "DIR", required_unless_present = "smoke")]
    pub models: Vec<PathBuf>,
    #[command(flatten)]
    tower: TowerArgs,
    #[command(flatten)]
    template: TemplateArgs,
    /// LoRA adapter of each model, in order, or `none`.
    #[arg(long = "adapter", value_name = "DIR")]
    adapters: Vec<PathBuf>,
    /// Enlargement of small pictures for each model, in order; the last one applies to all further models:
    /// off, upscale:PIXELS (of the shorter side, bicubic) or canvas:PIXELS (unscaled on a gray square).
    #[arg(long = "enlarge", value_name = "HOW")]
    enlargements: Vec<Enlargement>,
    /// Maximum number of crops beside the whole picture, for MC-LLaVA and pictures above 576x576.
    #[arg(long, value_name = "N", default_value_t = 0)]
    max_crops: usize,
    /// The question to the models [default: all rules and all names].
    #[arg(long, value_name = "TEXT")]
    question: Option<String>,
    /// Weight format: f32, f16, bf16, int8 or int4.
    #[arg(long)]
    storage: Option<WeightFormat>,
}

impl VlmArgs {
    /// Everything that answers depend on except the question, in a line: the models' names, and a hash of
    /// models, towers, adapters, preprocessing and weight format.
    ///
    /// # Errors
    ///
    /// If an adapter cannot be read.
    pub fn identity(&self) -> Result<String> {
        let limit = AdapterLimits::default().max_bytes;
        let mut parts: Vec<_> = self.models.iter().map(|m| m.display().to_string()).collect();
        for place in 0..self.models.len() {
            if let Some(adapter) = self.adapter(place) {
                let weights = file::read_limited(&adapter.join(WEIGHTS_FILE), limit)?;
                parts.push(format!("adapter {place} {}", weights::sha256_hex(&weights)));
            }
        }
        let Self { tower, template, enlargements, max_crops, storage, .. } = self;
        parts.push(format!("{tower:?} {template:?} {enlargements:?} {max_crops} {storage:?}"));
        let names: Vec<String> = self.models.iter().map(|model| model_name(model)).collect();
        let hash = weights::sha256_hex(parts.join(", ").as_bytes());
        Ok(format!("{} with settings {hash:.16}", names.join("+")))
    }

    /// The adapter of the model at `place`.
    fn adapter(&self, place: usize) -> Option<&Path> {
        Some(self.adapters.get(place)?.as_path()).filter(|path| path.as_os_str() != "none")
    }

    /// The question to the models, if it is given.
    pub fn question(&self) -> Option<&str> {
        self.question.as_deref()
    }

    /// The models in their order; of those without a `question` of its own, each is asked `default`, and
    /// without that all rules and all names.
    ///
    /// # Errors
    ///
    /// If a model or an adapter cannot be read, or there are more adapters or enlargements than models.
    pub fn explainers(
        &self,
        default: Option<&str>,
        device: &Device,
    ) -> Result<Vec<Box<dyn Explainer>>> {
        let most = self.adapters.len().max(self.enlargements.len());
        ensure!(most <= self.models.len(), "more --adapter or --enlarge than --model");
        let explainer = |(place, folder): (usize, &PathBuf)| {
            let assistant = self.assistant(place, folder, device);
            let assistant =
                assistant.with_context(|| format!("cannot ask {}", folder.display()))?;
            let mut explainer = VlmExplainer::new(model_name(folder), assistant);
            if let Some(question) = self.question().or(default) {
                explainer = explainer.with_question(question);
            }
            Ok(Box::new(explainer) as Box<dyn Explainer>)
        };
        self.models.iter().enumerate().map(explainer).collect()
    }

    fn assistant(&self, place: usize, folder: &Path, device: &Device) -> Result<Assistant> {
        let mut assistant = self.template.given(Assistant::open(folder, self.storage, device)?)?;
        if !assistant.reads_pictures() {
            assistant = self.tower.before(assistant, device)?;
        }
        if let Some(adapter) = self.adapter(place) {
            let limits = AdapterLimits::default();
            Adapter::open(adapter, &limits)?.attach(&mut assistant, "adapter", device, &limits)?;
        }
        warn_of_untrained(&mut assistant);
        if self.max_crops > 0 && assistant.reads_crops() {
            assistant = assistant.with_max_crops(self.max_crops)?;
        }
        let enlargement = self.enlargements.get(place).or(self.enlargements.last());
        Ok(assistant.with_enlargement(enlargement.copied().unwrap_or(Enlargement::Off)))
    }
}
