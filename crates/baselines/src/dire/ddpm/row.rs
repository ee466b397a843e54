//! The measurements of a run, a row an epoch.

use std::fmt::{self, Write};

use serde::{Deserialize, Serialize};

/// One epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DdpmRow {
    /// Epochs done, from 1.
    pub epoch: usize,
    /// Steps done.
    pub step: usize,
    /// Learning rate of the last step.
    pub learning_rate: f64,
    /// Mean squared error of the noise in training.
    pub train_loss: f64,
    /// Mean norm of the gradient before clipping.
    pub gradient_norm: f64,
    /// Mean squared error of the averaged weights on camera pictures that were held back, with the same
    /// noise after each epoch.
    pub validation_loss: f64,
}

impl fmt::Display for DdpmRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { epoch, train_loss, validation_loss, gradient_norm, .. } = self;
        write!(f, "epoch {epoch:>3}: train loss {train_loss:.5}")?;
        write!(f, ", validation loss {validation_loss:.5}, gradient norm {gradient_norm:.3}")
    }
}

/// The rows as CSV with a header.
pub(super) fn to_csv(rows: &[DdpmRow]) -> String {
    let mut csv =
        String::from("epoch,step,learning_rate,train_loss,gradient_norm,validation_loss\n");
    for row in rows {
        let numbers = [row.learning_rate, row.train_loss, row.gradient_norm, row.validation_loss];
        let numbers = numbers.map(|x| format!("{x:.7}")).join(",");
        writeln!(csv, "{},{},{numbers}", row.epoch, row.step).expect("a string takes every byte");
    }
    csv
}
