//! The manifest of a built set.

use std::path::{Path, PathBuf};

use cifake::weights::sha256_hex;
use cifake::{Class, Split};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::run::Difference;

/// Largest file that is read back, in bytes.
const MAX_BYTES: u64 = 1 << 30;
/// The manifest of a finished build, written last.
const MANIFEST: &str = "manifest.json";
/// The manifest of a build in progress, with the files written so far.
const RUN: &str = "run.json";

/// Parameters and files of a build: `manifest.json` in its folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BuildManifest {
    /// Version of the build; 0 in older manifests, which name no version.
    #[serde(default)]
    pub version: u32,
    /// `CIFAKE++` if the set has pictures of other generators, otherwise `perturbed CIFAKE`.
    pub set: String,
    /// Name of the model whose gradients and answers the attacks used.
    pub surrogate: String,
    /// SHA-256 of its weights; empty in manifests of version 0.
    #[serde(default)]
    pub weights: String,
    /// Seed of the attacks.
    pub seed: u64,
    /// Pictures in a batch of the attacks.
    pub batch_size: usize,
    /// Attacked pictures in a file.
    pub per_file: usize,
    /// Width and height of the pictures.
    pub size: (u32, u32),
    /// The split in the file names.
    pub split: Split,
    /// The device of the attacks.
    pub device: String,
    /// The attacks with all parameters, in order, as JSON (in version 0 as text).
    pub attacks: Vec<String>,
    /// Number of attacked samples; each is attacked with every attack.
    pub n_samples: usize,
    /// SHA-256 over names, labels and contents of the samples, in order (in version 0 over the names).
    pub samples: String,
    /// The pictures of other generators.
    pub generated: Vec<GeneratorOrigin>,
    /// The files, in order.
    pub files: Vec<BuiltFile>,
}

/// A file of a build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuiltFile {
    /// Its name.
    pub name: String,
    /// The attack or the generator of its pictures.
    pub origin: Origin,
    /// Number of its pictures.
    pub n: usize,
    /// SHA-256 of its bytes, taken when it was written.
    pub sha256: String,
}

/// The origin of pictures of a built set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
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
    /// Number of its pictures.
    pub n: usize,
    /// SHA-256 over the hashes of its source files, in order.
    pub sha256: String,
    /// Class, prompt and license of its folders.
    pub listed: Vec<Licensed>,
}

/// Class, prompt and license of the pictures of a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Licensed {
    /// The class of CIFAKE that they show, if it is one.
    pub class: Option<Class>,
    /// The prompt of the generator.
    pub prompt: Option<String>,
    /// The license.
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
    /// If the file cannot be read. The set is then missing or unfinished.
    pub fn read(folder: &Path) -> Result<Self, Error> {
        read_json(&folder.join(MANIFEST))
    }

    /// Writes `manifest.json`, which marks the build as finished.
    pub(super) fn write(&self, folder: &Path) -> Result<(), Error> {
        write_json(&folder.join(RUN), self)?;
        write_json(&folder.join(MANIFEST), self)
    }

    /// Takes a folder for this build, or finds this build in it; returns the files written so far.
    pub(super) fn claim(&self, folder: &Path) -> Result<Progress, Error> {
        let path = folder.join(RUN);
        let mut so_far = self.clone();
        if path.exists() {
            let found: Self = read_json(&path)?;
            if let Some(difference) = Difference::first(&found, self, &["files"]) {
                return Err(difference.in_file(&path));
            }
            so_far.files = found.files;
        } else {
            // A file of an unknown build must not enter the manifest of this one.
            if let Some(stray) = parquet_file_in(folder)? {
                let source = serde::de::Error::custom("run.json is missing beside it");
                return Err(Error::Shard { path: stray, source });
            }
            write_json(&path, self)?;
        }
        Ok(Progress { path, so_far })
    }
}

/// The files of a build in progress, as `run.json` lists them.
pub(super) struct Progress {
    path: PathBuf,
    so_far: BuildManifest,
}

impl Progress {
    /// The recorded file called `name` in `folder`, if its bytes still have the recorded hash.
    ///
    /// A damaged file, or one without a record, has to be written again.
    pub(super) fn sound(&self, folder: &Path, name: &str) -> Result<Option<BuiltFile>, Error> {
        let recorded = self.so_far.files.iter().find(|file| file.name == name);
        let path = folder.join(name);
        match recorded {
            Some(file) if path.exists() && sha256_of(&path)? == file.sha256 => {
                Ok(Some(file.clone()))
            }
            _ => Ok(None),
        }
    }

    /// Records a file that was just written.
    pub(super) fn record(&mut self, file: BuiltFile) -> Result<(), Error> {
        self.so_far.files.retain(|other| other.name != file.name);
        self.so_far.files.push(file);
        write_json(&self.path, &self.so_far)
    }
}

/// SHA-256 of a file.
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

fn parquet_file_in(folder: &Path) -> Result<Option<PathBuf>, Error> {
    let failed = |source| cifake::Error::Read { path: folder.to_owned(), source };
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "parquet") {
            return Ok(Some(path));
        }
    }
    Ok(None)
}
