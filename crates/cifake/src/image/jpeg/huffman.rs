//! Huffman tables of a JPEG.

use super::bits::Bits;

/// Bits that one look into the fast table decodes.
const FAST_BITS: u32 = 9;

/// A code of at most 256 symbols of at most 16 bits.
#[derive(Debug, Clone)]
pub(super) struct Table {
    /// Symbol and length by the next bits; length 0 where the code is longer.
    fast: Vec<(u8, u8)>,
    /// One more than the largest code of each length, moved to 16 bits.
    limits: [u32; 17],
    /// Added to a code of each length, this gives the place of its symbol.
    offsets: [i32; 17],
    symbols: Vec<u8>,
}

impl Table {
    /// The table that `counts` of codes a length and the `symbols` describe; `None` if they are no
    /// code.
    pub(super) fn new(counts: &[u8; 16], symbols: &[u8]) -> Option<Self> {
        let mut table = Self {
            fast: vec![(0, 0); 1 << FAST_BITS],
            limits: [0; 17],
            offsets: [0; 17],
            symbols: symbols.to_vec(),
        };
        let (mut code, mut place) = (0_u32, 0_usize);
        for (length, &count) in (1_u32..).zip(counts) {
            table.offsets[length as usize] = place as i32 - code as i32;
            for _ in 0..count {
                let symbol = *symbols.get(place)?;
                if code >= 1 << length {
                    return None;
                }
                if length <= FAST_BITS {
                    let first = (code << (FAST_BITS - length)) as usize;
                    let entries = 1 << (FAST_BITS - length);
                    table.fast[first..first + entries].fill((symbol, length as u8));
                }
                code += 1;
                place += 1;
            }
            table.limits[length as usize] = code << (16 - length);
            code <<= 1;
        }
        Some(table)
    }

    /// The next symbol of `bits`; `None` for bits that are no code.
    pub(super) fn symbol(&self, bits: &mut Bits<'_>) -> Option<u8> {
        let next = bits.peek();
        let (symbol, length) = self.fast[usize::from(next >> (16 - FAST_BITS))];
        if length > 0 {
            bits.take(u32::from(length));
            return Some(symbol);
        }
        let is_code = |length: &u32| u32::from(next) < self.limits[*length as usize];
        let length = (FAST_BITS + 1..=16).find(is_code)?;
        let code = bits.take(length);
        let place = i32::from(code) + self.offsets[length as usize];
        self.symbols.get(usize::try_from(place).ok()?).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_codes_are_decoded() {
        // Codes 0, 10, 110, then one of 12 bits: 1110_0000_0000.
        let mut counts = [0; 16];
        counts[..3].copy_from_slice(&[1, 1, 1]);
        counts[11] = 1;
        let table = Table::new(&counts, &[7, 8, 9, 10]).expect("a code");
        let bytes = [0b0101_1011, 0b1000_0000, 0b0000_0000, 0b1111_0000];
        let mut bits = Bits::new(&bytes, 0);
        let symbols: Vec<_> = (0..6).map(|_| table.symbol(&mut bits)).collect();
        assert_eq!(symbols[..4], [Some(7), Some(8), Some(9), Some(10)]);
        assert!(Table::new(&[3; 16], &[0; 48]).is_none());
        assert!(Table::new(&[1; 16], &[0; 4]).is_none());
    }

    #[test]
    fn bits_that_are_no_code_are_no_symbol() {
        let mut counts = [0; 16];
        counts[1] = 3;
        let table = Table::new(&counts, &[1, 2, 3]).expect("a code");
        let mut bits = Bits::new(&[0xfe, 0xfe], 0);
        assert_eq!(table.symbol(&mut bits), None);
    }
}
