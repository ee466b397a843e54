//! The pictures of a data set that are copies of others.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use cifake::{Class, Dataset, Decoder, Error, Label, Split};
use flate2::read::MultiGzDecoder;
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Largest manifest that is read, unpacked: four million rows or so.
const MAX_BYTES: u64 = 512 << 20;

/// One picture of a data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestRow {
    /// [`Sample::id`](cifake::Sample::id).
    pub id: String,
    /// The split that it belongs to.
    pub split: Split,
    /// The picture's label.
    pub label: Label,
    /// The object that it shows.
    pub class: Option<Class>,
    /// [`pixel_hash`] of its pixels.
    pub pixel_hash: u64,
    /// The first picture with the same pixels, train before test; `None` for that one itself.
    pub dup_of: Option<String>,
    /// Whether it is a test picture whose pixels stand in the training set as well.
    pub leak_test_in_train: bool,
}

/// The copies within a data set of two splits.
///
/// As a file, it is a CSV with the columns `path`, `split`, `label`, `class`, `pixel_sha256_16`,
/// `dup_of` and `leak_test_in_train`, perhaps gzipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    rows: Vec<ManifestRow>,
}

/// A line of the file.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    path: String,
    split: Split,
    label: Label,
    class: Option<Class>,
    pixel_sha256_16: String,
    dup_of: Option<String>,
    leak_test_in_train: u8,
}

/// The first 64 bits of the SHA-256 of `pixels` (RGB, row by row), most significant byte first:
/// the column `pixel_sha256_16` is its 16 hexadecimal digits.
///
/// JPEG decoders round differently: hashes compare only if the same decoder made the pixels.
#[must_use]
pub fn pixel_hash(pixels: &[u8]) -> u64 {
    let digest = Sha256::digest(pixels);
    u64::from_be_bytes(*digest.first_chunk().expect("SHA-256 has 32 bytes"))
}

impl Manifest {
    /// Hashes all pictures of `train` and `test` at their original size, in the rayon pool of the
    /// calling thread. A picture that cannot be decoded is a copy of files with the same content; one
    /// that cannot be read is a copy of none.
    #[must_use]
    pub fn compute(train: &dyn Dataset, test: &dyn Dataset, decoder: &Decoder) -> Self {
        let train_hashes = hashes(train, decoder);
        let test_hashes = hashes(test, decoder);
        let mut first: HashMap<u64, &str> = HashMap::new();
        for (dataset, hashes) in [(train, &train_hashes), (test, &test_hashes)] {
            for (sample, hash) in dataset.samples().iter().zip(hashes) {
                first.entry(*hash).or_insert(&sample.id);
            }
        }
        let in_train: HashSet<u64> = train_hashes.iter().copied().collect();
        let mut rows = Vec::with_capacity(train.len() + test.len());
        for (dataset, hashes, split) in
            [(test, &test_hashes, Split::Test), (train, &train_hashes, Split::Train)]
        {
            rows.extend(dataset.samples().iter().zip(hashes).map(|(sample, hash)| {
                let leak_test_in_train = split == Split::Test && in_train.contains(hash);
                let is_first = first[hash] == sample.id && !leak_test_in_train;
                ManifestRow {
                    id: sample.id.clone(),
                    split,
                    label: sample.label,
                    class: sample.class,
                    pixel_hash: *hash,
                    dup_of: (!is_first).then(|| first[hash].to_owned()),
                    leak_test_in_train,
                }
            }));
        }
        Self { rows }
    }

    /// All rows, in the order of the file.
    #[must_use]
    pub fn rows(&self) -> &[ManifestRow] {
        &self.rows
    }

