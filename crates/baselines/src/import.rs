//! Published weights become weight files of this project.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use burn::module::Module;
use burn::tensor::Device;
use cifake::Label;
use cifake::weights::{Checkpoint, Mapping, Source, WeightsInfo};

use crate::Error;
use crate::statistic::Pictures;

/// Under these names training scripts put weights beside their other state.
const WRAPPERS: [&str; 2] = ["model", "state_dict"];

/// The import of one detector from published files.
#[derive(Debug, Clone, Copy)]
pub struct Import {
    /// Name of the detector.
    pub name: &'static str,
    /// The detector and its parts, in a sentence.
    pub summary: &'static str,
    /// The files that it is made of.
    pub parts: &'static [Part],
    /// Names of its settings, and what they are.
    pub settings: &'static [(&'static str, &'static str)],
    /// Reads the parts and writes the weight file.
    pub run: fn(&Request<'_>) -> Result<WeightsInfo, Error>,
}

/// A file that a detector is made of.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// Its name.
    pub name: &'static str,
    /// The file's content and its place of publication.
    pub summary: &'static str,
    /// Whether the detector cannot do without it.
    pub required: bool,
}

/// The arguments of an import. [`Import::start`] has checked the names.
pub struct Request<'a> {
    /// Name of the detector.
    pub detector: &'static str,
    /// Files by the names of parts; a part that was given several times has several.
    pub parts: BTreeMap<String, Vec<PathBuf>>,
    /// Texts by the names of settings.
    pub settings: BTreeMap<String, String>,
    /// Labelled pictures, for a detector that is fitted.
    pub pictures: Option<Pictures<'a>>,
    /// The device that computes.
    pub device: Device,
    /// The file to write.
    pub out: PathBuf,
}

impl Import {
    /// Makes the weight file that `parts` and `settings`, pairs of a name and a value, ask for.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownName`], [`Error::MissingPart`], [`Error::Setting`] for a setting that is given twice and
    /// for an output that is a part; [`cifake::Error::Read`] and [`cifake::Error::Write`] for a part or an output
    /// that cannot be opened, before anything is computed; and those of the detector.
    pub fn start<'a>(
        &self,
        parts: Vec<(String, PathBuf)>,
        settings: Vec<(String, String)>,
        pictures: Option<Pictures<'a>>,
        (device, out): (&Device, &Path),
    ) -> Result<WeightsInfo, Error> {
        let mut request = Request {
            detector: self.name,
            parts: BTreeMap::new(),
            settings: BTreeMap::new(),
            pictures,
            device: device.clone(),
            out: out.to_owned(),
        };
        let names: Vec<_> = self.parts.iter().map(|part| part.name).collect();
        for (name, file) in parts {
            self.known("part", &name, &names)?;
            request.parts.entry(name).or_default().push(file);
        }
        let names: Vec<_> = self.settings.iter().map(|(name, _)| *name).collect();
        for (name, value) in settings {
            self.known("setting", &name, &names)?;
            if request.settings.insert(name.clone(), value.clone()).is_some() {
                return Err(Error::Setting { name, value, reason: "it is given twice".into() });
            }
        }
        let lacks = |part: &&Part| part.required && !request.parts.contains_key(part.name);
        if let Some(part) = self.parts.iter().find(lacks) {
            return Err(Error::MissingPart { detector: self.name, name: part.name });
        }
        request.check_files()?;
        (self.run)(&request)
    }

    fn known(&self, kind: &'static str, name: &str, known: &[&'static str]) -> Result<(), Error> {
        if known.contains(&name) {
            return Ok(());
        }
        let (name, known) = (name.to_owned(), known.to_vec());
        Err(Error::UnknownName { detector: self.name, kind, name, known })
    }
}

