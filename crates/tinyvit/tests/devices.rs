//! Every backend that is compiled in gives the same numbers: flex and ndarray in every test run, and
//! wgpu or cuda with the feature of that name.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{Device, Int, Tensor, TensorData};
use tinyvit::{DropPath, TinyVit, TinyVitConfig};

/// Backends sum in different orders, which a training step of this depth amplifies to some 1e-5.
const LIMIT: f32 = 1e-4;

/// The least size that a tensor counts as, relative to the largest value of its kind: the gradient of a bias before a
/// normalization is 0 but for rounding, and has no size of its own.
const FLOOR: f32 = 1e-2;

/// All that one device computes: logits, loss, then by path each gradient and each new weight.
type Numbers = BTreeMap<String, TensorData>;

fn config() -> TinyVitConfig {
    TinyVitConfig {
        embed_dims: [8, 16, 24, 32],
        depths: [1, 1, 2, 1],
        n_heads: [1, 2, 3, 4],
        window_sizes: [4, 8, 3, 4],
        stem_dim: 4,
        ..TinyVitConfig::native().with_n_classes(2)
    }
}

/// Two pictures, `[2, 3, 32, 40]`: not square, so that windows need padding.
fn images(device: &Device) -> Tensor<4> {
    let ramp = Tensor::<1, Int>::arange(0..2 * 3 * 32 * 40, device).float();
    (ramp * 0.37).sin().reshape([2, 3, 32, 40]) * 0.5 + 0.5
}

/// Collects the gradient of each weight, or each weight itself.
struct Collect<'a> {
    gradients: Option<&'a GradientsParams>,
    prefix: &'static str,
    path: Vec<String>,
    found: &'a mut Numbers,
}

impl ModuleVisitor for Collect<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = match self.gradients {
            Some(gradients) => gradients.get::<D>(param.id),
            None => Some(param.val()),
        };
        if let Some(tensor) = tensor {
            let name = format!("{} of {}", self.prefix, self.path.join("."));
            self.found.insert(name, copied(tensor));
        }
    }
}

fn collect(
    model: &TinyVit,
    prefix: &'static str,
    gradients: Option<&GradientsParams>,
    found: &mut Numbers,
) {
    model.visit(&mut Collect { gradients, prefix, path: Vec::new(), found });
}

/// Forward in evaluation, then one step of AdamW on a cross-entropy.
fn numbers(device: &Device) -> Numbers {
    let mut numbers = Numbers::new();
    let config = config();
    let logits = config.init(7, device).forward(images(device));
    numbers.insert("evaluation logits".to_owned(), copied(logits));

    let training = device.clone().autodiff();
    let model = config.init(7, &training);
    let logits = model.forward_train(images(&training), &DropPath::off());
    numbers.insert("training logits".to_owned(), copied(logits.clone()));
    let targets = Tensor::from_floats([[0.9, 0.1], [0.05, 0.95]], &training);
    let loss = -(burn::tensor::activation::log_softmax(logits, 1) * targets).sum();
    numbers.insert("loss".to_owned(), copied(loss.clone()));

    let gradients = GradientsParams::from_grads(loss.backward(), &model);
    collect(&model, "gradient", Some(&gradients), &mut numbers);
    // With the usual 1e-8, a gradient that is 0 but for rounding (a key's bias cannot change a
    // softmax) would make a step of full length in the direction of the rounding.
    let mut optimizer = AdamWConfig::new().with_epsilon(1e-4).init();
    let model = optimizer.step(1e-3, model, gradients);
    collect(&model, "updated weight", None, &mut numbers);
    numbers
}

/// The numbers of a tensor in memory of their own: what wgpu hands out is overwritten by reads that
/// come after it.
fn copied<const D: usize>(tensor: Tensor<D>) -> TensorData {
    let shape = tensor.dims();
    TensorData::new(values(&tensor.into_data()), shape)
}

fn values(data: &TensorData) -> Vec<f32> {
    data.try_to_vec().expect("every number here is an f32")
}

fn largest(data: &TensorData) -> f32 {
    values(data).iter().fold(0.0, |max, x| max.max(x.abs()))
}

/// The largest value of all tensors of the kind of `what`: of all gradients, of all weights.
fn largest_of_kind(numbers: &Numbers, what: &str) -> f32 {
    let kind = |name: &str| name.split(" of ").next().map(str::to_owned);
    let alike = numbers.iter().filter(|(name, _)| kind(name) == kind(what));
    alike.map(|(_, data)| largest(data)).fold(0.0, f32::max)
}

fn assert_same(found: &Numbers, expected: &Numbers, device: &str) {
    assert!(found.keys().eq(expected.keys()), "{device} has the same gradients as flex");
    for (what, theirs) in expected {
        let size = largest(theirs).max(FLOOR * largest_of_kind(expected, what));
        let limit = LIMIT * size;
        for (index, (a, b)) in values(&found[what]).into_iter().zip(values(theirs)).enumerate() {
            let is_same = (a - b).abs() <= limit;
            assert!(is_same, "{what} at {index}: {a} on {device}, {b} on flex, limit {limit}");
        }
    }
}

#[test]
fn same_numbers_on_every_device() {
    let expected = numbers(&Device::flex());
    assert!(expected.keys().any(|name| name.starts_with("gradient of stages.3.")));
    let others: Vec<_> =
        cifake::device::compiled().into_iter().filter(|&name| name != "flex").collect();
    assert!(others.contains(&"ndarray"), "tests are built with a second backend");
    for name in others {
        let device = cifake::device::parse(name).expect("it is compiled in");
        assert_same(&numbers(&device), &expected, name);
    }
}
