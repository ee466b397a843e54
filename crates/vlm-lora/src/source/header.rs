//! The header of a safetensors file, read with limits.
//!
//! The format: the length of the header as 8 bytes, little-endian; the header, JSON; the data. Every
//! tensor says its type, its shape and where its bytes lie (huggingface/safetensors, README).

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::limits::Limits;
use crate::error::Error;

/// Dimensions that a weight of any model has, at most.
const MAX_RANK: usize = 8;
/// Length of the number before the header.
pub(super) const PREFIX: u64 = 8;

/// The type of a weight's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    F32,
    F16,
    Bf16,
}

impl Element {
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }
}

/// One tensor of a file; where its type is not read, `element` is the type's name.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) element: Result<Element, String>,
    pub(super) shape: Vec<usize>,
    /// Its offset in the file, in bytes.
    pub(super) start: u64,
    /// Its length in bytes.
    pub(super) len: usize,
}

#[derive(Deserialize)]
struct Raw {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: [u64; 2],
}

/// Reads the entries of a header without the texts beside them, and keeps no more than so many.
/// JSON takes many times as much memory as it takes in a file.
struct Tensors(u64);

impl<'de> DeserializeSeed<'de> for Tensors {
    /// The number of entries, and the first of them.
    type Value = (u64, BTreeMap<String, Raw>);

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Tensors {
    type Value = (u64, BTreeMap<String, Raw>);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut n_tensors, mut found) = (0, BTreeMap::new());
        while let Some(name) = map.next_key::<String>()? {
            if name == "__metadata__" {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            n_tensors += 1;
            let raw = map.next_value()?;
            if n_tensors <= self.0 {
                found.insert(name, raw);
            }
        }
        Ok((n_tensors, found))
    }
}

/// The tensors of the file at `path` of `file_len` bytes with the header `json`.
///
/// # Errors
/// [`Error::Weights`] where the format is broken, [`Error::Limit`] for too many tensors.
pub(super) fn parse(
    path: &Path,
    json: &[u8],
    file_len: u64,
    limits: &Limits,
) -> Result<BTreeMap<String, Entry>, Error> {
    let broken = |reason: String| Error::Weights { path: path.to_owned(), reason };
    let mut json_reader = serde_json::Deserializer::from_slice(json);
    let read = Tensors(limits.max_tensors).deserialize(&mut json_reader);
    let read = read.and_then(|read| json_reader.end().map(|()| read));
    let (n_tensors, raw) = read.map_err(|error| broken(format!("its header: {error}")))?;
    Limits::check("the number of tensors", n_tensors, limits.max_tensors)?;
    let data = PREFIX + json.len() as u64;
    let mut entries = BTreeMap::new();
    let mut ranges = Vec::new();
    for (name, raw) in raw {
        let entry =
            entry(raw, data, file_len).map_err(|what| broken(format!("`{name}` {what}")))?;
        ranges.push((entry.start, entry.len as u64));
        entries.insert(name, entry);
    }
    ranges.sort_unstable();
    let overlap = ranges.windows(2).any(|pair| pair[0].0 + pair[0].1 > pair[1].0);
    if overlap { Err(broken("two of its tensors overlap".to_owned())) } else { Ok(entries) }
}

fn entry(raw: Raw, data: u64, file_len: u64) -> Result<Entry, &'static str> {
    let Raw { dtype, shape, data_offsets: [from, to] } = raw;
    if shape.len() > MAX_RANK {
        return Err("has too many dimensions");
    }
    let shape: Option<Vec<usize>> = shape.iter().map(|&n| usize::try_from(n).ok()).collect();
    let shape = shape.ok_or("is larger than this machine's memory")?;
    let n_elements = shape.iter().try_fold(1usize, |product, &n| product.checked_mul(n));
    let n_elements = n_elements.ok_or("has more elements than can be counted")?;
    let start = data.checked_add(from).ok_or("starts nowhere")?;
    let end = data.checked_add(to).ok_or("ends nowhere")?;
    if start > end || end > file_len {
        return Err("lies outside of the file, which may have been cut short");
    }
    let len = usize::try_from(end - start).map_err(|_| "is larger than this machine's memory")?;
    let element = match dtype.as_str() {
        "F32" => Ok(Element::F32),
        "F16" => Ok(Element::F16),
        "BF16" => Ok(Element::Bf16),
        _ => Err(dtype),
    };
    if let Ok(element) = element
        && n_elements.checked_mul(element.bytes()) != Some(len)
    {
        return Err("has another number of bytes than its shape says");
    }
    Ok(Entry { element, shape, start, len })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str, data_len: u64) -> Result<BTreeMap<String, Entry>, Error> {
        let len = PREFIX + json.len() as u64 + data_len;
        parse(Path::new("a.safetensors"), json.as_bytes(), len, &Limits::default())
    }

    fn tensor(shape: &str, from: u64, to: u64) -> String {
        format!(r#"{{"dtype":"F32","shape":{shape},"data_offsets":[{from},{to}]}}"#)
    }

    #[test]
    fn entries_say_where_their_bytes_lie() {
        let json = format!(r#"{{"__metadata__":{{"a":"b"}},"x":{}}}"#, tensor("[2,3]", 0, 24));
        let entries = read(&json, 24).expect("the header is whole");
        let expected = Entry {
            element: Ok(Element::F32),
            shape: vec![2, 3],
            start: PREFIX + json.len() as u64,
            len: 24,
        };
        assert_eq!(entries, BTreeMap::from([("x".to_owned(), expected)]));
    }

    #[test]
    fn broken_entries_are_refused() {
        let one = |shape: &str, from, to| format!(r#"{{"x":{}}}"#, tensor(shape, from, to));
        for json in [
            "[]".to_owned(),
            r#"{"x":1}"#.to_owned(),
            one("[2,3]", 0, 20),
            one("[2,3]", 8, 32),
            one("[2,3]", 24, 0),
            one("[4294967296,4294967296,4294967296]", 0, 24),
            one("[1,1,1,1,1,1,1,1,6]", 0, 24),
            one("[6]", u64::MAX - 3, u64::MAX),
            format!(r#"{{"x":{},"y":{}}}"#, tensor("[4]", 0, 16), tensor("[4]", 8, 24)),
        ] {
            assert!(matches!(read(&json, 24), Err(Error::Weights { .. })), "{json}");
        }
    }

    #[test]
    fn too_many_tensors_are_refused() {
        let json = format!(r#"{{"x":{},"y":{}}}"#, tensor("[1]", 0, 4), tensor("[1]", 4, 8));
        let limits = Limits { max_tensors: 1, ..Limits::default() };
        let found = parse(Path::new("a"), json.as_bytes(), 1000, &limits);
        assert!(matches!(found, Err(Error::Limit { found: 2, limit: 1, .. })));
    }
}