impl Request<'_> {
    /// The files of the part `name`, none where it was not given.
    #[must_use]
    pub fn files(&self, name: &str) -> &[PathBuf] {
        self.parts.get(name).map_or(&[], Vec::as_slice)
    }

    /// The setting `name`, or `usual` where it was not given.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for a text that is no such value.
    pub fn setting<T>(&self, name: &str, usual: T) -> Result<T, Error>
    where
        T: FromStr<Err: std::fmt::Display>,
    {
        let Some(value) = self.settings.get(name) else { return Ok(usual) };
        value.parse().map_err(|reason: T::Err| Error::Setting {
            name: name.to_owned(),
            value: value.clone(),
            reason: reason.to_string(),
        })
    }

    /// The pictures, of both labels. To be asked for before a network is read, which takes long.
    ///
    /// # Errors
    ///
    /// [`Error::MissingPictures`]; [`cifake::Error::OneLabel`].
    pub fn pictures(&self) -> Result<&Pictures<'_>, Error> {
        let pictures = self.pictures.as_ref().filter(|pictures| !pictures.indices.is_empty());
        let pictures = pictures.ok_or(Error::MissingPictures { detector: self.detector })?;
        let samples = pictures.dataset.samples();
        let has = |label| pictures.indices.iter().any(|&index| samples[index].label == label);
        match Label::ALL.into_iter().find(|&label| !has(label)) {
            Some(missing) => Err(cifake::Error::OneLabel { missing }.into()),
            None => Ok(pictures),
        }
    }

    /// Whether every part can be read and the output be written, and replaces no part.
    fn check_files(&self) -> Result<(), Error> {
        let written = std::fs::canonicalize(&self.out).ok();
        for (name, file) in
            self.parts.iter().flat_map(|(name, files)| files.iter().map(move |file| (name, file)))
        {
            cifake::file::open(file)?;
            if written.is_some() && std::fs::canonicalize(file).ok() == written {
                let reason = format!("it is the part `{name}`, which would be lost");
                let value = self.out.display().to_string();
                return Err(Error::Setting { name: "out".into(), value, reason });
            }
        }
        Ok(cifake::file::check_writable(&self.out)?)
    }
}

/// Loads the published weights at `path` into `module`, all of them or none. The file is safetensors or, with
/// the core's feature `pytorch`, a PyTorch checkpoint. Weights of a training run stand under `model` or
/// `state_dict`; its other state is left out.
///
/// # Errors
///
/// [`Error::TrainingState`] for a checkpoint with an optimizer and without such weights; [`Error::Core`] for a
/// file that cannot be read or is of another architecture.
///
/// # Panics
///
/// If `mapping` holds a pattern that is no regular expression.
pub fn load_published<M: Module>(
    path: &Path,
    module: &mut M,
    mapping: &Mapping<'_>,
) -> Result<WeightsInfo, Error> {
    let mut checkpoint = Checkpoint::open(Source::File(path))?;
    let shapes = checkpoint.shapes();
    let first = |key: &&str| key.split('.').next().unwrap_or_default().to_owned();
    let tops: BTreeSet<String> = shapes.keys().map(first).collect();
    if !tops.iter().any(|top| top.starts_with("optimizer")) {
        checkpoint.load_into(module, mapping)?;
        return Ok(checkpoint.info().clone());
    }
    let Some(wrapper) = WRAPPERS.into_iter().find(|wrapper| tops.contains(*wrapper)) else {
        let (path, keys) = (path.to_owned(), tops.into_iter().collect());
        return Err(Error::TrainingState { path, keys });
    };
    for top in tops.iter().filter(|top| *top != wrapper) {
        checkpoint.take(&format!("{top}."))?;
    }
    let unwrap = format!(r"^{wrapper}\.");
    let renames = [&[(unwrap.as_str(), "")], mapping.renames].concat();
    checkpoint.load_into(module, &Mapping { renames: &renames, ..*mapping })?;
    Ok(checkpoint.info().clone())
}

#[cfg(test)]
mod tests {
    use burn::nn::{Linear, LinearConfig};
    use burn::tensor::TensorData;
    use cifake::weights::encode;

    use super::*;

    fn wrote(request: &Request<'_>) -> Result<WeightsInfo, Error> {
        let layer: usize = request.setting("layer", 2)?;
        let metadata = [("layer".to_owned(), layer.to_string())].into();
        let n_tensors = request.files("encoder").len();
        Ok(WeightsInfo { sha256: String::new(), n_tensors, n_elements: 0, metadata })
    }

    const TOY: Import = Import {
        name: "toy",
        summary: "A toy.",
        parts: &[
            Part { name: "encoder", summary: "Encodes.", required: true },
            Part { name: "head", summary: "Judges.", required: false },
        ],
        settings: &[("layer", "A layer.")],
        run: wrote,
    };

    fn start(parts: &[&str], settings: &[(&str, &str)]) -> Result<WeightsInfo, Error> {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("x");
        std::fs::write(&file, "").expect("room");
        let parts = parts.iter().map(|name| (name.to_string(), file.clone())).collect();
        let pairs = settings.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        TOY.start(parts, pairs.collect(), None, (&Device::flex(), &folder.path().join("out")))
    }

