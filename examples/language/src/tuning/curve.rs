//! The loss of a run over its steps.

use std::path::Path;

use cifake_eval::plot::{Panel, panels};
use vlm_lora::tune::Row;

/// Points of the curve of the steps' loss, at most: each is the mean of some steps.
const MAX_POINTS: usize = 60;

/// Draws the loss of the steps and the held-out loss of the epochs.
pub(super) fn draw_losses(rows: &[Row], path: &Path) -> Result<(), cifake::Error> {
    let mut curves = vec![("training", smoothed(rows))];
    let held_out = |row: &Row| Some((row.step as f64, row.held_out_loss?));
    let held_out: Vec<(f64, f64)> = rows.iter().filter_map(held_out).collect();
    if !held_out.is_empty() {
        curves.push(("held out", held_out));
    }
    panels(&[Panel { title: "loss", x: "step", y: "nats a token", curves, falls: true }], path)
}

/// Means of as many neighbouring steps as leave few enough points, each where they end.
fn smoothed(rows: &[Row]) -> Vec<(f64, f64)> {
    let mean = |rows: &[Row]| {
        let sum: f64 = rows.iter().map(|row| row.loss).sum();
        Some((rows.last()?.step as f64, sum / rows.len() as f64))
    };
    rows.chunks(rows.len().div_ceil(MAX_POINTS).max(1)).filter_map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(step: usize) -> Row {
        let held_out_loss = step.is_multiple_of(50).then_some(0.5);
        let (epoch, loss) = (step as f64 / 50.0, step as f64);
        let (learning_rate, gradient_norm, n_targets) = (1e-3, 1.0, 10);
        Row { step, epoch, loss, learning_rate, gradient_norm, n_targets, held_out_loss }
    }

    #[test]
    fn many_steps_become_few_points_and_few_stay() {
        let rows: Vec<Row> = (1..=150).map(row).collect();
        let points = smoothed(&rows);
        assert_eq!((points.len(), points[0], points[49]), (50, (3.0, 2.0), (150.0, 149.0)));
        assert_eq!(smoothed(&rows[..2]), [(1.0, 1.0), (2.0, 2.0)]);
    }

    #[test]
    fn a_run_is_drawn_with_and_without_held_out_losses() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for n in [1, 100] {
            let file = folder.path().join("curve.png");
            draw_losses(&(1..=n).map(row).collect::<Vec<_>>(), &file).expect("it is drawn");
            assert!(std::fs::metadata(&file).is_ok_and(|file| file.len() > 1000));
        }
    }
}
