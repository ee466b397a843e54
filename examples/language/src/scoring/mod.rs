//! The answers of models about the pictures of a set.

mod seen;
mod smoke;

use anyhow::{Result, ensure};
use cifake::text::one_line;
use cifake::{Detector, error_chain};
use cifake_cli::progress_bar;
use cifake_eval::metrics::Bootstrap;
use explain::quality::{Exhibit, Grader, Trial};
use explain::{Explainer, Explanation, ExplanationSet, Origin, Record};
use gradcam::{Method, regions};
use rayon::prelude::*;

pub use seen::Seen;
pub use smoke::small_reference;

/// Whether the maps of a set whose origin is `told` are those that [`Seen`] makes with `detector`.
///
/// # Errors
///
/// If they are another's, or made in another way.
pub fn check(told: &Origin, detector: &Detector) -> Result<()> {
    let ours = (detector.model_name(), Method::default().as_str());
    let theirs = (told.detector.as_str(), told.method.as_str());
    ensure!(ours == theirs, "the reference's maps are {}'s by {}", theirs.0, theirs.1);
    Ok(())
}

/// Explains what `answers` do not hold yet; returns how many pictures could not be.
///
/// # Errors
///
/// If an answer cannot be written.
pub fn explain_all(
    explainer: &dyn Explainer,
    records: &[Record],
    seen: &[Seen],
    answers: &mut ExplanationSet,
) -> Result<usize> {
    let bar = progress_bar()?;
    bar.set_length(records.len() as u64);
    let mut n_failed = 0;
    let both: Vec<_> = records.iter().zip(seen).collect();
    for some in both.chunks(rayon::current_num_threads()) {
        let new: Vec<_> = some.iter().filter(|(_, seen)| !answers.holds(&seen.picture)).collect();
        let said: Vec<_> =
            new.par_iter().map(|(_, seen)| explainer.explain(&seen.subject())).collect();
        for ((record, seen), said) in new.into_iter().zip(said) {
            match said {
                Ok(found) => answers.add(&record.id, &seen.subject(), &found)?,
                Err(error) => {
                    n_failed += 1;
                    let line = format!("{}: {}", record.id, error_chain(&error));
                    bar.suspend(|| eprintln!("{}", one_line(&line)));
                }
            }
        }
        bar.inc(some.len() as u64);
    }
    bar.finish_and_clear();
    Ok(n_failed)
}

/// Grades the `answers` to the pictures of `records` that have one, and how many these are.
///
/// # Errors
///
/// If they are fewer than two.
pub fn trial(
    records: &[Record],
    seen: &[Seen],
    answers: &[Record],
    blank: &Explanation,
    bootstrap: &Bootstrap,
) -> Result<(usize, Trial)> {
    let row = |(record, seen): (&'_ Record, &Seen)| {
        let answer = answers.iter().find(|answer| answer.sha256 == record.sha256)?;
        Some((answer.explanation.clone(), record.explanation.clone(), regions(&seen.map)))
    };
    let rows: Vec<_> = records.iter().zip(seen).filter_map(row).collect();
    ensure!(rows.len() > 1, "too few pictures with named artifacts: {}", rows.len());
    let exhibits: Vec<Exhibit<'_>> = rows
        .iter()
        .map(|(found, reference, regions)| Exhibit { found, reference, regions })
        .collect();
    Ok((rows.len(), Trial::new(&exhibits, blank, &Grader::default(), bootstrap)?))
}
