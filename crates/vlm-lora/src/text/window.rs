//! The positions and the attention mask of the tokens of one call.

use burn::tensor::{Bool, Device, Tensor, TensorData};
use cifake_kernels::text::Rotary;

use super::cache::Cache;
use super::config::RotaryConfig;
use super::mask::AttentionMask;
use super::position::Positions;
use super::rotary::Rotation;

/// The rotary angles and the attention mask of the tokens of one call, which all layers share.
#[derive(Debug, Clone)]
pub struct Window {
    rotation: Rotation,
    /// True where a key is masked, `[batch, 1, tokens, keys]`.
    mask: Option<Tensor<4, Bool>>,
    /// Tokens before these.
    len: usize,
    n_pads: Vec<usize>,
}

impl Window {
    /// Tokens at `positions` behind those of `cache`, which attend to each other as `attention` says.
    pub(super) fn new(
        rotary: &RotaryConfig,
        positions: &Positions,
        attention: &AttentionMask,
        cache: Option<&Cache>,
        device: &Device,
    ) -> Self {
        let [_, batch, n_tokens] = positions.shape();
        let len = cache.map_or(0, Cache::len);
        let no_pads = vec![0; batch];
        let n_pads = cache.map_or(&*no_pads, Cache::n_pads);
        assert_eq!(n_pads.len(), batch, "the cache is of this batch");
        let rotation = rotary.rotation(positions, device);
        let on_host = cache.is_some_and(Cache::is_on_host);
        attention.assert_batch(batch);
        assert!(!on_host || attention.is_causal(), "the kernel of a host cache is causal");
        let needed = !on_host && (n_tokens > 1 || n_pads.iter().any(|&n| n > 0));
        let mask = needed.then(|| mask(attention, n_pads, len, n_tokens, device));
        let n_pads = n_pads.to_vec();
        Self { rotation, mask, len, n_pads }
    }

    pub(super) fn rotation(&self) -> &Rotation {
        &self.rotation
    }

    pub(super) fn mask(&self) -> Option<&Tensor<4, Bool>> {
        self.mask.as_ref()
    }

    /// The same for the kernel.
    pub(super) fn rotary(&self) -> Rotary<'_> {
        let [cos, sin] = self.rotation.tables();
        Rotary { cos, sin, n_pads: &self.n_pads, len: self.len }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }
}

/// True for padding, and for later tokens but those of a common prefix.
fn mask(
    attention: &AttentionMask,
    n_pads: &[usize],
    len: usize,
    n_tokens: usize,
    device: &Device,
) -> Tensor<4, Bool> {
    let mut hidden = Vec::with_capacity(n_pads.len() * n_tokens * (len + n_tokens));
    for (sequence, &n_pads) in n_pads.iter().enumerate() {
        let prefix = n_pads + attention.prefix(sequence);
        for token in len..len + n_tokens {
            let last = if token < prefix { prefix - 1 } else { token };
            hidden.extend((0..len + n_tokens).map(|key| key > last || key < n_pads));
        }
    }
    let shape = [n_pads.len(), 1, n_tokens, len + n_tokens];
    Tensor::from_data(TensorData::new(hidden, shape), device)
}
