//! Who says what gives a picture away: measurements and vision-language models.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use burn::tensor::Device;
use explain::{Combined, EvidenceExplainer, Explainer, VlmExplainer};
use vlm_lora::image::{Enlargement, Interpolation};
use vlm_lora::lora::{Adapter, AdapterLimits};
use vlm_lora::{Assistant, Storage};

use crate::storage_named;

/// Colour of a canvas: neither dark nor light.
const GROUND: [u8; 3] = [128; 3];

/// The voices that are asked.
#[derive(Debug, Clone, clap::Args)]
pub struct VoiceArgs {
    /// Folder of a vision-language model; of several, earlier ones are preferred where they differ.
    #[arg(long = "model", value_name = "DIR", required_unless_present = "smoke")]
    pub models: Vec<PathBuf>,
    /// LoRA adapter of each model, in their order, or `none`.
    #[arg(long = "adapter", value_name = "DIR")]
    adapters: Vec<PathBuf>,
    /// What is done to a picture before each model, in their order; the last one serves the others:
    /// off, upscale:PIXELS (of the shorter side, bicubic) or canvas:PIXELS (as it is, amid grey).
    #[arg(long = "enlarge", value_name = "HOW", value_parser = enlargement_named)]
    enlargements: Vec<Enlargement>,
    /// How weights are kept: f32, f16, bf16, int8 or int4.
    #[arg(long, value_parser = storage_named)]
    storage: Option<Storage>,
    /// Leave the measurements out.
    #[arg(long)]
    no_evidence: bool,
}

fn enlargement_named(name: &str) -> Result<Enlargement, String> {
    let wrong = || "off, upscale:PIXELS or canvas:PIXELS, such as upscale:224".to_owned();
    if name == "off" {
        return Ok(Enlargement::Off);
    }
    let (kind, pixels) = name.split_once(':').ok_or_else(wrong)?;
    let pixels = pixels.parse().map_err(|_| wrong())?;
    match kind {
        "upscale" => Ok(Enlargement::Upscaled {
            shorter_side: pixels,
            interpolation: Interpolation::Bicubic,
        }),
        "canvas" => Ok(Enlargement::Canvas { side: pixels, ground: GROUND }),
        _ => Err(wrong()),
    }
}

impl VoiceArgs {
    /// All of them as one: measurements first, then the models.
    ///
    /// # Errors
    ///
    /// If a model or an adapter cannot be read, or there are more adapters or enlargements than models.
    pub fn explainer(&self, device: &Device) -> Result<Combined> {
        let most = self.adapters.len().max(self.enlargements.len());
        ensure!(most <= self.models.len(), "more --adapter or --enlarge than --model");
        let mut voices: Vec<Box<dyn Explainer>> = Vec::new();
        if !self.no_evidence {
            voices.push(Box::new(EvidenceExplainer::embedded()));
        }
        for (place, folder) in self.models.iter().enumerate() {
            let assistant = self
                .assistant(place, folder, device)
                .with_context(|| format!("cannot ask {}", folder.display()))?;
            let name = folder.file_name().unwrap_or(folder.as_os_str()).to_string_lossy();
            voices.push(Box::new(VlmExplainer::new(name, assistant)));
        }
        Ok(Combined::new(voices))
    }

    fn assistant(&self, place: usize, folder: &Path, device: &Device) -> Result<Assistant> {
        let mut assistant = Assistant::open(folder, self.storage, device)?;
        let adapter = self.adapters.get(place).filter(|path| path.as_os_str() != "none");
        if let Some(adapter) = adapter {
            let limits = AdapterLimits::default();
            Adapter::open(adapter, &limits)?.attach(&mut assistant, "adapter", device, &limits)?;
        }
        let enlargement = self.enlargements.get(place).or(self.enlargements.last());
        Ok(assistant.with_enlargement(enlargement.copied().unwrap_or(Enlargement::Off)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enlargements_have_names_and_sizes() {
        assert_eq!(enlargement_named("off"), Ok(Enlargement::Off));
        assert_eq!(
            enlargement_named("canvas:600"),
            Ok(Enlargement::Canvas { side: 600, ground: GROUND })
        );
        for wrong in ["", "upscale", "upscale:", "upscale:-1", "zoom:2"] {
            assert!(enlargement_named(wrong).is_err(), "{wrong}");
        }
    }
}
