//! The construction of a detector.

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;

use super::{Calibration, Detector};
use crate::registry::Loaded;
use crate::weights::Source;
use crate::{DecodeLimits, Decoder, Error, Familiarity, Registry, Threads, batch_within};

/// The construction of a [`Detector`]: its device, its threads, and the files that it accepts.
///
/// ```
/// # fn open(registry: &cifake::Registry) -> Result<(), cifake::Error> {
/// use cifake::Detector;
///
/// let detector = Detector::builder().threads(2)?.threshold(0.9).open(registry, "native")?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct DetectorBuilder {
    device: Option<Device>,
    threads: Option<Threads>,
    limits: DecodeLimits,
    threshold: Option<f32>,
    averages_mirror: bool,
}

impl DetectorBuilder {
    /// Computes on `device` instead of `flex`. On `flex`, and there alone, the network is compiled.
    #[must_use]
    pub fn device(mut self, device: &Device) -> Self {
        self.device = Some(device.clone().inner());
        self
    }

    /// Decodes and computes in a pool of `n_threads`; 0, the default, takes one a core.
    ///
    /// # Errors
    ///
    /// As [`Threads::new`].
    pub fn threads(self, n_threads: usize) -> Result<Self, Error> {
        Ok(self.in_threads(&Threads::new(n_threads)?))
    }

    /// Decodes and computes in a pool that others use, too.
    #[must_use]
    pub fn in_threads(mut self, threads: &Threads) -> Self {
        self.threads = Some(threads.clone());
        self
    }

    /// Accepts image files within `limits`, with an allocation budget of its own.
    #[must_use]
    pub fn limits(mut self, limits: DecodeLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Calls a picture of any size FAKE from this probability on, in `[0, 1]`, instead of the weight file's.
    #[must_use]
    pub fn threshold(mut self, threshold: f32) -> Self {
        self.threshold = Some(threshold);
        self
    }

    /// Judges each picture and its mirror image, see [`Detector::with_mirror_averaging`].
    #[must_use]
    pub fn mirror_averaging(mut self) -> Self {
        self.averages_mirror = true;
        self
    }

    /// The detector of the weights that `which` names in `registry`: shipped ones, else a weight file.
    ///
    /// # Errors
    ///
    /// As [`Registry::source`] and [`load`](Self::load).
    pub fn open(self, registry: &Registry, which: impl AsRef<Path>) -> Result<Detector, Error> {
        self.load(registry, registry.source(which.as_ref())?)
    }

    /// The detector of the weights in `source`, whose metadata declare a network of `registry`.
    ///
    /// # Errors
    ///
    /// As [`Checkpoint::open`](crate::weights::Checkpoint::open) and
    /// [`configured_from`](crate::weights::configured_from); a calibration that is no usable number; tensors that
    /// are no familiarity; [`DetectorError`](crate::DetectorError) for a network that the registry does not know or
    /// a threshold that is no probability; [`Error::Threads`].
    pub fn load(self, registry: &Registry, source: Source<'_>) -> Result<Detector, Error> {
        let threads = self.threads.map_or_else(|| Threads::new(0), Ok)?;
        let device = self.device.unwrap_or_else(Device::flex);
        let (loaded, plan) = threads.install(|| -> Result<_, Error> {
            let loaded = registry.load(source, &device)?;
            let compiled = (device == Device::flex()).then(|| loaded.network.compile());
            Ok((loaded, compiled.flatten().map(Arc::from)))
        })?;
        let Loaded { network, weights, familiarity } = loaded;
        let path = source.path();
        let mut calibration =
            Calibration::from_metadata(&path.display().to_string(), &weights.metadata)?;
        if let Some(threshold) = self.threshold {
            calibration = calibration.with_threshold(threshold)?;
        }
        let familiarity = (!familiarity.is_empty())
            .then(|| Familiarity::from_tensors(familiarity, network.embedding_dim()))
            .transpose()
            .map_err(|reason| Error::WeightConfig { path, reason })?;
        Ok(Detector {
            model_name: format!("{}@{}", network.name(), &weights.sha256[..8]).into(),
            batch: batch_within(network.activation_bytes()),
            network,
            plan,
            device,
            threads,
            decoder: Decoder::new(self.limits),
            calibration,
            averages_mirror: self.averages_mirror,
            familiarity: familiarity.map(Arc::new),
            weights: Arc::new(weights),
        })
    }
}

impl Detector {
    /// The builder of a detector: device, threads, limits.
    #[must_use]
    pub fn builder() -> DetectorBuilder {
        DetectorBuilder::default()
    }

    /// The detector of the weights that `which` names in `registry`, shipped ones or a weight file, on the CPU with
    /// one thread a core.
    ///
    /// # Errors
    ///
    /// As [`DetectorBuilder::open`].
    pub fn open(registry: &Registry, which: impl AsRef<Path>) -> Result<Self, Error> {
        Self::builder().open(registry, which)
    }
}
