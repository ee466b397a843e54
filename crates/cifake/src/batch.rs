//! Many pictures at once, decoded in parallel.

use std::path::PathBuf;
use std::sync::mpsc::sync_channel;

use burn::tensor::{Device, Tensor};
use rayon::iter::{IndexedParallelIterator, IntoParallelRefIterator, ParallelIterator};
use rayon::slice::ParallelSliceMut;

use crate::image::{Decoder, Fitted, tensor_from_flat_rgb8};
use crate::{Dataset, Error, Threads};

/// Pictures that go through a network together, at most.
const MAX_BATCH: usize = 64;
/// Memory for the activations of a batch, in bytes; one picture may take more.
const MAX_BATCH_BYTES: u64 = 1 << 30;

/// The number of pictures that go through a network together, 1 to 64: as many as fit into 1 GiB if the activations of
/// one picture take `activation_bytes`.
#[must_use]
pub fn batch_within(activation_bytes: u64) -> usize {
    let fitting = MAX_BATCH_BYTES / activation_bytes.max(1);
    usize::try_from(fitting).unwrap_or(MAX_BATCH).clamp(1, MAX_BATCH)
}

/// Pictures brought to one size, and the errors of those that could not be.
#[derive(Debug)]
pub struct Batch {
    /// The samples that were decoded, in the order that was asked for.
    pub indices: Vec<usize>,
    /// Their pictures, in the order of `indices`, all of the same size.
    pub pictures: Vec<Fitted>,
    /// The samples that failed, each with an error that names it.
    pub failed: Vec<(usize, Error)>,
}

impl Batch {
    /// `[indices.len(), 3, height, width]`, RGB in `[0, 1]`; `None` if every sample failed.
    #[must_use]
    pub fn images(&self, device: &Device) -> Option<Tensor<4>> {
        let first = &self.pictures.first()?.picture;
        let (height, width) = (first.height() as usize, first.width() as usize);
        let mut pixels = Vec::with_capacity(self.pictures.len() * first.pixels().len());
        for fitted in &self.pictures {
            pixels.extend_from_slice(fitted.picture.pixels());
        }
        Some(tensor_from_flat_rgb8(&pixels, height, width, device))
    }
}

/// The source that pictures are read from.
#[derive(Clone, Copy)]
enum Source<'a> {
    Dataset(&'a dyn Dataset),
    Files(&'a [PathBuf]),
}

/// Batches of pictures, each decoded in parallel when it is asked for: no more than one batch is in
/// memory, and of the pictures at their original size no more than the decoder's budget allows.
///
/// Decoding runs in the rayon pool of the thread that asks, see [`Threads::install`].
pub struct Batches<'a> {
    source: Source<'a>,
    indices: Vec<usize>,
    at: usize,
    batch_size: usize,
    size: (u32, u32),
    decoder: Decoder,
}

impl<'a> Batches<'a> {
    /// Batches of `batch_size` pictures of `dataset`, the last perhaps smaller, brought to `size`
    /// (width, height); see [`Picture::fitted`](crate::Picture::fitted).
    ///
    /// # Panics
    /// If `batch_size` or a side is 0. `next` panics if there is no sample of an index.
    #[must_use]
    pub fn new(
        dataset: &'a dyn Dataset,
        indices: Vec<usize>,
        batch_size: usize,
        size: (u32, u32),
        decoder: &Decoder,
    ) -> Self {
        Self::of(Source::Dataset(dataset), indices, batch_size, size, decoder)
    }

    /// Batches of the files at `paths`, whose positions are the indices.
    ///
    /// # Panics
    /// If `batch_size` or a side is 0.
    #[must_use]
    pub fn of_files(
        paths: &'a [PathBuf],
        batch_size: usize,
        size: (u32, u32),
        decoder: &Decoder,
    ) -> Self {
        Self::of(Source::Files(paths), (0..paths.len()).collect(), batch_size, size, decoder)
    }

