//! Accuracy of a detector on degraded pictures, one row for each degradation.

use std::fmt;

use burn::tensor::Device;
use cifake::text::{counted, percent};
use cifake::{Dataset, Label, Picture, Scorer, tensor_from_rgb8};
use cifake_eval::EvaluateOptions;
use cifake_eval::metrics::{Bootstrap, Metric};
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use serde::Serialize;

use super::Degradation;
use crate::Error;

/// Pictures of each label that a row keeps for display.
const SHOWN: usize = 4;

/// Result of [`evaluate_degradations`].
#[derive(Debug, Clone, Serialize)]
pub struct DegradationReport {
    /// Number of samples in each row.
    pub n: usize,
    /// Number of samples that could not be decoded; they are in no row.
    pub n_failed: usize,
    /// The pictures without a degradation.
    pub clean: DegradedRow,
    /// One row for each degradation, in the order of the suite.
    pub degradations: Vec<DegradedRow>,
}

/// A detector's results on the pictures of one row, with 95 % bootstrap intervals.
#[derive(Debug, Clone, Serialize)]
pub struct DegradedRow {
    /// Name of the degradation.
    pub name: String,
    /// Share of correct answers.
    pub accuracy: Metric,
    /// Accuracy on the clean pictures minus this accuracy. The interval is that of the difference on the
    /// same resamples.
    pub drop: Metric,
    /// Accuracy on the REAL samples; absent without any.
    pub accuracy_real: Option<Metric>,
    /// Accuracy on the FAKE samples; absent without any.
    pub accuracy_fake: Option<Metric>,
    /// Area under the ROC curve; absent unless both labels occur.
    pub auc: Option<Metric>,
    /// The first four REAL and the first four FAKE samples as the detector saw them.
    #[serde(skip)]
    pub pictures: Vec<Picture>,
}

/// Scores and pictures of one row so far.
#[derive(Default)]
struct Column {
    scores: Vec<f32>,
    /// REAL and FAKE.
    shown: [Vec<Picture>; 2],
}

