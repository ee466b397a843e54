//! The attacks, a file or folder each, and the table of their names.

mod apgd;
mod corruption;
mod dct;
mod ensemble;
mod fab;
mod one_pixel;
mod pgd;
mod pixel_noise;
mod random_noise;
mod square;
mod table;

pub use apgd::Apgd;
pub use corruption::Corruption;
pub use dct::{Band, DctNoise};
pub use ensemble::Ensemble;
pub use fab::Fab;
pub use one_pixel::OnePixel;
pub use pgd::Pgd;
pub use pixel_noise::PixelNoise;
pub use random_noise::RandomNoise;
pub use square::Square;
pub use table::{ATTACKS, AttackEntry, AttackName, attacks_help};
