//! Runs one after the other.

use anyhow::Result;
use cifake_training::{Places, Queue, ReadyStage, State};

use super::run::Runner;
use crate::trained::Trained;

/// Runs the `queue` at `places`; whether it came to its end.
pub(super) fn run<N: Trained>(runner: &Runner, queue: &Queue, places: &Places) -> Result<bool> {
    let stages = queue.stages::<N>(places)?;
    let averages = || queue.write_averages::<N>(&stages, places, &runner.device);
    let state_path = places.out.join("state.json");
    std::fs::create_dir_all(places.out)?;
    averages()?;
    for (idx, stage) in stages.iter().enumerate() {
        if stage.is_done()? {
            eprintln!("{}: done before", stage.name);
            continue;
        }
        let epochs = |later: &ReadyStage<N::Config>| later.recipe.train.epochs;
        let epochs_after = stages[idx + 1..].iter().map(epochs).sum();
        let state = State::new(&stage.name, [idx + 1, stages.len()], epochs_after);
        if !runner.run::<N>(stage, state, &state_path)? {
            return Ok(false);
        }
        stage.finish()?;
        for path in averages()? {
            eprintln!("{}: the mean is written", path.display());
        }
    }
    Ok(true)
}
