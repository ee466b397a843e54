//! Training runs, from their arguments to their end.

mod args;
mod queue;
mod run;
mod watch;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, bail};
use burn::tensor::Device;
use cifake::device;
use cifake_training::{Network, Places, ReadyStage, Recipe, State};

pub use args::TrainArgs;
use run::Runner;

/// The program's answer where a signal broke a run off, which goes on when it is started again.
const BROKEN_OFF: u8 = 3;

/// Makes a network of a configuration from a weight file; a seed draws what the file lacks.
pub type Load<N> =
    fn(&<N as cifake::weights::Configured>::Config, &Path, u64, &Device) -> anyhow::Result<N>;

/// Trains as `args` say; `load` opens weights to start from, and `smoke` is the recipe of `--smoke`.
///
/// # Errors
///
/// A recipe, a queue or data that cannot be read, and those of
/// [`Trainer`](cifake_training::Trainer).
pub fn train<N: Network>(args: &TrainArgs, smoke: &str, load: Load<N>) -> anyhow::Result<ExitCode> {
    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        // Who asks twice does not want to wait for the end of a step.
        if asked.swap(true, Ordering::SeqCst) {
            std::process::exit(i32::from(BROKEN_OFF));
        }
    })?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(args.threads).build()?;
    let done = pool.install(|| choose(args, smoke, load, &stop))?;
    if !done {
        eprintln!("broken off; started again with the same arguments it goes on");
        return Ok(ExitCode::from(BROKEN_OFF));
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs what `args` name; whether it came to its end.
fn choose<N: Network>(
    args: &TrainArgs,
    smoke: &str,
    load: Load<N>,
    stop: &AtomicBool,
) -> anyhow::Result<bool> {
    let device = device::parse(&args.device)?;
    if args.smoke {
        let folder = tempfile::tempdir()?;
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/mini");
        let recipe: Recipe = toml::from_str(smoke).context("the recipe is not valid")?;
        let runner = Runner { data: &data, device, load, stop };
        return alone(&runner, recipe, Path::new("."), args, folder.path());
    }
    let Some(data) = &args.data else { bail!("--data is required") };
    let runner = Runner { data, device, load, stop };
    match (&args.queue, &args.config) {
        (Some(queue), _) => queue::run(&runner, &args.places(queue)),
        (None, Some(config)) => alone(&runner, Recipe::open(config)?, config, args, &args.out),
        (None, None) => bail!("--config or --queue is required"),
    }
}

/// One run in `folder`, of the `recipe` that stands at `path`.
fn alone<N: Network>(
    runner: &Runner<N>,
    recipe: Recipe,
    path: &Path,
    args: &TrainArgs,
    folder: &Path,
) -> anyhow::Result<bool> {
    let places = Places { out: folder, ..args.places(path) };
    let (extra, weights) = (args.extra.clone(), args.weights.clone());
    let stage = ReadyStage::alone::<N>(recipe, extra, weights, &places)?;
    let state = State::new(&stage.name, [1, 1], 0);
    runner.run(&stage, state, &folder.join("state.json"))
}
