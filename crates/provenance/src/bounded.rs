//! A file whose reader can repeat itself only so often.

use std::io::{self, Cursor, Read, Seek, SeekFrom};

/// Steps of any file, and steps more for each of its bytes. A step is a read or a change of place.
const STEPS: u64 = 1 << 16;
const STEPS_A_BYTE: u64 = 4;

/// Bytes that are read from any file, and how often each may be read: parsers, searches for XMP and hashes
/// each take the whole file.
const BYTES: u64 = 1 << 24;
const TIMES: u64 = 64;

/// The bytes of a file, which end with an error where their reader does more work than a file of their
/// length asks for. A container that leads its reader around in circles ends there, whatever its format.
pub(crate) struct Bounded<'a> {
    file: Cursor<&'a [u8]>,
    steps: u64,
    bytes: u64,
}

impl<'a> Bounded<'a> {
    pub(crate) fn new(file: &'a [u8]) -> Self {
        let length = file.len() as u64;
        Self {
            file: Cursor::new(file),
            steps: STEPS.saturating_add(length.saturating_mul(STEPS_A_BYTE)),
            bytes: BYTES.saturating_add(length.saturating_mul(TIMES)),
        }
    }

    fn step(&mut self, n_bytes: usize) -> io::Result<()> {
        let left = self.steps.checked_sub(1).zip(self.bytes.checked_sub(n_bytes as u64));
        let ended = || io::Error::other("the container leads its reader around in circles");
        (self.steps, self.bytes) = left.ok_or_else(ended)?;
        Ok(())
    }
}

impl Read for Bounded<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n_bytes = self.file.read(buffer)?;
        self.step(n_bytes)?;
        Ok(n_bytes)
    }
}

impl Seek for Bounded<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.step(0)?;
        self.file.seek(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_often_and_byte_by_byte() {
        let bytes = vec![7; 100_000];
        let mut file = Bounded::new(&bytes);
        let mut byte = [0];
        for _ in 0..bytes.len() {
            file.read_exact(&mut byte).expect("a step a byte");
        }
        for _ in 0..20 {
            file.rewind().expect("few steps");
            let mut all = Vec::new();
            assert_eq!(file.read_to_end(&mut all).expect("few steps"), bytes.len());
        }
    }

    #[test]
    fn a_loop_over_places_or_bytes_ends() {
        let bytes = vec![7; 1000];
        let mut file = Bounded::new(&bytes);
        assert!((0..100_000).any(|at| file.seek(SeekFrom::Start(at % 8)).is_err()));
        let mut file = Bounded::new(&bytes);
        let mut all = [0; 1000];
        let mut again = || file.rewind().and_then(|()| file.read_exact(&mut all));
        assert!((0..100_000).any(|_| again().is_err()));
        assert!(again().is_err(), "it stays so");
    }
}
