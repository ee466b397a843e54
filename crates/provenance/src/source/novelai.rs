//! NovelAI names itself as the software and its model as the source.

use super::generator::by;
use crate::claim::{Claim, Kind, Says};
use crate::contents::Contents;

pub(super) fn read(contents: &Contents) -> Vec<Claim> {
    let claim = |place: Kind| {
        contents.at(place, "Software").find(|name| name.starts_with("NovelAI"))?;
        let by = by("NovelAI", contents.at(place, "Source").next(), None);
        Some(Claim::declared(place, Says::AiGenerated, &by))
    };
    [Kind::Text, Kind::Pixels, Kind::Exif].into_iter().filter_map(claim).collect()
}
