//! Pictures inside a page.

use std::fmt;

use crate::png::{jpeg_base64, png_base64};

/// Longest side of a picture that is embedded as PNG, in pixels. A larger one would make the page too
/// large.
const MAX_PNG: u32 = 320;

/// RGB pixels as a `data:` URL.
pub(super) struct DataUrl<'a> {
    pub(super) pixels: &'a [u8],
    pub(super) width: u32,
    pub(super) height: u32,
}

impl fmt::Display for DataUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pixels, width, height } = *self;
        if width.max(height) <= MAX_PNG {
            return write!(f, "data:image/png;base64,{}", png_base64(pixels, width, height));
        }
        write!(f, "data:image/jpeg;base64,{}", jpeg_base64(pixels, width, height))
    }
}
