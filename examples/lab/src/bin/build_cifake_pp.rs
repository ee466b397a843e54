//! Builds perturbed CIFAKE, or CIFAKE++ with pictures of other generators.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use baselines::ResNet;
use burn::tensor::Device;
use cifake::Split;
use cifake::text::{counted, path_line};
use cifake::weights::{Source, load_configured};
use cifake_attacks::{Build, ModelId, RunOptions, TargetModel};
use cifake_cli::args::{DataArgs, ReferenceArgs, decoder, split_named};
use cifake_cli::{Spared, balanced, exit_code, lock_folder, progress_bar};
use cifake_training::Evaluated;
use clap::Parser;
use lab::generators;

/// Attacks every picture of a split and writes the results as parquet files with a manifest.
///
/// The default attacks are the four of the reference. They use the gradients and answers of a ResNet,
/// which must not be the detector under test.
///
/// An interrupted build resumes and ends with the same bytes. A damaged file is written again.
#[derive(Parser)]
#[command(
    version,
    after_help = "Pictures of other generators are named by a TOML file, a table a folder:
  [[pictures]]
  generator = 'Stable Diffusion 2.1'
  class = 'frog'
  prompt = 'a photograph of a frog'
  licence = 'CreativeML Open RAIL++-M'
  folder = 'sd21/frog'        # relative to the file

Examples:
  build_cifake_pp --out datasets/perturbed
  build_cifake_pp --data cifake --split train --limit 20000 --out perturbed-train
  build_cifake_pp --data cifake --split train --attack reference-dct --out noisy-train
  build_cifake_pp --data cifake --generators generators.toml --out cifake-pp"
)]
struct Args {
    #[command(flatten)]
    data: DataArgs,
    /// train or test.
    #[arg(long, default_value = "test", value_parser = split_named)]
    split: Split,
    /// Output folder of the set.
    #[arg(long, required_unless_present = "smoke")]
    out: Option<PathBuf>,
    #[command(flatten)]
    attacks: ReferenceArgs,
    /// Weights of the ResNet [default: those in crates/baselines].
    #[arg(long, value_name = "FILE")]
    surrogate: Option<PathBuf>,
    /// List of pictures of other generators, see below.
    #[arg(long, value_name = "FILE.toml")]
    generators: Option<PathBuf>,
    /// Number of pictures to attack, half of them REAL, drawn by the seed [default: all].
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Seed of the attacks and of the draw of --limit.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Pictures in a batch.
    #[arg(long, value_name = "N", default_value_t = 100)]
    batch: usize,
    /// Attacked pictures in a file. An interrupted build loses at most one file.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    per_file: usize,
    /// Attack eight pictures of the mini data set into a temporary folder.
    #[arg(long, hide = true)]
    smoke: bool,
}

fn main() -> ExitCode {
    exit_code(run(cifake_cli::parsed()))
}

fn run(mut args: Args) -> Result<usize> {
    let temporary = tempfile::tempdir()?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    if args.smoke {
        args.out = Some(temporary.path().to_owned());
        args.limit = Some(8);
    }
    let data = args.data.path(args.smoke)?;
    let out = args.out.as_deref().context("--out is required")?;
    Spared::default().folder(out)?;
    let weights = root.join("crates/baselines/weights/resnet18_32.safetensors");
    let weights = args.surrogate.as_deref().unwrap_or(&weights);
    let source = Source::File(weights);
    let (surrogate, _, info) = load_configured::<ResNet>(source, &Device::flex())?;
    let surrogate = Evaluated::new(&surrogate);
    let dataset = args.data.open(&data, Some(args.split))?;
    let mut options = RunOptions::new((32, 32), out);
    (options.seed, options.batch_size) = (args.seed, args.batch.max(1));
    options.decoder = decoder();
    if let Some(limit) = args.limit {
        options.indices = Some(balanced(&*dataset, 0..dataset.len(), limit, args.seed));
    }
    let _lock = lock_folder(out, "build")?;
    let build = Build {
        target: TargetModel::new(&surrogate),
        surrogate: &ModelId::new(format!("resnet18_32@{}", &info.sha256[..8]), &info.sha256),
        dataset: &*dataset,
        suite: &args.attacks.suite()?,
        split: args.split,
        per_file: args.per_file.max(1),
        generated: &args.generators.as_deref().map(generators).transpose()?.unwrap_or_default(),
    };
    let bar = progress_bar()?;
    let manifest = build.run(&options, &mut |done, total| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
    })?;
    bar.finish_and_clear();
    let n: usize = manifest.files.iter().map(|file| file.n).sum();
    writeln!(io::stdout(), "{}: {} in {}", manifest.set, counted(n, "picture"), path_line(out))?;
    Ok(0)
}
