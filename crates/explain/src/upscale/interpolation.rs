//! Enlarging by interpolation.

use cifake::{Filter, Picture};

use super::Upscaler;
use crate::Error;

/// Interpolation with a fixed kernel, by the given factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interpolation {
    /// A windowed sinc of three lobes.
    Lanczos(u32),
    /// The cubic spline of Catmull and Rom.
    Bicubic(u32),
}

impl Upscaler for Interpolation {
    fn name(&self) -> String {
        match self {
            Self::Lanczos(factor) => format!("Lanczos x{factor}"),
            Self::Bicubic(factor) => format!("bicubic x{factor}"),
        }
    }

    fn factor(&self) -> u32 {
        match self {
            Self::Lanczos(factor) | Self::Bicubic(factor) => *factor,
        }
    }

    fn upscale(&self, picture: &Picture) -> Result<Picture, Error> {
        let filter = match self {
            Self::Lanczos(_) => Filter::Lanczos,
            Self::Bicubic(_) => Filter::Bicubic,
        };
        let [width, height] =
            [picture.width(), picture.height()].map(|side| side.saturating_mul(self.factor()));
        let n_bytes = u64::from(width).saturating_mul(u64::from(height)).saturating_mul(3);
        if n_bytes == 0 || n_bytes > MAX_BYTES {
            return Err(Error::Enlarged { width, height });
        }
        Ok(picture.resized(width, height, filter))
    }
}

/// Largest picture that is made: 8192x8192.
const MAX_BYTES: u64 = 3 << 26;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_even_picture_stays_even_and_grows() {
        let picture = Picture::new([200, 100, 50].repeat(3 * 5), 5, 3).expect("5x3");
        for upscaler in [Interpolation::Lanczos(4), Interpolation::Bicubic(2)] {
            let large = upscaler.upscale(&picture).expect("it is small");
            assert_eq!(large.width(), 5 * upscaler.factor());
            assert_eq!(
                large.pixels(),
                [200, 100, 50].repeat(15 * upscaler.factor().pow(2) as usize)
            );
        }
        for factor in [0, u32::MAX] {
            let error = Interpolation::Lanczos(factor).upscale(&picture).expect_err("no picture");
            assert!(matches!(error, Error::Enlarged { .. }), "{error}");
        }
    }
}