    fn of(
        source: Source<'a>,
        indices: Vec<usize>,
        batch_size: usize,
        size: (u32, u32),
        decoder: &Decoder,
    ) -> Self {
        assert!(batch_size > 0, "a batch holds at least one picture");
        assert!(size.0 > 0 && size.1 > 0, "a picture of {}x{} holds no pixel", size.0, size.1);
        Self { source, indices, at: 0, batch_size, size, decoder: decoder.clone() }
    }

    /// Calls `consume` with every batch while `threads` decode the next: at most three are in memory.
    ///
    /// Ends at the first error of `consume`, and returns it.
    pub fn for_each_ahead<E>(
        self,
        threads: &Threads,
        mut consume: impl FnMut(Batch) -> Result<(), E>,
    ) -> Result<(), E> {
        let (sender, receiver) = sync_channel(1);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let mut batches = self;
                while let Some(batch) = threads.install(|| batches.next()) {
                    if sender.send(batch).is_err() {
                        break;
                    }
                }
            });
            // Owned here, so that an early return hangs up and the sender ends.
            for batch in receiver {
                consume(batch)?;
            }
            Ok(())
        })
    }
}

impl Iterator for Batches<'_> {
    type Item = Batch;

    fn next(&mut self) -> Option<Batch> {
        let end = (self.at + self.batch_size).min(self.indices.len());
        let indices = &self.indices[self.at..end];
        self.at = end;
        if indices.is_empty() {
            return None;
        }
        let (source, decoder, size) = (self.source, &self.decoder, self.size);
        let decoded: Vec<_> =
            indices.par_iter().map(|index| decode_one(source, *index, size, decoder)).collect();
        let mut batch = Batch { indices: Vec::new(), pictures: Vec::new(), failed: Vec::new() };
        for (index, decoded) in indices.iter().zip(decoded) {
            match decoded {
                Ok(fitted) => {
                    batch.indices.push(*index);
                    batch.pictures.push(fitted);
                }
                Err(error) => batch.failed.push((*index, error)),
            }
        }
        Some(batch)
    }
}

fn decode_one(
    source: Source<'_>,
    index: usize,
    size: (u32, u32),
    decoder: &Decoder,
) -> Result<Fitted, Error> {
    match source {
        Source::Files(paths) => decoder.read_fitted(&paths[index], size.0, size.1),
        Source::Dataset(dataset) => {
            let bytes = dataset.bytes(index)?;
            decoder
                .decode_fitted(&bytes, size.0, size.1)
                .map_err(|error| error.in_file(&dataset.samples()[index].id))
        }
    }
}

/// The pictures `indices` of `dataset`, brought to `size` (width, height), one after another:
/// `indices.len() * height * width * 3` bytes of RGB.
///
/// Decoding runs in the rayon pool of the calling thread. Fails with the error of one picture, if
/// any fails.
///
/// # Panics
/// If a side is 0 or there is no sample of an index.
pub fn load_pixels(
    dataset: &dyn Dataset,
    indices: &[usize],
    size: (u32, u32),
    decoder: &Decoder,
) -> Result<Vec<u8>, Error> {
    let one = size.0 as usize * size.1 as usize * 3;
    assert!(one > 0, "a picture of {}x{} holds no pixel", size.0, size.1);
    let mut pixels = vec![0; indices.len() * one];
    pixels.par_chunks_mut(one).zip(indices).try_for_each(|(pixels, index)| {
        let fitted = decode_one(Source::Dataset(dataset), *index, size, decoder)?;
        pixels.copy_from_slice(fitted.picture.pixels());
        Ok::<(), Error>(())
    })?;
    Ok(pixels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_fits_into_memory_and_holds_a_picture() {
        let bytes = [0, 1 << 20, 1 << 25, 1 << 30, u64::MAX];
        assert_eq!(bytes.map(batch_within), [64, 64, 32, 1, 1]);
    }
}
