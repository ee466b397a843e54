//! Trains a TinyViT on CIFAKE, or goes on with a run that was broken off.

use std::process::ExitCode;

use clap::Parser;
use lab::training::{TrainArgs, train};
use tinyvit::TinyVit;

/// Activations of a batch are large; without it the system would hand out fresh pages each step.
#[global_allocator]
static ALLOCATOR: cifake_kernels::RecyclingAllocator =
    cifake_kernels::RecyclingAllocator::new(8 << 30);

/// Trains a TinyViT and writes checkpoint.safetensors, best.safetensors, last.safetensors,
/// metrics.csv and metrics.png into a folder. Started again with the same folder it goes on.
///
/// A recipe with a section train.adversary trains against attacks. Weights to start from may also be
/// timm's or Microsoft's; another head is drawn anew.
///
/// SIGINT and SIGTERM end a run after the step under way and a checkpoint, with the answer 3.
#[derive(Parser)]
#[command(after_help = "Examples:
  train_tinyvit --config examples/lab/recipes/native-1.toml --data ../shared/datasets/cifake
  train_tinyvit --config my.toml --data cifake/ --out runs/mine --weights runs/first/best.safetensors
  train_tinyvit --queue queue.toml --data cifake/ --extra-root sets/ --out runs/queue
  train_tinyvit --smoke")]
struct Args {
    #[command(flatten)]
    run: TrainArgs,
}

const SMOKE: &str = "
model = { preset = 'native', embed_dims = [16, 32, 32, 32], n_heads = [1, 1, 1, 1], stem_dim = 8 }
data = { validation_fraction = 0.25 }
[train]
epochs = 2
batch_size = 8
checkpoint_steps = 2
adversary = { share = 0.5, validation = 8, guard_steps = 3 }
";

fn main() -> anyhow::Result<ExitCode> {
    train::<TinyVit>(&Args::parse().run, SMOKE, |config, path, seed, device| {
        Ok(config.load_for_fine_tuning(path, seed, device)?)
    })
}
