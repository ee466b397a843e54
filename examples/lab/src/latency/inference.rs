//! Timing of inference.

use std::hint::black_box;
use std::path::PathBuf;
use std::time::Instant;

use burn::tensor::Device;
use cifake::weights::{Source, load_configured};
use tinyvit::{TinyVit, TinyVitConfig};

use super::{N_WARM, Setting, Times};

/// Times inference by the compiled plan.
///
/// # Errors
///
/// Weights that do not fit; threads that the system refuses.
pub fn measure(setting: Setting) -> anyhow::Result<Times> {
    let pool = cifake::Threads::new(setting.n_threads)?;
    let images = pixels(setting.batch, setting.config.image_size);
    let (model, config) = load(setting.config, setting.weights)?;
    let plan = model.compile(&config);
    drop(model);
    let mut outputs = Vec::new();
    let mut seconds = Vec::with_capacity(setting.n_runs);
    for run in 0..N_WARM + setting.n_runs {
        let begun = Instant::now();
        outputs = pool.install(|| plan.run(black_box(&images)));
        if run >= N_WARM {
            seconds.push(begun.elapsed().as_secs_f64());
        }
    }
    outputs.truncate(config.n_classes);
    Ok(Times::of(seconds, outputs))
}

fn load(
    config: TinyVitConfig,
    weights: Option<PathBuf>,
) -> anyhow::Result<(TinyVit, TinyVitConfig)> {
    let device = Device::flex();
    let Some(path) = weights else { return Ok((config.init(1, &device), config)) };
    // A file of our own knows its shape; a bare checkpoint must have the one that was named.
    match load_configured(Source::File(&path), &device) {
        Ok((model, own, _)) => Ok((model, own)),
        Err(_) => Ok((config.load(path.as_path(), &device)?, config)),
    }
}

/// Pixels in `[0, 1]`, `[batch, 3, side, side]`, a function of their index alone.
pub(super) fn pixels(batch: usize, side: usize) -> Vec<f32> {
    let byte = |i: usize| (i * 7919 + 13) % 256;
    (0..batch * 3 * side * side).map(|i| byte(i) as f32 / 255.0).collect()
}
