//! Pictures as vision towers read them, byte for byte as upstream's processors make them.
//!
//! [`Qwen2VlProcessor`] makes rows of patches of any number of pictures, [`MultiCropProcessor`] the
//! crops of MC-LLaVA; both read a model's `preprocessor_config.json`. Every call states an
//! [`Enlargement`]: the treatment of a picture that is too small for them.

mod config;
mod crops;
mod enlargement;
mod normalization;
mod patches;
#[cfg(test)]
mod processor_tests;
mod smart_resize;
mod square;

pub use config::{PerChannel, PreprocessorConfig, Size};
pub use crops::{Crop, Crops, MultiCropProcessor};
pub use enlargement::Enlargement;
pub use normalization::Normalization;
pub use patches::{Grid, PatchForm, Patches, Qwen2VlProcessor};
pub(crate) use smart_resize::check_aspect_ratio;
pub use smart_resize::smart_resize;
pub use square::SquareProcessor;
