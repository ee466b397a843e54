//! The one converter between image files, RGB pixels and tensors.
//!
//! [`Decoder`] is the door through which every image byte enters: it knows a format by its content,
//! checks the header before it allocates a pixel, shares one allocation budget between all threads,
//! and answers a [`Picture`] or a typed error, whatever the bytes are.
//!
//! - **Formats**: PNG, JPEG, WebP, BMP, and the first frame of GIF, animated WebP and APNG.
//! - **Depth**: 16 bits a channel are rounded to 8; greyscale and palettes become RGB.
//! - **Alpha**: composited over white, as a page shows it, on the stored (sRGB) values.
//! - **Color**: CMYK and YCCK JPEGs become RGB. ICC profiles are not applied: the stored values are
//!   taken for sRGB, as Pillow and torchvision take them, by which models and data sets are made.
//!   Colors of a wide-gamut photograph (Display P3, Adobe RGB) are therefore less saturated than a
//!   viewer shows them.
//! - **Damage**: a JPEG whose coded data ends early is an error, an end marker or another picture
//!   behind it notwithstanding; viewers show the missing part in grey.
//! - **Orientation**: the EXIF orientation is applied, so that `width` is what a viewer shows.
//! - **Size**: a model of 32x32 sees a 32x32 picture untouched and the whole of any other picture
//!   resized, see [`Picture::fitted`].

mod budget;
mod color;
mod decoder;
mod error;
mod fit;
mod header;
mod jpeg;
mod limits;
mod picture;
mod pillow;
mod resize;
mod tensor;

pub(crate) use decoder::is_known_format;
pub use decoder::{Decoder, Fitted};
pub use error::PictureError;
pub use fit::InputFit;
pub use limits::DecodeLimits;
pub use picture::{Picture, is_near_grey};
pub use resize::Filter;
pub use tensor::{rgb8_from_tensor, tensor_from_flat_rgb8, tensor_from_rgb8};
