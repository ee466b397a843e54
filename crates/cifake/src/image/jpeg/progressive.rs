//! The blocks of progressive scans, of which the bits are counted and the values dropped.

use super::bits::Bits;
use super::huffman::Table;

/// Coefficients and bits of one scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Band {
    /// First coefficient, in zigzag order.
    pub(super) first: u8,
    /// Last coefficient.
    pub(super) last: u8,
    /// Bits that earlier scans left out, 0 in the first scan of a coefficient.
    pub(super) high: u8,
    /// Bits that are still left out.
    pub(super) low: u8,
}

/// Passes over the first scan of an alternating-current band in one block; `nonzero` remembers
/// which coefficients have a value. `None` for bits that are no code.
pub(super) fn first_block(
    bits: &mut Bits<'_>,
    table: &Table,
    band: Band,
    run: &mut u32,
    nonzero: &mut u64,
) -> Option<()> {
    if *run > 0 {
        *run -= 1;
        return Some(());
    }
    let mut at = band.first;
    while at <= band.last {
        let symbol = table.symbol(bits)?;
        let (zeros, size) = (symbol >> 4, symbol & 15);
        if size == 0 {
            if zeros < 15 {
                *run = end_of_band_run(bits, zeros) - 1;
                break;
            }
            at += 16;
            continue;
        }
        at += zeros;
        if at > band.last {
            break;
        }
        bits.take(u32::from(size));
        *nonzero |= 1 << at;
        at += 1;
    }
    Some(())
}

/// Passes over a refining scan of an alternating-current band in one block.
pub(super) fn refined_block(
    bits: &mut Bits<'_>,
    table: &Table,
    band: Band,
    run: &mut u32,
    nonzero: &mut u64,
) -> Option<()> {
    let mut at = band.first;
    while *run == 0 && at <= band.last {
        let symbol = table.symbol(bits)?;
        let (mut zeros, size) = (symbol >> 4, symbol & 15);
        if size == 0 && zeros < 15 {
            *run = end_of_band_run(bits, zeros);
            break;
        }
        if size > 0 {
            bits.take(1);
        }
        while at <= band.last {
            if *nonzero >> at & 1 == 1 {
                bits.take(1);
            } else if zeros == 0 {
                break;
            } else {
                zeros -= 1;
            }
            at += 1;
        }
        if size > 0 && at <= band.last {
            *nonzero |= 1 << at;
        }
        at += 1;
    }
    if *run > 0 {
        for at in at..=band.last {
            bits.take((*nonzero >> at & 1) as u32);
        }
        *run -= 1;
    }
    Some(())
}

/// Blocks, this one included, that have nothing more in the band.
fn end_of_band_run(bits: &mut Bits<'_>, exponent: u8) -> u32 {
    (1 << exponent) + u32::from(bits.take(u32::from(exponent)))
}
