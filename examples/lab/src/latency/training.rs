//! Timing of training.

use std::ops::ControlFlow;
use std::time::Instant;

use anyhow::ensure;
use burn::tensor::Device;
use cifake::Label;
use cifake_training::{Augment, Event, Examples, TrainConfig, Trainer};
use tinyvit::TinyVit;

use super::{N_WARM, Setting, Times};

/// Times training steps: forward, backward, optimizer and moving average, as
/// [`Trainer`] takes them, with no augmentation and labels that alternate.
///
/// # Errors
///
/// As [`super::measure`].
pub fn measure_training(setting: Setting) -> anyhow::Result<Times> {
    let pool = cifake::Threads::new(setting.n_threads)?;
    let config = if setting.config.n_classes > 2 {
        setting.config.with_n_classes(2)
    } else {
        setting.config
    };
    ensure!(setting.weights.is_none(), "training is timed from random weights");
    let side = config.image_size;
    let bytes = |batch: usize| {
        (0..batch * 3 * side * side).map(|i| (i * 7919 + 13) as u8).collect::<Vec<_>>()
    };
    let labels =
        |batch: usize| (0..batch).map(|i| [Label::Real, Label::Fake][i % 2]).collect::<Vec<_>>();
    let examples = |batch: usize| Examples::new(bytes(batch), labels(batch), side);
    let recipe = TrainConfig::default()
        .with_epochs(N_WARM + setting.n_runs + 1)
        .with_batch_size(setting.batch)
        .with_augment(Augment::none());
    let folder = tempfile::tempdir()?;
    let sets = [examples(setting.batch)?, examples(2)?];
    let mut seconds = Vec::new();
    pool.install(|| -> anyhow::Result<()> {
        let device = Device::flex();
        let mut trainer =
            Trainer::<TinyVit>::new(recipe, config, None, sets, folder.path(), &device)?;
        for run in 0..N_WARM + setting.n_runs {
            let begun = Instant::now();
            let mut taken = 0.0;
            trainer.run(&mut |event| match event {
                Event::Step { .. } => {
                    taken = begun.elapsed().as_secs_f64();
                    ControlFlow::Break(())
                }
                _ => ControlFlow::Continue(()),
            })?;
            if run >= N_WARM {
                seconds.push(taken);
            }
        }
        Ok(())
    })?;
    Ok(Times::of(seconds, Vec::new()))
}
