//! Checks that the tests of every operation share.

use burn::tensor::{Device, Tensor, TensorData};

/// Values in `[-1, 1]` that depend on `seed` alone.
pub(crate) fn values(len: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x2545_f491_4f6c_dd1d;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..len).map(next).collect()
}

/// Values in `[-scale, scale]` that depend on `seed` alone.
pub(crate) fn random<const D: usize>(
    shape: [usize; D],
    scale: f32,
    seed: u64,
    device: &Device,
) -> Tensor<D> {
    let values = values(shape.iter().product(), seed).into_iter().map(|v| v * scale).collect();
    Tensor::from_data(TensorData::new::<f32, _>(values, shape), device)
}

/// Panics unless both have one shape and no element differs by more than `limit`, in units of 1 or
/// of the element where that is larger.
#[track_caller]
pub(crate) fn assert_close<const D: usize>(
    what: &str,
    ours: &Tensor<D>,
    theirs: &Tensor<D>,
    limit: f32,
) {
    assert_eq!(ours.dims(), theirs.dims(), "{what}: shapes differ");
    let ours: Vec<f32> = ours.to_data().try_to_vec().expect("f32");
    let theirs: Vec<f32> = theirs.to_data().try_to_vec().expect("f32");
    for (i, (a, b)) in ours.iter().zip(&theirs).enumerate() {
        let difference = (a - b).abs();
        assert!(
            difference <= limit * b.abs().max(1.0),
            "{what}: element {i} is {a}, not {b}: off by {difference:e}, limit {limit:e}"
        );
    }
}

/// Runs `ours` and `theirs` on tracked copies of the same inputs and compares their values and,
/// under one random weighting of the outputs, the gradient of every input.
#[track_caller]
pub(crate) fn assert_same_gradients<const N: usize, const D: usize>(
    inputs: [Tensor<1>; N],
    limit: f32,
    ours: impl Fn([Tensor<1>; N]) -> Tensor<D>,
    theirs: impl Fn([Tensor<1>; N]) -> Tensor<D>,
) {
    let leaves = || inputs.clone().map(Tensor::require_grad);
    let (our_inputs, their_inputs) = (leaves(), leaves());
    let (y, y_burn) = (ours(our_inputs.clone()), theirs(their_inputs.clone()));
    assert_close("values", &y, &y_burn, limit);
    let weight = random(y.dims(), 1.0, 99, &y.device());
    let grads = (y * weight.clone()).sum().backward();
    let grads_burn = (y_burn * weight).sum().backward();
    for (i, (a, b)) in our_inputs.iter().zip(&their_inputs).enumerate() {
        let (a, b) = (a.grad(&grads), b.grad(&grads_burn));
        let (a, b) = (a.expect("tracked"), b.expect("tracked"));
        assert_close(&format!("gradient {i}"), &a, &b, limit);
    }
}
