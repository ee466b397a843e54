//! Everything in front of the tensors' bytes.

use std::collections::BTreeMap;
use std::path::Path;

use super::block::{self, Kind};
use crate::error::Error;
use crate::source::limits::Limits;

const MAGIC: u32 = u32::from_le_bytes(*b"GGUF");
/// Dimensions of a tensor, at most.
const MAX_RANK: usize = 4;
/// Entries of metadata, at most.
const MAX_ENTRIES: u64 = 100_000;
/// Values in all lists of metadata: eight times those of the largest vocabulary.
const MAX_LISTED: u64 = 1 << 22;
/// Bytes between which tensors begin, unless the file says otherwise.
const ALIGNMENT: u64 = 32;

/// A value of the metadata.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Any whole number.
    Integer(i128),
    /// A number.
    Float(f64),
    /// True or false.
    Flag(bool),
    /// Text; what is no UTF-8 in it is replaced.
    Text(String),
    /// Several values.
    List(Vec<Value>),
}

impl Value {
    /// The text, if it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The whole number, if it is one that counts something.
    #[must_use]
    pub fn as_size(&self) -> Option<usize> {
        if let Self::Integer(n) = self { usize::try_from(*n).ok() } else { None }
    }

    /// The number, if it is one.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Integer(n) => Some(*n as f64),
            Self::Float(n) => Some(*n),
            _ => None,
        }
    }

    /// The values of a list; empty for any other kind of value.
    #[must_use]
    pub fn as_list(&self) -> &[Self] {
        if let Self::List(values) = self { values } else { &[] }
    }
}

/// One tensor of the file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Info {
    pub(crate) kind: Kind,
    /// Outputs first.
    pub(crate) shape: Vec<usize>,
    /// Its offset in the file, in bytes.
    pub(crate) start: u64,
    /// Its length in bytes.
    pub(crate) len: u64,
}

#[derive(Debug)]
pub(crate) struct Header {
    pub(crate) metadata: BTreeMap<String, Value>,
    pub(crate) tensors: BTreeMap<String, Info>,
}

/// The fault of a header.
#[derive(Debug)]
pub(crate) enum Broken {
    Rule(String),
    Limit(Error),
}

impl Broken {
    pub(crate) fn into_error(self, path: &Path) -> Error {
        match self {
            Self::Rule(reason) => Error::Weights { path: path.to_owned(), reason },
            Self::Limit(error) => error,
        }
    }
}

impl From<&str> for Broken {
    fn from(reason: &str) -> Self {
        Self::Rule(reason.to_owned())
    }
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        Self::Limit(error)
    }
}

/// The header in `bytes`, the first ones of a file of `file_len`.
pub(crate) fn parse(bytes: &[u8], file_len: u64, limits: &Limits) -> Result<Header, Broken> {
    let mut reader = Reader { bytes, at: 0, n_listed: 0 };
    if reader.u32()? != MAGIC {
        return Err("it does not begin with GGUF".into());
    }
    let version = reader.u32()?;
    if !(2..=3).contains(&version) {
        return Err(Broken::Rule(format!(
            "version {version} of the format is not read, 2 and 3 are"
        )));
    }
    let (n_tensors, n_entries) = (reader.u64()?, reader.u64()?);
    Limits::check("the number of tensors", n_tensors, limits.max_tensors)?;
    Limits::check("the number of metadata entries", n_entries, MAX_ENTRIES)?;
    let mut metadata = BTreeMap::new();
    for _ in 0..n_entries {
        let key = reader.text()?;
        let kind = reader.u32()?;
        let value = reader.value(kind, true)?;
        metadata.insert(key, value);
    }
    let mut tensors = Vec::new();
    for _ in 0..n_tensors {
        tensors.push(reader.tensor()?);
    }
    let alignment = metadata.get("general.alignment").and_then(Value::as_size);
    let alignment = alignment.map_or(ALIGNMENT, |n| n as u64);
    if alignment == 0 || alignment > 1 << 20 {
        return Err("its alignment is no such number".into());
    }
    let data = (reader.at as u64).next_multiple_of(alignment);
    let (mut by_name, mut places) = (BTreeMap::new(), Vec::new());
    for (name, mut info) in tensors {
        let start = info.start.checked_add(data);
        let end = start.and_then(|start| start.checked_add(info.len));
        let (Some(start), true) = (start, end.is_some_and(|end| end <= file_len)) else {
            let reason = "lies outside of the file, which may have been cut short";
            return Err(Broken::Rule(format!("`{name}` {reason}")));
        };
        info.start = start;
        places.push((start, info.len, name.clone()));
        if by_name.insert(name.clone(), info).is_some() {
            return Err(Broken::Rule(format!("`{name}` comes twice")));
        }
    }
    // Many that share one place would take many times the file's size.
    places.sort_unstable();
    if let Some(pair) = places.windows(2).find(|pair| pair[0].0 + pair[0].1 > pair[1].0) {
        return Err(Broken::Rule(format!("`{}` and `{}` overlap", pair[0].2, pair[1].2)));
    }
    Ok(Header { metadata, tensors: by_name })
}

