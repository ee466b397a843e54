//! Labels of generated content on Chinese platforms.
//!
//! Dreamina and CapCut of ByteDance write `aigc_info`; a type above 0 or a named source marks generated
//! content. `AIGC` is the field of the standard GB 45438-2025: its label 1 means "generated"; 2 and 3,
//! "perhaps" and "suspected", are no statement of the maker.

use serde::Deserialize;

use super::generator::{Maybe, object};
use crate::claim::{Claim, Says};
use crate::contents::{Contents, Text};

#[derive(Deserialize)]
struct Labels {
    aigc_info: Option<Info>,
    #[serde(rename = "AIGC")]
    aigc: Option<Label>,
}

#[derive(Deserialize)]
struct Info {
    #[serde(default)]
    aigc_label_type: Maybe,
    #[serde(default)]
    source_info: Maybe,
}

#[derive(Deserialize)]
struct Label {
    #[serde(rename = "Label", default)]
    label: Maybe,
    #[serde(rename = "ContentProducer", default)]
    producer: Maybe,
}

pub(super) fn read(contents: &Contents) -> Vec<Claim> {
    contents.texts.iter().filter_map(claim).collect()
}

fn claim(text: &Text) -> Option<Claim> {
    let by = match text.key.as_str() {
        "AIGC" => {
            let label = object::<Labels>(&text.value).and_then(|labels| labels.aigc);
            let label = label.or_else(|| object::<Label>(&text.value));
            of_label(label?)?
        }
        "aigc_info" => of_info(object(&text.value)?)?,
        _ => {
            let labels: Labels = object(&text.value)?;
            let info = labels.aigc_info.and_then(of_info);
            info.or_else(|| of_label(labels.aigc?))?
        }
    };
    Some(Claim::declared(text.place, Says::AiGenerated, &by))
}

/// The source of generated content.
fn of_info(info: Info) -> Option<String> {
    let labeled = info.aigc_label_type.text().is_some_and(|label| label != "0");
    let source = info.source_info.text().map(str::to_owned);
    source.or_else(|| labeled.then(String::new))
}

/// The producer of generated content.
fn of_label(label: Label) -> Option<String> {
    (label.label.text() == Some("1")).then(|| label.producer.text().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claim::Kind;

    fn by(key: &str, value: &str) -> Option<Option<String>> {
        let text = Text { place: Kind::Exif, key: key.to_owned(), value: value.to_owned() };
        claim(&text).map(|claim| claim.by)
    }

    #[test]
    fn labels_are_read_at_their_places() {
        let dreamina =
            r#"{"aigc_info": {"aigc_label_type": 0, "source_info": "dreamina"}, "data": {}}"#;
        assert_eq!(by("UserComment", dreamina), Some(Some("dreamina".to_owned())));
        assert_eq!(by("aigc_info", r#"{"aigc_label_type": 2}"#), Some(None));
        let label = r#"{"Label": "1", "ContentProducer": "p"}"#;
        assert_eq!(by("AIGC", label), Some(Some("p".to_owned())));
        assert_eq!(
            by("UserComment", &format!("{{\"AIGC\": {label}}}")),
            Some(Some("p".to_owned()))
        );
        assert_eq!(by("AIGC", &format!("{{\"AIGC\": {label}}}")), Some(Some("p".to_owned())));
    }

    #[test]
    fn an_empty_label_is_no_statement() {
        let info = r#"{"aigc_info": {"aigc_label_type": 0, "source_info": ""}}"#;
        assert_eq!(by("UserComment", info), None);
        assert_eq!(by("AIGC", r#"{"Label": "2", "ContentProducer": "p"}"#), None);
        assert_eq!(by("UserComment", "{\"aigc_info\": 3}"), None);
    }
}
