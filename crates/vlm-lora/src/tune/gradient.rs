//! Loss and gradients of one batch.

use burn::tensor::{Gradients, Tensor};

use super::loss::{cross_entropy_sum, rows};
use super::trainable::{ModelInputs, Trainable};
use crate::error::Error;
use crate::text::{Decoder, Window};

/// Sum of the losses of `examples` in nats.
pub(crate) fn loss_sum<M: Trainable>(model: &M, examples: &[&M::Example]) -> Result<f64, Error> {
    let prepared = model.prepare(examples)?;
    let decoder = model.decoder();
    let hidden = prepared.hidden(decoder);
    Ok(f64::from(prepared.loss(decoder, hidden).into_scalar::<f32>()))
}

/// Calls `collect` with the gradients of the losses of `examples` divided by `divisor`, and returns
/// their sum divided by it.
pub(crate) fn gradients<M: Trainable>(
    model: &M,
    examples: &[&M::Example],
    divisor: f64,
    collect: &mut dyn FnMut(&Gradients),
) -> Result<f64, Error> {
    let prepared = model.prepare(examples)?;
    let decoder = model.decoder();
    let hidden = prepared.hidden(decoder);
    let loss = prepared.loss(decoder, hidden) / divisor;
    if loss.is_tracked() {
        collect(&loss.backward());
    }
    Ok(f64::from(loss.into_scalar::<f32>()))
}

/// A batch with the input of each layer of the decoder and the output of the last. Nothing else is
/// kept if layers are computed twice (Chen et al. 2016, arXiv 1604.06174).
pub(crate) struct LayerInputs {
    prepared: ModelInputs,
    inputs: Vec<Tensor<3>>,
}

impl LayerInputs {
    /// The first pass. The adapters of the model ask for no gradients, because a graph would stay
    /// in memory until the next backward pass.
    pub(crate) fn new<M: Trainable>(model: &M, examples: &[&M::Example]) -> Result<Self, Error> {
        let prepared = model.prepare(examples)?;
        let decoder = model.decoder();
        let window = prepared.window(decoder);
        let mut inputs = vec![prepared.embeddings.clone()];
        for layer in decoder.layers() {
            let x = inputs.last().expect("the embeddings are there").clone();
            inputs.push(layer.forward(x, &window));
        }
        Ok(Self { prepared, inputs })
    }

    /// The second pass, layer by layer from the last, of the same model and `examples` with adapters
    /// that ask for gradients: [`gradients`], of which every adapter's come in one of the calls.
    pub(crate) fn gradients<M: Trainable>(
        self,
        model: &M,
        examples: &[&M::Example],
        divisor: f64,
        collect: &mut dyn FnMut(&Gradients),
    ) -> Result<f64, Error> {
        let Self { prepared, mut inputs } = self;
        let decoder = model.decoder();
        let window = prepared.window(decoder);
        let leaf = |x: Tensor<3>| x.autodiff().require_grad();
        let x = leaf(inputs.pop().expect("one input a layer, and the last output"));
        let loss = prepared.loss(decoder, decoder.normalize(x.clone())) / divisor;
        let gradients = loss.backward();
        collect(&gradients);
        let mut above = x.grad(&gradients).expect("the input is tracked");
        for (layer, x) in decoder.layers().iter().zip(inputs).rev() {
            let x = leaf(x);
            let gradients = (layer.forward(x.clone(), &window) * above).sum().backward();
            collect(&gradients);
            above = x.grad(&gradients).expect("the input is tracked");
        }
        // If adapters play a part before the decoder, the embeddings lead to them.
        let embeddings = model.prepare(examples)?.embeddings;
        if embeddings.is_tracked() {
            collect(&(embeddings * above).sum().backward());
        }
        Ok(f64::from(loss.into_scalar::<f32>()))
    }
}

impl ModelInputs {
    /// The decoder's last hidden states.
    fn hidden(&self, decoder: &Decoder) -> Tensor<3> {
        decoder.forward_masked(self.embeddings.clone(), &self.positions, &self.mask, None)
    }

    /// The positions and the mask that all layers of the decoder share.
    fn window(&self, decoder: &Decoder) -> Window {
        decoder.window_masked(&self.embeddings, &self.positions, &self.mask, None)
    }

    /// Sum of the losses, of the decoder's last hidden states; the head reads only the places that
    /// count.
    fn loss(&self, decoder: &Decoder, hidden: Tensor<3>) -> Tensor<1> {
        cross_entropy_sum(decoder.logits(rows(hidden, &self.places)), &self.targets)
    }
}
