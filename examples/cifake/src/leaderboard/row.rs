//! The measures of a detector: the content of one JSON file.

use cifake::text::{counted, percent};
use cifake_attacks::Warning;
use cifake_eval::GroupRow;
use cifake_eval::metrics::{McNemar, Measures, Metric};
use serde::{Deserialize, Serialize};

use super::cost::Cost;
use super::source::Source;

/// Version of the measures: rows of another one are made again.
pub(super) const VERSION: u32 = 1;

/// Radius of the linf ball of the attacks on the detector itself.
pub(super) const EPSILON: &str = "2/255";

/// A row of the leaderboard.
///
/// `name`, `architecture`, `dataset`, `eps`, `clean_acc`, `external`, `unreliable` and `footnote` are called as in
/// RobustBench's model files; their accuracies are texts in percent. All other shares are numbers in `[0, 1]`. The
/// field `autoattack_acc` is absent, since AutoAttack's DLR loss is not defined for two classes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    /// Name of the row.
    pub(super) name: String,
    /// Name and weights of the network, such as `tinyvit-native@0123abcd`.
    pub(super) architecture: String,
    /// The data set.
    pub(super) dataset: String,
    /// Radius of the linf ball of the attacks on the detector itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) eps: Option<String>,
    /// Accuracy at a threshold of 0.5.
    pub(super) clean_acc: String,
    /// Accuracy under the ensemble of attacks on the detector itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) external: Option<String>,
    /// Whether the attacks showed signs of masked gradients.
    pub(super) unreliable: bool,
    /// The remark that a reader of the row must know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) footnote: Option<String>,
    /// The inputs that the measures depend on.
    #[serde(flatten)]
    pub(super) made_of: MadeOf,
    /// Pictures that could not be read, and are in no measure.
    pub(super) n_failed: usize,
    /// At a threshold of 0.5.
    pub(super) measures: Measures,
    /// The same of the pictures that are no copies.
    pub(super) without_copies: Option<Measures>,
    /// At the threshold that the validation pictures choose.
    pub(super) at_validation_threshold: Option<AtValidation>,
    /// Against the default detector on the same pictures: `only_first` counts where this one alone is right.
    pub(super) mcnemar: Option<McNemar>,
    /// Weights of the network, without running statistics.
    pub(super) parameters: u64,
    /// Multiply-accumulates of a picture, where they are counted.
    pub(super) macs: Option<u64>,
    /// Time and memory.
    pub(super) cost: Cost,
    /// The row's origin.
    #[serde(flatten)]
    pub(super) source: Source,
    /// On a built set of attacked pictures.
    #[serde(default, rename = "static", skip_serializing_if = "Option::is_none")]
    pub(super) built: Option<Part<Built>>,
    /// Under attacks on the detector itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) adaptive: Option<Part<Adaptive>>,
    /// On pictures as they arrive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) degradations: Option<Part<Vec<Share>>>,
    /// On pictures of other generators.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) generators: Option<Part<Vec<GroupRow>>>,
}

/// The inputs that the measures of a row depend on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MadeOf {
    /// [`VERSION`].
    pub(super) version: u32,
    /// SHA-256 of the weight file.
    pub(super) weights_sha256: String,
    /// SHA-256 over labels and contents of the pictures.
    pub(super) pictures_sha256: String,
    /// The part of the data set.
    pub(super) split: String,
    /// The number of its pictures that were drawn, where not all were taken.
    pub(super) limit: Option<usize>,
    /// Seed of the draw and of the bootstrap.
    pub(super) seed: u64,
    /// SHA-256 of the weights of the default detector.
    pub(super) default_sha256: String,
}

/// The accuracy at a threshold that validation pictures choose.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct AtValidation {
    /// Validation pictures.
    pub(super) n: usize,
    /// The threshold with the most right answers on them.
    pub(super) threshold: f64,
    /// The accuracy of the row's pictures there.
    pub(super) accuracy: Metric,
}

/// An optional part of a row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Part<T> {
    /// The input that it depends on beside the row: a part of another key is made again.
    pub(super) key: String,
    /// The part's origin.
    #[serde(flatten)]
    pub(super) source: Source,
    /// Pictures of its own that could not be read, and are in no measure.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) n_failed: usize,
    /// The measures.
    pub(super) found: T,
}

