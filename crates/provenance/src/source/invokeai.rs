//! The three forms of InvokeAI's metadata: `invokeai_metadata`, `sd-metadata` and `Dream`.

use serde::Deserialize;

use super::generator::{Maybe, by, object};
use crate::claim::{Claim, Says};
use crate::contents::{Contents, Text};

/// Since version 3.
#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    app_version: Maybe,
    #[serde(default)]
    generation_mode: Maybe,
    #[serde(default)]
    model: Model,
    #[serde(default)]
    positive_prompt: Maybe,
}

/// A model has a name of its own since version 4.
#[derive(Default, Deserialize)]
struct Model {
    #[serde(default)]
    model_name: Maybe,
    #[serde(default)]
    name: Maybe,
    #[serde(default)]
    hash: Maybe,
}

/// Version 2.
#[derive(Deserialize)]
struct SdMetadata {
    #[serde(default)]
    app_id: Maybe,
    #[serde(default)]
    app_version: Maybe,
    #[serde(default)]
    model_hash: Maybe,
    #[serde(default)]
    model_weights: Maybe,
}

pub(super) fn read(contents: &Contents) -> Vec<Claim> {
    contents.texts.iter().filter_map(claim).collect()
}

fn claim(text: &Text) -> Option<Claim> {
    let (says, by) = match text.key.as_str() {
        "invokeai_metadata" => metadata(&object(&text.value)?)?,
        "sd-metadata" => sd_metadata(&object(&text.value)?)?,
        "Dream" => (is_command(&text.value).then_some(Says::AiGenerated)?, "InvokeAI".to_owned()),
        _ => return None,
    };
    Some(Claim::declared(text.place, says, &by))
}

fn metadata(metadata: &Metadata) -> Option<(Says, String)> {
    metadata.generation_mode.text().or(metadata.positive_prompt.text())?;
    let mode = metadata.generation_mode.text().unwrap_or_default();
    let edited = mode.contains("inpaint") || mode.contains("outpaint");
    let says = if edited { Says::AiEdited } else { Says::AiGenerated };
    let model = metadata.model.name.text().or(metadata.model.model_name.text());
    Some((says, by(&program(&metadata.app_version), model, metadata.model.hash.text())))
}

fn sd_metadata(metadata: &SdMetadata) -> Option<(Says, String)> {
    metadata.app_id.text()?;
    let program = program(&metadata.app_version);
    let by = by(&program, metadata.model_weights.text(), metadata.model_hash.text());
    Some((Says::AiGenerated, by))
}

fn program(version: &Maybe) -> String {
    version.text().map_or_else(|| "InvokeAI".to_owned(), |version| format!("InvokeAI {version}"))
}

/// True for a prompt in quotes with the options of steps and seed behind it.
fn is_command(text: &str) -> bool {
    let Some((_, options)) = text.rsplit_once('"') else { return false };
    let has = |name: &str| options.split_whitespace().any(|word| word.starts_with(name));
    text.starts_with('"') && has("-s") && has("-S")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claim::Kind;

    fn found(key: &str, value: &str) -> Option<(Says, Option<String>)> {
        let text = Text { place: Kind::Text, key: key.to_owned(), value: value.to_owned() };
        claim(&text).map(|claim| (claim.says, claim.by))
    }

    #[test]
    fn each_form_is_read() {
        let says = |says, by: &str| Some((says, Some(by.to_owned())));
        let new = r#"{"generation_mode": "inpaint", "app_version": "4.2", "model": {"name": "m", "hash": "b3"}}"#;
        assert_eq!(
            found("invokeai_metadata", new),
            says(Says::AiEdited, "InvokeAI 4.2, model m (b3)")
        );
        let old =
            r#"{"app_id": "invoke-ai/InvokeAI", "model_weights": "sd-1.5", "model_hash": "cc"}"#;
        assert_eq!(
            found("sd-metadata", old),
            says(Says::AiGenerated, "InvokeAI, model sd-1.5 (cc)")
        );
        assert_eq!(found("Dream", "\"a \\\"cat\" -s 50 -S 2"), says(Says::AiGenerated, "InvokeAI"));
    }

    #[test]
    fn other_texts_are_no_metadata() {
        assert_eq!(found("Dream", "a dream -s -S"), None);
        assert_eq!(found("Dream", "\"a dream\""), None);
        assert_eq!(found("invokeai_metadata", "{}"), None);
        assert_eq!(found("sd-metadata", "{\"a\": 1}"), None);
    }
}
