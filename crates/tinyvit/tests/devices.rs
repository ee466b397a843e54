//! Every backend that is compiled in gives the same numbers: flex and ndarray in every test run, and
//! wgpu or cuda with the feature of that name.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{Device, Int, Tensor, TensorData};
use testkit::assert_close;
use tinyvit::{DropPath, TinyVit, TinyVitConfig};

/// Backends sum in different orders; a training step of this depth amplifies that to some 1e-6.
const LIMIT: f32 = 1e-4;

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
            self.found.insert(name, tensor.into_data());
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
    numbers.insert("evaluation logits".to_owned(), logits.into_data());

    let training = device.clone().autodiff();
    let model = config.init(7, &training);
    let logits = model.forward_train(images(&training), &DropPath::off());
    numbers.insert("training logits".to_owned(), logits.clone().into_data());
    let targets = Tensor::from_floats([[0.9, 0.1], [0.05, 0.95]], &training);
    let loss = -(burn::tensor::activation::log_softmax(logits, 1) * targets).sum();
    numbers.insert("loss".to_owned(), loss.clone().into_data());

    let gradients = GradientsParams::from_grads(loss.backward(), &model);
    collect(&model, "gradient", Some(&gradients), &mut numbers);
    // With the usual 1e-8, a gradient that is 0 but for rounding (a key's bias cannot change a
    // softmax) would make a step of full length in the direction of the rounding.
    let mut optimizer = AdamWConfig::new().with_epsilon(1e-4).init();
    let model = optimizer.step(1e-3, model, gradients);
    collect(&model, "updated weight", None, &mut numbers);
    numbers
}

#[test]
fn same_numbers_on_every_device() {
    let flex = Device::flex();
    let expected = numbers(&flex);
    assert!(expected.keys().any(|name| name.starts_with("gradient of stages.3.")));
    let others: Vec<_> =
        cifake::device::compiled().into_iter().filter(|&name| name != "flex").collect();
    assert!(others.contains(&"ndarray"), "tests are built with a second backend");
    for name in others {
        let device = cifake::device::parse(name).expect("it is compiled in");
        let found = numbers(&device);
        assert!(found.keys().eq(expected.keys()), "{name} has the same gradients as flex");
        for (what, theirs) in &expected {
            let flat = |data: &TensorData| {
                let n_values = data.num_elements();
                let data =
                    TensorData::new(data.clone().try_into_vec::<f32>().expect("f32"), [n_values]);
                Tensor::<1>::from_data(data, &flex)
            };
            assert_close(&flat(&found[what]), &flat(theirs), LIMIT, &format!("{what} on {name}"));
        }
    }
}
