//! The training and the validation set of a run.

use std::collections::HashSet;

use cifake::{Dataset, Decoder, Sample, ValidationSplit, weights};

use crate::TrainError;
use crate::data_config::{DataConfig, ValidationSource};
use crate::examples::Examples;
use crate::parted::Parted;
use crate::record::TrainedOn;
use crate::sized;

/// A training and a validation set in memory.
#[derive(Debug)]
#[non_exhaustive]
pub struct TrainingData {
    /// The pictures that are trained on.
    pub train: Examples,
    /// The pictures that choose the epoch; none is part of `train`, not even as a copy.
    pub validation: Examples,
    /// Pictures left out as copies of another.
    pub n_duplicates: usize,
    /// Pictures of additional sets that are trained on.
    pub n_extra: usize,
    /// The data set and its split, for the metadata of weight files.
    pub record: TrainedOn,
}

impl TrainingData {
    /// Decodes the pictures of `dataset` in the current thread pool, and those of `extra`, which are
    /// trained on too: attacked copies, or pictures of other generators.
    ///
    /// A picture of `extra` that names its source is used only if the source is trained on. A picture
    /// with the pixels of a validation picture is left out. Both rules keep the validation set unseen.
    /// Pictures of another size than the configured one keep their size, see [`Examples::with_sized`].
    ///
    /// Pictures of `dataset` that name [`Split::Validation`](cifake::Split::Validation) as their split are
    /// the validation set. If there is none, a share of the others is held back.
    ///
    /// # Errors
    ///
    /// A picture that cannot be read; a set without pictures of both labels; a configuration out of
    /// range; an additional set of which no picture can be used.
    pub fn load(
        dataset: &dyn Dataset,
        extra: &[Box<dyn Dataset>],
        config: &DataConfig,
        decoder: &Decoder,
    ) -> Result<Self, TrainError> {
        let parted = Parted::new(dataset, config, ValidationSource::of(dataset), decoder)?;
        parted.must_have_both_labels().map_err(TrainError::Config)?;
        let samples = dataset.samples();
        let trained: HashSet<&str> =
            parted.train.iter().map(|&i| samples[parted.indices[i]].id.as_str()).collect();
        let held_back: HashSet<&str> =
            parted.validation.iter().map(|&i| parted.hashes[i].as_str()).collect();
        let mut data = Self::of(&parted, config)?;
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
                    data.train.extend(seen, vec![label]);
                } else {
                    others.push(picture);
                    other_labels.push(label);
                }
            }
        }
        let train = data.train.with_sized(others, other_labels)?;
        Ok(Self { n_extra: train.len() - parted.train.len(), train, ..data })
    }

    /// The pictures of `dataset` that weights with this `record` were trained on and validated on.
    ///
    /// # Errors
    ///
    /// As [`TrainedOn::parts`]; a part without pictures of both labels.
    pub fn load_recorded(
        dataset: &dyn Dataset,
        record: &TrainedOn,
        decoder: &Decoder,
    ) -> Result<Self, TrainError> {
        let parted = record.parted(dataset, decoder)?;
        parted.must_have_both_labels().map_err(TrainError::Config)?;
        Self::of(&parted, &record.config)
    }

    /// The pictures of `parted` alone.
    fn of(parted: &Parted, config: &DataConfig) -> Result<Self, TrainError> {
        Ok(Self {
            train: parted.examples(&parted.train)?,
            validation: parted.examples(&parted.validation)?,
            n_duplicates: parted.n_duplicates(),
            n_extra: 0,
            record: TrainedOn::new(config, parted.source, parted.fingerprint()),
        })
    }

    /// Indices of the pictures of `dataset` that [`load`](Self::load) trains on, and of those that it
    /// validates on. Copies that it leaves out are in neither.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn parts(
        dataset: &dyn Dataset,
        config: &DataConfig,
        decoder: &Decoder,
    ) -> Result<ValidationSplit, TrainError> {
        Ok(Parted::new(dataset, config, ValidationSource::of(dataset), decoder)?.split())
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use cifake::{Label, Split};
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
        // Again all the plain ones, half of which are not marked as copies; duplicates are no leak.
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
            DataConfig { validation_fraction: 0.0, ..config.clone() },
            DataConfig { validation_fraction: 1.0, ..config.clone() },
            DataConfig { side: 0, ..config.clone() },
            DataConfig { side: 1 << 20, ..config.clone() },
        ] {
            assert!(load(&broken, vec![]).is_err(), "{broken:?}");
        }
    }

    #[test]
    fn a_set_without_one_label_is_refused_before_it_is_trained_on() {
        let config = DataConfig { side: 4, validation_fraction: 0.25, ..DataConfig::default() };
        let load = |levels: &mut dyn Iterator<Item = u8>| {
            let data = Greys::new(levels, |_| None);
            TrainingData::load(&data, &[], &config, &Decoder::default())
                .map(|data| data.train.len())
        };
        let error = load(&mut (0..40).map(|level| 2 * level)).expect_err("all are REAL");
        assert!(error.to_string().contains("no FAKE picture"), "{error}");
        // One FAKE picture of which a quarter is none.
        let error = load(&mut (0..20).map(|level| 2 * level).chain([41])).expect_err("one FAKE");
        assert!(error.to_string().contains("the validation set has no FAKE"), "{error}");
        assert_eq!(load(&mut (0..40)).expect("both labels"), 30);
    }

    #[test]
    fn a_record_tells_training_pictures_from_others() {
        let config = DataConfig { side: 4, validation_fraction: 0.25, ..DataConfig::default() };
        // The last one is a copy of the first.
        let plain = Greys::new((0..40).chain([0]), |_| None);
        let decoder = Decoder::default();
        let record = TrainingData::load(&plain, &[], &config, &decoder).expect("whole").record;
        let notes = [(TrainedOn::KEY.to_owned(), record.to_json())].into();
        let read = TrainedOn::from_metadata(&notes).expect("it was just written");
        assert_eq!(read.as_ref(), Some(&record));
        assert_eq!(TrainedOn::from_metadata(&[].into()).expect("no record is no error"), None);
        let broken = [(TrainedOn::KEY.to_owned(), "{".to_owned())].into();
        assert!(matches!(TrainedOn::from_metadata(&broken), Err(TrainError::Record { .. })));

        let expected = TrainingData::parts(&plain, &config, &decoder).expect("whole");
        assert_eq!(record.parts(&plain, &decoder).expect("the same data set"), expected);
        let flags = record.is_trained_on(&plain, &decoder).expect("the same data set");
        assert!(expected.train.iter().all(|&i| flags[i]));
        assert!(expected.validation.iter().all(|&i| !flags[i]));
        assert_eq!(flags[40], flags[0], "a copy is as its picture");
        let other = Greys::new(1..41, |_| None);
        let refused = record.parts(&other, &decoder);
        assert!(matches!(refused, Err(TrainError::OtherData { .. })));
        let loaded = TrainingData::load_recorded(&plain, &record, &decoder).expect("its data");
        assert_eq!((loaded.record, loaded.validation.len()), (record.clone(), 10));
        assert!(TrainingData::load_recorded(&other, &record, &decoder).is_err());
    }

    /// Training pictures of the levels 0 to 39, and a validation split: copies of the first three, one of
    /// them twice, and four others.
    fn with_own_split() -> Greys {
        let mut greys = Greys::new((0..40).chain([0, 1, 2, 2, 100, 101, 102, 103]), |_| None);
        greys.samples[40..].iter_mut().for_each(|sample| sample.split = Some(Split::Validation));
        greys
    }

    #[test]
    fn a_validation_split_of_its_own_validates_and_is_not_trained_on() {
        let decoder = Decoder::default();
        let greys = with_own_split();
        for deduplicate in [true, false] {
            let config = DataConfig { side: 4, deduplicate, ..DataConfig::default() };
            let data = TrainingData::load(&greys, &[], &config, &decoder).expect("whole");
            let levels = |examples: &Examples| -> Vec<u8> {
                (0..examples.len()).map(|i| examples.pixels(i)[0]).collect()
            };
            assert_eq!(levels(&data.train), (3..40).collect::<Vec<_>>());
            let expected = if deduplicate { vec![0, 1, 2] } else { vec![0, 1, 2, 2] };
            assert_eq!(levels(&data.validation), [expected, vec![100, 101, 102, 103]].concat());
            assert_eq!(data.n_duplicates, 3 + usize::from(deduplicate));
            assert_eq!(data.record.validation, ValidationSource::OwnSplit);
        }
        let config = DataConfig { side: 4, limit: 10, ..DataConfig::default() };
        let parts = TrainingData::parts(&greys, &config, &decoder).expect("whole");
        assert!(parts.train.len() <= 10 && parts.validation.len() == 7, "{parts:?}");
        let mut half = with_own_split();
        half.samples.retain(|sample| sample.split.is_none() || sample.label == Label::Real);
        let error = TrainingData::load(&half, &[], &config, &decoder).expect_err("no FAKE");
        assert!(error.to_string().contains("the validation set has no FAKE"), "{error}");
        assert!(!error.to_string().contains("validation_fraction"), "{error}");
    }

    #[test]
    fn a_record_says_which_split_validated_and_older_ones_held_pictures_back() {
        let decoder = Decoder::default();
        let (greys, plain) = (with_own_split(), Greys::new(0..40, |_| None));
        let config = DataConfig { side: 4, validation_fraction: 0.25, ..DataConfig::default() };
        let load = |data: &Greys| TrainingData::load(data, &[], &config, &decoder).expect("whole");
        let (own, held_back) = (load(&greys).record, load(&plain).record);
        let read = |json: String| {
            let notes = [(TrainedOn::KEY.to_owned(), json)].into();
            TrainedOn::from_metadata(&notes).expect("it can be read").expect("it is there")
        };
        assert_eq!(read(own.to_json()), own);
        let parts = own.parts(&greys, &decoder).expect("its data");
        assert_eq!(parts.validation, [40, 41, 42, 44, 45, 46, 47]);
        let flags = own.is_trained_on(&greys, &decoder).expect("its data");
        assert_eq!(flags.iter().filter(|flag| **flag).count(), 37);
        assert!(!flags[0] && flags[3] && flags[40..].iter().all(|flag| !flag));
        // Without its validation split, or with a picture moved into training, it is another data set.
        assert!(own.parts(&plain, &decoder).is_err());
        let mut moved = with_own_split();
        moved.samples[40].split = None;
        assert!(own.parts(&moved, &decoder).is_err());

        // A record of a version that did not know validation splits passed such pictures over.
        let mut older: serde_json::Value =
            serde_json::from_str(&held_back.to_json()).expect("it is JSON");
        older.as_object_mut().expect("an object").remove("validation").expect("it is written");
        let older = read(older.to_string());
        assert_eq!(older, held_back);
        let parts = older.parts(&greys, &decoder).expect("its data");
        assert_eq!(parts, older.parts(&plain, &decoder).expect("its data"));
        let data = TrainingData::load_recorded(&greys, &older, &decoder).expect("its data");
        assert_eq!((data.validation.len(), data.record), (10, older));
    }
}
