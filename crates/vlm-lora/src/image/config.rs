//! `preprocessor_config.json`: how a published model wants its pictures.
//!
//! Of the fields that transformers 5.24 reads there, those that change pixels are obeyed or refused by
//! name. Others are how pictures are padded into a batch, in which format they are returned, and
//! `do_convert_rgb`, since pictures are RGB here.

use std::path::{Path, PathBuf};

use cifake::Filter;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};

use super::normalization::Normalization;
use crate::error::Error;

/// The file of the settings in a model's folder.
pub(super) const FILE: &str = "preprocessor_config.json";
/// The file in which transformers 5 keeps them together with those of the tokenizer.
pub(super) const COMBINED: &str = "processor_config.json";
/// The most bytes of a `preprocessor_config.json`; published ones have below 1,000.
const MAX_BYTES: u64 = 1 << 20;

/// The fields of a `preprocessor_config.json` that the processors know. Other entries are
/// upstream's business and ignored.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct PreprocessorConfig {
    /// The file it was read from.
    #[serde(skip)]
    pub path: Option<PathBuf>,
    /// Whether bytes are brought to the tower's size.
    pub do_resize: Option<bool>,
    /// Whether bytes are multiplied by `rescale_factor`.
    pub do_rescale: Option<bool>,
    /// Whether mean and standard deviation are applied.
    pub do_normalize: Option<bool>,
    /// Whether the middle is cut out.
    pub do_center_crop: Option<bool>,
    /// Whether a frame is put around.
    pub do_pad: Option<bool>,
    /// Upstream's class.
    pub image_processor_type: Option<String>,
    /// Mean of R, G, B.
    pub image_mean: Option<PerChannel>,
    /// Standard deviation of R, G, B.
    pub image_std: Option<PerChannel>,
    /// The factor of a byte.
    pub rescale_factor: Option<f64>,
    /// Pillow's number of the filter: 0 nearest, 3 bicubic.
    #[serde(default, deserialize_with = "whole")]
    pub resample: Option<u32>,
    /// Side of a patch.
    #[serde(default, deserialize_with = "whole")]
    pub patch_size: Option<u32>,
    /// Frames of a patch.
    #[serde(default, deserialize_with = "whole")]
    pub temporal_patch_size: Option<u32>,
    /// Patches of a side of a block that becomes one token.
    #[serde(default, deserialize_with = "whole")]
    pub merge_size: Option<u32>,
    /// The least pixels of a picture.
    #[serde(default, deserialize_with = "whole")]
    pub min_pixels: Option<u64>,
    /// The most pixels of a picture.
    #[serde(default, deserialize_with = "whole")]
    pub max_pixels: Option<u64>,
    /// Sides, or bounds on the pixels, in one of upstream's forms.
    pub size: Option<Size>,
}

/// One number a channel, or one for all.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum PerChannel {
    /// The same for each.
    One(f64),
    /// R, G and B.
    Three([f64; 3]),
}

/// The forms of `size`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Size {
    /// Rows of the tower's input.
    #[serde(default, deserialize_with = "whole")]
    pub height: Option<u32>,
    /// Columns of the tower's input.
    #[serde(default, deserialize_with = "whole")]
    pub width: Option<u32>,
    /// The least pixels, as older Qwen2-VL files call them.
    #[serde(default, deserialize_with = "whole")]
    pub min_pixels: Option<u64>,
    /// The most pixels, as older Qwen2-VL files call them.
    #[serde(default, deserialize_with = "whole")]
    pub max_pixels: Option<u64>,
    /// The least pixels, as newer files misname them.
    #[serde(default, deserialize_with = "whole")]
    pub shortest_edge: Option<u64>,
    /// The most pixels, as newer files misname them.
    #[serde(default, deserialize_with = "whole")]
    pub longest_edge: Option<u64>,
}

