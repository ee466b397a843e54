//! What a detector answers.

use std::fmt;

use cifake::{InputFit, Label};
use serde::{Deserialize, Serialize};

use crate::Error;

/// The answer for one picture. As JSON its fields have these names and this order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Verdict {
    /// FAKE where `p_fake` reaches `threshold`, else REAL.
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
        write!(f, "{label} ({sure} sure)")?;
        if (self.threshold - 0.5).abs() > f32::EPSILON {
            write!(f, " at threshold {}", self.threshold)?;
        }
        match self.input {
            InputFit::Native => write!(f, ", seen at its own {width}x{height}")?,
            InputFit::Resized => write!(
                f,
                ", seen as a whole resized from {width}x{height}, which tells less than a picture \
                 of the model's own size"
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

/// One line of JSON Lines: `path` and the fields of the [`Verdict`], or `path` and `error`.
#[must_use]
pub fn json_line(path: &str, outcome: &Result<Verdict, Error>) -> String {
    #[derive(Serialize)]
    #[serde(untagged)]
    enum Line<'a> {
        Verdict {
            path: &'a str,
            #[serde(flatten)]
            verdict: &'a Verdict,
        },
        Error {
            path: &'a str,
            error: String,
        },
    }
    let line = match outcome {
        Ok(verdict) => Line::Verdict { path, verdict },
        Err(error) => Line::Error { path, error: error.to_string() },
    };
    serde_json::to_string(&line).expect("texts and numbers are always JSON")
}

/// The first line of a table of [`table_row`]s.
#[must_use]
pub fn table_header() -> String {
    columns("LABEL", "P(FAKE)", "SIZE", "INPUT", "PATH")
}

/// One line of a table: label, probability of FAKE, size, input and `path`, or the error.
#[must_use]
pub fn table_row(path: &str, outcome: &Result<Verdict, Error>) -> String {
    match outcome {
        Ok(Verdict { label, p_fake, width, height, input, .. }) => {
            let percent = format!("{:.1} %", 100.0 * p_fake);
            columns(label.as_str(), &percent, &format!("{width}x{height}"), input.as_str(), path)
        }
        Err(error) => match error.to_string() {
            text if text.contains(path) => format!("ERROR  {text}"),
            text => format!("ERROR  {path}: {text}"),
        },
    }
}

fn columns(label: &str, p_fake: &str, size: &str, input: &str, path: &str) -> String {
    format!("{label:<5}  {p_fake:>7}  {size:>11}  {input:<7}  {path}")
}

/// How many pictures got which answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Pictures called REAL.
    pub n_real: usize,
    /// Pictures called FAKE.
    pub n_fake: usize,
    /// Pictures of either label that were not of the model's size.
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
        match verdict.label {
            Label::Real => self.n_real += 1,
            Label::Fake => self.n_fake += 1,
        }
        self.n_resized += usize::from(verdict.input == InputFit::Resized);
    }

    /// All inputs, with and without a verdict.
    #[must_use]
    pub fn n_inputs(&self) -> usize {
        self.n_real + self.n_fake + self.n_failed
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { n_real, n_fake, n_resized, n_failed } = self;
        let inputs = if self.n_inputs() == 1 { "input" } else { "inputs" };
        write!(f, "{} {inputs}: {n_real} REAL, {n_fake} FAKE", self.n_inputs())?;
        if *n_failed > 0 {
            write!(f, ", {n_failed} without a verdict")?;
        }
        if *n_resized > 0 {
            write!(f, "; {n_resized} resized to the model's size, which tells less")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict() -> Verdict {
        Verdict {
            label: Label::Fake,
            p_fake: 0.973,
            width: 640,
            height: 480,
            input: InputFit::Resized,
            model: "native".to_owned(),
            threshold: 0.5,
        }
    }

    #[test]
    fn a_line_of_json_has_the_fields_in_the_promised_order() {
        assert_eq!(
            json_line("a\"b.png", &Ok(verdict())),
            r#"{"path":"a\"b.png","label":"FAKE","p_fake":0.973,"width":640,"height":480,"input":"resized","model":"native","threshold":0.5}"#
        );
        let failed = Err(Error::NoMatch { pattern: "*.png".to_owned() });
        let line = json_line("*.png", &failed);
        assert!(line.starts_with(r#"{"path":"*.png","error":""#), "{line}");
    }

    #[test]
    fn the_rows_of_a_table_stand_under_its_header() {
        let (header, row) = (table_header(), table_row("a.png", &Ok(verdict())));
        assert_eq!(row, "FAKE    97.3 %      640x480  resized  a.png");
        assert_eq!(header.find("PATH"), row.find("a.png"));
        let failed = Err(Error::NoMatch { pattern: "*.png".to_owned() });
        assert!(table_row("*.png", &failed).starts_with("ERROR  no file matches `*.png`"));
    }

    #[test]
    fn a_verdict_reads_as_a_sentence_that_tells_of_resizing() {
        let text = verdict().to_string();
        assert!(text.starts_with("FAKE (97.3 % sure), seen as a whole resized from 640x480"));
        let native = Verdict { p_fake: 0.00001, label: Label::Real, ..verdict() };
        assert!(native.to_string().starts_with("REAL (over 99.9 % sure)"));
        let strict = Verdict { threshold: 0.99, label: Label::Real, ..verdict() };
        assert!(strict.to_string().starts_with("REAL (2.7 % sure) at threshold 0.99"));
    }

    #[test]
    fn a_summary_counts_every_input_once() {
        let mut summary = Summary::default();
        summary.add(&Ok(verdict()));
        summary.add(&Err(Error::NoMatch { pattern: "*".to_owned() }));
        assert_eq!((summary.n_fake, summary.n_resized, summary.n_failed), (1, 1, 1));
        assert_eq!(summary.n_inputs(), 2);
        assert!(summary.to_string().starts_with("2 inputs: 0 REAL, 1 FAKE, 1 without a verdict"));
    }
}
