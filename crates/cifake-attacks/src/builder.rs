//! A fixed set of attacked pictures, as parquet files that `cifake` reads back.
//!
//! A file fixes its samples, its batches and its seeds, so that a build that was broken off goes on
//! and ends with the same bytes.

use std::path::{Path, PathBuf};

use cifake::weights::sha256_hex;
use cifake::{Dataset, ParquetColumn, ParquetFile, Picture, Split, rgb8_from_tensor};
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use serde::{Deserialize, Serialize};

use crate::run::{RunOptions, create_folder, ids_hash, names, slug};
use crate::sizes::Sizes;
use crate::{Attack, Error, Victim};

/// Pictures of a file.
const PER_FILE: usize = 1000;
/// Longest file that is read back.
const MAX_BYTES: u64 = 1 << 30;
/// Says what a folder holds, from the first moment on.
const RUN: &str = "run.json";

/// What a build is of, and what came out: `manifest.json` in its folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BuildManifest {
    /// The model whose gradients and answers the attacks followed.
    pub surrogate: String,
    /// Seed of the attacks.
    pub seed: u64,
    /// Pictures that are attacked at once.
    pub batch_size: usize,
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
    /// The files, in order; empty in `run.json`, which is written first.
    pub files: Vec<BuiltFile>,
}

/// A file of a build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuiltFile {
    /// Its name.
    pub name: String,
    /// Name of its attack.
    pub attack: String,
    /// Its pictures.
    pub n: usize,
    /// sha256 of its bytes.
    pub sha256: String,
}

/// Attacks every sample with every attack of `suite` and writes the pictures, rounded to 8 bits, as
/// PNGs in parquet files of a thousand, beside their source, attack, seed, norms and sha256.
///
/// The files are named like those of Hugging Face, so that `cifake::open_dataset` takes the folder
/// for a data set whose split is `split`. `surrogate` names the model that `victim` is.
/// `progress(done, total)` counts pictures.
///
/// # Errors
///
/// [`Error::OtherRun`] where the folder holds another build; those of the attacks; a picture that
/// cannot be decoded; files that cannot be written.
pub fn build_perturbed(
    victim: &Victim<'_>,
    surrogate: &str,
    dataset: &dyn Dataset,
    suite: &[Box<dyn Attack>],
    split: Split,
    options: &RunOptions,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<BuildManifest, Error> {
    let indices = options.indices_of(dataset)?;
    let mut manifest = BuildManifest {
        surrogate: surrogate.to_owned(),
        seed: options.seed,
        batch_size: options.batch_size,
        size: options.size,
        split,
        device: cifake::device::name(&options.device),
        attacks: suite.iter().map(|attack| format!("{attack:?}")).collect(),
        n_samples: indices.len(),
        samples: ids_hash(dataset, &indices),
        files: Vec::new(),
    };
    let names = names(suite)?;
    create_folder(&options.folder)?;
    claim(&options.folder.join(RUN), &manifest)?;
    let n_files = indices.len().div_ceil(PER_FILE);
    let total = indices.len() * suite.len();
    let mut done = 0;
    for (attack, attack_name) in suite.iter().zip(names) {
        for (number, chunk) in indices.chunks(PER_FILE).enumerate() {
            let part = slug(&attack_name);
            let name = format!("{split}-{part}-{number:05}-of-{n_files:05}.parquet");
            let path = options.folder.join(&name);
            if !path.exists() {
                let mut batches = Vec::new();
                for batch in chunk.chunks(options.batch_size.max(1)) {
                    batches.push(rows(victim, dataset, &**attack, options, batch)?);
                    progress(done + batches.iter().map(Rows::len).sum::<usize>(), total);
                }
                table(batches, &attack_name, options.seed).write(&path)?;
            }
            done += chunk.len();
            progress(done, total);
            let sha256 = sha256_hex(&cifake::file::read_limited(&path, MAX_BYTES)?);
            let (attack, n) = (attack_name.clone(), chunk.len());
            manifest.files.push(BuiltFile { name, attack, n, sha256 });
        }
    }
    write_json(&options.folder.join("manifest.json"), &manifest)?;
    Ok(manifest)
}

fn write_json(path: &Path, manifest: &BuildManifest) -> Result<(), Error> {
    let json = serde_json::to_vec_pretty(manifest).expect("plain data has a JSON form");
    Ok(cifake::file::write_atomic(path, &json)?)
}

/// Takes a folder for this build, or finds it taken for it.
fn claim(path: &Path, build: &BuildManifest) -> Result<(), Error> {
    if !path.exists() {
        // Files of nobody knows which build would be taken for this one's.
        if let Some(stray) = parquet_file_beside(path)? {
            let source = serde::de::Error::custom("run.json is missing beside it");
            return Err(Error::Shard { path: stray, source });
        }
        return write_json(path, build);
    }
    let bytes = cifake::file::read_limited(path, MAX_BYTES)?;
    let found: BuildManifest = serde_json::from_slice(&bytes)
        .map_err(|source| Error::Shard { path: path.to_owned(), source })?;
    if found == *build {
        return Ok(());
    }
    let describe =
        |build: &BuildManifest| serde_json::to_string(build).expect("plain data has a JSON form");
    let (theirs, ours) = (describe(&found), describe(build));
    Err(Error::OtherRun { path: path.to_owned(), theirs, ours })
}

/// A parquet file in the folder of `path`.
fn parquet_file_beside(path: &Path) -> Result<Option<PathBuf>, Error> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let failed = |source| cifake::Error::Read { path: folder.to_owned(), source };
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "parquet") {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// The attacked pictures of one batch.
struct Rows {
    sources: Vec<String>,
    labels: Vec<cifake::Label>,
    pngs: Vec<Vec<u8>>,
    sizes: Sizes,
}

impl Rows {
    fn len(&self) -> usize {
        self.pngs.len()
    }
}

fn rows(
    victim: &Victim<'_>,
    dataset: &dyn Dataset,
    attack: &dyn Attack,
    options: &RunOptions,
    indices: &[usize],
) -> Result<Rows, Error> {
    let samples = options.load(dataset, indices)?;
    let found = attack.perturb(victim, &samples, options.seed)?;
    let pictures = rgb8_from_tensor(found.images);
    let rounded = cifake::tensor_from_rgb8(&pictures, &options.device)?;
    Ok(Rows {
        sources: indices.iter().map(|&i| dataset.samples()[i].id.clone()).collect(),
        sizes: Sizes::of(&samples.images, &rounded),
        labels: samples.labels,
        pngs: pictures.par_iter().map(png).collect(),
    })
}

fn png(picture: &Picture) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (width, height) = (picture.width(), picture.height());
    PngEncoder::new(&mut bytes)
        .write_image(picture.pixels(), width, height, ExtendedColorType::Rgb8)
        .expect("memory takes every byte of a picture of the stated size");
    bytes
}

