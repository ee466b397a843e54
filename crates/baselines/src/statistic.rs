//! Detectors without training: one number a picture, and a threshold from labelled pictures.

use std::fmt::Debug;

use burn::tensor::{Device, Tensor};
use cifake::{
    Batches, Classifier, Dataset, Decoder, Differentiable, EmbeddingClassifier, FeatureClassifier,
    Label, Network, batch_within, class_scores,
};
use serde::{Deserialize, Serialize};

use crate::Error;

/// Newton's method on a convex function of two variables converges in fewer steps.
const MAX_STEPS: usize = 100;
/// Spread below which values that differ by rounding count as equal, relative to their size.
const MIN_SPREAD: f64 = 1e-6;

/// A number that tells camera pictures from generated ones, without training.
///
/// Gradients reach the pictures. If an implementation rounds pixels to 8 bits, the gradient passes
/// straight through (BPDA, Athalye et al. 2018, arXiv 1802.00420).
///
/// # A detector of your own
///
/// This one judges by the mean saturation. Its weight file holds the threshold alone.
///
/// ```
/// use baselines::{Logistic, Statistic, StatisticNetwork};
/// use burn::module::Module;
/// use burn::tensor::{Device, Tensor};
/// use cifake::weights::{Configured, Precision, Source, configured_bytes};
/// use cifake::{Detector, Label, Loader};
/// use serde::{Deserialize, Serialize};
///
/// /// Mean saturation of HSV, in `[0, 1]`.
/// #[derive(Debug)]
/// struct Saturation;
///
/// impl Statistic for Saturation {
///     fn name(&self) -> String {
///         "saturation".to_owned()
///     }
///
///     fn input_size(&self) -> (u32, u32) {
///         (32, 32)
///     }
///
///     fn activation_bytes(&self) -> u64 {
///         // Four bytes for each of seven planes: the picture and those of `value`.
///         32 * 32 * 7 * 4
///     }
///
///     fn value(&self, images: Tensor<4>) -> Tensor<1> {
///         let [batch, _, height, width] = images.dims();
///         let (most, least) = (images.clone().max_dim(1), images.min_dim(1));
///         let saturation = (most.clone() - least) / most.clamp_min(1e-6);
///         saturation.reshape([batch, height * width]).mean_dim(1).reshape([batch])
///     }
/// }
///
/// /// What its weight files hold.
/// #[derive(Serialize, Deserialize)]
/// #[serde(deny_unknown_fields)]
/// struct SaturationConfig {
///     logistic: Logistic,
/// }
///
/// /// The module of its weight files, which has no weights.
/// #[derive(Module, Debug)]
/// struct NoWeights;
///
/// impl Configured for NoWeights {
///     type Config = SaturationConfig;
///     const KEY: &'static str = "saturation_config";
///
///     fn validate(config: &SaturationConfig) -> Result<(), String> {
///         config.logistic.validate()
///     }
///
///     fn n_values(_: &SaturationConfig) -> u64 {
///         0
///     }
///
///     fn activation_bytes(_: &SaturationConfig) -> u64 {
///         Saturation.activation_bytes()
///     }
///
///     fn build(_: &SaturationConfig, _: &Device) -> Self {
///         Self
///     }
/// }
///
/// /// Reads its weight files.
/// fn saturation_loader() -> Loader {
///     Loader::of(|_: &NoWeights, config: SaturationConfig| {
///         Ok(StatisticNetwork::new(Saturation, config.logistic))
///     })
/// }
///
/// // Values of pictures whose labels are known; `Logistic::fit_statistic` computes them.
/// let values = [0.4, 0.5, 0.6, 0.7, 0.1, 0.2, 0.3, 0.5];
/// let labels = [[Label::Real; 4], [Label::Fake; 4]].concat();
/// let config = SaturationConfig { logistic: Logistic::fit(&values, &labels)? };
/// let (notes, beside) = Default::default();
/// let bytes = configured_bytes(&NoWeights, &config, &notes, Precision::F32, &beside)?;
///
/// let source = Source::Bytes { name: "saturation", bytes: &bytes };
/// let detector = Detector::builder().load(&saturation_loader().into(), source)?;
/// let grey = detector.detect_rgb8(&[90; 3 * 32 * 32], 32, 32)?;
/// let red = detector.detect_rgb8(&[200, 10, 10].repeat(32 * 32), 32, 32)?;
/// assert_eq!([grey.label, red.label], [Label::Fake, Label::Real]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Statistic: Debug + Send + Sync + 'static {
    /// Name of the method and its encoder, such as `aeroblade-tae`.
    fn name(&self) -> String;

    /// Width and height of the pictures, in pixels.
    fn input_size(&self) -> (u32, u32);

    /// Memory that the activations of one picture take at once, in bytes, at most.
    fn activation_bytes(&self) -> u64;

    /// One number a picture, `[batch]`, in the method's own unit. It depends on that picture alone.
    ///
    /// `images` are `[batch, 3, height, width]`, RGB, in `[0, 1]`; normalization happens inside.
    fn value(&self, images: Tensor<4>) -> Tensor<1>;
}

