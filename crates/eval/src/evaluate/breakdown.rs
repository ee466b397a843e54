//! Answers on a collection of pictures, generator by generator and source by source.

use std::collections::BTreeMap;
use std::fmt;

use cifake::text::one_line;
use cifake::{Answer, Error, Label, Sample};
use serde::{Deserialize, Serialize};

use crate::metrics::auc;

/// A picture's probability of FAKE and its answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Answered<'a> {
    /// The facts about the picture.
    pub sample: &'a Sample,
    /// Probability that it is FAKE, in `[0, 1]`.
    pub p_fake: f32,
    /// The answer.
    pub answer: Answer,
}

/// One group of pictures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupRow {
    /// The generator or the publisher.
    pub name: String,
    /// The label of the pictures.
    pub label: Label,
    /// The number of pictures.
    pub n: usize,
    /// Share answered FAKE, in `[0, 1]`.
    pub fake: f64,
    /// Share answered UNSURE, in `[0, 1]`.
    pub unsure: f64,
    /// Share answered REAL, in `[0, 1]`.
    pub real: f64,
    /// Mean probability of FAKE.
    pub mean_p_fake: f64,
    /// Of generated pictures: how often one of them has a higher probability than one of all
    /// photographs; `None` for photographs, or where there are none.
    pub auc: Option<f64>,
}

/// The answers on all pictures, by label, by generator and by publisher.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Breakdown {
    /// All photographs and all generated pictures, as far as there are any.
    pub labels: Vec<GroupRow>,
    /// Each generator, by name.
    pub generators: Vec<GroupRow>,
    /// Each publisher's photographs and generated pictures, by name.
    pub publishers: Vec<GroupRow>,
}

impl Breakdown {
    /// Counts `answers`; pictures whose sample names no generator or publisher are in the first table
    /// alone.
    ///
    /// # Errors
    ///
    /// [`Error::ScoreNotFinite`] of the first picture without a number for a probability, counted among
    /// those of its group.
    pub fn new(answers: &[Answered<'_>]) -> Result<Self, Error> {
        let photographs: Vec<f32> = answers
            .iter()
            .filter(|answered| answered.sample.label == Label::Real)
            .map(|answered| answered.p_fake)
            .collect();
        let rows = |name: &dyn Fn(&Sample) -> Option<String>| -> Result<Vec<GroupRow>, Error> {
            let mut groups: BTreeMap<(String, Label), Vec<&Answered<'_>>> = BTreeMap::new();
            for answered in answers {
                if let Some(name) = name(answered.sample) {
                    groups.entry((name, answered.sample.label)).or_default().push(answered);
                }
            }
            groups.into_iter().map(|(key, members)| row(key, &members, &photographs)).collect()
        };
        let label = |sample: &Sample| Some(sample.label.as_str().to_owned());
        let publisher = |sample: &Sample| Some(sample.origin.as_ref()?.publisher.clone());
        Ok(Self {
            labels: rows(&label)?,
            generators: rows(&|sample| sample.generator.clone())?,
            publishers: rows(&publisher)?,
        })
    }
}

fn row(
    (name, label): (String, Label),
    members: &[&Answered<'_>],
    photographs: &[f32],
) -> Result<GroupRow, Error> {
    let n = members.len();
    let share = |answer: Answer| {
        members.iter().filter(|member| member.answer == answer).count() as f64 / n as f64
    };
    let scores: Vec<f32> = members.iter().map(|member| member.p_fake).collect();
    if let Some(index) = scores.iter().position(|score| !score.is_finite()) {
        return Err(Error::ScoreNotFinite { index, score: scores[index] });
    }
    let auc = match label {
        Label::Fake if !photographs.is_empty() => {
            let labels = [vec![Label::Fake; n], vec![Label::Real; photographs.len()]].concat();
            Some(auc(&[&scores, photographs].concat(), &labels)?)
        }
        _ => None,
    };
    Ok(GroupRow {
        name,
        label,
        n,
        fake: share(Answer::Fake),
        unsure: share(Answer::Unsure),
        real: share(Answer::Real),
        mean_p_fake: scores.iter().map(|&p| f64::from(p)).sum::<f64>() / n as f64,
        auc,
    })
}

impl fmt::Display for Breakdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tables = [
            ("LABEL", &self.labels),
            ("GENERATOR", &self.generators),
            ("SOURCE", &self.publishers),
        ];
        for (place, (title, rows)) in
            tables.into_iter().filter(|(_, rows)| !rows.is_empty()).enumerate()
        {
            if place > 0 {
                writeln!(f)?;
            }
            writeln!(f, "     n    FAKE  UNSURE    REAL  MEAN P     AUC  {title}")?;
            for row in rows {
                let [fake, unsure, real] = [row.fake, row.unsure, row.real].map(percent);
                let auc = row.auc.map_or_else(|| "-".to_owned(), |auc| format!("{auc:.4}"));
                let (n, p) = (row.n, row.mean_p_fake);
                // Names come from a table that nobody vouches for.
                let name = one_line(&row.name);
                let of =
                    if title == "SOURCE" { format!(" ({})", row.label) } else { String::new() };
                writeln!(f, "{n:>6} {fake} {unsure} {real}  {p:>6.4} {auc:>7}  {name}{of}")?;
            }
        }
        if self.labels.is_empty() {
            return Ok(());
        }
        writeln!(f, "\nMEAN P: the mean probability of FAKE")
    }
}

