//! Maker and model of a camera, as EXIF has them.

use crate::claim::{Claim, Kind, Says, Strength, name};
use crate::contents::Contents;

/// Bytes of a maker or a model. Some generators keep whole graphs in these fields.
const MAX_BYTES: usize = 64;

pub(super) fn read(contents: &Contents) -> Vec<Claim> {
    let field = |key| {
        let value = contents.at(Kind::Exif, key).next().unwrap_or_default().trim();
        let plain = value.len() <= MAX_BYTES && !value.contains('{');
        if plain { value } else { "" }
    };
    let (make, model) = (field("Make"), field("Model"));
    // Many cameras begin their model with the name of the maker.
    let first = make.split_whitespace().next().unwrap_or_default();
    let repeated =
        model.split_whitespace().next().is_some_and(|word| word.eq_ignore_ascii_case(first));
    let by = if repeated { model.to_owned() } else { format!("{make} {model}") };
    let Some(by) = name(&by) else { return Vec::new() };
    let strength = Strength::CameraFields;
    vec![Claim { kind: Kind::Exif, says: Says::Camera, by: Some(by), strength }]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn camera(make: &str, model: &str) -> Option<String> {
        let mut contents = Contents::default();
        contents.push(Kind::Exif, "Make", make.to_owned());
        contents.push(Kind::Exif, "Model", model.to_owned());
        read(&contents).pop()?.by
    }

    #[test]
    fn a_maker_is_not_named_twice() {
        assert_eq!(camera("Canon", "Canon EOS R5").as_deref(), Some("Canon EOS R5"));
        assert_eq!(camera("NIKON CORPORATION", "NIKON D90").as_deref(), Some("NIKON D90"));
        assert_eq!(camera("Panasonic", "DMC-ZS60").as_deref(), Some("Panasonic DMC-ZS60"));
        assert_eq!(camera("", "SX113").as_deref(), Some("SX113"));
    }

    #[test]
    fn a_graph_is_no_camera() {
        assert_eq!(camera("Prompt: {\"1\": {}}", ""), None);
        assert_eq!(camera(&"x".repeat(1000), " "), None);
    }
}
