//! Multi-head attention among the tokens of a window.

use pulp::{Simd, WithSimd};

use crate::gemm::{Matrix, PANEL, Panels, Start, multiply};
use crate::simd::{exp_lanes, vectorize};

/// Queries whose scores are in the cache at a time: four tiles.
const STRIP: usize = 24;
/// The bias of a token that does not exist: its weight is e^-87 or less.
const ABSENT: f32 = -1e9;

/// Attention with one bias a head and pair of tokens.
#[derive(Debug, Clone)]
pub struct WindowAttention {
    /// `[n_heads, tokens, padded]`.
    bias: Vec<f32>,
    tokens: usize,
    /// Tokens, rounded up to whole panels.
    padded: usize,
    n_heads: usize,
    head_dim: usize,
}

/// Scratch memory of [`WindowAttention::apply`], kept from call to call.
#[derive(Debug, Default)]
pub struct AttentionWorkspace {
    keys: Panels,
    values: Panels,
    scores: Vec<f32>,
    /// Of the queries of a strip.
    inverse_sums: [f32; STRIP],
}

impl WindowAttention {
    /// A layer of `n_heads` heads of `head_dim` channels; `bias` is `[n_heads, tokens, tokens]`.
    ///
    /// # Panics
    /// If a size is 0 or `bias` is not square in its tokens.
    #[must_use]
    pub fn new(bias: &[f32], n_heads: usize, head_dim: usize) -> Self {
        assert!(n_heads > 0 && head_dim > 0, "a head and a channel");
        let tokens = (bias.len() / n_heads).isqrt();
        assert!(tokens > 0 && bias.len() == n_heads * tokens * tokens, "one bias a pair of tokens");
        let padded = tokens.next_multiple_of(PANEL);
        let bias = bias
            .chunks_exact(tokens)
            .flat_map(|row| row.iter().copied().chain(std::iter::repeat_n(ABSENT, padded - tokens)))
            .collect();
        Self { bias, tokens, padded, n_heads, head_dim }
    }

    /// Tokens of a window.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// The outputs, `[rows, n_heads * head_dim]`, of the queries from `first` on, as many as `out`
    /// holds, of one window; `qkv` is `[tokens, n_heads, 3, head_dim]`, its queries scaled.
    ///
    /// # Panics
    /// If the sizes do not fit.
    pub fn apply(
        &self,
        qkv: &[f32],
        first: usize,
        workspace: &mut AttentionWorkspace,
        out: &mut [f32],
    ) {
        let Self { tokens, padded, n_heads, head_dim, .. } = *self;
        let width = n_heads * head_dim;
        let rows = out.len() / width;
        assert!(qkv.len() == tokens * 3 * width, "qkv is [tokens, n_heads, 3, head_dim]");
        assert!(out.len() == rows * width && first + rows <= tokens, "the output is [rows, width]");
        let AttentionWorkspace { keys, values, scores, inverse_sums } = workspace;
        scores.resize(STRIP * padded, 0.0);
        for head in 0..n_heads {
            let part = |part: usize| &qkv[(head * 3 + part) * head_dim..];
            keys.repack(Matrix::columns(part(1), 3 * width), head_dim, tokens);
            keys.fill_panels();
            values.repack(Matrix::rows(part(2), 3 * width), tokens, head_dim);
            for (i, out) in out.chunks_mut(STRIP * width).enumerate() {
                let (first, rows) = (first + i * STRIP, out.len() / width);
                let queries = Matrix::rows(&part(0)[first * 3 * width..], 3 * width);
                let bias = &self.bias[(head * tokens + first) * padded..];
                let scores = &mut scores[..rows * padded];
                multiply(rows, queries, keys, Start::Rows(bias, padded), scores, padded);
                vectorize(Exponentials { scores, padded, inverse_sums });
                let weights = Matrix::rows(scores, padded);
                let out = &mut out[head * head_dim..];
                multiply(rows, weights, values, Start::Zero, out, width);
                for (row, factor) in out.chunks_mut(width).zip(&*inverse_sums) {
                    for v in &mut row[..head_dim] {
                        *v *= factor;
                    }
                }
            }
        }
    }
}

/// Softmax of rows of `padded` elements but for its last step: the factor that makes a row sum to
/// one is left for what is computed of it, which is narrower.
struct Exponentials<'a> {
    scores: &'a mut [f32],
    padded: usize,
    inverse_sums: &'a mut [f32; STRIP],
}

impl WithSimd for Exponentials<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let rows = self.scores.chunks_exact_mut(self.padded);
        for (row, inverse_sum) in rows.zip(self.inverse_sums) {
            let (lanes, _) = S::as_mut_simd_f32s(row);
            let mut max = lanes[0];
            for v in &*lanes {
                max = simd.max_f32s(max, *v);
            }
            let max = simd.splat_f32s(simd.reduce_max_f32s(max));
            let mut sum = simd.splat_f32s(0.0);
            for v in lanes {
                *v = exp_lanes(simd, simd.sub_f32s(*v, max));
                sum = simd.add_f32s(sum, *v);
            }
            *inverse_sum = simd.reduce_sum_f32s(sum).recip();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AttentionWorkspace, WindowAttention};
    use crate::check::values;

    /// Sums of up to 49 weighted values of magnitude 1.
    const LIMIT: f64 = 1e-5;

    #[test]
    fn any_rows_agree_with_the_definition() {
        for (tokens, n_heads, head_dim) in [(49, 2, 32), (16, 3, 8), (1, 1, 5), (64, 1, 32)] {
            let width = n_heads * head_dim;
            let qkv = values(tokens * 3 * width, 1);
            let bias = values(n_heads * tokens * tokens, 2);
            let layer = WindowAttention::new(&bias, n_heads, head_dim);
            let first = tokens / 3;
            let mut out = vec![f32::NAN; (tokens - first) * width];
            layer.apply(&qkv, first, &mut AttentionWorkspace::default(), &mut out);
            let at = |token: usize, head: usize, part: usize, d: usize| {
                f64::from(qkv[token * 3 * width + (head * 3 + part) * head_dim + d])
            };
            for (i, out) in out.iter().enumerate() {
                let (query, head, d) = (first + i / width, i % width / head_dim, i % head_dim);
                let weight = |key: usize| {
                    let products =
                        (0..head_dim).map(|d| at(query, head, 0, d) * at(key, head, 1, d));
                    let bias = bias[(head * tokens + query) * tokens + key];
                    (products.sum::<f64>() + f64::from(bias)).exp()
                };
                let sum: f64 = (0..tokens).map(weight).sum();
                let mixed: f64 = (0..tokens).map(|key| weight(key) * at(key, head, 2, d)).sum();
                let difference = (f64::from(*out) - mixed / sum).abs();
                assert!(difference < LIMIT, "{query} {head} {d}: {out}, not {}", mixed / sum);
            }
        }
    }
}
