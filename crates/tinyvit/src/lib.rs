//! TinyViT on burn: timm checkpoints, presets native to 32x32, training, and shipped weights for the
//! [`Detector`] of AI-generated images.
//!
//! # A picture goes in, a verdict comes out
//!
//! ```
//! # #[cfg(feature = "embedded")]
//! # fn main() -> Result<(), cifake::Error> {
//! # let image = image::RgbImage::from_pixel(640, 480, image::Rgb([90, 120, 60]));
//! let detector = tinyvit::embedded()?;
//! let verdict = detector.detect(&image)?;
//! println!("{verdict}");
//! # assert_eq!((verdict.width, verdict.height), (640, 480));
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "embedded"))]
//! # fn main() {}
//! ```
//!
//! `image` is an `image::DynamicImage` or an `image::RgbImage`; [`Detector::detect_path`],
//! [`detect_bytes`](cifake::Detector::detect_bytes) and [`detect_rgb8`](cifake::Detector::detect_rgb8) take files,
//! their bytes, or bare pixels. The shipped model reads 32x32 pixels. A picture of that size is
//! judged as it is; any other is resized as a whole first, and [`Verdict::input`](cifake::Verdict::input) tells it.
//! [`Verdict::answer`](cifake::Verdict::answer) is UNSURE near the threshold, and for pictures unlike the training
//! ([`Familiarity`](cifake::Familiarity)), where the weight file gives the limits.
//!
//! [`Detector::builder`] chooses weights, device, threads and limits. Many files are judged in order, with bounded
//! memory, each with its own answer:
//!
//! ```
//! # #[cfg(feature = "embedded")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use cifake::{Detector, Input};
//!
//! # let folder = tempfile::tempdir()?;
//! # image::RgbImage::new(32, 32).save(folder.path().join("a.png"))?;
//! # std::fs::write(folder.path().join("b.png"), "no picture")?;
//! # let folder = folder.path();
//! let registry = tinyvit::loader().into();
//! let builder = Detector::builder().threads(2)?.threshold(0.9);
//! let detector = builder.open(&registry, "adversarial")?;
//! let mut n_failed = 0;
//! detector.detect_each(Input::expand(folder), |name, outcome| {
//!     match outcome {
//!         Ok(verdict) => println!("{name}: {}", verdict.label),
//!         Err(error) => n_failed += usize::from(!error.to_string().is_empty()),
//!     }
//!     Ok::<(), std::io::Error>(())
//! })?;
//! assert_eq!(n_failed, 1);
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "embedded"))]
//! # fn main() {}
//! ```
//!
//! # The network behind it
//!
//! [`TinyVitConfig`] has a preset for each published size and two of our own; [`cifake::weights`]
//! reads and writes weights with their configuration; [`TinyVitClassifier`] is what attacks and class
//! activation maps work on. Weights from elsewhere load strictly, both ways.
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use cifake::{Classifier, FeatureClassifier};
//! use tinyvit::{TinyVitClassifier, TinyVitConfig};
//!
//! let config = TinyVitConfig::native();
//! let classifier = TinyVitClassifier::new(&config.init(1, &Device::flex()), config);
//! let images = Tensor::<4>::ones([2, 3, 32, 32], &Device::flex()) * 0.5;
//! let logits = classifier.logits(images.clone());
//! let layer = classifier.layers().last().expect("every model has layers");
//! let again = classifier.head(classifier.features(images, layer), layer);
//! assert!((logits - again).abs().max().into_scalar::<f32>() < 1e-5);
//! ```
//!
//! # Features
//!
//! - `embedded` (default): the two sets of shipped weights, 8.9 MB, and [`embedded`].
//! - `embedded-native`: the same with the weights `native` alone.
//! - `train`: a [`TinyVit`] can be trained by `cifake-training`, from data to weights.
//! - `pytorch`: `.pt` checkpoints beside safetensors.
//! - `ndarray`, `wgpu`, `cuda`: more devices, chosen by [`DetectorBuilder::device`](cifake::DetectorBuilder::device).
//!
//! A program that only detects links no trainer, attack, plot, parquet reader or network access: these are other
//! packages, or features that are off by default. burn's autodiff and its weight store remain in every build, since
//! the kernels register their backward passes beside the operations and weight files are read by the store.
//!
//! [`Detector`]: cifake::Detector
//! [`Detector::builder`]: cifake::Detector::builder
//! [`Detector::detect_path`]: cifake::Detector::detect_path

mod attention;
mod block;
mod classifier;
mod config;
mod conv;
mod drop_path;
mod init;
mod model;
mod network;
mod plan;
mod pretrained;
#[cfg(feature = "train")]
mod training;
mod weight_file;

pub use attention::Attention;
pub use block::{NormMlp, TinyVitBlock};
pub use classifier::TinyVitClassifier;
pub use config::{IMAGENET_MEAN, IMAGENET_STD, Normalization, TinyVitConfig};
pub use conv::{MbConv, PatchEmbed, PatchMerging};
pub use drop_path::DropPath;
pub use model::{AttentionStage, ConvStage, Head, TinyVit};
#[cfg(feature = "embedded-native")]
pub use network::embedded;
pub use network::loader;
pub use plan::Plan;

/// Added to the variance in every layer norm, PyTorch's default.
const LAYER_NORM_EPSILON: f64 = 1e-5;
