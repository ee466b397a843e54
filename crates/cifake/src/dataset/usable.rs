//! Data sets without the pictures that cannot be read.

use std::borrow::Cow;
use std::sync::Arc;

use image::codecs::bmp::BmpEncoder;
use image::{ExtendedColorType, ImageEncoder};
use rayon::iter::{IntoParallelIterator, IntoParallelRefIterator, ParallelIterator};

use super::error::DatasetError;
use super::{Dataset, DatasetPart, Sample};
use crate::{Decoder, Error};

/// Pictures that are decoded between two reports of progress.
const PART: usize = 1024;

/// The pictures of a data set, decoded once and brought to one size in memory.
///
/// Pictures that cannot be read are left out and named. Each picture takes `3 * width * height`
/// bytes, whatever its own size is.
#[derive(Debug)]
pub struct FittedDataset {
    samples: Vec<Sample>,
    pixels: Vec<u8>,
    size: (u32, u32),
    failed: Vec<Error>,
}

impl FittedDataset {
    /// Decodes all pictures of `dataset` in the rayon pool of the calling thread and brings each to
    /// `size` (width, height), as [`Picture::fitted`](crate::Picture::fitted) does. `progress` hears
    /// how many are done, and of how many.
    ///
    /// # Errors
    ///
    /// [`DatasetError::DatasetTooLarge`] where the fitted pictures take more than `max_bytes`, before any is
    /// decoded; the first picture's error where not one can be read.
    ///
    /// # Panics
    ///
    /// If a side is 0.
    pub fn new(
        dataset: &dyn Dataset,
        size: (u32, u32),
        decoder: &Decoder,
        max_bytes: u64,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Self, Error> {
        assert!(size.0 > 0 && size.1 > 0, "a picture has pixels");
        let one = u64::from(size.0) * u64::from(size.1) * 3;
        let bytes = one.saturating_mul(dataset.len() as u64);
        if bytes > max_bytes {
            let (n, limit) = (dataset.len(), max_bytes);
            return Err(DatasetError::DatasetTooLarge { n, bytes, limit }.into());
        }
        let mut found = Self { samples: Vec::new(), pixels: Vec::new(), size, failed: Vec::new() };
        for start in (0..dataset.len()).step_by(PART) {
            let part = start..dataset.len().min(start + PART);
            let end = part.end;
            let fit = |index: usize| {
                let fitted = decoder.decode_fitted(&dataset.bytes(index)?, size.0, size.1);
                fitted.map_err(|error| error.in_file(&dataset.samples()[index].id))
            };
            let fitted: Vec<_> = part.into_par_iter().map(|index| (index, fit(index))).collect();
            for (index, fitted) in fitted {
                match fitted {
                    Ok(fitted) => {
                        found.pixels.extend_from_slice(fitted.picture.pixels());
                        found.samples.push(dataset.samples()[index].clone());
                    }
                    Err(error) => found.failed.push(error),
                }
            }
            progress(end, dataset.len());
        }
        match found.failed.is_empty() || !found.samples.is_empty() {
            true => Ok(found),
            false => Err(found.failed.swap_remove(0)),
        }
    }

    /// Why pictures were left out; each error names its picture.
    #[must_use]
    pub fn failed(&self) -> &[Error] {
        &self.failed
    }
}

/// The encoded pictures are BMP files of the fitted size.
impl Dataset for FittedDataset {
    fn samples(&self) -> &[Sample] {
        &self.samples
    }

    fn bytes(&self, index: usize) -> Result<Cow<'_, [u8]>, Error> {
        let (width, height) = self.size;
        let one = width as usize * height as usize * 3;
        let pixels = &self.pixels[index * one..(index + 1) * one];
        let mut bytes = Vec::with_capacity(one + 64);
        BmpEncoder::new(&mut bytes)
            .write_image(pixels, width, height, ExtendedColorType::Rgb8)
            .expect("memory takes every RGB picture");
        Ok(Cow::Owned(bytes))
    }
}

/// Decodes the pictures at `indices` in the rayon pool of the calling thread. Returns the indices of those that
/// can be read, and an error for each other picture, which names it. Nothing that was decoded is kept.
///
/// # Panics
///
/// If an index lies outside the data set.
pub fn readable(
    dataset: &dyn Dataset,
    indices: &[usize],
    decoder: &Decoder,
) -> (Vec<usize>, Vec<Error>) {
    let check = |&index: &usize| -> Result<usize, Error> {
        let decoded = decoder.decode(&dataset.bytes(index)?);
        let name = |error: Error| error.in_file(&dataset.samples()[index].id);
        decoded.map(|_| index).map_err(name)
    };
    let checked: Vec<_> = indices.par_iter().map(check).collect();
    let (mut read, mut failed) = (Vec::new(), Vec::new());
    for outcome in checked {
        match outcome {
            Ok(index) => read.push(index),
            Err(error) => failed.push(error),
        }
    }
    (read, failed)
}

