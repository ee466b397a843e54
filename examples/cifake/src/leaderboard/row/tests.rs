//! Rows for the tests of all pages.

use cifake::Label::{Fake, Real};
use cifake_eval::Latency;
use cifake_eval::metrics::Bootstrap;

use super::*;
use crate::leaderboard::sample::PUBLISHED;

/// A row called `name` of about this accuracy.
pub(in crate::leaderboard) fn row(name: &str, accuracy: f64) -> Row {
    const N: usize = 10_000;
    let n_right = (accuracy * N as f64).round() as usize;
    let labels: Vec<_> = (0..N).map(|i| if i % 2 == 0 { Real } else { Fake }).collect();
    let score = |i: usize| if (i % 2 == 1) == (i < n_right) { 0.9 } else { 0.1 };
    let scores: Vec<f32> = (0..N).map(score).collect();
    let bootstrap = Bootstrap::new(0).with_resamples(3);
    let measures = bootstrap.measure(&scores, &labels, 0.5).expect("scores of both labels");
    let latency = |batch| Latency { batch, n_runs: 20, median_ms: 1.5, min_ms: 1.0, max_ms: 2.0 };
    let source = Source { command: "cifake leaderboard".to_owned(), commit: None };
    let made_of = MadeOf {
        version: VERSION,
        weights_sha256: "ab".repeat(32),
        pictures_sha256: PUBLISHED[0].to_owned(),
        split: "test".to_owned(),
        limit: None,
        seed: 0,
        default_sha256: "ef".repeat(32),
    };
    let cost =
        Cost { one: latency(1), many: latency(32), peak_bytes: None, cpu: None, optimized: true };
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
    row.built = Some(part(&row, found));
    row
}

fn part<T>(row: &Row, found: T) -> Part<T> {
    Part { key: "k".to_owned(), source: row.source.clone(), n_failed: 0, found }
}

/// `row` with every part, of few entries.
pub(in crate::leaderboard) fn with_all_parts(row: Row) -> Row {
    let mut row = with_built(row, 0.5);
    let accuracy = Metric { value: 0.25, low: 0.2, high: 0.3 };
    let share = |name: &str| Share { name: name.to_owned(), n: 500, accuracy };
    if let Some(part) = &mut row.built {
        part.found.rows = vec![share("PGD")];
    }
    let adaptive = Adaptive {
        clean: Metric { value: 0.97, low: 0.96, high: 0.98 },
        rows: vec![share("APGD"), share("ensemble")],
        worst_label: None,
        warnings: vec![Warning::HiddenGradients],
    };
    let group = GroupRow {
        name: "a generator".to_owned(),
        label: Fake,
        n: 4,
        fake: 0.5,
        unsure: 0.25,
        real: 0.25,
        mean_p_fake: 0.5,
        auc: Some(0.75),
    };
    row.adaptive = Some(part(&row, adaptive));
    row.degradations = Some(part(&row, vec![share("clean")]));
    row.generators = Some(part(&row, vec![group]));
    row.settle();
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
    row.degradations = Some(part(&row, vec![share]));
    row
}

#[test]
fn fields_are_called_as_in_robust_bench_and_come_back() {
    let row = with_all_parts(row("native", 0.9748));
    let json = serde_json::to_value(&row).expect("plain data");
    assert_eq!((&json["clean_acc"], &json["eps"]), (&"97.48".into(), &"2/255".into()));
    assert_eq!((&json["external"], &json["unreliable"]), (&"25.00".into(), &true.into()));
    assert!(json.get("autoattack_acc").is_none() && json.get("footnote").is_some());
    assert_eq!(json["static"]["found"]["accuracy"]["value"], 0.5);
    let again: Row = serde_json::from_value(json).expect("as it was written");
    assert_eq!(again, row);
    assert!(Part::has(&row.built, "k") && !Part::has(&row.built, "other"));
    assert!(!Part::has(&row.generators, ""));
}

#[test]
fn finished_parts_stay_with_their_weights_pictures_and_limits() {
    let old = || with_all_parts(row("a", 0.75));
    let mut again = row("a", 0.75);
    again.made_of.default_sha256 = "01".repeat(32);
    let made_of = again.made_of.clone();
    assert!(again.take_parts(old()).is_empty());
    assert_eq!((again.made_of, again.external.as_deref()), (made_of, Some("25.00")));
    assert!(again.built == old().built && again.generators == old().generators);
    let changes: [fn(&mut MadeOf); 5] = [
        |of| of.weights_sha256 = "01".repeat(32),
        |of| of.pictures_sha256 = "01".repeat(32),
        |of| of.limit = Some(4),
        |of| of.seed = 1,
        |of| of.version += 1,
    ];
    for change in changes {
        let mut other = row("a", 0.75);
        change(&mut other.made_of);
        let alone = other.clone();
        let left_out = other.take_parts(old());
        assert_eq!(left_out, ["--static", "--adaptive", "--degradations", "--generators"]);
        assert_eq!(other, alone);
    }
    assert!(row("a", 0.75).take_parts(row("a", 0.5)).is_empty(), "there was none");
}