/// The logit of FAKE as a function of a statistic: `scale * (value - center)`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Logistic {
    /// Value at which REAL and FAKE are equally probable.
    pub center: f32,
    /// Change of the logit where the statistic grows by 1. Its sign is the direction of the statistic.
    pub scale: f32,
}

impl Logistic {
    /// Whether both numbers are finite and the scale is not 0; a sentence says why not.
    ///
    /// # Errors
    ///
    /// That sentence.
    pub fn validate(&self) -> Result<(), String> {
        if self.center.is_finite() && self.scale.is_finite() && self.scale != 0.0 {
            return Ok(());
        }
        Err("center and scale must be finite, and scale not 0".into())
    }

    /// Logistic regression of `labels` on `values`, with the targets of Platt (1999), which keep the slope
    /// finite where the values separate the labels without error. The same arguments give the same result.
    ///
    /// # Errors
    ///
    /// [`cifake::Error::LengthMismatch`], [`cifake::Error::OneLabel`], [`Error::StatisticNotFinite`],
    /// [`Error::StatisticConstant`]; [`Error::NoSeparation`] where the slope is within one standard error of 0.
    pub fn fit(values: &[f32], labels: &[Label]) -> Result<Self, Error> {
        let targets = targets(values, labels)?;
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            return Err(Error::StatisticNotFinite { index, value: values[index] });
        }
        let n = values.len() as f64;
        let mean = values.iter().map(|&value| f64::from(value)).sum::<f64>() / n;
        let squares = values.iter().map(|&value| (f64::from(value) - mean).powi(2)).sum::<f64>();
        let spread = (squares / n).sqrt();
        if spread <= MIN_SPREAD * mean.abs() {
            return Err(Error::StatisticConstant { value: values[0] });
        }
        let standard: Vec<_> =
            values.iter().map(|&value| (f64::from(value) - mean) / spread).collect();
        let Line { slope, offset, error } = Line::fit(&standard, &targets);
        if slope.abs() <= error {
            return Err(Error::NoSeparation { slope, error });
        }
        let center = (mean - offset / slope * spread) as f32;
        Ok(Self { center, scale: (slope / spread) as f32 })
    }

    /// As [`fit`](Self::fit), of the values that `statistic` gives to `pictures` on `device`.
    ///
    /// # Errors
    ///
    /// Those of [`fit`](Self::fit), and the first picture that cannot be read.
    pub fn fit_statistic(
        statistic: &dyn Statistic,
        pictures: &Pictures<'_>,
        device: &Device,
    ) -> Result<Self, Error> {
        let indices = pictures.indices.clone();
        let size = statistic.input_size();
        let batch = batch_within(statistic.activation_bytes());
        let batches = Batches::new(pictures.dataset, indices, batch, size, &pictures.decoder);
        let (mut values, mut labels) = (Vec::new(), Vec::new());
        for mut batch in batches {
            if let Some((_, error)) = batch.failed.pop() {
                return Err(error.into());
            }
            if let Some(images) = batch.images(device) {
                values.extend(statistic.value(images).into_data().iter::<f32>());
            }
            let samples = pictures.dataset.samples();
            labels.extend(batch.indices.iter().map(|&index| samples[index].label));
        }
        Self::fit(&values, &labels)
    }
}

/// Labelled pictures that a threshold is fitted on.
pub struct Pictures<'a> {
    /// The data set that holds the pictures.
    pub dataset: &'a dyn Dataset,
    /// The samples that are taken.
    pub indices: Vec<usize>,
    /// Reads them.
    pub decoder: Decoder,
}

/// A [`Statistic`] as a network: its embedding is the value, and no layer can be cut.
#[derive(Debug)]
pub struct StatisticNetwork<S> {
    statistic: S,
    logistic: Logistic,
}

impl<S: Statistic> StatisticNetwork<S> {
    /// `statistic` with the logit of FAKE that `logistic` makes of it.
    #[must_use]
    pub fn new(statistic: S, logistic: Logistic) -> Self {
        Self { statistic, logistic }
    }
}

impl<S: Statistic> Classifier for StatisticNetwork<S> {
    fn logits(&self, images: Tensor<4>) -> Tensor<2> {
        self.logits_and_embedding(images).0
    }
}