/// Scores the pictures of `dataset` without a degradation and after each degradation of `suite`.
///
/// A picture is degraded at its size in the data set and resized to the detector's input afterwards.
/// The seed is that of the bootstrap, the id is the sample's index. Every row holds the same samples.
/// After each batch, `progress(done, total)` counts pictures, each once in every row. `options.unique`
/// is ignored.
///
/// # Errors
///
/// [`cifake::Error::NoSamples`] where there is nothing to score; the first picture's error where not
/// one can be decoded; [`cifake::Error::ScoreNotFinite`]; [`cifake::Error::Threads`].
///
/// # Panics
///
/// If an index is not in the data set, the batch size or a side is 0, or the scorer answers with
/// another number of scores than it was given pictures.
pub fn evaluate_degradations(
    scorer: &dyn Scorer,
    dataset: &dyn Dataset,
    suite: &[Degradation],
    options: &EvaluateOptions,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<DegradationReport, Error> {
    let indices = options.indices.clone().unwrap_or_else(|| (0..dataset.len()).collect());
    let threads = options.threads()?;
    let n_rows = 1 + suite.len();
    let mut columns: Vec<Column> = (0..n_rows).map(|_| Column::default()).collect();
    let (mut labels, mut failed) = (Vec::new(), Vec::new());
    for (number, chunk) in indices.chunks(options.batch_size).enumerate() {
        let arrive = |&index: &usize| (index, arrivals(dataset, index, suite, options));
        let arrived: Vec<_> = threads.install(|| chunk.par_iter().map(arrive).collect());
        let mut batch = Arrived::default();
        for (index, outcome) in arrived {
            match outcome {
                Ok(versions) => batch.add(index, dataset.samples()[index].label, versions),
                Err(error) => failed.push(error),
            }
        }
        for (row, column) in columns.iter_mut().enumerate().filter(|_| !batch.labels.is_empty()) {
            let pictures = batch.row(row);
            let score = || scores_of(scorer, &pictures, &batch.indices, &options.device);
            column.add(threads.install(score)?, pictures, &batch.labels);
        }
        labels.append(&mut batch.labels);
        let done = indices.len().min((number + 1) * options.batch_size);
        progress(done * n_rows, indices.len() * n_rows);
    }
    if labels.is_empty() {
        return Err(failed.into_iter().next().unwrap_or(cifake::Error::NoSamples).into());
    }
    summarize(columns, &labels, failed.len(), suite, options)
}

/// The samples of a batch that could be decoded.
#[derive(Default)]
struct Arrived {
    indices: Vec<usize>,
    labels: Vec<Label>,
    /// For each sample, the clean picture and the degraded ones.
    versions: Vec<Vec<Picture>>,
}

impl Arrived {
    fn add(&mut self, index: usize, label: Label, versions: Vec<Picture>) {
        self.indices.push(index);
        self.labels.push(label);
        self.versions.push(versions);
    }

    /// The pictures of one row.
    fn row(&self, row: usize) -> Vec<Picture> {
        self.versions.iter().map(|versions| versions[row].clone()).collect()
    }
}

/// The clean picture of a sample and the degraded ones, at the size of the detector's input.
fn arrivals(
    dataset: &dyn Dataset,
    index: usize,
    suite: &[Degradation],
    options: &EvaluateOptions,
) -> Result<Vec<Picture>, cifake::Error> {
    let bytes = dataset.bytes(index)?;
    let decoded = options.decoder.decode(&bytes);
    let picture = decoded.map_err(|error| error.in_file(&dataset.samples()[index].id))?;
    let (width, height) = options.size;
    let seed = options.bootstrap.seed;
    let mut all = Vec::with_capacity(1 + suite.len());
    all.push(picture.clone().fitted(width, height).0);
    for degradation in suite {
        let changed = degradation.apply(picture.clone(), seed, index as u64);
        all.push(changed.fitted(width, height).0);
    }
    Ok(all)
}

fn scores_of(
    scorer: &dyn Scorer,
    pictures: &[Picture],
    indices: &[usize],
    device: &Device,
) -> Result<Vec<f32>, cifake::Error> {
    let scores = scorer.scores(tensor_from_rgb8(pictures, device)?).into_data_as::<f32>();
    let scores = scores.as_slice::<f32>().expect("the scores were converted to f32").to_vec();
    assert_eq!(scores.len(), indices.len(), "a scorer answers with one score a picture");
    match scores.iter().zip(indices).find(|(score, _)| !score.is_finite()) {
        Some((&score, &index)) => Err(cifake::Error::ScoreNotFinite { index, score }),
        None => Ok(scores),
    }
}

impl Column {
    fn add(&mut self, scores: Vec<f32>, pictures: Vec<Picture>, labels: &[Label]) {
        self.scores.extend(scores);
        for (picture, label) in pictures.into_iter().zip(labels) {
            let shown = &mut self.shown[label.index()];
            if shown.len() < SHOWN {
                shown.push(picture);
            }
        }
    }
}

/// Measures every row; the first is the clean one.
fn summarize(
    columns: Vec<Column>,
    labels: &[Label],
    n_failed: usize,
    suite: &[Degradation],
    options: &EvaluateOptions,
) -> Result<DegradationReport, Error> {
    let right = |column: &Column| -> Vec<bool> {
        let called_fake = column.scores.iter().map(|&score| f64::from(score) >= options.threshold);
        called_fake.zip(labels).map(|(fake, &label)| fake == (label == Label::Fake)).collect()
    };
    let clean = right(&columns[0]);
    let names = std::iter::once("clean".to_owned()).chain(suite.iter().map(ToString::to_string));
    let row = |(name, column): (String, Column)| -> Result<DegradedRow, Error> {
        let m = options.bootstrap.measure(&column.scores, labels, options.threshold)?;
        Ok(DegradedRow {
            name,
            accuracy: m.accuracy,
            drop: drop_between(&clean, &right(&column), &options.bootstrap),
            accuracy_real: m.accuracy_real,
            accuracy_fake: m.accuracy_fake,
            auc: m.auc,
            pictures: column.shown.concat(),
        })
    };
    let mut rows = names.zip(columns).map(row).collect::<Result<Vec<_>, _>>()?;
    let clean = rows.remove(0);
    Ok(DegradationReport { n: labels.len(), n_failed, clean, degradations: rows })
}

/// Accuracy of `clean` minus that of `changed`, on the same samples.
fn drop_between(clean: &[bool], changed: &[bool], bootstrap: &Bootstrap) -> Metric {
    let lost: Vec<f64> = clean
        .iter()
        .zip(changed)
        .map(|(&before, &after)| f64::from(u8::from(before)) - f64::from(u8::from(after)))
        .collect();
    let mean = |counts: &[u32]| {
        let sum: f64 = lost.iter().zip(counts).map(|(lost, &count)| lost * f64::from(count)).sum();
        [sum / lost.len() as f64]
    };
    let [value] = mean(&vec![1; lost.len()]);
    let [interval] = bootstrap.intervals(lost.len(), mean);
    let (low, high) = interval.unwrap_or((value, value));
    Metric { value, low, high }
}

impl fmt::Display for DegradationReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<20}  {:>22}  {:>22}  {:>6}  {:>6}  {:>6}",
            "arrives as", "accuracy %", "drop in points", "REAL", "FAKE", "AUC"
        )?;
        for row in std::iter::once(&self.clean).chain(&self.degradations) {
            let [real, fake] = [row.accuracy_real, row.accuracy_fake]
                .map(|m| m.map_or_else(|| "-".to_owned(), |m| percent(m.value)));
            let auc = row.auc.map_or_else(|| "-".to_owned(), |m| format!("{:.4}", m.value));
            let [accuracy, drop] = [row.accuracy, row.drop].map(in_percent);
            writeln!(
                f,
                "{:<20}  {accuracy:>22}  {drop:>22}  {real:>6}  {fake:>6}  {auc:>6}",
                row.name
            )?;
        }
        write!(f, "\n{} in each row", counted(self.n, "picture"))?;
        match self.n_failed {
            0 => Ok(()),
            n => write!(f, "; {} could not be decoded", counted(n, "picture")),
        }
    }
}

