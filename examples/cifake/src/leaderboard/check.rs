//! The conditions that a row must meet before anything is made of it: its file may be from
//! anywhere.

use std::fmt;
use std::path::{Path, PathBuf};

use cifake::Label::{Fake, Real};
use cifake::text::{one_line, path_text};
use cifake_eval::metrics::{McNemar, Measures, Metric};
use cifake_eval::{GroupRow, Latency};

use super::name::{MAX_NAME, file_name};
use super::row::{Adaptive, Built, Part, Row, Share, VERSION};

/// Longest text, in bytes: a command line has at most about as many.
const MAX_TEXT: usize = 1 << 20;
/// Most entries of a list.
const MAX_ENTRIES: usize = 1000;
/// Most pictures that a row counts.
const MAX_PICTURES: usize = 100_000_000;
/// The largest difference of shares and counts that say the same.
const ROUNDING: f64 = 1e-9;
/// How far a sum of many logarithms may differ between machines.
const ROUNDING_OF_P: f64 = 1e-6;

/// A file of a row that holds none.
#[derive(Debug)]
pub(crate) struct RowError {
    file: PathBuf,
    fault: Fault,
}

/// The fault of a row. A field is named as in its file.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Fault {
    /// The name is empty or too long, or gives no file name.
    Name,
    /// The row is one of other measures.
    Version { version: u32 },
    /// The row stands in a file that is not called after it.
    FileName { expected: String },
    /// A text is too long.
    Text { field: String },
    /// A text is no SHA-256.
    Digest { field: String },
    /// A text is none of train, validation and test.
    Split,
    /// A number is not finite, negative where it must not be, or outside of 0 to 1.
    Number { field: String, value: f64 },
    /// Numbers are not in ascending order.
    Order { field: String },
    /// A count is larger than what it is a part of.
    Count { field: String, count: usize, total: usize },
    /// Two numbers that say the same differ.
    Disagree { field: String },
    /// A list has too many entries.
    Entries { field: String, n: usize },
}

impl RowError {
    pub(super) fn new(file: &Path, fault: Fault) -> Self {
        Self { file: file.to_owned(), fault }
    }
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (file, fault) = (path_text(&self.file), &self.fault);
        if matches!(fault, Fault::Version { .. }) {
            return write!(f, "{file} cannot stand beside rows of this program: {fault}");
        }
        write!(f, "{file} is no row of a leaderboard; move it out of the folder: {fault}")
    }
}

impl std::error::Error for RowError {}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => {
                write!(f, "name has 1 to {MAX_NAME} characters, and not dots alone")
            }
            Self::Version { version } => write!(
                f,
                "its measures are of version {version}, those of this program of version {VERSION}; \
                 --again leaves it out, and makes it again where --detectors names it"
            ),
            Self::FileName { expected } => {
                write!(f, "the row of this name stands in {}", one_line(expected))
            }
            Self::Text { field } => write!(f, "{field} has more than {MAX_TEXT} bytes"),
            Self::Digest { field } => write!(f, "{field} is no SHA-256"),
            Self::Split => f.write_str("split is none of train, validation and test"),
            Self::Number { field, value } => write!(f, "{field} cannot be {value}"),
            Self::Order { field } => write!(f, "{field} has its numbers in the wrong order"),
            Self::Count { field, count, total } => write!(f, "{field} is {count} of {total}"),
            Self::Disagree { field } => write!(f, "{field} differs from what its counts say"),
            Self::Entries { field, n } => {
                write!(f, "{field} has {n} entries, and at most {MAX_ENTRIES} are read")
            }
        }
    }
}

/// Refuses the row in `file` if its measures are of another version.
pub(super) fn check_version(file: &Path, version: u32) -> Result<(), RowError> {
    match version == VERSION {
        true => Ok(()),
        false => Err(RowError::new(file, Fault::Version { version })),
    }
}

impl Row {
    /// Checks the row of `file`.
    ///
    /// # Errors
    ///
    /// The first fault.
    pub(super) fn check(&self, file: &Path) -> Result<(), RowError> {
        check_version(file, self.made_of.version)?;
        let fault = |fault| RowError::new(file, fault);
        let expected = file_name(&self.name).ok_or_else(|| fault(Fault::Name))?;
        if file.file_name() != Some(expected.as_ref()) {
            return Err(fault(Fault::FileName { expected }));
        }
        self.check_content().map_err(fault)
    }

