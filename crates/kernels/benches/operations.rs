//! Forward and backward time of every operation at the shapes of the native 32x32 model, batch 128.

use std::time::Duration;

use burn::tensor::{Device, Distribution, Tensor};
use criterion::{Criterion, criterion_group, criterion_main};

fn random<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), &Device::flex().autodiff())
}

/// Times `f` on tracked inputs, with its gradients.
fn step<const D: usize>(criterion: &mut Criterion, name: &str, f: impl Fn() -> Tensor<D>) {
    criterion.bench_function(name, |bencher| bencher.iter(|| f().sum().backward()));
}

fn linear(criterion: &mut Criterion) {
    for (rows, n_in, n_out) in [(128 * 256, 48, 192), (128 * 64, 96, 384), (128 * 16, 128, 512)] {
        let x = random([rows, n_in]).require_grad();
        let weight = random([n_in, n_out]).require_grad();
        let bias = random([n_out]).require_grad();
        step(criterion, &format!("linear [{rows}, {n_in}] x {n_out}"), || {
            cifake_kernels::linear(x.clone(), weight.clone(), Some(bias.clone()))
        });
        let x = random([rows, n_out]).require_grad();
        step(criterion, &format!("linear_t [{rows}, {n_out}] x {n_in}"), || {
            cifake_kernels::linear_t(x.clone(), weight.clone(), None)
        });
    }
}

fn elementwise(criterion: &mut Criterion) {
    let x = random([128, 16, 16, 192]).require_grad();
    step(criterion, "sum [128, 16, 16, 192] (overhead of all others)", || x.clone());
    step(criterion, "gelu [128, 16, 16, 192]", || cifake_kernels::gelu(x.clone()));
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = linear, elementwise
}
criterion_main!(benches);
