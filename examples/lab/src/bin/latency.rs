//! How long the network takes, alone: no decoding, no files.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::ensure;
use cifake_cli::args::threads;
use cifake_cli::exit_code;
use clap::Parser;
use lab::latency::{Setting, measure, measure_training};
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
((i * 7919 + 13) mod 256) / 255.

Examples:
  latency --model native --batch 32 --threads 1 --iters 50
  latency --model 5m --image-size 224 --weights tiny_vit_5m.safetensors --json
  latency --model native --batch 128 --train --iters 10"
)]
struct Args {
    /// 5m, 11m, 21m, native or native_large.
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
    /// Weights in timm's naming, safetensors; random ones where not given.
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
    let Some(mut config) = TinyVitConfig::from_name(&args.model) else {
        anyhow::bail!("no model is called {}: 5m, 11m, 21m, native, native_large", args.model);
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
    let times = if args.train { measure_training(setting)? } else { measure(setting)? };
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
