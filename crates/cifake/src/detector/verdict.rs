//! The answer of a detector, with its grounds.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Answer, InputFit, Label, Scope};

/// The answer for one picture. As JSON its fields have these names and this order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Verdict {
    /// FAKE where `p_fake` reaches `threshold`, else REAL. Of a resized picture it is a rough guess.
    pub label: Label,
    /// Calibrated probability that a generative model made the picture, in `[0, 1]`.
    pub p_fake: f32,
    /// Width of the picture as it was given, upright, in pixels.
    pub width: u32,
    /// Height of the picture as it was given, upright, in pixels.
    pub height: u32,
    /// Whether the model saw the picture's own pixels or a reduced or enlarged copy.
    pub input: InputFit,
    /// The model that answered, see [`Detector::model_name`](crate::Detector::model_name).
    pub model: String,
    /// The probability from which on a picture is called FAKE.
    pub threshold: f32,
    /// The label, or UNSURE where the model cannot tell.
    pub answer: Answer,
    /// Share of pictures like those of the training that are less like them, in percent: 100 is as familiar as
    /// the most familiar one, 0 beyond the strangest. `None` where the weight file does not know them.
    pub familiarity: Option<f32>,
    /// The grounds of the answer; `Unfamiliar` makes it UNSURE.
    pub scope: Scope,
}

impl Verdict {
    /// The probability of `label`, in `[0, 1]`: below one half where the threshold, not the
    /// probability, decided.
    #[must_use]
    pub fn p_label(&self) -> f32 {
        match self.label {
            Label::Real => 1.0 - self.p_fake,
            Label::Fake => self.p_fake,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (label, sure) = (self.label, Percent(self.p_label()));
        let (width, height) = (self.width, self.height);
        match (self.answer, self.scope) {
            (Answer::Unsure, Scope::Unfamiliar) => {
                write!(f, "UNSURE, the picture is unlike all that the model learned from")?;
            }
            (Answer::Unsure, _) => {
                write!(f, "UNSURE, too close to call ({} FAKE)", Percent(self.p_fake))?;
            }
            _ => match self.input {
                InputFit::Native => write!(f, "{label} ({sure} sure)")?,
                InputFit::Resized => write!(f, "{label} ({sure}), a rough guess")?,
            },
        }
        if (self.threshold - 0.5).abs() > f32::EPSILON {
            write!(f, " at threshold {}", self.threshold)?;
        }
        match self.input {
            InputFit::Native => write!(f, ", seen at its own {width}x{height}")?,
            InputFit::Resized => write!(
                f,
                ": the picture was resized from {width}x{height}, and resizing removes most of the \
                 detail by which the model decides"
            )?,
        }
        write!(f, ", by {}", self.model)
    }
}

/// A probability that is never rounded to certainty.
struct Percent(f32);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            p if p > 0.9995 => f.write_str("over 99.9 %"),
            p if p < 0.0005 => f.write_str("under 0.1 %"),
            p => write!(f, "{:.1} %", p * 100.0),
        }
    }
}

#[cfg(test)]
pub(super) fn verdict() -> Verdict {
    Verdict {
        label: Label::Fake,
        p_fake: 0.973,
        width: 640,
        height: 480,
        input: InputFit::Resized,
        model: "native".to_owned(),
        threshold: 0.5,
        answer: Answer::Fake,
        familiarity: None,
        scope: Scope::Resized,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_reads_as_a_sentence_that_tells_of_resizing() {
        let text = verdict().to_string();
        assert!(
            text.starts_with("FAKE (97.3 %), a rough guess: the picture was resized from 640x480")
        );
        let real = Verdict { label: Label::Real, answer: Answer::Real, ..verdict() };
        let native = Verdict { p_fake: 0.00001, input: InputFit::Native, ..real.clone() };
        assert!(native.to_string().starts_with("REAL (over 99.9 % sure)"));
        let strict = Verdict { threshold: 0.99, ..real };
        let text = strict.to_string();
        assert!(text.starts_with("REAL (2.7 %), a rough guess at threshold 0.99: the"), "{text}");
    }

    #[test]
    fn an_unsure_verdict_gives_its_reason() {
        let close = Verdict { answer: Answer::Unsure, p_fake: 0.61, ..verdict() };
        assert!(
            close
                .to_string()
                .starts_with("UNSURE, too close to call (61.0 % FAKE): the picture was")
        );
        let strange = Verdict { scope: Scope::Unfamiliar, ..close };
        assert!(strange.to_string().starts_with("UNSURE, the picture is unlike all"), "{strange}");
    }
}
