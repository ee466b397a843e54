//! What several programs of the lab share.

use std::path::Path;

use anyhow::Context;
use cifake_attacks::Generated;
use tinyvit::Detector;

pub mod answers;
pub mod degraded;
pub mod draw;
pub mod explained;
pub mod explainers;
pub mod latency;
pub mod maps;
pub mod randomized;
pub mod second_look;
pub mod sets;
pub mod strangers;
pub mod training;
pub mod upscalers;

/// The detector of `weights`: `clean` and `robust` are the two sets that are built in, `static-robust`
/// is a file of this repository, anything else is a weight file; nothing means `clean`.
///
/// # Errors
///
/// If the file is no weight file of a detector.
pub fn detector(weights: Option<&Path>) -> Result<Detector, tinyvit::Error> {
    let static_robust = concat!(env!("CARGO_MANIFEST_DIR"), "/weights/static_robust.safetensors");
    match weights.unwrap_or(Path::new("clean")) {
        name if name == "static-robust" => Detector::from_file(static_robust),
        which => Detector::named(which),
    }
}

/// A share of camera pictures, in percent, that may be as far out as what is out of the ordinary: for
/// the arguments of a program.
///
/// # Errors
///
/// If it is no number from 0 to 50.
pub fn tail(text: &str) -> Result<f64, &'static str> {
    let tail = text.parse().ok().filter(|tail| (0.0..=50.0).contains(tail));
    tail.ok_or("a number from 0 to 50")
}

/// The list of pictures of other generators in the TOML file at `path`; folders are relative to it.
///
/// # Errors
///
/// If it cannot be read, or holds anything else.
pub fn generators(path: &Path) -> anyhow::Result<Vec<Generated>> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct List {
        pictures: Vec<Generated>,
    }
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the list {}", path.display()))?;
    let list: List = toml::from_str(&text)
        .with_context(|| format!("{} is no list of generators", path.display()))?;
    let base = path.parent().unwrap_or(Path::new("."));
    let rooted = |entry: Generated| Generated { folder: base.join(&entry.folder), ..entry };
    Ok(list.pictures.into_iter().map(rooted).collect())
}
