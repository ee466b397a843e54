//! Labelled pictures in a fixed order, and what is known of each.

use std::borrow::Cow;
use std::path::Path;

use super::{Class, Split};
use crate::{Error, Label};

/// The facts about a picture that need no decoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Its name within the data set, with `/` between folders: `test/FAKE/0 (10).jpg`.
    pub id: String,
    /// The picture's label.
    pub label: Label,
    /// The object that it shows, where its file name follows CIFAKE's rule.
    pub class: Option<Class>,
    /// The split that it belongs to, where the data set says so.
    pub split: Option<Split>,
    /// The sample of another data set that it was made from, where the data set says so.
    pub source: Option<String>,
    /// The model that generated it, where the data set says so.
    pub generator: Option<String>,
    /// The picture's origin before the data set, where the data set states it.
    pub origin: Option<Origin>,
}

impl Sample {
    /// A sample of which no more is known than its name and its label.
    #[must_use]
    pub fn new(id: impl Into<String>, label: Label) -> Self {
        let id = id.into();
        Self { id, label, class: None, split: None, source: None, generator: None, origin: None }
    }
}

/// The origin of a collected picture, and its form before it was brought into the collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The repository or site that published it.
    pub publisher: String,
    /// The licence under which it was published, in words.
    pub licence: String,
    /// Its width when it was published, in pixels.
    pub width: u32,
    /// Its height when it was published, in pixels.
    pub height: u32,
    /// The file format in which it was published, such as `PNG`.
    pub format: String,
}

/// Labelled pictures in a fixed order.
pub trait Dataset: Send + Sync {
    /// The facts about every picture; the order is the same each time the data set is opened.
    fn samples(&self) -> &[Sample];

    /// The encoded picture `index`; errors name it.
    ///
    /// # Panics
    /// If there is no sample `index`.
    fn bytes(&self, index: usize) -> Result<Cow<'_, [u8]>, Error>;

    /// The number of pictures.
    fn len(&self) -> usize {
        self.samples().len()
    }

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.samples().is_empty()
    }
}

/// Refuses a data set without samples.
pub(super) fn require_samples(
    path: &Path,
    split: Option<Split>,
    samples: &[Sample],
) -> Result<(), Error> {
    match split {
        _ if !samples.is_empty() => Ok(()),
        Some(split) => Err(Error::EmptySplit { path: path.to_owned(), split }),
        None => Err(Error::NoImages { path: path.to_owned() }),
    }
}
