//! The measurements of a training run: a line of JSON a step.

use std::fmt::{self, Write};

use serde::{Deserialize, Serialize};

/// One step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Steps done, from 1.
    pub step: usize,
    /// Epochs done.
    pub epoch: f64,
    /// Mean loss of the step's answers, nats a token.
    pub loss: f64,
    /// Learning rate of the step, of what has no rate of its own.
    pub learning_rate: f64,
    /// Norm of the gradient before clipping.
    pub gradient_norm: f64,
    /// Answer tokens that the step learned from.
    pub n_targets: usize,
    /// At the end of an epoch, where there are held-out examples: their mean loss, nats a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_out_loss: Option<f64>,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "epoch {:.2}, step {}: loss {:.4}", self.epoch, self.step, self.loss)?;
        match self.held_out_loss {
            Some(loss) => write!(f, ", held-out loss {loss:.4}"),
            None => Ok(()),
        }
    }
}

/// The rows as JSON, one a line.
#[must_use]
pub fn to_jsonl(rows: &[Row]) -> String {
    let mut text = String::new();
    for row in rows {
        let json = serde_json::to_string(row).expect("plain data has a JSON form");
        writeln!(text, "{json}").expect("a string takes every byte");
    }
    text
}