    /// Reads a manifest, gzipped or not; errors name the file and the line.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let read = |source| Error::Read { path: path.to_owned(), source };
        let mut file = BufReader::new(File::open(path).map_err(read)?);
        let mut head = Vec::new();
        file.by_ref().take(2).read_to_end(&mut head).map_err(read)?;
        let whole = std::io::Cursor::new(head.clone()).chain(file);
        let plain: Box<dyn Read> = if head == [0x1f, 0x8b] {
            Box::new(MultiGzDecoder::new(whole))
        } else {
            Box::new(whole)
        };
        let mut rows = Vec::new();
        let mut reader = csv::Reader::from_reader(plain.take(MAX_BYTES));
        for (index, record) in reader.deserialize().enumerate() {
            let record: Record =
                record.map_err(|source| Error::Manifest { path: path.to_owned(), source })?;
            let row = index + 1;
            let refuse = || Error::ManifestHash { path: path.to_owned(), row };
            rows.push(row_of(record).ok_or_else(refuse)?);
        }
        Ok(Self { rows })
    }

    /// Writes the manifest, gzipped if the name ends in `.gz`.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        let mut content = csv::Writer::from_writer(Vec::new());
        for row in &self.rows {
            content
                .serialize(record_of(row))
                .map_err(|source| Error::Manifest { path: path.to_owned(), source })?;
        }
        let mut content = content.into_inner().expect("a vector takes all bytes");
        if path.extension().is_some_and(|extension| extension == "gz") {
            let mut packed = Vec::new();
            flate2::read::GzEncoder::new(content.as_slice(), flate2::Compression::default())
                .read_to_end(&mut packed)
                .expect("a slice gives all bytes");
            content = packed;
        }
        cifake::file::write_atomic(path, &content)
    }

    /// Positions in `dataset` of the pictures of `split` that are counted once: of pictures with
    /// the same pixels the first, and of the test set none that stands in the training set.
    ///
    /// Fails if a sample of `dataset` is not in the manifest.
    pub fn deduplicated(&self, dataset: &dyn Dataset, split: Split) -> Result<Vec<usize>, Error> {
        let mut seen = HashSet::new();
        let rows = self.rows_of(dataset, split)?;
        let kept = rows.into_iter().enumerate().filter_map(|(index, row)| {
            let is_first = seen.insert(row.pixel_hash);
            (is_first && !row.leak_test_in_train).then_some(index)
        });
        Ok(kept.collect())
    }

    /// The [`pixel_hash`] of every picture of `dataset`, whose pictures are of `split`: the groups
    /// that [`validation_split`](cifake::validation_split) keeps together.
    ///
    /// Fails if a sample of `dataset` is not in the manifest.
    pub fn pixel_hashes(&self, dataset: &dyn Dataset, split: Split) -> Result<Vec<u64>, Error> {
        let rows = self.rows_of(dataset, split)?;
        Ok(rows.into_iter().map(|row| row.pixel_hash).collect())
    }

    /// The row of each sample of `dataset`.
    fn rows_of(&self, dataset: &dyn Dataset, split: Split) -> Result<Vec<&ManifestRow>, Error> {
        let of_split = self.rows.iter().filter(|row| row.split == split);
        let by_id: HashMap<&str, &ManifestRow> =
            of_split.map(|row| (row.id.as_str(), row)).collect();
        let row = |id: &str| {
            let row = by_id.get(id).copied();
            row.ok_or_else(|| Error::NotInManifest { id: id.to_owned(), split })
        };
        dataset.samples().iter().map(|sample| row(&sample.id)).collect()
    }
}

/// The pixel hash of every picture, else the hash of its file, else the hash of its name.
fn hashes(dataset: &dyn Dataset, decoder: &Decoder) -> Vec<u64> {
    let hash = |index: usize| {
        let Ok(bytes) = dataset.bytes(index) else {
            return pixel_hash(dataset.samples()[index].id.as_bytes());
        };
        let picture = decoder.decode(&bytes);
        picture.map_or_else(|_| pixel_hash(&bytes), |picture| pixel_hash(picture.pixels()))
    };
    (0..dataset.len()).into_par_iter().map(hash).collect()
}

/// `None` if the hash is not 16 hexadecimal digits.
fn row_of(record: Record) -> Option<ManifestRow> {
    let digits = record.pixel_sha256_16;
    let is_hash = digits.len() == 16 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    Some(ManifestRow {
        id: record.path,
        split: record.split,
        label: record.label,
        class: record.class,
        pixel_hash: is_hash.then(|| u64::from_str_radix(&digits, 16).ok())??,
        dup_of: record.dup_of,
        leak_test_in_train: record.leak_test_in_train != 0,
    })
}

fn record_of(row: &ManifestRow) -> Record {
    Record {
        path: row.id.clone(),
        split: row.split,
        label: row.label,
        class: row.class,
        pixel_sha256_16: format!("{:016x}", row.pixel_hash),
        dup_of: row.dup_of.clone(),
        leak_test_in_train: u8::from(row.leak_test_in_train),
    }
}
