//! The bits of an entropy-coded segment.

/// Reads bits up to the next marker, and zeros after it.
#[derive(Debug)]
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The next bits, the first one on top.
    buffer: u64,
    n_buffered: u32,
    /// Zeros in the buffer that no byte of the file gave.
    n_invented: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at, buffer: 0, n_buffered: 0, n_invented: 0 }
    }

    /// Whether more bits were taken than stood before the marker.
    pub(super) fn is_overrun(&self) -> bool {
        self.n_invented > self.n_buffered
    }

    /// The next 16 bits, which stay.
    pub(super) fn peek(&mut self) -> u16 {
        if self.n_buffered < 16 {
            self.refill();
        }
        (self.buffer >> 48) as u16
    }

    /// The next `n` bits, at most 16.
    pub(super) fn take(&mut self, n: u32) -> u16 {
        if n == 0 {
            return 0;
        }
        let bits = self.peek() >> (16 - n);
        self.buffer <<= n;
        self.n_buffered -= n;
        bits
    }

    /// Goes behind the restart marker that ends the segment; false if another marker stands there.
    pub(super) fn restart(&mut self) -> bool {
        let mut at = self.at;
        while let Some(&[first, second]) = self.bytes.get(at..at + 2) {
            match (first, second) {
                (0xff, 0xd0..=0xd7) => {
                    *self = Self::new(self.bytes, at + 2);
                    return true;
                }
                (0xff, 0x01..=0xfe) => return false,
                _ => at += 1,
            }
        }
        false
    }

    fn refill(&mut self) {
        while self.n_buffered <= 56 {
            let byte = match (self.bytes.get(self.at), self.bytes.get(self.at + 1)) {
                (Some(0xff), Some(0x00)) => {
                    self.at += 2;
                    0xff
                }
                (Some(0xff), _) | (None, _) => {
                    self.n_invented += 8;
                    0
                }
                (Some(&byte), _) => {
                    self.at += 1;
                    byte
                }
            };
            self.buffer |= u64::from(byte) << (56 - self.n_buffered);
            self.n_buffered += 8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stuffed_bytes_are_one_and_a_marker_ends_the_bits() {
        let bytes = [0xa5, 0xff, 0x00, 0x0f, 0xff, 0xd3, 0x81, 0xff, 0xd9];
        let mut bits = Bits::new(&bytes, 0);
        assert_eq!([bits.take(4), bits.take(12), bits.take(8)], [0xa, 0x5ff, 0x0f]);
        assert!(!bits.is_overrun());
        assert_eq!(bits.take(1), 0);
        assert!(bits.is_overrun());
        assert!(bits.restart());
        assert_eq!(bits.take(8), 0x81);
        assert!(!bits.is_overrun() && !bits.restart());
    }
}
