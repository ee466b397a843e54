//! Initial weights, drawn on the host: the same on every device and independent of each other.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Tensor, TensorData};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use sha2::{Digest, Sha256};

/// `module` with the weights that `rule` draws.
///
/// `rule` gets a weight's path, such as `head.weight`, its shape, and a generator that is a function
/// of `seed` and that path alone; weights for which it returns `None` stay as they are.
///
/// # Panics
///
/// If `rule` returns another number of values than the shape has.
pub fn draw_weights<M: Module>(
    module: M,
    seed: u64,
    rule: impl FnMut(&str, &[usize], &mut ChaCha8Rng) -> Option<Vec<f32>>,
) -> M {
    module.map(&mut Draw { seed, path: Vec::new(), rule })
}

struct Draw<F> {
    seed: u64,
    path: Vec<String>,
    rule: F,
}

impl<F> ModuleMapper for Draw<F>
where
    F: FnMut(&str, &[usize], &mut ChaCha8Rng) -> Option<Vec<f32>>,
{
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let path = self.path.join(".");
        let shape: Vec<usize> = param.val().dims().to_vec();
        let mut hash = Sha256::new();
        hash.update(self.seed.to_le_bytes());
        hash.update(path.as_bytes());
        let mut rng = ChaCha8Rng::from_seed(hash.finalize().into());
        match (self.rule)(&path, &shape, &mut rng) {
            None => param,
            Some(values) => param.map(|old| {
                let tensor = Tensor::from_data(TensorData::new(values, shape), &old.device());
                if old.is_require_grad() { tensor.require_grad() } else { tensor }
            }),
        }
    }
}
