//! The table of a robustness evaluation.

use std::fmt;

use cifake::Label;
use cifake_eval::metrics::{Bootstrap, Metric};
use serde::Serialize;

use super::outcome::Outcome;
use super::warning::Warning;
use crate::Epsilon;
use crate::kit::Attack;

/// Rows of a robustness evaluation.
#[derive(Debug, Clone, Serialize)]
pub struct RobustnessReport {
    /// Seed of the attacks.
    pub seed: u64,
    /// The pictures before any attack.
    pub clean: CleanRow,
    /// Reasons to doubt the rows.
    pub warnings: Vec<Warning>,
    /// One row for each attack, in the order of the suite.
    pub attacks: Vec<RobustnessRow>,
}

/// The same pictures without an attack.
#[derive(Debug, Clone, Serialize)]
pub struct CleanRow {
    /// Accuracy.
    pub accuracy: Metric,
}

/// The accuracy under one attack.
#[derive(Debug, Clone, Serialize)]
pub struct RobustnessRow {
    /// Name of the attack.
    pub name: String,
    /// Radius of its ball, for pixels in `[0, 1]`; absent for an attack without a ball.
    pub epsilon: Option<Epsilon>,
    /// Number of samples.
    pub n: usize,
    /// Accuracy before the attack.
    #[serde(skip)]
    pub clean: Metric,
    /// Share of samples that are correct before and after the attack.
    pub robust_accuracy: Metric,
    /// Robust accuracy on the REAL samples; absent without any.
    pub real: Option<Metric>,
    /// Robust accuracy on the FAKE samples; absent without any.
    pub fake: Option<Metric>,
    /// The lower of the two. A constant classifier has 0 here.
    pub worst_label: Option<Metric>,
    /// Accuracy of a constant classifier that gives the more frequent label.
    pub constant: f64,
    /// Mean number of classifications of a picture.
    pub mean_queries: f64,
    /// Mean number of gradients.
    pub mean_gradients: f64,
    /// Median l2 size of the perturbations.
    pub median_l2: f64,
    /// Largest linf size.
    pub max_linf: f64,
    /// Wall time of the attack in seconds, finished work included.
    pub seconds: f64,
    /// The outcome of each sample.
    #[serde(skip)]
    pub outcomes: Vec<Outcome>,
}

impl RobustnessRow {
    pub(super) fn new(
        attack: &dyn Attack,
        outcomes: Vec<Outcome>,
        seconds: f64,
        bootstrap: &Bootstrap,
    ) -> Self {
        let n = outcomes.len();
        let statistics = |counts: &[u32]| -> [f64; 5] {
            let share = |right: fn(&Outcome) -> bool, of: fn(&Outcome) -> bool| {
                let counted = outcomes.iter().zip(counts).filter(|(o, _)| of(o));
                let (mut hits, mut all) = (0, 0);
                for (outcome, count) in counted {
                    all += count;
                    hits += count * u32::from(right(outcome));
                }
                if all == 0 { f64::NAN } else { f64::from(hits) / f64::from(all) }
            };
            let robust: fn(&Outcome) -> bool = |o| o.correct && o.clean_correct;
            let [real, fake] = [
                share(robust, |o| o.label == Label::Real),
                share(robust, |o| o.label == Label::Fake),
            ];
            let worse = if real.is_nan() || fake.is_nan() { f64::NAN } else { real.min(fake) };
            [share(|o| o.clean_correct, |_| true), share(robust, |_| true), real, fake, worse]
        };
        let values = statistics(&vec![1; n]);
        let intervals = bootstrap.intervals(n, statistics);
        let metric = |i: usize| {
            let value = values[i];
            let (low, high) = intervals[i].unwrap_or((value, value));
            (!value.is_nan()).then_some(Metric { value, low, high })
        };
        let mean =
            |of: fn(&Outcome) -> usize| outcomes.iter().map(of).sum::<usize>() as f64 / n as f64;
        let n_fake = outcomes.iter().filter(|o| o.label == Label::Fake).count();
        let mut l2: Vec<f32> = outcomes.iter().map(|o| o.l2).collect();
        l2.sort_by(f32::total_cmp);
        Self {
            name: attack.name(),
            epsilon: attack.epsilon(),
            n,
            clean: metric(0).expect("there are samples"),
            robust_accuracy: metric(1).expect("there are samples"),
            real: metric(2),
            fake: metric(3),
            worst_label: metric(4),
            constant: n_fake.max(n - n_fake) as f64 / n as f64,
            mean_queries: mean(|o| o.n_queries),
            mean_gradients: mean(|o| o.n_gradients),
            median_l2: f64::from(l2[n / 2]),
            max_linf: outcomes.iter().map(|o| f64::from(o.linf)).fold(0.0, f64::max),
            seconds,
            outcomes,
        }
    }
}

impl fmt::Display for RobustnessReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<26} {:>5} {:>7} {:>22} {:>7} {:>7} {:>22} {:>9} {:>8}",
            "attack", "n", "clean", "robust", "REAL", "FAKE", "worse label", "calls", "seconds"
        )?;
        let percent = |m: &Metric| format!("{:.1}", 100.0 * m.value);
        let interval = |m: &Metric| {
            let [value, low, high] = [m.value, m.low, m.high].map(|x| 100.0 * x);
            format!("{value:.1} [{low:.1}, {high:.1}]")
        };
        let or_dash = |m: &Option<Metric>, show: &dyn Fn(&Metric) -> String| {
            m.as_ref().map_or_else(|| "-".to_owned(), show)
        };
        for row in &self.attacks {
            writeln!(
                f,
                "{:<26} {:>5} {:>7} {:>22} {:>7} {:>7} {:>22} {:>9.0} {:>8.1}",
                row.name,
                row.n,
                percent(&row.clean),
                interval(&row.robust_accuracy),
                or_dash(&row.real, &percent),
                or_dash(&row.fake, &percent),
                or_dash(&row.worst_label, &interval),
                row.mean_queries + row.mean_gradients,
                row.seconds
            )?;
        }
        if let Some(row) = self.attacks.first() {
            let constant = 100.0 * row.constant;
            writeln!(
                f,
                "{:<26} {:>5} {constant:>7.1} {constant:>22.1}",
                "(constant answer)", row.n
            )?;
        }
        for warning in &self.warnings {
            writeln!(f, "\nwarning: {warning}")?;
        }
        f.write_str(
            "\nworse label: the lower of the accuracies on REAL and FAKE pictures under the attack\n\
             (constant answer): the accuracy of a detector that gives all pictures their more frequent label\n",
        )?;
        write!(f, "shares in percent with 95 % bootstrap intervals; seed {}", self.seed)
    }
}
