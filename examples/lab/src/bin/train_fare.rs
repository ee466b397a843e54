//! Robust training of a vision transformer's encoder, without labels.

use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use baselines::{FareEvent, FareRecipe, FareRun, VitDetector};
use cifake::device;
use cifake::weights::{Precision, Source, save_configured};
use cifake_cli::{Opening, exit_code, lock_folder, progress_bar};
use cifake_training::Network;
use clap::Parser;
use lab::RunArgs;

/// The recipe where none is given.
const OWN: &str = include_str!("../../recipes/fare.toml");

/// The recipe of `--smoke`.
const SMOKE: &str = "
row_steps = 2
data = { validation_fraction = 0.25 }
fare = { epsilon = '2/255', step_size = '1/255', attack_steps = 2, momentum = 0.9, learning_rate = 1e-4, \
    weight_decay = 1e-4, warmup_steps = 1, steps = 3, batch_size = 4, seed = 1 }
";

/// Makes the encoder of a vision transformer robust, as FARE (arXiv 2402.12336). It writes last.safetensors,
/// checkpoint.safetensors and metrics.csv into a folder. Started again with the same folder, a run goes on and
/// ends with the same bytes.
#[derive(Parser)]
#[command(
    version,
    after_help = "Examples:
  train_fare --weights runs/vit/best.safetensors --data cifake/ --out runs/fare
  train_fare --weights vit.safetensors --config examples/lab/recipes/fare.toml --threads 1 --out runs/fare
  train_fare --weights vit.safetensors --data cifake --out runs/fare --json"
)]
struct Args {
    /// Weight file of a vision transformer, as `cifake train` makes it of examples/lab/recipes/vit.toml. Its
    /// head stays as it is.
    #[arg(long, value_name = "FILE", required_unless_present = "smoke")]
    weights: Option<PathBuf>,
    #[command(flatten)]
    run: RunArgs,
}

fn main() -> ExitCode {
    exit_code(run(cifake_cli::parsed()).map(|()| 0))
}

fn run(mut args: Args) -> anyhow::Result<()> {
    let opening = Opening::new(args.run.out.take(), args.run.smoke, args.run.threads)?;
    let start = match args.weights.take() {
        Some(path) => path,
        None => untrained(opening.temporary())?,
    };
    opening.install(|| train(&args.run, &start, opening.out()))
}

/// A small vision transformer with random weights, for `--smoke`.
fn untrained(folder: &Path) -> anyhow::Result<PathBuf> {
    let mut config = VitDetector::preset("vit_32").context("the preset is listed")?;
    (config.dim, config.n_heads, config.depth, config.d_mlp) = (8, 2, 1, 8);
    let path = folder.join("start.safetensors");
    let model = VitDetector::draw(&config, 1, &device::parse("flex")?);
    save_configured(&model, &config, &[].into(), Precision::F32, &path)?;
    Ok(path)
}

fn train(args: &RunArgs, start: &Path, out: &Path) -> anyhow::Result<()> {
    let recipe: FareRecipe = args.recipe(OWN, SMOKE)?;
    recipe.validate().map_err(anyhow::Error::msg).context("the recipe is not valid")?;
    let _lock = lock_folder(out, "run")?;
    let data = args.training_data(&recipe.data)?;
    let device = device::parse(&args.device)?;
    let mut run = FareRun::new(recipe, Source::File(start), data, out, &device)?;
    let bar = progress_bar()?;
    bar.set_length(run.n_steps() as u64);
    bar.set_position(run.step() as u64);
    run.run(&mut |event| {
        match event {
            FareEvent::Step { step, loss, images_per_second } => {
                bar.set_message(format!("loss {loss:.4}, {images_per_second:.1} images/s"));
                bar.set_position(step as u64);
            }
            FareEvent::Row(row) => bar.say(&row.to_string()),
            _ => {}
        }
        ControlFlow::Continue(())
    })?;
    bar.finish_and_clear();
    std::io::stdout().lock().write_all(args.table(run.history())?.as_bytes())?;
    Ok(())
}
