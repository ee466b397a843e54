//! Explainers by name, as programs choose them.

use crate::{Error, EvidenceExplainer, Explainer};

/// Who names artifacts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Voice {
    /// Measurements on the picture.
    #[default]
    Evidence,
    /// Google's Gemini.
    Gemini,
    /// OpenAI, or a service in its manner.
    OpenAi,
}

/// What a [`Voice`] behind an address is told; [`Voice::Evidence`] needs none of it.
#[derive(Debug, Clone, Default)]
pub struct VoiceOptions {
    /// Model to ask instead of the usual one.
    pub model: Option<String>,
    /// Address of the service, instead of its maker's.
    pub url: Option<String>,
    /// The key, if there is one.
    pub key: Option<String>,
}

impl Voice {
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

    /// The voice called `name`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|voice| voice.as_str() == name)
    }

    /// The variable in which programs look for a key.
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
    /// [`Error::NoKey`] where there must be one; [`Error::NotBuilt`] where the feature `remote` is off;
    /// a key or an address that cannot be used.
    pub fn explainer(self, options: VoiceOptions) -> Result<Box<dyn Explainer>, Error> {
        if self == Self::Evidence {
            return Ok(Box::new(EvidenceExplainer::embedded()));
        }
        self.remote(options)
    }

    #[cfg(not(feature = "remote"))]
    fn remote(self, _: VoiceOptions) -> Result<Box<dyn Explainer>, Error> {
        Err(Error::NotBuilt { explainer: self.as_str() })
    }

    #[cfg(feature = "remote")]
    fn remote(self, options: VoiceOptions) -> Result<Box<dyn Explainer>, Error> {
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
        // A service on this machine may ask for none.
        Ok(Box::new(OpenAiExplainer::new(config, key)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn voices_are_found_by_their_names_and_evidence_needs_nothing() {
        for voice in Voice::ALL {
            assert_eq!(Voice::from_name(voice.as_str()), Some(voice));
        }
        assert_eq!(Voice::from_name("oracle"), None);
        let explainer = Voice::Evidence.explainer(VoiceOptions::default()).expect("embedded");
        assert_eq!(explainer.name(), "evidence");
        assert!(Voice::Gemini.explainer(VoiceOptions::default()).is_err());
    }
}
