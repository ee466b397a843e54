//! Pictures as they arrive, for `evaluate`: the rows of the suite and their sheet.

use std::fmt;
use std::path::PathBuf;

use anyhow::Result;
use burn::tensor::Device;
use cifake::{Dataset, Detector, Scorer};
use cifake_attacks::{Degradation, DegradationReport, DegradedRow, evaluate_degradations};
use cifake_eval::EvaluateOptions;
use cifake_eval::plot::{SheetRow, contact_sheet};
use serde_json::{Value, json};

use crate::Progress;
use crate::second_look::{Tta, time_ratio};

/// The options of an evaluation beyond the pictures of a data set.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ArrivalArgs {
    /// Also measure the pictures enlarged, compressed, blurred, cut, turned and more, a row each.
    #[arg(long)]
    degradations: bool,
    /// Write some pictures of every row of --degradations here, with its accuracy.
    #[arg(long, value_name = "FILE.png", requires = "degradations")]
    degradation_picture: Option<PathBuf>,
    /// flip: judge each picture and its mirror image, and mean the logits.
    #[arg(long, value_name = "LOOKS")]
    tta: Option<Tta>,
}

/// The results that [`ArrivalArgs`] asked for.
#[derive(Debug)]
pub(crate) struct Arrived {
    report: Option<DegradationReport>,
    time_ratio: Option<f64>,
}

impl ArrivalArgs {
    /// The file of the sheet of pictures.
    pub(crate) fn picture(&self) -> &Option<PathBuf> {
        &self.degradation_picture
    }

    /// Everything that can be measured, for `--smoke`.
    #[must_use]
    pub(crate) fn and_all(&self, all: bool) -> Self {
        let tta = if all { Some(Tta::Flip) } else { self.tta };
        Self { degradations: self.degradations || all, tta, ..self.clone() }
    }

    /// `detector` with the looks that the arguments ask for, and how many times as long it takes.
    #[must_use]
    pub(crate) fn looking(&self, detector: Detector, device: &Device) -> (Detector, Option<f64>) {
        let Some(Tta::Flip) = self.tta else {
            return (detector, None);
        };
        let twice = detector.clone().with_mirror_averaging();
        let ratio = time_ratio(&detector, &twice, detector.input_size(), device);
        (twice, Some(ratio))
    }

    /// The rows of the suite, if they are asked for, and their sheet where it is.
    ///
    /// # Errors
    ///
    /// As [`evaluate_degradations`] and [`contact_sheet`].
    pub(crate) fn measure(
        &self,
        (scorer, time_ratio): (&dyn Scorer, Option<f64>),
        dataset: &dyn Dataset,
        options: &EvaluateOptions,
        bar: &Progress,
    ) -> Result<Arrived> {
        if !self.degradations {
            return Ok(Arrived { report: None, time_ratio });
        }
        let suite = Degradation::suite();
        let mut progress = |done, total| {
            bar.set_length(total as u64);
            bar.set_position(done as u64);
        };
        let report = evaluate_degradations(scorer, dataset, &suite, options, &mut progress)?;
        if let Some(path) = &self.degradation_picture {
            let rows = std::iter::once(&report.clean).chain(&report.degradations);
            contact_sheet(&rows.map(sheet_row).collect::<Vec<_>>(), path)?;
        }
        Ok(Arrived { report: Some(report), time_ratio })
    }
}

impl Arrived {
    /// Adds what was measured to a report's JSON.
    ///
    /// # Panics
    ///
    /// If `json` is no object.
    pub(crate) fn add_to(&self, json: &mut Value) {
        if let Some(report) = &self.report {
            json["degradations"] = json!(report.degradations);
        }
        if let Some(time_ratio) = self.time_ratio {
            json["tta"] = json!({ "kind": "flip", "time_ratio": time_ratio });
        }
    }
}

impl fmt::Display for Arrived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(report) = &self.report {
            write!(f, "\n\n{report}")?;
        }
        match self.time_ratio {
            Some(ratio) => {
                write!(f, "\n\nlogits averaged with the mirror image's: {ratio:.2} times the time")
            }
            None => Ok(()),
        }
    }
}

fn sheet_row(row: &DegradedRow) -> SheetRow<'_> {
    let note = format!("{:.2} % right", 100.0 * row.accuracy.value);
    SheetRow { name: &row.name, note, pictures: &row.pictures }
}