/// `97.48 [97.25, 97.70]`.
fn in_percent(metric: Metric) -> String {
    let [value, low, high] = [metric.value, metric.low, metric.high].map(percent);
    format!("{value} [{low}, {high}]")
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use burn::tensor::Tensor;
    use cifake::{Class, FnScorer, Sample};

    use super::*;

    /// Pictures in memory; an empty one cannot be decoded.
    struct Memory(Vec<Sample>, Vec<Vec<u8>>);

    impl Memory {
        /// Of 40x32: FAKE ones bright on the left, REAL ones on the right, one in three broken where
        /// `broken` says so.
        fn halves(n: usize, broken: bool) -> Self {
            let sample = |i: usize| Sample {
                id: format!("{i}.png"),
                label: if i.is_multiple_of(2) { Label::Real } else { Label::Fake },
                class: Some(Class::Cat),
                source: None,
                split: None,
                generator: None,
                origin: None,
            };
            let picture = |i: usize| {
                if broken && i % 3 == 2 {
                    return Vec::new();
                }
                let bright = |x: usize| (x < 20) != i.is_multiple_of(2);
                let pixel = |at: usize| [if bright(at % 40) { 200 } else { 40 }; 3];
                let pixels = (0..40 * 32).flat_map(pixel).collect();
                Picture::new(pixels, 40, 32).expect("40x32").to_png()
            };
            Self((0..n).map(sample).collect(), (0..n).map(picture).collect())
        }
    }

    impl Dataset for Memory {
        fn samples(&self) -> &[Sample] {
            &self.0
        }

        fn bytes(&self, index: usize) -> Result<Cow<'_, [u8]>, cifake::Error> {
            Ok(Cow::Borrowed(&self.1[index]))
        }
    }

    /// Half of each picture's brightness on the left, as a share.
    fn left(images: Tensor<4>) -> Tensor<1> {
        let [batch, channels, height, width] = images.dims();
        let mean =
            |half: Tensor<4>| half.reshape([batch, channels * height * width / 2]).mean_dim(1);
        let (l, r) =
            (images.clone().narrow(3, 0, width / 2), images.narrow(3, width / 2, width / 2));
        let (l, r) = (mean(l), mean(r));
        (l.clone() / (l + r)).reshape([batch])
    }

    fn options() -> EvaluateOptions {
        let mut options = EvaluateOptions::new((20, 16), &Device::flex());
        options.batch_size = 5;
        options
    }

    fn rows(names: &[&str], data: &Memory) -> Result<DegradationReport, Error> {
        let suite: Vec<Degradation> =
            names.iter().map(|name| name.parse().expect("a degradation")).collect();
        let (mut last, mut calls) = ((0, 0), 0);
        let report =
            evaluate_degradations(&FnScorer(left), data, &suite, &options(), &mut |d, t| {
                last = (d, t);
                calls += 1;
            })?;
        let total = data.len() * (1 + names.len());
        assert_eq!((last, calls), ((total, total), data.len().div_ceil(5)));
        Ok(report)
    }

    #[test]
    fn each_row_is_of_the_pictures_as_they_arrive() {
        let report = rows(&["jpeg-90", "mirror", "turn-180"], &Memory::halves(12, true));
        let report = report.expect("most can be decoded");
        assert_eq!((report.n, report.n_failed), (8, 4));
        assert_eq!((report.clean.accuracy.value, report.clean.drop.value), (1.0, 0.0));
        let [jpeg, mirror, turn] = &report.degradations[..] else { panic!("three rows") };
        assert_eq!((jpeg.accuracy.value, jpeg.drop.value), (1.0, 0.0));
        for row in [mirror, turn] {
            assert_eq!((row.accuracy.value, row.drop.value), (0.0, 1.0), "{}", row.name);
            assert_eq!((row.drop.low, row.drop.high), (1.0, 1.0));
            assert_eq!(row.auc.map(|auc| auc.value), Some(0.0));
        }
        assert_eq!(mirror.pictures.len(), 2 * SHOWN);
        let seen = [&report.clean, mirror]
            .map(|row| (row.pictures[0].width(), row.pictures[0].pixels()[0]));
        assert_eq!(seen, [(20, 40), (20, 200)], "the first is REAL, at the detector's size");
        let table = report.to_string();
        assert!(table.contains("100.00 [100.00, 100.00]") && table.contains("turn-180"), "{table}");
        let json = serde_json::to_value(&report).expect("plain data");
        assert_eq!(json["degradations"][1]["name"], "mirror");
        assert_eq!(json["degradations"][1]["accuracy"]["high"], 0.0);
    }

    #[test]
    fn the_interval_of_a_drop_is_that_of_the_difference() {
        let clean: Vec<bool> = (0..400).map(|i| i % 10 != 0).collect();
        let changed: Vec<bool> = (0..400).map(|i| i % 10 != 0 && i % 20 != 1).collect();
        let drop = drop_between(&clean, &changed, &Bootstrap::new(1));
        // One in 20 lost: its deviation is sqrt(0.05 * 0.95 / 400), of each accuracy 1.4 times that.
        assert!((drop.value - 0.05).abs() < 1e-12);
        assert!((drop.low - 0.029).abs() < 0.006 && (drop.high - 0.071).abs() < 0.006, "{drop:?}");
    }

    #[test]
    fn nothing_to_score_is_an_error() {
        assert!(rows(&["grey"], &Memory::halves(0, false)).is_err());
        let mut broken = Memory::halves(3, false);
        broken.1.iter_mut().for_each(Vec::clear);
        let error = rows(&["grey"], &broken).expect_err("none can be decoded").to_string();
        assert!(error.contains("0.png"), "{error}");
    }
}