/// The accuracy on the pictures of one kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Share {
    /// The kind.
    pub(super) name: String,
    /// Number of pictures.
    pub(super) n: usize,
    /// Share of right answers.
    pub(super) accuracy: Metric,
}

/// The accuracy on a built set of attacked pictures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Built {
    /// Name of the set.
    pub(super) set: String,
    /// The model whose gradients and answers the attacks used.
    pub(super) surrogate: String,
    /// Mean over the attacks.
    pub(super) accuracy: Metric,
    /// Clean accuracy less this one.
    pub(super) drop: f64,
    /// Each attack and generator.
    pub(super) rows: Vec<Share>,
}

/// The accuracy under attacks on the detector itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Adaptive {
    /// The same pictures without an attack.
    pub(super) clean: Metric,
    /// Each attack.
    pub(super) rows: Vec<Share>,
    /// The lower of the accuracies on REAL and FAKE under the last attack, where there are both.
    pub(super) worst_label: Option<Metric>,
    /// Reasons to doubt the rows.
    pub(super) warnings: Vec<Warning>,
}

impl Row {
    /// Brings the fields that follow from others up to date.
    pub(super) fn settle(&mut self) {
        self.clean_acc = percent(self.measures.accuracy.value);
        if let Some(part) = &mut self.built {
            part.found.drop = self.measures.accuracy.value - part.found.accuracy.value;
        }
        let adaptive = self.adaptive.as_ref().map(|part| &part.found);
        self.eps = adaptive.map(|_| EPSILON.to_owned());
        let last = adaptive.and_then(|found| found.rows.last());
        self.external = last.map(|share| percent(share.accuracy.value));
        self.unreliable = adaptive.is_some_and(|found| !found.warnings.is_empty());
        self.footnote = self.notes();
    }

    /// Pictures of the row and of its parts that could not be read.
    pub(super) fn n_unread(&self) -> usize {
        let of_parts = self.generators.as_ref().map_or(0, |part| part.n_failed);
        self.n_failed.saturating_add(of_parts)
    }

    /// Takes the finished parts of `old`, an earlier row of this name, and returns the options of those that are
    /// left out: they were measured with other weights or pictures.
    pub(super) fn take_parts(&mut self, old: Self) -> Vec<&'static str> {
        if self.made_of.has_parts_of(&old.made_of) {
            self.built = old.built;
            self.adaptive = old.adaptive;
            self.degradations = old.degradations;
            self.generators = old.generators;
            self.settle();
            return Vec::new();
        }
        let parts = [
            ("--static", old.built.is_some()),
            ("--adaptive", old.adaptive.is_some()),
            ("--degradations", old.degradations.is_some()),
            ("--generators", old.generators.is_some()),
        ];
        parts.into_iter().filter_map(|(name, is_there)| is_there.then_some(name)).collect()
    }

    fn notes(&self) -> Option<String> {
        let adaptive = self.adaptive.iter().flat_map(|part| &part.found.warnings);
        let mut notes: Vec<String> = adaptive.map(ToString::to_string).collect();
        if self.n_unread() > 0 {
            notes.push(format!("{} could not be read", counted(self.n_unread(), "picture")));
        }
        if !self.cost.optimized {
            notes.push("times and memory are those of an unoptimized build".to_owned());
        }
        (!notes.is_empty()).then(|| notes.join("; "))
    }
}

impl MadeOf {
    /// Whether the parts of a row of `old` are parts of a row of this: the same weights, pictures and limits. The
    /// default detector has no part in them.
    fn has_parts_of(&self, old: &Self) -> bool {
        let default_sha256 = self.default_sha256.clone();
        *self == Self { default_sha256, ..old.clone() }
    }
}

fn is_zero(n: &usize) -> bool {
    *n == 0
}

impl<T> Part<T> {
    /// Whether `part` is there and depends on `key`.
    pub(super) fn has(part: &Option<Self>, key: &str) -> bool {
        part.as_ref().is_some_and(|part| part.key == key)
    }
}

#[cfg(test)]
pub(super) mod tests;
