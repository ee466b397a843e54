//! Changes of valid files.

use rand::RngExt;
use rand::rngs::ChaCha8Rng;

/// Longest file that changes make, in bytes.
const MAX_BYTES: usize = 1 << 20;

/// Numbers at which lengths and counts overflow.
const NUMBERS: [u64; 9] =
    [0, 1, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0xffff_ffff, u64::MAX >> 1];

/// A file made of one or two of `seeds` by one to eight changes.
pub(super) fn changed(seeds: &[Vec<u8>], rng: &mut ChaCha8Rng) -> Vec<u8> {
    let seed = |rng: &mut ChaCha8Rng| &seeds[rng.random_range(0..seeds.len())];
    let mut bytes = seed(rng).clone();
    for _ in 0..rng.random_range(1..=8) {
        change(&mut bytes, seed(rng), rng);
    }
    bytes.truncate(MAX_BYTES);
    bytes
}

/// Up to 512 bytes of noise.
pub(super) fn noise(rng: &mut ChaCha8Rng) -> Vec<u8> {
    (0..rng.random_range(0..512)).map(|_| rng.random_range(0..=255)).collect()
}

fn change(bytes: &mut Vec<u8>, other: &[u8], rng: &mut ChaCha8Rng) {
    let at = place(bytes.len(), rng);
    let longest = rng.random_range(1..=64);
    let length = rng.random_range(1..=longest);
    match rng.random_range(0..10) {
        0 => set(bytes, at, &[rng.random_range(0..=255)]),
        1 => {
            let bit = 1 << rng.random_range(0..8);
            bytes.get_mut(at).into_iter().for_each(|byte| *byte ^= bit);
        }
        2 => set(bytes, at, &number(rng)),
        3 => bytes.truncate(at),
        4 => {
            let end = bytes.len().min(at + length);
            bytes.drain(at..end);
        }
        5 => {
            let end = bytes.len().min(at + length);
            let part = bytes[at..end].repeat(rng.random_range(1..=4));
            bytes.splice(at..at, part);
        }
        6 => {
            let new: Vec<u8> = (0..length).map(|_| rng.random_range(0..=255)).collect();
            bytes.splice(at..at, new);
        }
        7 => {
            let digits = NUMBERS[rng.random_range(0..NUMBERS.len())].to_string();
            bytes.splice(at..at, digits.into_bytes());
        }
        8 => {
            // A part of another file, in place or between.
            let start = place(other.len(), rng);
            let part = &other[start..other.len().min(start + 4 * length)];
            let end = if rng.random() { bytes.len().min(at + part.len()) } else { at };
            bytes.splice(at..end, part.iter().copied());
        }
        _ => {
            bytes.truncate(at);
            bytes.extend_from_slice(&other[place(other.len(), rng)..]);
        }
    }
}

/// A place in a file of `length` bytes. Headers stand at the start and directories at the end: places
/// there are as likely as the rest.
fn place(length: usize, rng: &mut ChaCha8Rng) -> usize {
    let edge = length.min(64);
    match rng.random_range(0..3) {
        0 => rng.random_range(0..=edge),
        1 => length - rng.random_range(0..=edge),
        _ => rng.random_range(0..=length),
    }
}

/// A number of 1, 2, 4 or 8 bytes, in either order.
fn number(rng: &mut ChaCha8Rng) -> Vec<u8> {
    let number = NUMBERS[rng.random_range(0..NUMBERS.len())];
    let size = 1 << rng.random_range(0..4);
    let mut bytes = number.to_le_bytes()[..size].to_vec();
    if rng.random() {
        bytes.reverse();
    }
    bytes
}

fn set(bytes: &mut [u8], at: usize, new: &[u8]) {
    for (byte, new) in bytes.iter_mut().skip(at).zip(new) {
        *byte = *new;
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_files() {
        let seeds = [b"{\"a\": [1, 2, 3]}".to_vec(), vec![7; 300], Vec::new()];
        let files = |seed| -> Vec<Vec<u8>> {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            (0..200).map(|_| changed(&seeds, &mut rng)).collect()
        };
        assert_eq!(files(1), files(1));
        assert_ne!(files(1), files(2));
        let different: std::collections::BTreeSet<_> = files(1).into_iter().collect();
        assert!(different.len() > 150, "{}", different.len());
    }
}
