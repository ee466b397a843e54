//! The measurements of a run, a row an epoch.

use std::fmt::{self, Write};

use serde::{Deserialize, Serialize};

/// One epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Row {
    /// Epochs done, from 1.
    pub epoch: usize,
    /// Steps done.
    pub step: usize,
    /// Learning rate of the last step.
    pub learning_rate: f64,
    /// Mean training loss, smoothing and mixtures included.
    pub train_loss: f64,
    /// Mean norm of the gradient before clipping.
    pub gradient_norm: f64,
    /// Cross-entropy of the averaged weights on the validation set, without smoothing.
    pub validation_loss: f64,
    /// Accuracy of the averaged weights on the validation set, threshold 0.5.
    pub validation_accuracy: f64,
    /// Area under the ROC curve of the averaged weights on the validation set.
    pub validation_auc: f64,
    /// With an adversary: accuracy of the averaged weights on validation pictures under PGD-10 in the
    /// whole ball.
    pub robust_accuracy: Option<f64>,
    /// With an adversary: steps of its attack at the end of the epoch.
    pub attack_steps: Option<usize>,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "epoch {:>3}: train loss {:.4}, validation loss {:.4}, accuracy {:.2} %, AUC {:.5}",
            self.epoch,
            self.train_loss,
            self.validation_loss,
            100.0 * self.validation_accuracy,
            self.validation_auc
        )?;
        if let (Some(accuracy), Some(steps)) = (self.robust_accuracy, self.attack_steps) {
            write!(f, ", robust {:.2} % ({steps}-step adversary)", 100.0 * accuracy)?;
        }
        Ok(())
    }
}

/// Sums over the steps of an epoch.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct EpochSums {
    pub(crate) loss: f64,
    pub(crate) norm: f64,
    pub(crate) n_steps: usize,
}

/// The rows as CSV with a header.
#[must_use]
pub fn to_csv(rows: &[Row]) -> String {
    let mut csv = String::from(
        "epoch,step,learning_rate,train_loss,gradient_norm,validation_loss,validation_accuracy,\
         validation_auc,robust_accuracy,attack_steps\n",
    );
    for row in rows {
        let numbers = [
            row.learning_rate,
            row.train_loss,
            row.gradient_norm,
            row.validation_loss,
            row.validation_accuracy,
            row.validation_auc,
        ];
        let numbers = numbers.map(|x| format!("{x:.6}")).join(",");
        let robust = row.robust_accuracy.map_or_else(String::new, |x| format!("{x:.6}"));
        let steps = row.attack_steps.map_or_else(String::new, |n| n.to_string());
        writeln!(csv, "{},{},{numbers},{robust},{steps}", row.epoch, row.step)
            .expect("a string takes every byte");
    }
    csv
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_the_columns_of_the_header() {
        let row = Row {
            epoch: 1,
            step: 2,
            learning_rate: 1e-3,
            train_loss: 0.5,
            gradient_norm: 1.0,
            validation_loss: 0.4,
            validation_accuracy: 0.9,
            validation_auc: 0.95,
            robust_accuracy: None,
            attack_steps: None,
        };
        let against = Row { robust_accuracy: Some(0.7), attack_steps: Some(1), ..row.clone() };
        let csv = to_csv(&[row, against]);
        let columns: Vec<usize> = csv.lines().map(|line| line.split(',').count()).collect();
        assert_eq!(columns, [10, 10, 10]);
    }
}
