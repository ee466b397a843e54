//! Progress of a fine-tuning run.

use std::fmt;
use std::ops::ControlFlow;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use vlm_lora::tune::{Event, Trainable, Tuner};

/// How a run ended.
#[derive(Debug, Serialize)]
pub(super) struct Outcome {
    steps: usize,
    trained_weights: usize,
    first_loss: Option<f64>,
    last_loss: Option<f64>,
    held_out_loss: Option<f64>,
    targets_per_second: f64,
    peak_rss_mb: Option<f64>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} steps, {} trained weights", self.steps, self.trained_weights)?;
        if let (Some(first), Some(last)) = (self.first_loss, self.last_loss) {
            write!(f, "; loss {first:.4} at first, {last:.4} at last")?;
        }
        match self.held_out_loss {
            Some(loss) => write!(f, "; held-out loss {loss:.4}"),
            None => Ok(()),
        }
    }
}

/// Trains to the end, under a progress bar unless `quiet`.
pub(super) fn watch<M: Trainable>(
    tuner: &mut Tuner<'_, M>,
    quiet: bool,
) -> Result<Outcome, anyhow::Error> {
    let style = ProgressStyle::with_template("{wide_bar} step {pos}/{len} | {msg} | {eta} to go")?;
    let bar = ProgressBar::new(tuner.n_steps() as u64).with_style(style);
    if quiet {
        bar.set_draw_target(indicatif::ProgressDrawTarget::hidden());
    }
    bar.set_position(tuner.step() as u64);
    bar.reset_eta();
    let mut speed = 0.0;
    tuner.run(&mut |event| {
        if let Event::Step { row, targets_per_second, .. } = event {
            speed = targets_per_second;
            bar.set_position(row.step as u64);
            bar.set_message(format!("loss {:.4}, {speed:.0} tokens/s", row.loss));
            if row.held_out_loss.is_some() {
                bar.println(row.to_string());
            }
        }
        ControlFlow::Continue(())
    })?;
    bar.finish_and_clear();
    let rows = tuner.history();
    Ok(Outcome {
        steps: rows.len(),
        trained_weights: tuner.n_trained(),
        first_loss: rows.first().map(|row| row.loss),
        last_loss: rows.last().map(|row| row.loss),
        held_out_loss: rows.last().and_then(|row| row.held_out_loss),
        targets_per_second: speed,
        peak_rss_mb: crate::peak_rss_mb(),
    })
}
