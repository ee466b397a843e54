//! A fixed set of attacked pictures, and of pictures of other generators, as parquet files.
//!
//! The samples, batches and seeds of a file are fixed, so an interrupted build resumes and ends with
//! the same bytes.

mod evaluate;
mod generated;
mod manifest;

use std::cell::RefCell;
use std::path::Path;

use cifake::weights::sha256_hex;
use cifake::{Dataset, ParquetColumn, ParquetFile, Picture, Split, rgb8_from_tensor};
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

pub use evaluate::{BuiltReport, BuiltRow, evaluate_built};
pub use generated::Generated;
pub use manifest::{BuildManifest, BuiltFile, GeneratorOrigin, Licensed, Origin};

use self::generated::GeneratedFile;
use self::manifest::{Progress, sha256_of};
use crate::Error;
use crate::kit::{Attack, TargetModel};
use crate::run::{
    AttackedBatch, ModelId, RunOptions, create_folder, differ, names, picture_hashes, slug,
};

/// Version of attacks and files: results of another version are not reused.
const VERSION: u32 = 1;

/// A set to be built.
pub struct Build<'a> {
    /// The surrogate, whose gradients and answers the attacks use. It must not be the model that the
    /// set is to test.
    pub target: TargetModel<'a>,
    /// Name and weights of the surrogate.
    pub surrogate: &'a ModelId,
    /// The pictures to attack.
    pub dataset: &'a dyn Dataset,
    /// The attacks; each is run on every picture.
    pub suite: &'a [Box<dyn Attack>],
    /// The split in the file names.
    pub split: Split,
    /// Attacked pictures in a file, such as 1000. An interrupted build loses at most one file.
    pub per_file: usize,
    /// Pictures of other generators. A set without any is not called CIFAKE++.
    pub generated: &'a [Generated],
}

impl Build<'_> {
    /// Attacks every sample with every attack of the suite, and writes the pictures in parquet files.
    ///
    /// Pictures are rounded to 8 bits and stored as PNGs, `per_file` in a file, beside source, attack,
    /// seed, norms and SHA-256. Each generator gets one more file. The files are named like those of
    /// Hugging Face, so that `cifake::open_dataset` opens the folder. `progress(done, total)` counts
    /// pictures.
    ///
    /// An interrupted build resumes. Each file's hash is recorded when it is written; a file that no
    /// longer has it is written again.
    ///
    /// # Errors
    ///
    /// [`Error::OtherRun`] or [`Error::OtherVersion`] if the folder holds another build; those of the
    /// attacks; a picture that cannot be read; a file that cannot be written.
    ///
    /// # Panics
    ///
    /// If an index is not in the data set, or the batch size or `per_file` is 0.
    pub fn run(
        &self,
        options: &RunOptions,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<BuildManifest, Error> {
        let indices = options.indices_of(self.dataset)?;
        let names = names(self.suite)?;
        let generated = GeneratedFile::all(self.generated)?;
        let generators = generated.iter().map(|file| file.generator.clone());
        differ(&names.iter().cloned().chain(generators).collect::<Vec<_>>())?;
        let mut manifest = self.manifest(options, &indices)?;
        manifest.generated =
            generated.iter().map(GeneratedFile::origin).collect::<Result<_, _>>()?;
        create_folder(&options.folder)?;
        let mut so_far = manifest.claim(&options.folder)?;
        let n_generated: usize = generated.iter().map(GeneratedFile::len).sum();
        let total = indices.len() * self.suite.len() + n_generated;
        let mut done = 0;
        let n_files = indices.len().div_ceil(self.per_file);
        for (attack, attack_name) in self.suite.iter().zip(names) {
            for (number, chunk) in indices.chunks(self.per_file).enumerate() {
                let part = Part {
                    name: self.file_name(&attack_name, number, n_files),
                    origin: Origin::Attack(attack_name.clone()),
                    n: chunk.len(),
                };
                let mut tell = |n: usize| progress(done + n, total);
                let file = part.finish(&options.folder, &mut so_far, || {
                    let rows = self.rows(&**attack, options, chunk, &mut tell)?;
                    Ok(rows.table(&attack_name, options.seed))
                })?;
                manifest.files.push(file);
                done += chunk.len();
                progress(done, total);
            }
        }
        for file in generated {
            let part = Part {
                name: self.file_name(&file.generator, 0, 1),
                origin: Origin::Generator(file.generator.clone()),
                n: file.len(),
            };
            let table = || file.table(&options.decoder, options.size);
            manifest.files.push(part.finish(&options.folder, &mut so_far, table)?);
            done += file.len();
            progress(done, total);
        }
        manifest.write(&options.folder)?;
        Ok(manifest)
    }

    fn manifest(&self, options: &RunOptions, indices: &[usize]) -> Result<BuildManifest, Error> {
        let set = if self.generated.is_empty() { "perturbed CIFAKE" } else { "CIFAKE++" };
        let attacks = self.suite.iter().map(|attack| {
            serde_json::to_string(attack).expect("a name and a JSON value have a JSON form")
        });
        Ok(BuildManifest {
            version: VERSION,
            set: set.to_owned(),
            surrogate: self.surrogate.name.clone(),
            weights: self.surrogate.weights.clone(),
            seed: options.seed,
            batch_size: options.batch_size,
            per_file: self.per_file,
            size: options.size,
            split: self.split,
            device: cifake::device::name(&options.device),
            attacks: attacks.collect(),
            n_samples: indices.len(),
            samples: samples_hash(self.dataset, indices)?,
            generated: Vec::new(),
            files: Vec::new(),
        })
    }

    fn file_name(&self, part: &str, number: usize, n_files: usize) -> String {
        format!("{}-{}-{number:05}-of-{n_files:05}.parquet", self.split, slug(part))
    }

    /// The rows of one file; `tell` counts its pictures.
    fn rows(
        &self,
        attack: &dyn Attack,
        options: &RunOptions,
        indices: &[usize],
        tell: &mut dyn FnMut(usize),
    ) -> Result<Rows, Error> {
        let mut rows = Rows::default();
        // An attack tells through a shared reference to its target.
        let tell = RefCell::new(tell);
        for batch in indices.chunks(options.batch_size) {
            let done = rows.file.labels.len();
            let under_way = |share: f64| {
                (tell.borrow_mut())(done + (share * batch.len() as f64) as usize);
            };
            let target = self.target.with_progress(&under_way);
            let attacked = AttackedBatch::new(&target, self.dataset, attack, options, batch)?;
            rows.extend(self.dataset, batch, attacked);
            (tell.borrow_mut())(rows.file.labels.len());
        }
        Ok(rows)
    }
}

