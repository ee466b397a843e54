//! Weights of a folder as Hugging Face publishes it: one safetensors file, or shards with an index.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor, TensorData};
use serde::Deserialize;

use super::convert;
use super::format::WeightFormat;
use super::header::Entry;
use super::limits::Limits;
use super::matrix::Matrix;
use super::shard::Shard;
use super::weight_source::WeightSource;
use crate::error::Error;

/// The weights of one model when they are in one file.
const SINGLE: &str = "model.safetensors";
/// The index of weights by file, for weights in several files.
const INDEX: &str = "model.safetensors.index.json";
/// Bytes of an index, at most.
const MAX_INDEX_BYTES: u64 = 64 << 20;

/// The weights of a folder, memory-mapped, one tensor converted at a time.
///
/// A weight that the model asks for must be there in its shape. [`finish`](Self::finish) fails if
/// the model did not ask for all weights.
pub struct Folder {
    path: PathBuf,
    shards: Vec<Shard>,
    /// The file and the key of each weight, by the name that the model asks for.
    places: BTreeMap<String, (usize, String)>,
    used: BTreeSet<String>,
    format: WeightFormat,
    device: Device,
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl Folder {
    /// Opens the weights of the folder at `path`, within the default limits; matrices are kept in
    /// `format` on `device`.
    ///
    /// # Errors
    /// [`Error::NoWeights`], [`Error::Read`], [`Error::Weights`] where a file or the index is broken,
    /// [`Error::Limit`].
    pub fn open(path: &Path, format: WeightFormat, device: &Device) -> Result<Self, Error> {
        Self::open_within(path, format, device, &Limits::default())
    }

    /// [`open`](Self::open) within `limits`.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_within(
        path: &Path,
        format: WeightFormat,
        device: &Device,
        limits: &Limits,
    ) -> Result<Self, Error> {
        let index = path.join(INDEX);
        let (shards, places) = if index.is_file() {
            sharded(path, &index, limits)?
        } else {
            let shard = Shard::open(&single(path)?, limits)?;
            let places = shard.entries().keys().map(|name| (name.clone(), (0, name.clone())));
            let places = places.collect();
            (vec![shard], places)
        };
        let bytes = |entry: &Entry| entry.len as u64;
        let total = shards.iter().flat_map(|shard| shard.entries().values()).map(bytes).sum();
        Limits::check("the total of all weights, in bytes,", total, limits.max_bytes)?;
        let (path, device) = (path.to_owned(), device.clone());
        Ok(Self { path, shards, places, used: BTreeSet::new(), format, device })
    }

    /// Renames weights whose names start with the first of a pair: they then start with the second.
    /// The first pair that fits counts.
    #[must_use]
    pub fn with_prefixes(mut self, renames: &[(&str, &str)]) -> Self {
        let renamed = |name: String| {
            let fit = renames.iter().find_map(|(from, to)| Some((name.strip_prefix(from)?, to)));
            fit.map(|(rest, to)| format!("{to}{rest}")).unwrap_or(name)
        };
        self.places = self.places.into_iter().map(|(name, place)| (renamed(name), place)).collect();
        self
    }

    /// Leaves out the weights for which `is_ignored` is true: buffers that no forward pass reads.
    #[must_use]
    pub fn without(mut self, is_ignored: impl Fn(&str) -> bool) -> Self {
        self.places.retain(|name, _| !is_ignored(name));
        self
    }

    /// The names of all weights, sorted, with their shapes.
    pub fn shapes(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.places.iter().map(|(name, place)| (name.as_str(), &*self.entry(place).shape))
    }

    /// Ends the loading of a model.
    ///
    /// # Errors
    /// [`Error::UnusedWeights`] if the model did not ask for a weight.
    pub fn finish(self) -> Result<(), Error> {
        let names: Vec<String> =
            self.places.into_keys().filter(|name| !self.used.contains(name)).collect();
        if names.is_empty() { Ok(()) } else { Err(Error::UnusedWeights { path: self.path, names }) }
    }

    fn entry(&self, (shard, name): &(usize, String)) -> &Entry {
        self.shards[*shard].entries().get(name).expect("every place was looked up when it was made")
    }

