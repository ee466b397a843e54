//! The loss: cross-entropy of the answer's tokens.

use burn::tensor::{Int, Tensor, TensorData, activation};

/// Sum of the cross-entropies of `logits`, `[targets, vocab]`, with the tokens `targets`, in nats.
///
/// # Panics
/// If there are no targets, or as many as rows.
#[must_use]
pub fn cross_entropy_sum(logits: Tensor<2>, targets: &[u32]) -> Tensor<1> {
    let [n_rows, _] = logits.dims();
    assert_eq!(n_rows, targets.len(), "one target a row");
    let indices: Vec<i64> = targets.iter().map(|&token| i64::from(token)).collect();
    let device = logits.device().inner();
    let indices = Tensor::<2, Int>::from_data(TensorData::new(indices, [n_rows, 1]), &device);
    activation::log_softmax(logits, 1).gather(1, indices).sum().neg()
}

/// The rows of `hidden`, `[batch, tokens, channels]`, at `places`, pairs of sequence and token, as
/// `[places, channels]`.
#[must_use]
pub(crate) fn rows(hidden: Tensor<3>, places: &[(usize, usize)]) -> Tensor<2> {
    let [batch, n_tokens, channels] = hidden.dims();
    let row = |&(sequence, token): &(usize, usize)| (sequence * n_tokens + token) as i64;
    let indices: Vec<i64> = places.iter().map(row).collect();
    let device = hidden.device().inner();
    let indices = Tensor::<1, Int>::from_data(TensorData::new(indices, [places.len()]), &device);
    hidden.reshape([batch * n_tokens, channels]).select(0, indices)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn two_rows_are_summed() {
        let logits = Tensor::from_floats([[0.0, 0.0, 0.0], [1.0, 2.0, 3.0]], &Device::flex());
        let loss = cross_entropy_sum(logits, &[1, 2]).into_scalar::<f32>();
        let exact = 3.0f32.ln() + (1.0 + (-1.0f32).exp() + (-2.0f32).exp()).ln();
        assert!((loss - exact).abs() < 1e-6, "{loss} {exact}");
    }

    #[test]
    fn rows_are_taken_by_sequence_and_token() {
        let hidden = Tensor::<1, Int>::arange(0..12, &Device::flex()).float().reshape([2, 3, 2]);
        let taken = rows(hidden, &[(1, 2), (0, 1)]);
        assert_eq!(taken.into_data(), TensorData::from([[10.0f32, 11.0], [2.0, 3.0]]));
    }
}
