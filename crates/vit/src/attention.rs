//! Attention of every token of a picture to every other.

use burn::tensor::{Tensor, activation};

/// The most scores that exist at once: 64 MiB. A picture of more is done in blocks of rows.
pub(crate) const MAX_SCORES: usize = 1 << 24;

/// `softmax(q kᵀ / sqrt(d_head)) v` for each sequence and head.
///
/// All are `[batch, heads, tokens, d_head]`; so is the result.
#[must_use]
pub fn attend(q: Tensor<4>, k: Tensor<4>, v: Tensor<4>) -> Tensor<4> {
    let [batch, heads, tokens, d_head] = q.dims();
    let q = q * (d_head as f64).powf(-0.5);
    let keys = k.swap_dims(2, 3);
    let rows = (MAX_SCORES / (batch * heads * tokens).max(1)).clamp(1, tokens.max(1));
    let block = |first: usize| {
        let q = q.clone().narrow(2, first, rows.min(tokens - first));
        activation::softmax(q.matmul(keys.clone()), 3).matmul(v.clone())
    };
    Tensor::cat((0..tokens).step_by(rows).map(block).collect(), 2)
}

/// [`attend`] with `n_heads` heads side by side in the last axis.
///
/// Queries, keys and values are `[batch, tokens, dim]`; so is the result.
///
/// # Panics
/// If `n_heads` does not divide `dim`.
#[must_use]
pub fn multi_head(qkv: [Tensor<3>; 3], n_heads: usize) -> Tensor<3> {
    let [batch, tokens, dim] = qkv[0].dims();
    let [q, k, v] = qkv.map(|x| x.reshape([batch, tokens, n_heads, dim / n_heads]).swap_dims(1, 2));
    attend(q, k, v).swap_dims(1, 2).reshape([batch, tokens, dim])
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Distribution};

    use super::*;

    #[test]
    fn equal_keys_give_the_mean_of_the_values() {
        let device = Device::flex();
        let q = Tensor::random([2, 3, 5, 4], Distribution::Default, &device);
        let v = Tensor::random([2, 3, 5, 4], Distribution::Default, &device);
        let y = attend(q, Tensor::ones([2, 3, 5, 4], &device), v.clone());
        testkit::assert_close(&y, &v.mean_dim(2).expand([2, 3, 5, 4]), 1e-6, "means");
    }

    #[test]
    fn blocks_of_rows_give_what_all_rows_give() {
        let device = Device::flex();
        let tokens = 1500;
        let random = || Tensor::<4>::random([8, 1, tokens, 2], Distribution::Default, &device);
        let (q, k, v) = (random(), random(), random());
        let scores = q.clone().matmul(k.clone().swap_dims(2, 3)) * 2f64.powf(-0.5);
        let whole = activation::softmax(scores, 3).matmul(v.clone());
        testkit::assert_close(&attend(q, k, v), &whole, 1e-5, "blocks");
    }
}