fn table(batches: Vec<Rows>, attack: &str, seed: u64) -> ParquetFile {
    let n: usize = batches.iter().map(Rows::len).sum();
    let mut file = ParquetFile::default();
    let (mut sources, mut hashes) = (Vec::new(), Vec::new());
    let (mut l2, mut linf, mut n_pixels) = (Vec::new(), Vec::new(), Vec::new());
    for batch in batches {
        file.names.extend(batch.sources.iter().map(|source| png_name(source)));
        sources.extend(batch.sources);
        file.labels.extend(batch.labels);
        hashes.extend(batch.pngs.iter().map(|png| sha256_hex(png)));
        file.pictures.extend(batch.pngs);
        l2.extend(batch.sizes.l2.iter().map(|&x| f64::from(x)));
        linf.extend(batch.sizes.linf.iter().map(|&x| f64::from(x)));
        n_pixels.extend(batch.sizes.n_pixels.iter().map(|&n| n as i64));
    }
    // Seeds are stored as parquet has them: signed.
    let seeds = vec![seed.cast_signed(); n];
    let columns = [
        ("source", ParquetColumn::Text(sources)),
        ("attack", ParquetColumn::Text(vec![attack.to_owned(); n])),
        ("seed", ParquetColumn::Whole(seeds)),
        ("l2", ParquetColumn::Real(l2)),
        ("linf", ParquetColumn::Real(linf)),
        ("n_pixels", ParquetColumn::Whole(n_pixels)),
        ("sha256", ParquetColumn::Text(hashes)),
    ];
    file.columns = columns.map(|(name, column)| (name.to_owned(), column)).into();
    file
}

/// The file name of `source` as a PNG's: CIFAKE's names say the class.
fn png_name(source: &str) -> String {
    let name = source.rsplit('/').next().unwrap_or(source);
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    format!("{stem}.png")
}
