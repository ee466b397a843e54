//! Parts of a data set, as programs name them.

use std::path::Path;

use anyhow::{Result, ensure};
use cifake::{Dataset, Decoder, Split, SplitDataset, error_chain};
use clap::ValueEnum;

use crate::args::DataArgs;
use crate::draw::balanced;
use crate::holdout::Holdout;
use crate::unread::tell_unread;

/// The pictures of a data set that are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// The pictures that the weights were trained on.
    #[value(alias = "training")]
    Train,
    /// The validation split of a run, or the training pictures that it held back: they choose.
    #[value(aliases = ["val", "valid"])]
    Validation,
    /// The pictures that are reported on.
    #[value(alias = "testing")]
    Test,
}

/// A data set and the indices of a part of it.
pub struct Pictures {
    /// The data set.
    pub dataset: Box<dyn Dataset>,
    /// Of the part, in ascending order.
    pub indices: Vec<usize>,
}

impl Part {
    /// `train`, `validation` or `test`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }

    /// This part of the data set at `path`, which `data` names, as `weights` split it.
    ///
    /// # Errors
    ///
    /// If there is no data set; as [`of_listed`](Self::of_listed).
    pub fn of(
        self,
        data: &DataArgs,
        path: &Path,
        weights: &Path,
        decoder: &Decoder,
    ) -> Result<Pictures> {
        self.of_listed(&data.listed(path)?, weights, decoder)
    }

    /// This part of the data set `whole`, as `weights` split it.
    ///
    /// # Errors
    ///
    /// If the part is empty, or a picture of the training part cannot be read; as [`Holdout::of`] and
    /// [`Holdout::parts`] for the training and the validation part.
    pub fn of_listed(
        self,
        whole: &SplitDataset,
        weights: &Path,
        decoder: &Decoder,
    ) -> Result<Pictures> {
        if self == Self::Test {
            return Ok(Pictures::all(Box::new(whole.part(Split::Test)?)));
        }
        let held_back = Holdout::of(weights)?;
        let (dataset, parts) = held_back.parts(Box::new(whole.training()?), decoder)?;
        let indices = if self == Self::Validation { parts.validation } else { parts.train };
        Ok(Pictures { dataset, indices })
    }
}

impl Pictures {
    /// All pictures of `dataset`.
    #[must_use]
    pub fn all(dataset: Box<dyn Dataset>) -> Self {
        Self { indices: (0..dataset.len()).collect(), dataset }
    }

    /// Indices of `limit` of the pictures, half of them REAL, drawn by `seed`.
    #[must_use]
    pub fn balanced(&self, limit: usize, seed: u64) -> Vec<usize> {
        balanced(&*self.dataset, self.indices.iter().copied(), limit, seed)
    }

    /// As [`balanced`](Self::balanced), without the pictures that `decoder` cannot read: those are told on
    /// standard error.
    ///
    /// # Errors
    ///
    /// If not one can be read.
    pub fn readable(&self, limit: usize, seed: u64, decoder: &Decoder) -> Result<Vec<usize>> {
        let drawn = self.balanced(limit, seed);
        let (read, failed) = cifake::readable(&*self.dataset, &drawn, decoder);
        tell_unread(failed.iter().map(|error| error_chain(error)));
        ensure!(drawn.is_empty() || !read.is_empty(), "not one of the pictures can be read");
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashSet};

    use cifake::Label;
    use cifake_training::TrainedOn;

    use super::*;
    use crate::args::mini;
    use crate::holdout::tests::{record_of_mini, weight_file};

    fn part_of_mini(part: Part, weights: &Path) -> Result<Pictures> {
        part.of(&DataArgs::at(&mini()), &mini(), weights, &Decoder::default())
    }

    #[test]
    fn parts_have_the_names_that_folders_have() {
        for (name, part) in [("val", Part::Validation), ("valid", Part::Validation)] {
            assert_eq!(Part::from_str(name, false), Ok(part));
        }
        assert!(Part::from_str("rest", false).is_err());
    }

    #[test]
    fn weights_from_elsewhere_are_judged_on_test_pictures_alone() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let elsewhere = weight_file(folder.path().join("own.safetensors"), &BTreeMap::new());
        let notes = [(TrainedOn::KEY.to_owned(), record_of_mini(0.25).to_json())].into();
        let recorded = weight_file(folder.path().join("recorded.safetensors"), &notes);
        for part in [Part::Train, Part::Validation, Part::Test] {
            assert!(part_of_mini(part, Path::new("native")).is_ok());
            assert!(part_of_mini(part, &recorded).is_ok());
            assert_eq!(part_of_mini(part, &elsewhere).is_ok(), part == Part::Test);
        }
    }

    #[test]
    fn the_parts_of_a_training_set_share_no_picture() {
        let parts = [Part::Train, Part::Validation, Part::Test];
        let [train, validation, test] =
            parts.map(|part| part_of_mini(part, Path::new("native")).expect("mini"));
        let bytes = |part: &Pictures| -> HashSet<Vec<u8>> {
            let of = |&index: &usize| part.dataset.bytes(index).expect("it is there").into_owned();
            part.indices.iter().map(of).collect()
        };
        assert!(bytes(&train).is_disjoint(&bytes(&validation)));
        assert!(train.indices.len() + validation.indices.len() <= train.dataset.len());
        let drawn = test.balanced(4, 0);
        let n_real = drawn.iter().filter(|&&i| test.dataset.samples()[i].label == Label::Real);
        assert_eq!((drawn.len(), n_real.count()), (4, 2));
    }

    #[test]
    fn a_drawn_picture_that_cannot_be_read_is_left_out() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("it has one")).expect("it is writable");
            std::fs::write(path, bytes).expect("it is writable");
        };
        let read = || {
            let data = DataArgs::at(folder.path());
            let part =
                Part::Test.of(&data, folder.path(), Path::new("native"), &Decoder::default());
            part.expect("two labels").readable(4, 0, &Decoder::default())
        };
        write("REAL/broken.png", b"no picture");
        write("FAKE/broken.png", b"no picture");
        assert!(read().is_err());
        write("FAKE/good.png", &cifake::Drawing::Noise.picture(32, 1, 1).to_png());
        assert_eq!(read().expect("one can be read").len(), 1);
    }
}
