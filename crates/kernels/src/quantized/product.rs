//! Products of rows with a narrow matrix.

use burn::backend::autodiff::{
    checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
    grads::Gradients,
    ops::{Backward, Ops, OpsKind},
};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::{Tensor, TensorData, module};
use burn_flex::FlexTensor;
use rayon::prelude::*;

use super::matrix::QuantizedMatrix;
use super::narrow::Prepared;
use super::pack::Data;
use super::words::HALF_SCALE;
use super::{GROUP, narrow};
use crate::backward::propagate;
use crate::buffer;
use crate::gemm::{Matrix, Panels, Start, multiply};

/// Rows of `x` up to which each reads the matrix by itself.
const FEW: usize = 4;
/// Bytes of the matrix that a task reads for a few rows, at least.
const TASK_BYTES: usize = 64 * 1024;
/// Outputs of a task for many rows: unpacked, they stay in the second-level cache.
const BLOCK_OUTPUTS: usize = 64;
/// Rows of a task of the backward pass.
const BLOCK_ROWS: usize = 192;

/// `x weightᵀ`: `x` is `[..., in]`, `weight` `[out, in]`; returns `[..., out]`.
///
/// The gradient of `x` is given, and the matrix has none. On other devices than flex the matrix is
/// unpacked and burn's product taken. Against a product with the unpacked matrix the result differs by
/// rounding alone.
///
/// # Panics
/// If the sizes do not fit.
#[must_use]
pub fn product<const D: usize>(x: Tensor<D>, weight: &QuantizedMatrix) -> Tensor<D> {
    if !buffer::is_fast(&x) {
        let unpacked = TensorData::new(weight.to_vec(), weight.shape());
        let unpacked = Tensor::<2>::from_data(unpacked, &x.device());
        return module::linear(x, unpacked.transpose(), None);
    }
    Tensor::from_dispatch(<Dispatch as QuantizedOps>::narrow_product(
        x.into_dispatch(),
        weight.clone(),
    ))
}

#[backend_extension(Flex, Autodiff)]
trait QuantizedOps: Backend {
    fn narrow_product(x: FloatTensor<Self>, weight: QuantizedMatrix) -> FloatTensor<Self>;
}

impl QuantizedOps for Flex {
    fn narrow_product(x: FloatTensor<Self>, weight: QuantizedMatrix) -> FloatTensor<Self> {
        forward(x, &weight)
    }
}

impl<C: CheckpointStrategy> QuantizedOps for Autodiff<Flex, C> {
    fn narrow_product(x: FloatTensor<Self>, weight: QuantizedMatrix) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        match ProductBackward.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let output = forward(x, &weight);
                prep.finish(weight, output)
            }
            OpsKind::UnTracked(prep) => prep.finish(forward(x, &weight)),
        }
    }
}

#[derive(Debug)]
struct ProductBackward;

impl Backward<Flex, 1> for ProductBackward {
    type State = QuantizedMatrix;

    fn backward(self, ops: Ops<QuantizedMatrix, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        propagate(ops, grads, |weight, grad, _| [Some(backward(grad, &weight))]);
    }
}

fn forward(x: FlexTensor, weight: &QuantizedMatrix) -> FlexTensor {
    let x = buffer::contiguous(x);
    let mut shape = x.shape();
    let rank = shape.num_dims();
    let [n_out, n_in] = weight.shape();
    assert_eq!(shape[rank - 1], n_in, "the last axis of the input is the weight's input axis");
    shape[rank - 1] = n_out;
    let x = buffer::values(&x);
    let rows = x.len() / n_in;
    let out = if rows <= FEW { few(x, weight) } else { many(x, weight) };
    buffer::tensor(out, shape)
}