fn percent(share: f64) -> String {
    format!("{:>5.1} %", 100.0 * share)
}

#[cfg(test)]
mod tests {
    use cifake::Origin;

    use super::*;

    fn sample(label: Label, generator: Option<&str>, publisher: &str) -> Sample {
        let origin = Origin {
            publisher: publisher.to_owned(),
            licence: String::new(),
            width: 9,
            height: 9,
            format: String::new(),
        };
        let generator = generator.map(str::to_owned);
        Sample { generator, origin: Some(origin), ..Sample::new("x", label) }
    }

    #[test]
    fn every_group_is_counted_by_hand() {
        let samples = [
            sample(Label::Fake, Some("A"), "one"),
            sample(Label::Fake, Some("A"), "two"),
            sample(Label::Fake, Some("B"), "two"),
            sample(Label::Real, None, "two"),
            sample(Label::Real, None, "two\u{1b}[31m\u{202e}"),
        ];
        let answers = [
            (0.9, Answer::Fake),
            (0.5, Answer::Unsure),
            (0.1, Answer::Real),
            (0.4, Answer::Unsure),
            (0.6, Answer::Real),
        ];
        let answers: Vec<Answered<'_>> = samples
            .iter()
            .zip(answers)
            .map(|(sample, (p_fake, answer))| Answered { sample, p_fake, answer })
            .collect();
        let found = Breakdown::new(&answers).expect("all are numbers");
        let [a, b] = found.generators.as_slice() else { panic!("two generators") };
        assert_eq!((a.name.as_str(), a.n, a.fake, a.unsure, a.real), ("A", 2, 0.5, 0.5, 0.0));
        // 0.9 stands above both photographs, 0.5 above one.
        assert_eq!((a.auc, b.auc), (Some(0.75), Some(0.0)));
        assert!((a.mean_p_fake - 0.7).abs() < 1e-6);
        let names: Vec<_> =
            found.publishers.iter().map(|row| (&row.name[..3], row.label)).collect();
        let (real, fake) = (Label::Real, Label::Fake);
        assert_eq!(names, [("one", fake), ("two", real), ("two", fake), ("two", real)]);
        assert_eq!(found.labels.iter().map(|row| row.n).collect::<Vec<_>>(), [3, 2]);
        assert_eq!(found.labels[1].auc, None);
        let table = found.to_string();
        assert!(table.contains("GENERATOR") && !table.contains(['\u{1b}', '\u{202e}']), "{table}");
        assert!(table.ends_with("MEAN P: the mean probability of FAKE\n"), "{table}");
        let broken = [Answered { p_fake: f32::NAN, ..answers[0] }];
        assert!(matches!(Breakdown::new(&broken), Err(Error::ScoreNotFinite { .. })));
    }
}
