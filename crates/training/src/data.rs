//! From a data set to what a run trains on and what it is validated on.

use std::collections::HashSet;

use cifake::{
    Dataset, Decoder, Label, Sample, ValidationSplit, balanced_sample, load_pixels,
    validation_split, weights,
};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::examples::Examples;
use crate::sized;

/// Largest side of a training picture.
const MAX_SIDE: u32 = 1024;

/// Which part of a training set is trained on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataConfig {
    /// Height and width that pictures are brought to.
    pub side: u32,
    /// Share of the training set that is held back to choose the epoch, threshold and temperature.
    pub validation_fraction: f64,
    /// Keeps the first picture of each group of identical ones.
    pub deduplicate: bool,
    /// Uses only this many pictures, both labels alike, where that is not 0.
    pub limit: usize,
    /// Seed of the split and of the limit; apart from the run's, so that runs of several seeds
    /// share their validation set.
    pub seed: u64,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self { side: 32, validation_fraction: 0.05, deduplicate: true, limit: 0, seed: 1 }
    }
}

impl DataConfig {
    /// Width and height.
    fn size(&self) -> (u32, u32) {
        (self.side, self.side)
    }

    /// Bytes of a picture.
    fn n_bytes(&self) -> usize {
        self.side as usize * self.side as usize * 3
    }

    fn validate(&self) -> Result<(), String> {
        if !(0.0..1.0).contains(&self.validation_fraction) {
            return Err("data: validation_fraction must be at least 0 and below 1".into());
        }
        if !(1..=MAX_SIDE).contains(&self.side) {
            return Err(format!("data: side must be 1 to {MAX_SIDE}"));
        }
        Ok(())
    }
}

/// A training and a validation set in memory.
#[derive(Debug)]
pub struct TrainingData {
    /// What is trained on.
    pub train: Examples,
    /// What chooses: never part of `train`, not even as a copy.
    pub validation: Examples,
    /// Pictures left out since another is identical.
    pub n_duplicates: usize,
    /// Pictures of additional sets that are trained on.
    pub n_extra: usize,
}

impl TrainingData {
    /// Decodes the pictures of `dataset` in the current thread pool, and those of `extra`, which are
    /// trained on too: attacked copies, or pictures of other generators.
    ///
    /// Of `extra`, what says that it was made from another picture is taken only where that one is
    /// trained on, and what has the pixels of a validation picture is not: either would give it away.
    /// Pictures of another size than the configured one keep theirs, see [`Examples::with_sized`].
    ///
    /// # Errors
    ///
    /// A picture that cannot be read, or too few of them to split; a configuration out of range; an
    /// additional set of which nothing can be used.
    pub fn load(
        dataset: &dyn Dataset,
        extra: &[Box<dyn Dataset>],
        config: &DataConfig,
        decoder: &Decoder,
    ) -> Result<Self, TrainError> {
        let parted = Parted::new(dataset, config, decoder)?;
        let mut train = parted.examples(&parted.train)?;
        let n_plain = train.len();
        let samples = dataset.samples();
        let trained: HashSet<&str> =
            parted.train.iter().map(|&i| samples[parted.indices[i]].id.as_str()).collect();
        let held_back: HashSet<&str> =
            parted.validation.iter().map(|&i| parted.hashes[i].as_str()).collect();
        let (mut others, mut other_labels) = (Vec::new(), Vec::new());
        for more in extra {
            let is_trained = |sample: &Sample| {
                sample.source.as_ref().is_none_or(|source| trained.contains(source.as_str()))
            };
            let chosen: Vec<usize> =
                (0..more.len()).filter(|&i| is_trained(&more.samples()[i])).collect();
            if chosen.is_empty() {
                let reason = "none of the pictures of an additional set was made from a picture \
                              that is trained on: its sources name another data set";
                return Err(TrainError::Config(reason.into()));
            }
            let pictures = sized::load(more.as_ref(), &chosen, config.side, decoder)?;
            for (index, picture) in chosen.into_iter().zip(pictures) {
                let seen = sized::whole(&picture, config.side as usize);
                if held_back.contains(weights::sha256_hex(&seen).as_str()) {
                    continue;
                }
                let label = more.samples()[index].label;
                if (picture.width(), picture.height()) == config.size() {
                    train.extend(seen, vec![label]);
                } else {
                    others.push(picture);
                    other_labels.push(label);
                }
            }
        }
        let train = train.with_sized(others, other_labels)?;
        Ok(Self {
            n_extra: train.len() - n_plain,
            train,
            validation: parted.examples(&parted.validation)?,
            n_duplicates: parted.n_duplicates,
        })
    }