impl<S: Statistic> Differentiable for StatisticNetwork<S> {}

impl<S: Statistic> FeatureClassifier for StatisticNetwork<S> {}

impl<S: Statistic> EmbeddingClassifier for StatisticNetwork<S> {
    fn logits_and_embedding(&self, images: Tensor<4>) -> (Tensor<2>, Tensor<2>) {
        let [batch, ..] = images.dims();
        let value = self.statistic.value(images).reshape([batch, 1]);
        let Logistic { center, scale } = self.logistic;
        (class_scores((value.clone() - center) * scale), value)
    }
}

impl<S: Statistic> Network for StatisticNetwork<S> {
    fn name(&self) -> String {
        self.statistic.name()
    }

    fn input_size(&self) -> (u32, u32) {
        self.statistic.input_size()
    }

    fn embedding_dim(&self) -> usize {
        1
    }

    fn activation_bytes(&self) -> u64 {
        self.statistic.activation_bytes()
    }
}

/// Platt's targets: a little less than 1 for FAKE, a little more than 0 for REAL.
fn targets(values: &[f32], labels: &[Label]) -> Result<Vec<f64>, cifake::Error> {
    if values.len() != labels.len() {
        let (scores, labels) = (values.len(), labels.len());
        return Err(cifake::Error::LengthMismatch { scores, labels });
    }
    let n_fake = labels.iter().filter(|&&label| label == Label::Fake).count();
    let n_real = labels.len() - n_fake;
    match (n_real, n_fake) {
        (0, _) => return Err(cifake::Error::OneLabel { missing: Label::Real }),
        (_, 0) => return Err(cifake::Error::OneLabel { missing: Label::Fake }),
        _ => {}
    }
    let (fake, real) = ((n_fake as f64 + 1.0) / (n_fake as f64 + 2.0), 1.0 / (n_real as f64 + 2.0));
    Ok(labels.iter().map(|&label| if label == Label::Fake { fake } else { real }).collect())
}

/// A logit `slope * x + offset`, and the standard error of the slope.
struct Line {
    slope: f64,
    offset: f64,
    error: f64,
}

impl Line {
    /// Newton's method with halved steps (Lin, Lin and Weng 2007), from 0.
    fn fit(xs: &[f64], targets: &[f64]) -> Self {
        let mut line = Self { slope: 0.0, offset: 0.0, error: f64::INFINITY };
        let mut loss = line.loss(xs, targets);
        for _ in 0..MAX_STEPS {
            let ([by_slope, by_offset], [slopes, mixed, offsets]) = line.derivatives(xs, targets);
            let determinant = slopes * offsets - mixed * mixed;
            line.error = (offsets / determinant).sqrt();
            let step = [
                (offsets * by_slope - mixed * by_offset) / determinant,
                (slopes * by_offset - mixed * by_slope) / determinant,
            ];
            let tried = (0..30).map(|halvings| line.moved(step, 0.5_f64.powi(halvings)));
            let lower = tried
                .map(|next| (next.loss(xs, targets), next))
                .find(|(next_loss, _)| *next_loss < loss);
            let Some((next_loss, next)) = lower else { break };
            (loss, line) = (next_loss, next);
        }
        line
    }

    fn moved(&self, [slope, offset]: [f64; 2], share: f64) -> Self {
        let (slope, offset) = (self.slope - share * slope, self.offset - share * offset);
        Self { slope, offset, error: self.error }
    }

    /// Cross entropy, summed.
    fn loss(&self, xs: &[f64], targets: &[f64]) -> f64 {
        let of_one = |(&x, &target): (&f64, &f64)| {
            let logit = self.slope * x + self.offset;
            logit.max(0.0) - target * logit + (-logit.abs()).exp().ln_1p()
        };
        xs.iter().zip(targets).map(of_one).sum()
    }

    /// Gradient and Hessian (slope twice, mixed, offset twice) of [`loss`](Self::loss).
    fn derivatives(&self, xs: &[f64], targets: &[f64]) -> ([f64; 2], [f64; 3]) {
        let (mut gradient, mut hessian) = ([0.0; 2], [0.0; 3]);
        for (&x, &target) in xs.iter().zip(targets) {
            let probability = 1.0 / (1.0 + (-self.slope * x - self.offset).exp());
            let weight = probability * (1.0 - probability);
            gradient[0] += (probability - target) * x;
            gradient[1] += probability - target;
            hessian[0] += weight * x * x;
            hessian[1] += weight * x;
            hessian[2] += weight;
        }
        (gradient, hessian)
    }
}

#[cfg(test)]
mod tests;
