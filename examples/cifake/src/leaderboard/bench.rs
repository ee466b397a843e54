//! From a detector to its row: whatever is there already is not measured again.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use burn::tensor::Device;
use cifake::text::printable;
use cifake::weights::Checkpoint;
use cifake::{Detector, Familiarity, Label, error_chain};
use cifake_eval::metrics::{Bootstrap, McNemar, best_threshold};
use cifake_eval::{EvaluateOptions, Report, ScoredSample, evaluate};

use super::cost::Cost;
use super::entrant::{DEFAULT, Entrant};
use super::folder::Folder;
use super::parts::{self, Judge, PartArgs};
use super::row::{AtValidation, MadeOf, Part, Row, VERSION};
use super::sample::{Sample, Samples};
use super::source::Source;
use super::unread::Unread;
use crate::Progress;
use crate::args::{builder, open, portable, registry};
use crate::commands::evaluate::evaluation;
use crate::part;

/// The threshold of every measure that has no other.
const THRESHOLD: f64 = 0.5;
/// The endings of the names of running statistics, which are no parameters.
const STATISTICS: [&str; 3] = ["running_mean", "running_var", "num_batches_tracked"];

/// The setting in which detectors are measured.
pub(crate) struct Setting {
    /// The pictures of the detectors.
    pub(crate) samples: Samples,
    /// The device that computes.
    pub(crate) device: Device,
    /// Threads of each; 0 takes all cores.
    pub(crate) threads: usize,
    /// Optional parts of a row.
    pub(crate) parts: PartArgs,
    /// Whether rows are made again that are there.
    pub(crate) again: bool,
    /// Whether a picture that cannot be read is an error.
    pub(crate) strict: bool,
    /// Folder of finished attacks.
    pub(crate) attacks: PathBuf,
}

/// Measures one detector after the other on the same pictures.
pub(crate) struct Bench<'a> {
    setting: Setting,
    source: Source,
    bar: &'a Progress,
    default: Detector,
    /// Whether the default detector is right, by the index of the picture, once it was asked.
    answers: Option<HashMap<usize, bool>>,
    /// Names of the rows of this run.
    names: HashSet<String>,
    unread: Unread,
}

impl<'a> Bench<'a> {
    /// A bench that has measured nothing.
    ///
    /// # Errors
    ///
    /// If the default detector cannot be had.
    pub(crate) fn new(setting: Setting, bar: &'a Progress) -> Result<Self> {
        let builder = builder().device(&setting.device).threads(setting.threads)?;
        let default = open(builder, Path::new(DEFAULT))?;
        let (source, names) = (Source::of_this_run(), HashSet::new());
        let unread = Unread::new(setting.strict);
        Ok(Self { setting, source, bar, default, answers: None, names, unread })
    }

    /// The number of pictures that could not be read, for the rows of this run.
    pub(crate) fn n_unread(&self) -> usize {
        self.unread.n()
    }

    /// Brings the row of `entrant` in `folder` up to date.
    ///
    /// # Errors
    ///
    /// Weights that cannot be read; no picture that can be, or any that cannot where that is an error; a name that
    /// another row of this run has, or whose file is that of another row; a file that cannot be written.
    pub(crate) fn measure(&mut self, entrant: &Entrant, folder: &mut Folder) -> Result<()> {
        let weights = &entrant.weights;
        let builder = builder().device(&self.setting.device).in_threads(self.default.threads());
        let detector = open(builder, weights)?;
        let name = entrant.name.as_deref().unwrap_or(detector.model_name()).to_owned();
        ensure!(
            self.names.insert(name.clone()),
            "two detectors are called {name}; write NAME=FILE"
        );
        let sample = self.setting.samples.of(weights, &detector)?;
        let made_of = self.made_of(&detector, &sample);
        let known = folder.row(&name)?.cloned();
        let mut row = match known {
            Some(row) if row.made_of == made_of && !self.setting.again => row,
            known => {
                let mut row = self.row(name, weights, &detector, &sample, made_of)?;
                if let Some(known) = known {
                    self.take_parts(&mut row, known);
                }
                folder.save(&row)?;
                row
            }
        };
        self.add_parts(&mut row, &detector, &sample, folder)?;
        self.unread.add_before(&row.name, row.n_unread(), &mut |line| self.bar.say(line))
    }

