//! The interface of models that can be fine-tuned.

use burn::tensor::Tensor;

use super::encode::Encoded;
use crate::error::Error;
use crate::nn::LoraTargets;
use crate::text::{AttentionMask, Decoder, Positions};

/// A model that can be fine-tuned. It turns examples into embeddings for its decoder, with the target
/// tokens of the loss.
///
/// ```
/// use vlm_lora::tune::{Encoded, Trainable};
/// fn n_learned<M: Trainable<Example = Encoded>>(model: &M, examples: &[Encoded]) -> usize {
///     examples.iter().map(|example| model.n_targets(example)).sum()
/// }
/// # let _ = n_learned::<vlm_lora::Decoder>;
/// ```
pub trait Trainable: LoraTargets + Clone + Send + Sync {
    /// An example of the training set.
    type Example: Sync;

    /// Tokens of `example` that carry loss.
    fn n_targets(&self, example: &Self::Example) -> usize;

    /// Calls `update` with bytes that tell `example` from any other: a checkpoint knows its data by
    /// them.
    ///
    /// # Errors
    /// An example that cannot be read, such as one with a broken picture.
    fn digest(&self, example: &Self::Example, update: &mut dyn FnMut(&[u8])) -> Result<(), Error>;

    /// A batch for the decoder. Adapters of the model's other parts play their part here, so that
    /// gradients reach them through the embeddings.
    ///
    /// # Errors
    /// The obstacle, such as a picture that cannot be read.
    fn prepare(&self, examples: &[&Self::Example]) -> Result<ModelInputs, Error>;

    /// The decoder that reads the embeddings.
    fn decoder(&self) -> &Decoder;
}

/// A batch of examples for the decoder. Padding is on the right, where a causal decoder never looks.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ModelInputs {
    /// `[batch, tokens, d_model]`.
    pub embeddings: Tensor<3>,
    /// `[axes, batch, tokens]`.
    pub positions: Positions,
    /// Sequence and token of every answer that is compared.
    pub places: Vec<(usize, usize)>,
    /// The token that should follow each place.
    pub targets: Vec<u32>,
    /// The attention pattern of the tokens.
    pub mask: AttentionMask,
}

impl ModelInputs {
    /// A batch of text.
    ///
    /// # Panics
    /// If there is no example, or a token is not below the vocabulary's size.
    #[must_use]
    pub fn text(decoder: &Decoder, examples: &[&Encoded]) -> Self {
        let embeddings = examples.iter().map(|example| decoder.embed(&example.tokens)).collect();
        Self::new(embeddings, None, examples)
    }

    /// A batch of sequences of embeddings, `[tokens, d_model]` each, of which `encoded` tells what is
    /// learned; without `positions`, `[axes, 1, tokens]` each, those of text.
    ///
    /// # Panics
    /// If there is no sequence, or a length differs from that of its tokens.
    #[must_use]
    pub fn new(
        embeddings: Vec<Tensor<2>>,
        positions: Option<Vec<Positions>>,
        encoded: &[&Encoded],
    ) -> Self {
        let lens: Vec<usize> = embeddings.iter().map(|sequence| sequence.dims()[0]).collect();
        assert_eq!(lens.len(), encoded.len(), "one sequence an example");
        let longest = *lens.iter().max().expect("a batch holds an example");
        let padded = embeddings.into_iter().map(|sequence| {
            let [len, d_model] = sequence.dims();
            let sequence = match longest - len {
                0 => sequence,
                n => {
                    let pads = Tensor::zeros([n, d_model], &sequence.device());
                    Tensor::cat(vec![sequence, pads], 0)
                }
            };
            sequence.unsqueeze::<3>()
        });
        let embeddings = Tensor::cat(padded.collect(), 0);
        let positions = match positions {
            Some(parts) => {
                let parts: Vec<_> = parts.iter().map(|part| lengthened(part, longest)).collect();
                Positions::stacked(&parts)
            }
            None => Positions::text(&vec![0; lens.len()], longest),
        };
        let mut places = Vec::new();
        let mut targets = Vec::new();
        for (sequence, (encoded, len)) in encoded.iter().zip(&lens).enumerate() {
            assert_eq!(encoded.tokens.len(), *len, "one embedding a token");
            for (place, target) in encoded.targets() {
                places.push((sequence, place));
                targets.push(target);
            }
        }
        let mask = AttentionMask::Causal;
        Self { embeddings, positions, places, targets, mask }
    }

    /// The same batch with another attention mask.
    #[must_use]
    pub fn with_mask(mut self, mask: AttentionMask) -> Self {
        self.mask = mask;
        self
    }
}

/// `positions` of one sequence with zeros behind, `n_tokens` in all.
fn lengthened(positions: &Positions, n_tokens: usize) -> Positions {
    let [n_axes, _, len] = positions.shape();
    let row = |axis: usize| {
        let row = (0..len).map(move |token| positions.get(axis, 0, token));
        row.chain(std::iter::repeat_n(0, n_tokens - len))
    };
    Positions::new((0..n_axes).flat_map(row).collect(), [n_axes, 1, n_tokens])
}

/// Text alone.
impl Trainable for Decoder {
    type Example = Encoded;

    fn n_targets(&self, example: &Encoded) -> usize {
        example.n_targets()
    }

    fn digest(&self, example: &Encoded, update: &mut dyn FnMut(&[u8])) -> Result<(), Error> {
        example.digest(update);
        Ok(())
    }

    fn prepare(&self, examples: &[&Encoded]) -> Result<ModelInputs, Error> {
        Ok(ModelInputs::text(self, examples))
    }

    fn decoder(&self) -> &Decoder {
        self
    }
}

impl Encoded {
    /// Calls `update` with bytes that tell it from any other.
    pub fn digest(&self, update: &mut dyn FnMut(&[u8])) {
        update(&(self.tokens.len() as u64).to_le_bytes());
        for (token, answer) in self.tokens.iter().zip(&self.answer) {
            update(&token.to_le_bytes());
            update(&[u8::from(*answer)]);
        }
    }
}
