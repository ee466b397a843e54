//! Counts of pictures by answer.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Verdict;
use crate::text::counted;
use crate::{Answer, Error, InputFit, Scope};

/// Counts of pictures by answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Summary {
    /// Pictures answered REAL.
    pub n_real: usize,
    /// Pictures answered FAKE.
    pub n_fake: usize,
    /// Pictures answered UNSURE, for either reason.
    pub n_unsure: usize,
    /// Pictures answered UNSURE since they are unlike the training pictures.
    pub n_unfamiliar: usize,
    /// Pictures of any answer that were not of the model's size.
    pub n_resized: usize,
    /// Inputs without a verdict.
    pub n_failed: usize,
}

impl Summary {
    /// Counts one answer.
    pub fn add(&mut self, outcome: &Result<Verdict, Error>) {
        let Ok(verdict) = outcome else {
            self.n_failed += 1;
            return;
        };
        match verdict.answer {
            Answer::Real => self.n_real += 1,
            Answer::Fake => self.n_fake += 1,
            Answer::Unsure => self.n_unsure += 1,
        }
        self.n_unfamiliar += usize::from(verdict.scope == Scope::Unfamiliar);
        self.n_resized += usize::from(verdict.input == InputFit::Resized);
    }

    /// All inputs, with and without a verdict.
    #[must_use]
    pub fn n_inputs(&self) -> usize {
        self.n_real + self.n_fake + self.n_unsure + self.n_failed
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { n_real, n_fake, n_unsure, n_unfamiliar, n_resized, n_failed } = self;
        write!(f, "{}: {n_real} REAL, {n_fake} FAKE", counted(self.n_inputs(), "input"))?;
        if *n_unsure > 0 {
            write!(f, ", {n_unsure} UNSURE")?;
        }
        if *n_failed > 0 {
            write!(f, ", {n_failed} without a verdict")?;
        }
        if *n_resized > 0 {
            write!(
                f,
                "; {n_resized} resized to the model's size, where the answer is a rough guess"
            )?;
        }
        if *n_unfamiliar > 0 {
            write!(f, "; {n_unfamiliar} unlike the pictures that the model learned from")?;
        }
        if n_unsure > n_unfamiliar {
            write!(f, "; {} too close to call", n_unsure - n_unfamiliar)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::verdict::verdict;
    use super::*;
    use crate::DatasetError;

    #[test]
    fn a_summary_counts_every_input_once() {
        let mut summary = Summary::default();
        summary.add(&Ok(verdict()));
        summary.add(&Err(DatasetError::NoMatch { pattern: "*".to_owned() }.into()));
        assert_eq!((summary.n_fake, summary.n_resized, summary.n_failed), (1, 1, 1));
        assert_eq!(summary.n_inputs(), 2);
        assert!(summary.to_string().starts_with("2 inputs: 0 REAL, 1 FAKE, 1 without a verdict"));
        let close = Verdict { answer: Answer::Unsure, ..verdict() };
        summary.add(&Ok(Verdict { scope: Scope::Unfamiliar, ..close.clone() }));
        summary.add(&Ok(close));
        assert_eq!((summary.n_unsure, summary.n_unfamiliar, summary.n_inputs()), (2, 1, 4));
        let text = summary.to_string();
        assert!(text.starts_with("4 inputs: 0 REAL, 1 FAKE, 2 UNSURE, 1 without"), "{text}");
        assert!(
            text.ends_with(
                "1 unlike the pictures that the model learned from; 1 too close to call"
            )
        );
    }
}
