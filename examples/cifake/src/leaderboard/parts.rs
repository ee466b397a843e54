//! The optional parts of a row.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use burn::tensor::Device;
use cifake::file::read_limited;
use cifake::text::path_text;
use cifake::weights::sha256_hex;
use cifake::{Dataset, Detector, Sample, Split, open_dataset};
use cifake_attacks::{
    Attack, AttackName, BuildManifest, Degradation, ModelId, TargetModel, evaluate_built,
    evaluate_degradations, evaluate_robustness,
};
use cifake_eval::{EvaluateOptions, GroupRow};

use super::row::{Adaptive, Built, Share};
use super::sample::fingerprint;
use crate::calibrated::Calibrated;
use crate::commands::robustness::run_options;
use crate::{Progress, answers, balanced};

/// The attacks on the detector itself, of the radius [`EPSILON`](super::row::EPSILON).
const ATTACKS: [&str; 2] = ["apgd-linf@2", "ensemble-linf@2"];
/// The manifest of a built set.
const MANIFEST: &str = "manifest.json";
/// Its largest size, in bytes.
const MAX_BYTES: u64 = 1 << 30;

/// The optional parts of a row.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct PartArgs {
    /// Also measure this set of build_cifake_pp: attacked pictures, made for another network.
    #[arg(long = "static", value_name = "SET")]
    pub(super) built: Option<PathBuf>,
    /// Also attack the detector itself on N pictures: APGD and an ensemble of attacks, linf 2/255.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) adaptive: Option<u32>,
    /// Also measure the pictures enlarged, compressed, blurred, cut, turned and more.
    #[arg(long)]
    pub(super) degradations: bool,
    /// Also measure the test pictures of this collection of other generators, or its validation pictures if it
    /// has no others.
    #[arg(long, value_name = "PATH")]
    pub(super) generators: Option<PathBuf>,
}

/// Names of pictures that cannot be read, each with the reason.
type Unread = Vec<(String, String)>;

impl PartArgs {
    /// Whether the sets that are named are there, before anything is measured.
    ///
    /// # Errors
    ///
    /// A set without a manifest, or a collection without test and validation pictures.
    pub(crate) fn check(&self) -> Result<()> {
        if let Some(set) = &self.built {
            let manifest = BuildManifest::read(set);
            manifest.with_context(|| format!("--static {} is no finished set", path_text(set)))?;
        }
        if let Some(path) = &self.generators {
            collection(path)?;
        }
        Ok(())
    }
}

/// A detector on its device, and the seed of draws, attacks and bootstrap.
pub(super) struct Judge<'a> {
    pub(super) detector: &'a Detector,
    pub(super) device: &'a Device,
    pub(super) seed: u64,
    pub(super) bar: &'a Progress,
}

