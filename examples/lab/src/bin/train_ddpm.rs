//! A diffusion model of camera pictures, by which DIRE reconstructs.

use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use baselines::dire::{Ddpm, DdpmEvent, DdpmRecipe};
use cifake::device;
use cifake_cli::{Opening, exit_code, lock_folder, progress_bar};
use clap::Parser;
use lab::RunArgs;

/// The recipe where none is given.
const OWN: &str = include_str!("../../recipes/ddpm.toml");

/// The recipe of `--smoke`.
const SMOKE: &str = "
model = { image_size = 32, model_channels = 4, channel_mult = [1, 2], num_res_blocks = 1, \
    attention_resolutions = [16], num_head_channels = 4, num_heads = 1, num_groups = 4, \
    use_scale_shift_norm = true, resblock_updown = false, use_new_attention_order = false, learn_sigma = false }
data = { validation_fraction = 0.25 }
train = { epochs = 2, batch_size = 4, learned_steps = 10, sample_steps = 2 }
";

/// Trains a diffusion model on the REAL training pictures of a data set and writes last.safetensors,
/// checkpoint.safetensors, metrics.csv and samples-N.png into a folder. Started again with the same folder,
/// a run goes on and ends with the same bytes.
#[derive(Parser)]
#[command(
    version,
    after_help = "Examples:
  train_ddpm --data cifake/ --out runs/ddpm
  train_ddpm --config examples/lab/recipes/ddpm.toml --threads 1 --out runs/ddpm
  train_ddpm --data cifake --out runs/ddpm --json"
)]
struct Args {
    #[command(flatten)]
    run: RunArgs,
}

fn main() -> ExitCode {
    exit_code(run(cifake_cli::parsed()).map(|()| 0))
}

fn run(mut args: Args) -> anyhow::Result<()> {
    let opening = Opening::new(args.run.out.take(), args.run.smoke, args.run.threads)?;
    opening.install(|| train(&args.run, opening.out()))
}

fn train(args: &RunArgs, out: &Path) -> anyhow::Result<()> {
    let recipe: DdpmRecipe = args.recipe(OWN, SMOKE)?;
    recipe.validate().map_err(anyhow::Error::msg).context("the recipe is not valid")?;
    let _lock = lock_folder(out, "run")?;
    let data = args.training_data(&recipe.data)?;
    let mut run = Ddpm::new(recipe, &data, out, &device::parse(&args.device)?)?;
    let bar = progress_bar()?;
    bar.set_length(run.n_steps() as u64);
    bar.set_position(run.step() as u64);
    run.run(&mut |event| {
        match event {
            DdpmEvent::Step { step, loss, images_per_second } => {
                bar.set_message(format!("loss {loss:.4}, {images_per_second:.1} images/s"));
                bar.set_position(step as u64);
            }
            DdpmEvent::Epoch(row) => bar.say(&row.to_string()),
            _ => {}
        }
        ControlFlow::Continue(())
    })?;
    bar.finish_and_clear();
    std::io::stdout().lock().write_all(args.table(run.history())?.as_bytes())?;
    Ok(())
}