/// One file of a set.
struct Part {
    name: String,
    origin: Origin,
    n: usize,
}

impl Part {
    /// The file as it was recorded, or written from `table` and recorded.
    fn finish(
        self,
        folder: &Path,
        so_far: &mut Progress,
        table: impl FnOnce() -> Result<ParquetFile, Error>,
    ) -> Result<BuiltFile, Error> {
        if let Some(file) = so_far.sound(folder, &self.name)? {
            return Ok(file);
        }
        let path = folder.join(&self.name);
        table()?.write(&path)?;
        let Self { name, origin, n } = self;
        let file = BuiltFile { name, origin, n, sha256: sha256_of(&path)? };
        so_far.record(file.clone())?;
        Ok(file)
    }
}

/// SHA-256 over names, labels and contents of the samples at `indices`, in order.
fn samples_hash(dataset: &dyn Dataset, indices: &[usize]) -> Result<String, Error> {
    let pictures = picture_hashes(dataset, indices)?;
    let lines = indices.iter().zip(pictures);
    let line = |(&index, picture): (&usize, String)| {
        format!("{index} {picture} {}", dataset.samples()[index].id)
    };
    Ok(sha256_hex(lines.map(line).collect::<Vec<_>>().join("\n").as_bytes()))
}

/// The columns of a file of attacked pictures.
#[derive(Default)]
struct Rows {
    file: ParquetFile,
    sources: Vec<String>,
    hashes: Vec<String>,
    l2: Vec<f64>,
    linf: Vec<f64>,
    n_pixels: Vec<i64>,
}

impl Rows {
    fn extend(&mut self, dataset: &dyn Dataset, indices: &[usize], attacked: AttackedBatch) {
        let AttackedBatch { samples, images, sizes, .. } = attacked;
        let pictures = rgb8_from_tensor(images);
        let pngs: Vec<Vec<u8>> = pictures.par_iter().map(Picture::to_png).collect();
        let sources = indices.iter().map(|&i| dataset.samples()[i].id.clone());
        self.sources.extend(sources);
        let names = &self.sources[self.file.names.len()..];
        self.file.names.extend(names.iter().map(|source| png_name(source)));
        self.file.labels.extend(samples.labels);
        self.hashes.extend(pngs.iter().map(|png| sha256_hex(png)));
        self.file.pictures.extend(pngs);
        self.l2.extend(sizes.l2.iter().map(|&x| f64::from(x)));
        self.linf.extend(sizes.linf.iter().map(|&x| f64::from(x)));
        self.n_pixels.extend(sizes.n_pixels.iter().map(|&n| n as i64));
    }

    fn table(self, attack: &str, seed: u64) -> ParquetFile {
        let Self { mut file, sources, hashes, l2, linf, n_pixels } = self;
        let n = sources.len();
        let columns = [
            ("source", ParquetColumn::Text(sources)),
            ("attack", ParquetColumn::Text(vec![attack.to_owned(); n])),
            // Whole numbers of parquet are signed.
            ("seed", ParquetColumn::Whole(vec![seed.cast_signed(); n])),
            ("l2", ParquetColumn::Real(l2)),
            ("linf", ParquetColumn::Real(linf)),
            ("n_pixels", ParquetColumn::Whole(n_pixels)),
            ("sha256", ParquetColumn::Text(hashes)),
        ];
        file.columns = columns.map(|(name, column)| (name.to_owned(), column)).into();
        file
    }
}

/// The file name of `source` with the extension of a PNG. CIFAKE's names encode the class.
fn png_name(source: &str) -> String {
    let stem = Path::new(source).file_stem().unwrap_or_default();
    format!("{}.png", stem.to_string_lossy())
}
