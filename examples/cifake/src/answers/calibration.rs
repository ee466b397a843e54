//! A weight file that says when to be unsure.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use burn::tensor::Device;
use cifake::save_with_answers;
use cifake::text::{one_line, path_line};
use cifake::weights::{Precision, Source, configured_bytes, load_configured};
use cifake_eval::AnswerOptions;
use tinyvit::TinyVit;

use super::{breakdown, see};
use crate::Holdout;
use crate::args::{builder, registry};

/// The pictures that the answers are fitted to, and the shares that they must keep to.
#[derive(Debug, Clone, clap::Args)]
pub struct AnswerArgs {
    /// Pictures of other generators and sources, in splits train and validation: the first calibrate resized
    /// pictures, the second choose their thresholds.
    #[arg(long, value_name = "DIR")]
    pub generators: Option<PathBuf>,
    /// Share of the answered held-back pictures of the model's size that must be right.
    #[arg(long, default_value_t = AnswerOptions::default().right, requires = "generators", value_parser = share)]
    right: f64,
    /// Share of the validation photographs that may be answered FAKE when resized, and of the generated ones
    /// that may be answered REAL.
    #[arg(long, default_value_t = AnswerOptions::default().photographs_called_fake, requires = "generators", value_parser = share)]
    wrong: f64,
    /// Percent of the held-back pictures that are called unfamiliar.
    #[arg(long, default_value_t = AnswerOptions::default().unfamiliar_below, requires = "generators", value_parser = percent)]
    unfamiliar: f32,
    /// Training pictures whose features are looked at, at most.
    #[arg(long, default_value_t = 20_000, requires = "generators")]
    training: usize,
}

impl AnswerArgs {
    fn options(&self) -> AnswerOptions {
        AnswerOptions {
            right: self.right,
            photographs_called_fake: self.wrong,
            generated_called_real: self.wrong,
            unfamiliar_below: self.unfamiliar,
            ..AnswerOptions::default()
        }
    }
}

/// Writes the TinyViT in `weights` to `out` in half precision, with answers fitted to the data set at
/// `data`, of which `holdout` says what was not trained on, and to that at `generators`; prints what was fitted and
/// how the held-back pictures are answered then.
///
/// # Errors
///
/// Weights or pictures that cannot be read, too few of them, or a file that cannot be written.
pub fn calibrate_answers(
    args: &AnswerArgs,
    generators: &Path,
    holdout: &Holdout,
    data: &Path,
    weights: Source<'_>,
    out: &Path,
) -> Result<()> {
    let (model, model_config, info) = load_configured::<TinyVit>(weights, &Device::flex())?;
    // The rounded weights are what ships, so that they are what is looked at.
    let notes = &info.metadata;
    let bytes = configured_bytes(&model, &model_config, notes, Precision::F16, &BTreeMap::new())?;
    let rounded = Source::Bytes { name: "the rounded weights", bytes: &bytes };
    let detector = builder().load(&registry(), rounded)?;
    let seen = see(&detector, holdout, data, Some(generators), args.training)?;
    let answers = seen.fit(&args.options())?;
    save_with_answers(&model, &model_config, notes, &answers, out)?;
    let detector = builder().open(&registry(), out)?;
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{}: sha256 {}", path_line(out), detector.weights().sha256)?;
    for (key, value) in answers.metadata(&BTreeMap::new()) {
        writeln!(stdout, "{}", one_line(&format!("{key}: {value}")))?;
    }
    writeln!(stdout, "\nHeld-back pictures\n{}", breakdown(&detector, &seen.held_back)?)?;
    if let Some([_, choosing]) = &seen.others {
        writeln!(stdout, "Validation sources\n{}", breakdown(&detector, choosing)?)?;
    }
    Ok(())
}

fn share(text: &str) -> Result<f64, &'static str> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or("a number from 0 to 1")
}

fn percent(text: &str) -> Result<f32, &'static str> {
    let percent = text.parse().ok().filter(|percent| (0.0..=100.0).contains(percent));
    percent.ok_or("a number from 0 to 100")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        answers: AnswerArgs,
    }

    #[test]
    fn what_answers_keep_to_is_refused_without_answers() {
        for (flag, value) in
            [("--right", "0.9"), ("--wrong", "0.1"), ("--unfamiliar", "2"), ("--training", "5")]
        {
            let of =
                |more: &[&str]| Program::try_parse_from([&["program", flag, value], more].concat());
            let error = of(&[]).expect_err(flag).to_string();
            assert!(error.contains("--generators"), "{error}");
            let answers = of(&["--generators", "x"]).expect(flag).answers;
            assert!(answers.generators.is_some());
        }
        Program::try_parse_from(["program"]).expect("the usual values need nothing");
    }
}
