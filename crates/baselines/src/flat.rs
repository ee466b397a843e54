//! A module's weights as one flat vector, in the order of its fields.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor};
use cifake::weights::draw_weights;

/// The weights of `module`.
pub(crate) fn weights_of(module: &impl Module) -> Vec<f32> {
    let mut flat = Flat { gradients: None, values: Vec::new() };
    module.visit(&mut flat);
    flat.values
}

/// Their gradients; zeros for a weight that had no part in the loss.
pub(crate) fn gradients_of(module: &impl Module, gradients: &Gradients) -> Vec<f32> {
    let mut flat = Flat { gradients: Some(gradients), values: Vec::new() };
    module.visit(&mut flat);
    flat.values
}

/// `module` with other weights.
///
/// # Panics
///
/// If there are fewer than the module has.
pub(crate) fn with_weights<M: Module>(module: M, weights: &[f32]) -> M {
    let mut rest = weights;
    draw_weights(module, 0, |_, shape, _| {
        let (these, others) = rest.split_at(shape.iter().product());
        rest = others;
        Some(these.to_vec())
    })
}

struct Flat<'a> {
    gradients: Option<&'a Gradients>,
    values: Vec<f32>,
}

impl ModuleVisitor for Flat<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        let data = match self.gradients {
            None => tensor.into_data(),
            Some(gradients) => match tensor.grad(gradients) {
                Some(gradient) => gradient.into_data(),
                None => tensor.zeros_like().into_data(),
            },
        };
        self.values.extend(data.try_to_vec::<f32>().expect("weights in training are f32"));
    }
}

#[cfg(test)]
mod tests {
    use burn::nn::LinearConfig;
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn what_is_written_is_read_and_gradients_stand_in_its_order() {
        let device = Device::flex().autodiff();
        let layers: Vec<_> = (0..2).map(|_| LinearConfig::new(2, 1).init(&device)).collect();
        let layers = with_weights(layers, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(weights_of(&layers), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let x = Tensor::<2>::from_floats([[10.0, 20.0]], &device);
        let gradients = layers[1].forward(x).sum().backward();
        assert_eq!(gradients_of(&layers, &gradients), [0.0, 0.0, 0.0, 10.0, 20.0, 1.0]);
    }
}
