//! What is known of a detector: the content of one JSON file.

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
    /// What a reader must know of the row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) footnote: Option<String>,
    /// What the measures depend on.
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
    /// How the row was made.
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

/// What the measures of a row depend on.
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
    /// How many of its pictures were drawn, where not all were taken.
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
    /// What it depends on beside the row: a part of another key is made again.
    pub(super) key: String,
    /// How it was made.
    #[serde(flatten)]
    pub(super) source: Source,
    /// What was found.
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
        self.clean_acc = format!("{:.2}", 100.0 * self.measures.accuracy.value);
        let adaptive = self.adaptive.as_ref().map(|part| &part.found);
        self.eps = adaptive.map(|_| EPSILON.to_owned());
        let last = adaptive.and_then(|found| found.rows.last());
        self.external = last.map(|share| format!("{:.2}", 100.0 * share.accuracy.value));
        self.unreliable = adaptive.is_some_and(|found| !found.warnings.is_empty());
        self.footnote = self.notes();
    }

    fn notes(&self) -> Option<String> {
        let adaptive = self.adaptive.iter().flat_map(|part| &part.found.warnings);
        let mut notes: Vec<String> = adaptive.map(ToString::to_string).collect();
        if self.n_failed > 0 {
            notes.push(format!("{} pictures could not be read", self.n_failed));
        }
        if !self.cost.optimized {
            notes.push("times and memory are those of an unoptimized build".to_owned());
        }
        (!notes.is_empty()).then(|| notes.join("; "))
    }
}

impl<T> Part<T> {
    /// Whether `part` is there and depends on `key`.
    pub(super) fn has(part: &Option<Self>, key: &str) -> bool {
        part.as_ref().is_some_and(|part| part.key == key)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use cifake::Label::{Fake, Real};
    use cifake_eval::Latency;
    use cifake_eval::metrics::Bootstrap;

    use super::*;

    /// A row called `name` of about this accuracy.
    pub(in crate::leaderboard) fn row(name: &str, accuracy: f64) -> Row {
        const N: usize = 10_000;
        let n_right = (accuracy * N as f64).round() as usize;
        let labels: Vec<_> = (0..N).map(|i| if i % 2 == 0 { Real } else { Fake }).collect();
        let score = |i: usize| if (i % 2 == 1) == (i < n_right) { 0.9 } else { 0.1 };
        let scores: Vec<f32> = (0..N).map(score).collect();
        let bootstrap = Bootstrap::new(0).with_resamples(3);
        let measures = bootstrap.measure(&scores, &labels, 0.5).expect("scores of both labels");
        let latency =
            |batch| Latency { batch, n_runs: 20, median_ms: 1.5, min_ms: 1.0, max_ms: 2.0 };
        let source = Source { command: "cifake leaderboard".to_owned(), commit: None };
        let made_of = MadeOf {
            version: VERSION,
            weights_sha256: "ab".repeat(32),
            pictures_sha256: "cd".repeat(32),
            split: "test".to_owned(),
            limit: None,
            seed: 0,
            default_sha256: "ef".repeat(32),
        };
        let cost = Cost {
            one: latency(1),
            many: latency(32),
            peak_bytes: None,
            cpu: None,
            optimized: true,
        };
        let mut row = Row {
            name: name.to_owned(),
            architecture: "tinyvit-native@abababab".to_owned(),
            dataset: "a/data/set".to_owned(),
            eps: None,
            clean_acc: String::new(),
            external: None,
            unreliable: false,
            footnote: None,
            made_of,
            n_failed: 0,
            measures,
            without_copies: None,
            at_validation_threshold: None,
            mcnemar: Some(McNemar::new([[true, false]])),
            parameters: 2_200_000,
            macs: Some(62_549_664),
            cost,
            source,
            built: None,
            adaptive: None,
            degradations: None,
            generators: None,
        };
        row.settle();
        row
    }

    /// `row` with this accuracy on a built set.
    pub(in crate::leaderboard) fn with_built(mut row: Row, accuracy: f64) -> Row {
        let accuracy = Metric { value: accuracy, low: accuracy - 0.01, high: accuracy + 0.01 };
        let found = Built {
            set: "perturbed CIFAKE".to_owned(),
            surrogate: "another".to_owned(),
            accuracy,
            drop: row.measures.accuracy.value - accuracy.value,
            rows: Vec::new(),
        };
        row.built = Some(Part { key: "k".to_owned(), source: row.source.clone(), found });
        row
    }

    /// A row whose texts would be markup, had nobody escaped them.
    pub(in crate::leaderboard) fn hostile() -> Row {
        let text = "<script>x</script> | **bold** ](x) <img src=x onerror=y>\u{202e}\n# `a`";
        let mut row = with_built(row(text, 0.5), 0.4);
        for field in [&mut row.architecture, &mut row.dataset, &mut row.made_of.split] {
            *field = text.to_owned();
        }
        row.source.command = text.to_owned();
        row.source.commit = Some(text.to_owned());
        row.made_of.weights_sha256 = text.to_owned();
        row.footnote = Some(text.to_owned());
        if let Some(part) = &mut row.built {
            part.found.set = text.to_owned();
            part.found.surrogate = text.to_owned();
        }
        let share = Share { name: text.to_owned(), n: 1, accuracy: row.measures.accuracy };
        row.degradations =
            Some(Part { key: String::new(), source: row.source.clone(), found: vec![share] });
        row
    }

    #[test]
    fn fields_are_called_as_in_robust_bench_and_come_back() {
        let mut row = with_built(row("native", 0.9748), 0.75);
        let share = |name: &str, accuracy: f64| Share {
            name: name.to_owned(),
            n: 500,
            accuracy: Metric { value: accuracy, low: 0.1, high: 0.9 },
        };
        let found = Adaptive {
            clean: Metric { value: 0.97, low: 0.96, high: 0.98 },
            rows: vec![share("APGD", 0.3), share("ensemble", 0.28)],
            worst_label: None,
            warnings: vec![Warning::HiddenGradients],
        };
        row.adaptive = Some(Part { key: String::new(), source: row.source.clone(), found });
        row.settle();
        let json = serde_json::to_value(&row).expect("plain data");
        assert_eq!((&json["clean_acc"], &json["eps"]), (&"97.48".into(), &"2/255".into()));
        assert_eq!((&json["external"], &json["unreliable"]), (&"28.00".into(), &true.into()));
        assert!(json.get("autoattack_acc").is_none() && json.get("footnote").is_some());
        assert_eq!(json["static"]["found"]["accuracy"]["value"], 0.75);
        let again: Row = serde_json::from_value(json).expect("as it was written");
        assert_eq!(again, row);
        assert!(Part::has(&row.built, "k") && !Part::has(&row.built, "other"));
        assert!(!Part::has(&row.generators, ""));
    }
}
