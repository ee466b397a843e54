//! The time that the network takes, alone: no decoding, no files.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::ensure;
use cifake_cli::args::threads;
use cifake_cli::exit_code;
use clap::Parser;
use lab::latency::{Setting, is_detector, measure, measure_detector, measure_training};
use tinyvit::TinyVitConfig;

/// As in `cifake train`.
#[global_allocator]
static ALLOCATOR: cifake_kernels::RecyclingAllocator =
    cifake_kernels::RecyclingAllocator::new(8 << 30);

/// Times inference by the compiled plan, or training steps, on pictures that a formula gives.
#[derive(Parser)]
#[command(
    version,
    after_help = "\
Prints the median, minimum and maximum of --iters runs, in milliseconds, and the peak of resident
memory. Inference also prints the head's outputs of the first picture, so that another
implementation can be held against them: element i of the batch, [batch, 3, S, S], is
((i * 7919 + 13) mod 256) / 255. A detector prints its logit of FAKE for that picture.

Examples:
  latency --model native --batch 32 --threads 1 --iters 50
  latency --model 5m --image-size 224 --weights tiny_vit_5m.safetensors --json
  latency --model dire --batch 32 --threads 2 --iters 3
  latency --model native --batch 128 --train --iters 10"
)]
struct Args {
    /// 5m, 11m, 21m, native or native_large; or a detector: aeroblade, rigid or dire, at 32x32.
    #[arg(long, default_value = "native")]
    model: String,
    /// Height and width of the pictures; the model's own where not given.
    #[arg(long)]
    image_size: Option<usize>,
    /// Pictures in a batch.
    #[arg(long, default_value_t = 1)]
    batch: usize,
    /// Threads; 0 takes as many as the machine has.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = threads)]
    threads: usize,
    /// Timed runs, after two that are not timed.
    #[arg(long, default_value_t = 20)]
    iters: usize,
    /// Times forward, backward and optimizer instead.
    #[arg(long)]
    train: bool,
    /// Weights in timm's naming, safetensors; of a detector, a folder with such a file for each part, under
    /// published names. Random ones where not given.
    #[arg(long)]
    weights: Option<PathBuf>,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
    /// Runs once, on one picture of 32x32.
    #[arg(long, hide = true)]
    smoke: bool,
}

fn main() -> ExitCode {
    exit_code(run(cifake_cli::parsed()).map(|()| 0))
}

fn run(mut args: Args) -> anyhow::Result<()> {
    if args.smoke {
        args.iters = 1;
    }
    ensure!(args.batch > 0 && args.iters > 0, "--batch and --iters must be at least 1");
    let detects = is_detector(&args.model);
    ensure!(!(detects && args.train), "a detector is timed without --train");
    ensure!(!detects || args.image_size.is_none_or(|side| side == 32), "a detector reads 32x32");
    let model = if detects { "native" } else { args.model.as_str() };
    let Some(mut config) = TinyVitConfig::from_name(model) else {
        anyhow::bail!(
            "no model is called {}: 5m, 11m, 21m, native, native_large, aeroblade, rigid, dire",
            args.model
        );
    };
    if let Some(side) = args.image_size {
        config = config.with_image_size(side);
    }
    let setting = Setting {
        config,
        weights: args.weights,
        batch: args.batch,
        n_threads: args.threads,
        n_runs: args.iters,
    };
    let times = match (detects, args.train) {
        (true, _) => measure_detector(&args.model, &setting)?,
        (false, true) => measure_training(setting)?,
        (false, false) => measure(setting)?,
    };
    let mut stdout = std::io::stdout().lock();
    if args.json {
        writeln!(stdout, "{}", serde_json::to_string(&times)?)?;
    } else {
        writeln!(
            stdout,
            "median {:.3} ms, {:.3} to {:.3}; {:.0} MB",
            times.median_ms, times.min_ms, times.max_ms, times.peak_rss_mb
        )?;
    }
    Ok(())
}
