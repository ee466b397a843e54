//! `cifake attack`: pictures changed so that the detector errs.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use cifake::error_chain;
use cifake::text::{counted, one_line, path_text};
use cifake_attacks::{TargetModel, attacks_help};

use crate::args::{DetectorArgs, OneAttackArgs, inputs, samples};
use crate::attacked::{Attacked, attack_file};
use crate::named::{error_line, named};
use crate::results::keep_pictures;
use crate::{Spared, progress_bar};

/// Changes pictures so that the detector errs.
///
/// Writes two files for each picture: NAME.attacked.png, lossless, and NAME.compared.png with the
/// original, the attacked picture and ten times their difference.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{}

Examples:
  cifake attack datasets/sample
  cifake attack --attack apgd-l2@0.5 --out attacked photo.png
  cifake attack --attack fgsm-linf --epsilon-255 4 photo.png", attacks_help()))]
pub(crate) struct Args {
    /// Files, folders or patterns; `-` is a picture on standard input.
    #[arg(required_unless_present = "smoke")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    attack: OneAttackArgs,
    /// Folder for the results; it is made where it does not exist.
    #[arg(long, default_value = "attacked")]
    out: PathBuf,
    #[command(flatten)]
    detector: DetectorArgs,
    /// Seed of the attack.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Print one JSON object for each picture instead of a table.
    #[arg(long)]
    json: bool,
    /// Attack the sample pictures into a temporary folder.
    #[arg(long, hide = true)]
    smoke: bool,
}

/// Returns how many pictures failed.
pub(crate) fn run(mut args: Args) -> Result<usize> {
    let temporary = tempfile::tempdir()?;
    if args.smoke {
        args.paths = vec![samples()];
        args.out = temporary.path().to_owned();
    }
    let attack = args.attack.attack()?;
    Spared::default().folder(&args.out)?;
    let (detector, device) = args.detector.detector()?;
    let target = TargetModel::new(detector.classifier()).with_answers(&detector);
    std::fs::create_dir_all(&args.out).with_context(|| format!("make {}", args.out.display()))?;
    let pictures = named(inputs(&args.paths));
    keep_pictures(&pictures, &args.out)?;
    let mut out = io::stdout().lock();
    if !args.json {
        writeln!(out, "{}\n\n{}", attack.name(), Attacked::header())?;
    }
    let bar = progress_bar()?;
    bar.set_length(pictures.len() as u64);
    let (n_pictures, mut n_failed) = (pictures.len(), 0);
    for (id, picture) in pictures.into_iter().enumerate() {
        let path = picture.input.name().to_owned();
        let name = Path::new(&path).file_name().unwrap_or_default().to_string_lossy();
        let name = one_line(&name).into_owned();
        let tell = |share: f64| {
            bar.set_message(format!("{name}, {:.0} %", 100.0 * share));
            bar.set_position(id as u64);
        };
        let target = target.with_progress(&tell);
        let draw = [id as u64, args.seed];
        let outcome =
            attack_file(&detector, (&target, &*attack), picture, draw, &args.out, &device);
        n_failed += usize::from(outcome.is_err());
        bar.inc(1);
        bar.suspend(|| match outcome {
            Err(error) if args.json => {
                let error = error_chain(error.as_ref());
                writeln!(out, "{}", serde_json::json!({ "path": path, "error": error }))
            }
            Err(error) => writeln!(out, "{}", error_line(&path, &error_chain(error.as_ref()))),
            Ok(attacked) if args.json => {
                let line = serde_json::to_string(&attacked).map_err(io::Error::from);
                line.and_then(|line| writeln!(out, "{line}"))
            }
            Ok(attacked) => writeln!(out, "{}", one_line(&attacked.row())),
        })?;
    }
    bar.finish_and_clear();
    if !args.json {
        let n = counted(n_pictures - n_failed, "attacked picture");
        writeln!(
            out,
            "\n{n} in {}: NAME.attacked.png, and NAME.compared.png beside the original and the difference",
            one_line(&path_text(&args.out))
        )?;
    }
    Ok(n_failed)
}