    fn check_content(&self) -> Result<(), Fault> {
        let Self { made_of, measures, cost, .. } = self;
        text("architecture", &self.architecture)?;
        text("dataset", &self.dataset)?;
        text("cpu", cost.cpu.as_deref().unwrap_or_default())?;
        text("command", &self.source.command)?;
        text("commit", self.source.commit.as_deref().unwrap_or_default())?;
        if !["train", "validation", "test"].contains(&made_of.split.as_str()) {
            return Err(Fault::Split);
        }
        digest("weights_sha256", &made_of.weights_sha256)?;
        digest("pictures_sha256", &made_of.pictures_sha256)?;
        digest("default_sha256", &made_of.default_sha256)?;
        within("measures.n", measures.n, MAX_PICTURES)?;
        within("n_failed", self.n_failed, MAX_PICTURES)?;
        check_measures("measures", measures)?;
        let n_seen = measures.n.saturating_add(self.n_failed);
        if let Some(limit) = made_of.limit {
            within("n", n_seen, limit)?;
        }
        if let Some(without) = &self.without_copies {
            check_measures("without_copies", without)?;
            within("without_copies.n", without.n, measures.n)?;
        }
        if let Some(at) = &self.at_validation_threshold {
            within("at_validation_threshold.n", at.n, MAX_PICTURES)?;
            number("at_validation_threshold.threshold", at.threshold, f64::NEG_INFINITY)?;
            share("at_validation_threshold.accuracy", at.accuracy)?;
        }
        if let Some(test) = self.mcnemar {
            check_mcnemar(test, measures.n)?;
        }
        latency("cost.one", &cost.one)?;
        latency("cost.many", &cost.many)?;
        self.check_parts()
    }

    fn check_parts(&self) -> Result<(), Fault> {
        part("static", self.built.as_ref(), check_built)?;
        part("adaptive", self.adaptive.as_ref(), |found| check_adaptive(found, self.measures.n))?;
        part("degradations", self.degradations.as_ref(), |found| shares("degradations", found))?;
        part("generators", self.generators.as_ref(), |found| check_generators(found))
    }
}

/// Counts of at most `n` pictures, and the probability that follows from them.
fn check_mcnemar(test: McNemar, n: usize) -> Result<(), Fault> {
    let McNemar { only_first, only_second, p } = test;
    within("mcnemar", only_first.saturating_add(only_second), n)?;
    unit("mcnemar.p", p)?;
    let first = std::iter::repeat_n([true, false], only_first);
    let second = std::iter::repeat_n([false, true], only_second);
    let expected = McNemar::new(first.chain(second)).p;
    match (p - expected).abs() <= ROUNDING_OF_P {
        true => Ok(()),
        false => Err(Fault::Disagree { field: "mcnemar.p".to_owned() }),
    }
}

fn part<T>(
    name: &str,
    part: Option<&Part<T>>,
    check: impl FnOnce(&T) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let Some(part) = part else { return Ok(()) };
    text(&format!("{name}.key"), &part.key)?;
    text(&format!("{name}.command"), &part.source.command)?;
    text(&format!("{name}.commit"), part.source.commit.as_deref().unwrap_or_default())?;
    within(&format!("{name}.n_failed"), part.n_failed, MAX_PICTURES)?;
    check(&part.found)
}

fn check_built(found: &Built) -> Result<(), Fault> {
    text("static.set", &found.set)?;
    text("static.surrogate", &found.surrogate)?;
    share("static.accuracy", found.accuracy)?;
    number("static.drop", found.drop, -1.0)?;
    shares("static.rows", &found.rows)
}

fn check_adaptive(found: &Adaptive, n: usize) -> Result<(), Fault> {
    share("adaptive.clean", found.clean)?;
    shares("adaptive.rows", &found.rows)?;
    entries("adaptive.warnings", found.warnings.len())?;
    found.rows.iter().try_for_each(|row| within("adaptive.rows.n", row.n, n))?;
    found.worst_label.map_or(Ok(()), |metric| share("adaptive.worst_label", metric))
}

fn check_generators(found: &[GroupRow]) -> Result<(), Fault> {
    entries("generators", found.len())?;
    for row in found {
        text("generators.name", &row.name)?;
        within("generators.n", row.n, MAX_PICTURES)?;
        unit("generators.mean_p_fake", row.mean_p_fake)?;
        unit("generators.auc", row.auc.unwrap_or_default())?;
        let answers = [row.fake, row.unsure, row.real];
        answers.into_iter().try_for_each(|share| unit("generators", share))?;
        agree("generators", answers.iter().sum(), 1.0)?;
    }
    Ok(())
}

