//! Tools that several programs of the lab share.

use std::path::Path;

use anyhow::Context;
use cifake_attacks::Generated;

pub mod draw;
pub mod explained;
pub mod explainers;
pub mod latency;
pub mod maps;
pub mod randomized;
mod run_args;
pub mod strangers;
pub mod upscalers;

pub use run_args::RunArgs;

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
