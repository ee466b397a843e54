//! The trained weights of a model as one vector.

use burn::tensor::{Device, Gradients, Tensor, TensorData};
use cifake_optim::{Group, Part};
use sha2::{Digest, Sha256};

use super::config::TuningConfig;
use crate::error::AdapterError;
use crate::lora::{Names, leaf};
use crate::nn::{Change, Linear, LoraTargets, split_mix};
use crate::peft::AdapterLimits;

/// The weights of one adapter in a flat vector, in the order in which the model's layers are visited.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Layout {
    /// Name of the adapter.
    name: String,
    /// A part a layer, by the name that PEFT gives it.
    layers: cifake_optim::Layout,
    /// Length of the vector.
    pub(crate) len: usize,
}

/// The trained tensors in the order of their layout, which is how their gradients are found.
#[derive(Debug, Default)]
pub(crate) struct Leaves(Vec<Leaf>);

#[derive(Debug)]
enum Leaf {
    Matrix(Tensor<2>),
    Vector(Tensor<1>),
}

impl Layout {
    /// The layout of the adapter `name` of `model`, and its weights.
    pub(crate) fn of(model: &mut dyn LoraTargets, name: &str) -> (Self, Vec<f32>) {
        let mut layers = cifake_optim::Layout::default();
        let mut values = Vec::new();
        model.visit_linears(&mut |linear| {
            let start = values.len();
            let Some(attached) = linear.adapters.get(name) else { return };
            match &attached.change {
                Change::LowRank { a, b, .. } => {
                    values.extend(floats(a));
                    values.extend(floats(b));
                }
                Change::Whole { weight, bias } => {
                    values.extend(floats(weight));
                    values.extend(bias.iter().flat_map(floats));
                }
            }
            layers.push(attached.header.naming.to_peft(linear.path()), values.len() - start, ());
        });
        (Self { name: name.to_owned(), layers, len: values.len() }, values)
    }

    /// Gives the adapter these `values` on `device`, where they ask for gradients if there are any.
    pub(crate) fn write(
        &self,
        model: &mut dyn LoraTargets,
        values: &[f32],
        device: &Device,
    ) -> Leaves {
        assert_eq!(values.len(), self.len, "as many values as weights");
        let mut rest = values;
        let mut leaves = Leaves::default();
        model.visit_linears(&mut |linear| match change(linear, &self.name) {
            Some(Change::LowRank { a, b, .. }) => {
                for matrix in [a, b] {
                    *matrix = taken(&mut rest, matrix.dims(), device);
                    leaves.0.push(Leaf::Matrix(matrix.clone()));
                }
            }
            Some(Change::Whole { weight, bias }) => {
                *weight = taken(&mut rest, weight.dims(), device);
                leaves.0.push(Leaf::Matrix(weight.clone()));
                if let Some(bias) = bias {
                    *bias = taken(&mut rest, bias.dims(), device);
                    leaves.0.push(Leaf::Vector(bias.clone()));
                }
            }
            None => {}
        });
        leaves
    }

    /// Says what dropout leaves out in the next passes; `None` for nothing.
    pub(crate) fn seed_dropout(&self, model: &mut dyn LoraTargets, seed: Option<u64>) {
        let mut state = seed.unwrap_or_default();
        model.visit_linears(&mut |linear| {
            let own = split_mix(&mut state);
            for attached in &mut linear.adapters.list {
                if attached.header.name == self.name {
                    attached.dropout_seed = seed.map(|_| own);
                }
            }
        });
    }

    /// Each layer with its learning rate at the peak of the schedule.
    pub(crate) fn groups(
        &self,
        config: &TuningConfig,
        limits: &AdapterLimits,
    ) -> Result<Vec<Group>, AdapterError> {
        let names = config.rates.iter().map(|rate| Names::new(&rate.modules, limits));
        let names = names.collect::<Result<Vec<_>, _>>()?;
        let group = |layer: &Part| {
            let mut learning_rate = config.learning_rate;
            for (names, rate) in names.iter().zip(&config.rates) {
                if names.contain(&layer.name)? {
                    learning_rate = rate.learning_rate;
                    break;
                }
            }
            let (range, weight_decay) = (layer.range.clone(), config.weight_decay);
            Ok(Group { range, learning_rate, weight_decay })
        };
        self.layers.parts().iter().map(group).collect()
    }

    /// The layer whose weights hold the first value that is not finite.
    pub(crate) fn first_not_finite(&self, values: &[f32]) -> Option<&str> {
        self.layers.first_not_finite(values)
    }
}

/// A hash that tells a model from others, over its tower, its layers, their shapes, and the first
/// row of each.
pub(crate) fn fingerprint(model: &mut dyn LoraTargets) -> String {
    let mut hash = Sha256::new();
    hash.update(model.tower().unwrap_or_default().as_bytes());
    model.visit_linears(&mut |linear| {
        hash.update(linear.path().as_bytes());
        for size in linear.weight().shape() {
            hash.update((size as u64).to_le_bytes());
        }
        for value in floats(&linear.weight().rows(&[0])) {
            hash.update(value.to_le_bytes());
        }
    });
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn change<'a>(linear: &'a mut Linear, name: &str) -> Option<&'a mut Change> {
    let attached = linear.adapters.list.iter_mut().find(|attached| attached.header.name == name);
    attached.map(|attached| &mut attached.change)
}

fn floats<const D: usize>(tensor: &Tensor<D>) -> Vec<f32> {
    tensor.to_data().convert::<f32>().try_to_vec().expect("the data were converted to f32")
}

fn taken<const D: usize>(rest: &mut &[f32], shape: [usize; D], device: &Device) -> Tensor<D> {
    let (own, others) = rest.split_at(shape.iter().product());
    *rest = others;
    leaf(&TensorData::new(own.to_vec(), shape), device)
}

impl Leaves {
    /// Adds their gradients to `sum`, which has the layout's length.
    pub(crate) fn add_gradients(&self, gradients: &Gradients, sum: &mut [f32]) {
        let mut start = 0;
        for leaf in &self.0 {
            let (len, gradient) = match leaf {
                Leaf::Matrix(leaf) => (leaf.shape().num_elements(), gradient(leaf, gradients)),
                Leaf::Vector(leaf) => (leaf.shape().num_elements(), gradient(leaf, gradients)),
            };
            let own = &mut sum[start..start + len];
            for (sum, gradient) in own.iter_mut().zip(gradient.into_iter().flatten()) {
                *sum += gradient;
            }
            start += len;
        }
    }
}

fn gradient<const D: usize>(leaf: &Tensor<D>, gradients: &Gradients) -> Option<Vec<f32>> {
    leaf.grad(gradients).map(|gradient| floats(&gradient))
}
