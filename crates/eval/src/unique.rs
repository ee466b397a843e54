//! The pictures of a data set that count once.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use cifake::{Dataset, Decoder, Error, Sample, Split, SplitDataset, is_collection};

use crate::{Manifest, pixel_hash};

/// Positions in `dataset` of the pictures that are counted once, as [`Manifest::deduplicated`] says.
/// `dataset` is the part `split` of `whole`.
///
/// A `manifest.csv.gz` or `manifest.csv` beside the data is used, once the copies within `dataset`
/// that it states are found to be copies. If there is none, the pictures of both splits are
/// decoded and compared, in the rayon pool of the calling thread; where the data set has no
/// training set, only those of `dataset`. The table of a collection is no such manifest.
///
/// # Errors
/// A manifest that cannot be read or is of other data; copies that it states and that cannot be
/// decoded.
pub fn unique_samples(
    whole: &SplitDataset,
    dataset: &dyn Dataset,
    split: Split,
    decoder: &Decoder,
) -> Result<Vec<usize>, Error> {
    if let Some(file) = manifest_beside(whole.path()) {
        let manifest = Manifest::read(&file)?;
        check_copies(&manifest, &file, dataset, split, decoder)?;
        return manifest.deduplicated(dataset, split);
    }
    let other = match split {
        Split::Train => Split::Test,
        Split::Validation | Split::Test => Split::Train,
    };
    // A data set without splits is taken for either.
    let other: Box<dyn Dataset> = match whole.has(other) {
        true => Box::new(whole.part(other)?),
        false => Box::new(Nothing),
    };
    let (train, test) = match split {
        Split::Train => (dataset, &*other),
        Split::Validation | Split::Test => (&*other, dataset),
    };
    // In the manifest, whatever is not trained on is called a test picture.
    let part = if split == Split::Train { Split::Train } else { Split::Test };
    Manifest::compute(train, test, decoder).deduplicated(dataset, part)
}

/// The manifest in the folder `path`, or in the folder of the file `path`.
fn manifest_beside(path: &Path) -> Option<PathBuf> {
    if is_collection(path) {
        return None;
    }
    let folder = if path.is_dir() { path } else { path.parent()? };
    let names = ["manifest.csv.gz", "manifest.csv"];
    names.map(|name| folder.join(name)).into_iter().find(|file| file.is_file())
}

/// Refuses a manifest of other pictures: those with one hash must have the same pixels.
///
/// The hashes themselves are not compared, since JPEG decoders round differently.
fn check_copies(
    manifest: &Manifest,
    file: &Path,
    dataset: &dyn Dataset,
    split: Split,
    decoder: &Decoder,
) -> Result<(), Error> {
    let mut groups: HashMap<u64, Vec<usize>> = HashMap::new();
    for (index, hash) in manifest.pixel_hashes(dataset, split)?.into_iter().enumerate() {
        groups.entry(hash).or_default().push(index);
    }
    for group in groups.into_values().filter(|group| group.len() > 1) {
        let mut hashes = Vec::with_capacity(group.len());
        for &index in &group {
            let id = &dataset.samples()[index].id;
            let picture = decoder.decode(&dataset.bytes(index)?).map_err(|e| e.in_file(id))?;
            hashes.push(pixel_hash(picture.pixels()));
        }
        if let Some(differs) = hashes.iter().position(|hash| *hash != hashes[0]) {
            let id = dataset.samples()[group[differs]].id.clone();
            return Err(Error::ManifestOfOtherData { path: file.to_owned(), id });
        }
    }
    Ok(())
}

/// A data set of no picture.
struct Nothing;

impl Dataset for Nothing {
    fn samples(&self) -> &[Sample] {
        &[]
    }

    fn bytes(&self, index: usize) -> Result<Cow<'_, [u8]>, Error> {
        unreachable!("there is no sample {index}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cifake::open_dataset;

    /// Writes PNGs of one colour each: name and level.
    fn folder(files: &[(&str, u8)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, level) in files {
            let path = folder.path().join(name);
            let parent = path.parent().expect("it lies in a folder");
            std::fs::create_dir_all(parent).expect("it is writable");
            let picture = image::RgbImage::from_pixel(4, 3, image::Rgb([*level; 3]));
            picture.save(path).expect("it is writable");
        }
        folder
    }

    fn unique(path: &Path) -> Result<Vec<usize>, Error> {
        let whole = SplitDataset::new(path, open_dataset(path, None).expect("there are pictures"));
        let dataset = whole.part(Split::Test).expect("there are test pictures");
        unique_samples(&whole, &dataset, Split::Test, &Decoder::default())
    }

    const FILES: [(&str, u8); 6] = [
        ("train/REAL/a.png", 1),
        ("train/FAKE/b.png", 2),
        ("test/FAKE/c.png", 2),
        ("test/FAKE/d.png", 3),
        ("test/FAKE/e.png", 3),
        ("test/REAL/f.png", 4),
    ];

    #[test]
    fn copies_and_leaks_are_left_out_with_and_without_a_manifest() {
        let folder = folder(&FILES);
        assert_eq!(unique(folder.path()).expect("pictures"), [1, 3]);
        let train = open_dataset(folder.path(), Some(Split::Train)).expect("pictures");
        let test = open_dataset(folder.path(), Some(Split::Test)).expect("pictures");
        let manifest = Manifest::compute(&*train, &*test, &Decoder::default());
        manifest.write(&folder.path().join("manifest.csv.gz")).expect("it is writable");
        assert_eq!(unique(folder.path()).expect("pictures"), [1, 3]);
    }

    #[test]
    fn a_folder_without_splits_does_not_leak_into_itself() {
        let folder = folder(&[("REAL/a.png", 1), ("FAKE/b.png", 2), ("FAKE/c.png", 2)]);
        assert_eq!(unique(folder.path()).expect("pictures").len(), 2);
    }

    #[test]
    fn a_manifest_of_other_pictures_is_refused() {
        let folder = folder(&FILES);
        let train = open_dataset(folder.path(), Some(Split::Train)).expect("pictures");
        let test = open_dataset(folder.path(), Some(Split::Test)).expect("pictures");
        let manifest = Manifest::compute(&*train, &*test, &Decoder::default());
        manifest.write(&folder.path().join("manifest.csv")).expect("it is writable");
        let other = image::RgbImage::from_pixel(4, 3, image::Rgb([200; 3]));
        other.save(folder.path().join("test/FAKE/e.png")).expect("it is writable");
        let error = unique(folder.path()).expect_err("e is no copy any more").to_string();
        assert!(error.contains("manifest.csv") && error.contains("e.png"), "{error}");
    }
}
