//! Training runs, from their arguments to their end.

mod args;
mod pictures;
mod queue;
mod run;
mod watch;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, ensure};
use cifake::text::path_line;
use cifake::{Threads, device};
use cifake_training::{Places, Queue, ReadyStage, Recipe, State};

use crate::Spared;
use crate::exit::{BROKEN_OFF, BrokenOff};
use crate::trained::{Task, Trained, with_recipe};

pub(crate) use args::TrainArgs;
pub(crate) use pictures::main_set;
use run::Runner;

/// The recipe where none is given.
const OWN: &str = include_str!("../../../lab/recipes/own.toml");

/// The files of a run in its folder.
const WRITTEN: [&str; 6] = [
    "best.safetensors",
    "last.safetensors",
    "checkpoint.safetensors",
    "metrics.csv",
    "metrics.png",
    "state.json",
];

/// The recipes of `--smoke`.
const SMOKE: [&str; 4] = [
    "
model = { preset = 'native', embed_dims = [16, 32, 32, 32], n_heads = [1, 1, 1, 1], stem_dim = 8 }
data = { validation_fraction = 0.25 }
[train]
epochs = 2
batch_size = 8
checkpoint_steps = 2
adversary = { share = 0.5, validation = 8, guard_steps = 3 }
",
    "
model = { preset = 'resnet18_32', widths = [8, 8, 16, 16], depths = [1, 1, 1, 1] }
data = { validation_fraction = 0.25 }
train = { epochs = 2, batch_size = 8, checkpoint_steps = 2 }
",
    "
model = { preset = 'fft_vae_32', widths = [8, 8], n_groups = 4, dim = 8 }
data = { validation_fraction = 0.25 }
train = { epochs = 2, batch_size = 8, checkpoint_steps = 2 }
",
    "
model = { preset = 'vit_32', dim = 16, n_heads = 2, depth = 2, d_mlp = 16, drop_path = 0.1 }
data = { validation_fraction = 0.25 }
train = { epochs = 2, batch_size = 8, checkpoint_steps = 2 }
",
];

/// Trains as `args` say.
///
/// # Errors
///
/// [`BrokenOff`] after a signal; a recipe, a queue or data that cannot be read, and those of
/// [`Trainer`](cifake_training::Trainer).
pub(crate) fn train(args: &TrainArgs) -> Result<()> {
    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        // A user who asks twice does not want to wait for the end of a step.
        if asked.swap(true, Ordering::SeqCst) {
            std::process::exit(i32::from(BROKEN_OFF));
        }
    })?;
    match Threads::new(args.threads)?.install(|| choose(args, &stop))? {
        true => Ok(()),
        false => Err(BrokenOff.into()),
    }
}

/// Runs what `args` name; whether it came to its end.
fn choose(args: &TrainArgs, stop: &AtomicBool) -> Result<bool> {
    if args.smoke {
        for recipe in SMOKE {
            let folder = tempfile::tempdir()?;
            let recipe = toml::from_str(recipe).context("the recipe is not valid")?;
            alone(args, recipe, Path::new("."), folder.path(), stop)?;
        }
        return Ok(true);
    }
    let out = args.out.as_deref().context("--out is required")?;
    let read = [&args.config, &args.queue, &args.weights, &args.data.data];
    let spared = Spared::of(read.into_iter().flatten().chain(&args.extra));
    spared.folder(out)?;
    for name in WRITTEN {
        spared.refuse(&out.join(name))?;
    }
    let temporary = tempfile::tempdir()?;
    let args = &args.with_file_of_weights(temporary.path())?;
    match (&args.queue, &args.config) {
        (Some(file), _) => {
            let queue = Queue::open(file)?;
            let places = args.places(file, out);
            let stage = queue.stages.first().context("the queue has no stage")?;
            let base = file.parent().unwrap_or(Path::new(""));
            let recipe = Recipe::open(&places.resolve(&stage.recipe, base)?)?;
            with_recipe(&recipe, Stages { args, stop, queue, places })
        }
        (None, Some(config)) => alone(args, args.recipe(Recipe::open(config)?), config, out, stop),
        (None, None) => {
            let recipe = toml::from_str(OWN).context("the built-in recipe is not valid")?;
            alone(args, args.recipe(recipe), Path::new("."), out, stop)
        }
    }
}

/// The runs of a queue.
struct Stages<'a> {
    args: &'a TrainArgs,
    stop: &'a AtomicBool,
    queue: Queue,
    places: Places<'a>,
}

impl Task for Stages<'_> {
    type Output = bool;

    fn run<N: Trained>(self) -> Result<bool> {
        queue::run::<N>(&Runner::new(self.args, self.stop)?, &self.queue, &self.places)
    }
}

/// One run in `folder`, of the `recipe` that stands at `path`.
fn alone(
    args: &TrainArgs,
    recipe: Recipe,
    path: &Path,
    folder: &Path,
    stop: &AtomicBool,
) -> Result<bool> {
    let places = args.places(path, folder);
    with_recipe(&recipe.clone(), Alone { args, stop, recipe, places })
}

/// A run by itself.
struct Alone<'a> {
    args: &'a TrainArgs,
    stop: &'a AtomicBool,
    recipe: Recipe,
    places: Places<'a>,
}

impl Task for Alone<'_> {
    type Output = bool;

    fn run<N: Trained>(self) -> Result<bool> {
        let Self { args, stop, recipe, places } = self;
        let runner = Runner::new(args, stop)?;
        let (extra, weights) = (args.extra.clone(), args.weights.clone());
        let stage = ReadyStage::alone::<N>(recipe, extra, weights, &places)?;
        let state = State::new(&stage.name, [1, 1], 0);
        let is_done = runner.run::<N>(&stage, state, &places.out.join("state.json"))?;
        if is_done && !args.smoke {
            let best = places.out.join("best.safetensors");
            ensure!(
                best.is_file(),
                "the run is done, but {} is gone; remove checkpoint.safetensors to train again",
                path_line(&best)
            );
            eprintln!(
                "done: {best}\n\
                 measure it:    cifake evaluate --data DATA{labels} --weights {best}\n\
                 judge with it: cifake detect --weights {best} PICTURE",
                best = path_line(&best),
                labels = args.data.label_arguments()
            );
        }
        Ok(is_done)
    }
}

impl<'a> Runner<'a> {
    fn new(args: &'a TrainArgs, stop: &'a AtomicBool) -> Result<Self> {
        let path = args.data.path(args.smoke)?;
        let device = device::parse(&args.device)?;
        Ok(Self { args, path, device, stop })
    }
}
