//! Finished outcomes on the disk, recognized by content.
//!
//! Each attack has a folder whose name ends in a hash of everything that an outcome depends on beside
//! the picture: model, weights, attack, seed, size, device. Each file holds a batch of outcomes with the
//! hashes of their pictures, and a digest of itself in its last line. So one folder serves any number of
//! runs, and a run with more pictures extends an earlier one.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use cifake::weights::sha256_hex;
use serde::{Deserialize, Serialize};

use super::outcome::Outcome;
use crate::Error;
use crate::kit::Attack;
use crate::run::{Difference, ModelId, RunOptions, create_folder, slug};

/// Version of the files. Those of version 1 have no digest; they lie in folders of other names.
const VERSION: u32 = 2;
/// Largest file that is read back, in bytes.
const MAX_BYTES: u64 = 64 << 20;
/// Characters of a hash in a name.
const SHORT: usize = 16;

/// Everything that an outcome depends on beside the picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Run {
    version: u32,
    model: ModelId,
    /// The attack's parameters as JSON.
    attack: String,
    seed: u64,
    size: (u32, u32),
    device: String,
}

/// A batch of outcomes, as it is stored.
#[derive(Serialize, Deserialize)]
struct Shard {
    run: Run,
    outcomes: Vec<Finished>,
}

/// An outcome, the picture that it is of, and its share of the batch's time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Finished {
    /// Hash of label and encoded picture.
    pub(super) picture: String,
    pub(super) seconds: f64,
    pub(super) outcome: Outcome,
}

impl Finished {
    fn key(&self) -> String {
        key(self.outcome.index, &self.outcome.id, &self.picture)
    }
}

/// The key that a sample is recognized by.
fn key(index: usize, id: &str, picture: &str) -> String {
    format!("{index} {picture} {id}")
}

/// The finished outcomes of one attack of a run.
pub(super) struct Store {
    folder: PathBuf,
    run: Run,
    finished: HashMap<String, Finished>,
}

impl Store {
    /// Reads the finished outcomes of `attack` on `model`.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, is damaged or changed, or belongs to another run.
    pub(super) fn open(
        model: &ModelId,
        attack: &dyn Attack,
        options: &RunOptions,
    ) -> Result<Self, Error> {
        let run = Run {
            version: VERSION,
            model: model.clone(),
            attack: attack.parameters(),
            seed: options.seed,
            size: options.size,
            device: cifake::device::name(&options.device),
        };
        let name = attack.name();
        let json = serde_json::to_vec(&run).expect("plain data has a JSON form");
        // Two attacks of different types may have the same parameters.
        let hash = sha256_hex(&[name.as_bytes(), &json[..]].concat());
        let folder = options.folder.join(format!("{}-{}", slug(&name), &hash[..SHORT]));
        create_folder(&folder)?;
        let mut finished = HashMap::new();
        for path in shards_in(&folder)? {
            for entry in read_shard(&path, &run)? {
                finished.insert(entry.key(), entry);
            }
        }
        Ok(Self { folder, run, finished })
    }

    /// The outcome of the sample `index` called `id`, if the same picture was attacked before.
    pub(super) fn get(&self, index: usize, id: &str, picture: &str) -> Option<&Finished> {
        self.finished.get(&key(index, id, picture))
    }

    /// Keeps a batch of outcomes, on the disk and in memory.
    pub(super) fn add(&mut self, outcomes: Vec<Finished>) -> Result<(), Error> {
        let keys: Vec<String> = outcomes.iter().map(Finished::key).collect();
        let name = format!("{}.json", &sha256_hex(keys.join("\n").as_bytes())[..SHORT]);
        let shard = Shard { run: self.run.clone(), outcomes };
        let json = serde_json::to_string(&shard).expect("plain data has a JSON form");
        let text = format!("{json}\n{}\n", sha256_hex(json.as_bytes()));
        cifake::file::write_atomic(&self.folder.join(name), text.as_bytes())?;
        for entry in shard.outcomes {
            self.finished.insert(entry.key(), entry);
        }
        Ok(())
    }
}

/// The files of outcomes in `folder`, by name.
fn shards_in(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |source| cifake::Error::Read { path: folder.to_owned(), source };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn read_shard(path: &Path, run: &Run) -> Result<Vec<Finished>, Error> {
    let bytes = cifake::file::read_limited(path, MAX_BYTES)?;
    let mut lines = bytes.split(|&byte| byte == b'\n');
    let [json, digest] = [(); 2].map(|()| lines.next().unwrap_or_default());
    let shard: Shard = serde_json::from_slice(json)
        .map_err(|source| Error::Shard { path: path.to_owned(), source })?;
    if sha256_hex(json).as_bytes() != digest {
        return Err(Error::ChangedShard { path: path.to_owned() });
    }
    match Difference::first(&shard.run, run, &[]) {
        Some(difference) => Err(difference.in_file(path)),
        None => Ok(shard.outcomes),
    }
}
