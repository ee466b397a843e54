//! Limits of a decoder.

/// The memory and pixels that a [`Decoder`](super::Decoder) may spend on files that nobody vouches for.
///
/// ```
/// use cifake::DecodeLimits;
///
/// let limits = DecodeLimits::for_own_files();
/// assert_eq!(limits.max_pixels, 256_000_000);
/// let larger = limits.with_max_pixels(400_000_000);
/// assert_eq!(larger.allocation_budget, 8 * 400_000_000);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct DecodeLimits {
    /// Largest picture, in pixels: 40 megapixels by default.
    pub max_pixels: u64,
    /// Largest file, in bytes: 64 MiB by default.
    pub max_file_bytes: u64,
    /// Bytes that all threads together may allocate for decoding: 256 MB by default. They cover the
    /// decoded pixels, their conversion to RGB, and the file. RGB of 8 bits takes 3 bytes a pixel, alpha
    /// 7, RGB of 16 bits 9, and both 11. Progressive JPEG and animations take two to three times as much
    /// as others. A picture that needs more than the whole budget is an error.
    pub allocation_budget: u64,
}

impl Default for DecodeLimits {
    /// The limits for a service that takes pictures from anybody.
    fn default() -> Self {
        Self { max_pixels: 40_000_000, max_file_bytes: 64 << 20, allocation_budget: 256_000_000 }
    }
}

impl DecodeLimits {
    /// Bytes of a file for each pixel that [`with_max_pixels`](Self::with_max_pixels) allows.
    const FILE_BYTES_PER_PIXEL: u64 = 4;

    /// Bytes of the budget for each pixel that [`with_max_pixels`](Self::with_max_pixels) allows:
    /// 8 bits and alpha. A picture of 16 bits reaches the budget before the largest number of pixels.
    const BUDGET_PER_PIXEL: u64 = 8;

    /// The limits for a program that reads its user's own files: 256 megapixels, which holds the
    /// largest pictures of phones and of medium-format cameras, files of 1 GB and a budget of 2 GB.
    #[must_use]
    pub fn for_own_files() -> Self {
        Self::default().with_max_pixels(256_000_000)
    }

    /// The same limits with another largest picture, in pixels. The other two limits are raised to
    /// 4 bytes a pixel of file and 8 of budget where they are lower, and never lowered.
    #[must_use]
    pub fn with_max_pixels(self, max_pixels: u64) -> Self {
        let at_least = |limit: u64, per_pixel: u64| limit.max(max_pixels.saturating_mul(per_pixel));
        Self {
            max_pixels,
            max_file_bytes: at_least(self.max_file_bytes, Self::FILE_BYTES_PER_PIXEL),
            allocation_budget: at_least(self.allocation_budget, Self::BUDGET_PER_PIXEL),
        }
    }

    /// The same limits with another largest file, in bytes.
    #[must_use]
    pub fn with_max_file_bytes(self, max_file_bytes: u64) -> Self {
        Self { max_file_bytes, ..self }
    }

    /// The same limits with another budget of all threads, in bytes.
    #[must_use]
    pub fn with_allocation_budget(self, allocation_budget: u64) -> Self {
        Self { allocation_budget, ..self }
    }
}
