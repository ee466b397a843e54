//! A training run as it is watched.

use std::io::{IsTerminal, stderr};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cifake::text::{counted, one_line};
use cifake_eval::plot::{Panel, panels};
use cifake_training::{Event, Network, Row, State, Trainer};
use indicatif::{ProgressBar, ProgressStyle};

/// Between two lines of a log.
const LINE: Duration = Duration::from_secs(60);
/// Between two writes of the state.
const STATE: Duration = Duration::from_secs(10);

/// Trains to the end, or until `stop` is set, under a progress bar or with a line a minute and an
/// epoch where nobody looks; draws `metrics.png` into `folder` after each epoch and keeps `state` in
/// `state_path`.
pub(super) fn watch<N: Network>(
    trainer: &mut Trainer<N>,
    folder: &Path,
    state: State,
    state_path: &Path,
    stop: &AtomicBool,
) -> anyhow::Result<()> {
    let bar = ProgressBar::new(trainer.n_steps() as u64).with_style(ProgressStyle::with_template(
        "{wide_bar} step {pos}/{len} | {msg} | {elapsed} gone, {eta} to go",
    )?);
    bar.set_position(trainer.step() as u64);
    bar.reset_eta();
    state.write(state_path)?;
    let now = Instant::now();
    let mut watch = Watch { bar, state, told: now, written: now };
    trainer.run(&mut |event| {
        if let Err(error) = watch.show(&event, folder, state_path) {
            let chain = cifake::error_chain(error.as_ref());
            watch.say(&format!("warning: {}", one_line(&chain)));
        }
        if stop.load(Ordering::SeqCst) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    watch.bar.finish();
    // A kill may have come between the last checkpoint and its figure.
    if !trainer.history().is_empty() {
        draw(trainer.history(), &folder.join("metrics.png"))?;
    }
    watch.state.write(state_path)?;
    Ok(())
}

struct Watch {
    bar: ProgressBar,
    state: State,
    told: Instant,
    written: Instant,
}

impl Watch {
    fn say(&self, line: &str) {
        if stderr().is_terminal() { self.bar.println(line) } else { eprintln!("{line}") }
    }

    fn show(&mut self, event: &Event, folder: &Path, state_path: &Path) -> anyhow::Result<()> {
        self.state.update(event);
        match event {
            Event::Step { step, images_per_second, loss, .. } => {
                self.bar.set_position(*step as u64);
                self.bar.set_message(format!("loss {loss:.4}, {images_per_second:.0} images/s"));
                if !stderr().is_terminal() && self.told.elapsed() >= LINE {
                    self.told = Instant::now();
                    self.say(&self.state.to_string());
                }
            }
            Event::AttackStrengthened { attack_steps } => {
                let steps = counted(*attack_steps, "step");
                self.say(&format!("the adversary takes {steps} from now on"));
            }
            Event::Epoch(rows) => {
                if let Some(row) = rows.last() {
                    self.say(&format!("{}: {row}", self.state.name));
                }
                draw(rows, &folder.join("metrics.png"))?;
            }
            _ => {}
        }
        if matches!(event, Event::Epoch(_)) || self.written.elapsed() >= STATE {
            self.written = Instant::now();
            self.state.write(state_path)?;
        }
        Ok(())
    }
}

/// Draws loss, and accuracy and AUC on the validation set, by epoch.
fn draw(rows: &[Row], path: &Path) -> Result<(), cifake::Error> {
    let points = |value: fn(&Row) -> f64| {
        rows.iter().map(|row| (row.epoch as f64, value(row))).collect::<Vec<_>>()
    };
    let losses = vec![
        ("training", points(|row| row.train_loss)),
        ("validation", points(|row| row.validation_loss)),
    ];
    let mut shares = vec![
        ("AUC", points(|row| row.validation_auc)),
        ("accuracy", points(|row| row.validation_accuracy)),
    ];
    let robust = rows.iter().filter_map(|row| Some((row.epoch as f64, row.robust_accuracy?)));
    let robust: Vec<_> = robust.collect();
    if !robust.is_empty() {
        shares.push(("robust accuracy", robust));
    }
    let loss = Panel { title: "Loss", x: "epoch", y: "cross-entropy", curves: losses, falls: true };
    let share = Panel { title: "Validation", x: "epoch", y: "share", curves: shares, falls: false };
    panels(&[loss, share], path)
}
