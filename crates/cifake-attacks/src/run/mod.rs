//! Options of long runs over a data set, and the identity of finished work.

mod batch;
mod identity;
mod sizes;

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use cifake::{Dataset, Decoder, load_pixels, tensor_from_flat_rgb8};
use cifake_eval::metrics::Bootstrap;

pub(crate) use batch::AttackedBatch;
pub use identity::ModelId;
pub(crate) use identity::{Difference, picture_hashes};

use crate::Error;
use crate::kit::{Attack, Samples};

/// Options of [`evaluate_robustness`](crate::evaluate_robustness) and of building a set of attacked
/// pictures.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RunOptions {
    /// Width and height of the model's input, in pixels.
    pub size: (u32, u32),
    /// The device of the tensors; default: flex.
    pub device: Device,
    /// Indices of the samples to attack; all samples if `None`.
    pub indices: Option<Vec<usize>>,
    /// Samples in a batch, at least 1; default: 50.
    pub batch_size: usize,
    /// Seed of every attack; default: 0.
    pub seed: u64,
    /// The bootstrap of the intervals; default: 1,000 resamples, 95 %, seed 0.
    pub bootstrap: Bootstrap,
    /// The decoder of the pictures.
    pub decoder: Decoder,
    /// Folder of finished work, from which an interrupted run resumes.
    pub folder: PathBuf,
}

impl RunOptions {
    /// The defaults for pictures of `size` (width, height).
    #[must_use]
    pub fn new(size: (u32, u32), folder: impl Into<PathBuf>) -> Self {
        Self {
            size,
            device: Device::flex(),
            indices: None,
            batch_size: 50,
            seed: 0,
            bootstrap: Bootstrap::new(0),
            decoder: Decoder::default(),
            folder: folder.into(),
        }
    }

    /// Indices of the samples, at least one.
    pub(crate) fn indices_of(&self, dataset: &dyn Dataset) -> Result<Vec<usize>, Error> {
        let indices = self.indices.clone().unwrap_or_else(|| (0..dataset.len()).collect());
        if indices.is_empty() {
            return Err(cifake::Error::NoSamples.into());
        }
        Ok(indices)
    }

    /// The samples at `indices`, with their indices as ids.
    pub(crate) fn load(&self, dataset: &dyn Dataset, indices: &[usize]) -> Result<Samples, Error> {
        let pixels = load_pixels(dataset, indices, self.size, &self.decoder)?;
        let (width, height) = (self.size.0 as usize, self.size.1 as usize);
        let images = tensor_from_flat_rgb8(&pixels, height, width, &self.device);
        let labels = indices.iter().map(|&i| dataset.samples()[i].label).collect();
        Ok(Samples::new(images, labels, indices.iter().map(|&i| i as u64).collect()))
    }
}

/// The names of the attacks of a suite, each with a file name of its own.
pub(crate) fn names(suite: &[Box<dyn Attack>]) -> Result<Vec<String>, Error> {
    let names: Vec<String> = suite.iter().map(|attack| attack.name()).collect();
    differ(&names)?;
    Ok(names)
}

/// Refuses two names with the same file name.
pub(crate) fn differ(names: &[String]) -> Result<(), Error> {
    for (i, name) in names.iter().enumerate() {
        if names[..i].iter().any(|other| slug(other) == slug(name)) {
            return Err(Error::SameName { name: name.clone() });
        }
    }
    Ok(())
}

/// Creates a folder and its parents.
pub(crate) fn create_folder(path: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(path)
        .map_err(|source| cifake::Error::Write { path: path.to_owned(), source }.into())
}

/// `name` as a file name, in lower case.
pub(crate) fn slug(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
    name.to_lowercase().chars().map(plain).collect()
}
