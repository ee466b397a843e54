//! Progress of a fine-tuning run.

use std::fmt;
use std::io::{IsTerminal, stderr};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use cifake::text::counted;
use indicatif::{HumanDuration, ProgressBar, ProgressStyle};
use serde::Serialize;
use vlm_lora::tune::{Event, Trainable, Tuner};

/// Between two lines of a log.
const LINE: Duration = Duration::from_secs(60);

/// The end of a run.
#[derive(Debug, Serialize)]
pub(super) struct Outcome {
    steps: usize,
    trained_weights: usize,
    first_loss: Option<f64>,
    last_loss: Option<f64>,
    held_out_loss: Option<f64>,
    targets_per_second: f64,
    peak_rss_mb: Option<f64>,
    seconds: f64,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let weights = counted(self.trained_weights, "trained weight");
        write!(f, "{}, {weights}", counted(self.steps, "step"))?;
        if let (Some(first), Some(last)) = (self.first_loss, self.last_loss) {
            write!(f, "; loss {first:.4} at first, {last:.4} at last")?;
        }
        if let Some(loss) = self.held_out_loss {
            write!(f, "; held-out loss {loss:.4}")?;
        }
        let gone = Duration::try_from_secs_f64(self.seconds).unwrap_or_default();
        write!(f, "; {} gone, {:.0} tokens/s", HumanDuration(gone), self.targets_per_second)?;
        match self.peak_rss_mb {
            Some(peak) => write!(f, "; peak memory {peak:.0} MB"),
            None => Ok(()),
        }
    }
}

/// Trains to the end, unless `quiet` under a progress bar, or with a line a minute where standard error is
/// no terminal.
pub(super) fn watch<M: Trainable>(
    tuner: &mut Tuner<'_, M>,
    quiet: bool,
) -> Result<Outcome, anyhow::Error> {
    let style = ProgressStyle::with_template("{wide_bar} step {pos}/{len} | {msg} | {eta} to go")?;
    let bar = ProgressBar::new(tuner.n_steps() as u64).with_style(style);
    if quiet {
        bar.set_draw_target(indicatif::ProgressDrawTarget::hidden());
    }
    let is_terminal = stderr().is_terminal();
    let say = |line: &str| match (quiet, is_terminal) {
        (true, _) => {}
        (false, true) => bar.println(line),
        (false, false) => eprintln!("{line}"),
    };
    let (first, n_steps) = (tuner.step(), tuner.n_steps());
    bar.set_position(first as u64);
    bar.reset_eta();
    let (started, mut told, mut speed) = (Instant::now(), Instant::now(), 0.0);
    tuner.run(&mut |event| {
        if let Event::Step { row, targets_per_second, .. } = event {
            speed = targets_per_second;
            bar.set_position(row.step as u64);
            bar.set_message(format!("loss {:.4}, {speed:.0} tokens/s", row.loss));
            if row.held_out_loss.is_some() {
                say(&row.to_string());
            }
            if !is_terminal && told.elapsed() >= LINE {
                told = Instant::now();
                let left = left([first, row.step, n_steps], started.elapsed());
                let steps = counted(n_steps, "step");
                say(&format!("{row}; {steps} in all, {speed:.0} tokens/s, {left} to go"));
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
        seconds: started.elapsed().as_secs_f64(),
    })
}

/// The time that is left after `gone`, of a run that began at step `first`, stands at `step` and ends at `end`.
fn left([first, step, end]: [usize; 3], gone: Duration) -> HumanDuration {
    let share = end.saturating_sub(step) as f64 / step.saturating_sub(first).max(1) as f64;
    HumanDuration(Duration::try_from_secs_f64(gone.as_secs_f64() * share).unwrap_or(Duration::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_counts_the_steps_of_this_start_alone() {
        let left = left([80, 90, 100], Duration::from_secs(120));
        assert_eq!(left.to_string(), "2 minutes");
    }
}
