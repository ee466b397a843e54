//! From bytes to what a vision tower expects.

/// `(byte * rescale - mean) / deviation` a channel, rounded as numpy rounds it.
#[derive(Debug, Clone, PartialEq)]
pub struct Normalization {
    /// The factor of a byte; 1/255 as a rule.
    pub rescale: f64,
    /// Mean of R, G, B.
    pub mean: [f64; 3],
    /// Standard deviation of R, G, B.
    pub deviation: [f64; 3],
}

impl Normalization {
    /// OpenAI's CLIP: what Qwen2-VL was trained with.
    #[must_use]
    pub fn clip() -> Self {
        Self {
            rescale: 1.0 / 255.0,
            mean: [0.481_454_66, 0.457_827_5, 0.408_210_73],
            deviation: [0.268_629_54, 0.261_302_58, 0.275_777_11],
        }
    }

    /// SigLIP: bytes to `[-1, 1]`.
    #[must_use]
    pub fn siglip() -> Self {
        Self { rescale: 1.0 / 255.0, mean: [0.5; 3], deviation: [0.5; 3] }
    }

    /// The value of every byte in every channel.
    ///
    /// transformers multiplies in f64, rounds to f32, then subtracts and divides in f32
    /// (`image_transforms.py`, `rescale` and `normalize`): the table has its very bits.
    #[must_use]
    pub(crate) fn table(&self) -> [[f32; 256]; 3] {
        std::array::from_fn(|channel| {
            let (mean, deviation) = (self.mean[channel] as f32, self.deviation[channel] as f32);
            std::array::from_fn(|byte| {
                let rescaled = (byte as f64 * self.rescale) as f32;
                (rescaled - mean) / deviation
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn siglip_takes_bytes_to_plus_and_minus_one() {
        let table = Normalization::siglip().table();
        assert_eq!([table[0][0], table[1][255]], [-1.0, 1.0]);
    }

    #[test]
    fn clip_takes_the_mean_to_zero() {
        let table = Normalization::clip().table();
        assert!(table[0][123].abs() < 0.01 && table[2][104].abs() < 0.01);
    }
}