    /// The elements of the weight `name`, which must be of `shape`.
    fn floats(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, Error> {
        let missing = || Error::MissingWeight { path: self.path.clone(), name: name.to_owned() };
        let place = self.places.get(name).ok_or_else(missing)?;
        let (shard, entry) = (&self.shards[place.0], self.entry(place));
        let (path, name) = (shard.path().to_owned(), name.to_owned());
        if entry.shape != shape {
            let (found, expected) = (entry.shape.clone(), shape.to_vec());
            return Err(Error::WeightShape { path, name, found, expected });
        }
        let element = match &entry.element {
            Ok(element) => *element,
            Err(found) => return Err(Error::WeightType { path, name, found: found.clone() }),
        };
        let bytes = shard.bytes(entry)?;
        let values = convert::floats(bytes.as_deref().unwrap_or_default(), element);
        if values.iter().any(|value| !value.is_finite()) {
            return Err(Error::WeightNotFinite { path, name });
        }
        self.used.insert(name);
        Ok(values)
    }
}

impl WeightSource for Folder {
    fn matrix(&mut self, name: &str, shape: [usize; 2]) -> Result<Matrix, Error> {
        Ok(Matrix::new(self.floats(name, &shape)?, shape, self.format, &self.device))
    }

    fn values(&mut self, name: &str, shape: &[usize]) -> Result<Tensor<1>, Error> {
        let values = self.floats(name, shape)?;
        let len = values.len();
        Ok(Tensor::from_data(TensorData::new(values, [len]), &self.device))
    }

    fn contains(&self, name: &str) -> bool {
        self.places.contains_key(name)
    }

    fn is_stored(&self, name: &str) -> bool {
        self.contains(name)
    }

    fn device(&self) -> &Device {
        &self.device
    }
}

/// The one weight file of the folder at `path`: `model.safetensors`, or the only one there is.
fn single(path: &Path) -> Result<PathBuf, Error> {
    let usual = path.join(SINGLE);
    if usual.is_file() {
        return Ok(usual);
    }
    let failed = |source| Error::Read { path: path.to_owned(), source };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        if file.extension().is_some_and(|extension| extension == "safetensors") {
            found.push(file);
        }
    }
    match found.pop() {
        Some(file) if found.is_empty() => Ok(file),
        _ => Err(Error::NoWeights { path: path.to_owned() }),
    }
}

type Opened = (Vec<Shard>, BTreeMap<String, (usize, String)>);

/// The shards that the index names, and which of them holds what.
fn sharded(path: &Path, index: &Path, limits: &Limits) -> Result<Opened, Error> {
    let json = cifake::file::read_limited(index, MAX_INDEX_BYTES)?;
    let broken = |reason: String| Error::Weights { path: index.to_owned(), reason };
    let Index { weight_map } =
        serde_json::from_slice(&json).map_err(|error| broken(error.to_string()))?;
    Limits::check("the number of tensors", weight_map.len() as u64, limits.max_tensors)?;
    let files: BTreeSet<&String> = weight_map.values().collect();
    Limits::check("the number of shards", files.len() as u64, limits.max_shards)?;
    let mut shards = Vec::new();
    for file in &files {
        // A name with a folder in it could lead anywhere.
        if Path::new(file).file_name().is_none_or(|name| name != file.as_str()) {
            return Err(broken(format!("`{file}` is no plain file name")));
        }
        shards.push(Shard::open(&path.join(file), limits)?);
    }
    let mut places = BTreeMap::new();
    for (name, file) in &weight_map {
        let shard = files.iter().position(|known| *known == file).unwrap_or_default();
        if !shards[shard].entries().contains_key(name) {
            return Err(broken(format!("`{file}` has no `{name}`")));
        }
        places.insert(name.clone(), (shard, name.clone()));
    }
    for shard in &shards {
        if let Some(extra) = shard.entries().keys().find(|name| !places.contains_key(*name)) {
            return Err(broken(format!("it does not list `{extra}`")));
        }
    }
    Ok((shards, places))
}
