//! Parts of a data set that was listed once.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Dataset, Sample, Split};
use crate::Error;

/// Some of the pictures of a data set, in an order of their own.
pub struct DatasetPart {
    inner: Arc<dyn Dataset>,
    indices: Vec<usize>,
    samples: Vec<Sample>,
}

impl DatasetPart {
    /// The pictures of `dataset` at `indices`.
    ///
    /// # Panics
    ///
    /// If an index is not in the data set.
    #[must_use]
    pub fn new(dataset: Arc<dyn Dataset>, indices: Vec<usize>) -> Self {
        let samples = indices.iter().map(|&index| dataset.samples()[index].clone()).collect();
        Self { inner: dataset, indices, samples }
    }
}

impl Dataset for DatasetPart {
    fn samples(&self) -> &[Sample] {
        &self.samples
    }

    fn bytes(&self, index: usize) -> Result<Cow<'_, [u8]>, Error> {
        self.inner.bytes(self.indices[index])
    }
}

/// A data set with all of its splits. Its parts share one listing, and pictures that are in memory.
///
/// A picture that names no split belongs to every split, as in the data sets that
/// [`open_dataset`](crate::open_dataset) opens for one.
pub struct SplitDataset {
    path: PathBuf,
    whole: Arc<dyn Dataset>,
}

impl SplitDataset {
    /// `whole` stands at `path` and holds the pictures of all splits.
    #[must_use]
    pub fn new(path: &Path, whole: Box<dyn Dataset>) -> Self {
        Self { path: path.to_owned(), whole: Arc::from(whole) }
    }

    /// The path of the data set.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a picture names a split.
    #[must_use]
    pub fn is_split(&self) -> bool {
        self.whole.samples().iter().any(|sample| sample.split.is_some())
    }

    /// Whether a picture names `split` as its own.
    #[must_use]
    pub fn has(&self, split: Split) -> bool {
        self.whole.samples().iter().any(|sample| sample.split == Some(split))
    }

    /// The pictures of `split`. A data set without splits is taken for whatever split is asked for.
    ///
    /// # Errors
    ///
    /// [`Error::EmptySplit`] where there is none.
    pub fn part(&self, split: Split) -> Result<DatasetPart, Error> {
        let indices = self.indices(split);
        if indices.is_empty() {
            return Err(Error::EmptySplit { path: self.path.clone(), split });
        }
        let mut part = DatasetPart::new(Arc::clone(&self.whole), indices);
        for sample in &mut part.samples {
            sample.split = Some(split);
        }
        Ok(part)
    }

    /// The pictures to train with: those of the training split, then those of the validation split
    /// where the data set has one. The latter alone name [`Split::Validation`].
    ///
    /// # Errors
    ///
    /// [`Error::EmptySplit`] where there is no training picture.
    pub fn training(&self) -> Result<DatasetPart, Error> {
        let mut part = self.part(Split::Train)?;
        let samples = self.whole.samples();
        let is_own = |index: &usize| samples[*index].split == Some(Split::Validation);
        let own =
            DatasetPart::new(Arc::clone(&self.whole), (0..samples.len()).filter(is_own).collect());
        part.indices.extend(own.indices);
        part.samples.extend(own.samples);
        Ok(part)
    }

    fn indices(&self, split: Split) -> Vec<usize> {
        let samples = self.whole.samples();
        let is_of = |index: &usize| samples[*index].split.is_none_or(|of| of == split);
        (0..samples.len()).filter(is_of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Label;

    /// Pictures with a split each; the bytes of a picture are its position.
    struct Listed(Vec<Sample>);

    impl Dataset for Listed {
        fn samples(&self) -> &[Sample] {
            &self.0
        }

        fn bytes(&self, index: usize) -> Result<Cow<'_, [u8]>, Error> {
            Ok(Cow::Owned(vec![index as u8]))
        }
    }

    fn listing(splits: &[Option<Split>]) -> SplitDataset {
        let sample = |(index, &split): (usize, &Option<Split>)| Sample {
            split,
            ..Sample::new(index.to_string(), Label::Fake)
        };
        let samples = splits.iter().enumerate().map(sample).collect();
        SplitDataset::new(Path::new("here"), Box::new(Listed(samples)))
    }

    fn content(part: &DatasetPart) -> Vec<(u8, Option<Split>)> {
        let bytes = |index| part.bytes(index).expect("in memory")[0];
        (0..part.len()).map(|index| (bytes(index), part.samples()[index].split)).collect()
    }

    #[test]
    fn a_part_has_the_pictures_of_its_split_and_those_of_none() {
        use Split::{Test, Train, Validation};
        let listed = listing(&[Some(Validation), Some(Train), Some(Test), None, Some(Train)]);
        assert!(listed.is_split() && Split::ALL.into_iter().all(|split| listed.has(split)));
        let part = |split| content(&listed.part(split).expect("there are some"));
        assert_eq!(part(Test), [(2, Some(Test)), (3, Some(Test))]);
        assert_eq!(part(Train), [1, 3, 4].map(|index| (index, Some(Train))));
        let training = content(&listed.training().expect("there are some"));
        assert_eq!(training[..3], part(Train)[..]);
        assert_eq!(training[3..], [(0, Some(Validation))]);
    }

    #[test]
    fn a_data_set_without_splits_is_each_of_them_and_holds_nothing_back() {
        let listed = listing(&[None; 3]);
        assert!(!listed.is_split() && !listed.has(Split::Validation));
        for split in Split::ALL {
            assert_eq!(content(&listed.part(split).expect("all")).len(), 3);
        }
        let training = content(&listed.training().expect("all"));
        assert_eq!(training, [0, 1, 2].map(|index| (index, Some(Split::Train))));
        let listed = listing(&[Some(Split::Validation)]);
        for outcome in [listed.part(Split::Test), listed.training()] {
            assert!(matches!(outcome.map(|_| ()), Err(Error::EmptySplit { .. })));
        }
    }
}
