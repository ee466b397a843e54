//! Walks through containers. Each reads what stands at its proper place and stops where the picture
//! ends: bytes behind it are no declaration.

mod bytes;
mod jpeg;
mod png;
mod tiff;
mod webp;

use crate::contents::{Contents, Manifest};
use crate::format::Format;

/// The metadata in `bytes`, a file of `format`.
pub(crate) fn contents(format: Format, bytes: &[u8]) -> Contents {
    let mut contents = Contents::default();
    match format {
        Format::Jpeg => jpeg::walk(bytes, &mut contents),
        Format::Png => png::walk(bytes, &mut contents),
        Format::Webp => webp::walk(bytes, &mut contents),
        Format::Tiff => tiff::walk(bytes, &mut contents),
        // The reader of manifests finds the place in these by itself.
        Format::Gif | Format::Svg | Format::Avif | Format::Heic => {
            contents.manifest = Manifest::There;
        }
    }
    contents
}
