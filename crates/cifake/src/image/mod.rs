//! The one converter between image files, RGB pixels and tensors.
//!
//! [`Decoder`] is the door through which every image byte enters: it knows a format by its content,
//! checks the header before it allocates a pixel, shares one allocation budget between all threads,
//! and answers a [`Picture`] or a typed error, whatever the bytes are.
//!
//! - **Formats**: PNG, JPEG, WebP, BMP, and the first frame of GIF, animated WebP and APNG.
//! - **Depth**: 16 bits a channel are rounded to 8; greyscale and palettes become RGB.
//! - **Alpha**: composited over white, as a page shows it, on the stored (sRGB) values.
//! - **Colour**: CMYK and YCCK JPEGs become RGB; ICC profiles are not applied.
//! - **Orientation**: the EXIF orientation is applied, so that `width` is what a viewer shows.
//! - **Size**: a model of 32x32 sees a 32x32 picture untouched and the whole of any other picture
//!   resized, see [`Picture::fitted`].

mod budget;
mod color;
mod decoder;
mod error;
mod header;
mod picture;
mod resize;
mod tensor;

pub(crate) use decoder::is_known_format;
pub use decoder::{DecodeLimits, Decoder, Fitted};
pub use error::PictureError;
pub use picture::{InputFit, Picture, is_near_grey};
pub use resize::Filter;
pub use tensor::{rgb8_from_tensor, tensor_from_flat_rgb8, tensor_from_rgb8};
