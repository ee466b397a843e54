//! Frequency bands and noise of the discrete cosine transform.

mod band;
mod noise;

pub use band::Band;
pub use noise::DctNoise;
