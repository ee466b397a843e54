//! Pictures as squares of one size, whatever their shape: SigLIP's processor.

use std::path::Path;

use cifake::{Filter, Picture};

use super::config::PreprocessorConfig;
use super::enlargement::Enlargement;
use super::normalization::Normalization;
use crate::error::Error;

/// The longest side of a tower's input.
const MAX_IMAGE_SIZE: u32 = 1024;

/// SigLIP's picture processor: a picture is resized straight to a square, without a crop.
///
/// As `SiglipImageProcessorPil` of transformers 5.24. A picture more than 200 times as long as wide is an
/// error here.
#[derive(Debug, Clone, PartialEq)]
pub struct SquareProcessor {
    normalization: Normalization,
    interpolation: Filter,
    image_size: u32,
}

impl SquareProcessor {
    /// SigLIP's normalization and bicubic resizing to `image_size` pixels each side.
    #[must_use]
    pub fn siglip(image_size: u32) -> Self {
        let (normalization, interpolation) = (Normalization::siglip(), Filter::Bicubic);
        Self { normalization, interpolation, image_size }
    }

    /// The processor that a `preprocessor_config.json` describes, of a class whose name begins with one of
    /// `classes`. A field that is absent is that of `published`.
    pub(super) fn of_classes(
        config: &PreprocessorConfig,
        classes: &[&str],
        published: &Self,
    ) -> Result<Self, Error> {
        config.check_class(classes)?;
        let image_size = match config.sides()? {
            None => published.image_size,
            Some((height, width)) if height == width && (1..=MAX_IMAGE_SIZE).contains(&height) => {
                height
            }
            Some((height, width)) => {
                let reason = format!(
                    "`size` is {height}x{width}; a square of at most {MAX_IMAGE_SIZE} is read"
                );
                return Err(config.refused(reason));
            }
        };
        Ok(Self {
            normalization: config.normalization(&published.normalization)?,
            interpolation: config.interpolation()?,
            image_size,
        })
    }

    /// The processor that a `preprocessor_config.json` describes; what it leaves out is SigLIP's, 224 pixels
    /// each side.
    ///
    /// # Errors
    /// [`Error::ProcessorConfig`] for settings that are out of bounds or not supported.
    pub fn from_config(config: &PreprocessorConfig) -> Result<Self, Error> {
        Self::of_classes(config, &["Siglip"], &Self::siglip(224))
    }

    /// The processor that the `preprocessor_config.json` of a model's `folder` describes.
    ///
    /// # Errors
    /// As [`PreprocessorConfig::read`] and [`from_config`](Self::from_config).
    pub fn read(folder: &Path) -> Result<Self, Error> {
        Self::from_config(&PreprocessorConfig::read(folder)?)
    }

    /// Pixels of each side of the tower's input.
    #[must_use]
    pub fn image_size(&self) -> usize {
        self.image_size as usize
    }

    /// The values of `picture`, enlarged as `enlargement` says: `[3, side, side]`, normalized.
    ///
    /// # Errors
    /// As [`Enlargement::apply`].
    pub fn process(&self, picture: &Picture, enlargement: Enlargement) -> Result<Vec<f32>, Error> {
        Ok(self.values(&[enlargement.apply(picture)?]))
    }

    /// The values of `pictures`, `[pictures, 3, side, side]`.
    pub(super) fn values(&self, pictures: &[Picture]) -> Vec<f32> {
        let table = self.normalization.table();
        let mut values = Vec::with_capacity(pictures.len() * 3 * self.image_size().pow(2));
        for picture in pictures {
            let shown =
                picture.resized_as_pillow(self.image_size, self.image_size, self.interpolation);
            let (pixels, _) = shown.pixels().as_chunks::<3>();
            for (channel, table) in table.iter().enumerate() {
                values.extend(pixels.iter().map(|pixel| table[usize::from(pixel[channel])]));
            }
        }
        values
    }
}
