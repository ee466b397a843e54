//! Weights drawn from a seed: for tests and for models that are trained from nothing.

use burn::tensor::{Device, Tensor, TensorData};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use sha2::{Digest, Sha256};

use super::format::WeightFormat;
use super::matrix::Matrix;
use super::weight_source::WeightSource;
use crate::error::Error;

/// Weights that are a function of a seed, their name and their shape alone.
///
/// A matrix is uniform with the variance `1 / in`. One-dimensional weights whose names end in
/// `.weight` are the factors of norms, and 1. All others are uniform in ±0.1.
#[derive(Debug, Clone)]
pub struct Random {
    seed: u64,
    format: WeightFormat,
    device: Device,
}

impl Random {
    /// Weights of `seed`; matrices are kept in `format` on `device`.
    #[must_use]
    pub fn new(seed: u64, format: WeightFormat, device: &Device) -> Self {
        Self { seed, format, device: device.clone() }
    }

    fn draw(&self, name: &str, shape: &[usize]) -> Vec<f32> {
        let len = shape.iter().product();
        if shape.len() == 1 && name.ends_with(".weight") {
            return vec![1.0; len];
        }
        let n_inputs: usize = shape.iter().skip(1).product();
        let limit = if shape.len() == 1 { 0.1 } else { (3.0 / n_inputs as f32).sqrt() };
        let mut hash = Sha256::new();
        hash.update(self.seed.to_le_bytes());
        hash.update(name.as_bytes());
        let mut rng = ChaCha8Rng::from_seed(hash.finalize().into());
        (0..len).map(|_| rng.random_range(-limit..=limit)).collect()
    }
}

impl WeightSource for Random {
    fn matrix(&mut self, name: &str, shape: [usize; 2]) -> Result<Matrix, Error> {
        Ok(Matrix::new(self.draw(name, &shape), shape, self.format, &self.device))
    }

    fn values(&mut self, name: &str, shape: &[usize]) -> Result<Tensor<1>, Error> {
        let values = self.draw(name, shape);
        let len = values.len();
        Ok(Tensor::from_data(TensorData::new(values, [len]), &self.device))
    }

    fn contains(&self, _name: &str) -> bool {
        true
    }

    fn device(&self) -> &Device {
        &self.device
    }
}
