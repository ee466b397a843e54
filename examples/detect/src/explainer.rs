//! Who names artifacts, as the program `explain` is told.

use anyhow::Result;
use explain::{EvidenceExplainer, Explainer};

/// Who names artifacts, and where to find it.
#[derive(Debug, Clone, clap::Args)]
pub struct ExplainerArgs {
    /// Who names artifacts. Gemini and OpenAI get the picture and the map over it.
    #[arg(long, value_enum, default_value = "evidence")]
    explainer: Kind,
    /// Model of gemini or openai.
    #[arg(long, value_name = "NAME")]
    language_model: Option<String>,
    /// Address of gemini, of openai, or of a service in its manner.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    /// Measurements on the picture.
    Evidence,
    /// Google's service; the key is in GEMINI_API_KEY.
    Gemini,
    /// OpenAI's or one in its manner; the key is in OPENAI_API_KEY.
    Openai,
}

impl ExplainerArgs {
    /// The explainer.
    ///
    /// # Errors
    ///
    /// If a key is missing, or this build has no remote explainers.
    pub fn explainer(&self) -> Result<Box<dyn Explainer>> {
        match self.explainer {
            Kind::Evidence => Ok(Box::new(EvidenceExplainer::embedded())),
            #[cfg(feature = "remote")]
            kind => self.remote(kind),
            #[cfg(not(feature = "remote"))]
            _ => anyhow::bail!("this program was built without `--features remote`"),
        }
    }

    #[cfg(feature = "remote")]
    fn remote(&self, kind: Kind) -> Result<Box<dyn Explainer>> {
        use anyhow::Context;
        use explain::remote::{ApiKey, GeminiExplainer, OpenAiExplainer, RemoteConfig};

        let mut config = match kind {
            Kind::Gemini => RemoteConfig::gemini(),
            _ => RemoteConfig::open_ai("https://api.openai.com/v1", "gpt-4o-mini"),
        };
        if let Some(url) = &self.url {
            config.base_url.clone_from(url);
        }
        if let Some(model) = &self.language_model {
            config.model.clone_from(model);
        }
        let key = |name: &str| std::env::var(name).map(ApiKey::new);
        Ok(match kind {
            Kind::Gemini => {
                let key = key("GEMINI_API_KEY").context("set GEMINI_API_KEY to a key")??;
                Box::new(GeminiExplainer::new(config, key)?)
            }
            // A service on this machine may ask for none.
            _ => Box::new(OpenAiExplainer::new(config, key("OPENAI_API_KEY").ok().transpose()?)?),
        })
    }
}