impl PreprocessorConfig {
    /// The settings in the JSON of `bytes`.
    ///
    /// # Errors
    /// [`Error::ProcessorConfig`] if they are no JSON object of the known entries' types.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        serde_json::from_slice(bytes)
            .map_err(|error| Error::ProcessorConfig { path: None, reason: error.to_string() })
    }

    /// The settings under `image_processor` in the `processor_config.json` of a model's `folder`, which
    /// transformers 5 writes, or else in its `preprocessor_config.json`.
    ///
    /// # Errors
    /// [`Error::Cifake`] if it cannot be read or has more than a MiB; as
    /// [`from_bytes`](Self::from_bytes), with the path.
    pub fn read(folder: &Path) -> Result<Self, Error> {
        let combined = folder.join(COMBINED);
        if combined.is_file()
            && let Combined { image_processor: Some(settings) } = json(&combined)?
        {
            return Ok(Self { path: Some(combined), ..settings });
        }
        let path = folder.join(FILE);
        let config: Self = json(&path)?;
        Ok(Self { path: Some(path), ..config })
    }

    /// An error that names the file.
    pub(crate) fn refused(&self, reason: String) -> Error {
        Error::ProcessorConfig { path: self.path.clone(), reason }
    }

    /// The normalization, with `published` numbers where the file has none.
    pub(crate) fn normalization(&self, published: &Normalization) -> Result<Normalization, Error> {
        for (name, on) in [("do_rescale", self.do_rescale), ("do_normalize", self.do_normalize)] {
            if on == Some(false) {
                return Err(self.refused(format!("`{name}` is false, which is not supported")));
            }
        }
        let three = |given: Option<PerChannel>, published: [f64; 3]| match given {
            None => published,
            Some(PerChannel::One(value)) => [value; 3],
            Some(PerChannel::Three(values)) => values,
        };
        let normalization = Normalization {
            rescale: self.rescale_factor.unwrap_or(published.rescale),
            mean: three(self.image_mean, published.mean),
            deviation: three(self.image_std, published.deviation),
        };
        let ordinary = |value: &f64| value.is_finite() && value.abs() < 1e6;
        let positive = |value: &f64| ordinary(value) && *value > 1e-6;
        let Normalization { rescale, mean, deviation } = &normalization;
        if !positive(rescale) || !mean.iter().all(ordinary) || !deviation.iter().all(positive) {
            let reason = "`image_mean`, `image_std` or `rescale_factor` is out of bounds";
            return Err(self.refused(reason.to_owned()));
        }
        Ok(normalization)
    }

    /// The filter; bicubic where the file names none.
    pub(crate) fn interpolation(&self) -> Result<Filter, Error> {
        if self.do_resize == Some(false) {
            return Err(self.refused("`do_resize` is false, which is not supported".to_owned()));
        }
        match self.resample {
            None | Some(3) => Ok(Filter::Bicubic),
            Some(0) => Ok(Filter::Nearest),
            Some(other) => {
                Err(self.refused(format!("`resample` is {other}; 0 and 3 are supported")))
            }
        }
    }

    /// Refuses what upstream's class for this architecture would not be, or would do beside.
    pub(crate) fn check_class(&self, prefixes: &[&str]) -> Result<(), Error> {
        for (name, on) in [("do_center_crop", self.do_center_crop), ("do_pad", self.do_pad)] {
            if on == Some(true) {
                return Err(self.refused(format!("`{name}` is true, which is not supported")));
            }
        }
        match &self.image_processor_type {
            Some(class) if !prefixes.iter().any(|prefix| class.starts_with(prefix)) => {
                let class: String = class.chars().take(80).collect();
                let known = prefixes.join(" or ");
                Err(self.refused(format!("`image_processor_type` is {class}, not {known}")))
            }
            _ => Ok(()),
        }
    }

    /// The least and the most pixels, or `published`. Beside `size` they take the place of its edges, of
    /// which it must then name the other one.
    pub(crate) fn pixels(&self, published: (u64, u64)) -> Result<(u64, u64), Error> {
        let (least, most) = match self.size {
            None => (Some(published.0), Some(published.1)),
            Some(size) => (size.shortest_edge, size.longest_edge),
        };
        let pair = self.min_pixels.or(least).zip(self.max_pixels.or(most));
        // Older files have the names of the bounds inside as well.
        let is_older = self.min_pixels.or(self.max_pixels).is_none();
        let of_size = |size: Size| size.min_pixels.zip(size.max_pixels).filter(|_| is_older);
        pair.or_else(|| self.size.and_then(of_size)).ok_or_else(|| {
            let reason = "`size` names not both `shortest_edge` and `longest_edge`, and neither \
                          `min_pixels` nor `max_pixels` makes up for it";
            self.refused(reason.to_owned())
        })
    }

    /// Height and width of the tower's input; `None` where the file has no `size`.
    pub(crate) fn sides(&self) -> Result<Option<(u32, u32)>, Error> {
        let Some(size) = self.size else { return Ok(None) };
        match size.height.zip(size.width) {
            Some(sides) => Ok(Some(sides)),
            None => Err(self.refused("`size` names not both `height` and `width`".to_owned())),
        }
    }
}

/// A whole number, be it written with a decimal point.
fn whole<'de, D: Deserializer<'de>, T: TryFrom<u64>>(reader: D) -> Result<Option<T>, D::Error> {
    let Some(number) = Option::<serde_json::Number>::deserialize(reader)? else { return Ok(None) };
    let is_whole = |x: &f64| x.fract() == 0.0 && (0.0..=9e15).contains(x);
    let whole = number.as_u64().or_else(|| Some(number.as_f64().filter(is_whole)? as u64));
    let found = whole.and_then(|number| T::try_from(number).ok());
    found.map(Some).ok_or_else(|| D::Error::custom(format!("{number} is no whole number of use")))
}

/// The part of [`COMBINED`] that is read.
#[derive(Deserialize)]
struct Combined {
    image_processor: Option<PreprocessorConfig>,
}

/// The content of the file at `path`.
fn json<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let bytes = cifake::file::read_limited(path, MAX_BYTES)?;
    serde_json::from_slice(&bytes).map_err(|error| Error::ProcessorConfig {
        path: Some(path.to_owned()),
        reason: error.to_string(),
    })
}
