//! The explainer that names artifacts.

use anyhow::Result;
use explain::{Explainer, ExplainerKind, ExplainerOptions};

/// The explainer that names artifacts, and its address.
#[derive(Debug, Clone, clap::Args)]
pub struct ExplainerArgs {
    /// evidence (measurements on the picture), gemini (key in GEMINI_API_KEY) or openai (key in
    /// OPENAI_API_KEY; also other services with its interface). The latter two are sent the picture
    /// and the picture under its map.
    #[arg(long, default_value = "evidence")]
    explainer: ExplainerKind,
    /// Model of gemini or openai [default: the service's].
    #[arg(long, value_name = "NAME")]
    language_model: Option<String>,
    /// Address of the service [default: its maker's].
    #[arg(long, value_name = "URL")]
    url: Option<String>,
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
            ExplainerOptions { model: self.language_model.clone(), url: self.url.clone(), key };
        Ok(self.explainer.explainer(options)?)
    }
}