/// Each row of `x` times the matrix, a part of the matrix a task.
fn few(x: &[f32], weight: &QuantizedMatrix) -> Vec<f32> {
    let [n_out, n_in] = weight.shape();
    let rows = x.len() / n_in;
    let mut out = buffer::scratch(rows * n_out);
    let part = (TASK_BYTES * n_out / weight.bytes()).max(1);
    let mut sums = vec![0.0; n_in / GROUP];
    for (x, out) in x.chunks_exact(n_in).zip(out.chunks_exact_mut(n_out)) {
        let prepared = match weight.data() {
            Data::Int4 { .. } => {
                narrow::group_sums(x, &mut sums);
                Prepared::Row
            }
            Data::F16(_) => Prepared::new(x, 2, HALF_SCALE),
            Data::Bf16(_) => Prepared::new(x, 2, 1.0),
            Data::Int8 { .. } => Prepared::new(x, 4, 1.0),
        };
        out.par_chunks_mut(part).enumerate().for_each(|(i, out)| {
            let first = i * part;
            let (from, to) = (first * n_in, (first + out.len()) * n_in);
            match weight.data() {
                Data::F16(bits) => {
                    narrow::dot_halves(&bits[from..to], false, x, &prepared, out);
                }
                Data::Bf16(bits) => {
                    narrow::dot_halves(&bits[from..to], true, x, &prepared, out);
                }
                Data::Int8 { codes, scales, group } => {
                    let scales = &scales[from / group..to / group];
                    narrow::dot_int8(&codes[from..to], scales, *group, x, &prepared, out);
                }
                Data::Int4 { codes, scales, minima } => {
                    let codes = &codes[from / 2..to / 2];
                    let [scales, minima] = [scales, minima].map(|v| &v[from / GROUP..to / GROUP]);
                    narrow::dot_int4(codes, scales, minima, x, &sums, out);
                }
            }
        });
    }
    out
}

/// All rows of `x` times a block of the matrix a task, which unpacks it.
fn many(x: &[f32], weight: &QuantizedMatrix) -> Vec<f32> {
    let [n_out, n_in] = weight.shape();
    let rows = x.len() / n_in;
    let blocks: Vec<Vec<f32>> = (0..n_out.div_ceil(BLOCK_OUTPUTS))
        .into_par_iter()
        .map(|block| {
            let first = block * BLOCK_OUTPUTS;
            let n = BLOCK_OUTPUTS.min(n_out - first);
            let mut unpacked = buffer::scratch(n * n_in);
            weight.unpack_rows(first..first + n, &mut unpacked);
            let panels = Panels::pack(Matrix::columns(&unpacked, n_in), n_in, n);
            let mut out = buffer::scratch(rows * n);
            multiply(rows, Matrix::rows(x, n_in), &panels, Start::Zero, &mut out, n);
            out
        })
        .collect();
    let mut out = buffer::scratch(rows * n_out);
    out.par_chunks_mut(n_out).enumerate().for_each(|(row, out)| {
        for (out, block) in out.chunks_mut(BLOCK_OUTPUTS).zip(&blocks) {
            out.copy_from_slice(&block[row * out.len()..][..out.len()]);
        }
    });
    out
}

