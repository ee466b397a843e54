//! Loss and gradients of one batch.

use burn::tensor::{Gradients, Tensor};

use super::learner::{Learner, Prepared};
use super::loss::{cross_entropy_sum, rows};
use crate::Error;
use crate::text::Decoder;

/// Sum of the losses of `examples` in nats.
pub(crate) fn loss_sum<M: Learner>(model: &M, examples: &[&M::Example]) -> Result<f64, Error> {
    let prepared = model.prepare(examples)?;
    let decoder = model.decoder();
    let hidden = decoder.forward(prepared.embeddings.clone(), &prepared.positions, None);
    Ok(f64::from(prepared.loss(decoder, hidden).into_scalar::<f32>()))
}

/// Calls `collect` with gradients of the losses of `examples` divided by `divisor`, and returns their
/// sum divided by it. Every adapter's gradients come once, perhaps in several calls.
///
/// With `twice`, layers are computed a second time on the way back, and what a layer computed is
/// forgotten as soon as the next one has its result (Chen et al. 2016, arXiv 1604.06174).
pub(crate) fn gradients<M: Learner>(
    model: &M,
    examples: &[&M::Example],
    divisor: f64,
    twice: bool,
    collect: &mut dyn FnMut(&Gradients),
) -> Result<f64, Error> {
    let prepared = model.prepare(examples)?;
    let decoder = model.decoder();
    if twice {
        return Ok(layer_by_layer(decoder, &prepared, divisor, collect));
    }
    let hidden = decoder.forward(prepared.embeddings.clone(), &prepared.positions, None);
    let loss = prepared.loss(decoder, hidden) / divisor;
    if loss.is_tracked() {
        collect(&loss.backward());
    }
    Ok(f64::from(loss.into_scalar::<f32>()))
}

fn layer_by_layer(
    decoder: &Decoder,
    prepared: &Prepared,
    divisor: f64,
    collect: &mut dyn FnMut(&Gradients),
) -> f64 {
    let Prepared { embeddings, positions, .. } = prepared;
    let window = decoder.window(&embeddings.clone().inner(), positions, None);
    let mut inputs = vec![embeddings.clone().inner()];
    for layer in decoder.layers() {
        let x = inputs.last().expect("the embeddings are there").clone();
        inputs.push(layer.forward(x, &window).inner());
    }
    let leaf = |x: Tensor<3>| x.autodiff().require_grad();
    let x = leaf(inputs.pop().expect("one input a layer, and the last output"));
    let loss = prepared.loss(decoder, decoder.normalize(x.clone())) / divisor;
    let gradients = loss.backward();
    collect(&gradients);
    let mut above = x.grad(&gradients).expect("the input is tracked");
    for (layer, x) in decoder.layers().iter().zip(inputs).rev() {
        let x = leaf(x);
        let y = layer.forward(x.clone(), &window);
        let gradients = (y * above).sum().backward();
        collect(&gradients);
        above = x.grad(&gradients).expect("the input is tracked");
    }
    if embeddings.is_tracked() {
        collect(&(embeddings.clone() * above).sum().backward());
    }
    f64::from(loss.into_scalar::<f32>())
}

impl Prepared {
    /// Sum of the losses, of the decoder's last hidden states; the head reads only the places that
    /// count.
    fn loss(&self, decoder: &Decoder, hidden: Tensor<3>) -> Tensor<1> {
        cross_entropy_sum(decoder.logits(rows(hidden, &self.places)), &self.targets)
    }
}
