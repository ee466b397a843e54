//! What several programs of the lab share.

use std::path::Path;

use anyhow::Context;
use cifake::{Dataset, Label, Split, balanced_sample};
use cifake_attacks::Generated;
use indicatif::{ProgressBar, ProgressStyle};
use tinyvit::Detector;

pub mod answers;
pub mod attacked;
pub mod choice;
mod comparison;
pub mod curve;
pub mod draw;
mod exit;
pub mod explained;
pub mod explainer;
pub mod latency;
pub mod maps;
pub mod part;
pub mod randomized;
pub mod sets;
pub mod strangers;
pub mod training;
pub mod upscalers;
pub mod voices;

pub use exit::exit_code;

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

/// The split called `name`: for the arguments of a program.
///
/// # Errors
///
/// What the names are.
pub fn split_named(name: &str) -> Result<Split, &'static str> {
    Split::from_name(name).ok_or("train, validation or test")
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

/// `limit` of the samples of `dataset` at the indices `among`, half of them REAL, drawn by `seed`.
#[must_use]
pub fn balanced(
    dataset: &dyn Dataset,
    among: impl IntoIterator<Item = usize>,
    limit: usize,
    seed: u64,
) -> Vec<usize> {
    let among: Vec<usize> = among.into_iter().collect();
    let labels: Vec<Label> = among.iter().map(|&index| dataset.samples()[index].label).collect();
    balanced_sample(&labels, limit, seed).into_iter().map(|place| among[place]).collect()
}

/// A bar for work over many pictures.
///
/// # Errors
///
/// Never: its template is fixed.
pub fn progress_bar() -> anyhow::Result<ProgressBar> {
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} | {msg} | {eta} to go")?;
    Ok(ProgressBar::new(0).with_style(style))
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