impl Judge<'_> {
    /// Accuracy on the built set in `folder`, for a detector of this clean accuracy.
    pub(super) fn built(&self, folder: &Path, clean: f64) -> Result<Built> {
        let options = run_options(self.detector, self.device, self.seed, folder);
        let answers = Calibrated(self.detector);
        let report = evaluate_built(&answers, folder, &options, &mut self.tell("built set"))?;
        let accuracy = report.mean.context("the built set holds no attacked pictures")?;
        let share = |row: &cifake_attacks::BuiltRow| Share {
            name: row.origin.name().to_owned(),
            n: row.n,
            accuracy: row.accuracy,
        };
        Ok(Built {
            rows: report.rows.iter().map(share).collect(),
            set: report.set,
            surrogate: report.surrogate,
            accuracy,
            drop: clean - accuracy.value,
        })
    }

    /// Accuracy under attacks on `limit` of the samples `among` of `dataset`. Finished work is kept in `out`.
    pub(super) fn adaptive(
        &self,
        dataset: &dyn Dataset,
        among: &[usize],
        limit: usize,
        out: &Path,
    ) -> Result<Adaptive> {
        let mut options = run_options(self.detector, self.device, self.seed, out);
        options.indices = Some(balanced(dataset, among.iter().copied(), limit, self.seed));
        let suite = ATTACKS.map(|name| -> Result<Box<dyn Attack>, cifake_attacks::Error> {
            name.parse::<AttackName>()?.attack(None)
        });
        let suite = suite.into_iter().collect::<Result<Vec<_>, _>>()?;
        let target = TargetModel::new(self.detector.classifier()).with_answers(self.detector);
        let id = ModelId::new(self.detector.model_name(), &self.detector.weights().sha256);
        let report = evaluate_robustness(&target, &id, dataset, &suite, &options, &mut |step| {
            self.tell(step.attack)(step.done, step.total);
        })?;
        let share = |row: &cifake_attacks::RobustnessRow| Share {
            name: row.name.clone(),
            n: row.n,
            accuracy: row.robust_accuracy,
        };
        Ok(Adaptive {
            clean: report.clean.accuracy,
            rows: report.attacks.iter().map(share).collect(),
            worst_label: report.attacks.last().and_then(|row| row.worst_label),
            warnings: report.warnings,
        })
    }

    /// Accuracy on the pictures as they arrive, the unchanged ones first.
    pub(super) fn degradations(
        &self,
        dataset: &dyn Dataset,
        options: &EvaluateOptions,
    ) -> Result<Vec<Share>> {
        let suite = Degradation::suite();
        let mut tell = self.tell("degradations");
        let report = evaluate_degradations(self.detector, dataset, &suite, options, &mut tell)?;
        let rows = std::iter::once(&report.clean).chain(&report.degradations);
        let share = |row: &cifake_attacks::DegradedRow| Share {
            name: row.name.clone(),
            n: report.n,
            accuracy: row.accuracy,
        };
        Ok(rows.map(share).collect())
    }

    /// The answers on the pictures of the [`collection`] at `path`: by label, then by generator. Also the names of
    /// pictures that cannot be read, each with the reason.
    pub(super) fn generators(&self, path: &Path) -> Result<(Vec<GroupRow>, Unread)> {
        let (dataset, _) = collection(path)?;
        let indices: Vec<usize> = (0..dataset.len()).collect();
        let observed = answers::observe(self.detector, &*dataset, &indices)?;
        let seen: HashSet<&str> = observed.iter().map(|(sample, _)| sample.id.as_str()).collect();
        let is_unread = |sample: &&Sample| !seen.contains(sample.id.as_str());
        let unread = |sample: &Sample| {
            let reason = format!("{}: it cannot be read", sample.id);
            (sample.id.clone(), reason)
        };
        let failed = dataset.samples().iter().filter(is_unread).map(unread).collect();
        let found = answers::breakdown(self.detector, &observed)?;
        Ok(([found.labels, found.generators].concat(), failed))
    }

    /// Shows how far the work on `what` is.
    pub(super) fn tell<'a>(&'a self, what: &'a str) -> impl FnMut(usize, usize) + 'a {
        move |done, total| {
            self.bar.set_length(total as u64);
            self.bar.set_message(what.to_owned());
            self.bar.set_position(done as u64);
        }
    }
}

/// The key that a measure of the built set in `folder` depends on.
pub(super) fn key_of_built(folder: &Path) -> Result<String> {
    Ok(sha256_hex(&read_limited(&folder.join(MANIFEST), MAX_BYTES)?))
}

/// The key that a measure of degradations depends on.
pub(super) fn key_of_degradations() -> String {
    let names = Degradation::suite().iter().map(ToString::to_string).collect::<Vec<_>>();
    sha256_hex(names.join("\n").as_bytes())
}

/// The pictures of the collection at `path` that are measured, and their split: test, or validation where it has no
/// test pictures.
fn collection(path: &Path) -> Result<(Box<dyn Dataset>, Split)> {
    let missing = || format!("--generators {} has no test or validation pictures", path_text(path));
    let split = |split| open_dataset(path, Some(split)).map(|dataset| (dataset, split));
    split(Split::Test).or_else(|_| split(Split::Validation)).with_context(missing)
}

/// The key that a measure of the [`collection`] at `path` depends on: the split, then a hash of the pictures.
pub(super) fn key_of_generators(path: &Path) -> Result<String> {
    let (dataset, split) = collection(path)?;
    let hash = fingerprint(&*dataset, &(0..dataset.len()).collect::<Vec<_>>());
    Ok(format!("{split} {hash}"))
}
