//! The names that data sets give to their labels and splits.

use super::error::DatasetError;
#[cfg(any(feature = "zip", test))]
use super::split::Split;
use crate::{Error, Label};

/// Names of REAL in published data sets: those of CIFAKE, CNNDetection and GenImage.
const REAL: [&str; 3] = ["real", "0_real", "nature"];
/// Names of FAKE in published data sets.
const FAKE: [&str; 6] = ["fake", "1_fake", "ai", "ai_generated", "generated", "synthetic"];

/// The names by which a data set calls REAL and FAKE; they count in any case.
///
/// By default, the names of published data sets are known: `real`, `0_real` and `nature`; `fake`,
/// `1_fake`, `ai`, `ai_generated`, `generated` and `synthetic`.
///
/// ```
/// use cifake::{Label, LabelNames};
///
/// assert_eq!(LabelNames::default().label("Nature"), Some(Label::Real));
/// let names = LabelNames::new(vec!["photos".into()], vec!["renders".into()])?;
/// assert_eq!(names.label("renders"), Some(Label::Fake));
/// assert_eq!(names.label("fake"), None);
/// # Ok::<(), cifake::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LabelNames {
    /// By index of the label; an empty list stands for the known names.
    given: [Vec<String>; 2],
}

impl LabelNames {
    /// The given names, which replace the known names of their label. An empty list keeps them.
    ///
    /// # Errors
    ///
    /// [`DatasetError::LabelName`] for a name that both labels have.
    pub fn new(real: Vec<String>, fake: Vec<String>) -> Result<Self, Error> {
        let twice = real.iter().find(|name| fake.iter().any(|other| same(name, other)));
        match twice {
            Some(name) => Err(DatasetError::LabelName { name: name.clone() }.into()),
            None => Ok(Self { given: [real, fake] }),
        }
    }

    /// The label called `name`. A given name comes before a known one.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<Label> {
        let is_given = |label: &Label| self.given[label.index()].iter().any(|n| same(n, name));
        let is_known = |label: &Label| {
            let known: &[&str] = if *label == Label::Real { &REAL } else { &FAKE };
            self.given[label.index()].is_empty() && known.iter().any(|n| same(n, name))
        };
        let find = |is: &dyn Fn(&Label) -> bool| Label::ALL.into_iter().find(|label| is(label));
        find(&is_given).or_else(|| find(&is_known))
    }
}

fn same(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}

/// Label and split of an archive member, by the folders in its name.
#[cfg(feature = "zip")]
pub(super) fn labels_of(id: &str, names: &LabelNames) -> (Option<Label>, Option<Split>) {
    let folders = || id.rsplit('/').skip(1);
    let label = folders().find_map(|folder| names.label(folder));
    (label, folders().find_map(Split::from_name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(real: &[&str], fake: &[&str]) -> Result<LabelNames, Error> {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        LabelNames::new(owned(real), owned(fake))
    }

    #[test]
    fn published_data_sets_are_known_by_their_names() {
        let known = LabelNames::default();
        for (name, label) in
            [("REAL", Label::Real), ("0_real", Label::Real), ("nature", Label::Real)]
        {
            assert_eq!(known.label(name), Some(label));
        }
        for name in ["Fake", "1_FAKE", "AI", "generated"] {
            assert_eq!(known.label(name), Some(Label::Fake), "{name}");
        }
        assert_eq!(known.label("cats"), None);
        assert_eq!(Split::from_name("Val"), Some(Split::Validation));
        assert_eq!(Split::from_name("images"), None);
    }

    #[test]
    fn given_names_replace_those_of_their_label_alone() {
        let half = names(&[], &["Übung"]).expect("no name is there twice");
        assert_eq!(half.label("nature"), Some(Label::Real));
        assert_eq!(half.label("üBUNG"), Some(Label::Fake));
        assert_eq!(half.label("fake"), None);
        let turned = names(&["ai"], &[]).expect("no name is there twice");
        assert_eq!(turned.label("AI"), Some(Label::Real));
        assert!(matches!(
            names(&["a"], &["b", "A"]),
            Err(Error::Dataset(DatasetError::LabelName { .. }))
        ));
    }
}
