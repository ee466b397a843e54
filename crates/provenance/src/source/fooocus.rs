//! JSON of Fooocus and RuinedFooocus, in the PNG text `parameters` or in EXIF's `UserComment`.

use serde::Deserialize;

use super::generator::{Maybe, by, object};
use crate::claim::{Claim, Says};
use crate::contents::Contents;

#[derive(Deserialize)]
struct Parameters {
    #[serde(default)]
    base_model: Maybe,
    #[serde(default)]
    base_model_hash: Maybe,
    #[serde(default)]
    base_model_name: Maybe,
    #[serde(default)]
    metadata_scheme: Maybe,
    #[serde(default)]
    software: Maybe,
    #[serde(default)]
    version: Maybe,
}

impl Parameters {
    /// The program, if it is one of the two.
    fn program(&self) -> Option<&str> {
        let named = |text: &&str| text.starts_with("Fooocus") || text.starts_with("RuinedFooocus");
        let by_name = self.software.text().filter(named).or(self.version.text().filter(named));
        by_name.or_else(|| self.metadata_scheme.text().map(|_| "Fooocus"))
    }
}

pub(super) fn read(contents: &Contents) -> Vec<Claim> {
    let texts = contents.texts.iter();
    let texts = texts.filter(|text| ["parameters", "UserComment"].contains(&text.key.as_str()));
    texts
        .filter_map(|text| {
            let parameters: Parameters = object(&text.value)?;
            let model = parameters.base_model_name.text().or(parameters.base_model.text());
            let by = by(parameters.program()?, model, parameters.base_model_hash.text());
            Some(Claim::declared(text.place, Says::AiGenerated, &by))
        })
        .collect()
}
