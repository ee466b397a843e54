//! Attention of new tokens to all tokens so far, with their keys and values kept in place.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::Tensor;
use burn_flex::FlexTensor;
use rayon::prelude::*;

use crate::buffer;
use crate::simd::{exp, multiversion};

/// Lanes of a sum over a head.
const LANES: usize = 16;

/// Keys and values of the tokens so far, in memory that is reserved once.
#[derive(Debug)]
pub struct KeyValueCache {
    /// `[batch, n_kv_heads, capacity, d_head]` each.
    keys: Vec<f32>,
    values: Vec<f32>,
    batch: usize,
    n_kv_heads: usize,
    capacity: usize,
    d_head: usize,
}

impl KeyValueCache {
    /// Room for `capacity` tokens of `batch` sequences. The memory is touched as tokens come.
    #[must_use]
    pub fn new(batch: usize, n_kv_heads: usize, capacity: usize, d_head: usize) -> Self {
        let len = batch * n_kv_heads * capacity * d_head;
        let [keys, values] = [0; 2].map(|_| vec![0.0; len]);
        Self { keys, values, batch, n_kv_heads, capacity, d_head }
    }
}

/// The rotation of queries and keys, and the tokens that are looked at.
#[derive(Debug, Clone, Copy)]
pub struct Rotary<'a> {
    /// Cosines, `[batch, tokens, d_rotary / 2]`.
    pub cos: &'a [f32],
    /// Sines, of the same shape.
    pub sin: &'a [f32],
    /// Tokens at the start of each sequence that are not looked at, `[batch]`.
    pub n_pads: &'a [usize],
    /// Tokens that the cache holds.
    pub len: usize,
}

/// The scores of a query, and the keys that it sees beside those of [`Rotary`].
#[derive(Debug, Clone, Copy)]
pub struct Scores<'a> {
    /// Factor of the product of a query and a key.
    pub scale: f32,
    /// A score `s` becomes `softcap * tanh(s / softcap)`.
    pub softcap: Option<f32>,
    /// Number of tokens that a token looks at, itself included; `None` for all before it.
    pub window: Option<usize>,
    /// Number of tokens at the start of each sequence, behind the padding, that all look at each other,
    /// `[batch]`. They are in the cache or new.
    pub prefixes: &'a [usize],
}

impl Scores<'_> {
    /// The first and the end of the tokens that the new token `token` of `sequence` looks at.
    fn seen(
        &self,
        rotary: Rotary<'_>,
        n_tokens: usize,
        [sequence, token]: [usize; 2],
    ) -> [usize; 2] {
        let (n_pads, own) = (rotary.n_pads[sequence], rotary.len + token);
        let prefix = n_pads..n_pads + self.prefixes[sequence];
        if prefix.contains(&own) {
            return [n_pads, prefix.end.min(rotary.len + n_tokens)];
        }
        let first = self.window.map_or(0, |window| (own + 1).saturating_sub(window));
        [first.max(n_pads.min(own)), own + 1]
    }
}

/// Turns the queries and keys of new tokens, puts keys and values behind the first `rotary.len` tokens of
/// `cache`, and returns the attention of each new token to those that it sees, itself and others up to it
/// or of its prefix, `[batch, tokens, n_heads * d_head]`.
///
/// `query` is `[batch, tokens, n_heads * d_head]`, `key` and `value` are `[batch, tokens, n_kv_heads *
/// d_head]`; heads of queries in a row share a head of keys. Channel `i` of a head is turned with channel
/// `i + d_rotary / 2`.
///
/// # Panics
/// If the sizes do not fit or the cache is full.
#[must_use]
pub fn attend(
    query: Tensor<3>,
    key: Tensor<3>,
    value: Tensor<3>,
    rotary: Rotary<'_>,
    scores: Scores<'_>,
    cache: &mut KeyValueCache,
) -> Tensor<3> {
    Tensor::from_dispatch(<Dispatch as AttentionOps>::attend_to_all(
        query.into_dispatch(),
        key.into_dispatch(),
        value.into_dispatch(),
        rotary,
        scores,
        cache,
    ))
}