/// The pictures of a data set that can be read.
pub struct ReadableDataset {
    part: DatasetPart,
    failed: Vec<Error>,
}

impl ReadableDataset {
    /// Decodes all pictures of `dataset` in the rayon pool of the calling thread and leaves out those
    /// that fail. Nothing that was decoded is kept.
    ///
    /// # Errors
    ///
    /// The first picture's error where not one can be read.
    pub fn new(dataset: Box<dyn Dataset>, decoder: &Decoder) -> Result<Self, Error> {
        let all: Vec<usize> = (0..dataset.len()).collect();
        let (indices, mut failed) = readable(&*dataset, &all, decoder);
        if indices.is_empty() && !failed.is_empty() {
            return Err(failed.swap_remove(0));
        }
        Ok(Self { part: DatasetPart::new(Arc::from(dataset), indices), failed })
    }

    /// Why pictures were left out; each error names its picture.
    #[must_use]
    pub fn failed(&self) -> &[Error] {
        &self.failed
    }
}

impl Dataset for ReadableDataset {
    fn samples(&self) -> &[Sample] {
        self.part.samples()
    }

    fn bytes(&self, index: usize) -> Result<Cow<'_, [u8]>, Error> {
        self.part.bytes(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Label, Picture};

    /// Encoded pictures in memory, all FAKE.
    struct Files(Vec<Sample>, Vec<Vec<u8>>);

    impl Files {
        fn new(files: Vec<Vec<u8>>) -> Self {
            let sample = |index: usize| Sample::new(format!("{index}.png"), Label::Fake);
            Self((0..files.len()).map(sample).collect(), files)
        }
    }

    impl Dataset for Files {
        fn samples(&self) -> &[Sample] {
            &self.0
        }

        fn bytes(&self, index: usize) -> Result<Cow<'_, [u8]>, Error> {
            Ok(Cow::Borrowed(&self.1[index]))
        }
    }

    fn picture(width: u32, height: u32) -> Picture {
        let pixels = (0..width * height * 3).map(|value| (value * 7) as u8).collect();
        Picture::new(pixels, width, height).expect("as many pixels as the sides say")
    }

    fn ids(dataset: &dyn Dataset) -> Vec<&str> {
        dataset.samples().iter().map(|sample| sample.id.as_str()).collect()
    }

    #[test]
    fn pictures_are_fitted_once_and_broken_ones_are_named() {
        let (own, large) = (picture(5, 3), picture(40, 31));
        let files = Files::new(vec![own.to_png(), b"no picture".to_vec(), large.to_png()]);
        let decoder = Decoder::default();
        let mut told = Vec::new();
        let mut progress = |done, total| told.push((done, total));
        let fitted = FittedDataset::new(&files, (5, 3), &decoder, 3 * 45, &mut progress)
            .expect("two can be read");
        assert_eq!(ids(&fitted), ["0.png", "2.png"]);
        let decoded = |index| decoder.decode(&fitted.bytes(index).expect("in memory"));
        assert_eq!(decoded(0).expect("a BMP"), own);
        assert_eq!(decoded(1).expect("a BMP"), large.fitted(5, 3).0);
        assert_eq!((fitted.failed().len(), told), (1, vec![(3, 3)]));
        assert!(fitted.failed()[0].to_string().contains("1.png"), "{:?}", fitted.failed());
    }

    #[test]
    fn a_data_set_beyond_the_limit_is_refused_before_anything_is_decoded() {
        let files = Files::new(vec![b"never read".to_vec(); 3]);
        let error = FittedDataset::new(&files, (5, 3), &Decoder::default(), 134, &mut |_, _| {});
        let error = error.expect_err("it takes 135 bytes");
        assert!(matches!(
            error,
            Error::Dataset(DatasetError::DatasetTooLarge { n: 3, bytes: 135, limit: 134 })
        ));
    }

    #[test]
    fn what_can_be_read_keeps_its_bytes() {
        let png = picture(5, 3).to_png();
        let files =
            Files::new(vec![b"none".to_vec(), png.clone(), png[..30].to_vec(), png.clone()]);
        let readable = ReadableDataset::new(Box::new(files), &Decoder::default());
        let readable = readable.expect("two can be read");
        assert_eq!(ids(&readable), ["1.png", "3.png"]);
        assert_eq!(*readable.bytes(1).expect("in memory"), png);
        assert_eq!(readable.failed().len(), 2);
        let none = ReadableDataset::new(Box::new(Files::new(vec![vec![1]])), &Decoder::default());
        assert!(none.is_err());
    }
}
