//! The explainer that names artifacts.

use anyhow::{Result, ensure};
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
    /// If a key is missing, this build has no remote explainers, or a model or an address is given to an explainer
    /// that asks no service.
    pub fn explainer(&self) -> Result<Box<dyn Explainer>> {
        let variable = self.explainer.key_variable();
        for (flag, value) in [("--language-model", &self.language_model), ("--url", &self.url)] {
            let explainer = self.explainer;
            ensure!(
                variable.is_some() || value.is_none(),
                "{flag} is for --explainer gemini or openai, and {explainer} asks no service; leave it out"
            );
        }
        let key = variable.and_then(|name| std::env::var(name).ok());
        let options =
            ExplainerOptions { model: self.language_model.clone(), url: self.url.clone(), key };
        Ok(self.explainer.explainer(options)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_refused_where_none_is_asked() {
        let of = |explainer, language_model: Option<&str>, url: Option<&str>| {
            let [language_model, url] = [language_model, url].map(|text| text.map(str::to_owned));
            ExplainerArgs { explainer, language_model, url }.explainer().map(|_| ())
        };
        of(ExplainerKind::Evidence, None, None).expect("measurements need nothing");
        for (model, url, flag) in
            [(Some("m"), None, "--language-model"), (None, Some("u"), "--url")]
        {
            let error = of(ExplainerKind::Evidence, model, url).expect_err(flag).to_string();
            assert!(error.contains(flag) && error.contains("evidence"), "{error}");
        }
    }
}