    /// Indices of the pictures of `dataset` that [`load`](Self::load) trains on, and of those that it
    /// holds back; what it leaves out as a copy is in neither.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn parts(
        dataset: &dyn Dataset,
        config: &DataConfig,
        decoder: &Decoder,
    ) -> Result<ValidationSplit, TrainError> {
        let parted = Parted::new(dataset, config, decoder)?;
        let [train, validation] = [&parted.train, &parted.validation]
            .map(|part| part.iter().map(|&i| parted.indices[i]).collect());
        Ok(ValidationSplit { train, validation })
    }
}

/// The pictures of a data set, parted. What is not an index of the data set counts the pictures that
/// were read.
struct Parted {
    side: usize,
    /// Of the data set.
    indices: Vec<usize>,
    labels: Vec<Label>,
    pixels: Vec<u8>,
    /// SHA-256 of each picture's pixels.
    hashes: Vec<String>,
    n_duplicates: usize,
    train: Vec<usize>,
    validation: Vec<usize>,
}

impl Parted {
    fn new(
        dataset: &dyn Dataset,
        config: &DataConfig,
        decoder: &Decoder,
    ) -> Result<Self, TrainError> {
        config.validate().map_err(TrainError::Config)?;
        let samples = dataset.samples();
        let every_label: Vec<Label> = samples.iter().map(|sample| sample.label).collect();
        let indices: Vec<usize> = match config.limit {
            0 => (0..samples.len()).collect(),
            limit => balanced_sample(&every_label, limit, config.seed),
        };
        let pixels = load_pixels(dataset, &indices, config.size(), decoder)?;
        let hashes: Vec<String> =
            pixels.par_chunks(config.n_bytes()).map(weights::sha256_hex).collect();
        let labels: Vec<Label> = indices.iter().map(|&i| every_label[i]).collect();

        let mut seen = HashSet::new();
        let is_kept = |&i: &usize| !config.deduplicate || seen.insert(&hashes[i]);
        let kept: Vec<usize> = (0..indices.len()).filter(is_kept).collect();
        let groups: Vec<u64> = kept.iter().map(|&i| group(&hashes[i])).collect();
        let kept_labels: Vec<Label> = kept.iter().map(|&i| labels[i]).collect();
        let parts =
            validation_split(&groups, &kept_labels, config.validation_fraction, config.seed);
        let [train, validation] = [parts.train, parts.validation]
            .map(|part| part.into_iter().map(|place| kept[place]).collect());
        let n_duplicates = indices.len() - kept.len();
        let side = config.side as usize;
        Ok(Self { side, indices, labels, pixels, hashes, n_duplicates, train, validation })
    }

    fn examples(&self, part: &[usize]) -> Result<Examples, TrainError> {
        let one = self.side * self.side * 3;
        let pixels = part.iter().flat_map(|i| &self.pixels[i * one..(i + 1) * one]).copied();
        let labels = part.iter().map(|&i| self.labels[i]).collect();
        Examples::new(pixels.collect(), labels, self.side)
    }
}

