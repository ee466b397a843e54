//! What several programs of the lab share.

use std::path::Path;

use cifake::plot::{Panel, panels};
use tinyvit::training::Row;

pub mod attacked;
pub mod choice;
mod comparison;
pub mod latency;

/// Draws loss, and accuracy and AUC on the validation set, by epoch.
///
/// # Errors
///
/// If there is no row or `path` cannot be written.
pub fn draw_training(rows: &[Row], path: &Path) -> Result<(), cifake::Error> {
    let points = |value: fn(&Row) -> f64| {
        rows.iter().map(|row| (row.epoch as f64, value(row))).collect::<Vec<_>>()
    };
    let losses = vec![
        ("training", points(|row| row.train_loss)),
        ("validation", points(|row| row.validation_loss)),
    ];
    let shares = vec![
        ("AUC", points(|row| row.validation_auc)),
        ("accuracy", points(|row| row.validation_accuracy)),
    ];
    let loss = Panel { title: "Loss", x: "epoch", y: "cross-entropy", curves: losses, falls: true };
    let share = Panel { title: "Validation", x: "epoch", y: "share", curves: shares, falls: false };
    panels(&[loss, share], path)
}
