//! A fixed set of attacked pictures, and of pictures of other generators, as parquet files that
//! `cifake` reads back.
//!
//! A file fixes its samples, its batches and its seeds, so that a build that was broken off goes on
//! and ends with the same bytes.

mod evaluate;
mod generated;
mod manifest;

use std::path::Path;

use cifake::weights::sha256_hex;
use cifake::{Dataset, ParquetColumn, ParquetFile, Picture, Split};
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

pub use evaluate::{BuiltReport, BuiltRow, evaluate_built};
pub use generated::Generated;
pub use manifest::{BuildManifest, BuiltFile, GeneratorOrigin, Licensed, Origin};

use crate::attacked::Attacked;
use crate::run::{RunOptions, create_folder, differ, ids_hash, names, slug};
use crate::{Attack, Error, Victim};
use generated::GeneratedFile;
use manifest::sha256_of;

/// A set to be built: what is attacked, by what, and what else belongs to it.
pub struct Build<'a> {
    /// The surrogate: never the model that is to be tested with the set.
    pub victim: Victim<'a>,
    /// Its name.
    pub surrogate: &'a str,
    /// What is attacked.
    pub dataset: &'a dyn Dataset,
    /// The attacks, each on every picture.
    pub suite: &'a [Box<dyn Attack>],
    /// The split that the files are named by.
    pub split: Split,
    /// Attacked pictures of a file, such as 1000: what is lost at most where a build is broken off.
    pub per_file: usize,
    /// Pictures of other generators; with none the set is not called CIFAKE++.
    pub generated: &'a [Generated],
}

impl Build<'_> {
    /// Attacks every sample with every attack of the suite and writes the pictures, rounded to 8
    /// bits, as PNGs in parquet files of `per_file`, beside their source, attack, seed, norms and
    /// sha256; then a file a generator.
    ///
    /// The files are named like those of Hugging Face, so that `cifake::open_dataset` takes the
    /// folder for a data set. `progress(done, total)` counts pictures.
    ///
    /// # Errors
    ///
    /// [`Error::OtherRun`] where the folder holds another build; those of the attacks; a picture
    /// that cannot be decoded; files that cannot be written.
    ///
    /// # Panics
    ///
    /// If there is no sample of an index, or the batch size or `per_file` is 0.
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
        let mut manifest = self.manifest(options, &indices);
        manifest.generated =
            generated.iter().map(GeneratedFile::origin).collect::<Result<_, _>>()?;
        create_folder(&options.folder)?;
        manifest.claim(&options.folder)?;
        let n_generated: usize = generated.iter().map(GeneratedFile::len).sum();
        let total = indices.len() * self.suite.len() + n_generated;
        let mut done = 0;
        let n_files = indices.len().div_ceil(self.per_file);
        for (attack, attack_name) in self.suite.iter().zip(names) {
            for (number, chunk) in indices.chunks(self.per_file).enumerate() {
                let name = self.file_name(&attack_name, number, n_files);
                let path = options.folder.join(&name);
                if !path.exists() {
                    let mut told = |n: usize| progress(done + n, total);
                    let rows = self.rows(&**attack, options, chunk, &mut told)?;
                    rows.table(&attack_name, options.seed).write(&path)?;
                }
                done += chunk.len();
                progress(done, total);
                let (origin, n) = (Origin::Attack(attack_name.clone()), chunk.len());
                manifest.files.push(BuiltFile { name, origin, n, sha256: sha256_of(&path)? });
            }
        }
        for file in generated {
            let name = self.file_name(&file.generator, 0, 1);
            let path = options.folder.join(&name);
            if !path.exists() {
                file.table(&options.decoder, options.size)?.write(&path)?;
            }
            done += file.len();
            progress(done, total);
            let (n, sha256) = (file.len(), sha256_of(&path)?);
            let origin = Origin::Generator(file.generator);
            manifest.files.push(BuiltFile { name, origin, n, sha256 });
        }
        manifest.write(&options.folder)?;
        Ok(manifest)
    }

    fn manifest(&self, options: &RunOptions, indices: &[usize]) -> BuildManifest {
        let set = if self.generated.is_empty() { "perturbed CIFAKE" } else { "CIFAKE++" };
        BuildManifest {
            set: set.to_owned(),
            surrogate: self.surrogate.to_owned(),
            seed: options.seed,
            batch_size: options.batch_size,
            per_file: self.per_file,
            size: options.size,
            split: self.split,
            device: cifake::device::name(&options.device),
            attacks: self.suite.iter().map(|attack| format!("{attack:?}")).collect(),
            n_samples: indices.len(),
            samples: ids_hash(self.dataset, indices),
            generated: Vec::new(),
            files: Vec::new(),
        }
    }

    fn file_name(&self, part: &str, number: usize, n_files: usize) -> String {
        format!("{}-{}-{number:05}-of-{n_files:05}.parquet", self.split, slug(part))
    }

    /// The rows of one file; `told` counts its pictures.
    fn rows(
        &self,
        attack: &dyn Attack,
        options: &RunOptions,
        indices: &[usize],
        told: &mut dyn FnMut(usize),
    ) -> Result<Rows, Error> {
        let mut rows = Rows::default();
        for batch in indices.chunks(options.batch_size) {
            let attacked = Attacked::new(&self.victim, self.dataset, attack, options, batch)?;
            rows.extend(self.dataset, batch, attacked);
            told(rows.file.labels.len());
        }
        Ok(rows)
    }
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
    fn extend(&mut self, dataset: &dyn Dataset, indices: &[usize], attacked: Attacked) {
        let Attacked { samples, pictures, sizes, .. } = attacked;
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
            // As parquet has them: signed.
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

/// The file name of `source` as a PNG's: CIFAKE's names say the class.
fn png_name(source: &str) -> String {
    let stem = Path::new(source).file_stem().unwrap_or_default();
    format!("{}.png", stem.to_string_lossy())
}
