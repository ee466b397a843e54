//! The results of an evaluation: numbers for machines, a table for people, scores for plots.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use cifake::text::counted;
use cifake::{Class, Error, Label, file};
use serde::{Deserialize, Serialize};

use crate::metrics::{Measures, Metric};

/// A detector's results on a data set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// All samples that could be scored; in JSON its fields are the report's own.
    #[serde(flatten)]
    pub all: Measures,
    /// Number of samples that could not be decoded, and are in no metric.
    pub n_failed: usize,
    /// Score from which a picture is called FAKE.
    pub threshold: f64,
    /// Seed of the bootstrap.
    pub seed: u64,
    /// Number of resamples of the bootstrap.
    pub n_resamples: usize,
    /// The samples that stay once duplicates are left out, where it is known which.
    pub dedup: Option<Measures>,
    /// The pictures that are almost without colour: a shortcut that a detector may take.
    pub near_grey: Option<Measures>,
    /// The other pictures.
    pub other: Option<Measures>,
    /// The pictures of each class, where file names tell it.
    pub classes: BTreeMap<Class, Measures>,
    /// The samples that could not be decoded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<FailedSample>,
    /// Every sample with its score, in the order of evaluation; not in JSON, see
    /// [`Report::write_csv`].
    #[serde(skip)]
    pub samples: Vec<ScoredSample>,
}

/// A sample and its score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScoredSample {
    /// Its index in the data set.
    pub index: usize,
    /// Its name in the data set.
    pub id: String,
    /// The picture's label.
    pub label: Label,
    /// The object that it shows, where that is known.
    pub class: Option<Class>,
    /// Whether it is almost without colour.
    pub near_grey: bool,
    /// The detector's score: higher is FAKE.
    pub score: f32,
}

/// A sample that could not be decoded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedSample {
    /// Its name in the data set.
    pub id: String,
    /// The text of the error.
    pub error: String,
}

impl Report {
    /// The scores of all samples, in the order of [`Report::labels`].
    #[must_use]
    pub fn scores(&self) -> Vec<f32> {
        self.samples.iter().map(|sample| sample.score).collect()
    }

    /// The labels of all samples.
    #[must_use]
    pub fn labels(&self) -> Vec<Label> {
        self.samples.iter().map(|sample| sample.label).collect()
    }

    /// Writes the samples as CSV: `index,id,label,class,near_grey,score`.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn write_csv(&self, path: &Path) -> Result<(), Error> {
        file::write_atomic_with(path, |writer| {
            let mut rows = csv::Writer::from_writer(writer);
            for sample in &self.samples {
                rows.serialize(sample)?;
            }
            rows.flush()
        })
    }

    /// The named subsets that are there, for a table.
    fn subsets(&self) -> Vec<(&str, &Measures)> {
        let optional = [("near grey", &self.near_grey), ("other", &self.other)];
        let present = optional.into_iter().filter_map(|(name, m)| Some((name, m.as_ref()?)));
        let classes = self.classes.iter().map(|(class, measures)| (class.as_str(), measures));
        present.chain(classes).collect()
    }
}

/// Width of a column that shows a value with its interval.
const WIDE: usize = 24;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns: Vec<(&str, &Measures)> = [("all", Some(&self.all))]
            .into_iter()
            .chain([("deduplicated", self.dedup.as_ref())])
            .filter_map(|(name, measures)| Some((name, measures?)))
            .collect();
        write!(f, "{:<14}", "")?;
        for (name, _) in &columns {
            write!(f, "  {name:<WIDE$}")?;
        }
        write!(f, "\n{:<14}", "n")?;
        for (_, measures) in &columns {
            write!(f, "  {:<WIDE$}", measures.n)?;
        }
        writeln!(f)?;
        for (index, (name, _)) in rows(&self.all).into_iter().enumerate() {
            write!(f, "{name:<14}")?;
            for (_, measures) in &columns {
                write!(f, "  {:<WIDE$}", interval(rows(measures)[index].1))?;
            }
            writeln!(f)?;
        }
        self.fmt_subsets(f)?;
        self.fmt_notes(f)
    }
}

impl Report {
    fn fmt_subsets(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\n{:<14}  {:>7}  {:>8}  {:>8}  {:>8}  {:>8}",
            "", "n", "accuracy", "REAL", "FAKE", "AUC"
        )?;
        for (name, m) in self.subsets() {
            let cells = [Some(m.accuracy), m.accuracy_real, m.accuracy_fake, m.auc].map(short);
            let [accuracy, real, fake, auc] = cells;
            writeln!(f, "{name:<14}  {:>7}  {accuracy:>8}  {real:>8}  {fake:>8}  {auc:>8}", m.n)?;
        }
        Ok(())
    }

    fn fmt_notes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let c = self.all.confusion;
        writeln!(f, "\n{:<14}  {:>11}  {:>11}", "", "called REAL", "called FAKE")?;
        writeln!(f, "{:<14}  {:>11}  {:>11}", "REAL", c.real_as_real, c.real_as_fake)?;
        writeln!(f, "{:<14}  {:>11}  {:>11}", "FAKE", c.fake_as_real, c.fake_as_fake)?;
        write!(
            f,
            "\nFAKE from a score of {}; 95 % intervals of {} resamples, seed {}",
            self.threshold, self.n_resamples, self.seed
        )?;
        match self.n_failed {
            0 => {}
            n => write!(f, "; {} could not be decoded", counted(n, "picture"))?,
        }
        match self.near_grey {
            None => Ok(()),
            Some(_) => f.write_str(
                "\nnear grey: pictures almost without color, which are far more frequent among CIFAKE's FAKE",
            ),
        }
    }
}

/// The metrics of a column, by name.
fn rows(measures: &Measures) -> [(&'static str, Option<Metric>); 9] {
    let m = measures;
    [
        ("accuracy", Some(m.accuracy)),
        ("  on REAL", m.accuracy_real),
        ("  on FAKE", m.accuracy_fake),
        ("AUC", m.auc),
        ("AP", m.ap),
        ("TPR at 1% FPR", m.tpr_at_fpr_1),
        ("TPR at 5% FPR", m.tpr_at_fpr_5),
        ("ECE", m.ece),
        ("Brier", m.brier),
    ]
}

/// `0.9512 [0.9481, 0.9542]`, or a dash.
fn interval(metric: Option<Metric>) -> String {
    let text = |m: Metric| format!("{:.4} [{:.4}, {:.4}]", m.value, m.low, m.high);
    metric.map_or_else(|| "-".to_owned(), text)
}

/// `0.9512`, or a dash.
fn short(metric: Option<Metric>) -> String {
    metric.map_or_else(|| "-".to_owned(), |metric| format!("{:.4}", metric.value))
}
