//! Robust accuracy of a detector over a data set, resumable.
//!
//! ```no_run
//! # use cifake::{Differentiable, Split, open_dataset};
//! # fn evaluate(model: &dyn Differentiable, sha256: &str) -> Result<(), cifake_attacks::Error> {
//! use cifake_attacks::{
//!     Apgd, Attack, Epsilon, ModelId, Norm, RunOptions, TargetModel, evaluate_robustness,
//! };
//!
//! let dataset = open_dataset("datasets/cifake".as_ref(), Some(Split::Test))?;
//! let suite: Vec<Box<dyn Attack>> =
//!     vec![Box::new(Apgd::new(Norm::Linf, Epsilon::from_255(2.0)?))];
//! let options = RunOptions::new((32, 32), "runs/robustness");
//! let (target, id) = (TargetModel::new(model), ModelId::new("mine", sha256));
//! let report = evaluate_robustness(&target, &id, &*dataset, &suite, &options, &mut |_| {})?;
//! println!("{report}");
//! # Ok(())
//! # }
//! ```

mod finished;
mod outcome;
mod report;
mod warning;

use std::cell::RefCell;

use cifake::Dataset;

pub use outcome::Outcome;
pub use report::{CleanRow, RobustnessReport, RobustnessRow};
pub use warning::Warning;

use self::finished::{Finished, Store};
use crate::Error;
use crate::kit::{Attack, TargetModel, is_correct};
use crate::run::{AttackedBatch, ModelId, RunOptions, names, picture_hashes};

/// Number of clean samples on which the model is checked before any attack.
const N_PROBES: usize = 4;

/// Progress of [`evaluate_robustness`].
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct RobustnessProgress<'a> {
    /// Name of the attack.
    pub attack: &'a str,
    /// Pictures done, over all attacks.
    pub done: usize,
    /// The work on the batch under way, counted in pictures. An attack that is over at once leaves it at 0.
    pub under_way: f64,
    /// Pictures of all attacks together.
    pub total: usize,
}

/// Attacks every sample with every attack of `suite` and measures the accuracy that is left.
///
/// A picture counts as FAKE where its logit of FAKE is at least that of REAL, which is a threshold of
/// 0.5. A sample that the model gets wrong without an attack is attacked too, and counts as not
/// robust. Attacked pictures are rounded to the 256 levels of a file before they are counted.
///
/// Finished work is kept in `options.folder` and reused where model, weights, attack, seed, size,
/// device and picture are the same. Pictures are compared by content, so a data set with the same file
/// names is attacked anew, and more samples extend an earlier run. `progress` is called at the start of
/// each attack, after each batch, and within one as the attack tells.
///
/// # Errors
///
/// Those of the attacks; a picture that cannot be read; a damaged file in the folder.
///
/// # Panics
///
/// If an index is not in the data set, `suite` is empty, or the batch size is 0.
pub fn evaluate_robustness(
    target: &TargetModel<'_>,
    model: &ModelId,
    dataset: &dyn Dataset,
    suite: &[Box<dyn Attack>],
    options: &RunOptions,
    progress: &mut dyn FnMut(RobustnessProgress<'_>),
) -> Result<RobustnessReport, Error> {
    assert!(!suite.is_empty(), "there is no attack");
    let indices = options.indices_of(dataset)?;
    let names = names(suite)?;
    let probes = &indices[..indices.len().min(N_PROBES)];
    let mut warnings = Warning::of_model(target, &options.load(dataset, probes)?);
    let pictures = picture_hashes(dataset, &indices)?;
    let samples: Vec<(usize, String)> = indices.iter().copied().zip(pictures).collect();
    let total = samples.len() * suite.len();
    let mut rows = Vec::new();
    for (number, (attack, name)) in suite.iter().zip(names).enumerate() {
        let before = number * samples.len();
        let mut tell = |done, under_way| {
            let done = before + done;
            progress(RobustnessProgress { attack: &name, done, under_way, total });
        };
        let mut store = Store::open(model, &**attack, options)?;
        finish(target, dataset, &**attack, options, &samples, &mut store, &mut tell)?;
        let finished = samples.iter().map(|(index, picture)| {
            let id = &dataset.samples()[*index].id;
            store.get(*index, id, picture).expect("every sample was attacked").clone()
        });
        let (seconds, outcomes): (Vec<f64>, Vec<Outcome>) =
            finished.map(|entry| (entry.seconds, entry.outcome)).unzip();
        if Warning::is_hidden(&outcomes) {
            warnings.push(Warning::HiddenGradients);
        }
        let seconds = seconds.iter().sum();
        rows.push(RobustnessRow::new(&**attack, outcomes, seconds, &options.bootstrap));
    }
    warnings.dedup();
    let clean = CleanRow { accuracy: rows[0].clean };
    Ok(RobustnessReport { seed: options.seed, clean, warnings, attacks: rows })
}

/// Attacks the `samples` without an outcome in `store`; `tell` counts all that have one, and the work on
/// the next ones.
fn finish(
    target: &TargetModel<'_>,
    dataset: &dyn Dataset,
    attack: &dyn Attack,
    options: &RunOptions,
    samples: &[(usize, String)],
    store: &mut Store,
    tell: &mut dyn FnMut(usize, f64),
) -> Result<(), Error> {
    let is_missing = |(index, picture): &&(usize, String)| {
        store.get(*index, &dataset.samples()[*index].id, picture).is_none()
    };
    let missing: Vec<(usize, String)> = samples.iter().filter(is_missing).cloned().collect();
    let mut done = samples.len() - missing.len();
    tell(done, 0.0);
    // An attack tells through a shared reference to its target.
    let tell = RefCell::new(tell);
    for batch in missing.chunks(options.batch_size) {
        let under_way = |share: f64| (tell.borrow_mut())(done, share * batch.len() as f64);
        let target = target.with_progress(&under_way);
        store.add(attack_batch(&target, dataset, attack, options, batch)?)?;
        done += batch.len();
        (tell.borrow_mut())(done, 0.0);
    }
    Ok(())
}

fn attack_batch(
    target: &TargetModel<'_>,
    dataset: &dyn Dataset,
    attack: &dyn Attack,
    options: &RunOptions,
    batch: &[(usize, String)],
) -> Result<Vec<Finished>, Error> {
    let indices: Vec<usize> = batch.iter().map(|(index, _)| *index).collect();
    let attacked = AttackedBatch::new(target, dataset, attack, options, &indices)?;
    let AttackedBatch { samples, found, images, sizes, seconds, .. } = attacked;
    let correct = |images| is_correct(target.answers(), images, &samples.labels);
    let (before, after) = (correct(&samples.images), correct(&images));
    let finished = batch.iter().enumerate().map(|(place, (index, picture))| Finished {
        picture: picture.clone(),
        seconds: seconds / batch.len() as f64,
        outcome: Outcome {
            index: *index,
            id: dataset.samples()[*index].id.clone(),
            label: samples.labels[place],
            clean_correct: before[place],
            correct: after[place],
            l2: sizes.l2[place],
            linf: sizes.linf[place],
            n_pixels: sizes.n_pixels[place],
            n_queries: found.n_queries[place],
            n_gradients: found.n_gradients[place],
            beyond_gradients: found.beyond_gradients[place],
        },
    });
    Ok(finished.collect())
}
