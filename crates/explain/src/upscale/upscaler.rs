//! The trait of all upscalers.

use cifake::Picture;

use crate::Error;

/// Enlarges pictures by a whole factor.
pub trait Upscaler {
    /// The name in tables.
    fn name(&self) -> String;

    /// The factor of height and width.
    fn factor(&self) -> u32;

    /// `picture`, enlarged.
    ///
    /// # Errors
    ///
    /// [`Error::Enlarged`] if the enlarged size is 0 or too large.
    fn upscale(&self, picture: &Picture) -> Result<Picture, Error>;
}
