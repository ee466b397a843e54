//! Whether the coded data of a JPEG holds its whole picture.
//!
//! A decoder shows what a damaged file still holds and fills the rest with grey. A verdict on grey
//! is none on the picture, so every block is counted here before a pixel is decoded (ITU-T T.81,
//! annexes F and G).

use super::bits::Bits;
use super::huffman::Table;
use super::progressive::{Band, first_block, refined_block};
use super::{Component, Ending, Frame, Jpeg, MAX_SCANS, next_marker, segment};

/// Why a JPEG does not hold its whole picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::image) enum Damage {
    /// The data ends before the picture does.
    EndsEarly,
    /// The data cannot be what an encoder wrote.
    Broken(&'static str),
}

const NO_CODE: Damage = Damage::Broken("bits that are no Huffman code");

/// The state that the segments before a scan set.
struct Decoding<'a> {
    bytes: &'a [u8],
    frame: &'a Frame,
    /// Tables for direct and for alternating current.
    tables: [[Option<Table>; 4]; 2],
    restart_interval: u32,
    progress: Vec<Progress>,
}

/// The decoding state of one component.
struct Progress {
    /// Bits left out of each coefficient, `None` for one that no scan held.
    left_out: [Option<u8>; 64],
    /// The coefficients of each block that have a value; of progressive pictures alone.
    nonzero: Vec<u64>,
}

/// A component in a scan.
struct Member {
    index: usize,
    component: Component,
    /// Places of its tables.
    tables: [usize; 2],
}

impl Jpeg<'_> {
    /// Counts the blocks of every scan.
    ///
    /// A picture without a frame header or tables is left to the decoder, which refuses it.
    pub(in crate::image) fn check_whole(&self) -> Result<(), Damage> {
        if self.ending != Ending::Whole {
            return Err(Damage::EndsEarly);
        }
        let Some(frame) = &self.frame else { return Ok(()) };
        if self.n_scans > MAX_SCANS {
            return Err(Damage::Broken("more than 100 scans"));
        }
        Decoding::new(self.bytes, frame).check()
    }
}

impl<'a> Decoding<'a> {
    fn new(bytes: &'a [u8], frame: &'a Frame) -> Self {
        let progress = frame.components.iter().map(|&component| {
            let (wide, high) = frame.blocks(component);
            let n_blocks = if frame.is_progressive { wide as usize * high as usize } else { 0 };
            Progress { left_out: [None; 64], nonzero: vec![0; n_blocks] }
        });
        let progress = progress.collect();
        Self { bytes, frame, tables: Default::default(), restart_interval: 0, progress }
    }

    fn check(mut self) -> Result<(), Damage> {
        let mut at = next_marker(self.bytes, 2);
        while let Some(&marker) = self.bytes.get(at + 1) {
            if marker == 0xd9 {
                break;
            }
            if marker == 0x01 || marker == 0xd8 {
                at = next_marker(self.bytes, at + 2);
                continue;
            }
            let content = segment(self.bytes, at).ok_or(Damage::EndsEarly)?;
            at += 4 + content.len();
            match marker {
                0xc4 => self.define_tables(content)?,
                0xdd => {
                    let interval = content.first_chunk().ok_or(Damage::EndsEarly)?;
                    self.restart_interval = u16::from_be_bytes(*interval).into();
                }
                0xda => {
                    // Tables that the file leaves to the decoder.
                    let Some(()) = self.scan(content, at)? else { return Ok(()) };
                }
                _ => {}
            }
            at = next_marker(self.bytes, at);
        }
        let is_done = |progress: &Progress| progress.left_out.iter().all(|left| *left == Some(0));
        if self.progress.iter().all(is_done) { Ok(()) } else { Err(Damage::EndsEarly) }
    }

    fn define_tables(&mut self, mut content: &[u8]) -> Result<(), Damage> {
        let broken = Damage::Broken("a Huffman table that is no code");
        while let Some((&place, rest)) = content.split_first() {
            let counts: &[u8; 16] = rest.first_chunk().ok_or(broken)?;
            let n_symbols = counts.iter().map(|&n| usize::from(n)).sum();
            let symbols = rest[16..].get(..n_symbols).ok_or(broken)?;
            let kind = self.tables.get_mut(usize::from(place >> 4)).ok_or(broken)?;
            let table = kind.get_mut(usize::from(place & 15)).ok_or(broken)?;
            *table = Some(Table::new(counts, symbols).ok_or(broken)?);
            content = &rest[16 + n_symbols..];
        }
        Ok(())
    }

    /// Counts the blocks of the scan whose header is `content` and whose data begins at `at`;
    /// `None` where a table is missing.
    fn scan(&mut self, content: &[u8], at: usize) -> Result<Option<()>, Damage> {
        let broken = Damage::Broken("a scan header that does not fit the frame");
        let (members, band) = self.header(content).ok_or(broken)?;
        let lacks = |kind: usize, member: &Member| {
            self.tables[kind].get(member.tables[kind]).is_none_or(Option::is_none)
        };
        let needs_direct = band.first == 0 && band.high == 0;
        let missing = members
            .iter()
            .any(|member| needs_direct && lacks(0, member) || band.last > 0 && lacks(1, member));
        if missing {
            return Ok(None);
        }
        let coefficients = usize::from(band.first)..=usize::from(band.last);
        for member in &members {
            let left_out = &mut self.progress[member.index].left_out[coefficients.clone()];
            if band.high == 0 && left_out.iter().any(Option::is_some) {
                return Err(Damage::Broken("two scans of the same coefficients"));
            }
            left_out.fill(Some(band.low));
        }
        self.blocks(&members, band, Bits::new(self.bytes, at)).map(Some)
    }

