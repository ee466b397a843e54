//! The mean of several runs' weights.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::bail;
use cifake::device;
use cifake::text::path_line;
use cifake::weights::{Checkpoint, Source};
use cifake_cli::args::{DataArgs, decoder};
use cifake_cli::trained::{Task, Trained, with_metadata};
use cifake_cli::{Holdout, Spared, exit_code};
use cifake_training::Averaged;
use clap::Parser;

/// Writes the mean of the weights of several runs of one configuration, the running statistics of
/// norms included; the file's metadata says of what.
#[derive(Parser)]
#[command(
    version,
    after_help = "Examples:
  average_weights runs/a/best.safetensors runs/b/best.safetensors --out runs/mean.safetensors"
)]
struct Args {
    /// Weight files.
    #[arg(required_unless_present = "smoke")]
    weights: Vec<PathBuf>,
    /// File to write.
    #[arg(long, required_unless_present = "smoke")]
    out: Option<PathBuf>,
    /// Measures the norms' statistics anew on the training pictures of this data set, without those
    /// that the weights hold back.
    #[arg(long, value_name = "DATA")]
    recalibrate_norm: Option<PathBuf>,
    /// Seed of the order of those pictures.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// flex, ndarray, wgpu or cuda:0.
    #[arg(long, default_value = "flex")]
    device: String,
    /// Averages two of the repository's weight files into a temporary file.
    #[arg(long, hide = true)]
    smoke: bool,
}

fn main() -> ExitCode {
    exit_code(run(cifake_cli::parsed()).map(|()| 0))
}

fn run(mut args: Args) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    if args.smoke {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let shipped = ["native", "adversarial"].map(|name| format!("{name}.safetensors"));
        args.weights = shipped.map(|name| root.join("crates/tinyvit/weights").join(name)).into();
        args.out = Some(folder.path().join("mean.safetensors"));
        args.recalibrate_norm = Some(root.join("datasets/mini"));
    }
    let Some(first) = args.weights.first() else { bail!("there are no weights to average") };
    let metadata = Checkpoint::open(Source::File(first))?.info().metadata.clone();
    with_metadata(&metadata, Average(&args))
}

/// The mean of the weights that `args` name.
struct Average<'a>(&'a Args);

impl Task for Average<'_> {
    type Output = ();

    fn run<N: Trained>(self) -> anyhow::Result<()> {
        average::<N>(self.0)
    }
}

fn average<N: Trained>(args: &Args) -> anyhow::Result<()> {
    let device = device::parse(&args.device)?;
    let Some(out) = &args.out else { bail!("--out is required") };
    Spared::of(args.weights.iter().chain(&args.recalibrate_norm)).file(out)?;
    let mut averaged = Averaged::<N>::of(&args.weights, &device)?;
    if let Some(data) = &args.recalibrate_norm {
        let dataset = DataArgs::at(data).listed(data)?.training()?;
        let data = Holdout::of_all(&args.weights)?.load(Box::new(dataset), &decoder())?;
        averaged = averaged.with_norms_of(&data.train, args.seed, &device);
    }
    let info = averaged.save(out)?;
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{}: sha256 {}", path_line(out), info.sha256)?;
    Ok(())
}
