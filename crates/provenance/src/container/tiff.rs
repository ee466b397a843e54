//! Directories of a TIFF (Adobe TIFF 6.0), counted before another reader follows them.
//!
//! A few bytes can ask for millions of directories: pages may share one list of further directories. No
//! text is read here.

use crate::contents::{Contents, Manifest};

/// Directories of a file, pages and those below them.
const MAX_DIRECTORIES: usize = 4096;

/// Directories below one page. A raw photograph has fewer than ten.
const MAX_BELOW: usize = 256;

/// Fields of all directories.
const MAX_FIELDS: usize = 1 << 17;

/// Bytes of a field: tag, type, number of values, and a value or the place of the values.
const FIELD: usize = 12;

/// Fields whose values are places of directories: a list of them, EXIF, GPS.
const SUB_DIRECTORIES: u16 = 330;
const EXIF: u16 = 34_665;
const GPS: u16 = 34_853;

const CUT: &str = "a directory of the TIFF lies outside of the file";
const MANY: &str = "the TIFF has more directories than are read";

pub(crate) fn walk(bytes: &[u8], contents: &mut Contents) {
    let tiff = Tiff { bytes, is_little: bytes.starts_with(b"II") };
    contents.manifest = match tiff.count() {
        Ok(()) => Manifest::There,
        Err(reason) => Manifest::Refused(reason),
    };
}

struct Tiff<'a> {
    bytes: &'a [u8],
    is_little: bool,
}

/// The directories and fields that may still be read.
struct Room {
    directories: usize,
    fields: usize,
}

impl Room {
    fn take(&mut self, fields: usize) -> Result<(), &'static str> {
        self.directories = self.directories.checked_sub(1).ok_or(MANY)?;
        self.fields = self.fields.checked_sub(fields).ok_or(MANY)?;
        Ok(())
    }
}

impl Tiff<'_> {
    /// Follows every directory, or says why not. Directories in a circle are too many.
    fn count(&self) -> Result<(), &'static str> {
        let mut room = Room { directories: MAX_DIRECTORIES, fields: MAX_FIELDS };
        let mut page = self.offset(4).ok_or(CUT)?;
        loop {
            let fields = self.fields(page).ok_or(CUT)?;
            room.take(fields)?;
            for below in self.below(page, fields)? {
                room.take(self.fields(below).ok_or(CUT)?)?;
            }
            page = self.offset(page + 2 + FIELD * fields).ok_or(CUT)?;
            if page == 0 {
                return Ok(());
            }
        }
    }

    /// The places of the directories below the page at `at`.
    fn below(&self, at: usize, fields: usize) -> Result<Vec<usize>, &'static str> {
        let mut places = Vec::new();
        for field in (0..fields).map(|number| at + 2 + FIELD * number) {
            let value = field + 8;
            match self.u16(field).ok_or(CUT)? {
                EXIF | GPS => places.push(self.offset(value).ok_or(CUT)?),
                SUB_DIRECTORIES => {
                    let n = self.offset(field + 4).ok_or(CUT)?;
                    if n > MAX_BELOW {
                        return Err(MANY);
                    }
                    let list = if n > 1 { self.offset(value).ok_or(CUT)? } else { value };
                    for number in 0..n {
                        places.push(self.offset(list + 4 * number).ok_or(CUT)?);
                    }
                }
                _ => {}
            }
            if places.len() > MAX_BELOW {
                return Err(MANY);
            }
        }
        Ok(places)
    }

    /// The number of fields of the directory at `at`, if they lie inside of the file.
    fn fields(&self, at: usize) -> Option<usize> {
        let fields = usize::from(self.u16(at)?);
        self.bytes.get(at + 2..at + 2 + FIELD * fields)?;
        Some(fields)
    }

    fn u16(&self, at: usize) -> Option<u16> {
        let bytes = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.is_little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    }

    /// A number of 32 bits. A sum with it cannot overflow where addresses have 64 bits; elsewhere one of
    /// more than 30 bits lies outside of every file.
    fn offset(&self, at: usize) -> Option<usize> {
        let bytes = *self.bytes.get(at..)?.first_chunk()?;
        let number =
            if self.is_little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) };
        usize::try_from(number).ok().filter(|number| *number <= usize::MAX / 4)
    }
}
