//! A head is fitted on embeddings, which are computed once: the tower stays as it is.

use burn::module::Module;
use burn::tensor::{Tensor, TensorData, activation};
use cifake::Label;
use cifake_optim::{AdamW, Group, Moments, Rounding, epoch_order};
use cifake_training::Layout;

use super::{ClipDetector, judge};

/// The training of a head: binary cross-entropy and AdamW, as UnivFD's `networks/trainer.py`.
#[derive(Debug, Clone, PartialEq)]
pub struct HeadTraining {
    /// Passes over the embeddings.
    pub epochs: usize,
    /// Embeddings of a step.
    pub batch_size: usize,
    /// Learning rate.
    pub learning_rate: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Root of the order of the embeddings.
    pub seed: u64,
}

impl Default for HeadTraining {
    /// UnivFD's 1e-4, 256 and no decay; five epochs, as the student system ran.
    fn default() -> Self {
        Self { epochs: 5, batch_size: 256, learning_rate: 1e-4, weight_decay: 0.0, seed: 1 }
    }
}

impl HeadTraining {
    /// Fits the head of `model` to `labels` of `embeddings`, `[pictures, dim]`, which
    /// [`embed`](ClipDetector::embed) gave. Returns the mean loss of each epoch.
    ///
    /// # Panics
    ///
    /// If there are no embeddings, another number of labels, or batches of none.
    pub fn fit(
        &self,
        model: &mut ClipDetector,
        embeddings: Tensor<2>,
        labels: &[Label],
    ) -> Vec<f64> {
        let [n, dim] = embeddings.dims();
        assert!(n > 0 && n == labels.len() && self.batch_size > 0, "a label an embedding");
        let data = embeddings.into_data().try_to_vec::<f32>().expect("embeddings are f32");
        let mut head = model.head.clone().train();
        let device = head[0].weight.val().device();
        let layout = Layout::of(&head);
        let mut weights = layout.read(&head);
        let mut moments = Moments::new(weights.len());
        let optimizer = AdamW {
            betas: [0.9, 0.999],
            epsilon: 1e-8,
            clip_norm: 0.0,
            rounding: Rounding::Quotient,
        };
        let mut losses = Vec::with_capacity(self.epochs);
        for epoch in 0..self.epochs {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&self.seed.to_le_bytes());
            key[8..16].copy_from_slice(&(epoch as u64).to_le_bytes());
            let mut sum = 0.0;
            for batch in epoch_order(n, key).chunks(self.batch_size) {
                let rows = batch.iter().flat_map(|&at| &data[at * dim..(at + 1) * dim]);
                let rows = TensorData::new(rows.copied().collect::<Vec<f32>>(), [batch.len(), dim]);
                let signs =
                    batch.iter().map(|&at| if labels[at] == Label::Fake { -1.0 } else { 1.0 });
                let signs = TensorData::new(signs.collect::<Vec<f32>>(), [batch.len(), 1]);
                let logits = judge(&head, Tensor::from_data(rows, &device));
                // -log of the probability of the label: softplus of the logit against it.
                let against = logits * Tensor::<2>::from_data(signs, &device);
                let loss = activation::softplus(against, 1.0).mean();
                sum += f64::from(loss.clone().into_scalar::<f32>()) * batch.len() as f64;
                let gradient = layout.gradients(&head, &loss.backward());
                let group = Group {
                    range: 0..weights.len(),
                    learning_rate: self.learning_rate,
                    weight_decay: self.weight_decay,
                };
                optimizer.update(&mut moments, &[group], &mut weights, &gradient);
                head = layout.write(head, &weights);
            }
            losses.push(sum / n as f64);
        }
        model.head = layout.write(model.head.clone(), &weights);
        losses
    }
}
