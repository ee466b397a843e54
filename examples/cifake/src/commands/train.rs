//! `cifake train`: a detector from pictures.

use anyhow::Result;
use cifake_kernels::RecyclingAllocator;

use crate::training::{TrainArgs, train};

/// Freed blocks that a training run keeps for its next step, in bytes.
const KEPT: usize = 8 << 30;

/// Trains a detector on pictures of two classes and writes best.safetensors, last.safetensors,
/// checkpoint.safetensors, metrics.csv and metrics.png into a folder. Started again with the same folder,
/// a run goes on.
///
/// The section model of a recipe names the network: a TinyViT, a ResNet, a ViT or an FFT + VAE. A section
/// train.adversary trains against attacks. Weights to start from may also be published ones, such as timm's,
/// Hugging Face's or Microsoft's; another head is drawn anew.
///
/// SIGINT and SIGTERM end a run after the step under way and a checkpoint, with exit status 3.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cifake train --data my/pictures --out runs/mine             folders real and fake, built-in recipe
  cifake train --data my/pictures --real photos --fake renders --out runs/mine
  cifake train --data list.csv --out runs/mine                columns path and label
  cifake train --data my/pictures --epochs 40 --batch-size 32 --out runs/longer
  cifake train --config examples/lab/recipes/native-1.toml --out runs/native-1
  cifake train --config my.toml --data cifake/ --weights runs/first/best.safetensors --out runs/second
  cifake train --queue queue.toml --extra-root sets/ --out runs/queue")]
pub(crate) struct Args {
    #[command(flatten)]
    run: TrainArgs,
}

/// Returns 0, since a run comes to its end or fails.
pub(crate) fn run(args: &Args, allocator: &RecyclingAllocator) -> Result<usize> {
    // Activations of a batch are large; without it the system would hand out fresh pages each step.
    allocator.set_max_bytes(KEPT);
    let outcome = train(&args.run);
    allocator.set_max_bytes(0);
    allocator.release();
    outcome.map(|()| 0)
}
