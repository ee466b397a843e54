//! The program that wrote the file: a field of EXIF, of XMP, or a text of a PNG.

use crate::claim::{Claim, Kind, Says};
use crate::contents::Contents;

/// The fields in which a program names itself.
const FIELDS: &[(Kind, &str)] =
    &[(Kind::Exif, "Software"), (Kind::Xmp, "CreatorTool"), (Kind::Text, "Software")];

pub(super) fn read(contents: &Contents) -> Vec<Claim> {
    let named = FIELDS.iter().flat_map(|(kind, key)| {
        let names = contents.at(*kind, key).filter(|name| !name.trim().is_empty());
        names.map(|name| Claim::declared(*kind, Says::Software, name))
    });
    named.collect()
}