/// Shares, intervals and counts that fit together.
fn check_measures(field: &str, measures: &Measures) -> Result<(), Fault> {
    let m = measures;
    let metrics = [
        ("accuracy", Some(m.accuracy)),
        ("accuracy_real", m.accuracy_real),
        ("accuracy_fake", m.accuracy_fake),
        ("auc", m.auc),
        ("ap", m.ap),
        ("tpr_at_fpr_1", m.tpr_at_fpr_1),
        ("tpr_at_fpr_5", m.tpr_at_fpr_5),
        ("ece", m.ece),
        ("brier", m.brier),
    ];
    for (name, metric) in metrics {
        metric.map_or(Ok(()), |metric| share(&format!("{field}.{name}"), metric))?;
    }
    let c = m.confusion;
    let counts = [c.real_as_real, c.real_as_fake, c.fake_as_real, c.fake_as_fake];
    // Each at most n before they are added.
    counts.into_iter().try_for_each(|count| within(&format!("{field}.confusion"), count, m.n))?;
    let total = counts.into_iter().fold(0, usize::saturating_add);
    if total != m.n || m.n == 0 {
        return Err(Fault::Count { field: format!("{field}.n"), count: m.n, total });
    }
    let ratio = |right: usize, of: usize| right as f64 / of as f64;
    let is_right = c.n_right(Real) + c.n_right(Fake);
    agree(&format!("{field}.accuracy"), m.accuracy.value, ratio(is_right, m.n))?;
    for (label, accuracy) in [(Real, m.accuracy_real), (Fake, m.accuracy_fake)] {
        let Some(accuracy) = accuracy else { continue };
        let field = format!("{field}.accuracy_{}", label.as_str().to_lowercase());
        agree(&field, accuracy.value, ratio(c.n_right(label), c.n(label)))?;
    }
    Ok(())
}

fn shares(field: &str, found: &[Share]) -> Result<(), Fault> {
    entries(field, found.len())?;
    for row in found {
        text(&format!("{field}.name"), &row.name)?;
        within(&format!("{field}.n"), row.n, MAX_PICTURES)?;
        share(&format!("{field}.accuracy"), row.accuracy)?;
    }
    Ok(())
}

fn share(field: &str, metric: Metric) -> Result<(), Fault> {
    let Metric { value, low, high } = metric;
    [value, low, high].into_iter().try_for_each(|number| unit(field, number))?;
    ordered(field, &[low, high])
}

fn latency(field: &str, latency: &Latency) -> Result<(), Fault> {
    let Latency { batch, n_runs, median_ms, min_ms, max_ms } = *latency;
    number(field, min_ms, 0.0)?;
    number(field, max_ms, 0.0)?;
    ordered(field, &[min_ms, median_ms, max_ms])?;
    within(field, 1, batch.min(n_runs))
}

fn unit(field: &str, value: f64) -> Result<(), Fault> {
    match (0.0..=1.0).contains(&value) {
        true => Ok(()),
        false => Err(Fault::Number { field: field.to_owned(), value }),
    }
}

fn number(field: &str, value: f64, least: f64) -> Result<(), Fault> {
    match value.is_finite() && value >= least {
        true => Ok(()),
        false => Err(Fault::Number { field: field.to_owned(), value }),
    }
}

fn ordered(field: &str, numbers: &[f64]) -> Result<(), Fault> {
    match numbers.is_sorted() {
        true => Ok(()),
        false => Err(Fault::Order { field: field.to_owned() }),
    }
}

fn agree(field: &str, found: f64, expected: f64) -> Result<(), Fault> {
    match (found - expected).abs() <= ROUNDING {
        true => Ok(()),
        false => Err(Fault::Disagree { field: field.to_owned() }),
    }
}

fn within(field: &str, count: usize, total: usize) -> Result<(), Fault> {
    match count <= total {
        true => Ok(()),
        false => Err(Fault::Count { field: field.to_owned(), count, total }),
    }
}

fn entries(field: &str, n: usize) -> Result<(), Fault> {
    match n <= MAX_ENTRIES {
        true => Ok(()),
        false => Err(Fault::Entries { field: field.to_owned(), n }),
    }
}

fn text(field: &str, text: &str) -> Result<(), Fault> {
    match text.len() <= MAX_TEXT {
        true => Ok(()),
        false => Err(Fault::Text { field: field.to_owned() }),
    }
}

fn digest(field: &str, text: &str) -> Result<(), Fault> {
    match text.len() == 64 && text.chars().all(|c| c.is_ascii_hexdigit()) {
        true => Ok(()),
        false => Err(Fault::Digest { field: field.to_owned() }),
    }
}

#[cfg(test)]
mod tests;
