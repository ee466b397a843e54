//! Forward and backward time of every operation at the shapes of the native 32x32 model, batch 128.
// `criterion_group!` makes a public function without documentation.
#![allow(missing_docs)]

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

fn normalization(criterion: &mut Criterion) {
    let x = random([128, 16, 16, 192]).require_grad();
    let (gamma, beta) = (random([192]).require_grad(), random([192]).require_grad());
    step(criterion, "batch_norm [128, 16, 16, 192]", || {
        cifake_kernels::batch_norm(x.clone(), gamma.clone(), beta.clone(), 1e-5).output
    });
    step(criterion, "batch_norm_gelu [128, 16, 16, 192]", || {
        cifake_kernels::batch_norm_gelu(x.clone(), gamma.clone(), beta.clone(), 1e-5).output
    });
    let x = random([128 * 64, 96]).require_grad();
    let (gamma, beta) = (random([96]).require_grad(), random([96]).require_grad());
    step(criterion, "layer_norm [8192, 96]", || {
        cifake_kernels::layer_norm(x.clone(), gamma.clone(), beta.clone(), 1e-5)
    });
}

fn convolution(criterion: &mut Criterion) {
    for (size, channels, stride) in [(16, 192, 1), (16, 192, 2), (8, 96, 1)] {
        let x = random([128, size, size, channels]).require_grad();
        let weight = random([channels, 1, 3, 3]).require_grad();
        step(criterion, &format!("depthwise {size}x{size}x{channels} stride {stride}"), || {
            cifake_kernels::depthwise_conv(x.clone(), weight.clone(), None, stride)
        });
    }
    let weight = random([24, 3, 3, 3]).require_grad();
    let x = random([128, 32, 32, 3]);
    step(criterion, "conv3x3 32x32x3 -> 24, no input gradient", || {
        cifake_kernels::conv3x3(x.clone(), weight.clone(), None, 1)
    });
    let weight = random([48, 24, 3, 3]).require_grad();
    let x = random([128, 32, 32, 24]).require_grad();
    step(criterion, "conv3x3 32x32x24 -> 48 stride 2", || {
        cifake_kernels::conv3x3(x.clone(), weight.clone(), None, 2)
    });
}

fn attention(criterion: &mut Criterion) {
    for (tokens, n_heads) in [(64, 3), (16, 4)] {
        let qkv = random([128, tokens, n_heads * 96]).require_grad();
        let bias = random([n_heads, tokens, tokens]).require_grad();
        step(criterion, &format!("attention 128 x {tokens} tokens x {n_heads} heads"), || {
            cifake_kernels::window_attention(qkv.clone(), bias.clone(), n_heads)
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = linear, elementwise, normalization, convolution, attention
}
#[global_allocator]
static ALLOCATOR: cifake_kernels::RecyclingAllocator =
    cifake_kernels::RecyclingAllocator::new(2 << 30);

criterion_main!(benches);