/// The first 64 bits of a hash.
fn group(hash: &str) -> u64 {
    u64::from_str_radix(&hash[..16], 16).expect("a SHA-256 is written in hexadecimal digits")
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use image::codecs::png::PngEncoder;

    use super::*;

    /// Grey pictures, one level a sample.
    struct Greys {
        samples: Vec<Sample>,
        levels: Vec<u8>,
    }

    impl Greys {
        fn new(levels: impl Iterator<Item = u8>, source: impl Fn(u8) -> Option<String>) -> Self {
            let levels: Vec<u8> = levels.collect();
            let sample = |&level: &u8| Sample {
                source: source(level),
                ..Sample::new(format!("train/{level}"), Label::ALL[usize::from(level % 2)])
            };
            Self { samples: levels.iter().map(sample).collect(), levels }
        }
    }

    impl Dataset for Greys {
        fn samples(&self) -> &[Sample] {
            &self.samples
        }

        fn bytes(&self, index: usize) -> Result<Cow<'_, [u8]>, cifake::Error> {
            let image = image::GrayImage::from_pixel(4, 4, image::Luma([self.levels[index]]));
            let mut bytes = Vec::new();
            image.write_with_encoder(PngEncoder::new(&mut bytes)).expect("memory takes every byte");
            Ok(Cow::Owned(bytes))
        }
    }

    #[test]
    fn copies_of_validation_pictures_are_not_trained_on() {
        let config = DataConfig { side: 4, validation_fraction: 0.25, ..DataConfig::default() };
        let plain = Greys::new(0..40, |_| None);
        let copies = Greys::new(100..140, |level| Some(format!("train/{}", level - 100)));
        let strangers = Greys::new(200..210, |_| None);
        // Again all the plain ones, half of whose levels nobody calls a copy; duplicates are no leak.
        let again = Greys::new(0..40, |_| None);
        let extra: [Box<dyn Dataset>; 3] = [Box::new(copies), Box::new(strangers), Box::new(again)];
        let data = TrainingData::load(&plain, &extra, &config, &Decoder::default())
            .expect("every picture can be read");
        let levels = |examples: &Examples| -> Vec<u8> {
            (0..examples.len()).map(|i| examples.pixels(i)[0]).collect()
        };
        let [train, validation] = [&data.train, &data.validation].map(levels);
        assert_eq!((validation.len(), train.len()), (10, 30 + 30 + 10 + 30));
        assert_eq!(data.n_extra, 70);
        let parts = TrainingData::parts(&plain, &config, &Decoder::default())
            .expect("every picture can be read");
        let levels = |part: &[usize]| part.iter().map(|&i| plain.levels[i]).collect::<Vec<_>>();
        assert_eq!(levels(&parts.validation), validation);
        assert_eq!(levels(&parts.train), train[..30]);
        assert!(validation.iter().all(|level| !train.contains(level)), "{train:?}");
        assert!(validation.iter().all(|level| !train.contains(&(level + 100))), "{train:?}");
        assert!((200..210).all(|level| train.contains(&level)));
    }

    #[test]
    fn a_set_of_copies_of_other_pictures_is_refused() {
        let plain = Greys::new(0..40, |_| None);
        let copies = Greys::new(100..140, |level| Some(format!("elsewhere/{level}")));
        let config = DataConfig { side: 4, ..DataConfig::default() };
        let load = |config: &DataConfig, extra: Vec<Box<dyn Dataset>>| {
            TrainingData::load(&plain, &extra, config, &Decoder::default()).map(|data| data.n_extra)
        };
        let error = load(&config, vec![Box::new(copies)]).expect_err("nothing can be used");
        assert!(error.to_string().contains("another data set"), "{error}");
        for broken in [
            DataConfig { validation_fraction: f64::NAN, ..config.clone() },
            DataConfig { validation_fraction: 1.0, ..config.clone() },
            DataConfig { side: 0, ..config.clone() },
            DataConfig { side: 1 << 20, ..config.clone() },
        ] {
            assert!(load(&broken, vec![]).is_err(), "{broken:?}");
        }
    }
}
