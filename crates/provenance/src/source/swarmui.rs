//! JSON of SwarmUI (formerly StableSwarmUI), in the PNG text `parameters` or in EXIF's `UserComment`.

use serde::Deserialize;

use super::generator::{Maybe, by, object};
use crate::claim::{Claim, Says};
use crate::contents::Contents;

#[derive(Deserialize)]
struct Parameters {
    sui_image_params: Image,
}

#[derive(Deserialize)]
struct Image {
    #[serde(default)]
    model: Maybe,
    #[serde(default)]
    swarm_version: Maybe,
}

pub(super) fn read(contents: &Contents) -> Vec<Claim> {
    let texts = contents.texts.iter();
    let texts = texts.filter(|text| ["parameters", "UserComment"].contains(&text.key.as_str()));
    texts
        .filter_map(|text| {
            let image = object::<Parameters>(&text.value)?.sui_image_params;
            let program = match image.swarm_version.text() {
                Some(version) => format!("SwarmUI {version}"),
                None => "SwarmUI".to_owned(),
            };
            let by = by(&program, image.model.text(), None);
            Some(Claim::declared(text.place, Says::AiGenerated, &by))
        })
        .collect()
}
