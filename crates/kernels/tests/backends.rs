//! Every operation gives the same values and gradients on each path: the fast one, and the one of
//! ordinary burn operations that other element types and other backends take.

use burn::tensor::{Device, FloatDType, Tensor, TensorData};

/// Single precision against double: sums of up to 60 products of magnitude 1.
const LIMIT: f64 = 2e-5;

/// Values in `[-1, 1]` that depend on `seed` alone.
fn random<const D: usize>(shape: [usize; D], seed: u64) -> Tensor<D> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x2545_f491_4f6c_dd1d;
    let values: Vec<f32> = (0..shape.iter().product())
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        })
        .collect();
    Tensor::from_data(TensorData::new(values, shape), &Device::flex().autodiff())
}

/// An operation of three inputs, the first `[2, 3, 4, 6]`, with one output.
type Operation = fn(Tensor<4>, Tensor<4>, Tensor<1>) -> Tensor<4>;

/// Name, shape of the second input, operation.
fn operations() -> Vec<(&'static str, [usize; 4], Operation)> {
    fn matrix(weight: Tensor<4>) -> Tensor<2> {
        weight.reshape([6, 6])
    }
    fn attend(x: Tensor<4>, bias: Tensor<4>, _: Tensor<1>) -> Tensor<4> {
        let output =
            cifake_kernels::window_attention(x.reshape([2, 12, 6]), bias.reshape([2, 12, 12]), 2);
        output.reshape([2, 3, 4, 2])
    }
    vec![
        ("gelu", [1; 4], |x, _, _| cifake_kernels::gelu(x)),
        ("linear", [1, 1, 6, 6], |x, w, b| cifake_kernels::linear(x, matrix(w), Some(b))),
        ("linear_t", [1, 1, 6, 6], |x, w, b| cifake_kernels::linear_t(x, matrix(w), Some(b))),
        ("depthwise", [6, 1, 3, 3], |x, w, _| cifake_kernels::depthwise_conv(x, w, None, 1)),
        ("depthwise, stride 2", [6, 1, 3, 3], |x, w, _| {
            cifake_kernels::depthwise_conv(x, w, None, 2)
        }),
        ("depthwise, 5x5", [6, 1, 5, 5], |x, w, _| cifake_kernels::depthwise_conv(x, w, None, 2)),
        ("relu", [1; 4], |x, _, _| cifake_kernels::relu(x)),
        ("relu6", [1; 4], |x, _, _| cifake_kernels::relu6(x)),
        ("conv3x3", [5, 6, 3, 3], |x, w, _| cifake_kernels::conv3x3(x, w, None, 1)),
        ("conv3x3, stride 2", [5, 6, 3, 3], |x, w, _| cifake_kernels::conv3x3(x, w, None, 2)),
        ("batch_norm", [1, 1, 1, 6], |x, g, b| {
            cifake_kernels::batch_norm(x, g.reshape([6]), b, 1e-3).output
        }),
        ("batch_norm_gelu", [1, 1, 1, 6], |x, g, b| {
            cifake_kernels::batch_norm_gelu(x, g.reshape([6]), b, 1e-3).output
        }),
        ("layer_norm", [1, 1, 1, 6], |x, g, b| {
            cifake_kernels::layer_norm(x, g.reshape([6]), b, 1e-3)
        }),
        ("window_attention", [1, 2, 12, 12], attend),
    ]
}

/// Values and gradients of the first two inputs, as double precision.
fn run(
    shape: [usize; 4],
    operation: Operation,
    place: &dyn Fn(Tensor<1>) -> Tensor<1>,
) -> Vec<Vec<f64>> {
    let put = |tensor: Tensor<4>| {
        let shape = tensor.shape();
        let len = shape.num_elements();
        place(tensor.reshape([len])).reshape(shape).detach().require_grad()
    };
    let (x, weight) = (put(random([2, 3, 4, 6], 1)), put(random(shape, 2)));
    let bias = place(random([6], 3)).detach();
    let y = operation(x.clone(), weight.clone(), bias);
    let grads = y.clone().square().sum().backward();
    [Some(y.inner()), x.grad(&grads), weight.grad(&grads)]
        .into_iter()
        .flatten()
        .map(|t| t.into_data().convert::<f64>().try_to_vec().expect("f64"))
        .collect()
}

#[track_caller]
fn assert_paths_agree(place: &dyn Fn(Tensor<1>) -> Tensor<1>) {
    for (name, shape, operation) in operations() {
        let fast = run(shape, operation, &|t| t);
        let composed = run(shape, operation, place);
        assert_eq!(fast.len(), composed.len(), "{name}: gradients are missing");
        for (part, (fast, composed)) in fast.iter().zip(&composed).enumerate() {
            assert_eq!(fast.len(), composed.len(), "{name}: sizes differ");
            for (a, b) in fast.iter().zip(composed) {
                let difference = (a - b).abs() / b.abs().max(1.0);
                assert!(difference < LIMIT, "{name}, part {part}: {a}, not {b}");
            }
        }
    }
}

#[test]
fn double_precision_agrees_with_the_fast_path() {
    assert_paths_agree(&|t| t.cast(FloatDType::F64));
}

#[cfg(feature = "ndarray")]
#[test]
#[allow(deprecated)] // burn keeps the backend; it is the second opinion here
fn ndarray_agrees_with_the_fast_path() {
    assert_paths_agree(&|t| Tensor::from_data(t.into_data(), &Device::ndarray().autodiff()));
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let results = |n_threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build();
        pool.expect("threads start").install(|| {
            operations()
                .into_iter()
                .map(|(_, shape, operation)| run(shape, operation, &|t| t))
                .collect::<Vec<_>>()
        })
    };
    assert_eq!(results(1), results(3));
}
