//! The positions and the attention mask of the tokens of one call.

use burn::tensor::{Bool, Device, Tensor, TensorData};
use cifake_kernels::text::Rotary;

use super::cache::Cache;
use super::config::TextConfig;
use super::mask::AttentionMask;
use super::position::Positions;
use super::rotary::Rotation;

/// The rotary angles and the attention mask of the tokens of one call, which all layers share.
#[derive(Debug, Clone)]
pub struct Window {
    rotation: Rotation,
    /// True where a key is masked, `[batch, 1, tokens, keys]`.
    mask: Option<Tensor<4, Bool>>,
    /// The same of layers with a sliding window that hides more.
    sliding_mask: Option<Tensor<4, Bool>>,
    /// Tokens before these.
    len: usize,
    n_pads: Vec<usize>,
    /// Tokens at the start of each sequence, behind its padding, that see each other.
    prefixes: Vec<usize>,
}

impl Window {
    /// Tokens at `positions` behind those of `cache`, which attend to each other as `attention` says.
    pub(super) fn new(
        config: &TextConfig,
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
        let rotation = config.rotary.rotation(positions, device);
        let on_host = cache.is_some_and(Cache::is_on_host);
        attention.assert_batch(batch);
        let needed = !on_host && (n_tokens > 1 || n_pads.iter().any(|&n| n > 0));
        let full = needed.then(|| mask(attention, n_pads, [len, n_tokens], usize::MAX, device));
        let sliding = config.sliding_window.as_ref().map(|sliding| sliding.n_tokens);
        let sliding = sliding.filter(|window| !on_host && *window < len + n_tokens);
        let sliding_mask =
            sliding.map(|window| mask(attention, n_pads, [len, n_tokens], window, device));
        let prefixes = (0..batch).map(|sequence| attention.prefix(sequence)).collect();
        Self { rotation, mask: full, sliding_mask, len, n_pads: n_pads.to_vec(), prefixes }
    }

    pub(super) fn rotation(&self) -> &Rotation {
        &self.rotation
    }

    /// The mask of a layer in which a token sees `sliding` tokens, or all.
    pub(super) fn mask(&self, sliding: Option<usize>) -> Option<&Tensor<4, Bool>> {
        sliding.and(self.sliding_mask.as_ref()).or(self.mask.as_ref())
    }

    pub(super) fn prefixes(&self) -> &[usize] {
        &self.prefixes
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

/// True for padding, for later tokens, and for those more than `window` tokens back; false for those of a
/// common prefix.
fn mask(
    attention: &AttentionMask,
    n_pads: &[usize],
    [len, n_tokens]: [usize; 2],
    window: usize,
    device: &Device,
) -> Tensor<4, Bool> {
    let mut hidden = Vec::with_capacity(n_pads.len() * n_tokens * (len + n_tokens));
    for (sequence, &n_pads) in n_pads.iter().enumerate() {
        let prefix = n_pads + attention.prefix(sequence);
        for token in len..len + n_tokens {
            let (first, last) = match token < prefix {
                true => (n_pads, prefix - 1),
                false => (n_pads.max((token + 1).saturating_sub(window)), token),
            };
            hidden.extend((0..len + n_tokens).map(|key| key > last || key < first));
        }
    }
    let shape = [n_pads.len(), 1, n_tokens, len + n_tokens];
    Tensor::from_data(TensorData::new(hidden, shape), device)
}
