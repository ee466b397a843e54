//! Pictures inside a page.

use std::fmt;

use crate::png::png_base64;

/// RGB pixels as the `data:` URL of a PNG.
pub(super) struct DataUrl<'a> {
    pub(super) pixels: &'a [u8],
    pub(super) width: u32,
    pub(super) height: u32,
}

impl fmt::Display for DataUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let png = png_base64(self.pixels, self.width, self.height);
        write!(f, "data:image/png;base64,{png}")
    }
}
