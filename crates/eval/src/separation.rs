//! The separation of strange pictures from known ones by each score, in one table.

use std::collections::BTreeMap;
use std::fmt;

use cifake::{Error, Observation, StrangerScore, StrangerScores};
use serde::{Deserialize, Serialize};

use crate::metrics::Separation;

/// One kind of strange pictures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeparationRow {
    /// The name of their kind.
    pub name: String,
    /// The number of pictures.
    pub n: usize,
    /// Share that is called unfamiliar, in `[0, 1]`.
    pub unfamiliar: f64,
    /// The separation from the known pictures by each score.
    pub scores: BTreeMap<StrangerScore, Separation>,
}

/// Kinds of strange pictures beside known ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeparationTable {
    /// The number of known pictures.
    pub n_known: usize,
    /// Share of them that is called unfamiliar, in `[0, 1]`.
    pub known_unfamiliar: f64,
    /// Each kind of strange pictures.
    pub rows: Vec<SeparationRow>,
}

impl SeparationTable {
    /// Compares each of `groups` with the `known` pictures; a picture is unfamiliar below the percentile
    /// `unfamiliar_below`.
    ///
    /// # Errors
    ///
    /// A group without a picture, or no known one.
    pub fn new(
        scores: &StrangerScores,
        known: &[Observation],
        groups: &[(String, Vec<Observation>)],
        unfamiliar_below: f32,
    ) -> Result<Self, Error> {
        let all = |score: StrangerScore, seen: &[Observation]| -> Vec<f32> {
            seen.iter().map(|seen| scores.of(score, seen)).collect()
        };
        let unfamiliar = |seen: &[Observation]| {
            let is_strange =
                |seen: &&Observation| scores.familiarity().percentile(seen) < unfamiliar_below;
            seen.iter().filter(is_strange).count() as f64 / seen.len() as f64
        };
        let of_known: Vec<_> = StrangerScore::ALL.map(|score| (score, all(score, known))).into();
        let row = |(name, seen): &(String, Vec<Observation>)| -> Result<SeparationRow, Error> {
            let separation = |(score, known): &(StrangerScore, Vec<f32>)| {
                Ok((*score, Separation::new(known, &all(*score, seen))?))
            };
            Ok(SeparationRow {
                name: name.clone(),
                n: seen.len(),
                scores: of_known.iter().map(separation).collect::<Result<_, Error>>()?,
                unfamiliar: unfamiliar(seen),
            })
        };
        Ok(Self {
            rows: groups.iter().map(row).collect::<Result<_, _>>()?,
            n_known: known.len(),
            known_unfamiliar: unfamiliar(known),
        })
    }
}

/// AUROC and the share accepted at 95 % of the known pictures, by score.
impl fmt::Display for SeparationTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>6}  {:>10}", "N", "UNFAMILIAR")?;
        for score in StrangerScore::ALL {
            write!(f, "  {:>14}", score.as_str())?;
        }
        let known = 100.0 * self.known_unfamiliar;
        writeln!(f, "\n{:>6}  {known:>8.1} %{:98}known", self.n_known, "")?;
        for row in &self.rows {
            write!(f, "{:>6}  {:>8.1} %", row.n, 100.0 * row.unfamiliar)?;
            for score in StrangerScore::ALL {
                let found = row.scores.get(&score).map_or_else(
                    || "-".to_owned(),
                    |of| format!("{:.4} {:5.1} %", of.auroc, 100.0 * of.fpr_at_95_tpr),
                );
                write!(f, "  {found:>14}")?;
            }
            writeln!(f, "  {}", row.name)?;
        }
        writeln!(
            f,
            "\nOf each score: AUROC, and the share taken for known where 95 % of the known are."
        )
    }
}

#[cfg(test)]
mod tests {
    use cifake::{Familiarity, InputFit, Label, Observed, Sample};

    use super::*;

    /// Features of three values and pixel statistics around zero, whose spread is `scale`.
    fn observed(n: usize, scale: f32, input: InputFit) -> Observed {
        let wave = |i: usize, k: usize| scale * ((i * (2 * k + 3)) as f32 * 0.7 + k as f32).sin();
        let one = |i: usize| {
            let label = Label::ALL[i % 2];
            let shift = 5.0 * (i % 2) as f32;
            let seen = Observation {
                logits: [0.0, shift],
                features: (0..3).map(|k| wave(i, k) + shift).collect(),
                statistics: std::array::from_fn(|k| wave(i, k + 3)),
                input,
                width: 8,
                height: 8,
            };
            (Sample::new(i.to_string(), label), seen)
        };
        (0..n).map(one).collect()
    }

    fn fitted() -> Familiarity {
        let native = observed(400, 1.0, InputFit::Native);
        Familiarity::fit(&native, &observed(303, 1.0, InputFit::Native), 1e-3).expect("they vary")
    }

    #[test]
    fn a_table_tells_strange_pictures_from_known_ones_by_each_score() {
        let familiarity = fitted();
        let training = observed(400, 1.0, InputFit::Native);
        let scores = StrangerScores::new(familiarity, &training, 1e-3).expect("they vary");
        let seen = |n, scale| -> Vec<Observation> {
            observed(n, scale, InputFit::Native).into_iter().map(|(_, seen)| seen).collect()
        };
        let known = seen(150, 1.0);
        let groups = [("wide".to_owned(), seen(60, 9.0)), ("same".to_owned(), seen(60, 1.0))];
        let table = SeparationTable::new(&scores, &known, &groups, 2.5).expect("of both kinds");
        let [wide, same] = table.rows.as_slice() else { panic!("two rows") };
        assert!(table.known_unfamiliar < 0.06 && wide.unfamiliar > 0.9, "{table}");
        for score in [StrangerScore::Mahalanobis, StrangerScore::Pixels, StrangerScore::Distance] {
            assert!(wide.scores[&score].auroc > 0.9, "{score:?}: {table}");
            // The waves are no random draw: 60 of them differ a little from 150.
            assert!((same.scores[&score].auroc - 0.5).abs() < 0.2, "{score:?}: {table}");
        }
        // Class scores know nothing of features that are far away.
        assert!((wide.scores[&StrangerScore::Energy].auroc - 0.5).abs() < 0.1, "{table}");
        let shown = table.to_string();
        assert_eq!(shown.lines().count(), 6, "{shown}");
        let nothing = [("nothing".to_owned(), vec![])];
        assert!(SeparationTable::new(&scores, &known, &nothing, 2.5).is_err());
    }
}
