//! The batches of a step, one after the other or several side by side: the same sums either way.

use burn::tensor::{Device, Gradients};
use cifake::Threads;

use super::gradient::{LayerInputs, gradients};
use super::layout::Layout;
use super::trainable::Trainable;
use crate::error::Error;

/// The settings that the batches of a step share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pass<'a> {
    pub(crate) layout: &'a Layout,
    /// The adapter's weights.
    pub(crate) weights: &'a [f32],
    /// A plain device.
    pub(crate) device: &'a Device,
    /// Whether layers are computed a second time instead of kept.
    pub(crate) gradient_checkpointing: bool,
    /// The divisor of losses.
    pub(crate) n_targets: f64,
}

/// Examples that are computed at once, and the seed of what dropout leaves out.
#[derive(Debug)]
pub(crate) struct Batch<'a, E> {
    pub(crate) examples: Vec<&'a E>,
    pub(crate) seed: u64,
}

impl Pass<'_> {
    /// Adds the gradients of `batch` to `sum`; returns its loss.
    pub(crate) fn add<M: Trainable>(
        &self,
        model: &mut M,
        batch: &Batch<'_, M::Example>,
        sum: &mut [f32],
    ) -> Result<f64, Error> {
        let Self { layout, weights, device, n_targets, .. } = *self;
        layout.seed_dropout(model, Some(batch.seed));
        let inputs = match self.gradient_checkpointing {
            true => {
                layout.write(model, weights, device);
                Some(LayerInputs::new(model, &batch.examples)?)
            }
            false => None,
        };
        let leaves = layout.write(model, weights, &device.clone().autodiff());
        let collect = &mut |found: &Gradients| leaves.add_gradients(found, sum);
        match inputs {
            Some(inputs) => inputs.gradients(model, &batch.examples, n_targets, collect),
            None => gradients(model, &batch.examples, n_targets, collect),
        }
    }
}

/// One that computes beside others: a copy of the model, whose adapter has a graph of its own, and the
/// threads to compute with.
#[derive(Debug)]
pub(crate) struct Worker<M> {
    model: M,
    threads: Threads,
}

impl<M: Trainable> Worker<M> {
    /// `n_workers` of them share the current number of threads.
    ///
    /// # Panics
    /// If the system has no threads left.
    pub(crate) fn team(model: &M, n_workers: usize) -> Vec<Self> {
        let n_threads = (rayon::current_num_threads() / n_workers.max(1)).max(1);
        let worker = |_| {
            let threads = Threads::new(n_threads);
            Self { model: model.clone(), threads: threads.expect("the system has threads left") }
        };
        (0..n_workers).map(worker).collect()
    }

    /// Adds the gradients of `batches` to `sum` in their order, computed by `team`, each by one of them;
    /// returns their loss.
    pub(crate) fn add_all(
        team: &mut [Self],
        pass: Pass<'_>,
        batches: &[Batch<'_, M::Example>],
        sum: &mut [f32],
    ) -> Result<f64, Error> {
        let mut loss = 0.0;
        for some in batches.chunks(team.len()) {
            let found: Vec<Result<(f64, Vec<f32>), Error>> = std::thread::scope(|scope| {
                let compute = |(worker, batch): (&'_ mut Self, &'_ Batch<'_, M::Example>)| {
                    let mut own = vec![0.0; pass.layout.len];
                    let Self { model, threads } = worker;
                    let loss = threads.install(|| pass.add(model, batch, &mut own))?;
                    Ok((loss, own))
                };
                let begun: Vec<_> = team
                    .iter_mut()
                    .zip(some)
                    .map(|both| scope.spawn(move || compute(both)))
                    .collect();
                begun.into_iter().map(|thread| thread.join().expect("no batch panics")).collect()
            });
            for part in found {
                let (own_loss, own) = part?;
                loss += own_loss;
                sum.iter_mut().zip(own).for_each(|(sum, own)| *sum += own);
            }
        }
        Ok(loss)
    }
}
