//! Trains a residual network on CIFAKE: a baseline, and the surrogate of attacked sets.

use std::process::ExitCode;

use baselines::ResNet;
use cifake::weights::load_configured;
use clap::Parser;
use lab::training::{TrainArgs, train};

/// Activations of a batch are large; without it the system would hand out fresh pages each step.
#[global_allocator]
static ALLOCATOR: cifake_kernels::RecyclingAllocator =
    cifake_kernels::RecyclingAllocator::new(8 << 30);

/// Trains a ResNet from random weights and writes checkpoint.safetensors, best.safetensors,
/// last.safetensors, metrics.csv and metrics.png into a folder. Started again with the same folder
/// it goes on.
#[derive(Parser)]
#[command(after_help = "Examples:
  train_resnet --config examples/lab/recipes/surrogate.toml --data ../shared/datasets/cifake
  train_resnet --smoke")]
struct Args {
    #[command(flatten)]
    run: TrainArgs,
}

const SMOKE: &str = "
model = { preset = 'resnet18_32', widths = [8, 8, 16, 16], depths = [1, 1, 1, 1] }
data = { validation_fraction = 0.25 }
train = { epochs = 2, batch_size = 8, checkpoint_steps = 2 }
";

fn main() -> anyhow::Result<ExitCode> {
    train::<ResNet>(&Args::parse().run, SMOKE, |config, path, _, device| {
        let (model, found, _) = load_configured::<ResNet>(path.into(), device)?;
        anyhow::ensure!(found == *config, "{} is of another configuration", path.display());
        Ok(model)
    })
}
