//! The interface between a model and the place that holds its weights.

use burn::tensor::{Device, Tensor};

use super::matrix::Matrix;
use crate::error::Error;

/// A source of a model's weights, by the names of the checkpoint. A model asks for each weight once.
pub trait WeightSource {
    /// The weight matrix `name`, `[out, in]`, in the format that the source was told to keep it in.
    ///
    /// # Errors
    /// If the source lacks it, or has it in another shape or a type that is not read.
    fn matrix(&mut self, name: &str, shape: [usize; 2]) -> Result<Matrix, Error>;

    /// Any other weight as f32, its elements in row-major order; see [`tensor`].
    ///
    /// # Errors
    /// As [`matrix`](Self::matrix).
    fn values(&mut self, name: &str, shape: &[usize]) -> Result<Tensor<1>, Error>;

    /// Whether the source has a weight called `name`: for parts that some checkpoints leave out.
    fn contains(&self, name: &str) -> bool;

    /// Whether a file holds a weight called `name`, which the configuration may tie to another one.
    /// Sources that make weights on demand store none.
    fn is_stored(&self, _name: &str) -> bool {
        false
    }

    /// The device of the weights.
    fn device(&self) -> &Device;
}

/// The weight `name` of `weights`, f32, `shape`.
///
/// # Errors
/// Those of [`WeightSource::values`].
pub fn tensor<const D: usize>(
    weights: &mut dyn WeightSource,
    name: &str,
    shape: [usize; D],
) -> Result<Tensor<D>, Error> {
    Ok(weights.values(name, &shape)?.reshape(shape))
}
