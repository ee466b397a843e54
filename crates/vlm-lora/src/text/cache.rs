//! Keys and values of earlier tokens.

use burn::tensor::{Device, Tensor, s};
use cifake_kernels::text::{self, KeyValueCache};

use super::config::TextConfig;

/// Keys and values of every layer, in memory that is reserved once and written in place.
///
/// A batch is padded on the left: the first tokens of a sequence may not count.
#[derive(Debug)]
pub struct Cache {
    layers: Vec<LayerCache>,
    len: usize,
    capacity: usize,
    n_pads: Vec<usize>,
}

/// Keys and values of one layer, `[batch, n_kv_heads, capacity, d_head]` each.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one a layer")]
pub(super) enum LayerCache {
    /// For the kernel that reads and writes them.
    Host(KeyValueCache),
    /// For any other device. Taken while they are written, so that nothing else holds them.
    Device(Option<[Tensor<4>; 2]>),
}

impl Cache {
    /// Room for `capacity` tokens of `n_pads.len()` sequences, of which the first `n_pads[i]` tokens
    /// do not count.
    #[must_use]
    pub fn new(config: &TextConfig, n_pads: Vec<usize>, capacity: usize, device: &Device) -> Self {
        let on_host = text::is_plain(&Tensor::<1>::zeros([1], device));
        let shape = [n_pads.len(), config.n_kv_heads, capacity, config.d_head];
        let layer = |_| match shape {
            [batch, n_kv_heads, capacity, d_head] if on_host => {
                LayerCache::Host(KeyValueCache::new(batch, n_kv_heads, capacity, d_head))
            }
            shape => LayerCache::Device(Some([0; 2].map(|_| Tensor::zeros(shape, device)))),
        };
        let layers = (0..config.n_layers).map(layer).collect();
        Self { layers, len: 0, capacity, n_pads }
    }

    /// Tokens that are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no token is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Tokens that there is room for.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Tokens at the start of each sequence that do not count.
    #[must_use]
    pub fn n_pads(&self) -> &[usize] {
        &self.n_pads
    }

    /// Bytes of a cache of `capacity` tokens of `batch` sequences.
    #[must_use]
    pub fn bytes(config: &TextConfig, batch: usize, capacity: usize) -> u64 {
        let row = config.n_layers * config.n_kv_heads * config.d_head;
        2 * 4 * row as u64 * batch as u64 * capacity as u64
    }

    /// Whether the kernel attends, which needs no mask.
    pub(super) fn is_on_host(&self) -> bool {
        self.layers.iter().all(|layer| matches!(layer, LayerCache::Host(_)))
    }

    pub(super) fn layer(&mut self, index: usize) -> &mut LayerCache {
        &mut self.layers[index]
    }

    pub(super) fn grow(&mut self, n_tokens: usize) {
        self.len += n_tokens;
    }
}

/// Writes keys and values, `[batch, n_kv_heads, tokens, d_head]`, behind the first `len` tokens of
/// `both` and returns those of all tokens.
pub(super) fn append(
    both: &mut Option<[Tensor<4>; 2]>,
    len: usize,
    new: [Tensor<4>; 2],
) -> [Tensor<4>; 2] {
    let end = len + new[0].dims()[2];
    let [keys, values] = both.take().expect("they are put back below");
    let [new_keys, new_values] = new;
    let keys = keys.slice_assign(s![.., .., len..end, ..], new_keys);
    let values = values.slice_assign(s![.., .., len..end, ..], new_values);
    let all = [keys.clone(), values.clone()].map(|all| all.narrow(2, 0, end));
    *both = Some([keys, values]);
    all
}
