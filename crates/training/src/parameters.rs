//! A model's weights as one flat vector: what the optimizer, the average and checkpoints work on.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor, TensorData};
use cifake_optim::Part;

/// The optimizer's treatment of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A matrix or kernel: updated and decayed.
    Decayed,
    /// A norm's parameter, a bias or an attention bias: updated only.
    Plain,
    /// A running statistic: averaged only.
    Buffer,
}

/// The tensors of a module in one flat vector, in the order of the module tree: the vector that
/// [`cifake_optim`] updates.
#[derive(Debug, Clone, Default)]
pub struct Layout {
    parts: cifake_optim::Layout<Kind>,
    path: Vec<String>,
}

impl Layout {
    /// The layout of `model`.
    #[must_use]
    pub fn of(model: &impl Module) -> Self {
        let mut layout = Self::default();
        model.visit(&mut layout);
        layout
    }

    /// Length of the flat vector.
    #[must_use]
    pub fn n_values(&self) -> usize {
        self.parts.n_values()
    }

    pub(crate) fn parts(&self) -> &[Part<Kind>] {
        self.parts.parts()
    }

    /// Whether another model has tensors of the same names and sizes in the same order.
    pub(crate) fn has_tensors_of(&self, other: &Self) -> bool {
        let same = |(a, b): (&Part<Kind>, &Part<Kind>)| a.name == b.name && a.range == b.range;
        self.parts().len() == other.parts().len()
            && self.parts().iter().zip(other.parts()).all(same)
    }

    /// The model's weights and statistics.
    ///
    /// # Panics
    ///
    /// If they are not `f32`.
    #[must_use]
    pub fn read(&self, model: &impl Module) -> Vec<f32> {
        let mut reader = Reader { values: Vec::with_capacity(self.n_values()) };
        model.visit(&mut reader);
        reader.values
    }

    /// The gradient of every weight; zeros for statistics and for what had no part in the loss.
    ///
    /// # Panics
    ///
    /// If `model` has another layout.
    #[must_use]
    pub fn gradients(&self, model: &impl Module, gradients: &Gradients) -> Vec<f32> {
        let values = Vec::with_capacity(self.n_values());
        let mut reader = GradientReader { layout: self, gradients, values, idx: 0 };
        model.visit(&mut reader);
        reader.values
    }

    /// Path of the first tensor with a value in `values` that is not finite.
    ///
    /// # Panics
    ///
    /// If `values` are fewer than the layout has.
    #[must_use]
    pub fn first_not_finite(&self, values: &[f32]) -> Option<&str> {
        self.parts.first_not_finite(values)
    }

    /// The model with these weights and statistics.
    ///
    /// # Panics
    ///
    /// If `values` belong to a model of another layout.
    #[must_use]
    pub fn write<M: Module>(&self, model: M, values: &[f32]) -> M {
        assert_eq!(values.len(), self.n_values(), "values belong to another model");
        model.map(&mut Writer { layout: self, values, idx: 0 })
    }
}

#[cfg(test)]
impl From<cifake_optim::Layout<Kind>> for Layout {
    fn from(parts: cifake_optim::Layout<Kind>) -> Self {
        Self { parts, path: Vec::new() }
    }
}

fn kind_of(path: &str, n_dims: usize) -> Kind {
    if path.ends_with("running_mean") || path.ends_with("running_var") {
        Kind::Buffer
    } else if n_dims == 1 || path.ends_with("attention_biases") {
        Kind::Plain
    } else {
        Kind::Decayed
    }
}

fn floats<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().expect("the weights of a model in training are f32")
}

impl ModuleVisitor for Layout {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let path = self.path.join(".");
        let kind = kind_of(&path, D);
        self.parts.push(path, param.val().shape().num_elements(), kind);
    }
}

struct Reader {
    values: Vec<f32>,
}

impl ModuleVisitor for Reader {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.values.extend(floats(param.val()));
    }
}

struct GradientReader<'a> {
    layout: &'a Layout,
    gradients: &'a Gradients,
    values: Vec<f32>,
    idx: usize,
}

impl ModuleVisitor for GradientReader<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let part = &self.layout.parts()[self.idx];
        self.idx += 1;
        let gradient = match part.kind {
            Kind::Buffer => None,
            Kind::Decayed | Kind::Plain => param.val().grad(self.gradients),
        };
        match gradient {
            Some(gradient) => self.values.extend(floats(gradient)),
            None => self.values.resize(part.range.end, 0.0),
        }
    }
}

struct Writer<'a> {
    layout: &'a Layout,
    values: &'a [f32],
    idx: usize,
}

impl ModuleMapper for Writer<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let values = &self.values[self.layout.parts()[self.idx].range.clone()];
        self.idx += 1;
        param.map(|old| {
            let data = TensorData::new(values.to_vec(), old.dims());
            let tensor = Tensor::from_data(data, &old.device());
            if old.is_require_grad() { tensor.require_grad() } else { tensor }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Network;
    use crate::testing::{Small, SmallConfig};
    use burn::tensor::Device;

    fn small() -> Small {
        Small::draw(&SmallConfig::new(4), 1, &Device::flex())
    }

    #[test]
    fn what_is_written_is_read() {
        let model = small();
        let layout = Layout::of(&model);
        let values: Vec<f32> = (0..layout.n_values()).map(|i| i as f32).collect();
        assert_eq!(layout.read(&layout.write(model, &values)), values);
    }

    #[test]
    fn norms_and_biases_are_not_decayed() {
        let layout = Layout::of(&small());
        let kind =
            |path: &str| layout.parts().iter().find(|part| part.name == path).map(|part| part.kind);
        assert_eq!(kind("conv.weight"), Some(Kind::Decayed));
        assert_eq!(kind("norm.gamma"), Some(Kind::Plain));
        assert_eq!(kind("norm.running_var"), Some(Kind::Buffer));
        assert_eq!(kind("head.weight"), Some(Kind::Decayed));
        assert_eq!(kind("head.bias"), Some(Kind::Plain));
        assert_eq!(kind_of("stages.1.blocks.0.attn.attention_biases", 2), Kind::Plain);
    }
}
