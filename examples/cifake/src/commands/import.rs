//! `cifake import`: from published weights to a weight file.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use baselines::{IMPORTS, Import, Pictures};
use cifake::text::{one_line, path_line};
use clap::builder::PossibleValuesParser;

use crate::args::{DataArgs, decoder};
use crate::{Spared, balanced};

/// Makes a weight file of published weights, for --weights of the other subcommands.
///
/// A detector without training is fitted on the labelled pictures of --data: they should be none that it is
/// measured on later.
#[derive(Debug, clap::Args)]
#[command(after_long_help = listed())]
pub(crate) struct Args {
    /// The detector.
    #[arg(value_name = "DETECTOR", value_parser = PossibleValuesParser::new(IMPORTS.iter().map(|import| import.name)))]
    detector: String,
    /// A published file and the part that it is; may be given several times.
    #[arg(long = "part", value_name = "NAME=FILE", value_parser = part)]
    parts: Vec<(String, PathBuf)>,
    /// A setting; may be given several times.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = pair)]
    settings: Vec<(String, String)>,
    #[command(flatten)]
    data: DataArgs,
    /// Fit on that many pictures of --data, half of each label [default: all].
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Seed of --limit.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// flex, ndarray, wgpu or cuda:0.
    #[arg(long, default_value = "flex")]
    device: String,
    /// File to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Returns 0, since an import is whole or fails.
pub(crate) fn run(args: Args) -> Result<usize> {
    let import = IMPORTS.iter().find(|import| import.name == args.detector);
    let import = import.context("the detector is not listed")?;
    let device = cifake::device::parse(&args.device)?;
    Spared::of(&args.data.data).file(&args.out)?;
    let dataset = match &args.data.data {
        Some(path) => Some(args.data.open(path, None)?),
        None => None,
    };
    let pictures = dataset.as_deref().map(|dataset| {
        let all = 0..dataset.samples().len();
        let indices = match args.limit {
            Some(limit) => balanced(dataset, all, limit, args.seed),
            None => all.collect(),
        };
        Pictures { dataset, indices, decoder: decoder() }
    });
    let info = import.start(args.parts, args.settings, pictures, (&device, &args.out))?;
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{}: sha256 {}", path_line(&args.out), info.sha256)?;
    for (key, value) in &info.metadata {
        writeln!(stdout, "{}", one_line(&format!("{key}: {value}")))?;
    }
    Ok(0)
}

/// The detectors, their parts and their settings.
fn listed() -> String {
    let of_one = |import: &Import| {
        let mut text = format!("  {}: {}\n", import.name, import.summary);
        for part in import.parts {
            let need = if part.required { "" } else { " (optional)" };
            text += &format!("    --part {}=FILE{need}: {}\n", part.name, part.summary);
        }
        for (name, summary) in import.settings {
            text += &format!("    --set {name}=VALUE: {summary}\n");
        }
        text
    };
    format!("Detectors:\n{}", IMPORTS.iter().map(of_one).collect::<String>())
}

/// `NAME=VALUE` in two.
fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// `NAME=FILE` in two.
fn part(text: &str) -> Result<(String, PathBuf), String> {
    let (name, file) = pair(text).map_err(|_| "write NAME=FILE")?;
    Ok((name, file.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_lists_every_detector_with_its_parts_and_settings() {
        let text = listed();
        for import in IMPORTS {
            assert!(text.contains(import.name), "{text}");
            assert!(import.parts.iter().all(|part| text.contains(part.name)), "{text}");
            assert!(import.settings.iter().all(|(name, _)| text.contains(name)), "{text}");
        }
        assert_eq!(part("vae=a=b"), Ok(("vae".to_owned(), PathBuf::from("a=b"))));
        assert!(part("vae").is_err() && pair("layer").is_err());
    }
}