/// Reads from the front, never beyond the end.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Values in the lists so far.
    n_listed: u64,
}

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], Broken> {
        let end = self.at.checked_add(n);
        let part = end.and_then(|end| self.bytes.get(self.at..end));
        let part = part.ok_or("its header is cut short, or longer than the limit")?;
        self.at += n;
        Ok(part)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Broken> {
        self.take(N)?.try_into().map_err(|_| "its header is cut short".into())
    }

    fn u32(&mut self) -> Result<u32, Broken> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64, Broken> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn size(&mut self) -> Result<usize, Broken> {
        usize::try_from(self.u64()?).map_err(|_| "a length in it is larger than memory".into())
    }

    fn text(&mut self) -> Result<String, Broken> {
        let len = self.size()?;
        Ok(String::from_utf8_lossy(self.take(len)?).into_owned())
    }

    /// A value of the type numbered `kind`; lists hold no lists.
    fn value(&mut self, kind: u32, may_be_list: bool) -> Result<Value, Broken> {
        Ok(match kind {
            0 => Value::Integer(self.array::<1>()?[0].into()),
            1 => Value::Integer(i8::from_le_bytes(self.array()?).into()),
            2 => Value::Integer(u16::from_le_bytes(self.array()?).into()),
            3 => Value::Integer(i16::from_le_bytes(self.array()?).into()),
            4 => Value::Integer(self.u32()?.into()),
            5 => Value::Integer(i32::from_le_bytes(self.array()?).into()),
            6 => Value::Float(f32::from_le_bytes(self.array()?).into()),
            7 => Value::Flag(self.array::<1>()?[0] != 0),
            8 => Value::Text(self.text()?),
            9 if may_be_list => {
                let kind = self.u32()?;
                let len = self.size()?;
                // A value takes many times its bytes in the file.
                self.n_listed = self.n_listed.saturating_add(len as u64);
                Limits::check("the number of values in lists", self.n_listed, MAX_LISTED)?;
                let mut values = Vec::with_capacity(len.min(self.bytes.len() - self.at));
                for _ in 0..len {
                    values.push(self.value(kind, false)?);
                }
                Value::List(values)
            }
            10 => Value::Integer(self.u64()?.into()),
            11 => Value::Integer(i64::from_le_bytes(self.array()?).into()),
            12 => Value::Float(f64::from_le_bytes(self.array()?)),
            _ => return Err(Broken::Rule(format!("a value in it is of the unknown type {kind}"))),
        })
    }

    /// Name and place of a tensor, the place relative to the data.
    fn tensor(&mut self) -> Result<(String, Info), Broken> {
        let name = self.text()?;
        let rank = self.u32()? as usize;
        if rank > MAX_RANK {
            return Err(Broken::Rule(format!("`{name}` has {rank} dimensions")));
        }
        let mut shape = Vec::new();
        for _ in 0..rank {
            shape.push(self.size()?);
        }
        shape.reverse();
        let kind = Kind::from_number(self.u32()?);
        let start = self.u64()?;
        let len = block::bytes(kind, &shape);
        let len =
            len.ok_or_else(|| Broken::Rule(format!("`{name}` is no whole number of blocks")))?;
        Ok((name, Info { kind, shape, start, len }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of two F32 tensors of 32 values each, which begin at `places` of the data.
    fn file(places: [u64; 2]) -> Vec<u8> {
        let text = |text: &str| [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat();
        let mut bytes = MAGIC.to_le_bytes().to_vec();
        bytes.extend(3u32.to_le_bytes());
        bytes.extend([2u64, 0].map(u64::to_le_bytes).concat());
        for (name, place) in ["a", "b"].into_iter().zip(places) {
            bytes.extend(text(name));
            bytes.extend(1u32.to_le_bytes());
            bytes.extend(32u64.to_le_bytes());
            bytes.extend(0u32.to_le_bytes());
            bytes.extend(place.to_le_bytes());
        }
        bytes.resize(bytes.len().next_multiple_of(32) + 256, 0);
        bytes
    }

    #[test]
    fn tensors_that_share_bytes_are_refused() {
        let read = |places| {
            let bytes = file(places);
            parse(&bytes, bytes.len() as u64, &Limits::default())
        };
        assert_eq!(read([0, 128]).expect("one after the other").tensors.len(), 2);
        for places in [[0, 0], [0, 96], [64, 0]] {
            let refused = read(places);
            let overlap = matches!(&refused, Err(Broken::Rule(why)) if why.contains("overlap"));
            assert!(overlap, "{places:?}: {refused:?}");
        }
    }
}
