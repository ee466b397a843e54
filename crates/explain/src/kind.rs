//! Explainers by name.

use std::fmt;
use std::str::FromStr;

use crate::{Error, EvidenceExplainer, Explainer};

/// A kind of explainer. `Display` and `FromStr` use the names `evidence`, `gemini` and `openai`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum ExplainerKind {
    /// Measurements on the picture.
    #[default]
    Evidence,
    /// Google's Gemini.
    Gemini,
    /// OpenAI, or a service with the same interface.
    OpenAi,
}

/// Options of the explainers behind an address. [`ExplainerKind::Evidence`] uses none of them.
#[derive(Debug, Clone, Default)]
pub struct ExplainerOptions {
    /// The model; `None` for the default.
    pub model: Option<String>,
    /// Address of the service; `None` for its maker's.
    pub url: Option<String>,
    /// The key, if the service needs one.
    pub key: Option<String>,
}

impl ExplainerKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Evidence, Self::Gemini, Self::OpenAi];

    /// `"evidence"`, `"gemini"` or `"openai"`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Evidence => "evidence",
            Self::Gemini => "gemini",
            Self::OpenAi => "openai",
        }
    }

    /// The environment variable from which programs take the key.
    #[must_use]
    pub fn key_variable(self) -> Option<&'static str> {
        match self {
            Self::Evidence => None,
            Self::Gemini => Some("GEMINI_API_KEY"),
            Self::OpenAi => Some("OPENAI_API_KEY"),
        }
    }

    /// The explainer.
    ///
    /// # Errors
    ///
    /// [`Error::NoKey`] if a key is missing; [`Error::NotBuilt`] without the feature `remote`;
    /// [`Error::Remote`] for an invalid key or address.
    pub fn explainer(self, options: ExplainerOptions) -> Result<Box<dyn Explainer>, Error> {
        if self == Self::Evidence {
            return Ok(Box::new(EvidenceExplainer::embedded()));
        }
        self.remote(options)
    }

    #[cfg(not(feature = "remote"))]
    fn remote(self, _: ExplainerOptions) -> Result<Box<dyn Explainer>, Error> {
        Err(Error::NotBuilt { explainer: self.as_str() })
    }

    #[cfg(feature = "remote")]
    fn remote(self, options: ExplainerOptions) -> Result<Box<dyn Explainer>, Error> {
        use crate::remote::{ApiKey, GeminiExplainer, OpenAiExplainer, RemoteConfig};

        let mut config = match self {
            Self::Gemini => RemoteConfig::gemini(),
            _ => RemoteConfig::open_ai("https://api.openai.com/v1", "gpt-4o-mini"),
        };
        config.base_url = options.url.unwrap_or(config.base_url);
        config.model = options.model.unwrap_or(config.model);
        let key = options.key.map(ApiKey::new).transpose()?;
        if self == Self::Gemini {
            let variable = self.key_variable().unwrap_or_default();
            let key = key.ok_or(Error::NoKey { explainer: self.as_str(), variable })?;
            return Ok(Box::new(GeminiExplainer::new(config, key)?));
        }
        // A service on this machine may need no key.
        Ok(Box::new(OpenAiExplainer::new(config, key)?))
    }
}

/// A text that is not the name of an [`ExplainerKind`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown explainer {name:?}; the explainers are {}",
    ExplainerKind::ALL.map(ExplainerKind::as_str).join(", ")
)]
pub struct UnknownExplainer {
    /// The text.
    pub name: String,
}

impl fmt::Display for ExplainerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for ExplainerKind {
    type Err = UnknownExplainer;

    fn from_str(name: &str) -> Result<Self, UnknownExplainer> {
        let found = Self::ALL.into_iter().find(|kind| kind.as_str() == name);
        found.ok_or_else(|| UnknownExplainer { name: name.chars().take(40).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_names_and_evidence_needs_no_options() {
        for kind in ExplainerKind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        let error = "oracle".parse::<ExplainerKind>().expect_err("there is none");
        assert!(error.to_string().contains("evidence, gemini, openai"), "{error}");
        let explainer =
            ExplainerKind::Evidence.explainer(ExplainerOptions::default()).expect("embedded");
        assert_eq!(explainer.name(), "evidence");
        assert!(ExplainerKind::Gemini.explainer(ExplainerOptions::default()).is_err());
    }
}