#[backend_extension(Flex)]
trait AttentionOps: Backend {
    fn attend_to_all(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        rotary: Rotary<'_>,
        scores: Scores<'_>,
        cache: &mut KeyValueCache,
    ) -> FloatTensor<Self>;
}

impl AttentionOps for Flex {
    fn attend_to_all(
        query: FlexTensor,
        key: FlexTensor,
        value: FlexTensor,
        rotary: Rotary<'_>,
        scores: Scores<'_>,
        cache: &mut KeyValueCache,
    ) -> FlexTensor {
        let [mut query, key, value] = [query, key, value].map(buffer::contiguous);
        let shape = query.shape();
        let (n_tokens, width) = (shape[1], shape[2]);
        let &mut KeyValueCache { batch, n_kv_heads, capacity, d_head, .. } = cache;
        assert!(shape[0] == batch && width.is_multiple_of(d_head), "queries of the cache's batch");
        let n_heads = width / d_head;
        assert!(n_heads.is_multiple_of(n_kv_heads), "as many queries to each key");
        assert!(rotary.len + n_tokens <= capacity, "the cache is full");
        assert_eq!(rotary.n_pads.len(), batch, "one number of pads a sequence");
        assert_eq!(scores.prefixes.len(), batch, "one prefix a sequence");
        let rows = batch * n_tokens;
        let d_half = rotary.cos.len() / rows;
        assert!(
            rotary.cos.len() == rows * d_half && rotary.sin.len() == rotary.cos.len(),
            "angles"
        );
        assert!(2 * d_half <= d_head, "a head has the channels that are turned");
        let kv_len = rows * n_kv_heads * d_head;
        let (new_keys, new_values) = (buffer::values(&key), buffer::values(&value));
        assert!(new_keys.len() == kv_len && new_values.len() == kv_len, "keys and values");
        cache.append(new_keys, new_values, rotary, n_tokens, d_half);
        if query.try_storage_mut::<f32>().is_none() {
            query = buffer::tensor(buffer::values(&query).to_vec(), shape.clone());
        }
        let queries = query.try_storage_mut::<f32>().expect("nobody else holds the copy");
        for (row, query) in queries.chunks_exact_mut(width).enumerate() {
            let [cos, sin] = [rotary.cos, rotary.sin].map(|table| &table[row * d_half..][..d_half]);
            for head in query.chunks_exact_mut(d_head) {
                rotate(head, cos, sin);
                head.iter_mut().for_each(|v| *v *= scores.scale);
            }
        }
        let queries = &*queries;
        let cache = &*cache;
        let mut out = buffer::scratch(rows * width);
        // A task is one query of one head: short for one token, many for a prompt.
        out.par_chunks_mut(d_head).enumerate().for_each_init(Vec::new, |weights, (i, out)| {
            let (row, head) = (i / n_heads, i % n_heads);
            let (sequence, token) = (row / n_tokens, row % n_tokens);
            let from = (sequence * n_kv_heads + head / (n_heads / n_kv_heads)) * capacity;
            let [first, end] = scores.seen(rotary, n_tokens, [sequence, token]);
            let [keys, values] = [&cache.keys, &cache.values]
                .map(|all| &all[(from + first) * d_head..(from + end) * d_head]);
            weights.resize(end - first, 0.0);
            mix(&queries[i * d_head..][..d_head], keys, values, scores.softcap, weights, out);
        });
        buffer::tensor(out, shape)
    }
}

