//! Who names artifacts, as the program `explain` is told.

use anyhow::Result;
use explain::{Explainer, Voice, VoiceOptions};

/// Who names artifacts, and where to find it.
#[derive(Debug, Clone, clap::Args)]
pub struct ExplainerArgs {
    /// evidence (measurements on the picture), gemini (key in GEMINI_API_KEY) or openai (or a service
    /// in its manner; key in OPENAI_API_KEY). The latter two get the picture and the map over it.
    #[arg(long, default_value = "evidence", value_parser = voice_named)]
    explainer: Voice,
    /// Model of gemini or openai.
    #[arg(long, value_name = "NAME")]
    language_model: Option<String>,
    /// Address of gemini, of openai, or of a service in its manner.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

fn voice_named(name: &str) -> Result<Voice, String> {
    let known = || Voice::ALL.map(Voice::as_str).join(", ");
    Voice::from_name(name).ok_or_else(|| format!("there is no explainer `{name}`: {}", known()))
}

impl ExplainerArgs {
    /// The explainer.
    ///
    /// # Errors
    ///
    /// If a key is missing, or this build has no remote explainers.
    pub fn explainer(&self) -> Result<Box<dyn Explainer>> {
        let key = self.explainer.key_variable().and_then(|name| std::env::var(name).ok());
        let options =
            VoiceOptions { model: self.language_model.clone(), url: self.url.clone(), key };
        Ok(self.explainer.explainer(options)?)
    }
}