    /// Keeps the finished parts of the row that `row` replaces, as far as they are of the same pictures and weights.
    fn take_parts(&self, row: &mut Row, known: Row) {
        let left_out = row.take_parts(known);
        if !left_out.is_empty() {
            let (name, parts) = (&row.name, left_out.join(", "));
            self.bar.say(&printable(&format!(
                "note: {name}: what {parts} measured is dropped, since weights, pictures or limit were others"
            )));
        }
    }

    fn made_of(&self, detector: &Detector, sample: &Sample) -> MadeOf {
        let Samples { part, limit, seed, .. } = &self.setting.samples;
        MadeOf {
            version: VERSION,
            weights_sha256: detector.weights().sha256.clone(),
            pictures_sha256: sample.sha256.clone(),
            split: part.as_str().to_owned(),
            limit: *limit,
            seed: *seed,
            default_sha256: self.default.weights().sha256.clone(),
        }
    }

    /// A new row, without optional parts.
    fn row(
        &mut self,
        name: String,
        weights: &Path,
        detector: &Detector,
        sample: &Sample,
        made_of: MadeOf,
    ) -> Result<Row> {
        let report = self.report(detector, sample, &sample.indices)?;
        let mcnemar = self.against_default(detector, sample, &report)?;
        let at_validation_threshold = self.at_validation(detector, weights, &report);
        self.bar.set_message("time and memory");
        let mut row = Row {
            name,
            architecture: detector.model_name().to_owned(),
            dataset: portable(&self.setting.samples.path),
            eps: None,
            clean_acc: String::new(),
            external: None,
            unreliable: false,
            footnote: None,
            made_of,
            n_failed: report.n_failed,
            measures: report.all,
            without_copies: report.dedup,
            at_validation_threshold,
            mcnemar,
            parameters: parameters(weights)?,
            macs: detector.classifier().macs(),
            cost: Cost::in_a_process(weights)?,
            source: self.source.clone(),
            built: None,
            adaptive: None,
            degradations: None,
            generators: None,
        };
        row.settle();
        Ok(row)
    }

    /// The scores of `detector` for the pictures `indices` of a data set, and their measures.
    fn report(
        &mut self,
        detector: &Detector,
        sample: &Sample,
        indices: &[usize],
    ) -> Result<Report> {
        let options = self.options(detector, sample).with_indices(indices.to_vec());
        let judge = self.judge(detector);
        let report = evaluate(detector, &*sample.dataset, &options, &mut judge.tell("scores"))?;
        let failed = report.failed.iter().map(|failed| (failed.id.clone(), failed.error.clone()));
        self.unread.add(&failed.collect::<Vec<_>>(), &mut |line| self.bar.say(line))?;
        Ok(report)
    }

    fn options(&self, detector: &Detector, sample: &Sample) -> EvaluateOptions {
        let options = evaluation(detector, &self.setting.device).with_threshold(THRESHOLD);
        let options = options.with_seed(self.setting.samples.seed);
        options.with_indices(sample.indices.clone()).with_unique(sample.unique.clone())
    }

    fn judge<'b>(&'b self, detector: &'b Detector) -> Judge<'b> {
        let (device, seed) = (&self.setting.device, self.setting.samples.seed);
        Judge { detector, device, seed, bar: self.bar }
    }

    /// The test against the default detector on the test pictures, which no detector was trained on.
    fn against_default(
        &mut self,
        detector: &Detector,
        sample: &Sample,
        report: &Report,
    ) -> Result<Option<McNemar>> {
        let is_default = detector.weights().sha256 == self.default.weights().sha256;
        if self.setting.samples.part != part::Part::Test {
            return Ok(None);
        }
        if is_default {
            self.answers = Some(answers(&report.samples));
            return Ok(None);
        }
        let answers = match self.answers.take() {
            Some(answers) => answers,
            None => {
                let default = self.default.clone();
                answers(&self.report(&default, sample, &sample.indices)?.samples)
            }
        };
        let pair = |sample: &ScoredSample| Some([is_right(sample), *answers.get(&sample.index)?]);
        let found = McNemar::new(report.samples.iter().filter_map(pair));
        self.answers = Some(answers);
        Ok(Some(found))
    }