impl KeyValueCache {
    /// Puts turned keys and values, `[batch, tokens, n_kv_heads, d_head]`, in their places.
    fn append(
        &mut self,
        keys: &[f32],
        values: &[f32],
        rotary: Rotary<'_>,
        n_tokens: usize,
        d_half: usize,
    ) {
        let &mut Self { n_kv_heads, capacity, d_head, .. } = self;
        for (i, (key, value)) in
            keys.chunks_exact(d_head).zip(values.chunks_exact(d_head)).enumerate()
        {
            let (row, head) = (i / n_kv_heads, i % n_kv_heads);
            let (sequence, token) = (row / n_tokens, row % n_tokens);
            let place = (sequence * n_kv_heads + head) * capacity + rotary.len + token;
            let key_place = &mut self.keys[place * d_head..][..d_head];
            key_place.copy_from_slice(key);
            let [cos, sin] = [rotary.cos, rotary.sin].map(|table| &table[row * d_half..][..d_half]);
            rotate(key_place, cos, sin);
            self.values[place * d_head..][..d_head].copy_from_slice(value);
        }
    }
}

/// Turns the first `2 * cos.len()` channels of a head.
fn rotate(head: &mut [f32], cos: &[f32], sin: &[f32]) {
    let (first, second) = head.split_at_mut(cos.len());
    for (((a, b), cos), sin) in first.iter_mut().zip(second).zip(cos).zip(sin) {
        (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
    }
}

multiversion! {
    /// The values, weighted by the softmax of their keys' products with a query.
    fn mix(
        query: &[f32],
        keys: &[f32],
        values: &[f32],
        softcap: Option<f32>,
        scores: &mut [f32],
        out: &mut [f32],
    ) {
        let d_head = query.len();
        let mut largest = f32::NEG_INFINITY;
        for (score, key) in scores.iter_mut().zip(keys.chunks_exact(d_head)) {
            let mut lanes = [0f32; LANES];
            let whole = d_head / LANES * LANES;
            for (q, k) in query.chunks_exact(LANES).zip(key.chunks_exact(LANES)) {
                for i in 0..LANES {
                    lanes[i] = I::mul_add(q[i], k[i], lanes[i]);
                }
            }
            let mut n = LANES / 2;
            while n > 0 {
                for i in 0..n {
                    lanes[i] += lanes[i + n];
                }
                n /= 2;
            }
            let mut sum = lanes[0];
            for (q, k) in query[whole..].iter().zip(&key[whole..]) {
                sum = I::mul_add(*q, *k, sum);
            }
            if let Some(softcap) = softcap {
                sum = (sum / softcap).tanh() * softcap;
            }
            *score = sum;
            largest = largest.max(sum);
        }
        for score in scores.iter_mut() {
            *score = exp::<I>(*score - largest);
        }
        let inverse = scores.iter().sum::<f32>().recip();
        out.fill(0.0);
        for (score, value) in scores.iter().zip(values.chunks_exact(d_head)) {
            for (out, value) in out.iter_mut().zip(value) {
                *out = I::mul_add(*score, *value, *out);
            }
        }
        for out in out.iter_mut() {
            *out *= inverse;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Rotary, Scores};

    #[test]
    fn windows_end_at_the_token_and_prefixes_are_seen_whole() {
        let rotary = Rotary { cos: &[], sin: &[], n_pads: &[0, 2], len: 0 };
        let seen = |window, prefixes: &[usize], sequence, token| {
            let scores = Scores { scale: 1.0, softcap: None, window, prefixes };
            scores.seen(rotary, 9, [sequence, token])
        };
        assert_eq!(seen(None, &[0, 0], 0, 4), [0, 5]);
        assert_eq!(seen(None, &[0, 0], 1, 4), [2, 5]);
        assert_eq!(seen(Some(2), &[0, 0], 1, 4), [3, 5]);
        assert_eq!(seen(Some(9), &[0, 0], 1, 4), [2, 5]);
        // A token of a prefix sees all of it, beyond the window as well.
        assert_eq!(seen(Some(2), &[0, 5], 1, 6), [2, 7]);
        assert_eq!(seen(Some(2), &[0, 5], 1, 7), [6, 8]);
        // Padding sees itself.
        assert_eq!(seen(Some(2), &[0, 5], 1, 1), [1, 2]);
        let later = Rotary { len: 6, ..rotary };
        let scores = Scores { scale: 1.0, softcap: None, window: Some(3), prefixes: &[0, 0] };
        assert_eq!(scores.seen(later, 1, [0, 0]), [4, 7]);
    }
}
