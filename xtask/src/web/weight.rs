//! The bytes that a visitor downloads.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::folder::files;

/// Largest sum of all files, each as gzip makes it.
const MAX_BYTES: usize = 6_000_000;

/// Prints the size of each file and of all; false if they are too large together.
pub(super) fn check(folder: &Path) -> Result<bool> {
    let (mut all, mut all_zipped) = (0, 0);
    for file in files(folder)? {
        let content = std::fs::read(&file)?;
        let zipped = zipped(&content)?;
        let name = file.file_name().context("a file has a name")?.to_string_lossy().into_owned();
        println!("{name:<20} {:>10} bytes {zipped:>10} gzipped", content.len());
        all += content.len();
        all_zipped += zipped;
    }
    println!("{:<20} {all:>10} bytes {all_zipped:>10} gzipped", "all");
    if all_zipped > MAX_BYTES {
        println!("a visitor may download at most {MAX_BYTES} bytes");
    }
    Ok(all_zipped <= MAX_BYTES)
}

fn zipped(content: &[u8]) -> Result<usize> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content)?;
    Ok(encoder.finish()?.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_over_the_limit_does_not_pass() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let write = |content: &[u8]| std::fs::write(folder.path().join("a"), content);
        write(&[0; 7_000_000]).expect("it is writable");
        assert!(check(folder.path()).expect("it can be read"), "zeros weigh nothing");
        // A generator's high bits do not compress.
        let mut state = 1u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        };
        let noise: Vec<u8> = (0..MAX_BYTES + 1).map(|_| next()).collect();
        write(&noise).expect("it is writable");
        assert!(!check(folder.path()).expect("it can be read"));
    }
}
