//! Robust accuracy of a detector over a data set, resumable.
//!
//! ```no_run
//! # use cifake::{Differentiable, Split, open_dataset};
//! # fn evaluate(model: &dyn Differentiable) -> Result<(), cifake_attacks::Error> {
//! use cifake_attacks::{
//!     Apgd, Attack, Epsilon, Norm, RunOptions, Victim, evaluate_robustness,
//! };
//!
//! let dataset = open_dataset("datasets/cifake".as_ref(), Some(Split::Test))?;
//! let suite: Vec<Box<dyn Attack>> =
//!     vec![Box::new(Apgd::new(Norm::Linf, Epsilon::from_255(2.0)?))];
//! let options = RunOptions::new((32, 32), "runs/robustness");
//! let report =
//!     evaluate_robustness(&Victim::new(model), "mine", &*dataset, &suite, &options, &mut |_| {})?;
//! println!("{report}");
//! # Ok(())
//! # }
//! ```

mod outcome;
mod report;

use std::path::Path;

use cifake::Dataset;
use serde::{Deserialize, Serialize};

pub use outcome::Outcome;
pub use report::{CleanRow, RobustnessReport, RobustnessRow};

use crate::attacked::Attacked;
use crate::loss::calls_right;
use crate::run::{RunOptions, create_folder, names, slug};
use crate::{Attack, Error, Victim, Warning};

/// Samples that the model is looked at with, before any attack.
const N_PROBES: usize = 4;
/// Longest shard that is read back.
const MAX_BYTES: u64 = 64 << 20;

/// What [`evaluate_robustness`] tells after each batch.
#[derive(Debug, Clone, Copy)]
pub struct RobustnessProgress<'a> {
    /// Name of the attack.
    pub attack: &'a str,
    /// Pictures done, over all attacks.
    pub done: usize,
    /// Pictures of all attacks together.
    pub total: usize,
}

/// A batch's results, as they are kept on the disk.
#[derive(Serialize, Deserialize)]
struct Shard {
    /// What was run: a shard of another run is an error.
    run: String,
    seconds: f64,
    outcomes: Vec<Outcome>,
}

/// Attacks every sample with every attack of `suite` and measures what is still called right.
///
/// `model` names the victim: what was done for another is not gone on with. A picture is called FAKE
/// where its logit of FAKE is at least that of REAL, which is a threshold of 0.5.
///
/// A sample that the model gets wrong anyway is attacked too, and counts as not robust. What an
/// attack returns counts after rounding to the 256 levels of a file.
///
/// # Errors
///
/// Those of the attacks; a picture that cannot be decoded; files of another run in the folder.
///
/// # Panics
///
/// If there is no sample of an index, no attack, or the batch size is 0.
pub fn evaluate_robustness(
    victim: &Victim<'_>,
    model: &str,
    dataset: &dyn Dataset,
    suite: &[Box<dyn Attack>],
    options: &RunOptions,
    progress: &mut dyn FnMut(RobustnessProgress<'_>),
) -> Result<RobustnessReport, Error> {
    assert!(!suite.is_empty(), "there is no attack");
    let indices = options.indices_of(dataset)?;
    let names = names(suite)?;
    let probes = &indices[..indices.len().min(N_PROBES)];
    let mut warnings = Warning::of_model(victim, &options.load(dataset, probes)?);
    let total = indices.len() * suite.len();
    let mut done = 0;
    let mut rows = Vec::new();
    for (attack, name) in suite.iter().zip(names) {
        let folder = options.folder.join(slug(&name));
        create_folder(&folder)?;
        let (mut outcomes, mut seconds) = (Vec::new(), 0.0);
        for (number, chunk) in indices.chunks(options.batch_size).enumerate() {
            let path = folder.join(format!("{number:05}.json"));
            let run = options.describe(model, &**attack, dataset, chunk);
            let shard = match read_shard(&path, &run, chunk)? {
                Some(shard) => shard,
                None => {
                    let shard = attack_batch(victim, dataset, &**attack, options, chunk, run)?;
                    let json = serde_json::to_vec(&shard).expect("plain data has a JSON form");
                    cifake::file::write_atomic(&path, &json)?;
                    shard
                }
            };
            seconds += shard.seconds;
            outcomes.extend(shard.outcomes);
            done += chunk.len();
            progress(RobustnessProgress { attack: &name, done, total });
        }
        if Warning::is_hidden(&outcomes) {
            warnings.push(Warning::HiddenGradients);
        }
        rows.push(RobustnessRow::new(&**attack, outcomes, seconds, &options.bootstrap));
    }
    warnings.dedup();
    let clean = CleanRow { accuracy: rows[0].clean };
    Ok(RobustnessReport { seed: options.seed, clean, warnings, attacks: rows })
}

fn read_shard(path: &Path, run: &str, indices: &[usize]) -> Result<Option<Shard>, Error> {
    if !path.exists() {
        return Ok(None);
    }
    let bytes = cifake::file::read_limited(path, MAX_BYTES)?;
    let shard: Shard = serde_json::from_slice(&bytes)
        .map_err(|source| Error::Shard { path: path.to_owned(), source })?;
    if shard.run != run {
        let (theirs, ours) = (shard.run, run.to_owned());
        return Err(Error::OtherRun { path: path.to_owned(), theirs, ours });
    }
    if !shard.outcomes.iter().map(|outcome| outcome.index).eq(indices.iter().copied()) {
        let source = serde::de::Error::custom("its samples are not those of its run");
        return Err(Error::Shard { path: path.to_owned(), source });
    }
    Ok(Some(shard))
}

fn attack_batch(
    victim: &Victim<'_>,
    dataset: &dyn Dataset,
    attack: &dyn Attack,
    options: &RunOptions,
    indices: &[usize],
    run: String,
) -> Result<Shard, Error> {
    let attacked = Attacked::new(victim, dataset, attack, options, indices)?;
    let Attacked { samples, found, images, sizes, seconds, .. } = attacked;
    let right = |images| calls_right(victim.answers(), images, &samples.labels);
    let (before, after) = (right(&samples.images), right(&images));
    let outcomes = indices.iter().enumerate().map(|(place, &index)| Outcome {
        index,
        id: dataset.samples()[index].id.clone(),
        label: samples.labels[place],
        clean_correct: before[place],
        correct: after[place],
        l2: sizes.l2[place],
        linf: sizes.linf[place],
        n_pixels: sizes.n_pixels[place],
        n_queries: found.n_queries[place],
        n_gradients: found.n_gradients[place],
        beyond_gradients: found.beyond_gradients[place],
    });
    Ok(Shard { run, seconds, outcomes: outcomes.collect() })
}
