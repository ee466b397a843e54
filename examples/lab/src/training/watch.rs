//! A training run as it is watched.

use std::ops::ControlFlow;
use std::path::Path;

use cifake::plot::{Panel, panels};
use cifake_training::{Event, Network, Row, Trainer};
use indicatif::{ProgressBar, ProgressStyle};

/// Trains to the end under a progress bar; draws `metrics.png` into `folder` after each epoch.
pub(super) fn watch<N: Network>(trainer: &mut Trainer<N>, folder: &Path) -> anyhow::Result<()> {
    let bar = ProgressBar::new(trainer.n_steps() as u64).with_style(ProgressStyle::with_template(
        "{wide_bar} step {pos}/{len} | {msg} | {elapsed} gone, {eta} to go",
    )?);
    bar.set_position(trainer.step() as u64);
    bar.reset_eta();
    trainer.run(&mut |event| {
        if let Err(error) = show(&bar, &event, folder) {
            bar.println(format!("warning: {error:#}"));
        }
        ControlFlow::Continue(())
    })?;
    bar.finish();
    Ok(())
}

fn show(bar: &ProgressBar, event: &Event, folder: &Path) -> anyhow::Result<()> {
    match event {
        Event::Step { step, images_per_second, loss, .. } => {
            bar.set_position(*step as u64);
            bar.set_message(format!("loss {loss:.4}, {images_per_second:.0} images/s"));
        }
        Event::Fooled { attack_steps } => {
            bar.println(format!("the model hides from the adversary: {attack_steps} steps now"));
        }
        Event::Epoch(rows) => {
            if let Some(row) = rows.last() {
                bar.println(row.to_string());
            }
            draw(rows, &folder.join("metrics.png"))?;
        }
        Event::Checkpoint(_) => {}
    }
    Ok(())
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
