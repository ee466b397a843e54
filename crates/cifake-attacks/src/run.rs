//! What a long run over a data set needs to know, and where it keeps what is done.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use cifake::metrics::Bootstrap;
use cifake::weights::sha256_hex;
use cifake::{Dataset, Decoder, load_pixels, tensor_from_flat_rgb8};

use crate::{Attack, Error, Samples};

/// How [`evaluate_robustness`](crate::evaluate_robustness) and the building of a perturbed set go
/// about it.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// Width and height of the model's pictures.
    pub size: (u32, u32),
    /// Where the tensors live; flex.
    pub device: Device,
    /// Samples that are attacked, all if `None`.
    pub indices: Option<Vec<usize>>,
    /// How many are attacked at once; 50.
    pub batch_size: usize,
    /// Seed of every attack; 0.
    pub seed: u64,
    /// The bootstrap of the intervals; 1,000 resamples, 95 %, seed 0.
    pub bootstrap: Bootstrap,
    /// What decodes the pictures.
    pub decoder: Decoder,
    /// Folder of what is done so far: started again with it, a run goes on.
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

    /// The samples at `indices`, their indices being their ids.
    pub(crate) fn load(&self, dataset: &dyn Dataset, indices: &[usize]) -> Result<Samples, Error> {
        let pixels = load_pixels(dataset, indices, self.size, &self.decoder)?;
        let (width, height) = (self.size.0 as usize, self.size.1 as usize);
        let images = tensor_from_flat_rgb8(&pixels, height, width, &self.device);
        let labels = indices.iter().map(|&i| dataset.samples()[i].label).collect();
        Ok(Samples::new(images, labels, indices.iter().map(|&i| i as u64).collect()))
    }

    /// Everything that the results of a batch depend on.
    pub(crate) fn describe(
        &self,
        model: &str,
        attack: &dyn Attack,
        dataset: &dyn Dataset,
        indices: &[usize],
    ) -> String {
        let Self { size, seed, device, .. } = self;
        format!(
            "{attack:?} on {model}, seed {seed}, {} pictures of {size:?} from {}, ids {}, on {}",
            indices.len(),
            indices.first().copied().unwrap_or_default(),
            ids_hash(dataset, indices),
            cifake::device::name(device)
        )
    }
}

/// sha256 of the names of the samples at `indices`, in order.
pub(crate) fn ids_hash(dataset: &dyn Dataset, indices: &[usize]) -> String {
    let ids: Vec<&str> = indices.iter().map(|&i| dataset.samples()[i].id.as_str()).collect();
    sha256_hex(ids.join("\n").as_bytes())
}

/// The names of a suite, all of which make different files.
pub(crate) fn names(suite: &[Box<dyn Attack>]) -> Result<Vec<String>, Error> {
    let names: Vec<String> = suite.iter().map(|attack| attack.name()).collect();
    differ(&names)?;
    Ok(names)
}

/// Refuses names of which two make the same file.
pub(crate) fn differ(names: &[String]) -> Result<(), Error> {
    for (i, name) in names.iter().enumerate() {
        if names[..i].iter().any(|other| slug(other) == slug(name)) {
            return Err(Error::SameName { name: name.clone() });
        }
    }
    Ok(())
}

/// Makes a folder and those above it.
pub(crate) fn create_folder(path: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(path)
        .map_err(|source| cifake::Error::Write { path: path.to_owned(), source }.into())
}

/// A name as a file's, in lower case.
pub(crate) fn slug(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
    name.to_lowercase().chars().map(plain).collect()
}