    #[test]
    fn files_are_tried_before_anything_is_computed() {
        let never = Import { run: |_| panic!("it began its work"), ..TOY };
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("x"), "").expect("room");
        let start = |part: &str, out: &str| {
            let parts = vec![("encoder".to_owned(), at(part))];
            never.start(parts, Vec::new(), None, (&Device::flex(), &at(out))).expect_err("refused")
        };
        let read = start("gone", "out");
        assert!(matches!(&read, Error::Core(cifake::Error::Read { .. })), "{read}");
        for out in ["", "no/out", "x/out"] {
            let write = start("x", out);
            assert!(matches!(&write, Error::Core(cifake::Error::Write { .. })), "{write}");
        }
        assert!(start("x", "x").to_string().contains("would be lost"));
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }

    #[test]
    fn parts_and_settings_reach_the_detector() {
        let info = start(&["encoder", "encoder"], &[("layer", "4")]).expect("known names");
        assert_eq!((info.n_tensors, info.metadata["layer"].as_str()), (2, "4"));
        assert_eq!(start(&["encoder"], &[]).expect("a default").metadata["layer"], "2");
    }

    #[test]
    fn names_that_are_unknown_or_missing_are_errors_that_say_what_there_is() {
        let error = |parts, settings| start(parts, settings).expect_err("wrong names").to_string();
        assert_eq!(error(&["tail"], &[]), "toy has no part `tail`; it has encoder, head");
        assert_eq!(error(&["head"], &[]), "toy needs the part `encoder`; add --part encoder=FILE");
        assert!(error(&["encoder"], &[("size", "1")]).contains("it has layer"));
        assert!(error(&["encoder"], &[("layer", "two")]).contains("`two`"));
        assert!(error(&["encoder"], &[("layer", "1"), ("layer", "1")]).contains("twice"));
    }

    #[test]
    fn pictures_of_one_label_are_refused_before_the_work() {
        let mini = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/mini");
        let dataset = cifake::open_dataset(&mini, Some(cifake::Split::Test)).expect("committed");
        let dataset = &*dataset;
        let all = 0..dataset.len();
        let of = |label| all.clone().filter(move |&i| dataset.samples()[i].label == label);
        let request = |indices: Vec<usize>| Request {
            detector: "toy",
            parts: BTreeMap::new(),
            settings: BTreeMap::new(),
            pictures: Some(Pictures { dataset, indices, decoder: cifake::Decoder::default() }),
            device: Device::flex(),
            out: PathBuf::new(),
        };
        assert!(request(all.clone().collect()).pictures().is_ok());
        let empty = request(Vec::new());
        assert!(matches!(empty.pictures().err(), Some(Error::MissingPictures { .. })));
        for label in Label::ALL {
            let one = request(of(label).collect());
            let missing = |error| matches!(error, Error::Core(cifake::Error::OneLabel { missing }) if missing != label);
            assert!(one.pictures().err().is_some_and(missing));
        }
    }

    fn load(names: &[(&str, [usize; 2])]) -> Result<WeightsInfo, Error> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("weights.safetensors");
        let tensor = |(name, shape): &(&str, [usize; 2])| {
            let zeros = TensorData::zeros::<f32, _>(*shape);
            (name.to_string(), zeros)
        };
        let tensors: Vec<_> = names.iter().map(tensor).collect();
        std::fs::write(&path, encode(&tensors, &BTreeMap::new())).expect("room");
        let mut linear: Linear = LinearConfig::new(3, 2).with_bias(false).init(&Device::flex());
        load_published(&path, &mut linear, &Mapping::PYTORCH)
    }

    #[test]
    fn the_state_of_a_training_run_is_left_out() {
        load(&[("weight", [2, 3])]).expect("weights alone");
        load(&[("model.weight", [2, 3]), ("optimizer.state", [2, 3])]).expect("under model");
        load(&[("state_dict.weight", [2, 3]), ("optimizer.m", [1, 1])]).expect("under state_dict");
        let error = load(&[("net.weight", [2, 3]), ("optimizer.m", [1, 1])]).expect_err("neither");
        assert!(
            matches!(&error, Error::TrainingState { keys, .. } if keys == &["net", "optimizer"])
        );
        assert!(error.to_string().contains("net, optimizer"), "{error}");
    }

    #[test]
    fn another_architecture_is_an_error() {
        let shape = load(&[("weight", [5, 3])]).expect_err("five outputs");
        assert!(matches!(shape, Error::Core(cifake::Error::WeightShape { .. })), "{shape}");
        let unused = load(&[("weight", [2, 3]), ("conv", [1, 1])]).expect_err("a weight too many");
        assert!(matches!(unused, Error::Core(cifake::Error::UnusedWeights { .. })), "{unused}");
    }
}
