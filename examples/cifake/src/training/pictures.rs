//! The pictures of a run, without those that cannot be read.

use std::path::Path;

use anyhow::{Result, bail, ensure};
use cifake::text::counted;
use cifake::{Dataset, Error, FittedDataset, Label, ReadableDataset, Sample, Split, error_chain};

use crate::args::{DataArgs, decoder};
use crate::progress_bar;
use crate::unread::tell_unread;

/// Most bytes of fitted pictures; a run needs some four times as much.
const MAX_BYTES: u64 = 4 << 30;

/// The training pictures of the data set at `path` and those of its validation split, each brought to
/// `side` pixels once.
///
/// # Errors
///
/// A label without pictures; no picture that can be read or, if `strict`, any that cannot; more than
/// fits into memory.
pub(crate) fn main_set(
    data: &DataArgs,
    path: &Path,
    side: u32,
    strict: bool,
) -> Result<FittedDataset> {
    let dataset = data.listed(path)?.training()?;
    require_both(&dataset, path)?;
    let bar = progress_bar()?;
    bar.set_message("reading pictures");
    let mut progress = |done: usize, total: usize| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
    };
    let size = (side, side);
    let fitted = FittedDataset::new(&dataset, size, &decoder(), MAX_BYTES, &mut progress)?;
    bar.finish_and_clear();
    tell(fitted.failed(), strict)?;
    require_both(&fitted, path)?;
    Ok(fitted)
}

/// The pictures of the additional set at `path`, as they are.
///
/// # Errors
///
/// As [`main_set`], but one label is enough.
pub(super) fn extra_set(data: &DataArgs, path: &Path, strict: bool) -> Result<Box<dyn Dataset>> {
    let dataset = data.open(path, Some(Split::Train))?;
    if strict {
        return Ok(dataset);
    }
    let readable = ReadableDataset::new(dataset, &decoder())?;
    tell(readable.failed(), strict)?;
    Ok(Box::new(readable))
}

fn require_both(dataset: &dyn Dataset, path: &Path) -> Result<()> {
    for label in Label::ALL {
        let is_it =
            |sample: &Sample| sample.label == label && sample.split != Some(Split::Validation);
        let is_there = dataset.samples().iter().any(is_it);
        ensure!(
            is_there,
            "{} has no {label} pictures to train on; --real NAME and --fake NAME name the folders",
            path.display()
        );
    }
    Ok(())
}

/// Names what was left out.
fn tell(failed: &[Error], strict: bool) -> Result<()> {
    let Some(first) = failed.first() else { return Ok(()) };
    if strict {
        let n = counted(failed.len(), "picture");
        bail!("{n} cannot be read, the first: {}", error_chain(first));
    }
    tell_unread(failed.iter().map(|error| error_chain(error)));
    Ok(())
}