/// `grad weight`.
fn backward(grad: FlexTensor, weight: &QuantizedMatrix) -> FlexTensor {
    let grad = buffer::contiguous(grad);
    let mut shape = grad.shape();
    let rank = shape.num_dims();
    let [n_out, n_in] = weight.shape();
    shape[rank - 1] = n_in;
    let panels = Panels::pack(Matrix::rows(&weight.to_vec(), n_in), n_out, n_in);
    let grad = buffer::values(&grad);
    let mut out = buffer::scratch(grad.len() / n_out * n_in);
    out.par_chunks_mut(BLOCK_ROWS * n_in).zip(grad.par_chunks(BLOCK_ROWS * n_out)).for_each(
        |(out, grad)| {
            let rows = grad.len() / n_out;
            multiply(rows, Matrix::rows(grad, n_out), &panels, Start::Zero, out, n_in);
        },
    );
    buffer::tensor(out, shape)
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Tensor, TensorData};

    use super::super::{Format, QuantizedMatrix};
    use super::product;
    use crate::check::{assert_close, assert_same_gradients, random, values};

    /// Sums of up to 1120 products of magnitude 1.
    const LIMIT: f32 = 2e-4;
    const FORMATS: [Format; 4] = [Format::F16, Format::Bf16, Format::Int8, Format::Int4];
    /// Rows, inputs, outputs.
    const SIZES: [(usize, usize, usize); 4] =
        [(1, 64, 7), (3, 576, 130), (40, 96, 65), (9, 1120, 3)];

    fn unpacked(weight: &QuantizedMatrix, device: &Device) -> Tensor<2> {
        Tensor::from_data(TensorData::new(weight.to_vec(), weight.shape()), device)
    }

    #[test]
    fn elements_are_within_the_stated_errors() {
        let (rows, columns) = (5, 96);
        let exact = values(rows * columns, 3);
        for format in FORMATS {
            let stored = QuantizedMatrix::new(&exact, [rows, columns], format).to_vec();
            for (i, (v, stored)) in exact.iter().zip(&stored).enumerate() {
                let row = &exact[i / columns * columns..][..columns];
                let group = &exact[i / 32 * 32..][..32];
                let [low, high] = [
                    group.iter().fold(1f32, |a, b| a.min(*b)),
                    group.iter().fold(-1f32, |a, b| a.max(*b)),
                ];
                let limit = match format {
                    Format::F16 => v.abs() / 2048.0,
                    Format::Bf16 => v.abs() / 256.0,
                    Format::Int8 => row.iter().fold(0f32, |a, b| a.max(b.abs())) / 254.0,
                    // Half a step, and the rounding of its half-precision scale and minimum.
                    Format::Int4 => (high - low) / 29.0 + 1e-3,
                };
                assert!((v - stored).abs() <= limit * 1.001, "{format:?} {i}: {stored}, not {v}");
            }
        }
    }

    #[test]
    fn products_and_gradients_are_those_of_the_unpacked_matrix() {
        let device = Device::flex().autodiff();
        for (rows, n_in, n_out) in SIZES {
            for format in FORMATS {
                let weight = QuantizedMatrix::new(&values(n_in * n_out, 2), [n_out, n_in], format);
                let theirs = unpacked(&weight, &device).transpose();
                assert_same_gradients(
                    [random([rows * n_in], 1.0, 1, &device)],
                    LIMIT,
                    |[x]| product(Tensor::<1>::reshape(x, [rows, n_in]), &weight),
                    |[x]| Tensor::<1>::reshape(x, [rows, n_in]).matmul(theirs.clone()),
                );
            }
        }
    }

    #[test]
    fn groups_of_any_length_give_the_product_of_the_unpacked_matrix() {
        let device = Device::flex();
        let (n_in, n_out) = (96, 10);
        let codes: Vec<i8> = (0..n_in * n_out).map(|i| (i * 37 % 255) as u8 as i8).collect();
        for group in [16, 32, 48, 96] {
            let scales = values(n_in * n_out / group, 5);
            let weight = QuantizedMatrix::from_int8(codes.clone(), scales, group, [n_out, n_in]);
            let weight = weight.expect("the parts fit");
            for rows in [1, 6] {
                let x = random::<2>([rows, n_in], 0.01, 1, &device);
                let theirs = x.clone().matmul(unpacked(&weight, &device).transpose());
                assert_close("products", &product(x, &weight), &theirs, LIMIT);
            }
        }
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        assert!(QuantizedMatrix::from_int4(vec![0; 16], vec![0], vec![0], [1, 32]).is_some());
        assert!(QuantizedMatrix::from_int4(vec![0; 16], vec![0x7c00], vec![0], [1, 32]).is_none());
        assert!(QuantizedMatrix::from_int4(vec![0; 15], vec![0], vec![0], [1, 32]).is_none());
        assert!(QuantizedMatrix::from_int8(vec![0; 6], vec![1.0; 2], 3, [1, 6]).is_some());
        assert!(QuantizedMatrix::from_int8(vec![0; 6], vec![f32::NAN; 2], 3, [1, 6]).is_none());
        assert!(QuantizedMatrix::from_f16(vec![0; 6], [usize::MAX, 2]).is_none());
    }

    #[test]
    fn results_do_not_depend_on_the_number_of_threads() {
        let run = |n_threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build();
            pool.expect("threads start").install(|| {
                let device = Device::flex();
                let weight =
                    QuantizedMatrix::new(&values(576 * 1000, 2), [1000, 576], Format::Int4);
                [1, 30].map(|rows| {
                    let x = random::<2>([rows, 576], 1.0, 1, &device);
                    product(x, &weight).into_data()
                })
            })
        };
        assert_eq!(run(1), run(3));
    }
}
