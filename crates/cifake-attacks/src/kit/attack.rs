//! The trait of all attacks, and what an attack returns.

use burn::tensor::Tensor;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::{Samples, TargetModel};
use crate::{Epsilon, Error};

/// Attacked pictures and their cost.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Perturbed {
    /// `[batch, 3, height, width]`, in `[0, 1]`, in the order of the samples.
    pub images: Tensor<4>,
    /// For each picture, the number of classifications without a gradient.
    pub n_queries: Vec<usize>,
    /// For each picture, the number of gradients.
    pub n_gradients: Vec<usize>,
    /// Whether a black-box search succeeded on a picture that gradient attacks had left.
    pub beyond_gradients: Vec<bool>,
}

impl Perturbed {
    /// The result of one attack: pictures, and queries and gradients for each of them.
    #[must_use]
    pub fn new(images: Tensor<4>, n_queries: Vec<usize>, n_gradients: Vec<usize>) -> Self {
        let beyond_gradients = vec![false; images.dims()[0]];
        Self { images, n_queries, n_gradients, beyond_gradients }
    }

    /// The result of a change that asks no model.
    #[must_use]
    pub fn without_queries(images: Tensor<4>) -> Self {
        let zeros = vec![0; images.dims()[0]];
        Self::new(images, zeros.clone(), zeros)
    }
}

/// The parameters of an attack as text.
///
/// Every type that implements [`Serialize`] has them: derive it and this trait is there.
pub trait Parameters {
    /// All parameters as JSON. Finished work is reused only where they are equal.
    fn parameters(&self) -> String;
}

impl<T: Serialize> Parameters for T {
    fn parameters(&self) -> String {
        // A type whose own serialization fails has no parameters to compare by.
        serde_json::to_string(self)
            .unwrap_or_else(|error| serde_json::json!({ "error": error.to_string() }).to_string())
    }
}

/// An algorithm that changes pictures so that a classifier errs.
///
/// The result for a sample is a function of its picture, label and id, of the model and of `seed`.
/// It does not depend on the rest of the batch. An attack leaves the model unchanged.
///
/// [`kit`](crate::kit) has a complete example.
pub trait Attack: Parameters + std::fmt::Debug + Send + Sync {
    /// Name for tables, with the most important parameters.
    fn name(&self) -> String;

    /// Radius of the ball that bounds the perturbation, if there is one.
    fn epsilon(&self) -> Option<Epsilon> {
        None
    }

    /// Attacks each of `samples`.
    ///
    /// # Errors
    ///
    /// [`Error::NeedsGradients`] if the attack follows gradients and `target` has none.
    fn perturb(
        &self,
        target: &TargetModel<'_>,
        samples: &Samples,
        seed: u64,
    ) -> Result<Perturbed, Error>;
}

/// Name and parameters.
impl Serialize for dyn Attack {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let parameters = self.parameters();
        // Parameters from elsewhere need not be JSON.
        let parameters: serde_json::Value =
            serde_json::from_str(&parameters).unwrap_or(serde_json::Value::String(parameters));
        let mut attack = serializer.serialize_struct("Attack", 2)?;
        attack.serialize_field("name", &self.name())?;
        attack.serialize_field("parameters", &parameters)?;
        attack.end()
    }
}
