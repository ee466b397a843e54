//! The pictures that DIRE's classifier is trained on.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use baselines::dire::{ResidueSet, ResidueSettings, UNet, UNetConfig};
use burn::tensor::Device;
use cifake::text::path_line;
use cifake::weights::{Precision, Source, load_configured, save_configured};
use cifake::{Split, device};
use cifake_cli::args::{DataArgs, decoder, split_named, threads};
use cifake_cli::{Opening, balanced, exit_code, lock_folder, progress_bar};
use clap::Parser;

/// Writes DIRE's residues of labelled pictures as a data set, OUT/SPLIT/REAL and OUT/SPLIT/FAKE, all as PNG.
///
/// A residue is the difference of a picture and of what a diffusion model gives back of it. An interrupted
/// build resumes and ends with the same bytes.
#[derive(Parser)]
#[command(
    version,
    after_help = "Examples:
  build_dire --data cifake/ --split train --weights runs/ddpm/last.safetensors --out residues/
  build_dire --data cifake/ --split test --weights runs/ddpm/last.safetensors --out residues/
  cifake train --config examples/lab/recipes/dire-resnet.toml --data residues/ --out runs/dire-resnet"
)]
struct Args {
    #[command(flatten)]
    data: DataArgs,
    /// train or test.
    #[arg(long, default_value = "train", value_parser = split_named)]
    split: Split,
    /// Weight file of a diffusion model, as train_ddpm writes it.
    #[arg(long, value_name = "FILE", required_unless_present = "smoke")]
    weights: Option<PathBuf>,
    /// Steps that the diffusion model learned.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    learned_steps: usize,
    /// Steps of the inversion, and of the reconstruction.
    #[arg(long, value_name = "N", default_value_t = 20)]
    steps: usize,
    /// Output folder of the set.
    #[arg(long, value_name = "FOLDER", required_unless_present = "smoke")]
    out: Option<PathBuf>,
    /// Number of pictures, half of them REAL, drawn by the seed [default: all].
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Seed of the draw of --limit.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Pictures in a batch.
    #[arg(long, value_name = "N", default_value_t = 32)]
    batch: usize,
    /// flex, ndarray, wgpu or cuda:0.
    #[arg(long, default_value = "flex")]
    device: String,
    /// Threads of the build; 0 takes all cores. The pictures do not depend on it.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = threads)]
    threads: usize,
    /// Print the number of pictures and the speed as JSON.
    #[arg(long)]
    json: bool,
    /// Makes residues of eight pictures of the mini data set by random weights, in a temporary folder.
    #[arg(long, hide = true)]
    smoke: bool,
}

fn main() -> ExitCode {
    exit_code(run(cifake_cli::parsed()).map(|()| 0))
}

fn run(mut args: Args) -> anyhow::Result<()> {
    let opening = Opening::new(args.out.take(), args.smoke, args.threads)?;
    if args.smoke {
        args.limit = Some(8);
        if args.weights.is_none() {
            args.weights = Some(random_weights(opening.temporary())?);
        }
    }
    let weights = args.weights.as_deref().context("--weights is required")?;
    let out = opening.out().join(args.split.to_string());
    opening.install(|| build(&args, weights, &out))
}

fn build(args: &Args, weights: &Path, out: &Path) -> anyhow::Result<()> {
    let device = device::parse(&args.device)?;
    let (unet, config, info) = load_configured::<UNet>(Source::File(weights), &device)?;
    let dataset = args.data.open(&args.data.path(args.smoke)?, Some(args.split))?;
    let indices = match args.limit {
        Some(limit) => balanced(&*dataset, 0..dataset.len(), limit, args.seed),
        None => (0..dataset.len()).collect(),
    };
    let (learned_steps, steps) = (args.learned_steps, args.steps);
    let settings = ResidueSettings { unet: info.sha256, learned_steps, steps };
    let set = ResidueSet::new((&unet, &config), settings, &*dataset, indices)?;
    let _lock = lock_folder(out, "build")?;
    let bar = progress_bar()?;
    let (begun, mut first, mut last) = (Instant::now(), None, 0);
    set.write(out, args.batch.max(1), (&decoder(), &device), &mut |done, total| {
        first.get_or_insert(done);
        last = done;
        bar.set_length(total as u64);
        bar.set_position(done as u64);
    })?;
    bar.finish_and_clear();
    let made = last - first.unwrap_or(last);
    let speed = made as f64 / begun.elapsed().as_secs_f64();
    let mut stdout = std::io::stdout().lock();
    if args.json {
        let (pictures, images_per_second) = (last, speed);
        let line = serde_json::json!({ "pictures": pictures, "made": made, "images_per_second": images_per_second });
        writeln!(stdout, "{line}")?;
    } else {
        writeln!(
            stdout,
            "{last} residues in {}, {made} made now, {speed:.2} images/s",
            path_line(out)
        )?;
    }
    Ok(())
}

/// A small diffusion model that has learned nothing.
fn random_weights(folder: &Path) -> anyhow::Result<PathBuf> {
    let config =
        UNetConfig { model_channels: 8, num_head_channels: Some(8), ..UNetConfig::ddpm_32() };
    let unet = UNet::draw(&config, 1, &Device::flex());
    let path = folder.join("unet.safetensors");
    save_configured(&unet, &config, &[].into(), Precision::F32, &path)?;
    Ok(path)
}
