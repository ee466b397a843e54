//! From a weight file to the network that its metadata declares.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::Device;

use crate::weights::{Beside, Checkpoint, Configured, Source, WeightsInfo, configured_from};
use crate::{DetectorError, Error, Familiarity, Network};

/// A network that was read from a weight file, and what else the file holds.
pub(crate) struct Loaded {
    pub(crate) network: Arc<dyn Network>,
    pub(crate) weights: WeightsInfo,
    /// The tensors of a familiarity, by their names without the prefix.
    pub(crate) familiarity: Beside,
}

type Load = dyn Fn(Checkpoint, &Device) -> Result<Loaded, Error> + Send + Sync;

/// The reader of weight files of one kind of network, and the weights that are shipped with it.
pub struct Loader {
    key: &'static str,
    load: Box<Load>,
    shipped: Vec<Shipped>,
}

/// Weights that have names.
struct Shipped {
    /// The first is the usual one.
    names: Vec<&'static str>,
    weights: Weights,
}

enum Weights {
    Embedded(&'static [u8]),
    File(PathBuf),
}

impl Loader {
    /// The loader of weight files whose metadata hold [`Configured::KEY`] of `M`. `network` makes a network for
    /// inference of a module and its configuration, or says in a sentence why it is no detector.
    #[must_use]
    pub fn of<M, N>(network: fn(&M, M::Config) -> Result<N, String>) -> Self
    where
        M: Configured + 'static,
        M::Config: 'static,
        N: Network,
    {
        let load = move |mut checkpoint: Checkpoint, device: &Device| {
            let familiarity = checkpoint.take(Familiarity::PREFIX)?;
            let (module, config) = configured_from::<M>(&checkpoint, device)?;
            let broken = |reason| {
                let path = checkpoint.path().to_owned();
                Error::WeightConfig { path, reason }
            };
            let network = network(&module, config).map_err(broken)?;
            let weights = checkpoint.info().clone();
            Ok(Loaded { network: Arc::new(network), weights, familiarity })
        };
        Self { key: M::KEY, load: Box::new(load), shipped: Vec::new() }
    }

    /// The same with weights that are part of the program, under `names`, of which the first is the usual one.
    ///
    /// # Panics
    ///
    /// If there is no name.
    #[must_use]
    pub fn shipping(mut self, names: &[&'static str], bytes: &'static [u8]) -> Self {
        assert!(!names.is_empty(), "shipped weights have a name");
        let names = names.to_vec();
        self.shipped.push(Shipped { names, weights: Weights::Embedded(bytes) });
        self
    }
}

impl fmt::Debug for Loader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loader").field("key", &self.key).finish_non_exhaustive()
    }
}

/// The networks that a program can judge by: a weight file is read by the loader whose key its metadata hold.
///
/// ```
/// # fn loaders() -> Vec<cifake::Loader> { Vec::new() }
/// use cifake::{Detector, Registry};
///
/// let registry = loaders().into_iter().fold(Registry::new(), Registry::with);
/// let error = Detector::open(&registry, "nope").expect_err("no such weights").to_string();
/// assert!(error.contains("nope"));
/// ```
#[derive(Debug, Default)]
pub struct Registry {
    loaders: Vec<Loader>,
    files: Vec<Shipped>,
}

impl fmt::Debug for Shipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Shipped").field(&self.names).finish()
    }
}

impl Registry {
    /// A registry without a loader.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with another loader. If two have the same key, the one that was added first reads the file.
    #[must_use]
    pub fn with(mut self, loader: Loader) -> Self {
        self.loaders.push(loader);
        self
    }

    /// The same with the weight file at `path` under `name`.
    #[must_use]
    pub fn with_file(mut self, name: &'static str, path: impl Into<PathBuf>) -> Self {
        let names = vec![name];
        self.files.push(Shipped { names, weights: Weights::File(path.into()) });
        self
    }

    /// The names of the weights that it ships, the usual name of each.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.shipped().map(|shipped| shipped.names[0])
    }

    /// The metadata keys of the networks that it reads.
    pub fn keys(&self) -> impl Iterator<Item = &'static str> {
        self.loaders.iter().map(|loader| loader.key)
    }

    /// The weights that `which` names: shipped ones, else a weight file.
    ///
    /// # Errors
    ///
    /// [`DetectorError::UnknownWeights`] for a bare name that is neither.
    pub fn source<'a>(&'a self, which: &'a Path) -> Result<Source<'a>, Error> {
        let named = self.shipped().find_map(|shipped| {
            let name = shipped.names.iter().find(|name| Path::new(name) == which)?;
            Some(match &shipped.weights {
                Weights::Embedded(bytes) => Source::Bytes { name, bytes },
                Weights::File(path) => Source::File(path),
            })
        });
        let is_bare = which.extension().is_none() && which.components().count() == 1;
        match named {
            Some(source) => Ok(source),
            None if is_bare && !which.exists() => {
                let known = self.names().map(str::to_owned).collect();
                let name = which.display().to_string();
                Err(DetectorError::UnknownWeights { name, known }.into())
            }
            None => Ok(Source::File(which)),
        }
    }

    pub(crate) fn load(&self, source: Source<'_>, device: &Device) -> Result<Loaded, Error> {
        let checkpoint = Checkpoint::open(source)?;
        let declares = |loader: &&Loader| checkpoint.info().metadata.contains_key(loader.key);
        match self.loaders.iter().find(declares) {
            Some(loader) => (loader.load)(checkpoint, device),
            None => {
                let known = self.keys().map(str::to_owned).collect();
                let path = checkpoint.path().to_owned();
                Err(DetectorError::UnknownNetwork { path, known }.into())
            }
        }
    }

    fn shipped(&self) -> impl Iterator<Item = &Shipped> {
        self.loaders.iter().flat_map(|loader| &loader.shipped).chain(&self.files)
    }
}

impl From<Loader> for Registry {
    fn from(loader: Loader) -> Self {
        Self::new().with(loader)
    }
}
