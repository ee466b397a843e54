//! The data set of a command.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use cifake::text::path_text;
use cifake::{Dataset, DatasetError, Error, LabelNames, Split, SplitDataset, open_dataset_named};

use super::mini;

/// The variable that names a folder of large data sets.
const SHARED: &str = "CIFAKE_SHARED";

/// The data set, and the names of its labels.
#[derive(Debug, Clone, clap::Args)]
pub struct DataArgs {
    /// Class folders, a CSV of paths and labels, the CIFAKE zips, a collection or a parquet file
    /// [default: $CIFAKE_SHARED/datasets/cifake].
    #[arg(long, value_name = "PATH")]
    pub data: Option<PathBuf>,
    /// Folder or label of camera pictures; may be given several times [default: real, 0_real or
    /// nature].
    #[arg(long, value_name = "NAME")]
    real: Vec<String>,
    /// Folder or label of generated pictures; may be given several times [default: fake, 1_fake, ai,
    /// ai_generated, generated or synthetic].
    #[arg(long, value_name = "NAME")]
    fake: Vec<String>,
}

impl DataArgs {
    /// The data set at `path`, with the usual names of labels.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self { data: Some(path.to_owned()), real: Vec::new(), fake: Vec::new() }
    }

    /// The path of the data set; with `smoke` and nothing given, the mini set of the repository.
    ///
    /// # Errors
    ///
    /// As [`data_or_shared`].
    pub fn path(&self, smoke: bool) -> Result<PathBuf> {
        match (&self.data, smoke) {
            (None, true) => Ok(mini()),
            (given, _) => data_or_shared(given.as_deref()),
        }
    }

    /// The names of the labels.
    ///
    /// # Errors
    ///
    /// A name that both labels have.
    pub fn names(&self) -> Result<LabelNames> {
        Ok(LabelNames::new(self.real.clone(), self.fake.clone())?)
    }

    /// The arguments that name the labels, each after a space, for a command that is shown.
    #[must_use]
    pub fn label_arguments(&self) -> String {
        let named = |flag: &str, names: &[String]| -> String {
            names.iter().map(|name| format!(" {flag} {name}")).collect()
        };
        named("--real", &self.real) + &named("--fake", &self.fake)
    }

    /// The data set at `path` with all of its splits.
    ///
    /// # Errors
    ///
    /// As [`open_dataset_named`].
    pub fn listed(&self, path: &Path) -> Result<SplitDataset> {
        Ok(SplitDataset::new(path, self.open(path, None)?))
    }

    /// The pictures of `split` of the data set at `path`, or all of them.
    ///
    /// # Errors
    ///
    /// As [`open_dataset_named`].
    pub fn open(&self, path: &Path, split: Option<Split>) -> Result<Box<dyn Dataset>> {
        let opened = open_dataset_named(path, split, &self.names()?);
        opened.map_err(|error| match hint(&error) {
            Some(hint) => anyhow::Error::from(error).context(hint),
            None => error.into(),
        })
    }
}

/// The remedy where a data set cannot be opened.
fn hint(error: &Error) -> Option<&'static str> {
    match error {
        Error::Dataset(
            DatasetError::OneClass { folders, .. } | DatasetError::UnknownDataset { folders, .. },
        ) if !folders.is_empty() => Some("use --real NAME and --fake NAME"),
        Error::Dataset(DatasetError::UnknownDataset { path, .. }) if path.is_dir() => Some(
            "name a data set with labels, such as datasets/mini of the repository; `cifake detect` judges pictures \
             without labels, such as datasets/sample",
        ),
        _ => None,
    }
}

/// `data`, or `$CIFAKE_SHARED/datasets/cifake` where nothing is given.
///
/// # Errors
///
/// If nothing is given and that folder is not there.
pub fn data_or_shared(data: Option<&Path>) -> Result<PathBuf> {
    if let Some(data) = data {
        return Ok(data.to_owned());
    }
    let shared = std::env::var_os(SHARED).context(
        "--data is required: name a data set, such as datasets/mini of the repository, or set CIFAKE_SHARED to a \
         folder with datasets/cifake",
    )?;
    let path = Path::new(&shared).join("datasets/cifake");
    anyhow::ensure!(
        path.exists(),
        "--data is required: {} is not there, although CIFAKE_SHARED names its folder",
        path.display()
    );
    Ok(path)
}

/// The text of `path` for a command that is shown: the folder that `CIFAKE_SHARED` names becomes the variable.
#[must_use]
pub fn portable(path: &Path) -> String {
    let shared = std::env::var_os(SHARED).filter(|shared| !shared.is_empty());
    match shared.as_ref().and_then(|shared| path.strip_prefix(shared).ok()) {
        Some(rest) => format!("${SHARED}/{}", path_text(rest)),
        None => path_text(path),
    }
}
