//! Parts of a data set, as programs name them.

use std::path::Path;

use anyhow::{Result, bail};
use cifake::{Dataset, Decoder, Split, open_dataset};
use cifake_training::{DataConfig, TrainingData};
use clap::ValueEnum;

use crate::draw::balanced;

/// What the recipes of the shipped weights hold back of the training pictures.
pub const HELD_BACK: f64 = 0.04;

/// Which pictures of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// What the shipped weights were trained on.
    Train,
    /// What was held back of the training pictures: what chooses.
    Validation,
    /// What is reported.
    Test,
}

/// Folders of this repository whose weights were trained on the part `train`.
const SHIPPED: [&str; 2] = ["crates/tinyvit/weights", "examples/lab/weights"];

/// A data set and the indices of a part of it.
pub struct Pictures {
    /// The data set.
    pub dataset: Box<dyn Dataset>,
    /// Of the part, in ascending order.
    pub indices: Vec<usize>,
}

impl Part {
    /// Refuses `train` and `validation` for `weights` of which nobody knows what they were trained on:
    /// their validation pictures would be other ones.
    ///
    /// # Errors
    ///
    /// If `weights` are none of this repository.
    pub fn require_known(self, weights: &Path) -> Result<()> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let is_named = ["clean", "robust", "static-robust"].iter().any(|name| weights == *name);
        let folder = weights.canonicalize().ok().and_then(|path| path.parent().map(Path::to_owned));
        let is_shipped = |shipped: &str| folder == root.join(shipped).canonicalize().ok();
        if self == Self::Test || is_named || SHIPPED.iter().any(|shipped| is_shipped(shipped)) {
            return Ok(());
        }
        bail!(
            "{} does not record its training pictures: pictures of this split may be among them; use --split test",
            weights.display()
        )
    }

    /// This part of the data set at `data`.
    ///
    /// # Errors
    ///
    /// If there is no data set, or a picture of the training part cannot be read.
    pub fn of(self, data: &Path) -> Result<Pictures> {
        if self == Self::Test {
            let dataset = open_dataset(data, Some(Split::Test))?;
            let indices = (0..dataset.len()).collect();
            return Ok(Pictures { dataset, indices });
        }
        let dataset = open_dataset(data, Some(Split::Train))?;
        let config = DataConfig { validation_fraction: HELD_BACK, ..DataConfig::default() };
        let parts = TrainingData::parts(&*dataset, &config, &Decoder::default())?;
        let indices = if self == Self::Validation { parts.validation } else { parts.train };
        Ok(Pictures { dataset, indices })
    }
}

impl Pictures {
    /// Indices of `limit` of the pictures, half of them REAL, drawn by `seed`.
    #[must_use]
    pub fn balanced(&self, limit: usize, seed: u64) -> Vec<usize> {
        balanced(&*self.dataset, self.indices.iter().copied(), limit, seed)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use cifake::Label;

    use super::*;
    use crate::args::mini;

    #[test]
    fn weights_from_elsewhere_are_judged_on_test_pictures_alone() {
        let shipped = mini().join("../../crates/tinyvit/weights/native.safetensors");
        let elsewhere = Path::new("runs/mine/best.safetensors");
        for part in [Part::Train, Part::Validation, Part::Test] {
            assert!(part.require_known(Path::new("clean")).is_ok());
            assert!(part.require_known(&shipped).is_ok());
            assert_eq!(part.require_known(elsewhere).is_ok(), part == Part::Test);
        }
    }

    #[test]
    fn the_parts_of_a_training_set_share_no_picture() {
        let mini = mini();
        let [train, validation, test] =
            [Part::Train, Part::Validation, Part::Test].map(|part| part.of(&mini).expect("mini"));
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
}