    /// The components and coefficients of a scan.
    fn header(&self, content: &[u8]) -> Option<(Vec<Member>, Band)> {
        let (&n_members, rest) = content.split_first()?;
        let (named, rest) = rest.split_at_checked(2 * usize::from(n_members))?;
        let member = |[id, tables]: &[u8; 2]| {
            let index = self.frame.components.iter().position(|c| c.id == *id)?;
            let tables = [tables >> 4, tables & 15].map(usize::from);
            Some(Member { index, component: self.frame.components[index], tables })
        };
        let members: Vec<_> = named.as_chunks().0.iter().map(member).collect::<Option<_>>()?;
        let &[first, last, bits] = rest.first_chunk()?;
        let band = match self.frame.is_progressive {
            true => Band { first, last, high: bits >> 4, low: bits & 15 },
            false => Band { first: 0, last: 63, high: 0, low: 0 },
        };
        let direct_alone = !self.frame.is_progressive || band.first > 0 || band.last == 0;
        let one_alone = band.first == 0 || members.len() == 1;
        let fits = band.first <= band.last && band.last < 64 && !members.is_empty();
        (fits && direct_alone && one_alone).then_some((members, band))
    }

    fn blocks(&mut self, members: &[Member], band: Band, mut bits: Bits<'_>) -> Result<(), Damage> {
        let (wide, high) = match members {
            [alone] => self.frame.blocks(alone.component),
            _ => self.frame.mcus(),
        };
        let n_units = u64::from(wide) * u64::from(high);
        let interval = u64::from(self.restart_interval);
        let mut run = 0;
        for unit in 0..n_units {
            if interval > 0 && unit > 0 && unit % interval == 0 {
                if !bits.restart() {
                    return Err(Damage::EndsEarly);
                }
                run = 0;
            }
            for member in members {
                let n_blocks = match members.len() {
                    1 => 1,
                    _ => member.component.horizontal * member.component.vertical,
                };
                for _ in 0..n_blocks {
                    let block = self.block(member, band, unit as usize, &mut bits, &mut run);
                    if block.is_none() {
                        return Err(if bits.is_overrun() { Damage::EndsEarly } else { NO_CODE });
                    }
                }
            }
            if bits.is_overrun() {
                return Err(Damage::EndsEarly);
            }
        }
        Ok(())
    }

    /// Passes over one block, the `unit`-th of its scan.
    fn block(
        &mut self,
        member: &Member,
        band: Band,
        unit: usize,
        bits: &mut Bits<'_>,
        run: &mut u32,
    ) -> Option<()> {
        let [direct, alternating] = [0, 1]
            .map(|kind: usize| self.tables[kind].get(member.tables[kind]).and_then(Option::as_ref));
        if band.first > 0 {
            let nonzero = self.progress[member.index].nonzero.get_mut(unit)?;
            let pass = if band.high == 0 { first_block } else { refined_block };
            return pass(bits, alternating?, band, run, nonzero);
        }
        if band.high > 0 {
            bits.take(1);
            return Some(());
        }
        let size = direct?.symbol(bits)?;
        bits.take(u32::from(size.min(16)));
        if band.last > 0 {
            let mut at = 1;
            while at < 64 {
                let symbol = alternating?.symbol(bits)?;
                let (zeros, size) = (symbol >> 4, symbol & 15);
                if size == 0 && zeros < 15 {
                    break;
                }
                bits.take(u32::from(size));
                at += zeros + 1;
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIXTURES: [(&str, &[u8]); 6] = [
        ("baseline", include_bytes!("../../../tests/fixtures/baseline.jpg")),
        ("restarts", include_bytes!("../../../tests/fixtures/restarts.jpg")),
        ("scans", include_bytes!("../../../tests/fixtures/scans.jpg")),
        ("vertical", include_bytes!("../../../tests/fixtures/vertical.jpg")),
        ("progressive", include_bytes!("../../../tests/fixtures/progressive_restarts.jpg")),
        ("cmyk", include_bytes!("../../../tests/fixtures/progressive_cmyk.jpg")),
    ];

    /// The first byte of the coded data of the first scan of `bytes`.
    fn coded(bytes: &[u8]) -> usize {
        let place = bytes.windows(2).position(|pair| pair == [0xff, 0xda]);
        let place = place.expect("a scan");
        place + 4 + segment(bytes, place).expect("a header").len()
    }

    #[test]
    fn every_layout_is_counted_to_its_end() {
        for (name, bytes) in FIXTURES {
            assert_eq!(Jpeg::of(bytes).check_whole(), Ok(()), "{name}");
        }
    }

    #[test]
    fn a_picture_cut_anywhere_and_given_an_end_is_not_whole() {
        for (name, bytes) in FIXTURES {
            for cut in coded(bytes)..bytes.len() - 2 {
                let ended = [&bytes[..cut], &[0xff, 0xd9]].concat();
                assert!(Jpeg::of(&ended).check_whole().is_err(), "{name} cut at {cut}");
            }
        }
    }

    #[test]
    fn a_picture_in_place_of_the_missing_half_does_not_make_it_whole() {
        for (name, bytes) in FIXTURES {
            for cut in coded(bytes)..bytes.len() - 2 {
                let joined = [&bytes[..cut], bytes].concat();
                assert!(Jpeg::of(&joined).check_whole().is_err(), "{name} cut at {cut}");
            }
        }
    }
}
