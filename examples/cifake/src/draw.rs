//! Some pictures of many.

use cifake::{Dataset, Label, balanced_sample};

/// `limit` of the samples of `dataset` at the indices `among`, half of them REAL, drawn by `seed`.
#[must_use]
pub fn balanced(
    dataset: &dyn Dataset,
    among: impl IntoIterator<Item = usize>,
    limit: usize,
    seed: u64,
) -> Vec<usize> {
    let among: Vec<usize> = among.into_iter().collect();
    let labels: Vec<Label> = among.iter().map(|&index| dataset.samples()[index].label).collect();
    balanced_sample(&labels, limit, seed).into_iter().map(|place| among[place]).collect()
}
