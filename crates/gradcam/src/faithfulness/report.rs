//! Faithfulness over many pictures, with confidence intervals.

use std::fmt;

use cifake::text::counted;
use cifake_eval::metrics::{Bootstrap, Metric};
use serde::Serialize;

use super::value::Faithfulness;
use crate::HeatMap;

/// Names of the control maps, which do not depend on the picture.
const CONTROLS: [&str; 2] = ["random map", "centre prior"];

/// Means over many pictures of one set of maps.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct FaithfulnessRow {
    /// Name of the set.
    pub name: String,
    /// Number of pictures whose map is flat; their places are removed in reading order.
    pub n_flat: usize,
    /// See [`Faithfulness::deletion`].
    pub deletion: Metric,
    /// See [`Faithfulness::insertion`].
    pub insertion: Metric,
    /// See [`Faithfulness::road`].
    pub road: Metric,
    /// See [`Faithfulness::average_drop`].
    pub average_drop: Metric,
    /// Share of the pictures whose probability rises: see [`Faithfulness::confidence_increase`].
    pub confidence_increase: Metric,
}

/// The faithfulness of sets of maps, beside that of two controls.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct FaithfulnessReport {
    /// Number of pictures.
    pub n: usize,
    /// One row for each set of maps.
    pub maps: Vec<FaithfulnessRow>,
    /// Random maps, and a bump in the middle of every picture.
    pub controls: [FaithfulnessRow; 2],
    /// Every picture, in order: a value for each set, then for each control.
    #[serde(skip)]
    pub samples: Vec<Vec<Faithfulness>>,
}

impl FaithfulnessReport {
    pub(super) fn new(
        sets: &[(&str, Vec<HeatMap>)],
        samples: Vec<Vec<Faithfulness>>,
        bootstrap: &Bootstrap,
    ) -> Self {
        let row = |name: &str, n_flat: usize, column: usize| {
            let values: Vec<[f64; 5]> = samples.iter().map(|of| measures(&of[column])).collect();
            FaithfulnessRow::new(name, n_flat, &values, bootstrap)
        };
        let set = |(column, (name, maps)): (usize, &(&str, Vec<HeatMap>))| {
            row(name, maps.iter().filter(|map| map.is_flat()).count(), column)
        };
        let maps = sets.iter().enumerate().map(set).collect();
        let controls = [0, 1].map(|control| row(CONTROLS[control], 0, sets.len() + control));
        Self { n: samples.len(), maps, controls, samples }
    }

    /// The index of the set with the best mean rank over deletion, insertion and ROAD; the first of
    /// equal ones. Average drop and confidence increase do not count: they reward maps that cover
    /// much of the picture.
    #[must_use]
    pub fn best(&self) -> usize {
        let better = |a: &FaithfulnessRow, b: &FaithfulnessRow| {
            let pairs = [
                (b.deletion.value, a.deletion.value),
                (a.insertion.value, b.insertion.value),
                (a.road.value, b.road.value),
            ];
            pairs.map(|(a, b)| if a > b { 2 } else { usize::from(a == b) }).iter().sum::<usize>()
        };
        // Twice the number of sets that are better, with one half for each equal set.
        let n_before = |row| self.maps.iter().map(|other| better(other, row)).sum::<usize>();
        let places = self.maps.iter().map(n_before).enumerate();
        places.min_by_key(|(_, n_before)| *n_before).map_or(0, |(index, _)| index)
    }
}

fn measures(of: &Faithfulness) -> [f64; 5] {
    [of.deletion, of.insertion, of.road, of.average_drop, of.confidence_increase]
}

impl FaithfulnessRow {
    fn new(name: &str, n_flat: usize, values: &[[f64; 5]], bootstrap: &Bootstrap) -> Self {
        let means = |counts: &[u32]| -> [f64; 5] {
            let mut sums = [0.0; 5];
            for (of, &count) in values.iter().zip(counts) {
                sums.iter_mut().zip(of).for_each(|(sum, x)| *sum += f64::from(count) * x);
            }
            sums.map(|sum| sum / values.len() as f64)
        };
        let value = means(&vec![1; values.len()]);
        let intervals = bootstrap.intervals(values.len(), means);
        let metric = |i: usize| {
            let (low, high) = intervals[i].unwrap_or((value[i], value[i]));
            Metric { value: value[i], low, high }
        };
        Self {
            name: name.to_owned(),
            n_flat,
            deletion: metric(0),
            insertion: metric(1),
            road: metric(2),
            average_drop: metric(3),
            confidence_increase: metric(4),
        }
    }
}

impl fmt::Display for FaithfulnessReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<14}", counted(self.n, "picture"))?;
        for column in
            ["deletion (low)", "insertion (high)", "ROAD (high)", "drop (low)", "rise (high)"]
        {
            write!(f, " {column:>22}")?;
        }
        write!(f, " {:>5}", "flat")?;
        let show = |m: &Metric| format!("{:.3} [{:.3}, {:.3}]", m.value, m.low, m.high);
        for row in self.maps.iter().chain(&self.controls) {
            write!(f, "\n{:<14}", row.name)?;
            for metric in [
                &row.deletion,
                &row.insertion,
                &row.road,
                &row.average_drop,
                &row.confidence_increase,
            ] {
                write!(f, " {:>22}", show(metric))?;
            }
            write!(f, " {:>5}", row.n_flat)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(values: &[[f64; 3]]) -> FaithfulnessReport {
        let row = |[deletion, insertion, road]: [f64; 3]| {
            let values = [[deletion, insertion, road, 0.0, 0.0]];
            FaithfulnessRow::new("maps", 0, &values, &Bootstrap::new(0))
        };
        let controls = [row([0.0, 1.0, 1.0]), row([0.0, 1.0, 1.0])];
        FaithfulnessReport {
            n: 1,
            maps: values.iter().map(|v| row(*v)).collect(),
            controls,
            samples: vec![],
        }
    }

    #[test]
    fn the_best_has_the_best_mean_rank_and_controls_have_none() {
        // Ranks 1 3 2, 2 1 1 and 3 2 3.
        let found = report(&[[0.1, 0.5, 0.2], [0.2, 0.7, 0.3], [0.3, 0.6, 0.1]]);
        assert_eq!(found.best(), 1);
        // Ranks 1 2 1.5 and 2 1 1.5: the first of equal ones.
        assert_eq!(report(&[[0.1, 0.5, 0.2], [0.2, 0.7, 0.2]]).best(), 0);
    }
}