    /// The accuracy of `report` at the threshold of the held-back pictures, where it can be had.
    fn at_validation(
        &mut self,
        detector: &Detector,
        weights: &Path,
        report: &Report,
    ) -> Option<AtValidation> {
        let held_back = self.setting.samples.held_back(weights, detector);
        let found = held_back.and_then(|held_back| {
            let seen = self.report(detector, &held_back, &held_back.indices)?;
            let threshold = best_threshold(&seen.scores(), &seen.labels())?;
            let bootstrap = Bootstrap::new(self.setting.samples.seed);
            let (scores, labels) = (report.scores(), report.labels());
            let measures = bootstrap.measure(&scores, &labels, threshold)?;
            Ok(AtValidation { n: seen.all.n, threshold, accuracy: measures.accuracy })
        });
        let warn = |error: anyhow::Error| {
            let reason = error_chain(error.as_ref());
            self.bar.say(&printable(&format!("no threshold of validation pictures: {reason}")));
        };
        found.map_err(warn).ok()
    }

    /// Adds the optional parts that are asked for and not there, and saves each.
    fn add_parts(
        &mut self,
        row: &mut Row,
        detector: &Detector,
        sample: &Sample,
        folder: &mut Folder,
    ) -> Result<()> {
        let PartArgs { built, adaptive, degradations, generators } = &self.setting.parts;
        let (judge, again) = (self.judge(detector), self.setting.again);
        if let Some(set) = built {
            let key = parts::key_of_built(set)?;
            if again || !Part::has(&row.built, &key) {
                let found = judge.built(set, row.measures.accuracy.value)?;
                row.built = Some(self.part(key, found));
                row.settle();
                folder.save(row)?;
            }
        }
        if let Some(limit) = adaptive {
            let key = format!("{limit} pictures");
            if again || !Part::has(&row.adaptive, &key) {
                let (indices, out) = (&sample.indices, &self.setting.attacks);
                let found = judge.adaptive(&*sample.dataset, indices, *limit as usize, out)?;
                row.adaptive = Some(self.part(key, found));
                row.settle();
                folder.save(row)?;
            }
        }
        if *degradations {
            let key = parts::key_of_degradations();
            if again || !Part::has(&row.degradations, &key) {
                let options = self.options(detector, sample);
                let found = judge.degradations(&*sample.dataset, &options)?;
                row.degradations = Some(self.part(key, found));
                folder.save(row)?;
            }
        }
        if let Some(path) = generators {
            let key = parts::key_of_generators(path)?;
            if again || !Part::has(&row.generators, &key) {
                let (found, failed) = judge.generators(path)?;
                let part = self.part(key, found);
                row.generators = Some(Part { n_failed: failed.len(), ..part });
                row.settle();
                self.unread.add(&failed, &mut |line| self.bar.say(line))?;
                folder.save(row)?;
            }
        }
        Ok(())
    }

    fn part<T>(&self, key: String, found: T) -> Part<T> {
        Part { key, source: self.source.clone(), n_failed: 0, found }
    }
}

/// Whether the detector is right at [`THRESHOLD`].
fn is_right(sample: &ScoredSample) -> bool {
    (f64::from(sample.score) >= THRESHOLD) == (sample.label == Label::Fake)
}

/// Whether it is, by the index of the picture.
fn answers(samples: &[ScoredSample]) -> HashMap<usize, bool> {
    samples.iter().map(|sample| (sample.index, is_right(sample))).collect()
}

/// The number of weights of the network in `weights`, without running statistics and tensors beside it.
fn parameters(weights: &Path) -> Result<u64> {
    let registry = registry();
    let checkpoint = Checkpoint::open(registry.source(weights)?)?;
    let is_parameter = |(name, _): &(&str, Vec<usize>)| {
        !name.starts_with(Familiarity::PREFIX) && !STATISTICS.iter().any(|end| name.ends_with(end))
    };
    let shapes = checkpoint.shapes().into_iter().filter(is_parameter);
    Ok(shapes.map(|(_, shape)| shape.iter().map(|&side| side as u64).product::<u64>()).sum())
}
