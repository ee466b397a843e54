//! What a built set says of itself.

use std::path::Path;

use cifake::weights::sha256_hex;
use cifake::{Class, Split};
use serde::{Deserialize, Serialize};

use crate::Error;

/// Longest file that is read back.
const MAX_BYTES: u64 = 1 << 30;
/// The whole story, written last.
const MANIFEST: &str = "manifest.json";
/// Says what a folder holds, from the first moment on.
const RUN: &str = "run.json";

/// What a build is of, and what came out: `manifest.json` in its folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BuildManifest {
    /// `CIFAKE++` where pictures of other generators are part of it, otherwise `perturbed CIFAKE`.
    pub set: String,
    /// The model whose gradients and answers the attacks followed.
    pub surrogate: String,
    /// Seed of the attacks.
    pub seed: u64,
    /// Pictures that are attacked at once.
    pub batch_size: usize,
    /// Attacked pictures of a file.
    pub per_file: usize,
    /// Width and height of the pictures.
    pub size: (u32, u32),
    /// The split that the files are named by.
    pub split: Split,
    /// The device that computed it.
    pub device: String,
    /// The attacks with all their parameters, in order.
    pub attacks: Vec<String>,
    /// Samples of the data set that were attacked, each with every attack.
    pub n_samples: usize,
    /// sha256 of the samples' names, in order.
    pub samples: String,
    /// The pictures of other generators.
    pub generated: Vec<GeneratorOrigin>,
    /// The files, in order; empty in `run.json`, which is written first.
    pub files: Vec<BuiltFile>,
}

/// A file of a build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuiltFile {
    /// Its name.
    pub name: String,
    /// Where its pictures come from.
    pub origin: Origin,
    /// Its pictures.
    pub n: usize,
    /// sha256 of its bytes.
    pub sha256: String,
}

/// Where pictures of a built set come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The attack of this name.
    Attack(String),
    /// The generator of this name.
    Generator(String),
}

/// One generator of a set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GeneratorOrigin {
    /// Its name.
    pub generator: String,
    /// Its pictures.
    pub n: usize,
    /// sha256 of the files' own, in order.
    pub sha256: String,
    /// What they show, how they were asked for, and how they may be used.
    pub listed: Vec<Licensed>,
}

/// What is known of the pictures of a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Licensed {
    /// What they show, where it is one of CIFAKE's classes.
    pub class: Option<Class>,
    /// What the generator was asked for.
    pub prompt: Option<String>,
    /// Under which licence they may be used.
    pub licence: String,
}

impl Origin {
    /// The name of the attack or the generator.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Attack(name) | Self::Generator(name) => name,
        }
    }
}

impl BuildManifest {
    /// The manifest of the set in `folder`.
    ///
    /// # Errors
    ///
    /// If it cannot be read: the set is missing, or not built to its end.
    pub fn read(folder: &Path) -> Result<Self, Error> {
        read_json(&folder.join(MANIFEST))
    }

    pub(super) fn write(&self, folder: &Path) -> Result<(), Error> {
        write_json(&folder.join(MANIFEST), self)
    }

    /// Takes a folder for this build, or finds it taken for it.
    pub(super) fn claim(&self, folder: &Path) -> Result<(), Error> {
        let path = folder.join(RUN);
        if !path.exists() {
            // Files of nobody knows which build would be taken for this one's.
            if let Some(stray) = parquet_file_in(folder)? {
                let source = serde::de::Error::custom("run.json is missing beside it");
                return Err(Error::Shard { path: stray, source });
            }
            return write_json(&path, self);
        }
        let found: Self = read_json(&path)?;
        if found == *self {
            return Ok(());
        }
        let describe = |build: &Self| serde_json::to_string(build).expect("it has a JSON form");
        Err(Error::OtherRun { path, theirs: describe(&found), ours: describe(self) })
    }
}

/// sha256 of a file of a build.
pub(super) fn sha256_of(path: &Path) -> Result<String, Error> {
    Ok(sha256_hex(&cifake::file::read_limited(path, MAX_BYTES)?))
}

fn write_json(path: &Path, manifest: &BuildManifest) -> Result<(), Error> {
    let json = serde_json::to_vec_pretty(manifest).expect("plain data has a JSON form");
    Ok(cifake::file::write_atomic(path, &json)?)
}

fn read_json(path: &Path) -> Result<BuildManifest, Error> {
    let bytes = cifake::file::read_limited(path, MAX_BYTES)?;
    serde_json::from_slice(&bytes).map_err(|source| Error::Shard { path: path.to_owned(), source })
}

fn parquet_file_in(folder: &Path) -> Result<Option<std::path::PathBuf>, Error> {
    let failed = |source| cifake::Error::Read { path: folder.to_owned(), source };
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "parquet") {
            return Ok(Some(path));
        }
    }
    Ok(None)
}
